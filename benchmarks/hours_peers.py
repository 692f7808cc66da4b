"""Knows the libraries that add and measure open time, and asks each in its own words.

They are no dependencies of deskclock: pip puts them into a folder of their own."""

import importlib
import importlib.util
import operator
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from mappings.hours import Schedule

PEERS: Mapping[str, str] = {
    "workclock": "0.1.2",
    "businesstimedelta": "1.0.1",
    "pandas": "3.1.1",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """When support is open, as every library can be told: one interval on some weekdays."""

    zone: str
    opens: time
    closes: time
    weekdays: tuple[int, ...]
    holidays: tuple[date, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Library:
    """A library that was told a desk. `amount` turns hours into what its `add` takes, `length`
    the answer of its `between` into seconds; neither is timed."""

    add: Callable[[datetime, Any], datetime]
    between: Callable[[datetime, datetime], Any]
    amount: Callable[[int], Any]
    length: Callable[[Any], int]
    #: `between` counts in whole ones of these.
    unit_seconds: int = 1


def fetch(folder: Path) -> dict[str, str]:
    """Make the peers importable from below `folder`; gives the reason for each that is not."""
    missing = {}
    for name, number in PEERS.items():
        if importlib.util.find_spec(name) is None:
            target = folder / name
            if problem := _installed(f"{name}=={number}", target):
                missing[name] = problem
            sys.path.append(str(target))
    importlib.invalidate_caches()
    return missing


def _installed(requirement: str, target: Path) -> str | None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    options = ["--retries", "1", "--target", str(target)]
    done = subprocess.run([*pip, *options, requirement], capture_output=True, text=True)
    if done.returncode == 0:
        return None
    return next(reversed(done.stderr.splitlines()), "pip failed").removeprefix("ERROR: ")


def shown_name(name: str) -> str:
    """The name with the version that is measured."""
    return f"{name} {version(name)}" if name in PEERS else name


def _deskclock(desk: Desk) -> Library:
    schedule = schedule_of(desk, ZoneInfo(desk.zone))
    return Library(
        add=schedule.add,
        between=schedule.between,
        amount=lambda hours: hours * 3600,
        length=int,
    )


def schedule_of(desk: Desk, zone: ZoneInfo) -> Schedule:
    """The desk as deskclock has it."""
    hours = ((_second(desk.opens), _second(desk.closes)),)
    return Schedule(
        name="benchmark",
        zone=zone,
        week=tuple(hours if day in desk.weekdays else () for day in range(7)),
        holidays=frozenset(desk.holidays),
    )


def _second(at: time) -> int:
    return at.hour * 3600 + at.minute * 60 + at.second


def _workclock(desk: Desk) -> Library:
    workclock = importlib.import_module("workclock")
    days = workclock.WorkDay(desk.opens, desk.closes, days=desk.weekdays)
    rules = [days, workclock.Holidays(desk.holidays)] if desk.holidays else [days]
    schedule = workclock.Schedule(rules, time_zone=desk.zone)
    return Library(
        add=schedule.add,
        between=schedule.between,
        amount=lambda hours: timedelta(hours=hours),
        length=_whole_seconds,
    )


def _businesstimedelta(desk: Desk) -> Library:
    library = importlib.import_module("businesstimedelta")
    zone = importlib.import_module("pytz").timezone(desk.zone)
    days = library.WorkDayRule(desk.opens, desk.closes, list(desk.weekdays), tz=zone)
    closed = [library.HolidayRule(list(desk.holidays), tz=zone)] if desk.holidays else []
    rule = library.Rules([days, *closed])
    return Library(
        add=operator.add,
        between=rule.difference,
        amount=lambda hours: library.BusinessTimeDelta(rule, hours=hours),
        length=lambda found: _whole_seconds(found.timedelta),
    )


def _pandas(desk: Desk) -> Library:
    pandas = importlib.import_module("pandas")
    zone = ZoneInfo(desk.zone)

    def hours(count: int) -> Any:
        return pandas.offsets.CustomBusinessHour(
            n=count,
            start=desk.opens,
            end=desk.closes,
            weekmask=[int(day in desk.weekdays) for day in range(7)],
            holidays=list(desk.holidays),
        )

    hour = hours(1)

    def local(at: datetime) -> Any:
        return pandas.Timestamp(at).tz_convert(zone)

    def add(start: datetime, amount: Any) -> datetime:
        due: datetime = (local(start) + amount).to_pydatetime()
        return due

    def between(start: datetime, end: datetime) -> int:
        # It has no such question; the points of its range are whole open hours apart.
        return max(0, len(pandas.date_range(local(start), local(end), freq=hour)) - 1)

    return Library(
        add=add,
        between=between,
        amount=hours,
        length=lambda found: found * 3600,
        unit_seconds=3600,
    )


def _whole_seconds(length: timedelta) -> int:
    return length // timedelta(seconds=1)


LIBRARIES: Mapping[str, Callable[[Desk], Library]] = {
    "deskclock": _deskclock,
    "workclock": _workclock,
    "businesstimedelta": _businesstimedelta,
    "pandas": _pandas,
}
