"""A support policy as it was written: severities, hours, targets, duties, and its gaps."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import StrEnum
from fractions import Fraction
from typing import Protocol, TypeVar

from mappings.conditions import EVERY_TICKET, AnyOf, Choice, Condition, Facts
from mappings.hours import BusinessDayMode, Schedule


class Metric(StrEnum):
    """What is timed, in the order in which metrics are shown."""

    FIRST_RESPONSE = "first_response"
    NEXT_UPDATE = "next_update"
    RESOLUTION = "resolution"


class Commitment(StrEnum):
    """How firmly a target is promised."""

    GUARANTEED = "guaranteed"
    TARGET = "target"
    BEST_EFFORT = "best_effort"
    NONE = "none"  #: informational: an aim and no limit


class Effect(StrEnum):
    """What a wait does to the clocks (policy-semantics 3.8)."""

    RUN = "run"
    PAUSE = "pause"
    EXCUSE = "excuse"


class Reopening(StrEnum):
    """What a reopen does to the resolution clock (policy-semantics 3.10)."""

    RESUME = "resume"  #: the time between solve and reopen is taken out
    CONTINUE = "continue"  #: it is not
    RESTART = "restart"  #: the clock starts anew at the reopen


class SeverityChange(StrEnum):
    """What a change of severity does to the metrics that are open (policy-semantics 3.4)."""

    RESTATE = "restate"  #: judged as if today's severity had held since the report
    GRACE = "grace"  #: restated, but never due earlier than the change plus the new target
    KEEP = "keep"  #: judged by the severity that held when the clock started
    RESTART = "restart"  #: the clock starts anew at the change


class JudgeBy(StrEnum):
    """Which version of a policy judges a ticket (policy-semantics 3.11)."""

    REPORTED = "reported"  #: the version in force at the report
    LATEST = "latest"


class Start(StrEnum):
    """What starts a target's clock."""

    REPORTED = "reported"
    INFORMATION_COMPLETE = "information_complete"  #: the required information was supplied
    ACKNOWLEDGED = "acknowledged"  #: the first response was made


class Gate(StrEnum):
    """What missing information does to a clock that starts at `information_complete`."""

    HOLD_START = "hold_start"
    ADVISORY = "advisory"  #: it is only shown; the clock starts at the report


class Unofficial(StrEnum):
    """How requests by a channel that the document does not accept are treated."""

    EXEMPT = "exempt"
    COMPUTE = "compute"


class Grade(StrEnum):
    """How much depends on a gap."""

    ERROR = "E"  #: a date cannot be computed without deciding it
    WARNING = "W"  #: a date depends on how a sentence is read
    INFORMATION = "I"


class Strategy(StrEnum):
    """How "1 hour during, 4 hours outside business hours" is read (policy-semantics 6)."""

    AT_REPORT = "at_report"
    AT_REPORT_BUSINESS = "at_report_business"
    EARLIEST = "earliest"


@dataclass(frozen=True, kw_only=True, slots=True)
class Amount:
    """A length of time: seconds, or business days where `business_days` is not 0."""

    seconds: int = 0
    business_days: int = 0

    def __str__(self) -> str:
        if self.business_days:
            return f"{self.business_days} business day{'s' if self.business_days > 1 else ''}"
        for size, unit in ((604800, "week"), (3600, "hour"), (60, "minute")):
            if self.seconds % size == 0:
                count = self.seconds // size
                return f"{count} {unit}{'s' if count > 1 else ''}"
        return f"{self.seconds} seconds"


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """One severity of the policy; its rank is its place, the most severe first."""

    id: str
    name: str
    definition: str = ""
    examples: tuple[str, ...] = ()
    source: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SeverityRule:
    """One way to come to a severity. The first rule that gives one decides."""

    #: what names the level: `severity` (an agent's assessment), `matrix`, `requested_severity`
    #: (the requester's) or `priority` (the helpdesk's, by rank); None for a fixed level
    taken_from: str | None = None
    when: Condition = EVERY_TICKET
    level: str | None = None
    #: an assessment counts from the first public reply on; until then the value of the report does
    after_first_reply: bool = False
    source: str | None = None
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Matrix:
    """Impact x urgency -> level. A value that no row or column names gives none."""

    #: the input that chooses the row, and the one that chooses the column
    rows: str
    columns: str
    #: value of the row -> value of the column -> level id
    cells: Mapping[str, Mapping[str, str]]
    #: tickets that are lowered by one level, not below the lowest (out of scope)
    lowered_when: Condition | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Exemption:
    """Tickets that the policy makes no promise for."""

    when: Condition
    reason: str
    #: the channel is none that the document accepts; see `Unofficial`
    unofficial: bool = False
    source: str | None = None
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitRule:
    """What one cause of waiting does."""

    effect: Effect
    #: the metrics that it does it to; empty: to all
    metrics: frozenset[Metric] = frozenset()
    #: what an answer rests on that such a wait bears on
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirement:
    """One value without which the information is not complete, or the alternatives to it."""

    any_of: tuple[str, ...]
    when: Condition = EVERY_TICKET


@dataclass(frozen=True, kw_only=True, slots=True)
class Information:
    """What a request has to say; it starts the clocks of `Start.INFORMATION_COMPLETE`."""

    gate: Gate = Gate.ADVISORY
    when: Condition = EVERY_TICKET
    required: tuple[Requirement, ...] = ()
    source: str | None = None
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Fulfilment:
    """What fulfils a metric beside the reply or the solve."""

    metric: Metric
    when: Condition = EVERY_TICKET
    #: fulfilled at the later of the usual event and the instant at which this value was filled
    filled: str | None = None
    #: a mapped instant that counts as the usual event, such as `called_back_at`
    or_at: str | None = None
    #: an agent's phone conversation counts as the usual event
    or_call: bool = False
    source: str | None = None
    #: what the answer rests on where `filled` is not mapped
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Regime:
    """A limit that differs by whether support was open at the moment of report."""

    calendar: str
    strategy: Strategy
    open: Amount
    closed: Amount


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One promise: for tickets that meet `when`, a metric is bounded."""

    metric: Metric
    when: Condition = EVERY_TICKET
    #: name of the calendar that counts; None counts every second
    calendar: str | None = None
    aim: Amount | None = None
    limit: Amount | None = None
    regime: Regime | None = None
    #: "under" rather than "within": late already at the due instant itself
    strict: bool = False
    commitment: Commitment = Commitment.TARGET
    start: Start = Start.REPORTED
    #: the helpdesk's own due date is taken as it stands
    inherits: bool = False
    source: str | None = None
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Duty:
    """Something owed that no metric times; shown as a tag or as a line of explanation."""

    id: str
    when: Condition
    #: set the tag `<prefix><id>` while the duty is open
    tag: bool
    #: a public reply after the condition came to hold ends the duty
    until_reply: bool
    text: str
    #: open only while one of these values is empty
    missing: tuple[str, ...] = ()
    #: open only while all of these values are empty
    missing_all: tuple[str, ...] = ()
    #: open only from so long after the first response was made
    after_response: Amount | None = None
    #: stays after the solve
    kept: bool = False
    source: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Tier:
    """A support tier that a ticket has reached when any of the conditions holds."""

    tier: int
    any: tuple[Condition, ...]
    source: str | None = None
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One rung of an escalation ladder: reached when a metric's clock has come so far."""

    id: str
    #: the metric whose clock is watched; None: whichever comes first
    metric: Metric | None = None
    when: Condition = EVERY_TICKET
    #: reached at the aim, or when the metric is at risk where it has none
    at_risk: bool = False
    #: reached when this share of the time between start and due is used
    share: Fraction | None = None
    #: reached so many elapsed seconds after the due (0: when it is past due); None: not that kind
    after_due_seconds: int | None = None
    #: tags without the prefix; they go at the solve
    tags: tuple[str, ...] = ()
    #: what the output `group` then holds
    group: str | None = None
    tier: int | None = None
    #: send the outgoing webhook, once
    notify: bool = False
    source: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """A place where the document is silent or unclear, and what is assumed there."""

    id: str
    grade: Grade
    text: str
    assumption: str
    #: what the tenant decided; an undecided gap of grade E is an open question
    decision: str | None = None

    @property
    def is_open_error(self) -> bool:
        """Whether a date needs a decision that nobody has made."""
        return self.grade is Grade.ERROR and self.decision is None

    def __str__(self) -> str:
        if self.decision is not None:
            return f"{self.id}: decided: {self.decision} ({self.text})"
        return f"{self.id}: {self.assumption} ({self.text})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Contract:
    """An overlay: for whom and when it holds, and the policy that it comes to."""

    id: str
    title: str
    #: the plan that it grants (with organizations or domains) or describes (without); None: none
    plan: str | None = None
    organizations: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    #: in force for tickets reported in [begins_at, ends_at); None: without bound
    begins_at: datetime | None = None
    ends_at: datetime | None = None
    #: gaps that every answer under it rests on
    gaps: tuple[str, ...] = ()
    #: which keys of the policy it gives, as in "targets.resolution"
    gives: frozenset[str] = frozenset()
    source: str | None = None

    @property
    def is_signed(self) -> bool:
        """Whether it is a customer's own; else it describes a plan, or amends for everybody."""
        return bool(self.organizations or self.domains)


class _When(Protocol):
    """Something that hangs on a condition."""

    @property
    def when(self) -> Condition: ...


W = TypeVar("W", bound=_When)


def _choice(items: Iterable[W]) -> Choice[W]:
    return Choice((one.when, one) for one in items)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Choices:
    """What of a policy hangs on conditions, ready to be asked."""

    exemptions: Choice[Exemption]
    severity_rules: Choice[tuple[int, SeverityRule]]
    fulfilments: Choice[Fulfilment]
    duties: Choice[Duty]
    tiers: Choice[Tier]

    @classmethod
    def of(cls, policy: "Policy") -> "_Choices":
        return cls(
            exemptions=_choice(policy.exemptions),
            severity_rules=Choice(
                (rule.when, (number, rule)) for number, rule in enumerate(policy.severity_rules, 1)
            ),
            fulfilments=_choice(policy.fulfilments),
            duties=_choice(policy.duties),
            tiers=Choice(
                (Condition(tests=(AnyOf(conditions=one.any),)), one) for one in policy.tiers
            ),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """A policy resolved for one account: calendars in their zone, tags with their prefix."""

    id: str
    title: str
    #: file name of the document that the policy was read from
    document: str
    #: "sha256:" and the hash of the resolved document
    version: str
    levels: tuple[Level, ...]
    severity_rules: tuple[SeverityRule, ...]
    matrix: Matrix | None
    on_severity_change: SeverityChange
    #: show the helpdesk's priority beside the severity, since the document has both
    shows_priority: bool
    exemptions: tuple[Exemption, ...]
    unofficial: Unofficial
    targets: tuple[Target, ...]
    #: metric -> gaps that the answer rests on where no target applies to it
    absent: Mapping[Metric, tuple[str, ...]]
    calendars: Mapping[str, Schedule]
    #: calendar -> gaps that every date counted on it rests on
    calendar_gaps: Mapping[str, tuple[str, ...]]
    #: the zone in which dates are shown
    zone: tzinfo
    zone_name: str
    #: whether somebody chose the zone where the document names none
    zone_is_decided: bool
    #: calendars whose zone the document does not name
    zoneless: frozenset[str]
    #: version of the zone data that the dates were computed with, such as "2026c"
    zone_data: str
    waiting: Mapping[str, WaitRule]
    on_reopen: Reopening
    judge_by: JudgeBy
    #: share of a target's time after which it is at risk
    at_risk_at: Fraction
    business_day: BusinessDayMode
    information: Information
    fulfilments: tuple[Fulfilment, ...]
    duties: tuple[Duty, ...]
    tiers: tuple[Tier, ...]
    steps: tuple[Step, ...]
    gaps: Mapping[str, Gap]
    #: plan of customers of whom no plan is known; that adds the gap `entitlement_unknown`
    default_plan: str | None
    #: overlays that may apply to a ticket
    contracts: tuple[Contract, ...] = ()
    #: the policy that overlays come to when they are laid over this one, the last one on top;
    #: None where there are no contracts
    merge: Callable[[tuple[Contract, ...]], "Policy"] | None = field(
        default=None, repr=False, compare=False
    )
    #: the overlays that this policy was merged from, the last one on top
    layers: tuple[Contract, ...] = ()
    prefix: str = "sla_"
    _targets: dict[Metric, Choice[Target]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    _choices: "_Choices" = field(init=False, repr=False, compare=False)
    #: what others found out about it once, by their own names
    remembered: dict[str, object] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    _named: dict[str, Level] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for metric in Metric:
            self._targets[metric] = _choice(one for one in self.targets if one.metric is metric)
        object.__setattr__(self, "_choices", _Choices.of(self))
        for level in reversed(self.levels):
            self._named.update({level.name.lower(): level, level.id: level})

    def targets_for(self, metric: Metric, facts: Facts) -> tuple[Target, ...]:
        """The targets for one metric that apply, in the order of the file."""
        return self._targets[metric].holding(facts)

    def exemptions_for(self, facts: Facts) -> tuple[Exemption, ...]:
        """The exemptions that apply, in the order of the file."""
        return self._choices.exemptions.holding(facts)

    def severity_rules_for(self, facts: Facts) -> tuple[tuple[int, SeverityRule], ...]:
        """The rules for the severity that may speak, with their numbers from 1 on."""
        return self._choices.severity_rules.holding(facts)

    def fulfilment_for(self, metric: Metric, facts: Facts) -> Fulfilment | None:
        """What fulfils a metric beside the reply or the solve."""
        found = self._choices.fulfilments.holding(facts)
        return next((one for one in found if one.metric is metric), None)

    def duties_for(self, facts: Facts) -> tuple[Duty, ...]:
        """The duties whose condition holds, in the order of the file."""
        return self._choices.duties.holding(facts)

    def tiers_for(self, facts: Facts) -> tuple[Tier, ...]:
        """The tiers that the facts lead to, in the order of the file."""
        return self._choices.tiers.holding(facts)

    def level(self, name: str) -> Level | None:
        """The level with this id or name, in any case."""
        return self._named.get(name.strip().lower())

    def rank(self, level: Level) -> int:
        """The place of a level, 0 the most severe."""
        return self.levels.index(level)

    def layer_of(self, key: str) -> Contract | None:
        """The overlay that gave a key of the policy, such as "targets.resolution"; None: none."""
        return next((one for one in reversed(self.layers) if key in one.gives), None)

    def overlaid(self) -> tuple["Policy", ...]:
        """The policy with each of its contracts, one at a time."""
        return tuple(self.merge((one,)) for one in self.contracts) if self.merge else ()

    @property
    def inherits(self) -> bool:
        """Whether any target takes the helpdesk's own dates."""
        if "inherits" not in self.remembered:
            everything = (self, *self.overlaid())
            found = any(target.inherits for policy in everything for target in policy.targets)
            self.remembered["inherits"] = found
        return bool(self.remembered["inherits"])

    @property
    def needs_past(self) -> bool:
        """Whether an answer rests on more of a ticket's past than its first reply and its solve.

        Waits, updates, steps that once reached stay reached, and a severity that may have been
        another when a metric was fulfilled: for those every change and every reply must be known.
        """
        if "needs_past" not in self.remembered:
            self.remembered["needs_past"] = any(map(_rests_on_past, (self, *self.overlaid())))
        return bool(self.remembered["needs_past"])


def _rests_on_past(policy: Policy) -> bool:
    return (
        any(rule.effect is not Effect.RUN for rule in policy.waiting.values())
        or any(target.metric is Metric.NEXT_UPDATE for target in policy.targets)
        or policy.on_severity_change is not SeverityChange.RESTATE
        or bool(policy.tiers or policy.steps or policy.duties or policy.information.required)
        or any(rule.taken_from or rule.after_first_reply for rule in policy.severity_rules)
    )
