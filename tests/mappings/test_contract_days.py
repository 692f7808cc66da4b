"""For whom and when a contract holds, and the policy that it comes to."""

import pytest

from mappings.document.reading import DocumentError
from mappings.entitlement import terms
from mappings.evaluate import evaluate
from mappings.explain import reasons
from mappings.policy import Metric
from tests.builders import a_policy, a_ticket, local, shown

NEW_YORK = "America/New_York"
TEXT = """
policy: base
title: Base
document: base.txt
calendars:
  business: {time_zone: Europe/London, week: {mon: ["09:00-17:00"], tue: ["09:00-17:00"]}}
targets:
  first_response: [{limit: 1h}]
  resolution: [{limit: 8h, clock: business}]
"""
SIGNED = """
contract: acme
policy: base
organizations: [17]
valid_from: 2026-03-03
valid_to: 2026-03-04
source: order 12
overrides: {targets: {resolution: [{limit: 2h}]}}
"""

DAYS = [
    ("03-02 23:59:59", False),
    ("03-03 00:00", True),
    ("03-04 23:59:59", True),
    ("03-05 00:00", False),
]


@pytest.mark.parametrize(("at", "holds"), DAYS)
def test_its_days_are_those_of_the_account(at: str, holds: bool) -> None:
    policy = a_policy(text=TEXT, zone=NEW_YORK, contracts=[SIGNED])
    ticket = a_ticket(at=local(at, NEW_YORK), organization="17")
    assert (terms(ticket, policy).contract is not None) is holds


def test_where_nobody_chose_a_zone_they_are_those_of_the_calendars() -> None:
    policy = a_policy(text=TEXT, zone=None, contracts=[SIGNED])
    assert shown(policy.contracts[0].begins_at) == "Tue 03-03 00:00"


def test_it_changes_what_it_names_and_leaves_the_rest() -> None:
    policy = a_policy(text=TEXT, contracts=[SIGNED])
    at = local("Tue 03-03 10:00")
    found = evaluate(a_ticket(at=at, organization="17"), policy, at)
    dues = {one.metric: shown(one.outcome.due_at) for one in found.metrics}
    assert dues == {
        Metric.FIRST_RESPONSE: "Tue 03-03 11:00",
        Metric.RESOLUTION: "Tue 03-03 12:00",
    }
    layers = {one.values["metric"]: one.values["layer"] for one in _promises(found)}
    assert layers == {"first_response": "policy", "resolution": "acme"}
    assert found.policy.version != policy.version


def _promises(found):
    return [one for one in reasons(found) if one.code == "promise"]


@pytest.mark.parametrize(
    ("whose", "domains", "holds"),
    [("18", (), False), (None, ("acme.example",), True), ("18", ("other.example",), False)],
)
def test_a_customer_is_known_by_id_or_by_domain(whose, domains, holds) -> None:
    text = SIGNED.replace("organizations: [17]", "domains: [ACME.example]")
    policy = a_policy(text=text and TEXT, contracts=[text])
    ticket = a_ticket(at=local("03-03 10:00"), organization=whose, domains=domains)
    assert (terms(ticket, policy).contract is not None) is holds


def test_layers_lie_in_the_order_policy_everybody_plan_customer() -> None:
    everybody = "contract: all\npolicy: base\noverrides: {at_risk_at: 0.5, on_reopen: continue}\n"
    gold = "contract: gold\npolicy: base\nplan: gold\noverrides: {at_risk_at: 0.6}\n"
    own = SIGNED.replace("overrides:", "plan: gold\noverrides:")
    policy = a_policy(text=TEXT, contracts=[own, gold, everybody])
    found = terms(a_ticket(at=local("03-03 10:00"), organization="17"), policy)
    (merged,) = found.policies
    assert [one.id for one in merged.layers] == ["all", "gold", "acme"]
    assert (str(merged.at_risk_at), merged.on_reopen) == ("3/5", "continue")
    assert found.plans == ("gold",)


def test_contracts_that_do_not_load_together_are_refused_at_the_start() -> None:
    plan = (
        "contract: gold\npolicy: base\nplan: gold\n"
        "overrides: {severity: {levels: [{id: p1, name: Top}], rules: [{severity: p1}]}}\n"
    )
    own = SIGNED.replace(
        "overrides: {targets", "overrides: {severity: {levels: [{id: p2, name: Two}]}, targets"
    )
    with pytest.raises(DocumentError, match="severity 'p1' does not exist"):
        a_policy(text=TEXT, contracts=[plan, own])
