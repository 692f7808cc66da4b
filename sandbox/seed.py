"""The tickets that a new local helpdesk is born with: the same ones for the same number."""

import json
import random
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from sandbox.histories import Actor, Event, EventKind, History, Person

_AGE_MINUTES = 4 * 24 * 60
_YOUNGEST_MINUTES = 3


@cache
def queue() -> dict[str, Any]:
    """The ready-made agents and ticket stories."""
    text = files("sandbox").joinpath("seeds/queue.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def agents() -> list[tuple[str, str]]:
    """The agents' names and addresses."""
    return [(agent["name"], agent["email"]) for agent in queue()["agents"]]


def seeded_histories(seed: int, count: int, now: datetime) -> list[History]:
    """`count` tickets created over the last days before `now`, oldest first."""
    draw = random.Random(seed)  # noqa: S311
    stories = [
        _History(story, draw, number).at(now) for number, story in enumerate(_stories(count, draw))
    ]
    return sorted(stories, key=lambda history: history.created_at)


def _stories(count: int, draw: random.Random) -> list[dict[str, Any]]:
    stories: list[dict[str, Any]] = []
    while len(stories) < count:
        batch = list(queue()["tickets"])
        draw.shuffle(batch)
        stories += batch
    return stories[:count]


class _History:
    """One story of the data file, placed in time."""

    def __init__(self, story: dict[str, Any], draw: random.Random, number: int) -> None:
        self._story = story
        names = [name for name, _ in agents()]
        self._agent = draw.choice(names)
        plan = story["plan"]
        needed = max((step[1] for step in plan), default=0) + _YOUNGEST_MINUTES
        self._age = needed + draw.randrange(_AGE_MINUTES) * draw.random()
        self._round = number // len(queue()["tickets"])

    def at(self, now: datetime) -> History:
        story = self._story
        start = (now - timedelta(minutes=self._age)).replace(microsecond=0)
        again = f" ({self._round + 1})" if self._round else ""
        return History(
            subject=story["subject"] + again,
            requester=Person(name=story["requester"], locale=story["locale"]),
            organization=story["organization"],
            channel=story["channel"],
            priority=story["priority"],
            type=story["type"],
            tags=tuple(story["tags"]),
            events=(
                Event(at=start, kind=EventKind.CREATED, by=Actor.CUSTOMER, value=story["body"]),
                *(self._step(step, start) for step in story["plan"]),
            ),
        )

    def _step(self, step: list[Any], start: datetime) -> Event:
        what, minutes, *text = step
        at = start + timedelta(minutes=minutes)
        if what not in ("agent", "customer", "note"):
            return Event(at=at, kind=EventKind.STATUS, author=self._agent, value=what)
        by = Actor.CUSTOMER if what == "customer" else Actor.AGENT
        return Event(
            at=at,
            kind=EventKind.COMMENT,
            by=by,
            public=what != "note",
            author=None if what == "customer" else self._agent,
            value=text[0],
        )
