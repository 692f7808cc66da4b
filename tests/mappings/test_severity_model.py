"""Severity by matrix, by assessment and by request, and what a change of it does to the clocks."""

import pytest

from mappings.evaluate import evaluate
from mappings.policy import Metric
from mappings.severity import decide
from mappings.ticket import Change
from tests.builders import a_policy, a_ticket, history, local, shown

AT = local("Mon 03-02 10:00")
TEXT = """
policy: levels
title: Levels
document: levels.txt
on_severity_change: {mode}
calendars: {{business: {{time_zone: account, week: {{mon: ["09:00-17:00"], tue: ["09:00-17:00"]}}}}}}
severity:
  levels: [{{id: p1, name: Top}}, {{id: p2, name: High}}, {{id: p3, name: Normal}}, {{id: p4, name: Low}}]
  matrix:
    rows: impact
    columns: urgency
    cells: {{high: {{high: p1, low: p3}}, low: {{high: p2, low: p4}}}}
    lowered_when: {{scope: [out, outside]}}
  rules: [{{from: severity{first}}}, {{from: matrix}}, {{from: requested_severity}}, {{from: priority}},
    {{when: {{class: question}}, severity: p4}}, {{severity: p3}}]
targets:
  first_response:
    - {{when: {{channel: email}}, limit: 9h}}
  next_update:
    - {{when: {{severity: p1}}, every: 1h}}
  resolution:
    - {{when: {{severity: p1}}, limit: 4h}}
    - {{when: {{severity: p2}}, aim: 2h, limit: 8h}}
    - {{when: {{severity: p3}}, limit: 8h, clock: business}}
"""  # noqa: E501 -- a YAML text


def policy(mode: str = "restate", first: str = ""):
    return a_policy(text=TEXT.format(mode=mode, first=first))


DECISIONS = [
    ({"impact": "high", "urgency": "high"}, "p1", "rule 2: impact high x urgency high"),
    ({"impact": "HIGH", "urgency": "Low"}, "p3", "rule 2: impact HIGH x urgency Low"),
    (
        {"impact": "high", "urgency": "high", "scope": "out"},
        "p2",
        "rule 2: impact high x urgency high, lowered by one: scope out or outside",
    ),
    (
        {"impact": "low", "urgency": "low", "scope": "outside"},
        "p4",
        "rule 2: impact low x urgency low, lowered by one: scope out or outside",
    ),
    ({"impact": "high", "requested_severity": "p2"}, "p2", "rule 3: set by the requester as 'p2'"),
    ({"impact": "odd", "urgency": "high", "severity": "critical"}, "p1",
     "rule 4: the helpdesk's priority, rank 1 of 4"),
    ({"assessed": "p4", "impact": "high", "urgency": "high"}, "p4", "rule 1: assessed as 'p4'"),
    ({"assessed": "odd", "requested_severity": "odd"}, "p3", "rule 6: default"),
    ({"kind": "question"}, "p4", "rule 5: class question"),
    ({}, "p3", "rule 6: default"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "level", "by"), DECISIONS, ids=[str(r[0]) for r in DECISIONS])
def test_a_severity_comes_by_authority(values, level, by) -> None:
    found = decide(a_ticket(at=AT, **values), policy(), AT)
    assert (found.level.id, found.by) == (level, by)


def test_what_the_matrix_does_not_name_is_said() -> None:
    found = decide(a_ticket(at=AT, impact="odd", urgency="high"), policy(), AT)
    assert found.ignored == (("impact", "odd"),)
    found = decide(a_ticket(at=AT, impact="high", urgency="odd"), policy(), AT)
    assert found.ignored == (("urgency", "odd"),)


# p2 (due 8 h) at 10:00, made p1 (due 4 h) or p3 at 13:00
CHANGES = [
    ("restate", "assessed=p1", "14:00", "10:00", "13:00"),
    ("grace", "assessed=p1", "17:00", "10:00", "15:15"),
    ("keep", "assessed=p1", "18:00", "10:00", "12:00"),
    ("restart", "assessed=p1", "17:00", "13:00", "16:00"),
    # a business clock: what is left of Monday, then Tuesday
    ("restate", "assessed=p3", "Tue 10:00", "10:00", "16:00"),
    ("grace", "assessed=p3", "Tue 13:00", "10:00", "Tue 10:15"),
    ("keep", "assessed=p3", "18:00", "10:00", "12:00"),
    ("restart", "assessed=p3", "Tue 13:00", "13:00", "Tue 11:00"),
    # back to what it was: the last change counts
    ("restart", "assessed=p1; 03-02 14:00 assessed=p2", "22:00", "14:00", "16:00"),
    ("grace", "assessed=p1; 03-02 14:00 assessed=p2", "22:00", "10:00", "16:00"),
    ("keep", "assessed=p1; 03-02 14:00 assessed=p2", "18:00", "10:00", "12:00"),
]


@pytest.mark.parametrize(("mode", "change", "due", "start", "risk"), CHANGES)
def test_a_change_of_severity(mode: str, change: str, due: str, start: str, risk: str) -> None:
    ticket = a_ticket(at=AT, assessed="p2", events=history(f"03-02 13:00 {change}"))
    found = evaluate(ticket, policy(mode), local("Mon 03-02 14:00")).metric(Metric.RESOLUTION)
    told = [found.outcome.due_at, found.promise.course.start, found.outcome.at_risk_at]
    assert [_short(one) for one in told] == [due, start, risk]


def _short(at) -> str:
    return shown(at).replace("Mon 03-02 ", "").replace("03-03 ", "")


def test_grace_and_restart_leave_a_promise_that_does_not_hang_on_the_severity() -> None:
    events = history("03-02 13:00 assessed=p1")
    ticket = a_ticket(at=AT, channel="email", assessed="p2", events=events)
    for mode in ("grace", "restart", "keep"):
        found = evaluate(ticket, policy(mode), local("Mon 03-02 14:00"))
        assert shown(found.metric(Metric.FIRST_RESPONSE).outcome.due_at) == "Mon 03-02 19:00"


def test_a_breach_under_the_old_severity_goes_with_a_restated_one() -> None:
    events = history("03-02 15:00 assessed=p3")
    ticket = a_ticket(at=AT, assessed="p1", events=events)
    before = evaluate(ticket, policy(), local("Mon 03-02 14:30"))
    after = evaluate(ticket, policy(), local("Mon 03-02 15:00"))
    assert "sla_resolution_breached" in before.tags
    assert after.tags == ("sla_sev_p3",)
    assert after.metric(Metric.NEXT_UPDATE) is None


def test_what_is_fulfilled_keeps_the_severity_of_its_fulfilment() -> None:
    events = history("03-02 12:00 status=solved; 03-02 15:00 assessed=p1")
    found = evaluate(a_ticket(at=AT, assessed="p2", events=events), policy(), local("03-02 16:00"))
    assert shown(found.metric(Metric.RESOLUTION).outcome.due_at) == "Mon 03-02 18:00"
    assert found.severity.level.id == "p1"


# an assessment counts from the first public reply on; until then that of the report does
ASSESSMENTS = [
    ("", "Mon 03-02 12:00", "p2", None),
    ("03-02 11:00 assessed=p1", "Mon 03-02 12:00", "p2", "from the first public reply on"),
    ("03-02 11:00 assessed=p1; 03-02 11:30 reply", "Mon 03-02 12:00", "p1", None),
    ("03-02 11:00 reply; 03-02 11:30 assessed=p1", "Mon 03-02 12:00", "p1", None),
    ("03-02 11:00 reply; 03-02 11:30 assessed=p1", "Mon 03-02 11:29:59", "p2", None),
]


@pytest.mark.parametrize(("events", "now", "level", "refused"), ASSESSMENTS)
def test_an_assessment_may_have_to_wait_for_the_first_contact(events, now, level, refused) -> None:
    ticket = a_ticket(at=AT, assessed="p2", events=history(events))
    found = evaluate(ticket, policy(first=", after_first_reply: true"), local(now)).severity
    assert found.level.id == level
    assert (found.refused is None) == (refused is None)
    assert refused is None or refused in found.refused[1]


@pytest.mark.parametrize(("by_agent", "level"), [(True, "p1"), (None, "p1"), (False, "p2")])
def test_only_an_agent_reassesses(by_agent: bool | None, level: str) -> None:
    ticket = a_ticket(at=AT, assessed="p1", events=history("03-02 11:00 reply"))
    at = local("Mon 03-02 12:00")
    change = Change(at=at, field="severity", before="p2", after="p1", by_agent=by_agent)
    ticket = type(ticket)(
        id="1", created_at=AT, reported_at=AT, channel=ticket.channel, values=ticket.values,
        replies=ticket.replies, changes=(change,), known_since=AT,
    )  # fmt: skip
    found = evaluate(ticket, policy(first=", after_first_reply: true"), at).severity
    assert found.level.id == level
    assert (found.refused is not None) == (by_agent is False)
