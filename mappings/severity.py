"""Severity: which level of the policy a ticket has at an instant, and which rule said so."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mappings.conditions import Condition
from mappings.policy import Level, Policy, SeverityRule
from mappings.ticket import PRIORITY, Channel, Ticket

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
    #: facts that do not come from the ticket, such as a metric's state; found when asked for
    extra: Mapping[str, Callable[[], str]] = field(default_factory=dict)
    # what was asked for before: the same few facts are tested by every target
    _known: dict[str, str | None] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    _decided: list[Decision] = field(init=False, repr=False, compare=False, default_factory=list)

    def severity(self) -> Decision:
        """The severity at the instant."""
        if not self._decided:
            self._decided.append(decide(self.ticket, self.policy, self.at))
        return self._decided[0]

    def __call__(self, name: str) -> str | None:
        if name not in self._known:
            self._known[name] = self._find(name)
        return self._known[name]

    def _find(self, name: str) -> str | None:
        if name in self.extra:
            return self.extra[name]()
        if name == CHANNEL:
            channel = self.ticket.channel
            return (Channel.PORTAL if channel is Channel.OTHER else channel).value
        if name == "plan":
            return self.ticket.plan
        if name == SEVERITY:
            level = self.severity().level
            return level.id if level else None
        return self.ticket.value_at(name, self.at)


def decide(ticket: Ticket, policy: Policy, at: datetime) -> Decision:
    """The severity at an instant: the first rule that gives a level decides."""
    ignored: str | None = None
    facts = Facts(ticket=ticket, policy=policy, at=at)
    for number, rule in enumerate(policy.severity_rules, 1):
        level, why = _apply(rule, facts)
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


def _apply(rule: SeverityRule, facts: Facts) -> tuple[Level | None, str]:
    policy = facts.policy
    if rule.taken_from is None:
        # a condition on the severity itself would have no end; the document model refuses one
        if not rule.when.holds(facts):
            return None, ""
        return policy.level(rule.level or ""), str(rule.when) or "default"
    value = facts.ticket.value_at(rule.taken_from, facts.at)
    if value is None:
        return None, ""
    if rule.taken_from == PRIORITY:
        rank = int(value)
        level = policy.levels[rank - 1] if 1 <= rank <= len(policy.levels) else None
        return level, f"the helpdesk's priority, rank {rank} of {len(policy.levels)}"
    level = policy.level(value)
    return level, f"assessed as '{value}'" if level else value


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
