"""A tier that was reached stays, though what led to it went by without an event."""

import pytest

from mappings.evaluate import evaluate
from mappings.ticket import DONE
from tests.builders import a_policy, a_ticket, history, local

AT = local("Mon 03-02 10:00")
TEXT = """
policy: tiers
title: Tiers
document: tiers.txt
commitment: {commitment}
waiting: {{access: pause}}
targets: {{resolution: [{{limit: 4h}}]}}
{rest}
"""
RISK = "tiers: [{tier: 2, any: [{resolution: at_risk}]}]"
LATE = "tiers: [{tier: 2, any: [{resolution: [at_risk, breached]}]}]"
WAITING = "tiers: [{tier: 2, any: [{waiting: access}]}]"
LADDER = "escalation: [{id: duty, metric: resolution, at: 1h after due, tier: 3}]"
# at risk 13:00, due 14:00
ACCESS = {
    "access": "yes",
    "access_from": "2026-03-02T13:30:00Z",
    "access_to": "2026-03-02T15:00:00Z",
}

ROWS = [
    ("target", RISK, {}, "12:59", 1),
    ("target", RISK, {}, "13:00", 2),
    ("target", RISK, {}, "14:00:01", 2),
    ("best_effort", LATE, {}, "14:30", 2),
    # paused from 13:30 by a field, when it was at risk
    ("target", LATE, ACCESS, "13:20", 2),
    ("target", LATE, ACCESS, "14:00", 2),
    ("target", WAITING, ACCESS, "13:29", 1),
    ("target", WAITING, ACCESS, "14:00", 2),
    ("target", WAITING, ACCESS, "16:00", 2),
    # a policy without tiers, but with a ladder that raises one
    ("target", LADDER, {}, "14:59", 1),
    ("target", LADDER, {}, "15:00", 3),
]


@pytest.mark.parametrize(("commitment", "rest", "values", "now", "tier"), ROWS)
def test_a_tier_over_time(commitment, rest, values, now, tier) -> None:
    policy = a_policy(text=TEXT.format(commitment=commitment, rest=rest))
    found = evaluate(a_ticket(at=AT, **values), policy, local(f"Mon 03-02 {now}"))
    assert found.tier == tier
    assert ("sla_tier_3" in found.tags) == (tier == 3)


def test_a_change_that_matters_to_nobody_takes_no_tier_away() -> None:
    policy = a_policy(text=TEXT.format(commitment="target", rest=LATE))
    ticket = a_ticket(at=AT, events=history("03-02 13:40 color=red"), color=None, **ACCESS)
    assert evaluate(ticket, policy, local("Mon 03-02 14:00")).tier == 2


def test_what_became_at_risk_only_after_the_solve_never_was() -> None:
    policy = a_policy(text=TEXT.format(commitment="target", rest=RISK))
    ticket = a_ticket(at=AT, events=history("03-02 12:00 status=solved"))
    found = evaluate(ticket, policy, local("Mon 03-02 16:00"))
    assert (found.ticket.status in DONE, found.tier) == (True, 1)
