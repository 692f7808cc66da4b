"""Knows a calendar: when support is open, and how open time is added and measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from typing import Any

from mappings.business_days import BusinessDayMode, add_business_days
from mappings.instants import DAY, EPOCH_DAY, instant_of, second_of
from mappings.local_hours import DayHours, LocalHours, merged
from mappings.open_time import OpenTime
from mappings.wall_clock import Interval

__all__ = ["ALWAYS", "BusinessDayMode", "Schedule"]

_WHOLE_DAYS: tuple[DayHours, ...] = (((0, DAY),),) * 7


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Schedule:
    """A calendar. Support is open if and only if the wall in `zone` shows a time inside the
    hours of that local date, or inside the after-midnight part of the date before.

    Instants go in aware and are cut to the whole second; they come out in UTC. Equal schedules
    have the same name, zone and hours, however the hours are written down."""

    name: str
    zone: tzinfo
    #: Monday first; [from, to) in wall seconds of the day, `to` past 86400 for overnight hours.
    week: tuple[DayHours, ...] = ((),) * 7
    holidays: frozenset[date] = frozenset()
    #: The hours of single dates; they stand above the holidays, which stand above the week.
    special_days: Mapping[date, DayHours] = field(default_factory=dict)
    #: Naive wall times [from, to); cut out of all hours.
    closures: tuple[tuple[datetime, datetime], ...] = ()
    #: Plain elapsed time: every second is open whatever the other fields say.
    always: bool = False
    _time: OpenTime = field(init=False, repr=False)
    _meaning: tuple[Any, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Raises ValueError for hours or closures that are no intervals."""
        hours = LocalHours(
            week=_week(self.week),
            exceptions=_exceptions(self.holidays, self.special_days),
            closures=merged(_wall_interval(*closure) for closure in self.closures),
        )
        if self.always:
            hours = LocalHours(week=_WHOLE_DAYS, exceptions={}, closures=())
        time = OpenTime(self.name, UTC if self.always else self.zone, hours)
        object.__setattr__(self, "special_days", dict(self.special_days))
        object.__setattr__(self, "_time", time)
        object.__setattr__(self, "_meaning", self._compared(hours))

    def _compared(self, hours: LocalHours) -> tuple[Any, ...]:
        zone = getattr(self.zone, "key", None) or self.zone
        exceptions = frozenset(hours.exceptions.items())
        return (self.name, zone, hours.week, exceptions, hours.closures, self.always)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Schedule):
            return NotImplemented
        return self._meaning == other._meaning

    def __hash__(self) -> int:
        return hash(self._meaning)

    def is_open(self, at: datetime) -> bool:
        """Whether support is open at this instant."""
        second = second_of(at)
        return self.always or self._time.is_open(second)

    def next_open(self, at: datetime) -> datetime:
        """`at` when open, else the next opening. Raises NeverOpen after 400 closed days."""
        second = second_of(at)
        return instant_of(second if self.always else self._time.next_open(second))

    def add(self, start: datetime, seconds: int) -> datetime:
        """The first instant at which `seconds` of open time have passed since `start`: a closing
        instant rather than the next opening, and `start` itself for 0.

        Raises ValueError when negative, NeverOpen when 400 days on the way have no open time."""
        if seconds < 0:
            raise ValueError(f"{seconds} s cannot be added; give 0 or more")
        second = second_of(start)
        return instant_of(second + seconds if self.always else self._time.add(second, seconds))

    def between(self, start: datetime, end: datetime) -> int:
        """Open seconds in [start, end); the negative of [end, start) when `end` is earlier."""
        first, last = second_of(start), second_of(end)
        return last - first if self.always else self._time.between(first, last)

    def segments(self, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """The open stretches of [start, end) in order, apart from each other."""
        first, last = second_of(start), second_of(end)
        if self.always:
            return [(instant_of(first), instant_of(last))] if first < last else []
        found = self._time.segments(first, last)
        return [(instant_of(opens), instant_of(closes)) for opens, closes in found]

    def add_business_days(
        self, start: datetime, days: int, mode: BusinessDayMode = BusinessDayMode.WALL_CLOCK
    ) -> datetime:
        """The instant at which `days` business days after `start` have passed; `start` for 0.
        Days of an `always` calendar are UTC dates.

        Raises ValueError when negative, NeverOpen when 400 days on the way have no open time."""
        if days < 0:
            raise ValueError(f"{days} business days cannot be added; give 0 or more")
        return instant_of(add_business_days(self._time, second_of(start), days, mode))


def _week(week: tuple[DayHours, ...]) -> tuple[DayHours, ...]:
    if len(week) != len(_WHOLE_DAYS):
        raise ValueError(f"a week has 7 days from Monday on, not {len(week)}")
    return tuple(_day_hours(day) for day in week)


def _exceptions(
    holidays: frozenset[date], special_days: Mapping[date, DayHours]
) -> dict[int, DayHours]:
    closed: dict[int, DayHours] = {_day_number(day): () for day in holidays}
    return closed | {_day_number(day): _day_hours(hours) for day, hours in special_days.items()}


def _day_hours(hours: DayHours) -> DayHours:
    for opens, closes in hours:
        if not 0 <= opens < DAY or not opens < closes <= 2 * DAY:
            raise ValueError(
                f"({opens}, {closes}) is no interval of a day: it opens from 0 to 86399 "
                "and closes later, at most at 172800"
            )
    return merged(hours)


def _day_number(day: date) -> int:
    return day.toordinal() - EPOCH_DAY


def _wall_interval(start: datetime, end: datetime) -> Interval:
    opens, closes = _wall_second(start), _wall_second(end)
    if opens >= closes:
        raise ValueError(f"the closure from {start} ends at {end}; it must end after it begins")
    return opens, closes


def _wall_second(at: datetime) -> int:
    if at.tzinfo is not None:
        raise ValueError(f"the closure time {at} has a UTC offset; give the local wall time")
    return second_of(at.replace(tzinfo=UTC))


ALWAYS = Schedule(name="24x7", zone=UTC, always=True)
