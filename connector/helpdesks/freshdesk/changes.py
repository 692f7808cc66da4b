"""Where a walk through everything that changed on Freshdesk goes on. Pure.

A round is one pass over the tickets in the order of `updated_at`; the first round and every tenth
after it add a pass over the deleted ones and one over the spam, which the first does not show.

Pages are counted only where one second holds more than a page. Otherwise the next page begins at
the last instant that was seen: a ticket that is updated in the meantime moves to the end of the
list, and a page by its number would then leave out the row that took its place.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from connector.errors import HelpdeskUnreachable
from connector.helpdesks.base import JSONObject
from mappings.field_mapping import plain
from mappings.written import instant

CHANGED, DELETED, SPAM = "changed", "deleted", "spam"
PASSES = (CHANGED, DELETED, SPAM)
ENDED_EVERY = 10  # rounds; deleted tickets and spam are looked for in one of so many
OVERLAP = timedelta(seconds=1)  # whether updated_since takes in its own instant is not documented
LATE = timedelta(seconds=60)  # a change can show this long after the instant that it bears
MOST_PAGES = 300  # Freshdesk refuses page 301

Row = tuple[str, datetime]  # a ticket's id and its updated_at


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """One page of the list of tickets."""

    rows: tuple[JSONObject, ...]
    #: there is a page after it
    more: bool
    #: Freshdesk's clock when it answered, UTC; None: the answer does not say
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where one pass goes on."""

    #: sent as `updated_since`
    since: datetime
    page: int = 1
    #: the pages of a crowded second are asked for once more
    again: bool = False
    #: the newest `updated_at` that was seen
    last: datetime | None = None
    #: rows not before `since` that need not be shown again
    shown: frozenset[Row] = frozenset()

    def fresh(self, rows: Iterable[JSONObject]) -> list[JSONObject]:
        """The rows that were not shown yet; none without an id."""
        found = {_row(row) or (str(row["id"]), None): row for row in rows if _is_ticket(row)}
        return [row for key, row in found.items() if key not in self.shown]

    def after(self, listed: Listed) -> "Place | None":
        """Where to go on; None when nothing more is there now. Raises `HelpdeskUnreachable`."""
        rows = [row for one in listed.rows if (row := _row(one))]
        seen = self._seen(rows, listed.at)
        since = max(self.since, seen.last - OVERLAP) if seen.last else self.since
        if listed.more and since == self.since:
            return replace(seen, page=self.page + 1)
        if self.page > 1 and not self.again:
            # a row that left the second while its pages were counted hid another one
            return replace(seen, page=1, again=True)
        if not listed.more:
            return None
        return seen.moved(since)

    def rest(self, listed: Listed) -> "Place":
        """Where the next round goes on, once `after` has found the end."""
        seen = self._seen([row for one in listed.rows if (row := _row(one))], listed.at)
        if listed.at is not None:
            return seen.moved(listed.at - LATE)  # back again, too, from a row of the future
        return seen.moved(max(self.since, seen.last - OVERLAP) if seen.last else self.since)

    def moved(self, since: datetime) -> "Place":
        """The same at the first page of another instant."""
        shown = frozenset(row for row in self.shown if row[1] >= since)
        return replace(self, since=since, page=1, again=False, shown=shown)

    def refuse_to_stall(self) -> None:
        """Raises `HelpdeskUnreachable` where Freshdesk shows no further page."""
        if self.page > MOST_PAGES:
            after = self.since + 2 * OVERLAP
            raise HelpdeskUnreachable(
                f"GET /api/v2/tickets: more than {MOST_PAGES} pages of tickets were updated within "
                f"a second of {_text(self.since + OVERLAP)}, and Freshdesk shows no more of them; "
                f"go on behind it: deskclock sync ACCOUNT --since {_text(after)}"
            )

    def _seen(self, rows: Sequence[Row], at: datetime | None) -> "Place":
        if rows and rows[-1][1] < rows[0][1] - OVERLAP:
            raise HelpdeskUnreachable(
                "GET /api/v2/tickets: the tickets do not come in the order of updated_at"
            )
        last = max([row[1] for row in rows[-1:]] + ([self.last] if self.last else []), default=None)
        if last is not None and at is not None:
            last = min(last, at)  # a row of the future must not take the walk there
        # what is updated once more in the second in which it was read would look as it did
        settled = [row for row in rows if at is None or row[1] < at - OVERLAP]
        return replace(self, last=last, shown=self.shown | frozenset(settled))

    def to_json(self) -> JSONObject:
        """The form in which it is stored."""
        shown: dict[str, list[str]] = {}
        for ticket_id, at in sorted(self.shown):
            shown.setdefault(_text(at), []).append(ticket_id)
        return {
            "since": _text(self.since),
            "page": self.page,
            "again": self.again,
            "last": _text(self.last) if self.last else None,
            "shown": shown,
        }

    @classmethod
    def of(cls, stored: JSONObject) -> "Place":
        """A place as it was stored."""
        return cls(
            since=datetime.fromisoformat(stored["since"]),
            page=stored["page"],
            again=stored["again"],
            last=instant(stored["last"]),
            shown=frozenset(
                (ticket_id, datetime.fromisoformat(at))
                for at, ids in stored["shown"].items()
                for ticket_id in ids
            ),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Walk:
    """All passes, and which of them is at its turn."""

    name: str = CHANGED
    #: rounds that have ended
    rounds: int = 0
    places: Mapping[str, Place] = field(default_factory=dict)

    @classmethod
    def from_instant(cls, since: datetime) -> "Walk":
        """One that begins."""
        since = since.replace(microsecond=0) - OVERLAP
        return cls(places={name: Place(since=since) for name in PASSES})

    @property
    def place(self) -> Place:
        """That of the pass at its turn."""
        return self.places[self.name]

    @property
    def position(self) -> datetime:
        """All changes before this instant have been shown."""
        place = self.places[CHANGED]
        return max(place.since, place.last or place.since)

    def after(self, listed: Listed) -> tuple["Walk", bool]:
        """Where to go on, and whether a round ends here."""
        following = self.place.after(listed)
        place = following or self.place.rest(listed)
        walk = replace(self, places={**self.places, self.name: place})
        if following is not None:
            return walk, False
        is_due = self.rounds % ENDED_EVERY == 0
        names = PASSES if is_due else PASSES[:1]
        index = names.index(self.name) + 1 if self.name in names else len(names)
        if index < len(names):
            return replace(walk, name=names[index]), False
        return replace(walk, name=CHANGED, rounds=self.rounds + 1), True

    def to_json(self) -> JSONObject:
        """The form in which it is stored."""
        places = {name: place.to_json() for name, place in self.places.items()}
        return {"pass": self.name, "rounds": self.rounds, "places": places}

    @classmethod
    def of(cls, stored: JSONObject) -> "Walk":
        """A walk as it was stored."""
        places = {name: Place.of(place) for name, place in stored["places"].items()}
        return cls(name=stored["pass"], rounds=stored["rounds"], places=places)


def _row(raw: JSONObject) -> Row | None:
    at = instant(raw.get("updated_at"))
    return (str(raw["id"]), at) if at is not None and _is_ticket(raw) else None


def _is_ticket(raw: JSONObject) -> bool:
    return plain(raw.get("id")) is not None


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
