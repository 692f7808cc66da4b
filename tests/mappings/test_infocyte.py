"""The policy of 003_709809e173a4f86c.txt, computed by hand from the document."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from ruamel.yaml import YAML

from mappings.answer import as_json
from mappings.evaluate import Evaluation, evaluate
from mappings.explain import reasons
from mappings.policy import Grade, Metric, Policy
from mappings.ticket import Ticket
from tests.builders import CONTRACTS, POLICIES, a_ticket, history, local, shipped, shown

BOGOTA, NEW_YORK, LONDON = "America/Bogota", "America/New_York", "Europe/London"
FIXED = BOGOTA  #: five hours behind UTC all year, as the document's "GMT (-5)"
PLANS = ("infocyte-enlist", "infocyte-patrol", "infocyte-command", "infocyte-assessment")
MAPPED = (
    "description",
    "product",
    "operating_system",
    "refers_to_earlier",
    "reference",
    "plan_of_action",
    "executive_review",
    "rating",
    "maintenance",
)
COMPLETE = {"description": "filled", "product": "agent 4.1", "operating_system": "linux 6.1"}
SECOND = timedelta(seconds=1)
RESPONSE, UPDATE, RESOLUTION = Metric.FIRST_RESPONSE, Metric.NEXT_UPDATE, Metric.RESOLUTION


def infocyte(zone: str = FIXED, *contracts: str) -> Policy:
    """The shipped policy with its plans, and perhaps further contracts."""
    return shipped("infocyte", zone, (*PLANS, *contracts))


def reported(
    at: str,
    asked: str | None = "sev2",
    events: str = "",
    *,
    zone: str = FIXED,
    plans: Iterable[str] = ("enlist",),
    mapped: Iterable[str] = MAPPED,
    **values: Any,
) -> Ticket:
    """A request that says all that it has to, with the severity that the customer asked for.

    `severity` among the values is the helpdesk's priority.
    """
    return a_ticket(
        at=local(at, zone),
        events=history(events, zone=zone),
        plans=plans,
        mapped=mapped,
        requested_severity=asked,
        **{**COMPLETE, **values},
    )


def judged(ticket: Ticket, now: str, *contracts: str) -> Evaluation:
    return evaluate(ticket, infocyte(FIXED, *contracts), local(now, FIXED))


def due(found: Evaluation, metric: Metric = RESPONSE, zone: str = FIXED) -> str | None:
    result = found.metric(metric)
    return shown(result.outcome.due_at, zone) if result else None


def state(found: Evaluation, metric: Metric = RESPONSE) -> str | None:
    result = found.metric(metric)
    return result.state.value if result else None


def gaps(found: Evaluation) -> list[str]:
    return [gap.split(":")[0] for gap in found.gaps]


def tags(found: Evaluation) -> list[str]:
    return [tag.removeprefix("sla_") for tag in found.tags]


def codes(found: Evaluation) -> list[str]:
    return [reason.code for reason in reasons(found)]


# ---------------------------------------------------------------------------------- due dates

ENLIST, PATROL, COMMAND, ASSESSMENT = ("enlist",), ("patrol",), ("command",), ("assessment",)
DUES: list[tuple[str, str, tuple[str, ...], str, str, str]] = [
    # why, zone, plans, severity, reported, first response due
    ("section 7", FIXED, ENLIST, "sev1", "Fri 03-06 23:30", "Mon 03-09 00:30"),
    ("section 7", FIXED, ENLIST, "sev3", "Fri 03-06 20:00", "Mon 03-09 04:00"),
    ("inside a day", FIXED, ENLIST, "sev2", "Wed 03-04 10:00", "Wed 03-04 14:00"),
    ("midnight between two weekdays", FIXED, ENLIST, "sev3", "Mon 03-02 20:00", "Tue 03-03 04:00"),
    ("the next midnight", FIXED, ENLIST, "sev2", "Tue 03-03 22:00", "Wed 03-04 02:00"),
    ("and the next", FIXED, ENLIST, "sev2", "Wed 03-04 22:00", "Thu 03-05 02:00"),
    ("and the last", FIXED, ENLIST, "sev2", "Thu 03-05 22:00", "Fri 03-06 02:00"),
    ("at the opening", FIXED, ENLIST, "sev3", "Mon 03-09 00:00", "Mon 03-09 08:00"),
    ("a second before it", FIXED, ENLIST, "sev3", "Sun 03-08 23:59:59", "Mon 03-09 08:00"),
    ("a second after it", FIXED, ENLIST, "sev3", "Mon 03-09 00:00:01", "Mon 03-09 08:00:01"),
    # the closing instant belongs to no day: the clock waits for Monday
    ("at the close", FIXED, ENLIST, "sev1", "Sat 03-07 00:00", "Mon 03-09 01:00"),
    ("the last second", FIXED, ENLIST, "sev1", "Fri 03-06 23:59:59", "Mon 03-09 00:59:59"),
    # an hour that ends with the week is due then, not at the next opening
    ("up to the close", FIXED, ENLIST, "sev1", "Fri 03-06 23:00", "Sat 03-07 00:00"),
    ("one second over", FIXED, ENLIST, "sev1", "Fri 03-06 23:00:01", "Mon 03-09 00:00:01"),
    ("on a Sunday", FIXED, ENLIST, "sev2", "Sun 03-08 12:00", "Mon 03-09 04:00"),
    ("no holidays are named", FIXED, ENLIST, "sev1", "Thu 12-24 23:30", "Fri 12-25 00:30"),
    # in summer New York is an hour ahead of the offset: support closes at one in the morning
    ("summer in New York", NEW_YORK, ENLIST, "sev1", "Fri 07-10 23:30", "Sat 07-11 00:30"),
    ("past midnight in summer", NEW_YORK, ENLIST, "sev1", "Sat 07-11 00:30", "Mon 07-13 01:30"),
    ("winter in New York", NEW_YORK, ENLIST, "sev1", "Fri 01-09 23:30", "Mon 01-12 00:30"),
    # the clocks change on Sunday, March 8: what opens at 00:00 on the offset opens at 01:00 there
    ("clocks go forward", NEW_YORK, ENLIST, "sev1", "Fri 03-06 23:30", "Mon 03-09 01:30"),
    # 1.5 h until Saturday 01:00, then 2.5 h from Monday 00:00 of the winter
    ("clocks go back", NEW_YORK, ENLIST, "sev2", "Fri 10-30 23:30", "Mon 11-02 02:30"),
    # 18:30 on the offset: 5.5 h until Saturday 05:00 in London
    ("an account in London", LONDON, ENLIST, "sev3", "Fri 03-06 23:30", "Mon 03-09 07:30"),
    # 17:00 on the offset; the last hour runs on Monday, when London has summer time
    ("London goes forward", LONDON, ENLIST, "sev3", "Fri 03-27 22:00", "Mon 03-30 07:00"),
    ("around the clock", FIXED, PATROL, "sev1", "Sat 03-07 03:00", "Sat 03-07 04:00"),
    ("a skipped hour", NEW_YORK, PATROL, "sev1", "Sun 03-08 01:30", "Sun 03-08 03:30"),
    ("a repeated hour", NEW_YORK, COMMAND, "sev2", "Sun 11-01 00:30", "Sun 11-01 03:30"),
    ("365 days", FIXED, COMMAND, "sev1", "Fri 12-25 10:00", "Fri 12-25 11:00"),
    ("the 366th", FIXED, COMMAND, "sev3", "Mon 2028-02-28 20:00", "Tue 2028-02-29 04:00"),
    ("as Enlist", FIXED, ASSESSMENT, "sev1", "Fri 03-06 23:30", "Mon 03-09 00:30"),
    ("nobody says the plan", FIXED, (), "sev1", "Sat 03-07 03:00", "Mon 03-09 01:00"),
    # of several plans the earliest due governs, in whatever order they stand
    ("two plans", FIXED, ("enlist", "patrol"), "sev1", "Sat 03-07 03:00", "Sat 03-07 04:00"),
    ("turned", FIXED, ("command", "assessment"), "sev1", "Sat 03-07 03:00", "Sat 03-07 04:00"),
    ("alike", FIXED, ("assessment", "enlist"), "sev1", "Sat 03-07 03:00", "Mon 03-09 01:00"),
    ("an unknown plan", FIXED, ("gold",), "sev1", "Sat 03-07 03:00", "Mon 03-09 01:00"),
    ("beside a known", FIXED, ("gold", "patrol"), "sev1", "Sat 03-07 03:00", "Sat 03-07 04:00"),
]


@pytest.mark.parametrize(
    ("zone", "plans", "severity", "at", "expected"),
    [row[1:] for row in DUES],
    ids=[f"{row[0]}: {row[3]} {row[4]} {'+'.join(row[2])}" for row in DUES],
)
def test_first_response(
    zone: str, plans: tuple[str, ...], severity: str, at: str, expected: str
) -> None:
    ticket = reported(at, severity, zone=zone, plans=plans)
    found = evaluate(ticket, infocyte(zone), local(at, zone))
    assert due(found, zone=zone) == expected
    assert [one.metric for one in found.metrics] == [RESPONSE]


COMPLAINTS = [
    # why, reported, first response due, at risk
    ("section 7: the end of Tuesday", "Sat 03-07 12:00", "Wed 03-11 00:00", "Tue 03-10 12:00"),
    # the first open instant is the close of the day before
    ("section 7: at midnight", "Thu 03-05 00:00", "Sat 03-07 00:00", "Fri 03-06 12:00"),
    ("the end of Wednesday", "Tue 03-03 00:00", "Thu 03-05 00:00", "Wed 03-04 12:00"),
    ("the end of Thursday", "Wed 03-04 00:00", "Fri 03-06 00:00", "Thu 03-05 12:00"),
    ("the end of Monday", "Fri 03-06 00:00", "Tue 03-10 00:00", "Mon 03-09 12:00"),
    ("the same time of day", "Mon 03-02 10:00", "Wed 03-04 10:00", "Tue 03-03 22:00"),
    # Thursday 15:00 to Monday 15:00 is 48 open hours, of which 36 end on Saturday's midnight + 3 h
    ("over a weekend", "Thu 03-05 15:00", "Mon 03-09 15:00", "Mon 03-09 03:00"),
    ("on a Friday night", "Fri 03-06 23:59:59", "Tue 03-10 23:59:59", "Tue 03-10 11:59:59"),
]


@pytest.mark.parametrize("plans", [ENLIST, PATROL], ids=["enlist", "patrol"])
@pytest.mark.parametrize(
    ("at", "expected", "at_risk"), [row[1:] for row in COMPLAINTS], ids=[r[0] for r in COMPLAINTS]
)
def test_a_complaint_is_acknowledged_in_two_working_days_whatever_the_plan(
    at: str, expected: str, at_risk: str, plans: tuple[str, ...]
) -> None:
    found = judged(reported(at, "sev1", kind="complaint", plans=plans), at)
    response = found.metric(RESPONSE)
    assert response is not None
    assert (due(found), shown(response.outcome.at_risk_at, FIXED)) == (expected, at_risk)
    assert (response.promise.governed_by, response.others) == ("class complaint", ())


AT_RISK = [
    # plan, severity, reported, at risk: three quarters of the hours that count
    ("enlist", "sev1", "Fri 03-06 23:30", "Mon 03-09 00:15"),
    ("enlist", "sev3", "Fri 03-06 20:00", "Mon 03-09 02:00"),
    ("enlist", "sev2", "Wed 03-04 10:00", "Wed 03-04 13:00"),
    ("command", "sev3", "Sat 03-07 20:00", "Sun 03-08 02:00"),
]


@pytest.mark.parametrize(
    ("plan", "severity", "at", "at_risk"), AT_RISK, ids=[f"{r[0]} {r[1]}" for r in AT_RISK]
)
def test_at_risk_when_three_quarters_of_the_time_are_used(
    plan: str, severity: str, at: str, at_risk: str
) -> None:
    ticket = reported(at, severity, plans=(plan,))
    found = judged(ticket, at)
    assert shown(found.metrics[0].outcome.at_risk_at, FIXED) == at_risk
    assert shown(found.next_change_at, FIXED) == at_risk


HOLIDAYS = """
contract: days-off
policy: infocyte
overrides:
  calendars:
    support: {holidays: [2026-12-25]}
    weekdays: {holidays: [2026-12-25]}
"""
OFFICE_HOURS = """
contract: office-hours
policy: infocyte
overrides:
  calendars:
    support: {week: {mon: ["09:00-17:00"], tue: ["09:00-17:00"], wed: ["09:00-17:00"],
                     thu: ["09:00-17:00"], fri: ["09:00-17:00"]}}
    weekdays: {week: {mon: ["09:00-17:00"], tue: ["09:00-17:00"], wed: ["09:00-17:00"],
                      thu: ["09:00-17:00"], fri: ["09:00-17:00"]}}
  decisions:
    enlist-hours: 09:00 to 17:00, the head of support, 2026-01-02
"""
OVERLAID = [
    # why, contract, plan, kind, reported, due
    ("a holiday", HOLIDAYS, "enlist", "incident", "Thu 12-24 23:30", "Mon 12-28 00:30"),
    ("none in 24x7x365", HOLIDAYS, "patrol", "incident", "Thu 12-24 23:30", "Fri 12-25 00:30"),
    ("nor in Command", HOLIDAYS, "command", "incident", "Thu 12-24 23:30", "Fri 12-25 00:30"),
    ("two working days", HOLIDAYS, "patrol", "complaint", "Wed 12-23 10:00", "Mon 12-28 10:00"),
    ("hours of the day", OFFICE_HOURS, "enlist", "incident", "Fri 03-06 16:30", "Mon 03-09 09:30"),
    ("not those of Command", OFFICE_HOURS, "command", "incident", "Fri 03-06 16:30", "17:30"),
    ("a day of eight hours", OFFICE_HOURS, "command", "complaint", "Sat 03-07 12:00", "17:00"),
]


@pytest.mark.parametrize(
    ("contract", "plan", "kind", "at", "expected"),
    [row[1:] for row in OVERLAID],
    ids=[row[0] for row in OVERLAID],
)
def test_an_account_decides_hours_and_holidays(
    contract: str, plan: str, kind: str, at: str, expected: str
) -> None:
    found = judged(reported(at, "sev1", kind=kind, plans=(plan,)), at, contract)
    assert (due(found) or "").endswith(expected)


def test_hours_that_somebody_decided_are_no_gap_any_more() -> None:
    found = judged(reported("Fri 03-06 16:30", "sev1"), "Fri 03-06 16:30", OFFICE_HOURS)
    assert "sla_policy_gap" not in found.tags
    assert any("decided: 09:00 to 17:00" in gap for gap in found.gaps)


KINDS = ["incident", "question", "defect", "defect_critical", "enhancement", "other"]
BOUNDS = [
    # severity, what it hangs on for a request of Monday 10:00: (aim, due)
    ("sev1", (None, "Mon 03-02 11:00")),
    ("sev2", (None, "Mon 03-02 14:00")),
    ("sev3", (None, "Mon 03-02 18:00")),
    ("sev4", ("Tue 03-03 10:00", None)),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("severity", "expected"), BOUNDS, ids=[row[0] for row in BOUNDS])
def test_the_severity_decides_whatever_the_class(
    severity: str, expected: tuple[str | None, str | None], kind: str
) -> None:
    found = judged(reported("03-02 10:00", severity, kind=kind), "03-02 10:00")
    outcome = found.metrics[0].outcome
    assert (shown(outcome.aim_at, FIXED), due(found)) == expected
    assert found.metrics[0].others == ()


@pytest.mark.parametrize("severity", ["sev1", "sev2", "sev3", "sev4"])
def test_but_a_complaint_is_a_complaint_in_every_severity(severity: str) -> None:
    found = judged(reported("03-02 10:00", severity, kind="complaint"), "03-02 10:00")
    assert (due(found), found.metrics[0].others) == ("Wed 03-04 10:00", ())
    assert f"sla_sev_{severity}" in found.tags


@pytest.mark.parametrize("severity", ["sev1", "sev2", "sev3", "sev4"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_severity_and_class_waits_for_the_information(severity: str, kind: str) -> None:
    found = judged(reported("03-02 10:00", severity, product=None, kind=kind), "03-02 12:00")
    assert (state(found), "sla_info_missing" in found.tags) == ("not_started", True)


# ------------------------------------------------------------------------- under, and informational

STRICT = [
    # severity, reported, due
    ("sev1", "Mon 03-02 10:00", "Mon 03-02 11:00"),
    ("sev2", "Mon 03-02 10:00", "Mon 03-02 14:00"),
    ("sev3", "Mon 03-02 10:00", "Mon 03-02 18:00"),
]


@pytest.mark.parametrize(("severity", "at", "bound"), STRICT, ids=[row[0] for row in STRICT])
def test_under_is_late_at_the_very_second(severity: str, at: str, bound: str) -> None:
    ticket, instant = reported(at, severity), local(bound, FIXED)
    before, then = (evaluate(ticket, infocyte(), when) for when in (instant - SECOND, instant))
    assert (state(before), state(then)) == ("at_risk", "breached")
    assert before.next_change_at == instant
    assert then.metrics[0].outcome.breached_at == instant
    assert then.next_change_at is None


ANSWERED = [
    # reply to a sev1 of 10:00, state
    ("10:59:59", "met"),
    ("11:00:00", "breached"),
]


@pytest.mark.parametrize(("reply", "word"), ANSWERED, ids=[row[0] for row in ANSWERED])
def test_a_reply_at_the_due_is_not_under_it(reply: str, word: str) -> None:
    events = f"03-02 {reply} reply"
    found = judged(reported("03-02 10:00", "sev1", events, mapped=()), "03-02 12:00")
    assert state(found) == word


def test_two_working_days_include_their_end() -> None:
    ticket = reported("Mon 03-02 10:00", kind="complaint")
    instant = local("Wed 03-04 10:00", FIXED)
    at, after = (evaluate(ticket, infocyte(), when) for when in (instant, instant + SECOND))
    assert (state(at), state(after)) == ("at_risk", "breached")
    assert at.next_change_at == instant + SECOND


def test_severity_4_has_an_aim_and_is_never_late() -> None:
    ticket = reported("Fri 03-06 22:00", "sev4")
    for now in ("Fri 03-06 22:00", "Sat 03-07 22:00:01", "Fri 05-01 10:00"):
        found = judged(ticket, now)
        outcome = found.metrics[0].outcome
        # every hour counts, also on a weekend without support
        assert shown(outcome.aim_at, FIXED) == "Sat 03-07 22:00"
        assert (outcome.due_at, outcome.at_risk_at, found.next_due_at) == (None, None, None)
        assert (found.state, tags(found)) == ("running", ["sev_sev4"])
        assert found.next_change_at is None


def test_severity_4_is_met_by_its_answer_however_late() -> None:
    events = "03-20 10:00 reply; 03-20 10:00 plan_of_action=manual"
    found = judged(reported("Fri 03-06 22:00", "sev4", events), "Fri 03-20 11:00")
    assert (state(found), found.state) == ("met", "met")


# ------------------------------------------------------------------------------------- severities

SEVERITIES: list[tuple[str, dict[str, Any], str, str, str]] = [
    # why, values at the report on Monday 10:00, events until 12:00, severity, rule
    ("the end user sets it", {"requested_severity": "sev1"}, "", "sev1", "rule 2"),
    ("by the name of the level", {"requested_severity": "Severity 2"}, "", "sev2", "rule 2"),
    (
        "above the priority",
        {"requested_severity": "sev4", "severity": "critical"},
        "",
        "sev4",
        "rule 2",
    ),
    ("else the priority by rank", {"severity": "high"}, "", "sev2", "rule 3"),
    ("the lowest priority", {"severity": "low"}, "", "sev4", "rule 3"),
    (
        "what names no level is passed over",
        {"requested_severity": "blocker", "severity": "medium"},
        "",
        "sev3",
        "rule 3",
    ),
    ("a question is the lowest", {"kind": "question"}, "", "sev4", "rule 4"),
    ("an enhancement too", {"kind": "enhancement"}, "", "sev4", "rule 4"),
    ("an incident is the third", {}, "", "sev3", "rule 5"),
    ("a defect too", {"kind": "defect"}, "", "sev3", "rule 5"),
    ("what says nothing too", {"kind": "other"}, "", "sev3", "rule 5"),
    (
        "an assessment before the first reply does not count",
        {"requested_severity": "sev1"},
        "03-02 10:30 assessed=sev3",
        "sev1",
        "rule 2",
    ),
    (
        "after it it does",
        {"requested_severity": "sev1"},
        "03-02 10:30 reply; 03-02 10:31 assessed=sev3",
        "sev3",
        "rule 1",
    ),
    (
        "one made before counts from the reply on",
        {"requested_severity": "sev1"},
        "03-02 10:30 assessed=sev3; 03-02 11:00 reply",
        "sev3",
        "rule 1",
    ),
    (
        "the last one counts",
        {"requested_severity": "sev1"},
        "03-02 10:30 reply; 03-02 10:31 assessed=sev3; 03-02 10:40 assessed=sev2",
        "sev2",
        "rule 1",
    ),
    (
        "taken back, the end user's holds again",
        {"requested_severity": "sev1"},
        "03-02 10:30 reply; 03-02 10:31 assessed=sev3; 03-02 10:40 assessed=",
        "sev1",
        "rule 2",
    ),
    # a form with one field for the severity: what stood there at the report is the end user's
    ("one field for both", {"assessed": "sev2"}, "", "sev2", "rule 1"),
    (
        "one field, changed too early",
        {"assessed": "sev2"},
        "03-02 10:30 assessed=sev4",
        "sev2",
        "rule 1",
    ),
    (
        "one field, changed after the reply",
        {"assessed": "sev2"},
        "03-02 10:30 reply; 03-02 10:30 assessed=sev4",
        "sev4",
        "rule 1",
    ),
    (
        "the end user changes their mind",
        {"requested_severity": "sev3"},
        "03-02 11:00 requested_severity=sev1",
        "sev1",
        "rule 2",
    ),
]


@pytest.mark.parametrize(
    ("values", "events", "severity", "rule"),
    [row[1:] for row in SEVERITIES],
    ids=[row[0] for row in SEVERITIES],
)
def test_severity(values: dict[str, Any], events: str, severity: str, rule: str) -> None:
    given = {"requested_severity": None, **COMPLETE, **values}
    ticket = a_ticket(
        at=local("03-02 10:00", FIXED), events=history(events, zone=FIXED), mapped=MAPPED, **given
    )
    answer = as_json(judged(ticket, "03-02 12:00"))
    assert answer["severity"]["id"] == severity
    assert answer["severity"]["by"].startswith(f"{rule}: ")
    assert f"sla_sev_{severity}" in answer["tags"]


def by_the_end_user(ticket: Ticket) -> Ticket:
    """The same changes, of which the helpdesk says that the requester made them."""
    return replace(ticket, changes=tuple(replace(one, by_agent=False) for one in ticket.changes))


def test_an_end_user_cannot_assess_even_after_the_reply() -> None:
    ticket = by_the_end_user(
        reported("03-02 10:00", "sev3", "03-02 10:30 reply; 03-02 10:40 assessed=sev1")
    )
    found = judged(ticket, "03-02 10:50")
    assert found.severity is not None
    assert found.severity.level is not None
    assert (found.severity.level.id, found.severity.refused) == (
        "sev3",
        ("sev1", "an agent did not set it"),
    )
    assert "severity_refused" in codes(found)


CHANGED = [
    # why, severity at the report on Monday 10:00, events, now, state, due, breached
    (
        "raised: the new target from the report on",
        "sev3",
        "03-02 10:30 reply; 03-02 10:40 assessed=sev1",
        "03-02 10:40",
        ("running", "Mon 03-02 11:00", None),
    ),
    (
        "raised too late to be kept",
        "sev3",
        "03-02 10:30 reply; 03-02 13:00 assessed=sev1",
        "03-02 13:00",
        ("breached", "Mon 03-02 11:00", "Mon 03-02 11:00"),
    ),
    (
        "lowered: the breach leaves the state",
        "sev1",
        "03-02 10:30 reply; 03-02 12:00 assessed=sev3",
        "03-02 12:00",
        ("running", "Mon 03-02 18:00", None),
    ),
    (
        "lowered to what has no limit",
        "sev1",
        "03-02 10:30 reply; 03-02 12:00 assessed=sev4",
        "03-02 12:00",
        ("running", None, None),
    ),
    (
        "raised after the answer: judged by what held then",
        "sev3",
        "03-02 12:00 reply; 03-02 12:00 plan_of_action=patch; 03-02 12:30 assessed=sev1",
        "03-02 13:00",
        ("met", "Mon 03-02 18:00", None),
    ),
    (
        "no assessment saves the very reply that it waits for",
        "sev1",
        "03-02 10:30 assessed=sev3; 03-02 11:30 reply; 03-02 11:30 plan_of_action=patch",
        "03-02 13:00",
        ("breached", "Mon 03-02 11:00", "Mon 03-02 11:00"),
    ),
]


@pytest.mark.parametrize(
    ("severity", "events", "now", "expected"),
    [row[1:] for row in CHANGED],
    ids=[row[0] for row in CHANGED],
)
def test_a_change_of_severity_restates_what_is_open(
    severity: str, events: str, now: str, expected: tuple[str, str | None, str | None]
) -> None:
    found = judged(reported("03-02 10:00", severity, events), now)
    breached_at = found.metrics[0].outcome.breached_at
    assert (state(found), due(found), shown(breached_at, FIXED)) == expected


MODES = [
    # mode, due of a sev3 of Monday 10:00 that an engineer raises to sev1 at 13:00
    ("restate", "Mon 03-02 11:00"),
    ("grace", "Mon 03-02 14:00"),
    ("restart", "Mon 03-02 14:00"),
    ("keep", "Mon 03-02 18:00"),
]


@pytest.mark.parametrize(("mode", "expected"), MODES, ids=[row[0] for row in MODES])
def test_an_account_may_choose_another_treatment_of_a_change(mode: str, expected: str) -> None:
    contract = f"""
contract: changes
policy: infocyte
overrides: {{on_severity_change: {mode}}}
"""
    ticket = reported("03-02 10:00", "sev3", "03-02 10:30 reply; 03-02 13:00 assessed=sev1")
    assert due(judged(ticket, "03-02 13:00", contract)) == expected


@pytest.mark.parametrize("priority", ["critical", "high", "medium", "low"])
def test_the_priority_is_shown_and_moves_no_date(priority: str) -> None:
    found = judged(reported("03-02 10:00", "sev2", severity=priority), "03-02 10:00")
    assert due(found) == "Mon 03-02 14:00"
    assert "priority" in codes(found)


def test_a_priority_that_nobody_chose_is_not_shown() -> None:
    assert "priority" not in codes(judged(reported("03-02 10:00"), "03-02 10:00"))


@pytest.mark.parametrize("channel", ["portal", "email", "chat", "phone", "forum", "other"])
def test_the_channel_makes_no_difference(channel: str) -> None:
    found = judged(reported("03-02 10:00", channel=channel), "03-02 10:00")
    assert (due(found), found.exemption) == ("Mon 03-02 14:00", None)


# ------------------------------------------------------------------------------------- fulfilment

FULFILLED: list[tuple[str, str, str, tuple[str, str | None]]] = [
    # why, what happened to a sev1 of Monday 10:00 (due 11:00), now, (state, fulfilled)
    ("a reply without a plan", "10:30 reply", "10:44:59", ("running", None)),
    ("and still none", "10:30 reply", "11:00", ("breached", None)),
    (
        "the plan after it",
        "10:30 reply; 10:50 plan_of_action=patch",
        "12:00",
        ("met", "Mon 03-02 10:50"),
    ),
    (
        "the plan before it",
        "10:20 plan_of_action=patch; 10:40 reply",
        "12:00",
        ("met", "Mon 03-02 10:40"),
    ),
    (
        "the plan at the due",
        "10:30 reply; 11:00 plan_of_action=patch",
        "12:00",
        ("breached", "Mon 03-02 11:00"),
    ),
    (
        "the plan a second before",
        "10:30 reply; 10:59:59 plan_of_action=patch",
        "12:00",
        ("met", "Mon 03-02 10:59:59"),
    ),
    (
        "a plan that was dropped",
        "10:20 plan_of_action=patch; 10:25 plan_of_action=; 10:30 reply",
        "10:40",
        ("running", None),
    ),
    ("a plan alone is no answer", "10:20 plan_of_action=patch", "10:40", ("running", None)),
    ("the solve without either", "10:40 status=solved", "12:00", ("met", "Mon 03-02 10:40")),
    (
        "the solve after a reply without a plan",
        "10:20 reply; 10:40 status=solved",
        "12:00",
        ("met", "Mon 03-02 10:40"),
    ),
]


@pytest.mark.parametrize(
    ("events", "now", "expected"),
    [row[1:] for row in FULFILLED],
    ids=[row[0] for row in FULFILLED],
)
def test_the_response_is_the_later_of_reply_and_plan_of_action(
    events: str, now: str, expected: tuple[str, str | None]
) -> None:
    dated = "; ".join(f"03-02 {one}" for one in events.split("; "))
    found = judged(reported("03-02 10:00", "sev1", dated), f"03-02 {now}")
    assert (state(found), shown(found.metrics[0].fulfilled_at, FIXED)) == expected


def test_without_a_field_for_the_plan_the_reply_is_the_response() -> None:
    mapped = [name for name in MAPPED if name != "plan_of_action"]
    ticket = reported("03-02 10:00", "sev1", "03-02 10:30 reply", mapped=mapped)
    found = judged(ticket, "03-02 12:00")
    assert (state(found), "plan-of-action" in gaps(found)) == ("met", True)


def test_a_complaint_is_acknowledged_by_the_reply_alone() -> None:
    ticket = reported("03-02 10:00", events="03-02 10:30 reply", kind="complaint")
    found = judged(ticket, "03-02 12:00")
    assert (state(found), shown(found.metrics[0].fulfilled_at, FIXED)) == ("met", "Mon 03-02 10:30")
    assert "plan-of-action" not in gaps(found)


# ------------------------------------------------------------------------------------ information

ADVISORY = """
contract: advisory
policy: infocyte
overrides: {information: {gate: advisory}}
"""
GATE: list[tuple[str, dict[str, Any], str, str, tuple[str, str | None, bool]]] = [
    # why, a sev2 of Friday 10:00 (due 14:00) with these values, events, now,
    # (state, due, information missing)
    ("complete at the report", {}, "", "10:00", ("running", "Fri 03-06 14:00", False)),
    ("something is missing", {"product": None}, "", "13:00", ("not_started", None, True)),
    ("no description", {"description": None}, "", "13:00", ("not_started", None, True)),
    (
        "supplied at noon",
        {"product": None},
        "03-06 12:00 product=agent",
        "12:00",
        ("running", "Fri 03-06 16:00", False),
    ),
    (
        "the later of two",
        {"product": None, "operating_system": None},
        "03-06 12:00 product=agent; 03-06 13:00 operating_system=linux",
        "13:00",
        ("running", "Fri 03-06 17:00", False),
    ),
    (
        "supplied on Friday night",
        {"product": None},
        "03-06 23:00 product=agent",
        "23:00",
        ("running", "Mon 03-09 03:00", False),
    ),
    (
        "emptied later it stays complete",
        {"product": None},
        "03-06 11:00 product=agent; 03-06 11:30 product=",
        "12:00",
        ("running", "Fri 03-06 15:00", False),
    ),
    (
        "emptied before the rest came",
        {"product": None, "operating_system": None},
        "03-06 11:00 product=agent; 03-06 11:30 product=; 03-06 12:00 operating_system=linux",
        "12:30",
        ("not_started", None, True),
    ),
    (
        "an earlier request without its number",
        {"refers_to_earlier": "true"},
        "",
        "13:00",
        ("not_started", None, True),
    ),
    (
        "the number follows",
        {"refers_to_earlier": "true"},
        "03-06 12:00 reference=4711",
        "12:00",
        ("running", "Fri 03-06 16:00", False),
    ),
    (
        "it was no earlier request after all",
        {"refers_to_earlier": "true"},
        "03-06 11:00 refers_to_earlier=",
        "12:00",
        ("running", "Fri 03-06 15:00", False),
    ),
    (
        "found out after the start",
        {},
        "03-06 11:00 refers_to_earlier=true",
        "12:00",
        ("running", "Fri 03-06 14:00", False),
    ),
    (
        "answered before it was complete",
        {"product": None},
        "03-06 11:00 reply; 03-06 11:00 plan_of_action=ask; 03-06 12:00 product=agent",
        "19:00",
        ("met", None, False),
    ),
    (
        "answered, and still incomplete",
        {"product": None},
        "03-06 11:00 reply; 03-06 18:00 plan_of_action=ask",
        "19:00",
        ("met", None, True),
    ),
    (
        "replied without a plan, and incomplete",
        {"product": None},
        "03-06 11:00 reply",
        "19:00",
        ("not_started", None, True),
    ),
    (
        "solved while it was incomplete",
        {"product": None},
        "03-06 19:00 status=solved",
        "20:00",
        ("met", None, False),
    ),
]


@pytest.mark.parametrize(
    ("values", "events", "now", "expected"), [row[1:] for row in GATE], ids=[r[0] for r in GATE]
)
def test_the_clock_starts_when_the_information_is_complete(
    values: dict[str, Any], events: str, now: str, expected: tuple[str, str | None, bool]
) -> None:
    found = judged(reported("Fri 03-06 10:00", "sev2", events, **values), f"03-06 {now}")
    missing = "sla_info_missing" in found.tags
    assert (state(found), due(found), missing) == expected
    assert (state(found) == "not_started") == ("not_started" in codes(found))


def test_a_field_that_is_not_mapped_holds_nothing_up_and_is_a_gap() -> None:
    mapped = [name for name in MAPPED if name not in ("product", "reference")]
    ticket = reported("03-06 10:00", mapped=mapped)
    values = {name: value for name, value in ticket.values.items() if name != "product"}
    found = judged(replace(ticket, values=values), "03-06 10:00")
    assert due(found) == "Fri 03-06 14:00"
    unmapped = [gap for gap in found.gaps if gap.startswith("not_mapped")]
    assert [name for gap in unmapped for name in ("product", "reference") if name in gap] == [
        "product",
        "reference",
    ]


def test_an_advisory_gate_starts_the_clock_and_still_says_what_is_missing() -> None:
    found = judged(reported("03-06 10:00", product=None), "03-06 10:00", ADVISORY)
    assert due(found) == "Fri 03-06 14:00"
    assert "sla_info_missing" in found.tags


def test_a_complaint_is_not_held_up_by_what_it_does_not_say() -> None:
    ticket = reported("Mon 03-02 10:00", kind="complaint", product=None, description=None)
    found = judged(ticket, "Mon 03-02 10:00")
    assert (due(found), state(found)) == ("Wed 03-04 10:00", "running")
    assert "sla_info_missing" not in found.tags


def test_what_severity_4_does_not_say_is_asked_for_without_a_state_tag() -> None:
    found = judged(reported("03-02 10:00", "sev4", product=None), "03-02 12:00")
    assert (state(found), tags(found)) == ("not_started", ["info_missing", "sev_sev4"])


LATE_START = [
    # why, values, events, whether the two readings of the start differ
    ("complete at the report", {}, "", False),
    ("missing", {"product": None}, "", True),
    ("supplied later", {"product": None}, "03-06 12:00 product=agent", True),
]


@pytest.mark.parametrize(
    ("values", "events", "rests"), [r[1:] for r in LATE_START], ids=[r[0] for r in LATE_START]
)
def test_a_start_that_moved_rests_on_the_reading_of_it(
    values: dict[str, Any], events: str, rests: bool
) -> None:
    found = judged(reported("03-06 10:00", "sev2", events, **values), "03-06 13:00")
    assert ("clock-start" in gaps(found)) == rests


# ------------------------------------------------------------------------------------- complaints

CYCLES: list[tuple[str, str, str, tuple[str | None, str | None, bool]]] = [
    # why, events of a complaint of Monday 03-02 10:00, now, (next update, state, review overdue)
    ("nothing before the acknowledgement", "", "Wed 03-04 12:00", (None, None, False)),
    (
        "a week from the acknowledgement",
        "03-03 11:00 reply",
        "Tue 03-03 12:00",
        ("Tue 03-10 11:00", "running", False),
    ),
    (
        "three quarters of the week",
        "03-03 11:00 reply",
        "Sun 03-08 17:00",
        ("Tue 03-10 11:00", "at_risk", False),
    ),
    (
        "a reply within the week is no relief",
        "03-03 11:00 reply; 03-05 12:00 reply",
        "Fri 03-06 12:00",
        ("Tue 03-10 11:00", "running", False),
    ),
    (
        "a second before the week is over",
        "03-03 11:00 reply",
        "Tue 03-10 10:59:59",
        ("Tue 03-10 11:00", "at_risk", False),
    ),
    (
        "when it is over",
        "03-03 11:00 reply",
        "Tue 03-10 11:00",
        ("Tue 03-10 11:00", "at_risk", True),
    ),
    (
        "a second after it",
        "03-03 11:00 reply",
        "Tue 03-10 11:00:01",
        ("Tue 03-10 11:00", "breached", True),
    ),
    (
        "the reply comes at that instant",
        "03-03 11:00 reply; 03-10 11:00 reply",
        "Tue 03-10 11:00",
        ("Tue 03-17 11:00", "running", True),
    ),
    (
        "a late reply starts the next week, and the review stays overdue",
        "03-03 11:00 reply; 03-11 15:00 reply",
        "Wed 03-11 15:00",
        ("Wed 03-18 15:00", "running", True),
    ),
    (
        "then every reply counts",
        "03-03 11:00 reply; 03-11 15:00 reply; 03-12 09:00 reply",
        "Fri 03-13 15:00",
        ("Thu 03-19 09:00", "running", True),
    ),
    (
        "a promise within the next week",
        "03-03 11:00 reply; 03-10 15:00 reply; 03-10 15:01 promised_update_at=2026-03-12T15:00:00Z",
        "Tue 03-10 16:00",
        ("Thu 03-12 10:00", "running", True),
    ),
    (
        "a promise after it gives no relief",
        "03-03 11:00 reply; 03-10 15:00 reply; 03-10 15:01 promised_update_at=2026-03-30T15:00:00Z",
        "Tue 03-10 16:00",
        ("Tue 03-17 15:00", "running", True),
    ),
    (
        "a promise in the first week",
        "03-03 11:00 reply; 03-03 11:01 promised_update_at=2026-03-06T15:00:00Z",
        "Wed 03-04 11:00",
        ("Fri 03-06 10:00", "running", False),
    ),
    (
        "solved in time",
        "03-03 11:00 reply; 03-09 10:00 status=solved",
        "Thu 03-12 10:00",
        ("Tue 03-10 11:00", "met", False),
    ),
    (
        "solved too late",
        "03-03 11:00 reply; 03-11 10:00 status=solved",
        "Thu 03-12 10:00",
        ("Tue 03-10 11:00", "breached", False),
    ),
    (
        "reopened within the week",
        "03-03 11:00 reply; 03-04 10:00 status=solved; 03-05 10:00 status=open",
        "Thu 03-05 10:00",
        ("Tue 03-10 11:00", "running", False),
    ),
    (
        "reopened after it",
        "03-03 11:00 reply; 03-09 10:00 status=solved; 03-12 10:00 status=open",
        "Thu 03-12 10:00",
        ("Thu 03-19 10:00", "running", True),
    ),
    # the solve was the acknowledgement, since nobody had answered
    (
        "solved at once and reopened",
        "03-03 10:00 status=solved; 03-03 12:00 status=open",
        "Tue 03-03 12:00",
        ("Tue 03-10 10:00", "running", False),
    ),
]


@pytest.mark.parametrize(
    ("events", "now", "expected"), [row[1:] for row in CYCLES], ids=[row[0] for row in CYCLES]
)
def test_a_complaint_is_followed_up_every_week(
    events: str, now: str, expected: tuple[str | None, str | None, bool]
) -> None:
    ticket = reported("Mon 03-02 10:00", events=events, kind="complaint")
    found = judged(ticket, now)
    overdue = "sla_complaint_review_overdue" in found.tags
    assert (due(found, UPDATE), state(found, UPDATE), overdue) == expected


def test_the_week_of_the_review_is_counted_over_a_change_of_the_clocks() -> None:
    ticket = reported("Tue 03-03 10:00", events="03-03 11:00 reply", kind="complaint")
    found = evaluate(ticket, infocyte(NEW_YORK), local("Tue 03-03 12:00", NEW_YORK))
    # 168 hours later, when New York has gone to summer time
    assert due(found, UPDATE, NEW_YORK) == "Tue 03-10 12:00"


def test_other_requests_have_no_weekly_update() -> None:
    events = "03-03 11:00 reply; 03-03 11:00 plan_of_action=patch"
    found = judged(reported("03-02 10:00", "sev3", events), "03-20 10:00")
    assert (found.metric(UPDATE), "sla_complaint_review_overdue" in found.tags) == (None, False)


def test_an_update_that_was_promised_is_timed_for_every_request() -> None:
    events = (
        "03-02 11:00 reply; 03-02 11:00 plan_of_action=patch; "
        "03-02 11:01 promised_update_at=2026-03-03T15:00:00Z"
    )
    found = judged(reported("03-02 10:00", "sev2", events), "03-02 12:00")
    assert due(found, UPDATE) == "Tue 03-03 10:00"


EXECUTIVE: list[tuple[str, str, str, bool]] = [
    # why, kind, events after the report on Monday 03-02 10:00, for the chief executive
    ("a complaint alone", "complaint", "03-03 11:00 reply", False),
    ("the field", "complaint", "03-03 11:00 executive_review=true", True),
    ("a bad rating", "complaint", "03-04 10:00 status=solved; 03-05 10:00 rating=bad", True),
    ("a good rating", "complaint", "03-04 10:00 status=solved; 03-05 10:00 rating=good", False),
    ("a reopen", "complaint", "03-04 10:00 status=solved; 03-05 10:00 status=open", True),
    (
        "kept when it is solved again",
        "complaint",
        "03-04 10:00 status=solved; 03-05 10:00 status=open; 03-06 10:00 status=solved",
        True,
    ),
    ("no complaint", "incident", "03-04 10:00 status=solved; 03-05 10:00 rating=bad", False),
    ("no complaint, reopened", "incident", "03-04 10:00 status=solved; 03-05 10:00 status=open",
     False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "events", "expected"), [row[1:] for row in EXECUTIVE], ids=[r[0] for r in EXECUTIVE]
)
def test_who_remains_dissatisfied_comes_before_the_chief_executive(
    kind: str, events: str, expected: bool
) -> None:
    found = judged(reported("03-02 10:00", events=events, kind=kind), "03-09 10:00")
    assert ("sla_executive_review" in found.tags) == expected


FIRST = {"ticket_number"}
REVIEW = {"complaint_review", "complaint_outcome"}
DUTIES: list[tuple[str, str, str, str, set[str]]] = [
    # why, kind, events after the report on Monday 03-02 10:00, now, duties that are open
    ("a new request", "incident", "", "03-02 10:00", FIRST),
    ("answered", "incident", "03-02 11:00 reply", "03-02 12:00", set()),
    ("in a window", "incident", "03-02 11:00 maintenance=true", "03-02 12:00",
     {"ticket_number", "maintenance_window"}),
    ("solved", "incident", "03-02 11:00 status=solved", "03-02 12:00", {"rating_mail"}),
    ("closed", "question", "03-02 11:00 status=closed", "03-02 12:00", {"rating_mail"}),
    ("a complaint", "complaint", "", "03-02 10:00", FIRST | REVIEW | {"same_method"}),
    ("acknowledged", "complaint", "03-02 11:00 reply", "03-02 12:00", REVIEW),
    ("after a week", "complaint", "03-02 11:00 reply", "03-09 11:00",
     REVIEW | {"complaint_review_overdue"}),
    ("closed complaint", "complaint", "03-02 11:00 status=solved", "03-20 11:00", {"rating_mail"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "events", "now", "expected"), [row[1:] for row in DUTIES], ids=[r[0] for r in DUTIES]
)
def test_duties(kind: str, events: str, now: str, expected: set[str]) -> None:
    found = judged(reported("03-02 10:00", events=events, kind=kind), now)
    assert {one.duty.id for one in found.duties} == expected
    assert codes(found).count("duty") == len(expected)


# ----------------------------------------------------------------------------- plans and contracts

ACME = """
contract: acme
policy: infocyte
plan: patrol
organizations: ["77"]
domains: [acme.example]
valid_from: 2026-03-01
valid_to: 2026-03-28
"""
CONTRACTED: list[tuple[str, str, dict[str, Any], str]] = [
    # why, reported (a sev1), whose, due
    ("a second before it", "Sat 02-28 23:59:59", {"organization": "77"}, "Mon 03-02 01:00"),
    ("its first second", "Sun 03-01 00:00", {"organization": "77"}, "Sun 03-01 01:00"),
    ("its last second", "Sat 03-28 23:59:59", {"organization": "77"}, "Sun 03-29 00:59:59"),
    ("the day after", "Sun 03-29 00:00", {"organization": "77"}, "Mon 03-30 01:00"),
    ("another customer", "Sun 03-01 00:00", {"organization": "78"}, "Mon 03-02 01:00"),
    ("by its domain", "Sun 03-01 00:00", {"domains": ["acme.example"]}, "Sun 03-01 01:00"),
    (
        "above the plan of the ticket",
        "Sun 03-01 00:00",
        {"organization": "77", "plans": ["enlist"]},
        "Sun 03-01 01:00",
    ),
    (
        "over, the plan of the ticket holds",
        "Sun 03-29 00:00",
        {"organization": "77", "plans": ["command"]},
        "Sun 03-29 01:00",
    ),
]


@pytest.mark.parametrize(
    ("at", "whose", "expected"), [row[1:] for row in CONTRACTED], ids=[r[0] for r in CONTRACTED]
)
def test_a_contract_grants_a_plan_to_tickets_that_are_reported_in_its_days(
    at: str, whose: dict[str, Any], expected: str
) -> None:
    ticket = reported(at, "sev1", **{"plans": (), **whose})
    # what was reported under a contract stays under it
    found = evaluate(ticket, infocyte(FIXED, ACME), local("Mon 05-04 10:00", FIXED))
    assert due(found) == expected


ENTITLED: list[tuple[str, tuple[str, ...], dict[str, Any], list[str], list[str]]] = [
    # why, plans, entitlement, lines about it, gaps of grade E
    (
        "enlist",
        ENLIST,
        {"plan": "enlist", "plans": ["enlist"], "contract": None, "assumed": False},
        ["plan"],
        ["enlist-hours"],
    ),
    (
        "patrol rests on nothing",
        PATROL,
        {"plan": "patrol", "plans": ["patrol"], "contract": None, "assumed": False},
        ["plan"],
        [],
    ),
    (
        "nor does command",
        COMMAND,
        {"plan": "command", "plans": ["command"], "contract": None, "assumed": False},
        ["plan"],
        [],
    ),
    (
        "assessment",
        ASSESSMENT,
        {"plan": "assessment", "plans": ["assessment"], "contract": None, "assumed": False},
        ["plan"],
        ["assessment-hours", "enlist-hours"],
    ),
    (
        "no plan",
        (),
        {"plan": "enlist", "plans": ["enlist"], "contract": None, "assumed": True},
        ["plan_default"],
        ["entitlement_unknown", "enlist-hours"],
    ),
    (
        "an unknown plan",
        ("gold",),
        {"plan": "enlist", "plans": ["enlist"], "contract": None, "assumed": True},
        ["plan_default", "plan_unknown"],
        ["entitlement_unknown", "enlist-hours"],
    ),
]


@pytest.mark.parametrize(
    ("plans", "entitlement", "lines", "errors"),
    [row[1:] for row in ENTITLED],
    ids=[row[0] for row in ENTITLED],
)
def test_the_answer_says_on_which_plan_it_rests(
    plans: tuple[str, ...], entitlement: dict[str, Any], lines: list[str], errors: list[str]
) -> None:
    found = judged(reported("03-02 10:00", plans=plans), "03-02 10:00")
    assert as_json(found)["entitlement"] == entitlement
    assert [code for code in codes(found) if code.startswith("plan")] == lines
    policy = infocyte()
    graded = [one for one in gaps(found) if policy.gaps[one].grade is Grade.ERROR]
    assert graded == errors
    assert ("sla_policy_gap" in found.tags) == bool(errors)


def test_every_plan_has_a_contract_file() -> None:
    assert {path.stem for path in CONTRACTS.glob("infocyte-*.yaml")} == set(PLANS)


def test_a_second_plan_that_is_no_later_is_named() -> None:
    ticket = reported("Sat 03-07 03:00", "sev1", plans=("enlist", "patrol"))
    found = judged(ticket, "Sat 03-07 03:00")
    assert [shown(one.course.due_at, FIXED) for one in found.metrics[0].others] == [
        "Mon 03-09 01:00"
    ]
    assert codes(found).count("also") == 1


# ------------------------------------------------------------------------------- waits and windows

WINDOW = {
    "maintenance": "true",
    "maintenance_from": "2026-03-02T16:00:00Z",
    "maintenance_to": "2026-03-02T17:00:00Z",
}
PAUSING = """
contract: window
policy: infocyte
organizations: ["77"]
overrides: {waiting: {maintenance: pause}}
"""


def test_a_maintenance_window_is_shown_and_stops_nothing() -> None:
    found = judged(reported("03-02 10:00", **WINDOW), "03-02 11:30")
    assert due(found) == "Mon 03-02 14:00"
    assert {"wait_run", "duty"} <= set(codes(found))
    texts = [line["text"] for line in as_json(found)["explanation"]]
    assert any("maintenance window" in text for text in texts)


def test_a_maintenance_window_stops_the_clock_where_a_contract_says_so() -> None:
    ticket = reported("03-02 10:00", organization="77", **WINDOW)
    during, after = (judged(ticket, f"03-02 {now}", PAUSING) for now in ("11:30", "12:00"))
    assert (state(during), due(during)) == ("paused", None)
    assert shown(during.next_change_at, FIXED) == "Mon 03-02 12:00"
    assert (state(after), due(after)) == ("running", "Mon 03-02 15:00")


@pytest.mark.parametrize("status", ["pending", "on_hold"])
def test_waiting_stops_no_clock(status: str) -> None:
    found = judged(reported("03-02 10:00", events=f"03-02 10:05 status={status}"), "03-02 14:00")
    assert (state(found), tags(found)) == (
        "breached",
        ["first_response_breached", "policy_gap", "sev_sev2"],
    )


FLAGS = ["customer", "third_party", "access", "maintenance", "commercial_hold", "suspended"]


@pytest.mark.parametrize("flag", [*FLAGS, "information"])
def test_no_cause_of_waiting_stops_the_clock(flag: str) -> None:
    found = judged(reported("03-02 10:00", **{flag: "true"}), "03-02 14:00")
    assert state(found) == "breached"
    assert "wait_run" in codes(found)


# --------------------------------------------------------------------------- tags, gaps, and change

TAGS: list[tuple[str, dict[str, Any], str, str, list[str]]] = [
    # why, values at the report on Monday 03-02 10:00, events, now, all tags without the prefix
    ("patrol, running", {"plans": PATROL}, "", "03-02 10:00", ["sev_sev2"]),
    ("enlist, running", {}, "", "03-02 10:00", ["policy_gap", "sev_sev2"]),
    (
        "at risk",
        {"plans": PATROL},
        "",
        "03-02 13:00",
        ["first_response_at_risk", "sev_sev2"],
    ),
    (
        "not started",
        {"plans": PATROL, "product": None},
        "",
        "03-02 13:00",
        ["first_response_not_started", "info_missing", "sev_sev2"],
    ),
    ("solved in time", {}, "03-02 13:00 status=solved", "03-03 13:00", ["sev_sev2"]),
    (
        "solved too late",
        {},
        "03-02 15:00 status=solved",
        "03-03 13:00",
        ["first_response_breached", "sev_sev2"],
    ),
    (
        "a complaint in its second week",
        {"kind": "complaint"},
        "03-05 10:00 reply",
        "03-13 10:00",
        [
            "complaint_review_overdue",
            "first_response_breached",
            "next_update_breached",
            "policy_gap",
            "sev_sev2",
        ],
    ),
    (
        "a complaint that came back is kept in sight",
        {"kind": "complaint"},
        "03-03 10:00 reply; 03-04 10:00 status=solved; 03-05 10:00 status=open; "
        "03-06 10:00 status=solved",
        "03-20 10:00",
        ["executive_review", "sev_sev2"],
    ),
    ("deleted", {"cancelled": "deleted"}, "", "03-03 10:00", ["policy_gap", "sev_sev2"]),
]


@pytest.mark.parametrize(
    ("values", "events", "now", "expected"), [row[1:] for row in TAGS], ids=[r[0] for r in TAGS]
)
def test_tags_exactly(values: dict[str, Any], events: str, now: str, expected: list[str]) -> None:
    assert tags(judged(reported("03-02 10:00", events=events, **values), now)) == expected


GAPS: list[tuple[str, str | None, dict[str, Any], list[str]]] = [
    # why, severity, values, gaps in order
    ("patrol says it all", "sev2", {"plans": PATROL}, []),
    ("enlist", "sev2", {}, ["enlist-hours", "enlist-offset"]),
    (
        "by the priority",
        None,
        {"severity": "high", "plans": PATROL},
        ["severity-by-priority"],
    ),
    ("by default", None, {"plans": PATROL}, ["severity-default"]),
    ("severity 4", "sev4", {"plans": PATROL}, ["sev4-clock"]),
    (
        "incomplete",
        "sev2",
        {"plans": PATROL, "product": None},
        ["clock-start", "information-fields"],
    ),
    (
        "a complaint rests on the hours of Enlist",
        "sev2",
        {"kind": "complaint", "plans": PATROL},
        ["business-day", "feedback", "complaint-calendar", "enlist-hours", "enlist-offset"],
    ),
]


@pytest.mark.parametrize(
    ("severity", "values", "expected"), [row[1:] for row in GAPS], ids=[row[0] for row in GAPS]
)
def test_an_evaluation_names_the_gaps_it_rests_on(
    severity: str | None, values: dict[str, Any], expected: list[str]
) -> None:
    assert gaps(judged(reported("03-02 10:00", severity, **values), "03-02 10:00")) == expected


def test_an_incident_does_not_rest_on_the_fields_of_complaints() -> None:
    mapped = [name for name in MAPPED if name not in ("executive_review", "rating")]
    assert gaps(judged(reported("03-02 10:00", plans=PATROL, mapped=mapped), "03-02 10:00")) == []
    complaint = reported("03-02 10:00", kind="complaint", mapped=mapped)
    unmapped = [
        gap for gap in judged(complaint, "03-02 10:00").gaps if gap.startswith("not_mapped")
    ]
    assert len(unmapped) == 1
    assert "executive_review" in unmapped[0]
    assert "rating" in unmapped[0]


NEXT: list[tuple[str, dict[str, Any], str, str, str | None]] = [
    # why, values at the report on Monday 03-02 10:00, events, now, when it reads differently
    ("running", {}, "", "03-02 10:00", "Mon 03-02 13:00"),
    ("at risk", {}, "", "03-02 13:00", "Mon 03-02 14:00"),
    ("late", {}, "", "03-02 14:00", None),
    ("not started", {"product": None}, "", "03-02 10:00", None),
    ("a complaint", {"kind": "complaint"}, "", "03-02 10:00", "Tue 03-03 22:00"),
    ("at risk to late", {"kind": "complaint"}, "", "03-03 22:00", "Wed 03-04 10:00:01"),
    (
        "acknowledged",
        {"kind": "complaint"},
        "03-03 11:00 reply",
        "03-03 12:00",
        "Sun 03-08 17:00",
    ),
    # the duty opens with the week, the metric is late a second after it
    (
        "the review gets overdue",
        {"kind": "complaint"},
        "03-03 11:00 reply",
        "03-08 17:00",
        "Tue 03-10 11:00",
    ),
    (
        "then the update is late",
        {"kind": "complaint"},
        "03-03 11:00 reply",
        "03-10 11:00",
        "Tue 03-10 11:00:01",
    ),
    ("solved", {"kind": "complaint"}, "03-03 11:00 status=solved", "03-04 10:00", None),
]


@pytest.mark.parametrize(
    ("values", "events", "now", "expected"), [row[1:] for row in NEXT], ids=[r[0] for r in NEXT]
)
def test_next_change(values: dict[str, Any], events: str, now: str, expected: str | None) -> None:
    found = judged(reported("03-02 10:00", events=events, **values), now)
    assert shown(found.next_change_at, FIXED) == expected


# ------------------------------------------------------------------- the document, sentence by one

HEADINGS = (
    "Severity Levels & Response Times",
    "Severity 1",
    "Severity 2",
    "Severity 3",
    "Severity 4 - Low / Informational",
    "Acknowledgement of the incident (Initial response time during support hours)",
    "Issue Priority",
    "Response Time",
    "Scheduled Outages and Maintenance Windows",
    "Required Information",
    "Hours of Operation",
    "The Escalation Process",
    "How to Provide Feedback",
)
#: rules of landscape A.4, and where each went
SENTENCES: dict[str, tuple[str, ...]] = {
    "003-1": ("gap entitlement_unknown", "gap several-tiers", "contract infocyte-enlist"),
    "003-2": ("severity rules", "gap priority-unused"),
    "003-3": ("severity rules", "gap severity-by-priority", "gap severity-default"),
    "003-4": ("severity rules", "gap severity-change", "gap severity-roles"),
    "003-5": ("severity sev1",),
    "003-6": ("severity sev2",),
    "003-7": ("severity sev3", "silent resolution", "gap no-resolution"),
    "003-8": ("severity sev4",),
    "003-9": ("target first_response", "gap at-risk"),
    "003-10": ("target first_response", "gap sev4-clock"),
    "003-11": ("duty ticket_number", "severity rules"),
    "003-12": ("fulfilment first_response", "gap plan-of-action"),
    "003-13": ("calendar support",),
    "003-14": ("information", "gap clock-start"),
    "003-15": ("duty maintenance_window", "waiting maintenance", "gap waiting"),
    "003-16": ("information", "gap information-fields"),
    "003-17": ("gap channels",),
    "003-18": ("calendar support",),
    "003-19": (
        "calendar support",
        "contract infocyte-patrol",
        "contract infocyte-command",
        "contract infocyte-assessment",
        "gap enlist-hours",
        "gap enlist-offset",
        "gap assessment-hours",
        "gap holidays",
    ),
    "003-20": ("no rule: which of the channels is preferred binds nobody",),
    "003-20b": ("no rule: it invites the customer to read; private notes never count anyway",),
    "003-21": ("no rule: what the company strives for",),
    "003-22": (
        "target first_response",
        "calendar weekdays",
        "gap business-day",
        "gap complaint-calendar",
        "gap feedback",
    ),
    "003-23": ("duty same_method",),
    "003-24": ("duty complaint_review", "gap complaint-roles"),
    "003-25": (
        "target next_update",
        "duty complaint_review_overdue",
        "gap complaint-week",
        "gap complaint-updates",
    ),
    "003-26": ("duty complaint_outcome",),
    "003-27": ("duty executive_review", "gap dissatisfied"),
    "003-28": ("duty rating_mail",),
    "003-29": ("no rule: an address; what arrives there is a ticket of class complaint",),
    "003-30": ("no rule: residue of the page",),
    "003-31": ("silent resolution", "gap update-cadence", "gap reopen", "gap waiting"),
}


def places(policy: Policy) -> set[str]:
    """What a sentence can have become, by name."""
    return {
        "severity rules",
        "information",
        *(f"severity {one.id}" for one in policy.levels),
        *(f"calendar {name}" for name in policy.calendars),
        *(f"target {one.metric}" for one in policy.targets),
        *(f"silent {metric}" for metric in policy.absent),
        *(f"fulfilment {one.metric}" for one in policy.fulfilments),
        *(f"waiting {cause}" for cause in ("maintenance",) if cause in policy.waiting),
        *(f"duty {one.id}" for one in policy.duties),
        *(f"gap {name}" for name in policy.gaps),
        *(f"contract {one.id}" for one in policy.contracts),
    }


def test_every_sentence_of_the_document_went_somewhere() -> None:
    named = {one for row in SENTENCES.values() for one in row if not one.startswith("no rule: ")}
    assert named <= places(infocyte())


def test_nothing_stands_in_the_policy_without_a_sentence() -> None:
    named = {one for row in SENTENCES.values() for one in row}
    assert places(infocyte()) - named == set()


def test_every_rule_names_a_heading_of_the_document() -> None:
    policy = infocyte()
    # the default severity is ours alone, and says so by its gap
    ruled = [one.source for one in policy.severity_rules if "severity-default" not in one.gaps]
    sources = [
        *ruled,
        policy.information.source,
        *(one.source for one in (*policy.levels, *policy.targets, *policy.fulfilments)),
        *(one.source for one in (*policy.duties, *policy.contracts)),
    ]
    written = YAML(typ="safe").load((POLICIES / "infocyte.yaml").read_text(encoding="utf-8"))
    sources += [one["source"] for one in written["calendars"].values()]
    assert set(sources) == set(HEADINGS)


def test_every_gap_on_which_a_date_depends_is_one_that_a_rule_rests_on() -> None:
    policy = infocyte()
    rested = {"entitlement_unknown", *policy.information.gaps}
    for one in (*policy.severity_rules, *policy.targets, *policy.fulfilments):
        rested.update(one.gaps)
    for layer in (policy, *policy.overlaid()):
        rested.update(*layer.calendar_gaps.values())
    assert rested == {one.id for one in policy.gaps.values() if one.grade is not Grade.INFORMATION}


def test_the_solve_of_a_complaint_that_nobody_answered_begins_no_cycle_of_updates() -> None:
    ticket = reported("03-02 10:00", None, "03-03 12:00 status=solved", kind="complaint")
    found = judged(ticket, "03-04 12:00")
    assert [one.metric for one in found.metrics] == [Metric.FIRST_RESPONSE]
