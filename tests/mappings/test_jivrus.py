"""The policy of 001_87546b2f592a6224.txt: no figures of its own, so they come from elsewhere."""

from datetime import datetime
from itertools import product
from typing import Any

import pytest
from ruamel.yaml import YAML

from mappings.answer import as_json
from mappings.entitlement import TicketException
from mappings.evaluate import Evaluation, evaluate
from mappings.explain import reasons, stored
from mappings.policy import Grade, Metric
from tests.builders import POLICIES, a_ticket, history, local, shipped, shown

LONDON, NEW_YORK, BEIRUT, KOLKATA = (
    "Europe/London",
    "America/New_York",
    "Asia/Beirut",
    "Asia/Kolkata",
)
RESPONSE, UPDATE, RESOLUTION = Metric.FIRST_RESPONSE, Metric.NEXT_UPDATE, Metric.RESOLUTION
#: what the document asks for, filled, and the fields that the account has
FILLED = {"description": "filled", "customer_impact": "some"}
MAPPED = (
    "estimated_resolution_at",
    "promised_update_at",
    "root_cause",
    "preventive_action",
)
HEADINGS = {
    "Incident Management",
    "Ticket Management",
    "Incident and Ticket Resolution",
}
MONDAY = "Mon 03-02 09:00"


def judged(
    at: str = MONDAY,
    now: str | None = None,
    *,
    zone: str = LONDON,
    events: str = "",
    contracts: tuple[str, ...] = (),
    exceptions: tuple[TicketException, ...] = (),
    dues: dict[str, str] | None = None,
    **values: Any,
) -> Evaluation:
    """The ticket that came in `at`, as the policy sees it `now` (at the report if left out).

    `dues` are the helpdesk's own, as the wall in `zone` shows them.
    """
    own = {metric: local(due, zone) for metric, due in (dues or {}).items()}
    values = {"mapped": MAPPED, **FILLED, **values}
    ticket = a_ticket(at=local(at, zone), events=history(events, zone=zone), own_dues=own, **values)
    policy = shipped("jivrus", zone, contracts)
    return evaluate(ticket, policy, local(now or at, zone), exceptions)


def due(found: Evaluation, metric: Metric, zone: str = LONDON) -> str | None:
    one = found.metric(metric)
    return shown(one.outcome.due_at, zone) if one else "absent"


def state(found: Evaluation, metric: Metric) -> str | None:
    one = found.metric(metric)
    return one.state.value if one else None


def tags(found: Evaluation) -> str:
    return " ".join(tag.removeprefix("sla_") for tag in found.tags)


def gaps(found: Evaluation) -> list[str]:
    return [gap.split(":")[0] for gap in found.gaps]


def lines(found: Evaluation, code: str) -> list[dict[str, Any]]:
    """The figures of the lines of the explanation with this code."""
    return [stored(one)["values"] for one in reasons(found) if one.code == code]


def contract(
    overrides: str, name: str = "acme-2026", who: str = 'organizations: ["42"]', more: str = ""
) -> str:
    return f"contract: {name}\npolicy: jivrus\n{who}\noverrides: {overrides}\n{more}\n"


RESOLVES = contract("{targets: {resolution: [{limit: 8h}]}}")
BOTH = contract("{targets: {first_response: [{limit: 1h}], resolution: [{limit: 8h}]}}")
ACME = {"organization": "42"}


def test_without_a_contract_and_without_dates_of_the_helpdesk_nothing_is_computed() -> None:
    found = judged(now="03-09 09:00")
    assert (found.metrics, found.state, found.next_due_at, found.next_change_at) == (
        (),
        None,
        None,
        None,
    )
    assert tags(found) == "eta_missing policy_gap sev_p3"
    assert gaps(found) == [
        "levels",
        "severity-default",
        "no-response-time",
        "no-update-time",
        "no-resolution-time",
    ]
    assert [one["metric"] for one in lines(found, "silent")] == list(Metric)


INHERITED = [
    # why, zone, reported, metric, helpdesk's due, now -> state, at risk from
    ("running", LONDON, MONDAY, "first_response", "Mon 03-02 10:00", "Mon 03-02 09:44:59",
     "running", "Mon 03-02 09:45"),
    ("three quarters of the elapsed time", LONDON, MONDAY, "first_response", "Mon 03-02 10:00",
     "Mon 03-02 09:45", "at_risk", "Mon 03-02 09:45"),
    ("the due itself is within", LONDON, MONDAY, "first_response", "Mon 03-02 10:00",
     "Mon 03-02 10:00", "at_risk", "Mon 03-02 09:45"),
    ("a target: late is breached", LONDON, MONDAY, "first_response", "Mon 03-02 10:00",
     "Mon 03-02 10:00:01", "breached", "Mon 03-02 09:45"),
    ("it may lie at night and on a Sunday", LONDON, "Fri 03-06 18:00", "resolution",
     "Sun 03-08 02:00", "Sat 03-07 12:00", "running", "Sat 03-07 18:00"),
    # the clocks skip an hour: 23 hours elapse, of which 17:15 are three quarters
    ("London springs forward", LONDON, "Sat 03-28 09:00", "resolution", "Sun 03-29 09:00",
     "Sun 03-29 03:14:59", "running", "Sun 03-29 03:15"),
    # they repeat one: 25 hours elapse, of which 18:45 are three quarters
    ("New York falls back", NEW_YORK, "Sat 10-31 09:00", "resolution", "Sun 11-01 09:00",
     "Sun 11-01 02:45", "at_risk", "Sun 11-01 02:45"),
    ("Beirut falls back at midnight", BEIRUT, "Sat 10-24 20:00", "resolution", "Sun 10-25 03:00",
     "Sun 10-25 01:00", "at_risk", "Sun 10-25 01:00"),
    ("Kolkata, by seconds", KOLKATA, "Mon 03-02 09:00:01", "next_update", "Mon 03-02 09:00:11",
     "Mon 03-02 09:00:09", "at_risk", "Mon 03-02 09:00:09"),
    # a date before the report, as a helpdesk may give it when the priority was raised
    ("before its own start", LONDON, MONDAY, "resolution", "Mon 03-02 08:00", MONDAY, "breached",
     "Mon 03-02 08:00"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "at", "metric", "own", "now", "word", "risk"),
    [row[1:] for row in INHERITED],
    ids=[f"{row[0]}, {row[3]}" for row in INHERITED],
)
def test_the_helpdesks_own_date_is_taken_as_it_stands(
    zone: str, at: str, metric: str, own: str, now: str, word: str, risk: str
) -> None:
    found = judged(at, now, zone=zone, dues={metric: own})
    (one,) = found.metrics
    outcome = one.outcome
    assert (one.metric, shown(outcome.due_at, zone), one.state) == (metric, own, word)
    assert shown(outcome.at_risk_at, zone) == risk
    assert (one.promise.clock, one.promise.course.commitment) == ("elapsed", "target")
    assert (outcome.aim_at, one.promise.course.strict) == (None, False)


def test_each_metric_is_taken_by_itself() -> None:
    dues = {"first_response": "Mon 03-02 11:00", "resolution": "Wed 03-04 17:00"}
    for held in ({}, *({name: due} for name, due in dues.items()), dues):
        found = judged(dues=held)
        assert {one.metric.value: due(found, one.metric) for one in found.metrics} == held
        asked = {
            "first_response": "no-response-time",
            "next_update": "no-update-time",
            "resolution": "no-resolution-time",
        }
        expected = [gap for metric, gap in asked.items() if metric not in held]
        assert [gap for gap in gaps(found) if gap.startswith("no-")] == expected
        assert ("inherited-dates" in gaps(found)) == bool(held)
        # both dates are there, or a date that cannot be computed is missing
        assert ("sla_policy_gap" in found.tags) == (held != dues)


def test_waits_move_no_inherited_date() -> None:
    dues = {"first_response": "Mon 03-02 10:00", "resolution": "Mon 03-02 17:00"}
    for status in ("pending", "on_hold"):
        events = f"03-02 09:05 status={status}; 03-02 16:00 status=open"
        found = judged(now="03-02 16:59", dues=dues, events=events)
        assert (due(found, RESPONSE), state(found, RESPONSE)) == ("Mon 03-02 10:00", "breached")
        assert (due(found, RESOLUTION), state(found, RESOLUTION)) == ("Mon 03-02 17:00", "at_risk")


LIFE = [
    # why, events, now -> first response, resolution, tags; own dates 10:00 and 17:00
    ("fresh", "", "09:00", "running", "running", "eta_missing sev_p3"),
    ("response at risk", "", "09:45", "at_risk", "running",
     "eta_missing first_response_at_risk sev_p3"),
    ("response late", "", "10:00:01", "breached", "running",
     "eta_missing first_response_breached sev_p3"),
    ("both at their end", "", "17:00:01", "breached", "breached",
     "eta_missing first_response_breached resolution_breached sev_p3"),
    ("a reply without an estimate is a response", "03-02 09:30 reply", "09:31", "met", "running",
     "eta_missing sev_p3"),
    ("with an estimate", "03-02 09:30 reply; 03-02 09:30 estimated_resolution_at=2026-03-02T16:00",
     "09:31", "met", "running", "sev_p3"),
    ("solved without a reply", "03-02 09:30 status=solved", "09:31", "met", "met", "sev_p3"),
    ("solved late", "03-02 18:00 status=solved", "18:01", "breached", "breached",
     "first_response_breached resolution_breached sev_p3"),
    ("reopened, the date stands", "03-02 09:30 status=solved; 03-02 16:59 status=open", "17:00",
     "met", "at_risk", "eta_missing resolution_at_risk sev_p3"),
    ("deleted", "03-02 09:30 cancelled=deleted", "18:00", "cancelled", "cancelled",
     "eta_missing sev_p3"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("events", "now", "first", "resolution", "expected"),
    [row[1:] for row in LIFE],
    ids=[row[0] for row in LIFE],
)
def test_states_over_time(
    events: str, now: str, first: str, resolution: str, expected: str
) -> None:
    dues = {"first_response": "Mon 03-02 10:00", "resolution": "Mon 03-02 17:00"}
    found = judged(now=f"03-02 {now}", events=events, dues=dues)
    assert (state(found, RESPONSE), state(found, RESOLUTION)) == (first, resolution)
    assert tags(found) == expected


REOPENS = [
    # why, events, now -> due, state; 8 elapsed hours from Monday 09:00
    ("of section 7", "03-02 12:00 status=solved; 03-02 15:00 status=open", "Mon 03-02 15:00",
     "Mon 03-02 17:00", "at_risk"),
    ("the time while solved counts", "03-02 09:10 status=solved; 03-02 14:59:59 status=open",
     "Mon 03-02 14:59:59", "Mon 03-02 17:00", "running"),
    ("while solved", "03-02 12:00 status=solved", "Tue 03-03 12:00", "Mon 03-02 17:00", "met"),
    ("reopened past the due", "03-02 12:00 status=solved; 03-03 09:00 status=open",
     "Tue 03-03 09:00", "Mon 03-02 17:00", "breached"),
    ("and solved again", "03-02 12:00 status=solved; 03-02 15:00 status=open; "
     "03-02 17:00 status=solved", "Tue 03-03 09:00", "Mon 03-02 17:00", "met"),
    ("a second too late", "03-02 12:00 status=solved; 03-02 15:00 status=open; "
     "03-02 17:00:01 status=solved", "Tue 03-03 09:00", "Mon 03-02 17:00", "breached"),
    ("closed is solved", "03-02 12:00 status=closed", "Tue 03-03 12:00", "Mon 03-02 17:00", "met"),
    ("the customer is awaited all day", "03-02 09:01 status=pending", "Mon 03-02 17:00:01",
     "Mon 03-02 17:00", "breached"),
    ("a third party is awaited all day", "03-02 09:01 status=on_hold", "Mon 03-02 17:00:01",
     "Mon 03-02 17:00", "breached"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("events", "now", "expected", "word"), [row[1:] for row in REOPENS], ids=[r[0] for r in REOPENS]
)
def test_the_resolution_is_measured_from_the_report_without_a_pause(
    events: str, now: str, expected: str, word: str
) -> None:
    found = judged(now=now, events=events, contracts=(RESOLVES,), **ACME)
    assert (due(found, RESOLUTION), state(found, RESOLUTION)) == (expected, word)
    (outcome,) = (one.outcome for one in found.metrics if one.metric is RESOLUTION)
    assert (outcome.excused, outcome.paused) == (None, ())


@pytest.mark.parametrize(
    "flag",
    [
        "customer",
        "third_party",
        "access",
        "maintenance",
        "commercial_hold",
        "suspended",
        "information",
    ],
)
def test_no_cause_of_waiting_stops_the_clock(flag: str) -> None:
    found = judged(
        now="03-02 17:00:01", events=f"03-02 09:01 {flag}=yes", contracts=(RESOLVES,), **ACME
    )
    assert (due(found, RESOLUTION), state(found, RESOLUTION)) == ("Mon 03-02 17:00", "breached")
    (outcome,) = (one.outcome for one in found.metrics if one.metric is RESOLUTION)
    assert (outcome.excused, outcome.paused) == (None, ())
    assert len(lines(found, "wait_run")) == 1


ELAPSED = [
    # why, zone, reported -> due of 8 elapsed hours
    ("over the night", LONDON, "Mon 03-02 20:00", "Tue 03-03 04:00"),
    ("over the weekend", LONDON, "Fri 03-06 23:30", "Sat 03-07 07:30"),
    ("London skips an hour", LONDON, "Sat 03-28 20:00", "Sun 03-29 05:00"),
    ("London repeats an hour", LONDON, "Sat 10-24 20:00", "Sun 10-25 03:00"),
    ("New York skips an hour", NEW_YORK, "Sun 03-08 01:59:59", "Sun 03-08 10:59:59"),
    ("New York repeats an hour", NEW_YORK, "Sun 11-01 00:30", "Sun 11-01 07:30"),
    ("Beirut skips the first hour of the day", BEIRUT, "Sat 03-28 23:30", "Sun 03-29 08:30"),
    ("Beirut repeats the last one", BEIRUT, "Sat 10-24 20:00", "Sun 10-25 03:00"),
    ("into the new year", KOLKATA, "Thu 12-31 18:00", "Fri 2027-01-01 02:00"),
]


@pytest.mark.parametrize(
    ("zone", "at", "expected"), [row[1:] for row in ELAPSED], ids=[row[0] for row in ELAPSED]
)
def test_a_contract_without_hours_counts_every_hour(zone: str, at: str, expected: str) -> None:
    found = judged(at, zone=zone, contracts=(RESOLVES,), **ACME)
    assert due(found, RESOLUTION, zone) == expected
    # nothing rests on the zone: no hours are named
    assert not any(gap.startswith("time zone") for gap in found.gaps)


def test_the_report_starts_the_clock_also_where_it_was_logged_late() -> None:
    found = judged(reported=local("03-02 07:30"), contracts=(BOTH,), **ACME)
    assert due(found, RESPONSE) == "Mon 03-02 08:30"
    assert due(found, RESOLUTION) == "Mon 03-02 15:30"


OFFICE = """\
contract: acme-office
policy: jivrus
organizations: ["42"]
overrides:
  calendars:
    office:
      time_zone: Asia/Kolkata
      week: {mon: ["09:30-18:30"], tue: ["09:30-18:30"], wed: ["09:30-18:30"]}
      holidays: [2026-03-03]
  targets:
    first_response: [{limit: 4h, clock: office}]
"""
OFFICE_HOURS = [
    # why, reported -> due, in Kolkata
    ("within the day", "Mon 03-02 10:00", "Mon 03-02 14:00"),
    ("due at the closing", "Mon 03-02 14:30", "Mon 03-02 18:30"),
    ("over a holiday", "Mon 03-02 17:30", "Wed 03-04 12:30"),
    ("before the opening", "Wed 03-04 09:29:59", "Wed 03-04 13:30"),
    ("over the days that it does not name", "Wed 03-04 18:00", "Mon 03-09 13:00"),
]


@pytest.mark.parametrize(
    ("at", "expected"), [row[1:] for row in OFFICE_HOURS], ids=[row[0] for row in OFFICE_HOURS]
)
def test_a_contract_may_bring_its_own_hours(at: str, expected: str) -> None:
    ticket = a_ticket(at=local(at, KOLKATA), **FILLED, mapped=MAPPED, organization="42")
    # the account is in London: the contract's calendar has a zone of its own
    found = evaluate(ticket, shipped("jivrus", LONDON, (OFFICE,)), ticket.created_at)
    assert due(found, RESPONSE, KOLKATA) == expected


BY_LEVEL = contract(
    "{targets: {first_response: [{when: {severity: p1}, limit: 15m}, {limit: 4h}],"
    " resolution: [{when: {severity: [p1, p2]}, limit: 4h}, {when: {plan: gold}, limit: 2h}]}}"
)
LEVELS = [
    # why, values -> first response, resolution
    ("first level", {"priority": "1"}, "Mon 03-02 09:15", "Mon 03-02 13:00"),
    ("second level", {"priority": "2"}, "Mon 03-02 13:00", "Mon 03-02 13:00"),
    ("no target of the contract for the third", {"priority": "3"}, "Mon 03-02 13:00", "absent"),
    ("a plan beside it, the earliest governs", {"priority": "1", "plans": ["gold"]},
     "Mon 03-02 09:15", "Mon 03-02 11:00"),
    ("by the matrix", {"impact": "high", "urgency": "high"}, "Mon 03-02 09:15", "Mon 03-02 13:00"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "first", "resolution"), [row[1:] for row in LEVELS], ids=[row[0] for row in LEVELS]
)
def test_a_contract_may_name_targets_by_level(
    values: dict[str, Any], first: str, resolution: str
) -> None:
    found = judged(contracts=(BY_LEVEL,), **ACME, **values)
    assert (due(found, RESPONSE), due(found, RESOLUTION)) == (first, resolution)
    assert ("no-resolution-time" in gaps(found)) == (resolution == "absent")


def test_a_rise_of_the_severity_is_judged_as_if_it_had_held_since_the_report() -> None:
    events = "03-02 09:30 priority=1"
    found = judged(
        now="03-02 09:30", events=events, contracts=(BY_LEVEL,), organization="42", priority="4"
    )
    assert (due(found, RESPONSE), state(found, RESPONSE)) == ("Mon 03-02 09:15", "breached")
    assert due(found, RESOLUTION) == "Mon 03-02 13:00"


METRIC_BY_METRIC = [
    # why, contracts, customer, helpdesk's dates -> first response, resolution, by
    ("the contract's resolution, the helpdesk's response", (RESOLVES,), "42",
     {"first_response": "Mon 03-02 11:00", "resolution": "Wed 03-04 17:00"},
     "Mon 03-02 11:00", "Mon 03-02 17:00"),
    ("the contract stands even where the helpdesk is earlier", (BOTH,), "42",
     {"first_response": "Mon 03-02 09:05", "resolution": "Mon 03-02 09:10"},
     "Mon 03-02 10:00", "Mon 03-02 17:00"),
    ("another customer has the helpdesk's dates", (BOTH,), "43",
     {"first_response": "Mon 03-02 11:00", "resolution": "Wed 03-04 17:00"},
     "Mon 03-02 11:00", "Wed 03-04 17:00"),
    ("a contract for all that the helpdesk does not give", (RESOLVES,), "42", {}, "absent",
     "Mon 03-02 17:00"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("texts", "customer", "dues", "first", "resolution"),
    [row[1:] for row in METRIC_BY_METRIC],
    ids=[row[0] for row in METRIC_BY_METRIC],
)
def test_contract_then_helpdesk_then_nothing_metric_by_metric(
    texts: tuple[str, ...], customer: str, dues: dict[str, str], first: str, resolution: str
) -> None:
    found = judged(contracts=texts, organization=customer, dues=dues)
    assert (due(found, RESPONSE), due(found, RESOLUTION)) == (first, resolution)


VALIDITY = [
    # zone, reported -> whether the contract of 2026-03-28 and 29 (days of the account) holds
    (LONDON, "Fri 03-27 23:59:59", False),
    (LONDON, "Sat 03-28 00:00", True),
    # the last day has 23 hours in London, and in Beirut it begins at 01:00
    (LONDON, "Sun 03-29 23:59:59", True),
    (LONDON, "Mon 03-30 00:00", False),
    (BEIRUT, "Sun 03-29 23:59:59", True),
    (BEIRUT, "Mon 03-30 00:00", False),
    (KOLKATA, "Sat 03-28 00:00", True),
]


@pytest.mark.parametrize(
    ("zone", "at", "holds"), VALIDITY, ids=[f"{r[0]} {r[1]}" for r in VALIDITY]
)
def test_a_contract_holds_for_what_was_reported_in_its_days(
    zone: str, at: str, holds: bool
) -> None:
    text = contract(
        "{targets: {resolution: [{limit: 8h}]}}",
        more="valid_from: 2026-03-28\nvalid_to: 2026-03-29",
    )
    found = judged(at, "04-30 09:00", zone=zone, contracts=(text,), **ACME)
    assert (found.metric(RESOLUTION) is not None) == holds
    assert len(lines(found, "contract")) == holds
    assert len(lines(found, "contract_passed_over")) == (not holds)


def test_of_two_contracts_the_newer_one_holds() -> None:
    texts = tuple(
        contract(
            f"{{targets: {{resolution: [{{limit: {limit}}}]}}}}", name, more=f"valid_from: {day}"
        )
        for name, limit, day in (("acme-2", "2h", "2026-02-01"), ("acme-1", "1h", "2025-01-01"))
    )
    found = judged(contracts=texts, **ACME)
    assert due(found, RESOLUTION) == "Mon 03-02 11:00"
    assert found.terms.contract is not None
    assert found.terms.contract.id == "acme-2"
    assert [one["id"] for one in lines(found, "contract_passed_over")] == ["acme-1"]


UPDATES = [
    # why, events after a reply at 09:10, now -> due of the next update, tags
    ("none promised", "", "09:20", "absent", "eta_missing policy_gap sev_p3"),
    ("promised", "; 03-02 09:10 promised_update_at=2026-03-02T15:00", "09:20", "Mon 03-02 15:00",
     "policy_gap sev_p3"),
    ("promised with an offset", "; 03-02 09:10 promised_update_at=2026-03-02T17:00:00+02:00",
     "09:20", "Mon 03-02 15:00", "policy_gap sev_p3"),
    ("promised for a day: by its end", "; 03-02 09:10 promised_update_at=2026-03-03", "09:20",
     "Wed 03-04 00:00", "policy_gap sev_p3"),
    ("late", "; 03-02 09:10 promised_update_at=2026-03-02T15:00", "15:00:01", "Mon 03-02 15:00",
     "next_update_breached policy_gap sev_p3"),
    # 09:10 to 15:00 are 350 minutes, of which 262 min 30 s are three quarters
    ("at risk", "; 03-02 09:10 promised_update_at=2026-03-02T15:00", "13:32:30", "Mon 03-02 15:00",
     "next_update_at_risk policy_gap sev_p3"),
    ("a second before", "; 03-02 09:10 promised_update_at=2026-03-02T15:00", "13:32:29",
     "Mon 03-02 15:00", "policy_gap sev_p3"),
    # an earlier reply is not the one that was promised for 15:00
    ("answered before it", "; 03-02 09:10 promised_update_at=2026-03-02T15:00; 03-02 14:00 reply",
     "14:01", "Mon 03-02 15:00", "policy_gap sev_p3"),
    ("kept, so it is spent", "; 03-02 09:10 promised_update_at=2026-03-02T15:00; 03-02 15:00 reply",
     "15:01", "absent", "policy_gap sev_p3"),
    ("kept late, and spent too", "; 03-02 09:10 promised_update_at=2026-03-02T15:00; "
     "03-02 16:00 reply", "16:01", "absent", "policy_gap sev_p3"),
    ("promised anew", "; 03-02 09:10 promised_update_at=2026-03-02T15:00; 03-02 14:00 reply; "
     "03-02 14:00 promised_update_at=2026-03-04T10:00", "14:01", "Wed 03-04 10:00",
     "policy_gap sev_p3"),
    ("an instant that has passed promises nothing",
     "; 03-02 09:20 promised_update_at=2026-03-02T09:00", "09:21", "absent", "policy_gap sev_p3"),
    ("what is no instant promises nothing", "; 03-02 09:20 promised_update_at=soon", "09:21",
     "absent", "policy_gap sev_p3"),
    ("the solve ends it", "; 03-02 09:10 promised_update_at=2026-03-02T15:00; "
     "03-02 14:00 status=solved", "16:00", "Mon 03-02 15:00", "sev_p3"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("events", "now", "expected", "shown_tags"),
    [r[1:] for r in UPDATES],
    ids=[r[0] for r in UPDATES],
)
def test_a_promised_update_becomes_the_next_update(
    events: str, now: str, expected: str, shown_tags: str
) -> None:
    dues = {"resolution": "Fri 03-06 17:00"}
    found = judged(now=f"03-02 {now}", events=f"03-02 09:10 reply{events}", dues=dues)
    assert (due(found, UPDATE), tags(found)) == (expected, shown_tags)
    assert ("no-update-time" in gaps(found)) == (expected == "absent")


ETA = [
    # why, mapped fields, values, events -> whether the estimate is missing
    ("from the report on", MAPPED, {}, "", True),
    ("a reply does not end it", MAPPED, {}, "03-02 09:10 reply", True),
    ("the resolution is enough", MAPPED, {"estimated_resolution_at": "2026-03-05"}, "", False),
    ("the next update is enough", MAPPED, {"promised_update_at": "2026-03-05"}, "", False),
    ("emptied again", MAPPED, {"estimated_resolution_at": "2026-03-05"},
     "03-02 09:10 estimated_resolution_at=", True),
    ("gone at the solve", MAPPED, {}, "03-02 09:10 status=solved", False),
    ("back at the reopen", MAPPED, {}, "03-02 09:10 status=solved; 03-02 09:15 status=open", True),
    ("one of the two is mapped", ("promised_update_at",), {}, "", True),
    ("neither is mapped: no tag", (), {}, "", False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("mapped", "values", "events", "missing"), [r[1:] for r in ETA], ids=[r[0] for r in ETA]
)
def test_an_estimate_is_owed_until_it_is_filled(
    mapped: tuple[str, ...], values: dict[str, str], events: str, missing: bool
) -> None:
    found = judged(now="03-02 09:20", mapped=mapped, events=events, **values)
    assert ("sla_eta_missing" in found.tags) == missing
    unmapped = [name for name in MAPPED[:2] if name not in mapped]
    told = " ".join(gap for gap in found.gaps if gap.startswith("not_mapped"))
    if "status=solved" not in events:
        assert all(name in told for name in unmapped)


CAUSES = [
    # why, priority, kind, values, events -> whether the analysis is owed
    ("not while it is open", "1", "incident", {}, "", False),
    ("solved", "1", "incident", {}, "03-02 10:00 status=solved", True),
    ("closed", "1", "incident", {}, "03-02 10:00 status=closed", True),
    ("a ticket that is no incident", "1", "question", {}, "03-02 10:00 status=solved", True),
    ("a lower level", "2", "incident", {}, "03-02 10:00 status=solved", False),
    ("the cause", "1", "incident", {"root_cause": "a bug"}, "03-02 10:00 status=solved", True),
    ("the prevention alone", "1", "incident", {"preventive_action": "a test"},
     "03-02 10:00 status=solved", True),
    ("both before the solve", "1", "incident",
     {"root_cause": "a bug", "preventive_action": "a test"}, "03-02 10:00 status=solved", False),
    ("both after the solve", "1", "incident", {},
     "03-02 10:00 status=solved; 03-04 10:00 root_cause=bug, preventive_action=test", False),
    ("reopened", "1", "incident", {}, "03-02 10:00 status=solved; 03-02 11:00 status=open", False),
    ("solved again", "1", "incident", {},
     "03-02 10:00 status=solved; 03-02 11:00 status=open; 03-02 12:00 status=solved", True),
    ("lowered before the solve", "1", "incident", {},
     "03-02 09:30 priority=3; 03-02 10:00 status=solved", False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("priority", "kind", "values", "events", "owed"),
    [row[1:] for row in CAUSES],
    ids=[row[0] for row in CAUSES],
)
def test_the_cause_of_what_was_critical_is_owed_after_the_solve(
    priority: str, kind: str, values: dict[str, str], events: str, owed: bool
) -> None:
    found = judged(now="03-05 09:00", priority=priority, kind=kind, events=events, **values)
    assert ("sla_rca_required" in found.tags) == owed
    if owed:
        assert tags(found) == "rca_required sev_p1"


def test_what_is_missing_of_the_analysis_is_named() -> None:
    found = judged(
        now="03-03 09:00", priority="1", root_cause="a bug", events="03-02 10:00 status=solved"
    )
    (said,) = lines(found, "duty")
    assert (said["since"], said["missing"]) == ("2026-03-02T10:00:00Z", "preventive action")


INFORMATION = [
    # why, class, values -> what is missing
    ("complete", "incident", {}, None),
    ("no description", "incident", {"description": None}, "description"),
    ("no impact", "incident", {"customer_impact": None}, "customer impact"),
    ("neither", "incident", {"description": None, "customer_impact": None},
     "description, customer impact"),
    ("no incident", "question", {"description": None, "customer_impact": None}, None),
    ("no class", "other", {"description": None, "customer_impact": None}, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "values", "missing"), [r[1:] for r in INFORMATION], ids=[r[0] for r in INFORMATION]
)
def test_an_incident_report_says_what_happened_and_whom_it_hits(
    kind: str, values: dict[str, None], missing: str | None
) -> None:
    dues = {"first_response": "Mon 03-02 10:00"}
    found = judged(kind=kind, dues=dues, **values)
    assert ("sla_info_missing" in found.tags) == (missing is not None)
    said = [one["missing"] for one in lines(found, "information_missing")]
    assert said == ([missing] if missing else [])
    # no clock waits for it
    assert (state(found, RESPONSE), due(found, RESPONSE)) == ("running", "Mon 03-02 10:00")


def test_an_impact_without_a_field_counts_as_supplied() -> None:
    ticket = a_ticket(at=local(MONDAY), description="filled", mapped=MAPPED)
    found = evaluate(ticket, shipped("jivrus"), ticket.created_at)
    assert "sla_info_missing" not in found.tags
    assert [gap for gap in found.gaps if "customer_impact" in gap and "not_mapped" in gap]


CHANNELS = [
    # channel -> whether the document names it
    ("email", True), ("portal", True), ("phone", True), ("other", True),
    ("chat", False), ("forum", False), ("social", False),
]  # fmt: skip


@pytest.mark.parametrize(("channel", "named"), CHANNELS, ids=[row[0] for row in CHANNELS])
def test_every_channel_is_computed_and_the_unnamed_ones_are_marked(
    channel: str, named: bool
) -> None:
    found = judged(channel=channel, contracts=(BOTH,), **ACME)
    assert (due(found, RESPONSE), due(found, RESOLUTION)) == ("Mon 03-02 10:00", "Mon 03-02 17:00")
    assert tags(found) == f"eta_missing sev_p3{'' if named else ' unofficial_channel'}"
    assert ("other-channels" in gaps(found)) == (not named)


@pytest.mark.parametrize("channel", ["chat", "forum", "social"])
def test_an_account_may_exempt_the_unnamed_channels(channel: str) -> None:
    everybody = contract("{unofficial: exempt}", "ours", who="")
    found = judged(channel=channel, contracts=(everybody,), dues={"resolution": "Mon 03-02 17:00"})
    assert (tags(found), found.metrics) == ("exempt_channel unofficial_channel", ())


MATRIX = {
    "high": ("p1", "p2", "p3"),
    "medium": ("p2", "p3", "p4"),
    "low": ("p3", "p4", "p4"),
}
WORDS = ("high", "medium", "low")


@pytest.mark.parametrize(("impact", "urgency"), list(product(WORDS, WORDS)))
def test_impact_and_urgency_make_the_severity(impact: str, urgency: str) -> None:
    # nothing is said of a scope here
    found = judged(impact=impact, urgency=urgency, scope="out", priority="1")
    assert as_json(found)["severity"]["id"] == MATRIX[impact][WORDS.index(urgency)]
    assert gaps(found)[:2] == ["levels", "matrix"]


SEVERITIES = [
    # why, class, values -> level, rule
    ("assessed by an agent", "incident", {"assessed": "p2", "priority": "4"}, "p2", 1),
    ("assessed as nothing of ours", "incident", {"assessed": "urgent", "priority": "4"}, "p4", 4),
    ("set by the requester", "incident", {"requested_severity": "P1", "priority": "4"}, "p1", 3),
    ("impact alone", "incident", {"impact": "high", "priority": "2"}, "p2", 4),
    ("an unknown urgency", "incident", {"impact": "high", "urgency": "now", "priority": "2"}, "p2",
     4),
    ("a priority without a level", "incident", {"priority": "7"}, "p3", 6),
    ("a question", "question", {}, "p4", 5),
    ("an enhancement", "enhancement", {}, "p4", 5),
    ("a question by phone with a priority", "question", {"channel": "phone", "priority": "2"}, "p2",
     4),
    ("a defect", "defect_critical", {}, "p3", 6),
    ("nothing known", "other", {}, "p3", 6),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "values", "level", "rule"),
    [row[1:] for row in SEVERITIES],
    ids=[r[0] for r in SEVERITIES],
)
def test_severity(kind: str, values: dict[str, str], level: str, rule: int) -> None:
    severity = as_json(judged(kind=kind, **values))["severity"]
    assert severity["id"] == level
    assert severity["by"].startswith(f"rule {rule}: ")


def letter(until: str, metric: Metric | None) -> TicketException:
    return TicketException(
        reference="mail of 2 March", written_at=local("03-02 12:00"), until=local(until),
        metric=metric,
    )  # fmt: skip


EXCEPTIONS = [
    # why, exceptions, now -> first response, resolution
    ("before it was written", (letter("03-03 09:00", None),), "11:59:59",
     "Mon 03-02 10:00", "Mon 03-02 17:00"),
    ("for every metric", (letter("03-03 09:00", None),), "12:00",
     "Tue 03-03 09:00", "Tue 03-03 09:00"),
    ("for the resolution", (letter("03-03 09:00", RESOLUTION),), "12:00",
     "Mon 03-02 10:00", "Tue 03-03 09:00"),
    ("earlier than promised", (letter("03-02 14:00", RESOLUTION),), "12:00",
     "Mon 03-02 10:00", "Mon 03-02 14:00"),
]  # fmt: skip


@pytest.mark.parametrize("by", ["contract", "helpdesk"])
@pytest.mark.parametrize(
    ("exceptions", "now", "first", "resolution"),
    [row[1:] for row in EXCEPTIONS],
    ids=[row[0] for row in EXCEPTIONS],
)
def test_exceptions(
    exceptions: tuple[TicketException, ...], now: str, first: str, resolution: str, by: str
) -> None:
    dues = {"first_response": "Mon 03-02 10:00", "resolution": "Mon 03-02 17:00"}
    given: dict[str, Any] = {"contracts": (BOTH,), **ACME} if by == "contract" else {"dues": dues}
    found = judged(now=f"03-02 {now}", exceptions=exceptions, **given)
    assert (due(found, RESPONSE), due(found, RESOLUTION)) == (first, resolution)


GAPS = [
    # why, values -> gaps, in order; whether one of them is of grade E
    ("nothing is known", {},
     ["levels", "severity-default", "no-response-time", "no-update-time", "no-resolution-time"],
     True),
    ("dates of the helpdesk", {"priority": "2", "dues": {
        "first_response": "Mon 03-02 10:00", "resolution": "Mon 03-02 17:00"}},
     ["levels", "priority", "no-update-time", "inherited-dates", "response-content"], False),
    ("a contract", {"assessed": "p1", "contracts": (BOTH,), "organization": "42"},
     ["levels", "no-update-time"], False),
    ("a contract without a response",
     {"assessed": "p1", "contracts": (RESOLVES,), "organization": "42"},
     ["levels", "no-response-time", "no-update-time"], True),
    ("by chat", {"channel": "chat", "assessed": "p1", "contracts": (BOTH,), "organization": "42"},
     ["other-channels", "levels", "no-update-time"], False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "expected", "tagged"), [r[1:] for r in GAPS], ids=[r[0] for r in GAPS]
)
def test_an_evaluation_names_the_gaps_it_rests_on(
    values: dict[str, Any], expected: list[str], tagged: bool
) -> None:
    found = judged(**values)
    assert sorted(gaps(found)) == sorted(expected)
    assert ("sla_policy_gap" in found.tags) == tagged


def test_what_the_account_decided_is_no_open_gap() -> None:
    decided = contract(
        "{decisions: {no-response-time: 'no time is owed, by the head of support, 2026-01-05'}}",
        "ours",
        who="",
    )
    assert tags(judged(contracts=(RESOLVES,), **ACME)) == "eta_missing policy_gap sev_p3"
    found = judged(contracts=(RESOLVES, decided), **ACME)
    assert tags(found) == "eta_missing sev_p3"
    (gap,) = (one for one in found.gaps if one.startswith("no-response-time"))
    assert gap.startswith("no-response-time: decided: no time is owed")


def test_every_date_says_where_it_comes_from() -> None:
    found = judged(contracts=(RESOLVES,), dues={"first_response": "Mon 03-02 11:00"}, **ACME)
    assert [one["metric"] for one in lines(found, "inherited")] == ["first_response"]
    (said,) = lines(found, "promise")
    assert (said["metric"], said["amount"], said["clock"]) == ("resolution", "8 hours", "elapsed")
    assert (said["start"], said["layer"]) == ("2026-03-02T09:00:00Z", "acme-2026")


def test_the_policy_takes_dates_of_the_helpdesk_so_it_must_not_write_them() -> None:
    policy = shipped("jivrus")
    assert policy.inherits
    assert not shipped("kaizen365").inherits


# every line of the document that could oblige to something (landscape A.2), and where it went:
# a path in the file, a duty, a gap, or the reason why there is no rule
WRITTEN = YAML(typ="safe").load((POLICIES / "jivrus.yaml").read_text(encoding="utf-8"))
LANDSCAPE = [
    ("001-1", "none", "a purpose, and whom the document is for"),
    ("001-2", "gap", "incident"),
    ("001-3", "gap", "report-immediately"),
    ("001-4", "rule", "information.required"),
    ("001-4", "gap", "incident-report"),
    ("001-5", "rule", "severity.matrix"),
    ("001-5", "gap", "levels"),
    ("001-5", "gap", "matrix"),
    ("001-5", "gap", "priority"),
    ("001-5", "gap", "severity-default"),
    ("001-6", "gap", "escalation"),
    ("001-7", "rule", "exempt"),
    ("001-7", "rule", "unofficial"),
    ("001-7", "gap", "other-channels"),
    ("001-8", "rule", "severity.rules"),
    ("001-9", "rule", "targets.first_response"),
    ("001-9", "rule", "silent.first_response"),
    ("001-9", "gap", "no-response-time"),
    ("001-9", "gap", "inherited-dates"),
    ("001-10", "duty", "eta_missing"),
    ("001-10", "rule", "targets.next_update"),
    ("001-10", "rule", "silent.next_update"),
    ("001-10", "gap", "no-update-time"),
    ("001-10", "gap", "response-content"),
    ("001-11", "rule", "targets.resolution"),
    ("001-11", "rule", "silent.resolution"),
    ("001-11", "rule", "on_reopen"),
    ("001-11", "rule", "waiting.customer"),
    ("001-11", "rule", "waiting.third_party"),
    ("001-11", "gap", "no-resolution-time"),
    ("001-11", "gap", "waiting"),
    ("001-11", "gap", "reopen"),
    ("001-12", "duty", "rca_required"),
    ("001-12", "gap", "critical"),
    ("001-12", "gap", "root-cause-time"),
    ("001-13", "duty", "rca_required"),
    ("001-14", "none", "a review of the process, without a ticket"),
    ("001-15", "none", "who does what; the escalation is under 001-6"),
    ("001-16", "none", "what management owes to its plan, without a ticket"),
    ("001-17", "none", "what happens to people who break the policy"),
    ("001-18", "rule", "judge_by"),
    ("001-18", "gap", "version"),
    ("001-19", "none", "which helpdesk is in use"),
    ("001-20", "gap", "contact"),
    ("001-21", "gap", "hours"),
    ("001-21", "gap", "at-risk"),
]


def at_path(path: str) -> Any:
    found: Any = WRITTEN
    for part in path.split("."):
        found = found[part]
    return found


@pytest.mark.parametrize(("number", "kind", "where"), LANDSCAPE)
def test_every_line_of_the_document_went_somewhere(number: str, kind: str, where: str) -> None:
    if kind == "rule":
        assert at_path(where)
    elif kind == "none":
        assert where
    else:
        ids = [one["id"] for one in WRITTEN[{"duty": "duties", "gap": "gaps"}[kind]]]
        assert where in ids


def test_the_table_names_every_line_every_gap_and_every_duty() -> None:
    numbers = {number for number, _, _ in LANDSCAPE}
    assert numbers == {f"001-{one}" for one in range(1, 22)}
    for kind, key in (("gap", "gaps"), ("duty", "duties")):
        told = {where for _, one, where in LANDSCAPE if one == kind}
        assert told == {one["id"] for one in WRITTEN[key]}


def test_what_cannot_be_computed_is_of_grade_e() -> None:
    graded = [one["id"] for one in WRITTEN["gaps"] if one["grade"] == Grade.ERROR]
    # an update is owed only where no estimate is given: without its interval no date is lost
    assert graded == ["no-response-time", "no-resolution-time", "escalation"]
    assert WRITTEN["silent"] == {
        "first_response": ["no-response-time"],
        "next_update": ["no-update-time"],
        "resolution": ["no-resolution-time"],
    }


def test_the_file_has_no_figures() -> None:
    assert WRITTEN["targets"].keys() == {metric.value for metric in Metric}
    for targets in WRITTEN["targets"].values():
        (target,) = targets
        assert target.keys() == {"inherit", "source", "gaps"}
    # no thresholds of escalation either
    assert not {"tiers", "escalation", "escalate_management"} & WRITTEN.keys()
    assert judged(priority="1").tier is None


def test_every_rule_names_a_heading_of_the_document() -> None:
    rules = [
        WRITTEN["information"],
        *WRITTEN["severity"]["levels"],
        *WRITTEN["exempt"],
        *(target for targets in WRITTEN["targets"].values() for target in targets),
        *WRITTEN["duties"],
    ]
    assert {rule["source"] for rule in rules} <= HEADINGS


def test_a_date_of_the_helpdesk_needs_no_zone() -> None:
    at = datetime.fromisoformat("2026-03-02T09:00:00+00:00")
    ticket = a_ticket(at=at, **FILLED, mapped=MAPPED, own_dues={"resolution": local("03-03 09:00")})
    found = evaluate(ticket, shipped("jivrus", None), at)
    assert not any(gap.startswith("time zone") for gap in found.gaps)
    assert due(found, RESOLUTION) == "Tue 03-03 09:00"
