"""A hint ends with the right values in the ticket, and with nothing more being sent."""

from typing import Any

import pytest

from connector.errors import HelpdeskUnreachable, RateLimited
from sandbox.state import Row
from tests.engine.conftest import Desk, Opener

NINE_HOURS = 9 * 3600


def test_a_hint_brings_fields_and_tags_into_the_ticket(desk_anywhere: Desk) -> None:
    desk = desk_anywhere
    ticket = desk.create()
    desk.enrich(ticket)
    seen = desk.stands(ticket)
    assert "sla_sev_high" in seen.tags
    assert seen.fields["severity"] == "High"
    assert seen.fields["first_response_due_at"] == desk.metric(ticket, "first_response")["due_at"]
    assert desk.right(ticket)
    row = desk.row(ticket)
    assert (row["attempts"], row["rank"], row["open_intent"], row["parked"]) == (0, 0, None, None)


def test_many_tickets_at_once_are_all_enriched(desk_anywhere: Desk) -> None:
    tickets = [desk_anywhere.create() for _ in range(20)]
    desk_anywhere.enrich(*tickets)
    assert [one for one in tickets if not desk_anywhere.right(one)] == []


def test_the_next_look_is_when_the_answer_changes_by_itself(desk: Desk) -> None:
    ticket = desk.create()
    desk.enrich(ticket)
    row = desk.row(ticket)
    at_risk = desk.metric(ticket, "first_response")["at_risk_at"]
    assert row["evaluation"]["next_change_at"] == at_risk
    assert 0 < row["look_at"] - row["evaluated_at"] < NINE_HOURS


def test_the_echo_of_our_own_write_ends_the_loop(desk_anywhere: Desk) -> None:
    desk = desk_anywhere
    ticket = desk.create()
    desk.enrich(ticket)
    timer = desk.row(ticket)["look_at"]
    desk.echo(ticket)
    assert desk.row(ticket)["look_at"] < timer
    desk.now_due(ticket)
    desk.forget_requests()
    desk.drain()
    assert (desk.sent(), sum(desk.requests().values())) == (0, 1)
    assert desk.row(ticket)["look_at"] == pytest.approx(timer, abs=2)


def test_an_echo_that_comes_during_the_look_leads_to_one_more_ten_seconds_later(
    desk: Desk,
) -> None:
    ticket = desk.create()
    desk.helpdesk.once("read" if desk.kind == "freshdesk" else "jobs", lambda: desk.echo(ticket))
    desk.enrich(ticket)
    row = desk.row(ticket)
    assert row["echo_at"] == row["look_at"]
    desk.now_due(ticket)
    desk.drain()
    row = desk.row(ticket)
    assert (row["echo_at"], row["attempts"]) == (None, 0)


def test_a_hint_about_nothing_new_reads_once_and_sends_nothing(desk: Desk) -> None:
    ticket = desk.create()
    desk.enrich(ticket)
    desk.forget_requests()
    desk.enrich(ticket)
    assert (desk.sent(), sum(desk.requests().values())) == (0, 1)


def test_a_changed_priority_changes_the_promise(desk: Desk) -> None:
    ticket = desk.create(priority="low")
    desk.enrich(ticket)
    before = desk.stands(ticket)
    desk.edit(ticket, priority="urgent")
    desk.enrich(ticket)
    after = desk.stands(ticket)
    assert {"sla_sev_low", "sla_sev_critical"} & before.tags == {"sla_sev_low"}
    assert {"sla_sev_low", "sla_sev_critical"} & after.tags == {"sla_sev_critical"}
    assert before.fields["resolution_due_at"] > after.fields["resolution_due_at"]


def test_an_agents_reply_meets_the_first_response(desk: Desk) -> None:
    ticket = desk.create()
    desk.enrich(ticket)
    desk.reply(ticket)
    desk.enrich(ticket)
    assert desk.metric(ticket, "first_response")["state"] == "met"
    assert desk.stands(ticket).fields["first_response_due_at"] is None
    assert desk.stands(ticket).fields["resolution_due_at"]


def test_a_customers_reply_meets_nothing(desk: Desk) -> None:
    ticket = desk.create()
    desk.enrich(ticket)
    desk.reply(ticket, by="customer")
    desk.enrich(ticket)
    assert desk.metric(ticket, "first_response")["state"] == "running"


def test_the_solve_ends_every_clock(desk: Desk) -> None:
    ticket = desk.create()
    desk.enrich(ticket)
    desk.edit(ticket, status="solved")
    desk.enrich(ticket)
    row = desk.row(ticket)
    assert (row["state"], row["next_due_at"], row["look_at"]) == ("met", None, None)
    assert desk.stands(ticket).fields["resolution_due_at"] is None


def test_a_breach_shows_by_itself_after_the_helpdesks_clock_was_moved(desk_anywhere: Desk) -> None:
    desk = desk_anywhere
    ticket, other = desk.create(priority="urgent"), desk.create()
    for _ in range(3):
        desk.enrich(ticket, other)
    timer = desk.row(ticket)["look_at"]
    desk.advance(NINE_HOURS)
    for expected in (0, 0, NINE_HOURS):
        assert desk.row(ticket)["state"] == "running"
        desk.enrich(other)
        assert desk.account_row()["clock_offset"] == pytest.approx(expected, abs=2)
    desk.drain_if_due()
    assert desk.row(ticket)["state"] == "breached"
    assert "sla_resolution_breached" in desk.stands(ticket).tags
    assert desk.row(ticket)["evaluated_at"] > timer
    assert desk.right(ticket)


def test_tags_of_others_survive_and_ours_go_when_they_no_longer_hold(desk: Desk) -> None:
    ticket = desk.create(tags=["vip", "sla_sev_low", "sla_first_response_breached", "sla_mine"])
    desk.enrich(ticket)
    found = {tag for tag in desk.stands(ticket).tags if not tag.startswith("sla_f_")}
    assert found == {"vip", "sla_mine", "sla_sev_high"}


UNKNOWN: dict[str, dict[str, Any]] = {
    "zendesk": {
        "status": "nirvana", "priority": "extreme", "type": "riddle", "custom_status_id": None,
        "via": {"channel": "pigeon"}, "organization_id": None, "assignee_id": None,
        "group_id": None, "external_id": None, "recipient": None, "satisfaction_rating": None,
        "brand_id": None, "ticket_form_id": None, "description": None, "subject": None,
    },
    "freshdesk": {
        "status": 77, "priority": 9, "type": None, "source": 99, "company_id": None,
        "responder_id": None, "group_id": None, "product_id": None, "email_config_id": None,
        "to_emails": None, "due_by": None, "fr_due_by": None, "subject": None,
    },
}  # fmt: skip


def test_a_ticket_of_nulls_and_unknown_words_is_evaluated_all_the_same(desk: Desk) -> None:
    ticket, other = desk.create(), desk.create()
    state = desk.app.extensions["sandbox"].state
    strange = state.get("ticket", int(ticket)) | UNKNOWN[desk.kind]
    state.put(Row(kind="ticket", id=int(ticket), doc=strange, created=1, moved=1))
    desk.enrich(ticket, other)
    row = desk.row(ticket)
    assert (row["last_error"], row["attempts"], row["state"]) == (None, 0, "running")
    codes = {one["code"] for one in row["evaluation"]["explanation"]}
    assert "unknown_value" in codes
    assert desk.right(other)


def test_a_ticket_closed_between_read_and_write_is_left_alone(zendesk: Desk) -> None:
    ticket = zendesk.create()
    zendesk.helpdesk.once("read_many", lambda: zendesk.edit(ticket, status="closed"))
    zendesk.enrich(ticket)
    row = zendesk.row(ticket)
    assert (row["look_at"], row["attempts"], row["parked"]) == (None, 0, None)
    zendesk.forget_requests()
    zendesk.enrich(ticket)
    assert (zendesk.row(ticket)["state"], zendesk.sent()) == ("met", 0)


def test_a_ticket_deleted_between_read_and_write_is_gone_in_the_end(desk: Desk) -> None:
    ticket, other = desk.create(), desk.create()
    read = "read" if desk.kind == "freshdesk" else "read_many"
    desk.helpdesk.once(read, lambda: desk.delete(ticket))
    desk.enrich(ticket, other)
    desk.change(look_at=1.0, not_before=0.0)
    desk.drain()
    row = desk.row(ticket)
    assert (row["look_at"], row["parked"]) == (None, None)
    assert row["state"] == ("cancelled" if desk.kind == "freshdesk" else "gone")
    assert desk.right(other)


def test_shadow_mode_evaluates_and_writes_nothing(open_desk: Opener, desk: Desk) -> None:
    shadow = open_desk(desk.kind, desk.database, mode="shadow")
    ticket = shadow.create()
    shadow.forget_requests()
    shadow.enrich(ticket)
    assert (shadow.sent(), shadow.row(ticket)["severity"]) == (0, "high")
    assert shadow.stands(ticket).tags == frozenset()
    assert shadow.row(ticket)["look_at"]


# --- one ticket that makes the helpdesk fail -----------------------------------------------------


def poison(desk: Desk, *ticket_ids: str) -> None:
    """The helpdesk answers 5xx as soon as one of these tickets is asked for."""

    def fail(name: str, arguments: tuple[Any, ...]) -> None:
        if name not in ("read", "read_many"):
            return
        asked = arguments[0] if name == "read_many" else [arguments[0]]
        if any(one in asked for one in ticket_ids):
            raise HelpdeskUnreachable("the helpdesk answered 500")

    desk.helpdesk.before = fail


def test_one_ticket_that_makes_the_helpdesk_fail_stops_no_other(desk: Desk) -> None:
    bad, good = desk.create(), [desk.create() for _ in range(4)]
    poison(desk, bad)
    for _ in range(20):  # a look in three isolates it; the fifth time it is parked
        desk.look(bad, *good)
        desk.wait_for_jobs()
    desk.drain_if_due()

    assert [desk.right(one) for one in good] == [True] * 4
    assert desk.row(bad)["parked"] is not None
    assert desk.account_row()["state"] == "ok"


def test_when_every_ticket_fails_the_account_is_to_blame(desk: Desk) -> None:
    tickets = [desk.create() for _ in range(4)]
    poison(desk, *tickets)
    for _ in range(5):
        desk.look(*tickets)

    assert {desk.row(one)["attempts"] for one in tickets} == {0}
    assert desk.account_row()["state"] == "held"


def test_a_clock_that_goes_back_has_its_verdicts_looked_at_again(desk: Desk) -> None:
    ticket = desk.create(priority="urgent")
    for seconds, expected in ((86_400, "breached"), (-86_400, "running")):
        desk.advance(seconds)
        for _ in range(4):
            desk.helpdesk.real.identify()
        desk.look(ticket)
        desk.drain_until_quiet()
        if seconds < 0:
            desk.now_due(ticket)
            desk.drain_until_quiet()
        assert desk.row(ticket)["state"] == expected


def test_a_limit_that_is_met_while_a_batch_is_taken_apart_blames_no_ticket(
    zendesk: Desk,
) -> None:
    bad, good = zendesk.create(), [zendesk.create() for _ in range(4)]
    poison(zendesk, bad)
    for _ in range(2):
        zendesk.look(bad, *good)
    fail = zendesk.helpdesk.before

    def limited(name: str, arguments: tuple[Any, ...]) -> None:
        fail(name, arguments)
        if name == "read_many":
            raise RateLimited("wait", retry_after=30)

    zendesk.helpdesk.before = limited
    zendesk.look(bad, *good)

    assert {zendesk.row(one)["attempts"] for one in (bad, *good)} == {0}


def test_tags_are_never_replaced_by_what_an_old_read_showed(freshdesk: Desk) -> None:
    """The history took three seconds, and somebody tagged the ticket meanwhile."""
    ticket = freshdesk.create(tags=["vip"])
    freshdesk.advance(60)
    freshdesk.reply(ticket)
    seconds = [0.0]

    def tap(name: str, _: tuple[Any, ...]) -> None:
        if name == "history":
            freshdesk.edit(ticket, tags=["vip", "urgent-callback"])
            seconds[0] += 3.0

    freshdesk.helpdesk.before = tap
    freshdesk.hint(ticket)
    freshdesk.drain(monotonic=lambda: seconds[0])

    assert seconds == [3.0]
    assert {"vip", "urgent-callback", "sla_sev_high"} <= freshdesk.stands(ticket).tags
