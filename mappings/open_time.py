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
    """Open stretches of the seconds [begin, end). Stretch i begins at starts[i]; the first i of
    them last totals[i] together and the last of these ends at closes[i] (closes[0]: `begin`).
    begun[d] stretches begin before day d of the table, which spares most of a search.
    late are the starts that follow a gap as long as the horizon."""

    begin: int
    end: int
    starts: list[int]
    closes: list[int]
    totals: list[int]
    begun: list[int]
    late: list[int]

    @classmethod
    def over(cls, begin: int, end: int, open_stretches: list[Interval]) -> Self:
        starts = [start for start, _ in open_stretches]
        closes = [begin, *(end for _, end in open_stretches)]
        lengths = (end - start for start, end in open_stretches)
        gaps = zip(closes, starts, strict=False)
        return cls(
            begin=begin,
            end=end,
            starts=starts,
            closes=closes,
            totals=list(accumulate(lengths, initial=0)),
            begun=_begun(begin, end, starts),
            late=[start for before, start in gaps if start - before >= HORIZON],
        )

    def open_until(self, second: int) -> int:
        """Open seconds of the table before `second`."""
        day = (second - self.begin) // DAY
        index = bisect_right(self.starts, second, self.begun[day], self.begun[day + 1])
        left = self.closes[index] - second
        return self.totals[index] - left if left > 0 else self.totals[index]

    def second_at(self, open_seconds: int) -> int:
        """The first second before which the table has this open time, from 1 to all of it."""
        index = bisect_left(self.totals, open_seconds)
        return self.closes[index] - (self.totals[index] - open_seconds)

    def ending_after(self, second: int) -> int:
        """The index of the first stretch that ends after `second`."""
        return bisect_right(self.closes, second) - 1


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
        return second < table.closes[bisect_right(table.starts, second)]

    def next_open(self, second: int) -> int:
        """`second` if open, else the next opening. Raises NeverOpen."""
        table = self._covering(second, second)
        index = table.ending_after(second)
        if index == len(table.starts):
            table = self._covering(second, second + HORIZON)
            index = table.ending_after(second)
        if index == len(table.starts) or table.starts[index] >= second + HORIZON:
            raise self.never_open(second)
        return max(second, table.starts[index])

    def add(self, second: int, seconds: int) -> int:
        """The first second at which `seconds` (not negative) of open time have passed.
        Raises NeverOpen, and OutOfRange past the year 2199."""
        if seconds == 0:
            return second
        table = self._covering(second, second)
        due = table.open_until(second) + seconds
        if due <= table.totals[-1] and not table.late:
            return table.second_at(due)
        return self._add_far(self.next_open(second), seconds)

    def between(self, start: int, end: int) -> int:
        """Open seconds in [start, end); negative when `end` lies before `start`."""
        table = self._covering(start, end)
        return table.open_until(end) - table.open_until(start)

    def segments(self, start: int, end: int) -> list[Interval]:
        """The open stretches of [start, end)."""
        if start >= end:
            return []
        table = self._covering(start, end)
        first, last = table.ending_after(start), bisect_left(table.starts, end)
        pairs = zip(table.starts[first:last], table.closes[first + 1 : last + 1], strict=True)
        return [(max(opens, start), min(closes, end)) for opens, closes in pairs]

    def never_open(self, after: int) -> NeverOpen:
        return NeverOpen(self.name, text_of(after))

    def _add_far(self, start: int, seconds: int) -> int:
        """As `add` from an open second, past the table or past gaps as long as the horizon."""
        table = self._covering(start, start)
        reach = CHUNK
        while (due := table.open_until(start) + seconds) > table.totals[-1]:
            self._refuse_endless(table, start)
            table = self._covering(start, checked(table.end) + reach)
            reach *= 2
        result = table.second_at(due)
        self._refuse_late(table, start, result)
        return result

    def _refuse_endless(self, table: _Table, start: int) -> None:
        closed_since = max(start, table.closes[-1])
        if table.end - closed_since >= HORIZON:
            raise self.never_open(closed_since)

    def _refuse_late(self, table: _Table, start: int, result: int) -> None:
        index = bisect_right(table.late, start)
        if index < len(table.late) and table.late[index] < result:
            closed_since = table.closes[bisect_left(table.starts, table.late[index])]
            raise self.never_open(closed_since)

    def _covering(self, one: int, other: int) -> _Table:
        """A table that covers both seconds and all between them."""
        table = self._table
        if table.begin <= one < table.end and table.begin <= other < table.end:
            return table
        begin, end = min(one, other) // CHUNK * CHUNK, (max(one, other) // CHUNK + 1) * CHUNK
        if table.begin < table.end:
            begin, end = min(begin, table.begin), max(end, table.end)
        self._table = grown = self._grown(table, begin, end)
        return grown

    def _grown(self, table: _Table, begin: int, end: int) -> _Table:
        if table.begin == table.end:
            return _Table.over(begin, end, self._computed(begin, end))
        known = list(zip(table.starts, table.closes[1:], strict=True))
        found = _joined(self._computed(begin, table.begin), known)
        return _Table.over(begin, end, _joined(found, self._computed(table.end, end)))

    def _computed(self, begin: int, end: int) -> list[Interval]:
        if begin == end:
            return []
        # A wall is never a whole day away from UTC; the day before that may run past midnight.
        hours = self.hours.of(begin // DAY - 2, end // DAY + 1)
        return instants(hours, stretches(self.zone, begin, end))


def _begun(begin: int, end: int, starts: list[int]) -> list[int]:
    """How many stretches begin before each day of the table, and before its end."""
    counts = [0] * ((end - begin) // DAY + 1)
    for start in starts:
        counts[(start - begin) // DAY + 1] += 1
    return list(accumulate(counts))


def _joined(left: list[Interval], right: list[Interval]) -> list[Interval]:
    if left and right and left[-1][1] == right[0][0]:
        return [*left[:-1], (left[-1][0], right[0][1]), *right[1:]]
    return left + right
