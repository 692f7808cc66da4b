"""Fills a local helpdesk with very many tickets: a few are told, the rest are their copies."""

import bisect
import random
import time
from collections import Counter
from datetime import timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from sandbox.clock import Clock
from sandbox.copies import Pattern
from sandbox.desk import Desk, DeskError
from sandbox.histories import History
from sandbox.state import State
from sandbox.stories import Genre, told

_TOLD = 300
_BATCH = 1000
_DAYS = 180


class Wish(BaseModel):
    """What is wanted: how many tickets, created between `since` and now.

    Of all tickets `share_open` are neither solved nor closed (the younger, the likelier) and
    `share_closed` are closed; by default three of four that are not open. Of `share_history` the
    comments and the rest of the past are stored; on the others nobody has said anything since they
    were opened.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int = Field(ge=1, le=5_000_000)
    share_open: float = Field(0.2, ge=0, le=1)
    share_closed: float | None = Field(None, ge=0, le=1)
    share_history: float = Field(0.25, ge=0, le=1)
    since: AwareDatetime | None = None
    seed: int = 1

    @property
    def closed(self) -> float:
        """The share of all tickets that is closed."""
        return 0.75 * (1 - self.share_open) if self.share_closed is None else self.share_closed


def read_wish(document: Any) -> Wish:
    """What a caller wants. Raises DeskError naming the first value that cannot be used."""
    try:
        wish = Wish.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        message = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise DeskError(message) from error
    if wish.share_open + wish.closed > 1 + 1e-9:
        message = "share_open and share_closed add up to more than 1"
        raise DeskError(message)
    return wish


class Bulk:
    """One load. Memory does not grow with the number of tickets."""

    def __init__(self, state: State, clock: Clock, desk: Desk, wish: Wish) -> None:
        self._state = state
        self._desk = desk
        self._wish = wish
        self._draw = random.Random(wish.seed)  # noqa: S311
        self._now = clock.now().replace(microsecond=0)
        self._since = min(wish.since or self._now - timedelta(days=_DAYS), self._now)
        self._shelves: dict[Genre, _Shelf] = {}

    def load(self) -> dict[str, Any]:
        """Store the tickets; the answer says how many, the last id, and the seconds it took."""
        began = time.monotonic()
        done = self._tell(min(_TOLD, self._wish.count))
        while done < self._wish.count:
            done += self._copy(done, min(_BATCH, self._wish.count - done))
        return {
            "count": done,
            "last_id": self._state.counters()["ticket"],
            "seconds": round(time.monotonic() - began, 2),
        }

    def _tell(self, count: int) -> int:
        for number in range(count):
            genre = self._genre((number + 0.5) / count)
            story = told(number, genre, self._draw)
            start = min(self._since, self._now - timedelta(seconds=story.seconds))
            pattern = self._loaded(story.at(start), genre)
            if pattern is not None:
                self._shelves.setdefault(genre, _Shelf()).add(pattern)
        return count

    def _loaded(self, history: History, genre: Genre) -> Pattern | None:
        before = self._state.counters()
        with self._state.recording() as rows:
            self._desk.load([history])
        after = self._state.counters()
        if set(after) != set(before):  # where a new counter began is not known
            return None
        drawn = {name: range(before[name] + 1, last + 1) for name, last in after.items()}
        return Pattern([row for row in rows if genre.spoken or row.kind == "ticket"], drawn)

    def _copy(self, done: int, count: int) -> int:
        places = ((done + i + self._draw.random()) / self._wish.count for i in range(count))
        chosen = [self._chosen(place) for place in places]
        needed: Counter[str] = Counter()
        for pattern, _ in chosen:
            needed.update(pattern.needs)
        with self._state.writing():
            numbers = {name: self._state.next_ids(name, total)[0] for name, total in needed.items()}
            rows: list[tuple[Any, ...]] = []
            for pattern, start in chosen:
                rows += pattern.copy(start, numbers)
                numbers = {n: first + pattern.needs.get(n, 0) for n, first in numbers.items()}
            self._state.put_texts(rows)
        return count

    def _chosen(self, place: float) -> tuple[Pattern, int]:
        """A pattern for a ticket at `place` (0 to 1) between `since` and now, and its instant."""
        now, since = int(self._now.timestamp()), int(self._since.timestamp())
        start = since + int(place * (now - since))
        pattern = self._shelf(place).pick(now - start, self._draw)
        return pattern, min(start, now - pattern.seconds)

    def _shelf(self, place: float) -> "_Shelf":
        wanted = self._genre(place)
        return self._shelves.get(wanted) or next(iter(self._shelves.values()))

    def _genre(self, place: float) -> Genre:
        """`place` to the power of (1-s)/s is s on average, and grows towards now."""
        wish, draw = self._wish, self._draw
        share = wish.share_open
        unfinished = share > 0 and draw.random() < place ** ((1 - share) / share)
        closed = not unfinished and draw.random() * (1 - share) < wish.closed
        spoken = draw.random() < wish.share_history
        return Genre(finished=not unfinished, closed=closed, spoken=spoken)


class _Shelf:
    """Patterns of one genre, shortest first."""

    def __init__(self) -> None:
        self._patterns: list[Pattern] = []

    def add(self, pattern: Pattern) -> None:
        bisect.insort(self._patterns, pattern, key=_seconds)

    def pick(self, longest: int, draw: random.Random) -> Pattern:
        """One that takes no longer than `longest` seconds, else the shortest."""
        fitting = bisect.bisect_right(self._patterns, longest, key=_seconds)
        return self._patterns[draw.randrange(fitting) if fitting else 0]


def _seconds(pattern: Pattern) -> int:
    return pattern.seconds
