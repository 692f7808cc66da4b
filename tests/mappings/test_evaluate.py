"""The one entrance: what is counted, what is said, and what happens in the same instant."""

from dataclasses import replace
from datetime import timedelta

import pytest

from mappings.answer import as_json
from mappings.clock import State
from mappings.evaluate import HISTORY_MISSING, MINUTE_PRECISION, evaluate
from mappings.explain import reasons
from mappings.policy import Metric
from mappings.ticket import STATUS, WAITING, Change, Reply
from tests.builders import a_policy, a_ticket, history, local, shown, user_support

POLICY = user_support()
AT = local("03-02 10:00")
SECOND = timedelta(seconds=1)


def test_an_outbound_ticket_has_no_first_response() -> None:
    found = evaluate(a_ticket(at=AT, severity="high", outbound=True), POLICY, AT)
    assert [one.metric for one in found.metrics] == [Metric.RESOLUTION]
    assert "outbound" in [reason.code for reason in reasons(found)]


def test_clocks_start_at_the_report_where_that_was_earlier() -> None:
    called = local("03-02 09:15")
    found = evaluate(a_ticket(at=AT, severity="high", reported=called), POLICY, AT)
    assert shown(found.metrics[0].outcome.due_at) == "Mon 03-02 10:15"


def test_fractions_of_a_second_do_not_count() -> None:
    ticket = a_ticket(at=AT, severity="high")
    due = local("03-02 11:00")
    assert evaluate(ticket, POLICY, due + timedelta(microseconds=999_999)).state is State.AT_RISK


# reply and change in one audit: an agent answers and moves the priority with the same click
SAME_INSTANT = [
    ("severity=low", "severity high"),
    ("status=solved, severity=low", "severity high"),
]


@pytest.mark.parametrize(("change", "governed_by"), SAME_INSTANT, ids=[r[0] for r in SAME_INSTANT])
def test_a_reply_comes_before_what_changed_with_it(change: str, governed_by: str) -> None:
    events = history(f"03-02 11:30 reply; 03-02 11:30 {change}")
    found = evaluate(a_ticket(at=AT, severity="high", events=events), POLICY, local("03-02 12:00"))
    assert found.metrics[0].promise.governed_by == governed_by
    assert found.metrics[0].state is State.BREACHED


def test_a_change_that_the_vendor_puts_before_the_reply_comes_before_it() -> None:
    events = history("03-02 11:30 reply; 03-02 11:30 severity=low")
    ticket = a_ticket(at=AT, severity="high", events=events)
    ticket = replace(ticket, replies=(Reply(at=local("03-02 11:30"), sequence=7),))
    found = evaluate(ticket, POLICY, local("03-02 12:00"))
    assert found.metrics[0].promise.governed_by == "severity low"


def test_a_solve_comes_before_the_severity_that_changed_with_it() -> None:
    events = history("03-02 18:30 status=solved, severity=low")
    found = evaluate(a_ticket(at=AT, severity="high", events=events), POLICY, local("03-02 19:00"))
    assert [one.state for one in found.metrics] == [State.BREACHED, State.BREACHED]
    assert "sla_sev_low" in found.tags


def test_one_value_that_changed_twice_in_an_instant_goes_the_way_of_its_words() -> None:
    moves = [("3", "1"), ("1", "4"), ("4", "2")]
    changes = [Change(at=AT + SECOND, field="priority", before=a, after=b) for a, b in moves]
    ticket = replace(a_ticket(at=AT, severity="high"), changes=tuple(reversed(changes)))
    assert ticket.value_at("priority", AT) == "3"
    assert ticket.value_at("priority", AT + SECOND) == "2"


HISTORY = [
    # name, events, status, what is known, gap
    ("open and nothing rests on the past", "", "high", False, False),
    ("answered, the severity then is not known", "03-02 10:10 reply", "high", False, True),
    ("answered, with history", "03-02 10:10 reply", "high", True, False),
    ("solved", "03-02 10:10 status=solved", "high", False, True),
    # since when it has been critical decides when the next update is due
    ("hourly updates", "", "critical", False, True),
    ("hourly updates with history", "", "critical", True, False),
]


@pytest.mark.parametrize(
    ("events", "severity", "known", "gap"), [r[1:] for r in HISTORY], ids=[r[0] for r in HISTORY]
)
def test_a_past_that_nobody_recorded_is_a_gap(
    events: str, severity: str, known: bool, gap: bool
) -> None:
    ticket = a_ticket(at=AT, severity=severity, events=history(events), known=known)
    found = evaluate(ticket, POLICY, local("03-02 10:30"))
    assert (HISTORY_MISSING in found.gaps) == gap


def test_a_wait_whose_begin_is_a_guess_is_a_gap() -> None:
    since = local("03-02 11:00")
    ticket = a_ticket(at=AT, severity="medium", status="on_hold", known=False)
    changes = tuple(
        Change(at=since, field=name, before=before, after=after, inferred=True)
        for name, before, after in ((STATUS, "open", "on_hold"), (WAITING, None, "third_party"))
    )
    found = evaluate(replace(ticket, changes=changes), POLICY, local("03-02 12:00"))
    update = found.metric(Metric.NEXT_UPDATE)
    assert update is not None
    assert (shown(update.outcome.due_at), HISTORY_MISSING in found.gaps) == (
        "Tue 03-03 11:00",
        True,
    )


def test_a_reply_known_to_the_minute_is_a_gap() -> None:
    ticket = replace(a_ticket(at=AT, severity="high"), replies=(Reply(at=AT, exact=False),))
    assert MINUTE_PRECISION in evaluate(ticket, POLICY, AT).gaps


@pytest.mark.parametrize("status", ["solved", "closed"])
def test_a_solve_without_any_history_counts_from_the_report(status: str) -> None:
    found = evaluate(
        a_ticket(at=AT, severity="high", status=status, known=False), POLICY, local("03-09 10:00")
    )
    assert [(one.state, one.fulfilled_at) for one in found.metrics] == [(State.MET, AT)] * 2


CANCELLED = [
    # status, reason -> states of first response and resolution
    ("closed", "merged", ["cancelled", "cancelled"]),
    ("open", "merged", ["cancelled", "cancelled"]),
    # who deletes a solved ticket takes nothing back
    ("solved", "deleted", ["met", "met"]),
    ("open", "spam", ["cancelled", "cancelled"]),
]


@pytest.mark.parametrize(("status", "reason", "states"), CANCELLED, ids=[str(r) for r in CANCELLED])
def test_a_cancelled_ticket_whose_history_is_missing(
    status: str, reason: str, states: list[str]
) -> None:
    ticket = a_ticket(at=AT, severity="high", status=status, cancelled=reason, known=False)
    for now in (AT, AT + timedelta(days=9)):
        answer = as_json(evaluate(ticket, POLICY, now))
        assert [one["state"] for one in answer["metrics"]] == states
        assert (answer["state"], answer["next_change_at"]) == ("cancelled", None)
        assert (answer["next_due_at"], answer["tags"]) == (None, ["sla_sev_high"])
        assert HISTORY_MISSING in answer["gaps"]


def test_an_unknown_channel_is_treated_as_portal_by_every_policy() -> None:
    text = """
policy: portal
title: Portal
document: portal.txt
targets: {first_response: [{when: {channel: portal}, limit: 1h}]}
"""
    found = evaluate(a_ticket(at=AT, channel="other"), a_policy(text=text), AT)
    assert [one.promise.governed_by for one in found.metrics] == ["channel portal"]
    assert "channel_other" in [reason.code for reason in reasons(found)]
    assert as_json(found)["channel"] == "other"


REOPENED = [
    ("resume", "Mon 03-02 21:00"),
    ("continue", "Mon 03-02 18:00"),
    ("restart", "Mon 03-02 23:00"),
]


@pytest.mark.parametrize(("how", "expected"), REOPENED, ids=[row[0] for row in REOPENED])
def test_a_reopened_resolution(how: str, expected: str) -> None:
    text = f"""
policy: reopened
title: Reopened
document: reopened.txt
on_reopen: {how}
targets: {{resolution: [{{limit: 8h}}]}}
"""
    events = history("03-02 12:00 status=solved; 03-02 15:00 status=open")
    found = evaluate(a_ticket(at=AT, events=events), a_policy(text=text), local("03-02 16:00"))
    assert shown(found.metrics[0].outcome.due_at) == expected


def test_best_effort_has_its_own_word_and_tag() -> None:
    text = """
policy: effort
title: Effort
document: effort.txt
commitment: best_effort
targets:
  first_response:
    - {limit: 1h}
  resolution:
    - {aim: 1h, commitment: none}
"""
    ticket = a_ticket(at=AT)
    found = evaluate(ticket, a_policy(text=text), AT + timedelta(hours=2))
    assert [one.state for one in found.metrics] == [State.OVERDUE, State.RUNNING]
    assert found.tags == ("sla_best_effort", "sla_first_response_overdue")
    assert (found.severity and found.severity.level, found.tier) == (None, None)


def test_a_policy_without_a_promise_for_a_ticket_says_nothing_of_it() -> None:
    text = """
policy: nothing
title: Nothing
document: nothing.txt
targets: {first_response: [{when: {plan: gold}, limit: 1h}]}
"""
    found = evaluate(a_ticket(at=AT), a_policy(text=text), AT)
    assert (found.state, found.metrics, found.tags) == (None, (), ())


def test_of_two_changes_within_one_second_the_last_one_holds() -> None:
    """Zendesk opens a new ticket by the very reply that solves it: new, open, solved at once."""
    at = local("03-02 10:20")
    ticket = replace(
        a_ticket(at=AT, severity="medium", status="new"),
        changes=(
            Change(at=at, field=STATUS, before="new", after="open", sequence=1),
            Change(at=at, field=STATUS, before="open", after="solved", sequence=1),
        ),
        values={**a_ticket(at=AT, severity="medium").values, STATUS: "solved"},
    )
    found = evaluate(ticket, POLICY, local("03-02 12:00"))

    assert [(one.state, one.fulfilled_at) for one in found.metrics] == [(State.MET, at)] * 2
