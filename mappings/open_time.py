"""Knows the open time of a calendar as UTC seconds, and adds and measures it at a flat cost."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import tzinfo
from itertools import accumulate
from typing import Self

from mappings.errors import NeverOpen
from mappings.instants import DAY, checked, text_of
from mappings.local_hours import LocalHours
from mappings.wall_clock import CHUNK, Interval, instants, stretches

HORIZON = 400 * DAY


@dataclass(frozen=True, kw_only=True, slots=True)
class _Table:
    """Open stretches [starts[i], ends[i]) of the seconds [begin, end); totals[i] is the open
    time before stretch i; late are the starts that follow a gap as long as the horizon."""

    begin: int
    end: int
    starts: list[int]
    ends: list[int]
    totals: list[int]
    late: list[int]

    @classmethod
    def over(cls, begin: int, end: int, open_stretches: list[Interval]) -> Self:
        starts = [start for start, _ in open_stretches]
        ends = [end for _, end in open_stretches]
        lengths = (end - start for start, end in open_stretches)
        gaps = zip(ends, starts[1:], strict=False)
        late = [start for before, start in gaps if start - before >= HORIZON]
        totals = list(accumulate(lengths, initial=0))
        return cls(begin=begin, end=end, starts=starts, ends=ends, totals=totals, late=late)

    def open_until(self, second: int) -> int:
        """Open seconds of the table before `second`."""
        index = bisect_right(self.starts, second) - 1
        if index < 0:
            return 0
        return self.totals[index] + min(second, self.ends[index]) - self.starts[index]


class OpenTime:
    """The open seconds of one calendar. Grows its table as far as questions reach; a table is
    replaced whole, never changed, so threads that grow it at once only do the work twice."""

    __slots__ = ("_table", "hours", "name", "zone")

    def __init__(self, name: str, zone: tzinfo, hours: LocalHours) -> None:
        self.name = name
        self.zone = zone
        self.hours = hours
        self._table = _Table.over(0, 0, [])

    def is_open(self, second: int) -> bool:
        table = self._covering(second, second)
        index = bisect_right(table.starts, second) - 1
        return index >= 0 and second < table.ends[index]

    def next_open(self, second: int) -> int:
        """`second` if open, else the next opening. Raises NeverOpen."""
        table = self._covering(second, second)
        index = bisect_right(table.ends, second)
        if index == len(table.ends):
            table = self._covering(second, second + HORIZON)
            index = bisect_right(table.ends, second)
        if index == len(table.ends) or table.starts[index] >= second + HORIZON:
            raise self.never_open(second)
        return max(second, table.starts[index])

    def add(self, second: int, seconds: int) -> int:
        """The first second at which `seconds` (not negative) of open time have passed.
        Raises NeverOpen, and OutOfRange past the year 2199."""
        if seconds == 0:
            return second
        start = self.next_open(second)
        table = self._covering(start, start)
        reach = CHUNK
        while (due := table.open_until(start) + seconds) > table.totals[-1]:
            self._refuse_endless(table, start)
            table = self._covering(start, checked(table.end) + reach)
            reach *= 2
        index = bisect_left(table.totals, due)
        result = table.ends[index - 1] - (table.totals[index] - due)
        self._refuse_late(table, start, result)
        return result

    def between(self, start: int, end: int) -> int:
        """Open seconds in [start, end); negative when `end` lies before `start`."""
        table = self._covering(min(start, end), max(start, end))
        return table.open_until(end) - table.open_until(start)

    def segments(self, start: int, end: int) -> list[Interval]:
        """The open stretches of [start, end)."""
        if start >= end:
            return []
        table = self._covering(start, end)
        first, last = bisect_right(table.ends, start), bisect_left(table.starts, end)
        pairs = zip(table.starts[first:last], table.ends[first:last], strict=True)
        return [(max(opens, start), min(closes, end)) for opens, closes in pairs]

    def never_open(self, after: int) -> NeverOpen:
        return NeverOpen(self.name, text_of(after))

    def _refuse_endless(self, table: _Table, start: int) -> None:
        closed_since = max(start, table.ends[-1])
        if table.end - closed_since >= HORIZON:
            raise self.never_open(closed_since)

    def _refuse_late(self, table: _Table, start: int, result: int) -> None:
        index = bisect_right(table.late, start)
        if index < len(table.late) and table.late[index] < result:
            closed_since = table.ends[bisect_left(table.starts, table.late[index]) - 1]
            raise self.never_open(closed_since)

    def _covering(self, first: int, last: int) -> _Table:
        """A table that covers the seconds `first` to `last`, both included."""
        table = self._table
        if table.begin <= first and last < table.end:
            return table
        begin, end = first // CHUNK * CHUNK, (last // CHUNK + 1) * CHUNK
        if table.begin < table.end:
            begin, end = min(begin, table.begin), max(end, table.end)
        self._table = grown = self._grown(table, begin, end)
        return grown

    def _grown(self, table: _Table, begin: int, end: int) -> _Table:
        if table.begin == table.end:
            return _Table.over(begin, end, self._computed(begin, end))
        known = list(zip(table.starts, table.ends, strict=True))
        found = _joined(self._computed(begin, table.begin), known)
        return _Table.over(begin, end, _joined(found, self._computed(table.end, end)))

    def _computed(self, begin: int, end: int) -> list[Interval]:
        if begin == end:
            return []
        # A wall is never a whole day away from UTC; the day before that may run past midnight.
        hours = self.hours.of(begin // DAY - 2, end // DAY + 1)
        return instants(hours, stretches(self.zone, begin, end))


def _joined(left: list[Interval], right: list[Interval]) -> list[Interval]:
    if left and right and left[-1][1] == right[0][0]:
        return [*left[:-1], (left[-1][0], right[0][1]), *right[1:]]
    return left + right
