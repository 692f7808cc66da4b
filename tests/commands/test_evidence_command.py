"""The `evidence` command: what it says of a record, and a copy that others can check without us."""

import csv
import json
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update

from commands import deskclock
from connector.engine import accounts
from connector.store import exporting, tables
from connector.store.chain import Line, append, redact
from connector.store.database import Database
from connector.store.migrate import upgrade

PAGE = (Path(__file__).parents[2] / "docs/data.md").read_text(encoding="utf-8")
VERIFIER = PAGE.split("<!-- the verifier, run by a test -->\n```python\n")[1].split("```")[0]


class Archive:
    """A store with six lines about three tickets, one of which is forgotten."""

    def __init__(self, url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        monkeypatch.setenv("DESKCLOCK_DATABASE_URL", url)
        self.database = Database(url)
        upgrade(self.database)
        with self.database.write() as conn:
            for name in ("acme", "umbrella"):
                accounts.register(conn, name, "zendesk")
            for number in range(6):
                body = {"état": number, "b": [0.1, None], "a": '=1+1\n,"'}
                append(conn, "acme", [Line(ticket_id=str(number % 3), kind="written", body=body)])
            told = {"lines": redact(conn, "acme", ["2"])}
            append(conn, "acme", [Line(ticket_id="", kind="forgotten", body=told)])

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(
            deskclock, ["evidence", *words, "--data-dir", f"{self.folder}/data"]
        )

    def export(self, *words: str) -> list[dict[str, Any]]:
        ran = self.run("export", "acme", *words)
        assert ran.exit_code == 0, ran.output
        return [json.loads(line) for line in ran.stdout.splitlines()]

    def check(self, lines: list[dict[str, Any]]) -> str:
        """What the verifier of docs/data.md says of an export."""
        path, program = self.folder / "lines.jsonl", self.folder / "verifier.py"
        path.write_text("".join(f"{json.dumps(one)}\n" for one in lines), encoding="utf-8")
        program.write_text(VERIFIER, encoding="utf-8")
        ran = subprocess.run(
            [sys.executable, "-I", str(program), str(path)], capture_output=True, text=True
        )
        return (ran.stdout + ran.stderr).strip()

    def tamper(self) -> None:
        with self.database.write() as conn:
            where = (tables.evidence.c.account == "acme", tables.evidence.c.number == 4)
            conn.execute(update(tables.evidence).where(*where).values(body={"état": 9}))


@pytest.fixture
def archive(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Archive]:
    made = Archive(database_url, tmp_path, monkeypatch)
    yield made
    made.database.dispose()


def test_an_export_can_be_checked_by_the_fifteen_lines_of_the_page(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "CHUNK", 2)
    lines = archive.export()
    head = f"{lines[-1]['head']['number']}:{lines[-1]['head']['hash']}"
    assert archive.check(lines) == f"7 lines hold; the chain ends with {head}"
    assert archive.run("verify", "acme", "--head", head).exit_code == 0

    of_ticket = archive.export("--ticket", "1")
    assert [one["number"] for one in of_ticket[1:-1]] == [2, 5]
    assert archive.check(of_ticket).startswith("2 lines hold")

    assert archive.check([*lines[:3], *lines[4:]]).startswith("line 4: it does not follow")
    assert archive.check([lines[0], *lines[2:]]).startswith("line 2: it does not follow")
    assert archive.check([*lines[:-2], lines[-1]]) == "the end is missing"
    archive.tamper()
    assert archive.check(archive.export()) == "line 4: its content was changed"
    assert archive.check(archive.export("--ticket", "0")) == "line 4: its content was changed"


def test_a_table_holds_the_same_lines(archive: Archive) -> None:
    path = archive.folder / "acme.csv"
    ran = archive.run("export", "acme", "--format", "csv", "-o", str(path))
    text = path.read_text(encoding="utf-8").splitlines(keepends=True)
    rows = list(csv.DictReader(line for line in text if not line.startswith("# ")))

    told = [row | {"at": float(row["at"]), "body": json.loads(row["body"])} for row in rows]
    expected = archive.export()[1:-1]
    assert [row["hash"] for row in rows] == [one["hash"] for one in expected]
    assert [(row["at"], row["body"]) for row in told] == [
        (one["at"], one["body"]) for one in expected
    ]
    assert re.fullmatch(rf"{re.escape(str(path))}: 7 lines; .* 7:[0-9a-f]{{64}}\n", ran.stdout)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = archive.run("export", "acme", "-o", str(path))
    assert (again.exit_code, "exists; give the name of a new file" in again.stderr) == (1, True)


def test_a_break_is_named_and_ends_in_code_1(archive: Archive) -> None:
    before = archive.run("verify")
    archive.tamper()
    text, as_json = archive.run("verify"), archive.run("verify", "acme", "--json")
    told = json.loads(as_json.stdout)

    assert (before.exit_code, text.exit_code, as_json.exit_code) == (0, 1, 1)
    assert before.stdout.startswith("acme: the record is unbroken; 7 lines, 2 forgotten\n")
    assert "acme: the record is BROKEN at 1 place; 7 lines" in text.stdout
    assert re.search(
        r"  line 4 \(ticket 0, 20.*Z\): its content is not what was written \(changed\)\n",
        text.stdout,
    )
    assert "umbrella: the record is unbroken; 0 lines" in text.stdout
    assert [(one["line"], one["flaw"]) for one in told["breaks"]] == [(4, "changed")]
    assert (told["holds"], told["broken"]) == (False, 1)


def test_what_cannot_be_read_or_written_is_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the other accounts are walked all the same, that of a deleted row among them."""
    archive = Archive(f"sqlite:///{tmp_path / 'own.sqlite3'}", tmp_path, monkeypatch)
    program = [sys.executable, "-c", "from commands import deskclock; deskclock()"]
    with open("/dev/full", "w") as full:
        into_full = subprocess.run(
            [*program, "evidence", "export", "acme", "--data-dir", f"{tmp_path}/data"],
            stdout=full, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
    with archive.database.write() as conn:
        conn.exec_driver_sql("DELETE FROM account WHERE name = 'acme'")
    deleted = archive.run("verify")
    with archive.database.write() as conn:
        change = "UPDATE evidence SET kind = {} WHERE number = 4"
        conn.exec_driver_sql(change.format("x'00'"))
    blob = archive.run("export", "acme")
    with archive.database.write() as conn:
        conn.exec_driver_sql(change.format("cast(x'ff' as text)"))
        conn.exec_driver_sql("UPDATE chain SET pruned_at = 1e300, pruned_number = 1")
    text, verified = archive.run("export", "acme"), archive.run("verify")
    as_json = archive.run("verify", "--json")
    archive.database.dispose()

    assert (into_full.returncode, into_full.stderr) == (
        1, "Error: standard output cannot be written: No space left on device\n",
    )  # fmt: skip
    assert deleted.stdout.startswith("acme: the record is unbroken; 7 lines")
    see = "cannot be read; see: deskclock evidence verify acme"
    assert (blob.exit_code, f"line 4 {see}" in blob.stderr) == (1, True)
    assert (text.exit_code, f"a line after number 3 {see}" in text.stderr) == (1, True)
    assert (verified.exit_code, as_json.exit_code) == (1, 1)
    assert "line 3: a line after it cannot be read" in verified.stdout
    assert "umbrella: the record is unbroken; 0 lines" in verified.stdout


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        pytest.param(["verify", "acne"], 1, "known: acme, umbrella", id="account"),
        pytest.param(["export", "acne"], 1, "known: acme, umbrella", id="export-account"),
        pytest.param(["verify", "acme", "--head", "7"], 2, "is no line of evidence", id="head"),
        pytest.param(["verify", "--head", f"7:{'0' * 64}"], 2, "name it", id="head-of-all"),
        pytest.param(["verify", "acme", "--head", f"7:{'0' * 64}"], 1, "", id="head-beyond"),
        pytest.param(["export", "acme", "--since", "soon"], 2, "is no instant", id="since"),
        pytest.param(["export", "acme", "-o", "/nowhere/x"], 1, "cannot be written", id="folder"),
    ],
)
def test_what_cannot_be_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, message: str
) -> None:
    archive = Archive(f"sqlite:///{tmp_path / 'own.sqlite3'}", tmp_path, monkeypatch)
    ran = archive.run(*words)
    archive.database.dispose()

    assert (ran.exit_code, message in ran.stderr) == (code, True)
