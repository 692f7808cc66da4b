"""Knows which wall times of which local dates are open: week, holidays, special days, closures.

Dates are counted in days since 1970-01-01, wall times in seconds since its midnight."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter

from mappings.instants import DAY
from mappings.wall_clock import Interval

DayHours = tuple[Interval, ...]
_THURSDAY = 3  # the weekday of 1970-01-01
_closes = itemgetter(1)


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalHours:
    """The open wall time of each local date."""

    week: tuple[DayHours, ...]
    exceptions: Mapping[int, DayHours]
    closures: tuple[Interval, ...]

    def of(self, first: int, last: int) -> list[Interval]:
        """Open wall intervals that belong to the dates `first` to `last`, sorted, merged,
        without the closures. The last may run past the midnight after `last`."""
        found: list[Interval] = []
        for day in range(first, last + 1):
            midnight = day * DAY
            for opens, closes in self._hours(day):
                _join(found, midnight + opens, midnight + closes)
        return _without(found, self.closures) if self.closures else found

    def _hours(self, day: int) -> DayHours:
        hours = self.exceptions.get(day)
        return self.week[(day + _THURSDAY) % 7] if hours is None else hours

    def longest_day(self) -> int:
        """Open seconds of the longest day of the week as it is written down."""
        return max(sum(closes - opens for opens, closes in day) for day in self.week)


def merged(intervals: Iterable[Interval]) -> DayHours:
    """The same time as sorted intervals that neither touch nor overlap."""
    found: list[Interval] = []
    for opens, closes in sorted(intervals):
        _join(found, opens, closes)
    return tuple(found)


def _join(found: list[Interval], opens: int, closes: int) -> None:
    if found and opens <= found[-1][1]:
        opens, before = found.pop()
        closes = max(closes, before)
    found.append((opens, closes))


def _without(hours: Iterable[Interval], closures: Sequence[Interval]) -> list[Interval]:
    found = []
    for opens, closes in hours:
        for start, end in islice(closures, bisect_right(closures, opens, key=_closes), None):
            if start >= closes:
                break
            if opens < start:
                found.append((opens, start))
            opens = end
        if opens < closes:
            found.append((opens, closes))
    return found
