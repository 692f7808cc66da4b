"""Sync: what no webhook told, and backfills."""

import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.engine import accounts, sync
from connector.engine.sync import CHANGES, FULL, Progress
from connector.errors import HelpdeskUnreachable, RateLimited, RoleMissing
from connector.store import tables
from connector.store.database import now
from tests.engine.conftest import Desk


@pytest.fixture
def followed(desk_anywhere: Desk) -> Desk:
    """A helpdesk whose changes are followed from now on."""
    return follow(desk_anywhere)


def follow(desk: Desk) -> Desk:
    with desk.database.write() as conn:
        sync.begin(conn, "acme")
    desk.drain_until_quiet()
    return desk


def look_for_changes(desk: Desk) -> Progress:
    """The next turn of the feed is due, and the helpdesk has withheld nothing of it."""
    desk.advance(120)
    desk.helpdesk.real.identify()  # the offset of its clock is measured with the next calls
    with desk.database.write() as conn:
        sync.request(conn, "acme", CHANGES)
    desk.drain_until_quiet()
    return progress(desk, CHANGES)


def backfill(desk: Desk, **asked: Any) -> Progress:
    with desk.database.write() as conn:
        sync.request(conn, "acme", FULL, **asked)
    desk.drain_until_quiet()
    return progress(desk, FULL)


def progress(desk: Desk, feed: str) -> Progress:
    with desk.database.read() as conn:
        found = sync.progress(conn, "acme", feed)
    assert found is not None
    return found


def all_right(desk: Desk, tickets: Iterable[str]) -> bool:
    return all(desk.right(one) for one in tickets)


# --- what no webhook told ------------------------------------------------------------------------


def test_a_change_that_no_webhook_told_is_found_and_counted(followed: Desk) -> None:
    tickets = [followed.create(), followed.create()]
    found = look_for_changes(followed)
    assert all_right(followed, tickets)
    assert (found.missed, found.ended) == (2, True)
    followed.edit(tickets[0], priority="low")
    assert look_for_changes(followed).missed == 3
    assert followed.right(tickets[0])
    assert followed.evidence(tickets[0], "missed") == [{"feed": CHANGES}] * 2


def test_what_a_webhook_told_is_not_missed_and_our_own_write_is_not_either(followed: Desk) -> None:
    ticket = followed.create()
    followed.enrich(ticket)
    followed.drain_until_quiet()
    followed.forget_requests()
    found = look_for_changes(followed)
    assert (found.missed, found.written) == (0, 0)
    assert followed.sent() == 0
    assert found.tickets >= 1


def test_a_ticket_that_is_deleted_without_a_word_is_over(followed: Desk) -> None:
    ticket = followed.create()
    followed.enrich(ticket)
    followed.drain_until_quiet()
    followed.advance(5)
    followed.delete(ticket)
    for _ in range(12):  # Freshdesk shows deleted tickets in a list of their own, now and then
        look_for_changes(followed)
    assert followed.row(ticket)["is_over"]


def test_silence_of_the_webhooks_raises_an_alarm_that_the_next_delivery_ends(
    followed: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync, "SILENT_SECONDS", 0.0)
    for _ in range(sync.SILENT_AFTER):
        followed.create()
    look_for_changes(followed)
    assert figures(followed)["silent_since"] is not None
    ticket = followed.create()
    followed.enrich(ticket)
    look_for_changes(followed)
    assert figures(followed)["silent_since"] is None


def figures(desk: Desk, feed: str = CHANGES) -> dict[str, Any]:
    return next(dict(one["body"]) for one in desk.rows(tables.sync) if one["feed"] == feed)


# --- backfills -----------------------------------------------------------------------------------


def test_a_backfill_enriches_what_is_open_reads_nothing_twice_and_leaves_the_solved(
    desk_anywhere: Desk,
) -> None:
    desk = desk_anywhere
    fresh = [desk.create(priority=one) for one in ("low", "high", "urgent")]
    solved = desk.create()
    desk.edit(solved, status="solved" if desk.kind == "zendesk" else "resolved")
    desk.advance(120)
    desk.forget_requests()
    found = backfill(desk)
    called = desk.helpdesk.called
    assert all_right(desk, fresh)
    assert not desk.stands(solved).tags
    assert desk.row(solved)["is_over"]
    assert (found.ended, found.tickets, found.written, found.missed) == (True, 4, 3, 0)
    assert not {"read", "read_many"} & set(called)


def test_a_backfill_goes_on_where_it_was_stopped(zendesk: Desk) -> None:
    tickets = [zendesk.create() for _ in range(3)]
    zendesk.advance(120)
    with zendesk.database.write() as conn:
        sync.request(conn, "acme", FULL)
        sync.pause(conn, "acme", FULL, paused=True)
    assert not lane_finds_work(zendesk)
    with zendesk.database.write() as conn:
        sync.request(conn, "acme", FULL)
    zendesk.drain_until_quiet()
    assert all_right(zendesk, tickets)
    assert progress(zendesk, FULL).tickets == 3
    zendesk.advance(120)
    zendesk.forget_requests()
    assert backfill(zendesk).tickets == 3  # it was over, so it begins anew; nothing is written
    assert zendesk.sent() == 0


def lane_finds_work(desk: Desk) -> bool:
    lane = desk.lane()
    assert lane is not None
    found = lane.step()
    lane.drain()
    return found


def test_a_crash_before_the_cursor_is_stored_costs_one_page_and_nothing_else(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets = [desk.create() for _ in range(3)]
    desk.advance(120)

    class Killed(BaseException):
        pass

    def killed(self: Any, opened: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(sync.Sync, "done", killed)
        with pytest.raises(Killed):
            backfill(desk)
    desk.account.pages.clear()  # the process is gone
    desk.change(tables.account, lease_holder=None, lease_until=0)
    desk.drain_until_quiet()
    written = len(desk.helpdesk.plans)
    assert all_right(desk, tickets)
    assert backfill(desk).ended
    assert len(desk.helpdesk.plans) == written


def test_a_feed_that_is_asked_to_wait_stops_no_webhook(desk: Desk) -> None:
    follow(desk)
    ticket = desk.create()

    def refuse() -> Exception:
        return RateLimited("the export is used up", retry_after=1000)

    desk.helpdesk.always("changes", refuse)
    with desk.database.write() as conn:
        sync.request(conn, "acme", CHANGES)
    desk.enrich(ticket)
    desk.drain_until_quiet()
    assert desk.right(ticket)
    assert desk.account_row()["state"] == "ok"
    assert progress(desk, CHANGES).last_error == "the export is used up"


def test_a_ticket_that_cannot_be_understood_costs_no_other_of_its_page(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets = [desk.create() for _ in range(3)]
    desk.advance(120)
    real = desk.helpdesk.real.plan

    def plan(reading: Any, wanted: Any) -> Any:
        if reading.ticket.id == tickets[1]:
            raise ValueError("no plan for this one")
        return real(reading, wanted)

    monkeypatch.setattr(desk.helpdesk.real, "plan", plan)
    with desk.database.write() as conn:
        sync.request(conn, "acme", FULL)
    desk.drain()
    desk.wait_for_jobs()
    desk.drain()
    assert "ValueError" in desk.row(tickets[1])["last_error"]
    monkeypatch.undo()
    assert all_right(desk, (tickets[0], tickets[2]))


def test_the_past_of_a_backfill_comes_from_the_event_export(zendesk: Desk) -> None:
    tickets = [zendesk.create(priority="low") for _ in range(3)]
    for ticket in tickets:
        zendesk.advance(60)
        zendesk.reply(ticket)
        zendesk.advance(60)
        zendesk.edit(ticket, status="pending")
        zendesk.advance(60)
        zendesk.edit(ticket, priority="urgent")
    zendesk.advance(120)
    zendesk.forget_requests()
    assert backfill(zendesk).written == 3
    asked = zendesk.requests()
    assert not [name for name in asked if "audits" in name]
    assert all_right(zendesk, tickets)
    fields = {row[1] for row in zendesk.rows(tables.history)[0]["body"]["changes"]}
    assert {"priority", "status"} <= fields
    assert zendesk.rows(tables.past_event) == []


def test_a_ticket_that_changed_after_its_events_were_read_has_its_audits_read(
    zendesk: Desk,
) -> None:
    ticket = zendesk.create(priority="low")
    zendesk.advance(60)
    zendesk.reply(ticket)
    zendesk.advance(120)

    def change_now() -> None:
        zendesk.reply(ticket)
        zendesk.advance(60)
        zendesk.edit(ticket, priority="urgent")
        zendesk.advance(120)

    zendesk.helpdesk.once("events", change_now)
    backfill(zendesk)
    assert zendesk.right(ticket)
    assert len(zendesk.rows(tables.history)[0]["body"]["replies"]) == 2


def test_a_helpdesk_that_fails_only_at_the_feed_is_no_failure_of_the_account(desk: Desk) -> None:
    follow(desk)
    ticket = desk.create()
    desk.helpdesk.always("changes", lambda: HelpdeskUnreachable("the list is in the wrong order"))
    with desk.database.write() as conn:
        sync.request(conn, "acme", CHANGES)
    desk.enrich(ticket)
    desk.drain_until_quiet()
    assert desk.right(ticket)
    assert desk.account_row()["failures"] == 0
    assert "wrong order" in str(progress(desk, CHANGES).last_error)
    desk.helpdesk.heal()
    assert look_for_changes(desk).last_error is None


def test_a_feed_that_our_user_may_not_read_leaves_the_webhooks(desk: Desk) -> None:
    follow(desk)
    ticket = desk.create()
    desk.helpdesk.always("changes", lambda: RoleMissing("exports are for admins"))
    with desk.database.write() as conn:
        sync.request(conn, "acme", CHANGES)
    desk.enrich(ticket)
    desk.drain_until_quiet()
    assert (desk.right(ticket), desk.account_row()["state"]) == (True, "ok")


# --- corners -------------------------------------------------------------------------------------


def test_a_second_change_within_the_second_that_was_judged_is_found(desk: Desk) -> None:
    follow(desk)
    desk.control("POST", "clock", {"freeze": True})
    ticket = desk.create(priority="low")
    desk.account = replace(desk.account, mode="shadow")  # else our own write would move the second
    desk.enrich(ticket)
    desk.edit(ticket, priority="urgent")  # and its webhook is lost
    assert desk.row(ticket)["seen_updated_at"] == desk.stands(ticket).updated_at.timestamp()
    look_for_changes(desk)
    assert desk.row(ticket)["severity"] == "critical"


def test_a_beginning_that_is_yet_to_come_counts_as_now(desk: Desk) -> None:
    follow(desk)
    with desk.database.write() as conn:
        sync.request(conn, "acme", CHANGES, since=datetime(2099, 1, 1, tzinfo=UTC))
    desk.drain_until_quiet()
    ticket = desk.create()
    look_for_changes(desk)
    assert desk.right(ticket)


@pytest.mark.parametrize("call", ["history", "write"])
def test_solved_tickets_are_left_though_the_backfill_was_interrupted(desk: Desk, call: str) -> None:
    solved = [desk.create() for _ in range(2)]
    for one in solved:
        desk.edit(one, status="solved" if desk.kind == "zendesk" else "resolved")
    opened = [desk.create(priority=priority) for priority in ("low", "high")]
    desk.advance(5)
    for one in opened:
        desk.edit(one, priority="urgent")
    desk.advance(120)
    failing = {"history": "history", "write": write_of(desk)}[call]

    def fail() -> None:
        raise HelpdeskUnreachable("down")

    desk.helpdesk.once(failing, fail, before=True)
    with desk.database.write() as conn:
        sync.request(conn, "acme", FULL)
    desk.drain()
    desk.account.pages.clear()
    desk.helpdesk.heal()
    desk.drain_until_quiet()
    assert all_right(desk, opened)
    assert not any("written" in desk.evidence(one) for one in solved)
    assert all(desk.row(one)["is_over"] for one in solved)


def write_of(desk: Desk) -> str:
    return "write" if desk.kind == "freshdesk" else "write_many"


def test_a_change_that_nobody_told_is_dated_by_the_audits_or_marked_as_inferred(desk: Desk) -> None:
    follow(desk)
    ticket = desk.create(priority="low")
    desk.enrich(ticket)
    desk.drain_until_quiet()
    desk.advance(600)
    desk.edit(ticket, priority="urgent")
    changed_at = desk.stands(ticket).updated_at.timestamp()
    desk.advance(7200)
    desk.control("POST", f"tickets/{ticket}/note", {"body": "Two hours later."})
    look_for_changes(desk)
    changes = desk.rows(tables.history)[0]["body"]["changes"]
    at, inferred = next((one[0], one[4]) for one in changes if one[1] == "priority")
    assert inferred if desk.kind == "freshdesk" else (at, inferred) == (changed_at, False)


def test_a_page_from_before_an_outage_is_read_again_after_it(desk: Desk) -> None:
    tickets = [desk.create(priority="low") for _ in range(20)]
    desk.advance(120)
    desk.helpdesk.always(write_of(desk), lambda: HelpdeskUnreachable("down"))
    with desk.database.write() as conn:
        sync.request(conn, "acme", FULL)
    desk.drain()
    desk.helpdesk.heal()
    for ticket in tickets:  # agents answer in good time, and the outage lasts
        desk.reply(ticket)
    desk.advance(40 * 86_400)
    for _ in range(4):
        desk.helpdesk.real.identify()
    desk.hurry()
    desk.drain_until_quiet()
    answers = [body for one in tickets for body in desk.evidence(one, "evaluated")]
    assert not [one for one in answers if "sla_first_response_breached" in one["tags"]]


def test_old_solved_tickets_are_left_by_the_feed_of_changes_too(desk: Desk) -> None:
    solved = desk.create()
    desk.edit(solved, status="solved" if desk.kind == "zendesk" else "resolved")
    desk.advance(86_400)
    for _ in range(4):
        desk.helpdesk.real.identify()
    with desk.database.write() as conn:
        accounts.read_clock(
            conn, desk.account, desk.helpdesk.real.clock_samples(), time.monotonic()
        )
    follow(desk)
    desk.control("POST", f"tickets/{solved}/note", {"body": "Somebody adds a note."})
    found = look_for_changes(desk)
    assert (desk.row(solved)["was_over"], found.written) == (True, 0)
    with desk.database.write() as conn:
        sync.request(conn, "acme", CHANGES, since=datetime(2001, 1, 1, tzinfo=UTC))
    desk.drain_until_quiet()
    assert "written" not in desk.evidence(solved)
    assert (progress(desk, CHANGES).missed, figures(desk)["silent_since"]) == (0, None)
    desk.enrich(solved)  # somebody works with it again
    desk.drain_until_quiet()
    assert desk.right(solved)


def test_bulk_writes_that_webhooks_asked_for_are_no_backlog_of_a_feed(zendesk: Desk) -> None:
    follow(zendesk)
    assert look_for_changes(zendesk).ended
    with zendesk.database.write() as conn:
        values = {"account": "acme", "created_at": now(conn), "settle_at": now(conn) + 300}
        conn.execute(tables.intent.insert().values(fence=1, job_id="x", **values))
    assert progress(zendesk, CHANGES).ended
