"""Knows what the clock on the wall of a time zone shows at each instant.

Wall time is counted in seconds since 1970-01-01T00:00 as the wall shows it, so that it
equals the UTC second plus the offset."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from operator import itemgetter

from mappings.instants import DAY

Interval = tuple[int, int]
Stretch = tuple[int, int, int]

CHUNK = 366 * DAY
_SECOND = timedelta(seconds=1)
_opens = itemgetter(0)
_closes = itemgetter(1)


def offset_at(zone: tzinfo, second: int) -> int:
    """Seconds that the wall is ahead of UTC at a UTC second."""
    offset = datetime.fromtimestamp(second, zone).utcoffset()
    if offset is None:
        raise ValueError(f"{zone!r} has no UTC offset")
    return offset // _SECOND


def stretches(zone: tzinfo, start: int, end: int) -> list[Stretch]:
    """Stretches (from, to, offset) of unchanged offset, in order, that cover [start, end)."""
    chunks = range(start // CHUNK, -(-end // CHUNK))
    return [found for chunk in chunks for found in _stretches_of(zone, chunk)]


@lru_cache(maxsize=8192)
def _stretches_of(zone: tzinfo, chunk: int) -> tuple[Stretch, ...]:
    # Sampled once a day: since 1900 no zone has put two changes closer than 6.9 days.
    begin, end = chunk * CHUNK, (chunk + 1) * CHUNK
    offset = offset_at(zone, begin)
    found = []
    for day in range(begin, end, DAY):
        after = offset_at(zone, day + DAY)
        change = day
        while offset != after:
            change = _change(zone, change, day + DAY, offset)
            found.append((begin, change, offset))
            begin, offset = change, offset_at(zone, change)
    found.append((begin, end, offset))
    return tuple(stretch for stretch in found if stretch[0] < stretch[1])


def _change(zone: tzinfo, start: int, end: int, offset: int) -> int:
    """The first second after `start`, at most `end`, at which `offset` holds no more."""
    seconds = range(start, end)
    return start + bisect_left(seconds, True, key=lambda at: offset_at(zone, at) != offset)


def instants(hours: Sequence[Interval], over: Sequence[Stretch]) -> list[Interval]:
    """UTC intervals in which the wall shows a time inside `hours` (wall intervals, sorted and
    apart), merged where they touch. A wall time shown twice gives two instants, one that is
    skipped gives none."""
    found: list[Interval] = []
    for begin, end, offset in over:
        first, last = begin + offset, end + offset
        shown = slice(bisect_right(hours, first, key=_closes), bisect_left(hours, last, key=_opens))
        for opens, closes in hours[shown]:
            start = max(opens, first) - offset
            if found and found[-1][1] == start:
                start = found.pop()[0]
            found.append((start, min(closes, last) - offset))
    return found


def first_instant(zone: tzinfo, wall: int) -> int:
    """The UTC second at which the wall first shows `wall`, or at which it skips it."""
    for begin, end, offset in stretches(zone, wall - 2 * DAY, wall + 2 * DAY):
        if wall < end + offset:
            return max(begin, wall - offset)
    raise AssertionError("the stretches reach two days past the wall time")
