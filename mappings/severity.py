"""Severity: which level of the policy a ticket has at an instant, and which rule said so."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from mappings.conditions import REMEMBERED, Condition, same_word
from mappings.policy import Level, Matrix, Policy, SeverityRule
from mappings.ticket import ASSESSED, PRIORITY, Channel, Ticket
from mappings.waiting import causes_at, tells_bounds, waits_of

SEVERITY = "severity"
CHANNEL = "channel"
PLAN = "plan"
MATRIX = "matrix"
REQUESTED = "requested_severity"  #: the input in which the requester chooses a level
T = TypeVar("T")
ONE_SECOND = timedelta(seconds=1)  # instants are whole seconds, so this is "just before"


class Decision(NamedTuple):
    """A severity and how it came about."""

    level: Level | None
    by: str
    source: str | None = None
    gaps: tuple[str, ...] = ()
    #: values that name no level of the policy: (what, value)
    ignored: tuple[tuple[str, str], ...] = ()
    #: an assessment that does not count yet, or not at all: (value, why)
    refused: tuple[str, str] | None = None


def _waiting(facts: "Facts") -> str:
    return ",".join(causes_at(facts.ticket, facts.at, facts.policy.zone))


def _channel(facts: "Facts") -> str:
    channel = facts.ticket.channel
    return (Channel.PORTAL if channel is Channel.OTHER else channel).value


def _severity(facts: "Facts") -> str | None:
    level = facts.severity().level
    return level.id if level else None


def _reopened(facts: "Facts") -> str | None:
    count = sum(one.end is not None for one in facts.ticket.done(facts.at))
    return str(count) if count else None


def _replied(facts: "Facts") -> str | None:
    return "true" if facts.ticket.replies and facts.ticket.replies[0].at <= facts.at else None


#: facts that every ticket has, whatever the field mapping names
OWN_FACTS: Mapping[str, Callable[["Facts"], str | None]] = {
    CHANNEL: _channel,
    SEVERITY: _severity,
    PLAN: lambda facts: ",".join(facts.ticket.plans),
    "waiting": _waiting,
    "reopened": _reopened,
    "replied": _replied,
    "organization": lambda facts: facts.ticket.organization,
}


@dataclass(kw_only=True, slots=True)
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
    _decided: Decision | None = field(init=False, repr=False, compare=False, default=None)

    def severity(self) -> Decision:
        """The severity at the instant."""
        if self._decided is None:
            self._decided = _Decisions.by(self.policy).of(self)
        return self._decided

    def __call__(self, name: str) -> str | None:
        if name not in self._known:
            self._known[name] = self._find(name)
        return self._known[name]

    def _find(self, name: str) -> str | None:
        if name in self.extra:
            return self.extra[name]()
        own = OWN_FACTS.get(name)
        if own is not None:
            return own(self)
        return self.ticket.value_at(name, self.at)


def decide(ticket: Ticket, policy: Policy, at: datetime) -> Decision:
    """The severity at an instant: the first rule that gives a level decides."""
    return Facts(ticket=ticket, policy=policy, at=at).severity()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Decisions:
    """The severities that a policy came to so far, by what told them."""

    asked: tuple[str, ...]
    taken: tuple[str, ...]
    #: an assessment that has to wait for a reply hangs on more than the values of one instant
    hangs_on_history: bool
    known: dict[tuple[str | None, ...], Decision] = field(default_factory=dict)

    @classmethod
    def by(cls, policy: Policy) -> "_Decisions":
        found = policy.remembered.get(SEVERITY)
        if not isinstance(found, _Decisions):
            found = policy.remembered[SEVERITY] = cls(
                asked=tuple(sorted(_asked(policy))),
                taken=tuple(sorted(_taken(policy))),
                hangs_on_history=any(rule.after_first_reply for rule in policy.severity_rules),
            )
        return found

    def of(self, facts: Facts) -> Decision:
        if self.hangs_on_history:
            return _decide(facts)
        ticket, at = facts.ticket, facts.at
        key = (*map(facts, self.asked), *[ticket.value_at(name, at) for name in self.taken])
        found = self.known.get(key)
        if found is None:
            if len(self.known) >= REMEMBERED:
                self.known.clear()
            found = self.known[key] = _decide(facts)
        return found


def told_by(policy: Policy) -> frozenset[str]:
    """The names of all that the severity of a ticket hangs on."""
    return _asked(policy) | _taken(policy)


def _asked(policy: Policy) -> frozenset[str]:
    """The facts that the rules ask for."""
    found = frozenset[str]().union(*(rule.when.facts() for rule in policy.severity_rules))
    if policy.matrix is None:
        return found
    lowered = policy.matrix.lowered_when
    found |= {policy.matrix.rows, policy.matrix.columns}
    return found if lowered is None else found | lowered.facts()


def _taken(policy: Policy) -> frozenset[str]:
    """The values that name a level."""
    names = (rule.taken_from for rule in policy.severity_rules)
    return frozenset(name for name in names if name is not None and name != MATRIX)


def _decide(facts: Facts) -> Decision:
    policy = facts.policy
    ignored: list[tuple[str, str]] = []
    refused: tuple[str, str] | None = None
    # a condition on the severity itself would have no end; the document model refuses one
    for number, rule in policy.severity_rules_for(facts):
        found = _apply(rule, facts)
        ignored.extend(found.ignored)
        refused = refused or found.refused
        if found.level is not None:
            return Decision(
                level=found.level,
                by=f"rule {number}: {found.by}",
                source=rule.source or (found.level.source if rule.taken_from else None),
                gaps=rule.gaps,
                ignored=tuple(ignored),
                refused=refused,
            )
    by = "the policy has no severity for it" if policy.levels else "the policy has no severities"
    return Decision(level=None, by=by, ignored=tuple(ignored), refused=refused)


def changed_at(ticket: Ticket, policy: Policy, until: datetime) -> datetime | None:
    """When the severity last changed, up to `until`; None: never since the report."""
    level = decide(ticket, policy, until).level
    for at in sorted(_turns(ticket, policy, until), reverse=True):
        if at <= ticket.reported_at:
            break
        if decide(ticket, policy, at - ONE_SECOND).level is not level:
            return at
    return None


_NOTHING = Decision(level=None, by="")


def _apply(rule: SeverityRule, facts: Facts) -> Decision:
    """What one rule says; no level where it says nothing."""
    policy = facts.policy
    if rule.taken_from is None:
        return Decision(level=policy.level(rule.level or ""), by=str(rule.when) or "default")
    if rule.taken_from == MATRIX:
        return _NOTHING if policy.matrix is None else _by_matrix(policy.matrix, facts)
    if rule.taken_from == PRIORITY:
        return _by_priority(facts)
    return _by_value(rule, facts)


def _by_priority(facts: Facts) -> Decision:
    value = facts.ticket.value_at(PRIORITY, facts.at)
    if value is None:
        return _NOTHING
    rank, levels = int(value), facts.policy.levels
    if not 1 <= rank <= len(levels):
        return _NOTHING._replace(ignored=((PRIORITY, f"rank {rank} of {len(levels)}"),))
    by = f"the helpdesk's priority, rank {rank} of {len(levels)}"
    return Decision(level=levels[rank - 1], by=by)


def _by_value(rule: SeverityRule, facts: Facts) -> Decision:
    """An agent's assessment, or the requester's own choice."""
    name = rule.taken_from or ""
    value, refused = facts.ticket.value_at(name, facts.at), None
    if name == ASSESSED:
        value, refused = _assessed(rule, facts)
    if value is None:
        return _NOTHING._replace(refused=refused) if refused else _NOTHING
    level = facts.policy.level(value)
    if level is None:
        return _NOTHING._replace(ignored=((name, value),), refused=refused)
    verb = "assessed" if name == ASSESSED else "set by the requester"
    return Decision(level=level, by=f"{verb} as '{value}'", refused=refused)


def _assessed(rule: SeverityRule, facts: Facts) -> tuple[str | None, tuple[str, str] | None]:
    """The assessment in force, and one that is passed over with the reason."""
    ticket, at = facts.ticket, facts.at
    stands = ticket.value_at(ASSESSED, at)
    if not rule.after_first_reply:
        return stands, None
    replied = bool(ticket.replies) and ticket.replies[0].at <= at
    held = ticket.value_at(ASSESSED, ticket.reported_at)
    refused: tuple[str, str] | None = None
    for change in ticket.changes_of(ASSESSED):
        if change.at <= ticket.reported_at:
            continue
        if change.at > at:
            break
        if change.by_agent is False:
            refused = (change.after or "", "an agent did not set it")
        elif not replied:
            refused = (change.after or "", "it counts from the first public reply on")
        else:
            held, refused = change.after, None
    return held, refused


def _by_matrix(matrix: Matrix, facts: Facts) -> Decision:
    row, column = facts(matrix.rows), facts(matrix.columns)
    if not row or not column:
        return _NOTHING
    cells = _cell(matrix.cells, row)
    level = facts.policy.level(_cell(cells, column) or "") if cells else None
    if level is None:
        name, value = (matrix.columns, column) if cells else (matrix.rows, row)
        return _NOTHING._replace(ignored=((name, value),))
    by = f"{matrix.rows} {row} x {matrix.columns} {column}"
    if matrix.lowered_when is not None and matrix.lowered_when.holds(facts):
        levels = facts.policy.levels
        level = levels[min(facts.policy.rank(level) + 1, len(levels) - 1)]
        by += f", lowered by one: {matrix.lowered_when}"
    return Decision(level=level, by=by)


def _cell(cells: Mapping[str, T], value: str) -> T | None:
    wanted = same_word(value)
    return next((found for name, found in cells.items() if same_word(name) == wanted), None)


def holds_since(
    when: Condition, ticket: Ticket, policy: Policy, until: datetime
) -> datetime | None:
    """Since when a condition has held without a break, up to `until`; None if it does not hold."""

    def holds(at: datetime) -> bool:
        return when.holds(Facts(ticket=ticket, policy=policy, at=at))

    if not holds(until):
        return None
    for at in sorted(_turns(ticket, policy, until), reverse=True):
        if at <= ticket.reported_at:
            break
        if not holds(at - ONE_SECOND):
            return at
    return ticket.reported_at


def _turns(ticket: Ticket, policy: Policy, until: datetime) -> set[datetime]:
    """The instants at which a fact may have changed."""
    found = {change.at for change in ticket.changes}
    found.update(reply.at for reply in ticket.replies)
    if tells_bounds(ticket):
        for wait in waits_of(ticket, until, policy.zone):
            found.update(at for at in (wait.start, wait.end) if at is not None)
    return {at for at in found if at <= until}
