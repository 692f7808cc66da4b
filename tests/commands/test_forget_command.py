"""The `forget` command: what it asks for, what it says, and when it refuses."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert, select, update

from commands import deskclock
from connector.engine import accounts
from connector.store import tables
from connector.store.chain import Line, append
from connector.store.database import Database
from connector.store.migrate import upgrade

ACCOUNTS = """
accounts:
  {name}:
    helpdesk: zendesk
    subdomain: acme
    policy: user-support
    sign_in: {{email: a@b.c, api_token: x}}
"""


class Desk:
    """A store with two tickets of one customer, and one whose customer is not known."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        monkeypatch.setenv("DESKCLOCK_DATABASE_URL", f"sqlite:///{folder / 'own.sqlite3'}")
        self.database = Database(f"sqlite:///{folder / 'own.sqlite3'}")
        upgrade(self.database)
        self.configure("umbrella")
        with self.database.write() as conn:
            accounts.register(conn, "acme", "zendesk")
            for ticket, customer in (("1001", "77"), ("1002", "77"), ("1003", None)):
                row = {"account": "acme", "ticket_id": ticket, "created": 1.0}
                of = {"evaluated_at": 1.0, "requester_id": customer}
                conn.execute(insert(tables.ticket).values(**row, **of))
                append(conn, "acme", [Line(ticket_id=ticket, kind="written", body={})])

    def configure(self, name: str) -> None:
        (self.folder / "deskclock.yaml").write_text(ACCOUNTS.format(name=name), encoding="utf-8")

    def run(self, *words: str, typed: str | None = None) -> Result:
        where = ["--data-dir", f"{self.folder}/data", "--config", f"{self.folder}/deskclock.yaml"]
        return CliRunner().invoke(deskclock, ["forget", *words, *where], input=typed)

    def tickets(self) -> list[str]:
        with self.database.read() as conn:
            return sorted(conn.scalars(select(tables.ticket.c.ticket_id)))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    made = Desk(tmp_path, monkeypatch)
    yield made
    made.database.dispose()


def test_a_ticket_goes_and_what_still_holds_it_is_said(desk: Desk) -> None:
    first = desk.run("acme", "--ticket", "1001", "--vacuum")
    again = desk.run("acme", "--ticket", "1001")

    assert (first.exit_code, desk.tickets()) == (0, ["1002", "1003"])
    assert first.stdout.startswith("acme: 1 row deleted, 1 line of evidence emptied. Backups")
    assert "still on the helpdesk comes back" in first.stdout
    assert again.stdout.startswith("acme: nothing of it was stored.")


@pytest.mark.parametrize(
    ("failure", "left"),
    [
        pytest.param("HTTP 500 at /tickets/1001.json", None, id="itself"),
        pytest.param("ticket 21001 is locked", "ticket 21001 is locked", id="longer"),
    ],
)
def test_a_failure_goes_that_names_the_ticket(desk: Desk, failure: str, left: str | None) -> None:
    with desk.database.write() as conn:
        conn.execute(update(tables.account).values(last_error=failure))
    assert desk.run("acme", "--ticket", "1001").exit_code == 0
    with desk.database.read() as conn:
        assert conn.scalar(select(tables.account.c.last_error)) == left


def test_a_customer_goes_and_the_tickets_that_may_be_his_are_counted(desk: Desk) -> None:
    ran = desk.run("acme", "--requester", "77")

    assert (ran.exit_code, desk.tickets()) == (0, ["1003"])
    assert ran.stdout.startswith("acme: 2 tickets of customer 77.\n")
    assert ran.stderr.startswith("Of 1 other it is not known whose")


def test_an_account_goes_once_its_name_is_typed_and_it_is_configured_no_more(desk: Desk) -> None:
    desk.configure("acme")
    configured = desk.run("acme", "--all", "--yes")
    desk.configure("umbrella")
    mistyped = desk.run("acme", "--all", typed="acne\n")
    assert (configured.exit_code, mistyped.exit_code, len(desk.tickets())) == (1, 1, 3)
    assert "take it out and start deskclock again" in configured.stderr
    assert "'acne' is not 'acme'; nothing was deleted" in mistyped.stderr

    typed = desk.run("acme", "--all", typed="acme\n")
    assert (typed.exit_code, desk.tickets()) == (0, [])
    gone = desk.run("acme", "--all", "--yes")
    assert (gone.exit_code, "known: none" in gone.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        pytest.param(["acne", "--ticket", "1001"], 1, "known: acme", id="account"),
        pytest.param(["acme"], 2, "give --ticket, or --requester, or --all", id="nothing"),
        pytest.param(["acme", "--ticket", ""], 2, "'--ticket': it is empty", id="empty"),
        pytest.param(["acme", "--requester", " "], 2, "'--requester': it is empty", id="blank"),
        pytest.param(["acme", "--ticket", "1\udcff"], 2, "is no UTF-8 text", id="no-text"),
        pytest.param(["acme", "--ticket", "1001", "--all"], 2, "give --ticket, or", id="both"),
    ],
)
def test_what_cannot_be_is_refused(desk: Desk, words: list[str], code: int, message: str) -> None:
    ran = desk.run(*words)

    assert (ran.exit_code, message in ran.stderr, len(desk.tickets())) == (code, True, 3)
