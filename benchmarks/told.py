"""Compares evaluations with the log itself: when was a ticket answered, and when was it solved?

This check shares no code with what it checks, unlike `deskclock evaluate` of the final tickets.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sandbox.histories import EventKind, History

DONE = frozenset({"solved", "closed"})


def told_otherwise(history: History, answer: Mapping[str, Any]) -> list[str]:
    """What an evaluation says otherwise than the log, a line for each difference."""
    solves = list(_solves(history))
    last = solves[-1] if solves else None
    wanted = {
        "first_response": _first_response(history, solves),
        "resolution": last[0] if last and last[1] is None else None,
    }
    lines = []
    for metric in answer.get("metrics", ()):
        name, found = metric["metric"], metric["fulfilled_at"]
        if name in wanted and found != _text(wanted[name]):
            lines.append(f"{name} is fulfilled at {found}, in the log at {_text(wanted[name])}")
    return lines


def _first_response(
    history: History, solves: list[tuple[datetime, datetime | None]]
) -> datetime | None:
    replies = [event.at for event in history.events if event.kind is EventKind.COMMENT]
    return min([*replies[:1], *(start for start, _ in solves[:1])], default=None)


def _solves(history: History) -> Iterator[tuple[datetime, datetime | None]]:
    """From when to when the ticket was solved; of changes at one instant the last one counts."""
    status_at = {
        event.at: event.value for event in history.events if event.kind is EventKind.STATUS
    }
    start = None
    for at, status in status_at.items():
        if start is None and status in DONE:
            start = at
        elif start is not None and status not in DONE:
            yield start, at
            start = None
    if start is not None:
        yield start, None


def _text(at: datetime | None) -> str | None:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else None
