"""Knows the written form of a calendar."""

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from mappings.document.zones import zone_named
from mappings.hours import Schedule
from mappings.instants import DAY
from mappings.local_hours import DayHours

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WHOLE_DAY = "00:00-24:00"
_TIME = re.compile(r"(?P<hour>\d\d):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?", re.ASCII)
_LOOSE_TIME = re.compile(r"\s*(?P<hour>\d{1,2})(?:[:.h](?P<minute>[0-5]\d))?\s*", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_WALL = re.compile(r"(?P<date>\d{4}-\d\d-\d\d)[T ](?P<time>[\d:]+)", re.ASCII)


def interval_of(text: str) -> tuple[int, int]:
    """Wall seconds [from, to) of `09:00-17:00`; `to` passes 86400 when it lies after midnight.

    Raises ValueError that shows the right form."""
    opens_text, dash, closes_text = text.partition("-")
    opens, closes = _time_of(opens_text), _time_of(closes_text)
    if not dash or opens is None or closes is None:
        raise ValueError(f"'{text}' is no interval; write it as {_well_written(text)}")
    if opens == DAY:
        raise ValueError(f"'{text}' opens at 24:00; write 00:00 and put it under the next day")
    if opens == closes:
        raise ValueError(f"'{text}' has no length; write {_WHOLE_DAY} for a whole day")
    return opens, closes if opens < closes else closes + DAY


def _time_of(text: str) -> int | None:
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    seconds = int(found["hour"]) * 3600 + int(found["minute"]) * 60 + int(found["second"] or 0)
    return seconds if seconds <= DAY else None


def _well_written(text: str) -> str:
    found = [_LOOSE_TIME.fullmatch(part) for part in re.split(r"-|\u2013|\u2014|to", text)]
    times = [f"{int(time['hour']):02}:{time['minute'] or '00'}" for time in found if time]
    right = len(times) == len(found) == 2 and all(_time_of(time) is not None for time in times)
    return "-".join(times) if right else "09:00-17:00"


def _checked_interval(text: str) -> str:
    interval_of(text)
    return text


def _date_of(value: object) -> object:
    if isinstance(value, str) and _DATE.fullmatch(value):
        with suppress(ValueError):
            return date.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise ValueError(f"'{value}' is no date; write it as 2026-12-25")


def _wall_time_of(value: object) -> object:
    if isinstance(value, str) and (found := _WALL.fullmatch(value)):
        with suppress(ValueError):
            return _wall_time(found["date"], found["time"])
    if isinstance(value, datetime) and value.tzinfo is None:
        return value
    raise ValueError(f"'{value}' is no local wall time; write it as 2026-07-01T12:00, no offset")


def _wall_time(day: str, time: str) -> datetime:
    midnight = datetime.combine(date.fromisoformat(day), datetime.min.time())
    seconds = _time_of(time)
    if seconds is None:
        raise ValueError(f"'{time}' is no time of the day")
    return midnight + timedelta(seconds=seconds)


def _closure_of(value: object) -> object:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError("a closure is a pair: write it as [2026-07-01T12:00, 2026-07-01T15:00]")
    return tuple(value)


def _forward(closure: tuple[datetime, datetime]) -> tuple[datetime, datetime]:
    start, end = closure
    if start >= end:
        raise ValueError(f"the closure from {start} ends at {end}; it must end after it begins")
    return closure


def _week_form(value: object) -> str:
    return "always" if isinstance(value, str) else "days"


def _intervals(value: object) -> object:
    if isinstance(value, list):
        return value
    raise ValueError('a day has a list of intervals: write ["09:00-17:00"], or [] when closed')


IntervalText = Annotated[str, AfterValidator(_checked_interval)]
DayText = Annotated[list[IntervalText], BeforeValidator(_intervals)]
Date = Annotated[date, BeforeValidator(_date_of)]
WallTime = Annotated[datetime, BeforeValidator(_wall_time_of)]
Closure = Annotated[
    tuple[WallTime, WallTime], BeforeValidator(_closure_of), AfterValidator(_forward)
]
Week = Annotated[
    Annotated[Literal["always"], Tag("always")] | Annotated[dict[Weekday, DayText], Tag("days")],
    Discriminator(_week_form),
]


class ScheduleDocument(BaseModel):
    """A calendar as it is written in JSON or YAML. Days that the week does not name are closed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    time_zone: str = Field(
        default="UTC", description="IANA name or fixed offset; may be left out with week: always"
    )
    week: Week = Field(description="always, or a list of intervals such as 09:00-17:00 per day")
    holidays: list[Date] = Field(default=[], description="Local dates that are closed")
    special_days: dict[Date, DayText] = Field(
        default={}, description="Intervals of single local dates, above holidays and the week"
    )
    closures: list[Closure] = Field(
        default=[], description="Local wall times [from, to) that are closed in any case"
    )

    @field_validator("time_zone", mode="before")
    @classmethod
    def _known_zone(cls, value: object) -> object:
        if isinstance(value, int | float):
            raise ValueError(f"{value} is a number; put the time zone in quotes: '+10:00'")
        if isinstance(value, str):
            zone_named(value)
        return value

    @field_validator("week", mode="before")
    @classmethod
    def _known_days(cls, value: object) -> object:
        if value != "always" and not isinstance(value, dict):
            raise ValueError("a week is 'always' or lists of intervals under mon, tue … sun")
        if isinstance(value, dict) and (unknown := [day for day in value if day not in _WEEKDAYS]):
            raise ValueError(f"'{unknown[0]}' is no day; write mon, tue, wed, thu, fri, sat or sun")
        return value

    @model_validator(mode="after")
    def _zone_is_named(self) -> "ScheduleDocument":
        if self.week != "always" and "time_zone" not in self.model_fields_set:
            raise ValueError("time_zone is missing; write an IANA name such as Europe/London")
        return self

    def to_schedule(self, name: str) -> Schedule:
        """The calendar under this name. `always` with holidays, special days or closures is a
        week of whole days, out of which these are cut."""
        if self.week == "always" and not (self.holidays or self.special_days or self.closures):
            return Schedule(name=name, zone=zone_named(self.time_zone), always=True)
        return Schedule(
            name=name,
            zone=zone_named(self.time_zone),
            week=tuple(_hours(self._written(day)) for day in _WEEKDAYS),
            holidays=frozenset(self.holidays),
            special_days={day: _hours(texts) for day, texts in self.special_days.items()},
            closures=tuple(self.closures),
        )

    def _written(self, day: Weekday) -> Iterable[str]:
        return [_WHOLE_DAY] if self.week == "always" else self.week.get(day, ())


def _hours(texts: Iterable[str]) -> DayHours:
    return tuple(interval_of(text) for text in texts)
