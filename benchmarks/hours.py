"""How fast open time is added and measured, in one thread, beside the libraries that also do it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from timeit import timeit
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks.hours_peers import LIBRARIES, PEERS, fetch, schedule_of, shown_name
from benchmarks.hours_questions import (
    DESK,
    FIRST,
    OPERATIONS,
    SPANS,
    Asking,
    agreement,
    asking,
    cases,
    starts,
)
from benchmarks.tables import table

FIGURE_SECONDS = 0.03  # what one figure of one round takes, at least


def measure(*, quick: bool) -> str:
    """The figures as tables. A peer that cannot be had is left out, and the text says so."""
    rounds = 3 if quick else 15
    with TemporaryDirectory(prefix="deskclock-bench-") as folder:
        missing = fetch(Path(folder))
        names = [name for name in LIBRARIES if name not in missing]
        parts = [
            f"beside {', '.join(shown_name(name) for name in names if name in PEERS) or 'no peer'}",
            *(f"{name} is left out: {reason}" for name, reason in missing.items()),
            *([agreement(names, seconds=0.1 if quick else 1.0)] if len(names) > 1 else []),
            cases(names),
            _speed(names, UTC, rounds),
            _speed(names[:2], ZoneInfo(DESK.zone), rounds),  # the others are far off anyway
            _first_times(names, rounds),
        ]
    return "\n\n".join(parts)


def _speed(names: Sequence[str], zone: tzinfo, rounds: int) -> str:
    libraries = {name: LIBRARIES[name](DESK) for name in names}
    at, rows = starts(zone), []
    for operation in OPERATIONS:
        for span in SPANS:
            askings = [asking(one, operation, span, at) for one in libraries.values()]
            rows.append((operation, span.name, *_figures(askings, rounds)))
    ours, *peers = names
    head = ("operation", "span", *names, *(f"{ours} : {name}" for name in peers))
    title = f"Calls per second with datetimes in {zone}, medians of {rounds} rounds"
    return f"{title}\n{table(head, rows)}"


def _figures(askings: Sequence[Asking], rounds: int) -> list[float]:
    """The calls per second of each, then how many times as fast the first is as each other. All
    take turns in each round and are compared within it, so that noise hits them alike."""
    sized = [_sized(one) for one in askings]
    found = [[len(one[1]) / _seconds(one) for one in sized] for _ in range(rounds)]
    rates = [median(each) for each in zip(*found, strict=True)]
    ratios = zip(*([ours / other for other in others] for ours, *others in found), strict=True)
    return [*rates, *(median(each) for each in ratios)]


def _sized(one: Asking) -> Asking:
    """As many of the questions as a figure needs; asking them warms the tables."""
    ask, questions = one
    count = 1
    while _seconds((ask, questions[:count])) < FIGURE_SECONDS and count < len(questions):
        count *= 2
    return ask, questions[:count]


def _seconds(one: Asking) -> float:
    return timeit(partial(_ask_all, *one), number=1)


def _ask_all(
    ask: Callable[[datetime, Any], Any], questions: Sequence[tuple[datetime, Any]]
) -> None:
    for start, other in questions:
        ask(start, other)


def _first_times(names: Sequence[str], rounds: int) -> str:
    """Milliseconds for what is done once. A zone that is not from the cache of zoneinfo is not
    known to the cache of deskclock either."""
    known, new = partial(ZoneInfo, DESK.zone), partial(ZoneInfo.no_cache, DESK.zone)
    tasks: dict[str, Callable[[], float]] = {
        f"{name}: made and asked once": partial(_first_answer, name) for name in names
    }
    tasks |= {
        "deskclock: table of one year, new zone": lambda: _table_seconds(new(), 1),
        "deskclock: table of one year, known zone": lambda: _table_seconds(known(), 1),
        "deskclock: table of ten years, new zone": lambda: _table_seconds(new(), 10),
        "deskclock: table of ten years, known zone": lambda: _table_seconds(known(), 10),
        "deskclock: one year more after ten, new zone": lambda: _growth_seconds(new(), 10),
    }
    rows = [(name, 1000 * median(task() for _ in range(rounds))) for name, task in tasks.items()]
    return table(("done once", "ms"), rows)


def _first_answer(name: str) -> float:
    begun = perf_counter()
    library = LIBRARIES[name](DESK)
    library.add(FIRST, library.amount(4))
    return perf_counter() - begun


def _table_seconds(zone: ZoneInfo, years: int) -> float:
    schedule = schedule_of(DESK, zone)
    begun = perf_counter()
    schedule.between(FIRST, FIRST.replace(year=FIRST.year + years))
    return perf_counter() - begun


def _growth_seconds(zone: ZoneInfo, years: int) -> float:
    schedule = schedule_of(DESK, zone)
    schedule.between(FIRST, FIRST.replace(year=FIRST.year + years))
    begun = perf_counter()
    schedule.between(FIRST, FIRST.replace(year=FIRST.year + years + 1))
    return perf_counter() - begun
