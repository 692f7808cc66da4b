"""The form of a policy file: what may stand in it, and in which words."""

import re
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from mappings.conditions import EVERY_TICKET
from mappings.document.calendar import ScheduleDocument
from mappings.document.condition_form import AmountText, ConditionText, Name, amount_of
from mappings.document.reading import Document
from mappings.hours import BusinessDayMode
from mappings.policy import (
    Commitment,
    Effect,
    Gate,
    Grade,
    JudgeBy,
    Metric,
    Reopening,
    SeverityChange,
    Start,
    Step,
    Strategy,
    Unofficial,
)
from mappings.promises import ELAPSED
from mappings.severity import MATRIX, REQUESTED
from mappings.tags import MARKS
from mappings.ticket import ASSESSED, PRIORITY, Cause

TAKEN_FROM = (ASSESSED, MATRIX, REQUESTED, PRIORITY)
ESCALATE_MANAGEMENT = "escalate_management"
# beginnings of tags and of drop-down options that are set by other rules
_TAKEN = ("f_", "sev_", "exempt_", "tier_", *(f"{metric}_" for metric in Metric))
_PERCENT = re.compile(r"(\d{1,2}(?:\.\d+)?)\s*%")
_AFTER_DUE = re.compile(r"(.+?)\s+after\s+due")


def _words(value: object) -> object:
    """One word stands for a list of one."""
    return [value] if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]


class CalendarDocument(ScheduleDocument):
    """A calendar of a policy, with what the document leaves open about it."""

    source: str | None = None
    gaps: list[str] = Field(default=[], description="Gaps that every date counted on it rests on")


class LevelDocument(Document):
    """One severity, the most severe first."""

    id: Name
    name: str
    definition: str = ""
    examples: tuple[str, ...] = ()
    source: str | None = None


class SeverityRuleDocument(Document):
    """Take the severity from a value (`from`), or give one `when` a condition holds."""

    taken_from: str | None = Field(
        default=None,
        alias="from",
        description="severity (an agent's assessment), matrix, requested_severity or priority",
    )
    when: ConditionText = EVERY_TICKET
    severity: str | None = None
    after_first_reply: bool = Field(
        default=False,
        description="an assessment counts from the first public reply on; until then that of the "
        "report does",
    )
    source: str | None = None
    gaps: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _either(self) -> "SeverityRuleDocument":
        if (self.taken_from is None) == (self.severity is None):
            raise ValueError(f"a rule has either 'from' ({', '.join(TAKEN_FROM)}) or 'severity'")
        if self.taken_from not in (None, *TAKEN_FROM):
            known = ", ".join(TAKEN_FROM)
            raise ValueError(f"from: '{self.taken_from}' is unknown; known: {known}")
        if self.after_first_reply and self.taken_from != ASSESSED:
            raise ValueError(f"after_first_reply is for from: {ASSESSED}")
        return self


class MatrixDocument(Document):
    """Impact x urgency -> severity."""

    rows: Name = Field(description="the input that chooses the row, such as impact")
    columns: Name = Field(description="the input that chooses the column, such as urgency")
    cells: dict[str, dict[str, str]] = Field(description="row -> column -> severity id")
    lowered_when: ConditionText | None = Field(
        default=None, description="tickets that are lowered by one, not below the lowest"
    )


class SeveritiesDocument(Document):
    """The severity model."""

    levels: tuple[LevelDocument, ...] = ()
    rules: tuple[SeverityRuleDocument, ...] = ()
    matrix: MatrixDocument | None = None
    show_priority: bool = Field(
        default=False, description="show the helpdesk's priority beside the severity"
    )


class ExemptionDocument(Document):
    """Tickets that nothing is promised for."""

    when: ConditionText
    reason: Name
    unofficial: bool = Field(
        default=False, description="the document does not accept the channel; see `unofficial`"
    )
    source: str | None = None
    gaps: tuple[str, ...] = ()


class WaitDocument(Document):
    """What one cause of waiting does, and to which metrics."""

    effect: Effect
    metrics: tuple[Metric, ...] = Field(default=(), description="empty: to all")
    gaps: tuple[str, ...] = ()


def _wait(value: object) -> object:
    return {"effect": value} if isinstance(value, str) else value


def _requirement(value: object) -> object:
    return {"any_of": [value]} if isinstance(value, str) else value


class RequirementDocument(Document):
    """A value that a request has to give, or the alternatives to it."""

    any_of: Annotated[tuple[Name, ...], Field(min_length=1)]
    when: ConditionText = EVERY_TICKET


class InformationDocument(Document):
    """What a request has to say."""

    gate: Gate = Field(
        default=Gate.ADVISORY,
        description="hold_start: clocks with start: information_complete wait for it",
    )
    when: ConditionText = EVERY_TICKET
    required: tuple[Annotated[RequirementDocument, BeforeValidator(_requirement)], ...] = ()
    source: str | None = None
    gaps: tuple[str, ...] = ()


class FulfilmentDocument(Document):
    """What fulfils a metric beside the reply or the solve."""

    metric: Metric
    when: ConditionText = EVERY_TICKET
    filled: Name | None = Field(
        default=None, description="fulfilled at the later of the usual event and its filling"
    )
    or_at: Name | None = Field(
        default=None, description="a mapped instant that counts as the usual event"
    )
    or_call: bool = Field(default=False, description="an agent's phone conversation counts too")
    source: str | None = None
    gaps: tuple[str, ...] = Field(default=(), description="rested on where `filled` is not mapped")

    @model_validator(mode="after")
    def _fits(self) -> "FulfilmentDocument":
        if self.metric is not Metric.FIRST_RESPONSE and (self.or_at or self.or_call):
            raise ValueError("or_at and or_call are for first_response")
        if not (self.filled or self.or_at or self.or_call):
            raise ValueError("says nothing; write filled, or_at or or_call")
        return self


class RegimeDocument(Document):
    """A limit that differs by whether support was open at the report."""

    calendar: str
    strategy: Strategy
    open: AmountText
    closed: AmountText


class TargetDocument(Document):
    """One promise."""

    when: ConditionText = EVERY_TICKET
    clock: str = Field(default=ELAPSED, description="elapsed, or the name of a calendar")
    aim: AmountText | None = None
    limit: AmountText | None = None
    every: AmountText | None = Field(
        default=None, description="for next_update: the interval between two updates"
    )
    regime: RegimeDocument | None = None
    inherit: bool = Field(default=False, description="take the helpdesk's own due date")
    under: bool = Field(default=False, description="late already at the due instant itself")
    commitment: Commitment | None = None
    start: Start = Start.REPORTED
    source: str | None = None
    gaps: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _bounded(self) -> "TargetDocument":
        given = [one for one in (self.limit, self.every, self.regime) if one is not None]
        if self.inherit:
            if given or self.aim is not None:
                raise ValueError("inherit takes the helpdesk's date as it stands, without limits")
            return self
        informational = self.commitment is Commitment.NONE
        if informational and (given or self.aim is None):
            raise ValueError("commitment none has an aim and no limit")
        if not informational and len(given) != 1:
            raise ValueError("a target has exactly one of limit, every, regime and inherit")
        return self

    @model_validator(mode="after")
    def _in_order(self) -> "TargetDocument":
        limit, aim = self.limit, self.aim
        if limit is None or aim is None:
            return self
        # business days and hours cannot be compared without the calendar's hours
        same_unit = bool(limit.business_days) == bool(aim.business_days)
        later = (aim.business_days, aim.seconds) > (limit.business_days, limit.seconds)
        if same_unit and later:
            raise ValueError(f"the aim ({aim}) lies after the limit ({limit})")
        return self


class DutyDocument(Document):
    """Something owed that no metric times."""

    id: Name
    when: ConditionText = EVERY_TICKET
    tag: bool = False
    until_reply: bool = False
    missing: Words = Field(default=(), description="open while one of these is empty")
    missing_all: Words = Field(default=(), description="open while all of these are empty")
    after_response: AmountText | None = Field(
        default=None, description="open from so long after the first response was made"
    )
    kept: bool = Field(default=False, description="stays after the solve")
    text: str
    source: str | None = None

    @model_validator(mode="after")
    def _one_list(self) -> "DutyDocument":
        if self.missing and self.missing_all:
            raise ValueError("has missing and missing_all; write two duties")
        return self


class TierDocument(Document):
    """When a ticket has reached a tier."""

    tier: Annotated[int, Field(ge=2, le=3)]
    any: tuple[ConditionText, ...]
    source: str | None = None
    gaps: tuple[str, ...] = ()


def _step_at(value: object) -> object:
    """`aim`, `at_risk`, `due`, `80%` or `2h after due`, as the parts of a `Step`."""
    if isinstance(value, dict):
        return value
    if value in ("aim", "at_risk"):
        return {"at_risk": True}
    if value in ("due", "breached"):
        return {"after_due_seconds": 0}
    text = value if isinstance(value, str) else ""
    if percent := _PERCENT.fullmatch(text):
        share = Fraction(percent[1]) / 100
        if 0 < share < 1:
            return {"share": str(share)}
    if (after := _AFTER_DUE.fullmatch(text)) and (seconds := amount_of(after[1]).seconds):
        return {"after_due_seconds": seconds}
    raise ValueError(f"'{value}' is no point on a clock; write aim, 80%, due or 2h after due")


def _management_at(value: object) -> object:
    if isinstance(value, str) and value not in ("at_risk", "breached"):
        return _step_at(f"{value} after due")
    return _step_at(value)


_AT_SCHEMA = {"type": "string", "description": "aim, at_risk, due, 80% or 2h after due"}
_MANAGEMENT_SCHEMA = {
    "type": "string",
    "description": "at_risk, breached, or so long past due, such as 2h",
}
StepAt = Annotated[dict[str, Any], BeforeValidator(_step_at), WithJsonSchema(_AT_SCHEMA)]
ManagementAt = Annotated[
    dict[str, Any], BeforeValidator(_management_at), WithJsonSchema(_MANAGEMENT_SCHEMA)
]


class StepDocument(Document):
    """One rung of an escalation ladder."""

    id: Name
    metric: Metric | None = Field(default=None, description="empty: of every metric")
    at: StepAt
    when: ConditionText = EVERY_TICKET
    tags: tuple[Name, ...] = Field(default=(), description="without the prefix; go at the solve")
    group: str | None = Field(default=None, description="what the output `group` then holds")
    tier: Annotated[int, Field(ge=2, le=3)] | None = None
    notify: bool = Field(default=False, description="send the outgoing webhook, once")
    source: str | None = None

    @field_validator("tags")
    @classmethod
    def _own_names(cls, tags: tuple[str, ...]) -> tuple[str, ...]:
        for tag in tags:
            if tag != ESCALATE_MANAGEMENT and (tag in MARKS or tag.startswith(_TAKEN)):
                raise ValueError(f"'{tag}' is set by other rules; begin it with escalation_")
        return tags

    @model_validator(mode="after")
    def _does_something(self) -> "StepDocument":
        if not (self.tags or self.group or self.tier or self.notify):
            raise ValueError("does nothing; write tags, group, tier or notify")
        return self

    def to_step(self) -> Step:
        """The step in the domain's words."""
        point = dict(self.at)
        share = Fraction(point.pop("share")) if "share" in point else None
        parts = {name: getattr(self, name) for name in _STEP_PARTS}
        return Step(share=share, **point, **parts)


_STEP_PARTS = ("id", "metric", "when", "tags", "group", "tier", "notify", "source")


class GapDocument(Document):
    """A place where the document is silent, and what is assumed there."""

    id: Name
    grade: Grade
    text: str
    assumption: str


class PolicyDocument(Document):
    """A policy file."""

    policy: Name
    title: str
    document: str
    commitment: Commitment = Commitment.TARGET
    at_risk_at: Annotated[float, Field(gt=0, lt=1)] = 0.75
    business_day: BusinessDayMode = BusinessDayMode.WALL_CLOCK
    on_reopen: Reopening = Reopening.RESUME
    on_severity_change: SeverityChange = SeverityChange.RESTATE
    judge_by: JudgeBy = JudgeBy.REPORTED
    unofficial: Unofficial = Unofficial.EXEMPT
    default_plan: Name | None = Field(
        default=None, description="plan of customers of whom no plan is known"
    )
    calendars: dict[str, CalendarDocument] = Field(default_factory=dict)
    severity: SeveritiesDocument = SeveritiesDocument()
    exempt: tuple[ExemptionDocument, ...] = ()
    waiting: dict[Cause, Annotated[WaitDocument, BeforeValidator(_wait)]] = Field(
        default_factory=dict
    )
    information: InformationDocument = InformationDocument()
    targets: dict[Metric, tuple[TargetDocument, ...]]
    silent: dict[Metric, tuple[str, ...]] = Field(
        default_factory=dict,
        description="gaps that an answer rests on where nothing gives a due",
    )
    fulfilment: tuple[FulfilmentDocument, ...] = ()
    duties: tuple[DutyDocument, ...] = ()
    tiers: tuple[TierDocument, ...] = ()
    escalate_management: ManagementAt | None = None
    escalation: tuple[StepDocument, ...] = ()
    gaps: tuple[GapDocument, ...] = ()
    decisions: dict[str, str] = Field(
        default_factory=dict, description="gap id -> what was decided, by whom and when"
    )

    @field_validator("targets", mode="before")
    @classmethod
    def _by_metric(cls, value: object) -> object:
        if isinstance(value, list):
            raise ValueError("targets stand under their metric: first_response: [{limit: 4h}]")
        return value
