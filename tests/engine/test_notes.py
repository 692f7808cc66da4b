"""A private note stands in a ticket once, whoever dies, takes over, does not answer or lags."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, delete, select, text, update

from connector.engine import accounts, schedule
from connector.engine.lane import Lane
from connector.engine.scribe import REPEAT_AFTER_SECONDS
from connector.engine.watch import Watch
from connector.errors import HelpdeskUnreachable, OutcomeUnknown
from connector.store import tables
from connector.store.database import Database
from connector.store.migrate import upgrade
from mappings.sentences import moment
from tests.engine.conftest import Desk, Opener, Tapped
from tests.engine.test_crashes import Fate, Killed, Mortal

T = TypeVar("T")
METRICS = ("first_response", "next_update", "resolution")
ALL = frozenset((cause, metric) for cause in ("at_risk", "breached") for metric in METRICS)
BREACH = frozenset({("breached", "first_response")})
HOUR = 3600.0
MORE_THAN_ENOUGH = 16  # points at which a worker can die
SECRET_WORDS = "Printer on fire"


def pass_time(desk: Desk, hours: float, *tickets: str) -> None:
    """Move the helpdesk's clock and look at the tickets by it."""
    desk.advance(hours * HOUR)
    for _ in range(4):  # so many readings of its clock are a step
        desk.helpdesk.real.identify()
    desk.look(*tickets)


def noted(desk: Desk, ticket: str) -> list[dict[str, Any]]:
    """Our notes as the helpdesk shows them."""
    if desk.kind == "zendesk":
        said = desk.api("GET", f"/tickets/{ticket}/comments")["comments"]
    else:
        said = desk.api("GET", f"/tickets/{ticket}/conversations?per_page=100")
    return [one for one in said if "[deskclock " in str(one)]


def rows(desk: Desk, ticket: str) -> list[dict[str, Any]]:
    return [row for row in desk.rows(tables.note) if row["ticket_id"] == ticket]


def state_of(desk: Desk, ticket: str) -> Any:
    (row,) = rows(desk, ticket)
    return row["state"]


def only(desk: Desk, ticket: str, *, age: float = 0.0) -> None:
    """This ticket's notes are due and no other's; the latest try began `age` seconds earlier."""
    columns = tables.note.c
    mine = {"not_before": 0.0, "sending_at": columns.sending_at - age}
    with desk.database.write() as conn:
        conn.execute(update(tables.note).values(not_before=1e12))
        conn.execute(update(tables.note).where(columns.ticket_id == ticket).values(**mine))


def come_to_rest(desk: Desk, ticket: str) -> None:
    """Look at once, and again when whatever was on its way must have arrived."""
    for age in (0.0, 2 * REPEAT_AFTER_SECONDS, 0.0):
        only(desk, ticket, age=age)
        desk.hurry()
        desk.drain()


@contextmanager
def unwritten(desk: Desk) -> Iterator[None]:
    """No note can be looked for meanwhile, so that what is found stays due."""
    desk.helpdesk.always("has_note", HelpdeskUnreachable)
    yield
    desk.helpdesk.heal()


def all_due(desk: Desk, count: int) -> list[str]:
    """Tickets of which each has one note that is due: the first response was missed."""
    desk.account = replace(desk.account, notes=BREACH)
    tickets = [desk.create() for _ in range(count)]
    desk.enrich(*tickets)
    with unwritten(desk):
        pass_time(desk, 4.1, *tickets)
    desk.change(look_at=None, echo_at=None)
    assert [state_of(desk, one) for one in tickets] == ["due"] * count
    return tickets


# --- once, wherever the worker dies --------------------------------------------------------------


class Gap(Fate):
    """Something happens at the k-th interaction of a worker; where that is its death, for good."""

    def __init__(self, at: int, happens: Callable[[], None], *, for_good: bool) -> None:
        super().__init__(at)
        self._happens, self._for_good = happens, for_good

    def meet(self) -> None:
        self._left -= 1
        if self._left == 0 or (self.struck and self._for_good):
            self.struck = True
            self._happens()


class Interrupted(Mortal):
    """Nobody else can do anything while a transaction is open: what happens, happens after it."""

    def _once(self, work: Callable[[Connection], T]) -> T:
        result = Database._once(self, work)
        self.fate.meet()
        return result


Scene = tuple[Desk, str]


EACH_SCENE = pytest.mark.parametrize(
    ("scene", "database_url"),
    [
        ("zendesk", "sqlite"),
        ("freshdesk", "sqlite"),
        pytest.param("freshdesk", "postgres", marks=pytest.mark.postgres),
    ],
    indirect=True,
)


@pytest.fixture
def scene(request: pytest.FixtureRequest, open_desk: Opener, database_url: str) -> Iterator[Scene]:
    database = Database(database_url)
    upgrade(database)
    yield open_desk(request.param, database), database_url
    database.dispose()


def at_each_point(
    scene: Scene,
    kind: type[Mortal],
    happens: Callable[[str], None],
    then: Callable[[str, int], None],
) -> int:
    """`happens` at the first interaction of a worker that writes a note, at the second and so on.

    Each time another ticket's note is due. Returns at how many points it happened.
    """
    desk, mortal = scene[0], kind(scene[1])
    for_good = kind is Mortal
    for point, ticket in enumerate(all_due(desk, MORE_THAN_ENOUGH), start=1):
        only(desk, ticket)
        gap = mortal.fate = Gap(point, lambda one=ticket: happens(one), for_good=for_good)  # type: ignore[misc]
        tapped = Tapped(desk.helpdesk.real)
        tapped.before = tapped.after = lambda name, _: mortal.fate.meet()
        lease = desk.database.run(lambda conn: accounts.acquire(conn, "acme", "first"))
        assert lease is not None
        account = replace(desk.account, helpdesk=tapped, conflicts={})
        with suppress(Killed):
            Lane(mortal, account, lease, threading.Event()).drain()
        desk.database.run(accounts.void_leases)
        then(ticket, point)
        if not gap.struck:
            mortal.dispose()
            return point - 1
    pytest.fail("the worker never came to the end")


@EACH_SCENE
def test_wherever_the_worker_dies_the_note_stands_once(scene: Scene) -> None:
    desk, _ = scene

    def die(_: str) -> None:
        raise Killed

    def recover(ticket: str, point: int) -> None:
        state, sent = state_of(desk, ticket), len(noted(desk, ticket))
        only(desk, ticket)
        desk.drain()
        if state == "sending":  # it may still be on its way, so that nothing is repeated yet
            assert len(noted(desk, ticket)) == sent, point
        come_to_rest(desk, ticket)
        assert (len(noted(desk, ticket)), state_of(desk, ticket)) == (1, "written"), point
        assert desk.evidence(ticket).count("noted") == 1, point

    assert at_each_point(scene, Mortal, die, recover) >= 8


@EACH_SCENE
def test_whoever_takes_over_at_any_point_the_note_stands_once(scene: Scene) -> None:
    """The first worker does not die: it goes on, and finds that its lease is lost."""
    desk, _ = scene

    def take_over(ticket: str) -> None:
        desk.database.run(accounts.void_leases)
        only(desk, ticket)
        desk.drain(holder="second")

    def settle(ticket: str, point: int) -> None:
        come_to_rest(desk, ticket)
        assert (len(noted(desk, ticket)), state_of(desk, ticket)) == (1, "written"), point
        assert desk.evidence(ticket).count("noted") == 1, point

    assert at_each_point(scene, Interrupted, take_over, settle) >= 6


# --- once, whatever the helpdesk answers ---------------------------------------------------------

# the fault of the call that writes -> whether the note stands all the same, and whether the answer
# says for certain that it does not
FAULTS = {
    "reset=1,late=1": (True, False),
    "500=1,late=1": (True, False),
    "503=1,late=1": (True, False),
    "garbage=1,late=1": (True, False),
    "truncate=1": (True, False),
    "reset=1,late=0": (False, False),
    "502=1,late=0": (False, False),
    "429=1": (False, True),
    "401=1": (False, True),
}


def test_a_note_without_an_answer_is_looked_for_before_it_is_repeated(desk: Desk) -> None:
    tickets = all_due(desk, len(FAULTS))
    for ticket, (fault, (stands, is_certain)) in zip(tickets, FAULTS.items(), strict=True):
        only(desk, ticket)
        desk.helpdesk.called.clear()
        desk.helpdesk.once("add_note", lambda fault=fault: desk.spec(fault), before=True)  # type: ignore[misc]
        desk.drain()
        desk.spec("")
        assert len(noted(desk, ticket)) == stands, fault
        (row,) = rows(desk, ticket)
        assert row["state"] == ("due" if is_certain else "sending"), fault
        assert (row["attempts"], desk.account_row()["state"]) == (0, "ok"), fault
        assert row["last_error"], fault

        only(desk, ticket)
        desk.drain()
        expected = "written" if stands or is_certain else "sending"
        assert state_of(desk, ticket) == expected, fault
        come_to_rest(desk, ticket)
        assert (len(noted(desk, ticket)), state_of(desk, ticket)) == (1, "written"), fault
        assert desk.helpdesk.called.count("add_note") == (1 if stands else 2), fault


def lost() -> None:
    raise OutcomeUnknown


def test_a_list_that_lags_behind_brings_no_second_note(desk: Desk) -> None:
    (ticket,) = all_due(desk, 1)
    desk.spec("stale=1,stale-seconds=60s")
    desk.helpdesk.once("add_note", lost)
    for age in (0.0, 0.0, 50.0, 50.0):
        only(desk, ticket, age=age)
        desk.drain()
        assert state_of(desk, ticket) == "sending"
    desk.spec("")
    only(desk, ticket)
    desk.drain()
    assert (len(noted(desk, ticket)), state_of(desk, ticket)) == (1, "written")
    assert desk.helpdesk.called.count("add_note") == 1


def test_a_store_that_was_put_back_from_a_backup_brings_no_second_note(desk: Desk) -> None:
    (ticket,) = all_due(desk, 1)
    before = rows(desk, ticket)[0]
    come_to_rest(desk, ticket)
    with desk.database.write() as conn:
        conn.execute(delete(tables.note))
    desk.change(evaluation=None)
    desk.look(ticket)

    (row,) = rows(desk, ticket)
    assert (row["state"], row["attempts"], row["marker"]) == ("written", 0, before["marker"])
    assert len(noted(desk, ticket)) == 1


# --- what is written, and when -------------------------------------------------------------------


def test_a_note_says_what_is_promised_and_why_in_private_and_counts_for_nothing(desk: Desk) -> None:
    desk.account = replace(desk.account, notes=ALL)
    ticket = desk.create(subject=SECRET_WORDS)
    desk.enrich(ticket)
    pass_time(desk, 4.1, ticket)
    (row,) = rows(desk, ticket)
    (said,) = noted(desk, ticket)
    assert (row["metric"], row["cause"], row["state"]) == ("first_response", "breached", "written")
    assert said["public"] is False if desk.kind == "zendesk" else said["private"] is True
    text = said["body"]
    due = desk.metric(ticket, "first_response")["due_at"]
    assert "The first response is breached" in text
    assert "(severity high) is promised within 4 hours" in text
    assert f"due {moment(datetime.fromisoformat(due), ZoneInfo('Europe/London'))}" in text
    assert "Policy user-support; times are in Europe/London." in text
    assert f"[deskclock {row['marker']}]" in text
    assert SECRET_WORDS not in text
    assert "It burns" not in text
    assert desk.evidence(ticket, "noted") == [
        {"metric": "first_response", "cause": "breached", "marker": row["marker"]}
    ]

    desk.helpdesk.called.clear()
    desk.echo(ticket)
    desk.look(ticket)  # the webhook of our note
    assert "history" not in desk.helpdesk.called
    assert desk.metric(ticket, "first_response")["fulfilled_at"] is None
    assert len(rows(desk, ticket)) == 1
    pass_time(desk, 2.5, ticket)
    pass_time(desk, 2.5, ticket)
    desk.look(ticket)
    found = [(one["metric"], one["cause"], one["state"]) for one in rows(desk, ticket)]
    assert found[1:] == [
        ("resolution", "at_risk", "written"), ("resolution", "breached", "written"),
    ]  # fmt: skip
    assert len(noted(desk, ticket)) == 3
    assert desk.right(ticket)


def test_what_nobody_can_change_or_was_so_before_is_not_written_about(freshdesk: Desk) -> None:
    desk = freshdesk
    solved, known, late = (desk.create() for _ in range(3))
    desk.enrich(known)
    pass_time(desk, 4.1, known)  # missed while notes were off
    desk.edit(solved, status="solved")
    desk.account = replace(desk.account, notes=BREACH)
    desk.look(solved, known)
    assert desk.metric(known, "first_response")["state"] == "breached"
    assert desk.rows(tables.note) == []
    pass_time(desk, 8 * 24, late)  # seen for the first time, and missed a week ago
    assert desk.metric(late, "first_response")["state"] == "breached"
    assert desk.rows(tables.note) == []


def test_what_the_watch_has_judged_first_is_news_for_the_look_and_once(zendesk: Desk) -> None:
    desk = zendesk
    ticket = desk.create()
    desk.account = replace(desk.account, notes=BREACH)
    desk.enrich(ticket)
    desk.advance(4.1 * HOUR)
    for _ in range(4):
        desk.helpdesk.real.identify()
    samples = desk.helpdesk.real.clock_samples()
    monotonic = time.monotonic()
    desk.database.run(lambda conn: accounts.read_clock(conn, desk.account, samples, monotonic))
    desk.change(timer_at=0.0, hinted_at=None)
    assert Watch(desk.database, {"acme": desk.account}).step(monotonic) == 1
    assert desk.metric(ticket, "first_response")["state"] == "breached"
    assert (rows(desk, ticket), noted(desk, ticket)) == ([], [])
    for _ in range(2):
        desk.look(ticket)
        assert (len(noted(desk, ticket)), state_of(desk, ticket)) == (1, "written")

    desk.change(tables.note, ticket_id="another")  # as if notes had been off at that look
    desk.change(timer_at=0.0, hinted_at=None)
    desk.advance(600)
    assert Watch(desk.database, {"acme": desk.account}).step(time.monotonic()) == 1
    desk.look(ticket)
    assert rows(desk, ticket) == []


def test_a_cause_that_is_over_before_the_first_try_takes_its_note_back(freshdesk: Desk) -> None:
    desk = freshdesk
    missed, answered = all_due(desk, 2)
    desk.account = replace(desk.account, notes=ALL)
    desk.reply(answered)
    with unwritten(desk):
        desk.look(answered, missed)
    assert [row["ticket_id"] for row in desk.rows(tables.note)] == [missed]

    only(desk, missed)
    desk.account = replace(desk.account, notes=frozenset())
    desk.drain()
    assert state_of(desk, missed) == "withheld"
    assert noted(desk, missed) == []


def test_in_shadow_a_note_is_on_record_and_stays_there(open_desk: Opener, sqlite: Database) -> None:
    desk = open_desk("zendesk", sqlite, mode="shadow")
    desk.account = replace(desk.account, notes=BREACH)
    ticket = desk.create()
    desk.enrich(ticket)
    pass_time(desk, 4.1, ticket)
    desk.account = replace(desk.account, mode="own_fields")
    desk.look(ticket)
    (row,) = rows(desk, ticket)
    assert (row["state"], row["last_error"]) == ("withheld", "the account is in shadow mode")
    assert noted(desk, ticket) == []


def test_a_ticket_that_takes_no_note_is_given_up_and_a_parked_one_waits(desk: Desk) -> None:
    closed, deleted, parked, broken = tickets = all_due(desk, 4)
    # Freshdesk has no status that takes no notes
    desk.edit(closed, status="closed") if desk.kind == "zendesk" else desk.delete(closed)
    desk.delete(deleted)
    with desk.database.write() as conn:
        mine = tables.ticket.c.ticket_id == parked
        conn.execute(update(tables.ticket).where(mine).values(parked="tried often enough"))
        mine = tables.note.c.ticket_id == broken
        conn.execute(update(tables.note).where(mine).values(attempts=5, last_error="it broke"))
    for ticket in tickets:
        only(desk, ticket)
        desk.drain()
    assert [state_of(desk, one) for one in tickets] == ["given_up", "given_up", "due", "given_up"]
    reasons = [desk.evidence(one, "note_given_up")[0]["why"] for one in (closed, deleted, broken)]
    assert all(reasons), reasons
    assert reasons[2] == "it broke"
    with desk.database.read() as conn:
        assert schedule.accounts_to_drain(conn, ["acme"]) == []
    desk.change(parked=None)
    only(desk, parked)
    with desk.database.read() as conn:
        assert schedule.accounts_to_drain(conn, ["acme"]) == ["acme"]
    desk.drain()
    assert (len(noted(desk, parked)), state_of(desk, parked)) == (1, "written")


def test_open_notes_are_found_by_their_index(database: Database) -> None:
    with database.write() as conn:
        if conn.dialect.name == "postgresql":
            conn.execute(text("SET LOCAL enable_seqscan = off"))
        explain = "EXPLAIN QUERY PLAN" if conn.dialect.name == "sqlite" else "EXPLAIN"
        columns = tables.note.c
        query = select(columns.id).where(columns.account == "acme", schedule.note_is_due(1.0))
        shown = query.compile(conn, compile_kwargs={"render_postcompile": True})
        values = {name: value for name, value in shown.params.items() if value is not None}
        plan = conn.exec_driver_sql(
            f"{explain} {shown}", tuple(values.values()) if shown.positional else values
        )
        assert "ix_note_due" in str(plan.all())
