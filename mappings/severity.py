"""Severity: which level of the policy a ticket has at an instant, and which rule said so."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mappings.conditions import Condition
from mappings.policy import Level, Policy, SeverityRule
from mappings.ticket import PRIORITY, Ticket

SEVERITY = "severity"
CHANNEL = "channel"
ONE_SECOND = timedelta(seconds=1)  # instants are whole seconds, so this is "just before"


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """A severity and how it came about."""

    level: Level | None
    by: str
    source: str | None = None
    gaps: tuple[str, ...] = ()
    #: an assessed value that names no level of the policy
    ignored: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What conditions may ask of a ticket at an instant. Calling it gives a fact by its name."""

    ticket: Ticket
    policy: Policy
    at: datetime
    #: facts that do not come from the ticket, such as a metric's state
    extra: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, name: str) -> str | None:
        if name in self.extra:
            return self.extra[name]
        if name == CHANNEL:
            return self.ticket.channel.value
        if name == "plan":
            return self.ticket.plan
        if name == SEVERITY:
            level = decide(self.ticket, self.policy, self.at).level
            return level.id if level else None
        return self.ticket.value_at(name, self.at)


def decide(ticket: Ticket, policy: Policy, at: datetime) -> Decision:
    """The severity at an instant: the first rule that gives a level decides."""
    ignored: str | None = None
    for number, rule in enumerate(policy.severity_rules, 1):
        level, why = _apply(rule, ticket, policy, at)
        if level is not None:
            return Decision(
                level=level,
                by=f"rule {number}: {why}",
                source=rule.source or level.source,
                gaps=rule.gaps,
                ignored=ignored,
            )
        ignored = ignored or why or None
    return Decision(level=None, by="the policy has no severity for it", ignored=ignored)


def _apply(
    rule: SeverityRule, ticket: Ticket, policy: Policy, at: datetime
) -> tuple[Level | None, str]:
    if rule.taken_from is None:
        # a condition on the severity itself would have no end; the document model refuses one
        if not rule.when.holds(Facts(ticket=ticket, policy=policy, at=at)):
            return None, ""
        return policy.level(rule.level or ""), str(rule.when) or "default"
    value = ticket.value_at(rule.taken_from, at)
    if value is None:
        return None, ""
    if rule.taken_from == PRIORITY:
        rank = int(value)
        level = policy.levels[rank - 1] if 1 <= rank <= len(policy.levels) else None
        return level, f"the helpdesk's priority, rank {rank} of {len(policy.levels)}"
    return policy.level(value), f"assessed as '{value}'" if policy.level(value) else value


def holds_since(
    when: Condition, ticket: Ticket, policy: Policy, until: datetime
) -> datetime | None:
    """Since when a condition has held without a break, up to `until`; None if it does not hold."""

    def holds(at: datetime) -> bool:
        return when.holds(Facts(ticket=ticket, policy=policy, at=at))

    if not holds(until):
        return None
    for at in sorted({change.at for change in ticket.changes if change.at <= until}, reverse=True):
        if at <= ticket.reported_at:
            break
        if not holds(at - ONE_SECOND):
            return at
    return ticket.reported_at
