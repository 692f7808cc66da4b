"""A support policy as it was written: severities, hours, targets, duties, and its gaps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from enum import StrEnum
from fractions import Fraction

from mappings.conditions import EVERY_TICKET, Condition
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

    #: the value that names the level (`severity`) or its rank (`priority`); None for a fixed level
    taken_from: str | None = None
    when: Condition = EVERY_TICKET
    level: str | None = None
    source: str | None = None
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Exemption:
    """Tickets that the policy makes no promise for."""

    when: Condition
    reason: str
    source: str | None = None
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
    source: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Tier:
    """A support tier that a ticket has reached when any of the conditions holds."""

    tier: int
    any: tuple[Condition, ...]
    source: str | None = None
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """A place where the document is silent or unclear, and what is assumed there."""

    id: str
    grade: Grade
    text: str
    assumption: str

    def __str__(self) -> str:
        return f"{self.id}: {self.assumption} ({self.text})"


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
    exemptions: tuple[Exemption, ...]
    targets: tuple[Target, ...]
    calendars: Mapping[str, Schedule]
    #: the zone in which dates are shown
    zone: tzinfo
    zone_name: str
    #: whether somebody chose the zone where the document names none
    zone_is_decided: bool
    #: calendars whose zone the document does not name
    zoneless: frozenset[str]
    waiting: Mapping[str, Effect]
    on_reopen: Reopening
    #: share of a target's time after which it is at risk
    at_risk_at: Fraction
    business_day: BusinessDayMode
    duties: tuple[Duty, ...]
    tiers: tuple[Tier, ...]
    gaps: Mapping[str, Gap]
    prefix: str = "sla_"
    _targets: dict[Metric, tuple[Target, ...]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    _named: dict[str, Level] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for metric in Metric:
            self._targets[metric] = tuple(one for one in self.targets if one.metric is metric)
        for level in reversed(self.levels):
            self._named.update({level.name.lower(): level, level.id: level})

    def targets_of(self, metric: Metric) -> tuple[Target, ...]:
        """The targets for one metric, in the order of the file."""
        return self._targets[metric]

    def level(self, name: str) -> Level | None:
        """The level with this id or name, in any case."""
        return self._named.get(name.strip().lower())
