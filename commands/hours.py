"""Knows the `hours` command: calendar arithmetic on JSON lines."""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import IO, Any, TypeVar

import click
from pydantic import ValidationError

from mappings.document.calendar import ScheduleDocument
from mappings.errors import MappingError
from mappings.hours import BusinessDayMode, Schedule

Line = dict[str, Any]
T = TypeVar("T")
_FORMAT_TAGS = {"always", "days"}


@click.command()
@click.argument("file", type=click.File(encoding="utf-8", errors="replace"), default="-")
@click.pass_context
def hours(context: click.Context, file: IO[str]) -> None:
    """Answer calendar arithmetic: JSON lines in (FILE, or - for standard input), JSON lines out.

    \b
    {"schedule": {"time_zone": "Europe/London", "week": {"mon": ["09:00-17:00"]}},
     "op": "add", "start": "2026-03-02T09:00:00Z", "seconds": 3600}
    gives {"result": "2026-03-02T10:00:00Z"}.

    Operations: add (start, seconds), between (start, end), is_open (start), next_open (start),
    add_business_days (start, days, and mode: wall_clock, end_of_day or business_hours).
    A line that fails gives {"error": "..."}; then the exit code is 1 at the end.
    """
    failed = False
    for answer in _answers(file):
        failed = failed or "error" in answer
        click.echo(json.dumps(answer))
    if failed:
        context.exit(1)


def _answers(lines: Iterable[str]) -> Iterator[Line]:
    for text in lines:
        if text.strip():
            yield _answer(text)


def _answer(text: str) -> Line:
    try:
        return {"result": _result(_parsed(text))}
    except ValidationError as error:
        return {"error": _problems(error)}
    except (ValueError, MappingError) as error:
        return {"error": str(error)}


def _parsed(text: str) -> Line:
    try:
        line = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the line is no JSON: {error}") from error
    if not isinstance(line, dict):
        raise ValueError('the line is no JSON object; write {"schedule": ..., "op": ...}')
    return line


def _result(line: Line) -> str | int | bool:
    operation = _OPERATIONS.get(_value(line, "op", str, "a string"))
    if operation is None:
        raise ValueError(f"unknown op '{line['op']}'; write one of {', '.join(_OPERATIONS)}")
    written = _value(line, "schedule", dict, "an object")
    result = operation(_schedule(json.dumps(written)), line)
    return result.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(result, datetime) else result


# A schedule keeps the table of its open time; few are kept, so that memory stays bounded.
@lru_cache(maxsize=32)
def _schedule(text: str) -> Schedule:
    return ScheduleDocument.model_validate(json.loads(text)).to_schedule("schedule")


def _add(schedule: Schedule, line: Line) -> datetime:
    return schedule.add(_instant(line, "start"), _integer(line, "seconds"))


def _between(schedule: Schedule, line: Line) -> int:
    return schedule.between(_instant(line, "start"), _instant(line, "end"))


def _is_open(schedule: Schedule, line: Line) -> bool:
    return schedule.is_open(_instant(line, "start"))


def _next_open(schedule: Schedule, line: Line) -> datetime:
    return schedule.next_open(_instant(line, "start"))


def _add_business_days(schedule: Schedule, line: Line) -> datetime:
    start, days = _instant(line, "start"), _integer(line, "days")
    return schedule.add_business_days(start, days, _mode(line))


_OPERATIONS: dict[str, Callable[[Schedule, Line], datetime | int | bool]] = {
    "add": _add,
    "between": _between,
    "is_open": _is_open,
    "next_open": _next_open,
    "add_business_days": _add_business_days,
}


def _mode(line: Line) -> BusinessDayMode:
    written = line.get("mode", BusinessDayMode.WALL_CLOCK)
    try:
        return BusinessDayMode(written)
    except ValueError:
        known = ", ".join(BusinessDayMode)
        raise ValueError(f"unknown mode {json.dumps(written)}; write one of {known}") from None


def _instant(line: Line, key: str) -> datetime:
    written = _value(line, key, str, "an ISO 8601 string")
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        right = "write it as 2026-03-02T09:00:00Z"
        raise ValueError(f"'{key}': '{written}' is no instant; {right}") from None
    if at.tzinfo is None:
        raise ValueError(f"'{key}': '{written}' has no UTC offset; add Z or +HH:MM")
    return at


def _integer(line: Line, key: str) -> int:
    number = _value(line, key, int, "a whole number")
    if isinstance(number, bool):
        raise ValueError(f"'{key}' must be a whole number")
    return number


def _value(line: Line, key: str, kind: type[T], wanted: str) -> T:
    if key not in line:
        raise ValueError(f"'{key}' is missing; it must be {wanted}")
    value = line[key]
    if not isinstance(value, kind):
        raise ValueError(f"'{key}' must be {wanted}")
    return value


def _problems(error: ValidationError) -> str:
    return "; ".join(_problem(found["loc"], found["msg"]) for found in error.errors())


def _problem(place: tuple[int | str, ...], message: str) -> str:
    path = ".".join(str(part) for part in ("schedule", *place) if part not in _FORMAT_TAGS)
    return f"{path}: {message.removeprefix('Value error, ')}"
