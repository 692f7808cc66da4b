"""Findings about regimes: what "1 hour while open, 4 hours while closed" comes to."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from mappings.clock import reach
from mappings.document.policy import targets_in
from mappings.document.policy_form import PolicyDocument, RegimeDocument
from mappings.hours import ALWAYS, BusinessDayMode, Schedule
from mappings.lint.findings import Found
from mappings.policy import Regime, Strategy
from mappings.promises import bound_of

# a week without a change of the clocks in any zone that has one; its holidays are left out
_MONDAY = datetime(2026, 2, 2)  # noqa: DTZ001 -- a wall time of each calendar's zone
_STARTS = ((2, 12, 0), (2, 17, 30), (2, 8, 30), (4, 17, 59), (5, 11, 0))
_STEP = timedelta(minutes=15)
_WEEK = timedelta(days=7)
_SHOWN = "%a %H:%M"
_WIDTH = 22


def regime_findings(document: PolicyDocument) -> Found:
    """A table for each regime, and which reading never overtakes."""
    for path, target in targets_in(document):
        if target.regime is not None:
            schedule = document.calendars[target.regime.calendar].to_schedule(
                target.regime.calendar
            )
            plain = replace(schedule, holidays=frozenset(), special_days={}, closures=())
            lines = _lines(target.regime, plain, document.business_day)
            yield "regime", (*path, "regime"), "\n".join(lines)


def due(
    regime: RegimeDocument,
    strategy: Strategy,
    schedule: Schedule,
    start: datetime,
    mode: BusinessDayMode,
) -> datetime:
    """The due of a ticket reported at `start` when the regime is read by `strategy`."""
    read = Regime(
        calendar=regime.calendar, strategy=strategy, open=regime.open, closed=regime.closed
    )
    counts, limit = bound_of(read, schedule, mode, start, schedule.is_open(start))
    return reach(schedule if counts else ALWAYS, start, limit, mode)


def _lines(regime: RegimeDocument, schedule: Schedule, mode: BusinessDayMode) -> Iterator[str]:
    yield (
        f"{regime.open} while '{regime.calendar}' is open, {regime.closed} while it is closed, is "
        f"read as {regime.strategy.value} here; the three readings give"
    )
    yield _row("reported", *(strategy.value for strategy in Strategy))
    for day, hour, minute in _STARTS:
        wall = _MONDAY + timedelta(days=day, hours=hour, minutes=minute)
        start = wall.replace(tzinfo=schedule.zone)
        dues = (due(regime, strategy, schedule, start, mode) for strategy in Strategy)
        shown = (one.astimezone(schedule.zone).strftime(_SHOWN) for one in dues)
        yield _row(wall.strftime(_SHOWN), *shown)
    yield from (_overtaking(regime, one, schedule, mode) for one in Strategy)


def _row(*cells: str) -> str:
    return "  " + "".join(cell.ljust(_WIDTH) for cell in cells).rstrip()


def _overtaking(
    regime: RegimeDocument, strategy: Strategy, schedule: Schedule, mode: BusinessDayMode
) -> str:
    """Whether a later report is ever due before an earlier one, over a week."""
    start = _MONDAY.replace(tzinfo=schedule.zone).astimezone(UTC)
    before = due(regime, strategy, schedule, start, mode)
    for number in range(1, _WEEK // _STEP):
        at = start + number * _STEP
        found = due(regime, strategy, schedule, at, mode)
        if found < before:
            return _example(strategy, schedule, (at - _STEP, before), (at, found))
        before = found
    return f"  {strategy.value}: monotone, a later report is never due before an earlier one"


def _example(
    strategy: Strategy,
    schedule: Schedule,
    earlier: tuple[datetime, datetime],
    later: tuple[datetime, datetime],
) -> str:
    (first, first_due), (second, second_due) = (
        tuple(at.astimezone(schedule.zone).strftime(_SHOWN) for at in pair)
        for pair in (earlier, later)
    )
    return (
        f"  {strategy.value}: not monotone, reported {first} is due {first_due}, "
        f"reported {second} is due {second_due}"
    )
