"""Knows the questions about open time that libraries are asked, and whether they answer alike."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from time import monotonic
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks.hours_peers import LIBRARIES, Desk, Library
from benchmarks.tables import table

DESK = Desk(
    zone="Europe/London",
    opens=time(9),
    closes=time(17),
    weekdays=(0, 1, 2, 3, 4),
    holidays=tuple(
        date(year, month, day)
        for year in range(2024, 2041)
        for month, day in ((1, 1), (12, 25), (12, 26))
    ),
)
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
OPERATIONS = ("add", "between")
_STARTS = 20_000
_MINUTE = timedelta(minutes=1)

Asking = tuple[Callable[[datetime, Any], Any], Sequence[tuple[datetime, Any]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """What one question is about: so many open hours to add, so much time to measure."""

    name: str
    open_hours: int
    elapsed: timedelta


SPANS = (
    Span(name="4 hours", open_hours=4, elapsed=timedelta(hours=4)),
    Span(name="30 days", open_hours=173, elapsed=timedelta(days=30)),
    Span(name="1 year", open_hours=2_021, elapsed=timedelta(days=365)),
    Span(name="4 years", open_hours=8_093, elapsed=timedelta(days=1461)),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """24 hours from `start` on, at a desk in London that is open every day."""

    name: str
    start: datetime
    opens: time
    closes: time

    @property
    def desk(self) -> Desk:
        """Open every day of the week, without holidays."""
        every_day = tuple(range(7))
        return Desk(zone=DESK.zone, opens=self.opens, closes=self.closes, weekdays=every_day)

    @property
    def end(self) -> datetime:
        """24 hours after the start."""
        return self.start + timedelta(days=1)


_SPRING = datetime(2026, 3, 28, 12, tzinfo=UTC)
_AUTUMN = datetime(2026, 10, 24, 12, tzinfo=UTC)
_PLAIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
CASES = (
    Case(name="00:00-04:00, 01:00 skipped", start=_SPRING, opens=time(0), closes=time(4)),
    Case(name="01:30-04:00, 01:00 skipped", start=_SPRING, opens=time(1, 30), closes=time(4)),
    Case(name="00:00-04:00, 01:00 twice", start=_AUTUMN, opens=time(0), closes=time(4)),
    Case(name="01:30-04:00, 01:00 twice", start=_AUTUMN, opens=time(1, 30), closes=time(4)),
    Case(name="09:00-17:00, plain day", start=_PLAIN, opens=time(9), closes=time(17)),
)


def starts(zone: tzinfo) -> list[datetime]:
    """Instants of one year in no order; the same each time."""
    chosen = random.Random(3)
    seconds = (chosen.randrange(365 * 86_400) for _ in range(_STARTS))
    return [(FIRST + timedelta(seconds=second)).astimezone(zone) for second in seconds]


def asking(library: Library, operation: str, span: Span, at: Sequence[datetime]) -> Asking:
    """What to call, and with what for each start."""
    if operation == "add":
        amount = library.amount(span.open_hours)
        return library.add, [(start, amount) for start in at]
    return library.between, [(start, start + span.elapsed) for start in at]


def agreement(names: Sequence[str], seconds: float) -> str:
    """How often each peer answers as deskclock, over as many starts as `seconds` allow."""
    peers = [(name, LIBRARIES[name](DESK)) for name in names if name != "deskclock"]
    rows = [
        (name, operation, span.name, *_compared(theirs, operation, span, seconds))
        for name, theirs in peers
        for operation in OPERATIONS
        for span in SPANS
    ]
    return table(("library", "operation", "span", "asked", "same", "first that differs"), rows)


def _compared(
    theirs: Library, operation: str, span: Span, seconds: float
) -> tuple[int, int, str | None]:
    at, same, differing = starts(UTC), 0, []
    ours = _answers(LIBRARIES["deskclock"](DESK), operation, span, at, theirs.unit_seconds)
    given = _answers(theirs, operation, span, at, theirs.unit_seconds)
    until = monotonic() + seconds
    for start, right, found in zip(at, ours, given, strict=True):
        if found == right:
            same += 1
        else:
            differing.append(f"from {_instant(start)}: {found}, not {right}")
        if monotonic() > until:
            break
    return same + len(differing), same, differing[0] if differing else None


def _answers(
    library: Library, operation: str, span: Span, at: Sequence[datetime], unit_seconds: int
) -> Iterator[str]:
    ask, questions = asking(library, operation, span, at)
    for start, other in questions:
        if operation == "add":
            yield _instant(ask(start, other))
        else:
            seconds = library.length(ask(start, other))
            yield f"{seconds - seconds % unit_seconds} s"


def cases(names: Sequence[str]) -> str:
    """What each library says where the clocks change, beside a walk along the wall."""
    rows: list[tuple[str, ...]] = []
    for case in CASES:
        seconds, closing = _walked(case)
        hours = seconds // 3600
        libraries = [LIBRARIES[name](case.desk) for name in names]
        lengths = [_length(library, case) for library in libraries]
        added = [_added(library, case, hours) for library in libraries]
        rows.append((case.name, "between", _hours(seconds), *lengths))
        rows.append((case.name, f"add {hours} h", _instant(closing), *added))
    return table(("hours in London", "question", "right", *names), rows)


def _length(library: Library, case: Case) -> str:
    try:
        return _hours(library.length(library.between(case.start, case.end)))
    except Exception as error:  # whatever a library makes of it
        return type(error).__name__


def _added(library: Library, case: Case, hours: int) -> str:
    try:
        return _instant(library.add(case.start, library.amount(hours)))
    except Exception as error:
        return type(error).__name__


def _walked(case: Case) -> tuple[int, datetime]:
    """The open seconds of the case, and the instant at which the last of them has passed."""
    zone, at, open_minutes, closing = ZoneInfo(DESK.zone), case.start, 0, case.start
    while at < case.end:
        shown = at.astimezone(zone).time()
        at += _MINUTE
        if case.opens <= shown < case.closes:
            open_minutes += 1
            closing = at
    return open_minutes * 60, closing


def _hours(seconds: int) -> str:
    return f"{seconds / 3600:.2f} h"


def _instant(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
