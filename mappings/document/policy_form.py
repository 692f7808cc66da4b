"""The form of a policy file: what may stand in it, and in which words."""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from mappings.conditions import EVERY_TICKET, Condition, Filled, Test
from mappings.document.calendar import ScheduleDocument
from mappings.document.reading import Document
from mappings.hours import BusinessDayMode
from mappings.policy import (
    Amount,
    Commitment,
    Effect,
    Grade,
    Metric,
    Reopening,
    Strategy,
)
from mappings.promises import ELAPSED
from mappings.ticket import ASSESSED, PRIORITY, Cause

AMOUNT = re.compile(r"(\d+)\s*(s|m|h|bd|w)")
SECONDS = {"s": 1, "m": 60, "h": 3600, "w": 604_800}


def _amount(value: object) -> Amount:
    """A length of time as it is written in a policy."""
    written = AMOUNT.fullmatch(value) if isinstance(value, str) else None
    if written is None:
        raise ValueError(
            f"'{value}' is no length of time; write 15m, 4h, 2bd (business days) or 1w"
        )
    count, unit = int(written[1]), written[2]
    if not 0 < count < 100_000:
        raise ValueError(f"'{value}' is out of range; a length of time is more than 0")
    if unit == "bd":
        return Amount(business_days=count)
    return Amount(seconds=count * SECONDS[unit])


def _condition(value: object) -> Condition:
    """`{fact: value or list of values, filled: [facts]}`; all must hold."""
    if not isinstance(value, Mapping):
        raise ValueError("a condition is written as {severity: high, channel: [email, portal]}")
    tests: list[Test | Filled] = []
    for fact, wanted in value.items():
        values = wanted if isinstance(wanted, list) else [wanted]
        if not values or not all(isinstance(one, str) for one in values):
            raise ValueError(f"'{fact}' needs a word or a list of words, such as {fact}: [email]")
        if fact == "filled":
            tests.extend(Filled(fact=one) for one in values)
        else:
            tests.append(Test(fact=str(fact), values=tuple(values)))
    return Condition(tests=tuple(tests))


AmountText = Annotated[Amount, BeforeValidator(_amount)]
ConditionText = Annotated[Condition, BeforeValidator(_condition)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]


class LevelDocument(Document):
    """One severity, the most severe first."""

    id: Name
    name: str
    definition: str = ""
    examples: tuple[str, ...] = ()
    source: str | None = None


class SeverityRuleDocument(Document):
    """Take the severity from a value (`from`), or give one `when` a condition holds."""

    taken_from: str | None = Field(default=None, alias="from")
    when: ConditionText = EVERY_TICKET
    severity: str | None = None
    source: str | None = None
    gaps: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _either(self) -> "SeverityRuleDocument":
        if (self.taken_from is None) == (self.severity is None):
            raise ValueError("a rule has either 'from' (severity or priority) or 'severity'")
        if self.taken_from not in (None, ASSESSED, PRIORITY):
            raise ValueError(f"from: '{self.taken_from}' is unknown; severity or priority is meant")
        return self


class SeveritiesDocument(Document):
    """The severity model."""

    levels: tuple[LevelDocument, ...] = ()
    rules: tuple[SeverityRuleDocument, ...] = ()


class ExemptionDocument(Document):
    """Tickets that nothing is promised for."""

    when: ConditionText
    reason: Name
    source: str | None = None
    gaps: tuple[str, ...] = ()


class RegimeDocument(Document):
    """A limit that differs by whether support was open at the report."""

    calendar: str
    strategy: Strategy
    open: AmountText
    closed: AmountText


class TargetDocument(Document):
    """One promise."""

    metric: Metric
    when: ConditionText = EVERY_TICKET
    clock: str = ELAPSED
    aim: AmountText | None = None
    limit: AmountText | None = None
    #: for `next_update`: the interval between two updates
    every: AmountText | None = None
    regime: RegimeDocument | None = None
    under: bool = False
    commitment: Commitment | None = None
    source: str | None = None
    gaps: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _bounded(self) -> "TargetDocument":
        given = [one for one in (self.limit, self.every, self.regime) if one is not None]
        if (self.metric is Metric.NEXT_UPDATE) != (self.every is not None):
            raise ValueError("'every' is for next_update, and next_update needs it")
        informational = self.commitment is Commitment.NONE
        if informational and (given or self.aim is None):
            raise ValueError("commitment none has an aim and no limit")
        if not informational and len(given) != 1:
            raise ValueError("a target has exactly one of limit, every and regime")
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
    when: ConditionText
    tag: bool = False
    until_reply: bool = False
    text: str
    source: str | None = None


class TierDocument(Document):
    """When a ticket has reached a tier."""

    tier: Annotated[int, Field(ge=2, le=3)]
    any: tuple[ConditionText, ...]
    source: str | None = None
    gaps: tuple[str, ...] = ()


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
    calendars: dict[str, ScheduleDocument] = Field(default_factory=dict)
    severity: SeveritiesDocument = SeveritiesDocument()
    exempt: tuple[ExemptionDocument, ...] = ()
    waiting: dict[Cause, Effect] = Field(default_factory=dict)
    targets: tuple[TargetDocument, ...]
    duties: tuple[DutyDocument, ...] = ()
    tiers: tuple[TierDocument, ...] = ()
    gaps: tuple[GapDocument, ...] = ()
