"""The `dead` command: what is left alone and since when, and having it tried again."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert, select

from commands import deskclock
from connector.engine import accounts, evidence
from connector.store import tables
from connector.store.database import Database, now
from connector.store.migrate import upgrade

REFUSED = "WriteRefused: 'Category'\ncan't be \x1b[31mblank"


class Yard:
    """A store in which two tickets are parked, one takes no writes, and one is well."""

    def __init__(self, url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        monkeypatch.setenv("DESKCLOCK_DATABASE_URL", url)
        self.database = Database(url)
        upgrade(self.database)
        with self.database.write() as conn:
            for name in ("acme", "umbrella"):
                accounts.register(conn, name, "zendesk")
            far = {"look_at": 9e9, "not_before": 9e9, "created": 1.0, "attempts": 5}
            no = {"parked": None, "write_blocked": None}
            conn.execute(
                insert(tables.ticket),
                [
                    {"account": "acme", "ticket_id": "10", **far, **no, "parked": REFUSED},
                    {"account": "acme", "ticket_id": "9", **far, **no, "write_blocked": "rule"},
                    {"account": "acme", "ticket_id": "8", **far, **no},
                    {"account": "umbrella", "ticket_id": "10", **far, **no, "parked": "crash"},
                ],
            )
            for ticket, kind in (("10", evidence.FAILED), ("10", evidence.PARKED)):
                evidence.record(conn, "acme", ticket, kind, REFUSED)
            evidence.record(conn, "acme", "9", evidence.BLOCKED, "rule")

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(deskclock, ["dead", *words, "--data-dir", f"{self.folder}/data"])

    def rows(self, account: str = "acme") -> dict[str, tuple[object, ...]]:
        """ticket -> parked, write_blocked, wanted, whether it is due now."""
        columns = tables.ticket.c
        with self.database.read() as conn:
            at = now(conn)
            rows = conn.execute(select(tables.ticket).where(columns.account == account)).all()
        return {
            row.ticket_id: (
                row.parked, row.write_blocked, row.wanted, max(row.look_at, row.not_before) <= at
            )
            for row in rows
        }  # fmt: skip


@pytest.fixture
def yard(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Yard]:
    made = Yard(database_url, tmp_path, monkeypatch)
    yield made
    made.database.dispose()


def test_what_is_dead_is_listed_with_its_reason_and_since_when(yard: Yard) -> None:
    table = yard.run("list").stdout.splitlines()
    lines = [json.loads(line) for line in yard.run("list", "acme", "--json").stdout.splitlines()]

    assert [line.split()[:3] for line in table] == [
        ["ACCOUNT", "TICKET", "KIND"],
        ["acme", "9", "write_blocked"],
        ["acme", "10", "parked"],
        ["umbrella", "10", "parked"],
    ]
    assert table[2].endswith("5         WriteRefused: 'Category' can't be  [31mblank")
    assert table[3].split()[3:] == ["unknown", "5", "crash"]
    assert [(one["ticket"], one["kind"], one["reason"]) for one in lines] == [
        ("9", "write_blocked", "rule"),
        ("10", "parked", REFUSED),
    ]
    assert all(one["since"].startswith("20") for one in lines)


def test_one_of_them_is_shown_with_what_led_there(yard: Yard) -> None:
    shown = json.loads(yard.run("show", "acme", "10", "--json").stdout)
    text = yard.run("show", "acme", "10").stdout

    assert [one["kind"] for one in shown["events"]] == ["failed", "parked"]
    assert ["ticket:", "10"] in [line.split() for line in text.splitlines()]
    assert text.splitlines()[-1].split()[1:3] == ["parked", "WriteRefused:"]


def test_what_is_retried_is_due_now_and_may_be_written(yard: Yard) -> None:
    ran = yard.run("retry", "acme", "9", "10")

    assert (ran.exit_code, ran.stdout) == (0, "acme: 2 tickets to be tried again.\n")
    assert yard.rows() == {
        "8": (None, None, 0, False),
        "9": (None, None, 1, True),
        "10": (None, None, 1, True),
    }


def test_all_of_an_account_are_retried_and_no_others(yard: Yard) -> None:
    first, again = yard.run("retry", "acme", "--all"), yard.run("retry", "acme", "--all")

    assert (first.stdout, again.stdout) == (
        "acme: 2 tickets to be tried again.\n",
        "acme: 0 tickets to be tried again.\n",
    )
    assert yard.rows("umbrella") == {"10": ("crash", None, 0, False)}
    assert yard.run("list", "acme").stdout == "No ticket is left alone.\n"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        pytest.param(["list", "acne"], 1, "known: acme, umbrella", id="account"),
        pytest.param(["show", "acme", "11"], 1, "has not seen ticket 11", id="unseen"),
        pytest.param(["show", "acme", "8"], 1, "neither parked nor write_blocked", id="well"),
        pytest.param(["retry", "acme", "10", "11"], 1, "has not seen ticket 11", id="one-unseen"),
        pytest.param(["list", "\udcff"], 2, "is no UTF-8 text", id="account-no-text"),
        pytest.param(["show", "acme", "1\udcff"], 2, "is no UTF-8 text", id="show-no-text"),
        pytest.param(["retry", "acme", "1\udcff"], 2, "is no UTF-8 text", id="retry-no-text"),
        pytest.param(["retry", "acme", ""], 2, "it is empty", id="empty"),
        pytest.param(["retry", "acme"], 2, "give the tickets, or --all", id="none"),
        pytest.param(["retry", "acme", "10", "--all"], 2, "give the tickets, or --all", id="both"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_retried(
    yard: Yard, words: list[str], code: int, message: str
) -> None:
    ran = yard.run(*words)

    assert (ran.exit_code, message in ran.stderr) == (code, True)
    assert {row[2] for row in yard.rows().values()} == {0}
