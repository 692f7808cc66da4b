"""Knows what "within N business days" means as an instant, in each of its three readings."""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from mappings.errors import NoWeek
from mappings.instants import DAY
from mappings.open_time import HORIZON, OpenTime
from mappings.wall_clock import Interval, first_instant, instants, offset_at, stretches


class BusinessDayMode(StrEnum):
    """How a number of business days is counted."""

    WALL_CLOCK = "wall_clock"
    END_OF_DAY = "end_of_day"
    BUSINESS_HOURS = "business_hours"


@dataclass(frozen=True, kw_only=True, slots=True)
class _BusinessDay:
    """A local date with open time (days since 1970), its first opening and last closing."""

    date: int
    #: its hours on the wall, in wall seconds since 1970
    hours: tuple[Interval, ...]
    opens: int
    closes: int


def add_business_days(time: OpenTime, start: int, days: int, mode: BusinessDayMode) -> int:
    """The second at which `days` business days after `start` have passed; none is `start`.

    Raises NeverOpen, and NoWeek where hours are counted and the week has none."""
    if days == 0:
        return start
    if mode is BusinessDayMode.BUSINESS_HOURS:
        longest = time.hours.longest_day()
        if longest == 0:
            time.next_open(start)  # raises NeverOpen where no single date is open either
            raise NoWeek(time.name)
        return time.add(start, days * longest)
    return _due(time, time.next_open(start), days, mode)


def _due(time: OpenTime, start: int, days: int, mode: BusinessDayMode) -> int:
    wall = start + offset_at(time.zone, start)
    today = _owner(time, wall)
    if start == today.opens:
        return _later(time, today, days - 1).closes
    day = _later(time, today, days)
    if mode is BusinessDayMode.END_OF_DAY:
        return day.closes
    same_time = first_instant(time.zone, wall + (day.date - today.date) * DAY)
    return min(max(same_time, day.opens), day.closes)


def _owner(time: OpenTime, wall: int) -> _BusinessDay:
    """The business day in whose hours an open wall time lies: that of the date itself before
    the overnight hours of the date before."""
    owner = _business_day(time, wall // DAY)
    if owner is None or not any(opens <= wall < closes for opens, closes in owner.hours):
        owner = _business_day(time, wall // DAY - 1)
    if owner is None:
        raise AssertionError("an open instant belongs to a business day")
    return owner


def _later(time: OpenTime, day: _BusinessDay, count: int) -> _BusinessDay:
    """The business day that comes `count` business days after `day`."""
    date = day.date
    while count:
        date += 1
        found = _business_day(time, date)
        closed = (date - day.date - 2) * DAY if found is None else found.opens - day.closes
        if closed >= HORIZON:
            raise time.never_open(day.closes)
        if found is not None:
            day = found
            count -= 1
    return day


@lru_cache(maxsize=512)  # tickets are due on the same few days; each entry holds on to its calendar
def _business_day(time: OpenTime, date: int) -> _BusinessDay | None:
    hours = time.hours.of(date, date)
    if not hours:
        return None
    around = stretches(time.zone, hours[0][0] - DAY, hours[-1][1] + DAY)
    spans = instants(hours, around)
    if not spans:
        return None
    return _BusinessDay(date=date, hours=tuple(hours), opens=spans[0][0], closes=spans[-1][1])
