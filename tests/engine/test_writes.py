"""Writing: conflicts, lost answers, lost jobs, lagging reads, and things that write against us."""

from typing import Any

import pytest

from connector.engine import evidence
from connector.engine.batch import SINGLE_AFTER
from connector.engine.failures import PATIENCE_SECONDS
from connector.errors import OutcomeUnknown, TicketReadOnly, WriteConflict, WriteRefused
from connector.helpdesks.base import Job, Row
from connector.store import tables
from connector.store.database import now
from sandbox.state import Row as Stored
from tests.engine.conftest import Desk, Opener


def write_of(desk: Desk) -> str:
    return "write" if desk.kind == "freshdesk" else "write_many"


def answer_jobs(desk: Desk, rows: list[Row] | None, *, done: bool = True) -> None:
    """Let the helpdesk say this of every job; None: it does not know it."""
    real = desk.helpdesk.real

    class Answering:
        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        def jobs(self, ids: list[str]) -> list[Job]:
            return [] if rows is None else [Job(id=one, done=done, rows=tuple(rows)) for one in ids]

    desk.helpdesk.real = Answering()


# --- conflicts -----------------------------------------------------------------------------------


def test_a_ticket_that_changed_between_read_and_job_is_looked_at_again_and_right_then(
    zendesk: Desk,
) -> None:
    ticket, other = zendesk.create(priority="low"), zendesk.create()

    def change() -> None:
        zendesk.advance(2)
        zendesk.edit(ticket, priority="high", tags=["vip"])

    zendesk.helpdesk.once("read_many", change)
    zendesk.enrich(ticket, other)
    assert "conflict" in zendesk.evidence(ticket)
    assert "conflict" not in zendesk.evidence(other)
    assert {"sla_sev_high", "vip"} <= zendesk.stands(ticket).tags
    assert zendesk.right(ticket)
    assert (zendesk.row(ticket)["attempts"], zendesk.account.conflicts) == (0, {})


def conflict_always(zendesk: Desk, ticket: str) -> None:
    def change(name: str, _: tuple[Any, ...]) -> None:
        if name == "read_many":
            zendesk.advance(2)
            zendesk.edit(ticket, subject=f"Edit {len(zendesk.helpdesk.called)}")

    zendesk.helpdesk.after = change


def test_conflicts_in_a_row_wait_and_then_the_ticket_is_written_singly(zendesk: Desk) -> None:
    ticket = zendesk.create(tags=["vip"])
    conflict_always(zendesk, ticket)
    zendesk.hint(ticket)
    for conflicts in (2, 3, 4):
        with zendesk.database.read() as conn:
            at = now(conn)
        zendesk.drain()
        assert zendesk.account.conflicts == {ticket: conflicts}
        assert zendesk.row(ticket)["not_before"] >= at + PATIENCE_SECONDS
        assert zendesk.row(ticket)["attempts"] == 0
        zendesk.change(not_before=0.0)
    zendesk.drain()
    assert zendesk.helpdesk.called.count("write") == 1
    assert zendesk.helpdesk.called.count("write_many") == SINGLE_AFTER
    assert {"vip", "sla_sev_high"} <= zendesk.stands(ticket).tags
    assert [one["in_a_row"] for one in zendesk.evidence(ticket, "conflict")] == [1, 2, 3, 4]
    assert zendesk.row(ticket)["parked"] is None
    assert zendesk.right(ticket)


def test_conflicts_that_are_not_in_a_row_start_from_one(zendesk: Desk) -> None:
    ticket = zendesk.create()
    for priority in ("low", "high"):
        zendesk.edit(ticket, priority=priority)
        zendesk.account.conflicts[ticket] = 1
        zendesk.enrich(ticket)
        zendesk.enrich(ticket)
        assert zendesk.account.conflicts == {}


# --- outcomes that are not known -----------------------------------------------------------------


@pytest.mark.parametrize("happened", [True, False], ids=["it-happened", "it-did-not"])
def test_a_write_with_an_unknown_outcome_is_settled_by_looking(
    desk_anywhere: Desk, happened: bool
) -> None:
    desk = desk_anywhere
    ticket = desk.create()

    def lost() -> None:
        desk.wait_for_jobs()
        raise OutcomeUnknown("no answer")

    desk.helpdesk.once(write_of(desk), lost, before=not happened)
    desk.enrich(ticket)
    desk.forget_requests()
    assert desk.row(ticket)["attempts"] == 0
    assert (desk.row(ticket)["open_intent"] is None) == (desk.kind == "freshdesk")
    desk.hurry()
    desk.drain_until_quiet()
    assert desk.right(ticket)
    assert desk.rows(tables.intent) == desk.rows(tables.intent_ticket) == []
    assert (desk.sent() == 0) == happened
    assert desk.row(ticket)["parked"] is None


def test_a_ticket_whose_write_has_no_outcome_yet_is_not_claimed(zendesk: Desk) -> None:
    ticket = zendesk.create()

    def lost() -> None:
        raise OutcomeUnknown("no answer")

    zendesk.helpdesk.once("write_many", lost)
    zendesk.enrich(ticket)
    zendesk.hint(ticket)
    lane = zendesk.lane()
    assert lane is not None
    zendesk.helpdesk.called.clear()
    assert (lane.step(), zendesk.helpdesk.called) == (True, [])


@pytest.mark.parametrize(
    ("rows", "done"),
    [pytest.param(None, True, id="forgotten"), pytest.param([], False, id="never-ends")],
)
def test_a_lost_job_is_settled_by_looking_and_is_no_crash_of_ours(
    zendesk: Desk, rows: list[Row] | None, done: bool
) -> None:
    healthy, ticket = zendesk.helpdesk.real, zendesk.create()
    answer_jobs(zendesk, rows, done=done)
    zendesk.hint(ticket)
    for _ in range(5):  # more often than the crashes that would park it
        zendesk.edit(ticket, tags=[])
        zendesk.advance(2)
        lane = zendesk.lane()
        assert lane is not None
        assert lane.step()
        assert zendesk.row(ticket)["open_intent"]
        zendesk.wait_for_jobs()
        zendesk.change(tables.account, lease_until=0, lease_holder=None)
        zendesk.hurry()
        zendesk.now_due(ticket)
    zendesk.helpdesk.real = healthy
    zendesk.drain_until_quiet()
    assert zendesk.row(ticket)["parked"] is None
    assert zendesk.right(ticket)


def test_a_job_that_says_nothing_of_a_ticket_has_it_looked_at_again(zendesk: Desk) -> None:
    healthy, ticket = zendesk.helpdesk.real, zendesk.create()
    answer_jobs(zendesk, [])
    zendesk.enrich(ticket)
    row = zendesk.row(ticket)
    assert (row["attempts"], row["open_intent"]) == (1, None)
    assert "without a word" in row["last_error"]
    zendesk.helpdesk.real = healthy
    zendesk.change(not_before=0.0)
    zendesk.drain()
    assert (zendesk.row(ticket)["last_error"], zendesk.row(ticket)["attempts"]) == (None, 0)
    assert zendesk.right(ticket)


@pytest.mark.parametrize(
    ("error", "parked", "look_at_is_none"),
    [
        pytest.param(WriteRefused("bad value"), None, False, id="refused"),
        pytest.param(TicketReadOnly("closed"), None, True, id="read-only"),
        pytest.param(WriteConflict("late"), None, False, id="conflict"),
    ],
)
def test_a_failed_row_of_a_job_concerns_its_ticket_alone(
    zendesk: Desk, error: Exception, parked: str | None, look_at_is_none: bool
) -> None:
    bad, good = zendesk.create(), zendesk.create()
    answer_jobs(zendesk, [Row(ticket_id=bad, error=error), Row(ticket_id=good)])
    zendesk.hint(bad, good)
    lane = zendesk.lane()
    assert lane is not None
    lane.step()
    zendesk.wait_for_jobs()
    lane.jobs.next_look = 0.0
    lane.jobs.settle()
    assert zendesk.row(good)["attempts"] == 0
    row = zendesk.row(bad)
    assert (row["parked"], row["look_at"] is None) == (parked, look_at_is_none)
    assert row["open_intent"] is None


def test_a_hint_that_comes_while_a_job_finds_its_ticket_closed_is_not_lost(zendesk: Desk) -> None:
    ticket = zendesk.create()
    answer_jobs(zendesk, [Row(ticket_id=ticket, error=TicketReadOnly("closed"))])
    zendesk.hint(ticket)
    lane = zendesk.lane()
    assert lane is not None
    lane.step()
    zendesk.hint(ticket)
    lane.jobs.next_look = 0.0
    lane.jobs.settle()
    assert zendesk.row(ticket)["look_at"] is not None


# --- lagging reads -------------------------------------------------------------------------------


def test_a_read_older_than_what_we_know_is_not_evaluated(desk_anywhere: Desk) -> None:
    desk = desk_anywhere
    ticket = desk.create()
    desk.enrich(ticket)
    before = desk.row(ticket)
    desk.edit(ticket, priority="low")
    desk.change(seen_updated_at=9e9)
    desk.forget_requests()
    for attempts in (1, 2, 3):
        desk.look(ticket)
        row = desk.row(ticket)
        assert (row["attempts"], row["evaluated_at"]) == (attempts, before["evaluated_at"])
        assert "older state" in row["last_error"]
        assert desk.sent() == 0
    desk.look(ticket)
    assert (desk.row(ticket)["severity"], desk.row(ticket)["attempts"]) == ("low", 0)
    assert desk.right(ticket)


# --- others who write ----------------------------------------------------------------------------


def undo(desk: Desk, ticket: str) -> None:
    """What a rule of the customer does each time that we have written."""
    desk.edit(ticket, tags=["theirs"])


def test_after_three_writes_that_were_undone_each_time_we_concede(desk_anywhere: Desk) -> None:
    desk, written = desk_anywhere, []
    ticket = desk.create()
    for _ in range(6):
        before = len(desk.helpdesk.plans)
        desk.look(ticket)
        written.append(len(desk.helpdesk.plans) - before)
        desk.advance(2)
        undo(desk, ticket)
    assert written == [1, 1, 1, 0, 0, 0]
    given_up = [one["field"] for one in desk.evidence(ticket, evidence.CONCEDED)]
    assert given_up
    assert sorted(given_up) == sorted(desk.row(ticket)["conceded"])
    assert desk.row(ticket)["attempts"] == 0


def test_what_was_conceded_stays_so_after_the_hour(zendesk: Desk) -> None:
    ticket = zendesk.create()
    for _ in range(4):
        zendesk.look(ticket)
        zendesk.advance(2)
        undo(zendesk, ticket)
    zendesk.change(tables.evidence, at=1.0)
    zendesk.helpdesk.plans.clear()
    zendesk.look(ticket)
    assert zendesk.helpdesk.plans == []


def test_other_values_are_written_after_a_concession_and_may_change_back(desk: Desk) -> None:
    ticket = desk.create(priority="high")
    for _ in range(4):
        desk.look(ticket)
        desk.advance(2)
        undo(desk, ticket)
    for priority in ("low", "high"):
        desk.edit(ticket, priority=priority)
        desk.look(ticket)
        assert f"sla_sev_{priority}" in desk.stands(ticket).tags


def test_three_writes_in_more_than_an_hour_are_no_fight(desk: Desk) -> None:
    ticket = desk.create()
    for _ in range(6):
        desk.look(ticket)
        desk.change(tables.evidence, at=1.0)
        desk.advance(2)
        undo(desk, ticket)
    assert len(desk.helpdesk.plans) == 6


# --- the record ----------------------------------------------------------------------------------


def test_the_evidence_tells_what_was_decided_and_what_was_written(desk_anywhere: Desk) -> None:
    desk = desk_anywhere
    ticket = desk.create(tags=["sla_sev_low"])
    for _ in range(3):
        desk.look(ticket)
    assert desk.evidence(ticket) == ["evaluated", "written"]
    (answer,), (written,) = desk.evidence(ticket, "evaluated"), desk.evidence(ticket, "written")
    assert (answer["severity"]["id"], answer["state"]) == ("high", "running")
    assert (written["add_tags"], written["remove_tags"]) == (["sla_sev_high"], ["sla_sev_low"])
    assert written["fields"]["severity"] == "High"
    assert written["fingerprint"] == desk.row(ticket)["written_fingerprint"]


def test_a_new_answer_is_a_new_line(desk: Desk) -> None:
    ticket = desk.create()
    desk.look(ticket)
    desk.edit(ticket, priority="low")
    desk.look(ticket)
    assert desk.evidence(ticket) == ["evaluated", "written"] * 2


# --- Freshdesk's own due dates -------------------------------------------------------------------


@pytest.fixture
def native(open_desk: Opener, freshdesk: Desk) -> Desk:
    return open_desk("freshdesk", freshdesk.database, mode="native")


def dates(desk: Desk, ticket: str) -> tuple[str, str]:
    raw = desk.api("GET", f"/tickets/{ticket}")
    return raw["fr_due_by"], raw["due_by"]


def test_native_mode_writes_freshdesks_own_due_dates(native: Desk) -> None:
    ticket = native.create()
    native.enrich(ticket)
    expected = (
        native.metric(ticket, "first_response")["due_at"],
        native.metric(ticket, "resolution")["due_at"],
    )
    assert dates(native, ticket) == expected
    assert native.stands(ticket).fields["severity"] == "High"
    native.forget_requests()
    native.enrich(ticket)
    assert native.sent() == 0


def test_native_mode_sends_the_standing_date_for_a_metric_that_is_met(native: Desk) -> None:
    ticket = native.create()
    native.enrich(ticket)
    first_response, before = dates(native, ticket)
    native.reply(ticket)
    native.edit(ticket, priority="urgent")
    native.enrich(ticket)
    assert native.metric(ticket, "first_response")["state"] == "met"
    found = dates(native, ticket)
    assert found[0] == first_response
    assert found[1] < before
    assert native.right(ticket)


def test_native_mode_keeps_the_resolution_after_the_first_response(native: Desk) -> None:
    """A standing first response far ahead, and a resolution that is due before it."""
    ticket = native.create(priority="low")
    native.enrich(ticket)
    first_response, _ = dates(native, ticket)
    native.reply(ticket)
    native.edit(ticket, priority="urgent")
    native.enrich(ticket)
    assert native.metric(ticket, "resolution")["due_at"] < first_response
    found = dates(native, ticket)
    assert found[0] == first_response
    assert found[1] > first_response
    (*_, written) = native.evidence(ticket, "written")
    assert "one minute after the first response" in written["remarks"][0]
    native.forget_requests()
    native.look(ticket)
    assert native.sent() == 0
    explanation = native.row(ticket)["evaluation"]["explanation"]
    assert [one["text"] for one in explanation if one["code"] == "as_written"] == written["remarks"]


def test_native_mode_fills_dates_that_are_missing(native: Desk) -> None:
    ticket = native.create()
    state = native.app.extensions["sandbox"].state
    bare = state.get("ticket", int(ticket)) | {"due_by": None, "fr_due_by": None, "_native": None}
    state.put(Stored(kind="ticket", id=int(ticket), doc=bare, created=1, moved=1))
    native.enrich(ticket)
    assert None not in dates(native, ticket)
    assert native.right(ticket)
