"""The policy of 002_6a2e9a83bf032d00.txt, computed by hand from the document."""

from datetime import timedelta
from typing import Any

import pytest

from mappings.answer import as_json
from mappings.clock import State
from mappings.evaluate import Evaluation, evaluate
from mappings.explain import reasons
from mappings.policy import Metric, Policy
from tests.builders import LONDON, a_ticket, history, local, shown, user_support

POLICY = user_support()
SECOND = timedelta(seconds=1)
RESPONSE, UPDATE, RESOLUTION = Metric.FIRST_RESPONSE, Metric.NEXT_UPDATE, Metric.RESOLUTION
NEW_YORK, BERLIN, KOLKATA, KIRITIMATI = (
    "America/New_York",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Pacific/Kiritimati",
)


def due(evaluation: Evaluation, metric: Metric, zone: str = LONDON) -> str | None:
    found = evaluation.metric(metric)
    return shown(found.outcome.due_at, zone) if found else None


def state(evaluation: Evaluation, metric: Metric) -> str | None:
    found = evaluation.metric(metric)
    return found.state.value if found else None


# severity, zone, reported -> first response due, next update due, resolution due
DUES = [
    # the worked examples of policy-semantics, section 7
    (
        "critical",
        LONDON,
        "Sat 03-07 03:00",
        "Sat 03-07 03:15",
        "Sat 03-07 04:00",
        "Sat 03-07 07:00",
    ),
    ("high", LONDON, "Fri 03-06 17:45", "Fri 03-06 18:45", None, "Sat 03-07 01:45"),
    ("high", LONDON, "Fri 03-06 18:05", "Fri 03-06 22:05", None, "Sat 03-07 02:05"),
    ("medium", LONDON, "Fri 03-27 16:00", "Mon 03-30 11:00", None, "Mon 03-30 16:00"),
    ("low", LONDON, "Sat 03-28 10:00", "Mon 03-30 18:00", None, "Wed 04-01 18:00"),
    # critical runs through nights, weekends and changes of the clocks
    (
        "critical",
        BERLIN,
        "Sun 03-29 01:50",
        "Sun 03-29 03:05",
        "Sun 03-29 03:50",
        "Sun 03-29 06:50",
    ),
    (
        "critical",
        BERLIN,
        "Sun 10-25 01:30",
        "Sun 10-25 01:45",
        "Sun 10-25 02:30",
        "Sun 10-25 04:30",
    ),
    (
        "critical",
        KOLKATA,
        "Thu 12-31 23:50",
        "Fri 2027-01-01 00:05",
        "Fri 2027-01-01 00:50",
        "Fri 2027-01-01 03:50",
    ),
    # high: the moment of the report decides which of the two limits holds
    ("high", LONDON, "Wed 03-04 12:00", "Wed 03-04 13:00", None, "Wed 03-04 20:00"),
    ("high", LONDON, "Wed 03-04 17:30", "Wed 03-04 18:30", None, "Thu 03-05 01:30"),
    ("high", LONDON, "Wed 03-04 17:59:59", "Wed 03-04 18:59:59", None, "Thu 03-05 01:59:59"),
    # 18:00 is closed already, 09:00 is open already: intervals are [from, to)
    ("high", LONDON, "Wed 03-04 18:00", "Wed 03-04 22:00", None, "Thu 03-05 02:00"),
    ("high", LONDON, "Wed 03-04 09:00", "Wed 03-04 10:00", None, "Wed 03-04 17:00"),
    # the literal text is not monotonic: half an hour earlier is due two and a half hours later
    ("high", LONDON, "Wed 03-04 08:30", "Wed 03-04 12:30", None, "Wed 03-04 16:30"),
    ("high", LONDON, "Sat 03-07 11:00", "Sat 03-07 15:00", None, "Sat 03-07 19:00"),
    ("high", LONDON, "Mon 03-02 07:00", "Mon 03-02 11:00", None, "Mon 03-02 15:00"),
    # four elapsed hours over the skipped hour
    ("high", LONDON, "Sun 03-29 00:30", "Sun 03-29 05:30", None, "Sun 03-29 09:30"),
    ("high", NEW_YORK, "Sun 11-01 00:30", "Sun 11-01 03:30", None, "Sun 11-01 07:30"),
    # the calendar is the account's: what is an afternoon in London is night in Kolkata
    ("high", KOLKATA, "Fri 03-06 23:15", "Sat 03-07 03:15", None, "Sat 03-07 07:15"),
    # medium: business hours, business days by the same time of day
    ("medium", LONDON, "Mon 03-02 09:00", "Mon 03-02 13:00", None, "Mon 03-02 18:00"),
    ("medium", LONDON, "Mon 03-02 09:00:01", "Mon 03-02 13:00:01", None, "Tue 03-03 09:00:01"),
    ("medium", LONDON, "Mon 03-02 14:00", "Mon 03-02 18:00", None, "Tue 03-03 14:00"),
    ("medium", LONDON, "Mon 03-02 14:00:01", "Tue 03-03 09:00:01", None, "Tue 03-03 14:00:01"),
    ("medium", LONDON, "Mon 03-02 17:59:59", "Tue 03-03 12:59:59", None, "Tue 03-03 17:59:59"),
    # at the closing instant the clock starts at the next opening, whose day is then due in full
    ("medium", LONDON, "Mon 03-02 18:00", "Tue 03-03 13:00", None, "Tue 03-03 18:00"),
    ("medium", LONDON, "Fri 03-06 18:00", "Mon 03-09 13:00", None, "Mon 03-09 18:00"),
    ("medium", LONDON, "Sun 03-08 23:00", "Mon 03-09 13:00", None, "Mon 03-09 18:00"),
    ("medium", LONDON, "Fri 03-06 16:30", "Mon 03-09 11:30", None, "Mon 03-09 16:30"),
    ("medium", NEW_YORK, "Fri 10-30 17:00", "Mon 11-02 12:00", None, "Mon 11-02 17:00"),
    ("medium", KIRITIMATI, "Fri 03-06 17:00", "Mon 03-09 12:00", None, "Mon 03-09 17:00"),
    # the document names no holidays: Christmas is a Friday like any other
    ("medium", LONDON, "Thu 12-24 16:00", "Fri 12-25 11:00", None, "Fri 12-25 16:00"),
    # low: one, and at most three, business days
    ("low", LONDON, "Mon 03-02 10:00", "Tue 03-03 10:00", None, "Thu 03-05 10:00"),
    ("low", LONDON, "Wed 03-04 17:59", "Thu 03-05 17:59", None, "Mon 03-09 17:59"),
    ("low", LONDON, "Fri 03-06 09:00", "Fri 03-06 18:00", None, "Tue 03-10 18:00"),
    ("low", LONDON, "Fri 03-06 08:59:59", "Fri 03-06 18:00", None, "Tue 03-10 18:00"),
    ("low", LONDON, "Fri 03-27 10:00", "Mon 03-30 10:00", None, "Wed 04-01 10:00"),
    ("low", NEW_YORK, "Sat 10-31 10:00", "Mon 11-02 18:00", None, "Wed 11-04 18:00"),
]


@pytest.mark.parametrize(
    ("severity", "zone", "reported", "response", "update", "resolution"),
    DUES,
    ids=[f"{row[0]} {row[2]} {row[1]}" for row in DUES],
)
def test_due_dates(
    severity: str, zone: str, reported: str, response: str, update: str | None, resolution: str
) -> None:
    at = local(reported, zone)
    found = evaluate(a_ticket(at=at, severity=severity), user_support(zone), at)
    assert [due(found, metric, zone) for metric in (RESPONSE, UPDATE, RESOLUTION)] == [
        response,
        update,
        resolution,
    ]


AT_RISK = [
    # three quarters of 15 minutes, rounded up to a whole second
    ("critical", RESPONSE, "Sat 03-07 03:00", "Sat 03-07 03:11:15"),
    ("critical", UPDATE, "Sat 03-07 03:00", "Sat 03-07 03:45"),
    ("critical", RESOLUTION, "Sat 03-07 03:00", "Sat 03-07 06:00"),
    ("high", RESPONSE, "Fri 03-06 17:45", "Fri 03-06 18:30"),
    ("high", RESPONSE, "Fri 03-06 18:05", "Fri 03-06 21:05"),
    ("medium", RESPONSE, "Fri 03-27 16:00", "Mon 03-30 10:00"),
    # of the nine open hours of a business day
    ("medium", RESOLUTION, "Fri 03-27 16:00", "Mon 03-30 13:45"),
    ("low", RESPONSE, "Sat 03-28 10:00", "Mon 03-30 15:45"),
    # the aim of two business days takes the place of the share
    ("low", RESOLUTION, "Sat 03-28 10:00", "Tue 03-31 18:00"),
]


@pytest.mark.parametrize(
    ("severity", "metric", "reported", "expected"),
    AT_RISK,
    ids=[f"{row[0]} {row[1].value} {row[2]}" for row in AT_RISK],
)
def test_at_risk_begins(severity: str, metric: Metric, reported: str, expected: str) -> None:
    at, risk = local(reported), local(expected)
    ticket = a_ticket(at=at, severity=severity)
    before, then = (evaluate(ticket, POLICY, when).metric(metric) for when in (risk - SECOND, risk))
    assert before is not None
    assert then is not None
    assert (shown(before.outcome.at_risk_at), before.state, then.state) == (
        expected,
        State.RUNNING,
        State.AT_RISK,
    )


@pytest.mark.parametrize("severity", ["critical", "high", "medium", "low"])
@pytest.mark.parametrize("metric", list(Metric))
def test_within_includes_the_due_and_ends_one_second_later(severity: str, metric: Metric) -> None:
    at = local("03-04 11:00")
    ticket = a_ticket(at=at, severity=severity)
    found = evaluate(ticket, POLICY, at).metric(metric)
    if found is None:
        assert (metric, severity) != (UPDATE, "critical")
        return
    bound = found.outcome.due_at
    assert bound is not None
    kept, missed = (
        evaluate(ticket, POLICY, when).metric(metric) for when in (bound, bound + SECOND)
    )
    assert kept is not None
    assert missed is not None
    assert (kept.state, kept.outcome.breached_at) == (State.AT_RISK, None)
    assert (missed.state, missed.outcome.breached_at) == (State.BREACHED, bound)


SEVERITIES = [
    # values, channel, class -> severity, which rule
    ({"severity": "critical"}, "portal", "question", "critical", "rule 2"),
    ({"severity": "low"}, "phone", "incident", "low", "rule 2"),
    # an agent's own assessment stands above the requester's priority
    ({"severity": "low", "assessed": "High"}, "portal", "incident", "high", "rule 1"),
    # what names no level is passed over, and said so
    ({"severity": "low", "assessed": "blocker"}, "portal", "incident", "low", "rule 2"),
    ({}, "portal", "question", "low", "rule 3"),
    ({}, "portal", "enhancement", "low", "rule 3"),
    ({}, "email", "incident", "low", "rule 4"),
    ({}, "portal", "incident", "medium", "rule 5"),
    ({}, "portal", "other", "medium", "rule 5"),
    ({}, "chat", "defect", "medium", "rule 5"),
    ({}, "phone", "complaint", "medium", "rule 5"),
    ({}, "other", "incident", "medium", "rule 5"),
    ({}, "social", "incident", "medium", "rule 5"),
]


@pytest.mark.parametrize(
    ("values", "channel", "kind", "severity", "rule"),
    SEVERITIES,
    ids=[f"{row[0]} {row[1]} {row[2]}" for row in SEVERITIES],
)
def test_severity(
    values: dict[str, Any], channel: str, kind: str, severity: str, rule: str
) -> None:
    at = local("03-02 10:00")
    answer = as_json(evaluate(a_ticket(at=at, channel=channel, kind=kind, **values), POLICY, at))
    assert answer["severity"]["id"] == severity
    assert answer["severity"]["by"].startswith(f"{rule}: ")
    assert f"sla_sev_{severity}" in answer["tags"]


EMAIL = [
    # severity, first response due, governed by
    ("critical", "Mon 03-02 10:15", "severity critical"),
    ("high", "Mon 03-02 11:00", "severity high"),
    ("medium", "Mon 03-02 14:00", "severity medium"),
    # a tie goes to the severity
    ("low", "Tue 03-03 10:00", "severity low"),
]


@pytest.mark.parametrize(("severity", "expected", "governed_by"), EMAIL, ids=[r[0] for r in EMAIL])
def test_email_adds_a_ceiling_and_the_earliest_governs(
    severity: str, expected: str, governed_by: str
) -> None:
    at = local("03-02 10:00")
    found = evaluate(a_ticket(at=at, severity=severity, channel="email"), POLICY, at)
    response = found.metric(RESPONSE)
    assert response is not None
    assert (due(found, RESPONSE), response.promise.governed_by) == (expected, governed_by)
    assert [one.governed_by for one in response.others] == ["channel email"]


@pytest.mark.parametrize("channel", ["portal", "phone", "chat", "social", "other"])
def test_other_channels_have_the_targets_of_their_severity(channel: str) -> None:
    at = local("03-02 10:00")
    found = evaluate(a_ticket(at=at, severity="high", channel=channel), POLICY, at)
    assert due(found, RESPONSE) == "Mon 03-02 11:00"


def test_the_forum_is_exempt() -> None:
    at = local("03-02 10:00")
    ticket = a_ticket(at=at, severity="critical", channel="forum", status="on_hold")
    answer = as_json(evaluate(ticket, POLICY, at + timedelta(days=9)))
    assert (answer["state"], answer["severity"], answer["tier"], answer["metrics"]) == (
        None,
        None,
        None,
        [],
    )
    assert answer["tags"] == ["sla_exempt_channel"]
    assert (answer["next_due_at"], answer["next_change_at"]) == (None, None)


# reported Saturday 2026-03-07 03:00, critical: what happened -> next update due at 03:30 and so on
REPORTED = "03-07 03:00"
CYCLES: list[tuple[str, str, str, str | None, str | None]] = [
    # name, events, now, due, state
    ("from the report", "", "03:30", "04:00", "running"),
    ("from the last public reply", "03:10 reply; 03:40 reply", "03:50", "04:40", "running"),
    ("late without a reply", "", "04:00:01", "04:00", "breached"),
    ("a late cycle leaves the state at the next reply", "05:00 reply", "05:01", "06:00", "running"),
    (
        "a later promise gives no relief",
        "03:10 reply; 03:11 promised_update_at=2026-03-07T09:00:00Z",
        "03:12",
        "04:10",
        "running",
    ),
    (
        "an earlier promise governs",
        "03:10 reply; 03:11 promised_update_at=2026-03-07T03:30:00Z",
        "03:12",
        "03:30",
        "running",
    ),
    (
        "a promise ends with the reply that keeps it",
        "03:11 promised_update_at=2026-03-07T03:30:00Z; 03:30 reply",
        "03:31",
        "04:30",
        "running",
    ),
    (
        "what is no instant promises nothing",
        "03:11 promised_update_at=tomorrow",
        "03:12",
        "04:00",
        "running",
    ),
    ("the solve ends it", "03:50 status=solved", "09:00", "04:00", "met"),
    ("a solve after the due leaves it late", "04:30 status=solved", "09:00", "04:00", "breached"),
    (
        "a reopen starts a new cycle",
        "03:50 status=solved; 06:00 status=open",
        "06:10",
        "07:00",
        "running",
    ),
    (
        "a reply after the solve starts none",
        "03:50 status=solved; 05:00 reply",
        "09:00",
        "04:00",
        "met",
    ),
    ("no longer critical: no cycle", "03:20 severity=high", "03:30", None, None),
]


@pytest.mark.parametrize(
    ("events", "now", "expected", "word"), [row[1:] for row in CYCLES], ids=[r[0] for r in CYCLES]
)
def test_hourly_updates_of_a_critical_ticket(
    events: str, now: str, expected: str | None, word: str | None
) -> None:
    happened = history(events, day="03-07 ")
    ticket = a_ticket(at=local(REPORTED), severity="critical", events=happened)
    found = evaluate(ticket, POLICY, local(f"03-07 {now}"))
    wanted = f"Sat 03-07 {expected}" if expected else None
    assert (due(found, UPDATE), state(found, UPDATE)) == (wanted, word)


THIRD_PARTY: list[tuple[str, str, str, str | None]] = [
    # name, events after a medium report on Monday 2026-03-02 10:00, now, next update due
    ("from the status change", "03-02 11:00 status=on_hold", "03-02 12:00", "Tue 03-03 11:00"),
    (
        "from a later reply",
        "03-02 11:00 status=on_hold; 03-03 10:00 reply",
        "03-03 12:00",
        "Wed 03-04 10:00",
    ),
    (
        "an earlier reply does not matter",
        "03-02 10:30 reply; 03-02 11:00 status=on_hold",
        "03-02 12:00",
        "Tue 03-03 11:00",
    ),
    ("over the weekend", "03-06 17:00 status=on_hold", "03-06 18:00", "Mon 03-09 17:00"),
    ("not while a customer is awaited", "03-02 11:00 status=pending", "03-02 12:00", None),
    ("no longer", "03-02 11:00 status=on_hold; 03-02 12:00 status=open", "03-02 13:00", None),
    (
        "a second time it starts anew",
        "03-02 11:00 status=on_hold; 03-02 12:00 status=open; 03-02 15:00 status=on_hold",
        "03-02 16:00",
        "Tue 03-03 15:00",
    ),
    ("complexity obliges alike", "03-02 11:00 complexity=true", "03-02 12:00", "Tue 03-03 11:00"),
    # the solve ends the status that obliged; what was owed until then is still judged
    (
        "solved from on hold",
        "03-02 11:00 status=on_hold; 03-02 15:00 status=solved",
        "03-02 16:00",
        "Tue 03-03 11:00",
    ),
    (
        "reopened into on hold",
        "03-02 11:00 status=on_hold; 03-02 15:00 status=solved; 03-03 12:00 status=on_hold",
        "03-03 13:00",
        "Wed 03-04 12:00",
    ),
]


@pytest.mark.parametrize(
    ("events", "now", "expected"), [r[1:] for r in THIRD_PARTY], ids=[r[0] for r in THIRD_PARTY]
)
def test_third_parties_and_complexity_oblige_updates_every_business_day(
    events: str, now: str, expected: str | None
) -> None:
    ticket = a_ticket(at=local("03-02 10:00"), severity="medium", events=history(events))
    found = evaluate(ticket, POLICY, local(now))
    assert due(found, UPDATE) == expected
    on_hold = ticket.values["status"] == "on_hold"
    assert ("sla_third_party" in found.tags) == on_hold


def test_waiting_stops_no_clock() -> None:
    at = local("03-02 10:00")
    for status in ("pending", "on_hold"):
        events = [(at + timedelta(minutes=5), {"status": status})]
        ticket = a_ticket(at=at, severity="medium", events=events)
        found = evaluate(ticket, POLICY, at + timedelta(hours=5))
        assert due(found, RESPONSE) == "Mon 03-02 14:00"
        assert state(found, RESPONSE) == "breached"


TIERS: list[tuple[str, str, str, str, int]] = [
    # name, values at the report on Monday 2026-03-02 10:00, events, now, tier
    ("medium starts in the first", "severity=medium", "", "03-02 10:00", 1),
    ("at risk", "severity=medium", "", "03-03 09:00", 2),
    ("a second before", "severity=medium", "", "03-02 16:44:59", 1),
    ("at the at-risk instant", "severity=medium", "", "03-02 16:45", 2),
    ("at the due", "severity=medium", "", "03-03 10:00", 2),
    ("past due", "severity=medium", "", "03-03 10:00:01", 3),
    ("critical without a category", "severity=critical", "", "03-02 10:00", 3),
    (
        "critical data corruption",
        "severity=critical, category=data_corruption",
        "",
        "03-02 10:00",
        3,
    ),
    ("critical in another category", "severity=critical, category=billing", "", "03-02 10:00", 1),
    ("another category, at risk", "severity=critical, category=billing", "", "03-02 13:00", 2),
    (
        "high in a critical category",
        "severity=high, category=data corruption",
        "",
        "03-02 10:00",
        1,
    ),
    (
        "never falls with the severity",
        "severity=critical",
        "03-02 10:05 severity=low",
        "03-02 12:00",
        3,
    ),
    (
        "never falls when the category is filled",
        "severity=critical",
        "03-02 10:05 category=billing",
        "03-02 11:00",
        3,
    ),
    ("stays at the solve", "severity=medium", "03-03 09:30 status=solved", "03-09 10:00", 2),
    ("stays when solved late", "severity=medium", "03-04 09:30 status=solved", "03-09 10:00", 3),
    (
        "what is changed after the solve moves nothing",
        "severity=medium",
        "03-02 12:00 status=solved; 03-02 13:00 severity=critical",
        "03-02 14:00",
        1,
    ),
    (
        "but it counts at the reopen",
        "severity=medium",
        "03-02 12:00 status=solved; 03-02 13:00 severity=critical; 03-02 14:00 status=open",
        "03-02 14:01",
        3,
    ),
    ("an agent's higher tier stands", "severity=medium, tier=3", "", "03-02 10:00", 3),
    ("an agent's lower tier does not", "severity=critical, tier=1", "", "03-02 10:00", 3),
    (
        "an agent's tier is not taken back",
        "severity=medium, tier=2",
        "03-02 10:30 tier=1",
        "03-02 11:00",
        2,
    ),
]


@pytest.mark.parametrize(
    ("values", "events", "now", "expected"), [r[1:] for r in TIERS], ids=[r[0] for r in TIERS]
)
def test_tiers(values: str, events: str, now: str, expected: int) -> None:
    named: dict[str, Any] = dict(pair.split("=") for pair in values.split(", "))
    ticket = a_ticket(at=local("03-02 10:00"), events=history(events), **named)
    found = evaluate(ticket, POLICY, local(now))
    assert found.tier == expected
    tags = {tag for tag in found.tags if tag.startswith("sla_tier")}
    assert tags == ({f"sla_tier_{expected}"} if expected > 1 else set())


@pytest.mark.parametrize("policy", [user_support(None), POLICY], ids=["undecided", "decided"])
def test_a_time_zone_that_nobody_chose_is_a_gap_of_grade_e(policy: Policy) -> None:
    at = local("03-02 10:00")
    found = evaluate(a_ticket(at=at, severity="medium"), policy, at)
    assert f"time zone assumed: {policy.zone_name}" in found.gaps
    assert ("sla_policy_gap" in found.tags) == (not policy.zone_is_decided)


def test_a_critical_ticket_does_not_rest_on_the_time_zone() -> None:
    at = local("03-02 10:00")
    found = evaluate(a_ticket(at=at, severity="critical"), user_support(None), at)
    assert not any(gap.startswith("time zone") for gap in found.gaps)
    assert "sla_policy_gap" not in found.tags


def test_the_gap_goes_with_the_solve() -> None:
    at = local("03-02 10:00")
    ticket = a_ticket(at=at, severity="low", events=[(at + SECOND, {"status": "solved"})])
    assert "sla_policy_gap" not in evaluate(ticket, user_support(None), at + 2 * SECOND).tags


GAPS = [
    ({"severity": "critical"}, ["update-start", "critical-as-soon-as-possible", "tier-triggers"]),
    ({"severity": "high"}, ["high-regime", "time zone assumed", "high-resolution-clock"]),
    ({"severity": "medium"}, ["time zone assumed", "business-day"]),
    ({"severity": "low"}, ["business-day", "time zone assumed"]),
    ({}, ["severity-default", "time zone assumed", "business-day"]),
    (
        {"severity": "low", "complexity": "yes"},
        ["business-day", "time zone assumed", "regular-updates"],
    ),
]


@pytest.mark.parametrize(("values", "expected"), GAPS, ids=[str(row[0]) for row in GAPS])
def test_an_evaluation_names_the_gaps_it_rests_on(
    values: dict[str, Any], expected: list[str]
) -> None:
    at = local("03-02 10:00")
    found = evaluate(a_ticket(at=at, **values), POLICY, at)
    assert [gap.split(":")[0] for gap in found.gaps] == expected


def test_solved_without_a_reply_meets_everything_and_says_so() -> None:
    at = local("03-02 10:00")
    ticket = a_ticket(
        at=at, severity="medium", events=[(local("03-02 10:20"), {"status": "solved"})]
    )
    found = evaluate(ticket, POLICY, local("03-05 10:00"))
    assert {
        one.metric.value: (one.state.value, shown(one.fulfilled_at)) for one in found.metrics
    } == {
        "first_response": ("met", "Mon 03-02 10:20"),
        "resolution": ("met", "Mon 03-02 10:20"),
    }
    assert "solved_without_reply" in [reason.code for reason in reasons(found)]
    assert (found.state, found.next_due_at, found.next_change_at) == (State.MET, None, None)
    assert found.tags == ("sla_sev_medium",)


def test_a_filled_workaround_obliges_a_reply_after_it() -> None:
    at = local("03-02 10:00")
    filled = (at + timedelta(hours=1), {"workaround": "restart"})
    answered = (at + timedelta(hours=2), "reply")
    rows: list[tuple[list[Any], bool]] = [([filled], True), ([filled, answered], False)]
    for events, owed in rows:
        ticket = a_ticket(at=at, severity="low", events=events)
        found = evaluate(ticket, POLICY, at + timedelta(hours=3))
        assert ("duty" in [reason.code for reason in reasons(found)]) == owed
        assert "sla_workaround_notice" not in found.tags


def test_every_target_names_the_heading_it_comes_from() -> None:
    at = local("03-02 10:00")
    answer = as_json(evaluate(a_ticket(at=at, severity="high"), POLICY, at))
    promised = [line["source"] for line in answer["explanation"] if line["code"] == "promise"]
    assert promised == ["002_6a2e9a83bf032d00.txt#High Priority Issues"] * 2
