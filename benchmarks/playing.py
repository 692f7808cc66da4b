"""Plays histories on the sandbox's clock, event by event, so that deskclock sees them happen."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tqdm import tqdm

from benchmarks.running import BenchmarkError
from benchmarks.stage import Helpdesk, Stage
from sandbox.histories import Actor, Event, EventKind, History

CLOCKS_AGREE_SECONDS = 2.5  # deskclock applies what it measures above two seconds
CATCH_UP_SECONDS = 120.0


def play(stage: Stage, histories: Sequence[History], *, ends_at: datetime, steps: int) -> None:
    """Let all events happen in the order of their instants, each at its own instant.

    Between two steps the clock runs on until deskclock has noticed where it stands and has nothing
    to do; within a step it stands at the instant of the event.
    """
    happenings = sorted(
        ((event.at, number, place) for number, history in enumerate(histories)
         for place, event in enumerate(history.events)),
    )  # fmt: skip
    size = max(1, -(-len(happenings) // steps))
    ids: dict[int, int] = {}
    helpdesk = stage.helpdesk
    with tqdm(
        total=len(happenings), desc=f"{helpdesk.kind}: playing", leave=False, disable=None
    ) as bar:
        for start in range(0, len(happenings), size):
            helpdesk.control("POST", "clock", {"freeze": True})
            for at, number, place in happenings[start : start + size]:
                helpdesk.control("POST", "clock", {"set": at.isoformat()})
                history = histories[number]
                if number not in ids:
                    ids[number] = _create(helpdesk, history)
                if place or history.opening is None:
                    _happen(helpdesk, ids[number], history.events[place])
                bar.update()
            helpdesk.control("POST", "clock", {"freeze": False})
            catch_up(stage)
    helpdesk.control("POST", "clock", {"set": ends_at.isoformat()})
    catch_up(stage)


def catch_up(stage: Stage) -> None:
    """Wait until deskclock has the helpdesk's time and nothing to do. Raises `BenchmarkError`."""
    until = time.monotonic() + CATCH_UP_SECONDS
    while time.monotonic() < until:
        real = float(stage.helpdesk.control("GET", "clock")["offset_seconds"])
        pending = int(stage.helpdesk.control("GET", "deliveries?limit=1")["pending"])
        agree = abs(stage.clock_offset() - real) <= CLOCKS_AGREE_SECONDS
        if agree and not pending and not stage.progress().busy:
            return
        time.sleep(0.1)
    raise BenchmarkError(
        f"deskclock has not caught up: offset {stage.clock_offset():.1f} s of {real:.1f} s, "
        f"{pending} deliveries, {stage.progress()}"
    )


def _create(helpdesk: Helpdesk, history: History) -> int:
    new = {
        "subject": history.subject,
        "description": history.body,
        "requester": history.person.name,
        "channel": history.channel,
        "priority": str(history.priority or ""),
    }
    return int(helpdesk.control("POST", "tickets", new)["id"])


def _happen(helpdesk: Helpdesk, ticket_id: int, event: Event) -> None:
    if event.kind is EventKind.COMMENT:
        by = Actor(event.by).value
        message: dict[str, Any] = {"as": by, "public": event.public, "body": str(event.value)}
        helpdesk.control("POST", f"tickets/{ticket_id}/reply", message)
    else:
        helpdesk.control("POST", f"tickets/{ticket_id}", {event.kind.value: event.value})
