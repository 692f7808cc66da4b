"""Ladders: steps on a metric's clock, what they set, and when they come."""

import pytest

from mappings.evaluate import evaluate
from mappings.explain import reasons
from mappings.policy import Metric
from tests.builders import a_policy, a_ticket, history, local, shown

AT = local("Mon 03-02 10:00")
TEXT = """
policy: ladder
title: Ladder
document: ladder.txt
{management}
calendars: {{business: {{time_zone: account, week: {{mon: ["09:00-17:00"], tue: ["09:00-17:00"]}}}}}}
waiting: {{customer: pause}}
targets:
  first_response: [{{limit: 1h, under: true}}]
  resolution: [{{when: {{class: incident}}, aim: 2h, limit: 8h, clock: business}}]
escalation:
  - {{id: half, metric: resolution, at: 50%, tags: [escalation_half]}}
  - {{id: aim, metric: resolution, at: aim, notify: true}}
  - {{id: due, at: due, group: Leads}}
  - {{id: later, metric: resolution, at: 2h after due, when: {{class: incident}}, group: Board, tier: 3}}
"""  # noqa: E501 -- a YAML text


def policy(management: str = ""):
    return a_policy(text=TEXT.format(management=management))


def climbed(now: str, events: str = "", management: str = "", **values):
    ticket = a_ticket(at=AT, events=history(events), mapped=(), **values)
    return evaluate(ticket, policy(management), local(now))


# the resolution is aimed for 12:00 and due Tuesday 10:00, the first response due under 11:00
STEPS = [
    ("Mon 03-02 10:59:59", "", ""),
    ("Mon 03-02 11:00", "", "due/first_response"),
    ("Mon 03-02 12:00", "", "due/first_response aim/resolution"),
    ("Mon 03-02 14:00", "", "due/first_response half/resolution aim/resolution"),
    ("Tue 03-03 10:00", "03-02 10:30 reply", "half/resolution aim/resolution"),
    ("Tue 03-03 10:00:01", "03-02 10:30 reply", "half/resolution aim/resolution due/resolution"),
    (
        "Tue 03-03 12:00",
        "03-02 10:30 reply",
        "half/resolution aim/resolution due/resolution later/resolution",
    ),
    # reached before it was fulfilled, or not at all
    ("Tue 03-03 12:00", "03-02 11:30 reply; 03-02 13:00 status=solved",
     "due/first_response aim/resolution"),
    # a pause takes its time out of every step
    ("Mon 03-02 14:00", "03-02 10:30 reply; 03-02 11:00 status=pending; 03-02 13:00 status=open",
     "aim/resolution"),
    ("Mon 03-02 13:00", "03-02 10:30 reply; 03-02 11:00 status=pending", ""),
]  # fmt: skip


@pytest.mark.parametrize(("now", "events", "expected"), STEPS)
def test_steps(now: str, events: str, expected: str) -> None:
    found = climbed(now, events).climbs
    assert " ".join(f"{one.step.id}/{one.metric}" for one in found) == expected


def test_a_step_sets_tags_the_group_and_the_tier_until_the_solve() -> None:
    reply = "03-02 10:30 reply"
    assert climbed("Tue 03-03 10:00:01", reply).group == "Leads"
    found = climbed("Tue 03-03 12:00", reply)
    assert found.group == "Board"
    assert "sla_escalation_half" in found.tags
    solved = climbed("Tue 03-03 13:00", f"{reply}; 03-03 12:30 status=solved")
    assert "sla_escalation_half" not in solved.tags


def test_every_step_to_come_is_a_change() -> None:
    now, seen = "Mon 03-02 10:30", []
    for _ in range(6):
        found = climbed(now, "03-02 10:30 reply")
        if found.next_change_at is None:
            break
        now = shown(found.next_change_at)
        seen.append(now)
    assert seen == ["Mon 03-02 12:00", "Mon 03-02 14:00", "Tue 03-03 10:00:01", "Tue 03-03 12:00"]


MANAGEMENT = [
    ("", "Tue 03-03 16:00", False),
    ("escalate_management: at_risk", "Mon 03-02 11:59:59", False),
    ("escalate_management: at_risk", "Mon 03-02 12:00", True),
    ("escalate_management: breached", "Tue 03-03 10:00", False),
    ("escalate_management: breached", "Tue 03-03 10:00:01", True),
    ("escalate_management: 90m", "Tue 03-03 11:29:59", False),
    ("escalate_management: 90m", "Tue 03-03 11:30", True),
]


@pytest.mark.parametrize(("line", "now", "expected"), MANAGEMENT)
def test_management_is_called_only_by_a_line_that_says_so(line, now, expected) -> None:
    found = climbed(now, "03-02 10:30 reply", line)
    assert ("sla_escalate_management" in found.tags) is expected


def test_a_late_answer_stays_escalated_until_the_solve() -> None:
    line = "escalate_management: breached"
    late = climbed("Mon 03-02 11:30", "03-02 11:15 reply", line)
    solved = climbed("Mon 03-02 11:30", "03-02 11:15 reply; 03-02 11:20 status=solved", line)
    assert "sla_escalate_management" in late.tags
    assert "sla_escalate_management" not in solved.tags


def test_nothing_climbs_that_is_cancelled_or_promises_nothing() -> None:
    assert climbed("Tue 03-03 12:00", cancelled="deleted").climbs == ()
    assert [one.metric for one in climbed("Tue 03-03 12:00", kind="question").climbs] == [
        Metric.FIRST_RESPONSE
    ]


def test_a_step_is_explained() -> None:
    found = [one for one in reasons(climbed("Mon 03-02 14:00")) if one.code == "step"]
    assert [one.values["id"] for one in found] == ["due", "half", "aim"]
