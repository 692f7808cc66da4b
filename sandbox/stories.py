"""Made-up ticket histories for load: a realistic spread of statuses, priorities and delays."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sandbox.histories import Actor, Event, EventKind, History, Person
from sandbox.seed import agents, queue

_PRIORITIES = {"low": 25, "normal": 50, "high": 18, "urgent": 7}
_UNFINISHED = {"new": 15, "open": 50, "pending": 25, "hold": 10}
_SECONDS_TO_ANSWER = {"low": 40_000.0, "normal": 18_000.0, "high": 6_000.0, "urgent": 1_200.0}
_SECONDS_TO_CLOSE = 4 * 86_400.0
_SHARE_PENDING, _SHARE_PUBLIC = 0.4, 0.9
_ROUNDS = (0, 0, 1, 1, 2, 3)


@dataclass(frozen=True, kw_only=True, slots=True)
class Genre:
    """How a story ends, and whether anybody says anything in it after the ticket was opened."""

    finished: bool
    closed: bool
    spoken: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """A history that is not placed in time yet; each event has its seconds after the creation."""

    customer: Person
    priority: str
    source: Mapping[str, Any]
    events: Sequence[tuple[float, Mapping[str, Any]]]

    @property
    def seconds(self) -> float:
        """How long the story takes."""
        return self.events[-1][0] if self.events else 0.0

    def at(self, start: datetime) -> History:
        """The story of a ticket that is created at `start`."""
        opened = Event(
            at=start, kind=EventKind.CREATED, by=Actor.CUSTOMER, value=self.source["body"]
        )
        later = (Event(at=start + timedelta(seconds=s), **named) for s, named in self.events)
        return History(
            subject=self.source["subject"],
            requester=self.customer,
            organization=self.source["organization"],
            channel=self.source["channel"],
            priority=self.priority,
            type=self.source["type"],
            tags=tuple(self.source["tags"]),
            events=(opened, *later),
        )


def told(number: int, genre: Genre, draw: random.Random) -> Story:
    """The story with this number: the same one for the same randomness."""
    source = draw.choice(queue()["tickets"])
    priority = _weighted(draw, _PRIORITIES)
    events = _Events(draw, _SECONDS_TO_ANSWER[priority])
    status = _end(genre, draw)
    if genre.spoken and status != "new":
        events.talk()
    if status != "new":
        events.status(status)
    if genre.closed:
        events.status("closed", after=_SECONDS_TO_CLOSE)
    customer = Person(
        name=f"{source['requester']} {number}",
        email=f"customer{number}@load.sandbox.test",
        locale=source["locale"],
    )
    return Story(customer=customer, priority=priority, source=source, events=events.made)


def _end(genre: Genre, draw: random.Random) -> str:
    if genre.finished:
        return "solved"
    status = _weighted(draw, _UNFINISHED)
    # nobody waits for an answer to a question that was not asked
    return status if genre.spoken or status == "new" else "open"


class _Events:
    """What happens to one ticket, made up forward in time."""

    def __init__(self, draw: random.Random, delay: float) -> None:
        self._draw = draw
        self._delay = delay
        self._seconds = 0.0
        self._agent = draw.choice([name for name, _ in agents()])
        self.made: list[tuple[float, Mapping[str, Any]]] = []

    def talk(self) -> None:
        """A first reply, and some back and forth."""
        self._say(public=True)
        for _ in range(self._draw.choice(_ROUNDS)):
            if self._draw.random() < _SHARE_PENDING:
                self.status("pending", after=1)
            self._ask()
            self._say(public=self._draw.random() < _SHARE_PUBLIC)

    def status(self, word: str, *, after: float | None = None) -> None:
        """The ticket gets a status, in Zendesk's words."""
        self._add(after, kind=EventKind.STATUS, author=self._agent, value=word)

    def _say(self, *, public: bool) -> None:
        text = "We are looking into it."
        self._add(None, kind=EventKind.COMMENT, public=public, author=self._agent, value=text)

    def _ask(self) -> None:
        self._add(None, kind=EventKind.COMMENT, by=Actor.CUSTOMER, value="Is there any news?")

    def _add(self, after: float | None, **named: Any) -> None:
        wait = self._draw.expovariate(1 / self._delay) if after is None else after
        self._seconds += max(1, round(wait))
        self.made.append((self._seconds, named))


def _weighted(draw: random.Random, weights: Mapping[str, int]) -> str:
    return draw.choices(list(weights), weights=list(weights.values()))[0]
