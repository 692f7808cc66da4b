"""Timers are judged at their instant, also while the helpdesk cannot be asked."""

from connector.engine.watch import Watch
from connector.store import tables
from tests.engine.conftest import Desk

NINE_HOURS = 9 * 3600.0


def _pass(desk: Desk, seconds: float) -> None:
    """Time goes by, and the helpdesk does not say so, since nobody asks it."""
    desk.change(tables.account, clock_offset=seconds)
    for row in desk.rows():
        timer_at = row["timer_at"] and row["timer_at"] - seconds
        desk.change(timer_at=timer_at, evaluated_at=row["evaluated_at"] + seconds)


def _watched(desk: Desk, watch: Watch, monotonic: float = 0.0) -> int:
    desk.forget_requests()
    found = watch.step(monotonic)
    assert desk.requests() == {}, "a watch asks nobody"
    return found


def test_a_target_is_missed_at_its_instant_though_the_helpdesk_is_away(desk_anywhere: Desk) -> None:
    desk = desk_anywhere
    ticket, watch = desk.create(priority="urgent"), Watch(desk.database, {"acme": desk.account})
    desk.enrich(ticket)
    assert (desk.row(ticket)["state"], _watched(desk, watch)) == ("running", 0)
    _pass(desk, NINE_HOURS)
    assert (_watched(desk, watch), _watched(desk, watch)) == (1, 0)
    row = desk.row(ticket)
    assert row["state"] == "breached"
    assert [one["state"] for one in desk.evidence(ticket, "evaluated")] == ["running", "breached"]
    assert "breached" not in str(desk.stands(ticket).tags), "nothing leaves the house"


def test_of_a_ticket_that_a_webhook_has_told_of_nothing_is_said_unread(desk: Desk) -> None:
    ticket, watch = desk.create(priority="urgent"), Watch(desk.database, {"acme": desk.account})
    desk.enrich(ticket)
    _pass(desk, NINE_HOURS)
    desk.reply(ticket)
    desk.change(evaluated_at=1.0)
    desk.hint(ticket)
    assert (_watched(desk, watch), desk.row(ticket)["state"]) == (0, "running")


def test_after_a_step_of_the_databases_clock_the_helpdesks_is_asked_first(desk: Desk) -> None:
    ticket, watch = desk.create(priority="urgent"), Watch(desk.database, {"acme": desk.account})
    desk.enrich(ticket)
    _watched(desk, watch, monotonic=0.0)
    _pass(desk, NINE_HOURS)
    assert _watched(desk, watch, monotonic=-60.0) == 0, "a minute went by in no time"
    desk.look(ticket)  # reads the helpdesk's clock
    desk.change(tables.account, clock_checked_at=9e12)
    _pass(desk, NINE_HOURS)
    assert _watched(desk, watch, monotonic=-60.0) == 1


def test_a_ticket_that_cannot_be_judged_is_left_to_the_lane(desk: Desk) -> None:
    ticket, watch = desk.create(priority="urgent"), Watch(desk.database, {"acme": desk.account})
    desk.enrich(ticket)
    _pass(desk, NINE_HOURS)
    desk.change(tables.history, ticket={"id": 7})
    assert (_watched(desk, watch), _watched(desk, watch)) == (1, 0)
    assert (desk.row(ticket)["state"], desk.row(ticket)["timer_at"]) == ("running", None)
