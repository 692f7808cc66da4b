"""The tags that say the answer inside the helpdesk, and the full list of those that are ours."""

from collections.abc import Iterable

from mappings.clock import State
from mappings.policy import Metric, Policy
from mappings.ticket import TicketClass

SHOWN_STATES = (
    State.AT_RISK,
    State.BREACHED,
    State.OVERDUE,
    State.PAUSED,
    State.NOT_STARTED,
)

# every duty and mark of policy-semantics section 5, whichever policy sets it
MARKS = (
    "info_missing",
    "eta_missing",
    "third_party",
    "on_site",
    "suspended",
    "hotfix",
    "complaint_review_overdue",
    "escalate_management",
    "best_effort",
    "policy_gap",
    "rca_required",
    "executive_review",
    "excused",
    "tier_2",
    "tier_3",
    "unofficial_channel",
)
EXEMPT_REASONS = ("channel", *(one.value for one in TicketClass))


def severity_tag(level: str) -> str:
    """`sev_<severity>`, without the account's prefix."""
    return f"sev_{level}"


def state_tag(metric: Metric, state: State) -> str:
    """`<metric>_<state>`, without the account's prefix."""
    return f"{metric}_{state}"


def exempt_tag(reason: str) -> str:
    """`exempt_<reason>`, without the account's prefix."""
    return f"exempt_{reason}"


def own_tags(policies: Iterable[Policy], prefix: str) -> frozenset[str]:
    """Exactly the tags that are ours to set and to remove, for these policies.

    Those of their contracts are among them.
    """
    policies = [one for policy in policies for one in (policy, *policy.overlaid())]
    names = {state_tag(metric, state) for metric in Metric for state in SHOWN_STATES}
    names.update(MARKS, (exempt_tag(reason) for reason in EXEMPT_REASONS))
    for policy in policies:
        names.update(severity_tag(level.id) for level in policy.levels)
        names.update(exempt_tag(exemption.reason) for exemption in policy.exemptions)
        names.update(duty.id for duty in policy.duties if duty.tag)
        names.update(tag for step in policy.steps for tag in step.tags)
    return frozenset(prefix + name for name in names)
