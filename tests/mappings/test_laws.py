"""What holds for every ticket, whatever happened to it."""

import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mappings.answer import as_json, one_line
from mappings.clock import State
from mappings.evaluate import Evaluation, evaluate
from mappings.explain import Reason, reasons, text
from mappings.policy import Policy
from mappings.sentences import SENTENCES
from mappings.tags import own_tags
from mappings.ticket import DONE, Change, Ticket
from tests.builders import (
    LONDON,
    Happening,
    a_policy,
    a_ticket,
    local,
    shipped,
    user_support,
)

SECOND = timedelta(seconds=1)
ZONES = ["Europe/London", "America/New_York", "Asia/Kolkata", "Pacific/Kiritimati"]
PAUSING = """
policy: pausing
title: Pausing
document: pausing.txt
calendars:
  business: {time_zone: account, week: {mon: ["09:00-12:00", "13:00-18:00"], tue: ["09:00-18:00"],
    wed: ["22:00-06:00"], fri: ["09:00-18:00"]}}
severity:
  levels:
    - {id: critical, name: Critical}
    - {id: high, name: High}
    - {id: medium, name: Medium}
    - {id: low, name: Low}
  rules: [{from: severity}, {from: priority}, {severity: medium}]
waiting: {customer: pause, third_party: excuse}
targets:
  first_response:
    - {limit: 2h, clock: business, under: true}
  next_update:
    - {when: {severity: critical}, every: 3h}
  resolution:
    - {when: {severity: [critical, high]}, limit: 8h}
    - {when: {severity: medium}, aim: 1h, limit: 2bd, clock: business}
    - {when: {severity: low}, limit: 6h, clock: business, commitment: best_effort}
tiers:
  - {tier: 2, any: [{resolution: [at_risk, breached, overdue]}]}
  - {tier: 3, any: [{resolution: [breached, overdue]}]}
"""
RICH = """
policy: rich
title: Everything at once
document: rich.txt
on_severity_change: {mode}
on_reopen: {reopen}
escalate_management: 90m
default_plan: basic
calendars:
  business: {{time_zone: account, week: {{mon: ["09:00-18:00"], tue: ["09:00-18:00"],
    wed: ["22:00-06:00"], fri: ["09:00-18:00"]}}}}
severity:
  levels: [{{id: critical, name: Critical}}, {{id: high, name: High}}, {{id: medium, name: Medium}},
    {{id: low, name: Low}}]
  matrix:
    rows: impact
    columns: urgency
    cells: {{high: {{high: critical, low: high}}, low: {{high: medium, low: low}}}}
    lowered_when: {{scope: out}}
  rules: [{{from: severity, after_first_reply: true}}, {{from: matrix}}, {{from: priority}},
    {{severity: medium}}]
waiting:
  customer: {{effect: pause, metrics: [resolution]}}
  third_party: excuse
  suspension: pause
  maintenance: excuse
information: {{gate: hold_start, required: [product, {{any_of: [logs, version]}}]}}
exempt: [{{when: {{channel: forum}}, reason: channel, unofficial: true}}]
targets:
  first_response:
    - {{when: {{severity: [critical, high]}}, limit: 2h, clock: business, under: true,
       start: information_complete}}
    - {{when: {{severity: [medium, low]}}, aim: 1h, limit: 1bd, clock: business}}
  next_update:
    - {{when: {{class: complaint}}, every: 1w, start: acknowledged}}
    - {{when: {{severity: critical}}, every: 3h}}
  resolution:
    - {{when: {{severity: [critical, high]}}, limit: 8h}}
    - {{when: {{severity: medium}}, aim: 1h, limit: 2bd, clock: business}}
    - {{when: {{severity: low}}, limit: 6h, clock: business, commitment: best_effort}}
    - {{when: {{class: defect}}, aim: 1d, commitment: none}}
fulfilment:
  - {{metric: first_response, or_at: called_back_at, or_call: true}}
  - {{metric: resolution, filled: deployed_at}}
duties:
  - {{id: complaint_review_overdue, when: {{class: complaint}}, after_response: 1w, tag: true,
     text: x}}
  - {{id: suspended, when: {{waiting: suspension}}, tag: true, text: x}}
  - {{id: rca_required, when: {{status: [solved, closed]}}, missing: [root_cause], kept: true,
     tag: true, text: x}}
tiers: [{{tier: 2, any: [{{resolution: [at_risk, breached, overdue]}}]}}]
escalation:
  - {{id: half, metric: resolution, at: 50%, tags: [escalation_half], group: Leads}}
  - {{id: late, at: 2h after due, tier: 3, notify: true}}
gaps: [{{id: entitlement_unknown, grade: W, text: x, assumption: x}}]
"""
PLANS = [
    "contract: basic\npolicy: rich\nplan: basic\n",
    "contract: gold\npolicy: rich\nplan: gold\n"
    "overrides: {targets: {resolution: [{limit: 5h}]}, waiting: {third_party: pause}}\n",
]
RICHES = [
    a_policy(text=RICH.format(mode=mode, reopen=reopen), zone=zone, contracts=PLANS)
    for mode, reopen, zone in (
        ("restate", "resume", ZONES[0]),
        ("grace", "continue", ZONES[1]),
        ("keep", "restart", ZONES[2]),
        ("restart", "resume", ZONES[3]),
    )
]
INFOCYTE = [f"infocyte-{plan}" for plan in ("enlist", "patrol", "command", "assessment")]
POLICIES = [
    *map(user_support, ZONES),
    *(a_policy(text=PAUSING, zone=zone) for zone in ZONES),
    *RICHES,
    *RICHES,
    shipped("kaizen365", "Asia/Amman"),
    shipped("jivrus", LONDON),
    shipped("infocyte", None, tuple(INFOCYTE)),
    shipped("workeasy", LONDON),
]
MONDAY = datetime(2026, 3, 23, tzinfo=UTC)  # the clocks of Europe change six days later
GRACE = timedelta(days=12)

happenings: st.SearchStrategy[Happening] = st.one_of(
    st.just("reply"),
    st.builds(
        lambda status: {"status": status},
        st.sampled_from(["open", "pending", "on_hold", "solved", "closed"]),
    ),
    st.builds(
        lambda severity: {"severity": severity},
        st.sampled_from(["critical", "high", "medium", "low", None]),
    ),
    st.builds(
        lambda kind: {"class": kind},
        st.sampled_from(["incident", "question", "complaint", "defect"]),
    ),
    st.just("call"),
    st.builds(
        lambda name, filled: {name: filled},
        st.sampled_from(
            [
                "product",
                "logs",
                "version",
                "suspended",
                "third_party",
                "maintenance",
                "root_cause",
                "plan_of_action",
                "executive_review",
            ]
        ),
        st.sampled_from(["yes", "yes", None]),
    ),
    st.builds(
        lambda name, value: {name: value},
        st.sampled_from(["impact", "urgency"]),
        st.sampled_from(["high", "low", "odd", None]),
    ),
    st.builds(lambda scope: {"scope": scope}, st.sampled_from(["in", "out"])),
    st.builds(lambda level: {"assessed": level}, st.sampled_from(["critical", "low", "odd", None])),
    st.builds(
        lambda name, hours: {name: f"{MONDAY + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"},
        st.sampled_from(
            ["suspended_from", "suspended_to", "called_back_at", "deployed_at", "maintenance_to"]
        ),
        st.integers(0, 300),
    ),
    st.builds(lambda tier: {"tier": tier}, st.sampled_from(["1", "2", "3"])),
    st.builds(
        lambda category: {"category": category}, st.sampled_from(["billing", "data corruption"])
    ),
    st.builds(
        lambda hours: {
            "promised_update_at": f"{MONDAY + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"
        },
        st.integers(0, 150),
    ),
)
steps = st.tuples(st.integers(0, 40 * 3600), happenings)
policies = st.sampled_from(POLICIES)


MAPPED = [
    "product",
    "logs",
    "version",
    "deployed_at",
    "root_cause",
    "plan_of_action",
    "description",
]


@st.composite
def tickets(draw: st.DrawFn) -> Ticket:
    at = MONDAY + timedelta(seconds=draw(st.integers(0, 7 * 86400)))
    events, when = [], at
    for gap, happening in draw(st.lists(steps, max_size=6)):
        when += timedelta(seconds=gap)
        events.append((when, happening))
    return a_ticket(
        at=at,
        severity=draw(st.sampled_from(["critical", "high", "medium", "low", None])),
        channel=draw(st.sampled_from(["portal", "email", "forum", "other"])),
        kind=draw(st.sampled_from(["incident", "question"])),
        events=events,
        known=draw(st.booleans()),
        plans=draw(st.sampled_from([(), (), ("gold",), ("basic", "gold"), ("patrol", "enlist")])),
        mapped=["workaround", *draw(st.lists(st.sampled_from(MAPPED), max_size=4))],
    )


@st.composite
def moments(draw: st.DrawFn) -> tuple[Ticket, datetime]:
    """A ticket and an instant at or near something that happens to it."""
    ticket = draw(tickets())
    marks = [ticket.created_at, *(change.at for change in ticket.changes)]
    return ticket, draw(st.sampled_from(marks)) + timedelta(
        seconds=draw(st.one_of(st.integers(0, 3), st.integers(0, 200_000)))
    )


def reading(evaluation: Evaluation) -> tuple[object, ...]:
    """What `next_change_at` speaks of: states, tags, tier, and what the steps of ladders do."""
    return (
        evaluation.state,
        evaluation.tags,
        evaluation.tier,
        evaluation.group,
        [(one.step.id, one.metric) for one in evaluation.climbs if one.step.notify],
        [(one.metric, one.state, one.outcome.excused) for one in evaluation.metrics],
    )


@given(moments(), policies)
def test_next_change_at_is_the_very_instant_of_the_next_change(
    moment: tuple[Ticket, datetime], policy: Policy
) -> None:
    ticket, now = moment
    ticket = ticket.as_of(now)
    found = evaluate(ticket, policy, now)
    change = found.next_change_at
    if change is None:
        assert reading(evaluate(ticket, policy, now + GRACE)) == reading(found)
        return
    assert change > now
    assert reading(evaluate(ticket, policy, change - SECOND)) == reading(found)
    assert reading(evaluate(ticket, policy, change)) != reading(found)


@given(moments(), policies, st.randoms(use_true_random=False))
def test_the_order_in_which_events_are_given_does_not_matter(
    moment: tuple[Ticket, datetime], policy: Policy, dice: random.Random
) -> None:
    ticket, now = moment
    changes, replies = list(ticket.changes), list(ticket.replies)
    dice.shuffle(changes)
    dice.shuffle(replies)
    shuffled = replace(
        ticket,
        values=dict(reversed(list(ticket.values.items()))),
        replies=tuple(replies),
        changes=tuple(changes),
    )
    assert as_json(evaluate(shuffled, policy, now)) == as_json(evaluate(ticket, policy, now))


@given(moments(), policies)
def test_what_happens_later_changes_no_answer_about_the_past(
    moment: tuple[Ticket, datetime], policy: Policy
) -> None:
    ticket, now = moment
    then = evaluate(ticket.as_of(now), policy, now)
    assert as_json(evaluate(ticket, policy, now)) == as_json(then)


WORSE = [State.RUNNING, State.AT_RISK, State.OVERDUE, State.BREACHED]


@given(moments(), policies, st.integers(1, 500_000))
def test_while_nothing_happens_an_open_metric_only_worsens(
    moment: tuple[Ticket, datetime], policy: Policy, seconds: int
) -> None:
    ticket, now = moment
    ticket = ticket.as_of(now)
    before = evaluate(ticket, policy, now).metrics
    after = evaluate(ticket, policy, now + timedelta(seconds=seconds)).metrics
    for one, later in zip(before, after, strict=True):
        if one.state in WORSE and one.is_open:
            assert WORSE.index(one.state) <= WORSE.index(later.state)
        else:
            assert one.state == later.state or one.state is State.PAUSED


@given(moments(), policies, st.integers(0, 500_000))
def test_a_tier_never_falls(moment: tuple[Ticket, datetime], policy: Policy, seconds: int) -> None:
    ticket, now = moment
    before = evaluate(ticket, policy, now).tier
    after = evaluate(ticket, policy, now + timedelta(seconds=seconds)).tier
    assert (before or 0) <= (after or 0)


@given(
    tickets().filter(lambda ticket: not ticket.changes),
    policies,
    st.integers(0, 90_000),
    st.integers(0, 90_000),
    st.sampled_from(["pending", "on_hold"]),
)
def test_a_wait_never_makes_a_due_date_earlier(
    ticket: Ticket, policy: Policy, start: int, length: int, status: str
) -> None:
    begin = ticket.created_at + timedelta(seconds=start)
    end = begin + timedelta(seconds=length)
    cause = {"pending": "customer", "on_hold": "third_party"}[status]
    waited = replace(
        ticket,
        changes=(
            Change(at=begin, field="waiting", before=None, after=cause),
            Change(at=end, field="waiting", before=cause, after=None),
        ),
    )
    without = {one.metric: one for one in evaluate(ticket, policy, end).metrics}
    for one in evaluate(waited, policy, end).metrics:
        mine, theirs = one.outcome.due_at, without[one.metric].outcome.due_at
        assert (mine is None) == (theirs is None)
        assert mine is None or theirs is None or mine >= theirs


CLOSED = [  # nobody is there then, on any of these policies' business calendars in their zone
    ("pausing", "Sun 03-29 01:00", "Sun 03-29 12:00"),
    ("rich", "Sat 03-28 07:00", "Sun 03-29 12:00"),
]


@given(
    tickets().filter(lambda ticket: not ticket.changes),
    st.sampled_from([one for one in POLICIES if one.id in ("pausing", "rich")]),
    st.integers(0, 3_600),
    st.integers(0, 3_600),
)
def test_a_wait_outside_open_time_moves_no_due_on_that_calendar(
    ticket: Ticket, policy: Policy, later: int, earlier: int
) -> None:
    _, begins, ends = next(one for one in CLOSED if one[0] == policy.id)
    begin = local(begins, policy.zone_name) + timedelta(seconds=later)
    end = local(ends, policy.zone_name) - timedelta(seconds=earlier)
    assume(ticket.created_at < begin)
    waited = replace(
        ticket,
        changes=(
            Change(at=begin, field="waiting", before=None, after="customer"),
            Change(at=end, field="waiting", before="customer", after=None),
        ),
    )
    without = {one.metric: one.outcome for one in evaluate(ticket, policy, end).metrics}
    for one in evaluate(waited, policy, end).metrics:
        if one.promise.clock == "business":
            assert one.outcome.due_at == without[one.metric].due_at
            assert one.outcome.state is without[one.metric].state


@given(moments(), policies)
def test_an_answer_is_in_order(moment: tuple[Ticket, datetime], policy: Policy) -> None:
    ticket, now = moment
    found = evaluate(ticket, policy, now)
    assert list(found.tags) == sorted(set(found.tags))
    assert set(found.tags) <= own_tags([policy], policy.prefix)
    json.dumps(as_json(found))
    assert one_line(found) == one_line(evaluate(ticket, policy, now))
    dues = [one.outcome.due_at for one in found.metrics if one.is_open]
    later = [due for due in dues if due is not None and due > now]
    assert found.next_due_at == min(later, default=None)
    solved = ticket.as_of(now).status in DONE
    for one in found.metrics:
        # only a field that the policy asks for keeps a metric of a solved ticket open
        asked = [rule for rule in policy.fulfilments if rule.metric is one.metric and rule.filled]
        assert not (solved and one.is_open) or asked
        missed = one.outcome.breached_at
        assert missed is None or missed <= now
        assert (missed is not None) == (one.state in (State.BREACHED, State.OVERDUE))


@given(moments(), policies, st.integers(1, 400_000))
def test_the_line_in_the_ticket_stays_while_the_answer_does(
    moment: tuple[Ticket, datetime], policy: Policy, seconds: int
) -> None:
    ticket, now = moment
    ticket, later = ticket.as_of(now), now + timedelta(seconds=seconds)
    found = evaluate(ticket, policy, now)
    assume(found.next_change_at is None or later < found.next_change_at)
    assert one_line(evaluate(ticket, policy, later)) == one_line(found)


@given(moments(), policies)
def test_every_reason_of_an_answer_is_a_sentence(
    moment: tuple[Ticket, datetime], policy: Policy
) -> None:
    ticket, now = moment
    for reason in reasons(evaluate(ticket, policy, now)):
        assert reason.code in SENTENCES
        assert text(reason, policy.zone).endswith((".", ".)"))


@pytest.mark.parametrize("code", ["unknown_value", "author_unknown", "field_missing", "new_remark"])
def test_every_remark_of_a_helpdesk_is_a_sentence(code: str) -> None:
    reason = Reason(code=code, values={"about": "status", "value": "{odd}"})
    assert "{odd}" in text(reason, UTC)
