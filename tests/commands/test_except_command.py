"""The `except` command: what it takes down, what it refuses, and how it exits."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select, update

from commands import deskclock
from connector.store import tables
from connector.store.database import Database

CONFIG = """
accounts:
  acme:
    helpdesk: zendesk
    subdomain: acme
    sign_in: {client_id: us, client_secret: quiet}
    policy: user-support
"""
FAR = "2099-01-01T12:00:00+02:00"
UNTIL = ["--until", FAR]
LETTER = ["--reference", "letter 17"]


class Office:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "deskclock.yaml").write_text(CONFIG)
        self.database = Database(f"sqlite:///{folder}/data/deskclock.sqlite3")

    def run(self, *words: str) -> Result:
        where = ["--data-dir", f"{self.folder}/data", "--config", f"{self.folder}/deskclock.yaml"]
        return CliRunner().invoke(deskclock, ["except", *words, *where])

    def rows(self) -> list[tuple[object, ...]]:
        columns = tables.ticket_exception.c
        query = select(columns.ticket_id, columns.metric, columns.until, columns.reference)
        with self.database.read() as conn:
            return [tuple(row) for row in conn.execute(query)]

    def looks(self) -> dict[str, int]:
        with self.database.read() as conn:
            rows = conn.execute(select(tables.ticket.c.ticket_id, tables.ticket.c.wanted))
            return {row[0]: row[1] for row in rows}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_an_exception_is_written_down_and_the_ticket_is_looked_at(office: Office) -> None:
    ran = office.run("acme", "35436", *UNTIL, *LETTER, "--metric", "resolution")
    until = datetime(2099, 1, 1, 10, tzinfo=UTC).timestamp()
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert "resolution due 2099-01-01T10:00:00Z by letter 17" in ran.stdout
    assert "has not seen this ticket yet" in ran.stdout
    assert office.rows() == [("35436", "resolution", until, "letter 17")]
    assert office.looks() == {"35436": 1}


def test_of_a_ticket_that_was_seen_nothing_is_asked(office: Office) -> None:
    office.run("acme", "35436", *UNTIL, *LETTER)
    with office.database.write() as conn:
        conn.execute(update(tables.ticket).values(evaluated_at=1.0))
    assert "has not seen" not in office.run("acme", "35436", *UNTIL, *LETTER).stdout


def test_an_exception_is_withdrawn_by_its_reference(office: Office) -> None:
    office.run("acme", "35436", *UNTIL, *LETTER)
    ran = office.run("acme", "35436", *LETTER, "--withdraw")
    again = office.run("acme", "35436", *LETTER, "--withdraw")
    assert (ran.exit_code, again.exit_code) == (0, 1)
    assert "withdrawn what stood by letter 17 (1)" in ran.stdout
    assert "no exception by 'letter 17'; standing: none" in again.stderr
    assert office.looks() == {"35436": 2}


def test_a_withdrawal_can_be_for_one_metric(office: Office) -> None:
    for metric in ("resolution", "first_response"):
        office.run("acme", "1", *UNTIL, *LETTER, "--metric", metric)
    office.run("acme", "1", *LETTER, "--metric", "resolution", "--withdraw")
    query = select(tables.ticket_exception.c.withdrawn_at.is_not(None))
    with office.database.read() as conn:
        assert [row[0] for row in conn.execute(query)] == [True, False]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        pytest.param(["acme", "1", *UNTIL], 2, "Missing option '--reference'", id="no-reference"),
        pytest.param(["acme", "1", *UNTIL, "--reference", " "], 2, "written reference", id="empty"),
        pytest.param(["acme", "1", *LETTER], 2, "give --until, or --withdraw", id="no-until"),
        pytest.param(["acme", "1", *UNTIL, *LETTER, "--withdraw"], 2, "give --until", id="both"),
        pytest.param(
            ["acme", "1", "--until", "2099-01-01T12:00:00", *LETTER], 2, "its offset", id="naive"
        ),
        pytest.param(["acme", "1", "--until", "soon", *LETTER], 2, "no instant", id="no-instant"),
        pytest.param(
            ["acme", "1", *UNTIL, *LETTER, "--metric", "speed"], 2, "'speed' is not", id="metric"
        ),
        pytest.param(
            ["acme", "1", "--until", "2020-01-01T00:00:00Z", *LETTER],
            1,
            "--until 2020-01-01T00:00:00Z is past; the helpdesk's clock says 20",
            id="past",
        ),
        pytest.param(
            ["acme", "1", "--until", "2101-01-01T00:00:00Z", *LETTER], 2, "1970 to 2100", id="far"
        ),
        pytest.param(
            ["acme", "1", "--until", "9999-12-31T23:59:00-12:00", *LETTER], 2, "to 2100", id="end"
        ),
        pytest.param(["acme", "1\n2", *UNTIL, *LETTER], 2, "is no ticket number", id="ticket"),
        pytest.param(["acme", "01", *UNTIL, *LETTER], 2, "is no ticket number", id="zero"),
        pytest.param(["acne", "1", *UNTIL, *LETTER], 1, "known: acme", id="account"),
    ],
)
def test_what_cannot_be_an_exception_is_refused(
    office: Office, words: list[str], code: int, message: str
) -> None:
    ran = office.run(*words)
    assert ran.exit_code == code
    assert message in " ".join(ran.stderr.split())
    if (office.folder / "data").exists():
        office.run("acme", "2", *UNTIL, *LETTER)
        assert [row[0] for row in office.rows()] == ["2"]


def test_past_is_told_by_the_helpdesks_clock(office: Office) -> None:
    office.run("acme", "1", *UNTIL, *LETTER)
    with office.database.write() as conn:
        conn.execute(update(tables.account).values(clock_offset=-10 * 365 * 86400.0))
    long_ago = office.run("acme", "2", "--until", "2020-01-01T00:00:00Z", *LETTER)
    assert long_ago.exit_code == 0, long_ago.stderr
    assert [row[0] for row in office.rows()] == ["1", "2"]
