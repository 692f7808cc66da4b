"""Copies of stored tickets with other ids and other instants, as fast as text can be written."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.clock import epoch
from sandbox.state import Key, Row, dumped

Numbers = Mapping[str, range]
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_MARK = re.compile('"\ue000(\\d+)\ue001"')
_EARLIEST = 946_684_800  # smaller numbers are durations, ids or the like, not instants of tickets


@dataclass(frozen=True, kw_only=True, slots=True)
class _Template:
    """One row: its text with a gap per slot, and where its own columns come from."""

    kind: str
    id: int
    parent: int | None
    parent_as_is: Key | None
    created: int | None
    moved: int | None
    shelf: str
    text: str
    slots: tuple[int, ...]


class Pattern:
    """One ticket with all its rows, to be copied. `drawn` are the numbers that it drew, by counter.

    Every number of those that is an id is another one in a copy, and every instant is moved.
    """

    def __init__(self, rows: Sequence[Row], drawn: Numbers) -> None:
        ticket = next(row for row in rows if row.kind == "ticket")
        own = [row for row in rows if row is ticket or _belongs(row, ticket.id)]
        self._start = epoch(ticket.doc["created_at"])
        self._ids = _ids_of(own, drawn)
        self._instants = {epoch(text) for row in own for text in _instants(row.doc)}
        self._slots: dict[tuple[str, int], int] = {}
        self._templates = [self._template(row) for row in own]
        self.seconds = max(self._instants) - self._start
        self.needs = {name: len(drawn[name]) for name in {name for name, _ in self._ids.values()}}

    def copy(self, start: int, first: Mapping[str, int]) -> Iterator[tuple[Any, ...]]:
        """The rows of a copy that is created at `start` (seconds since 1970).

        `first` holds the first number that it may use of each counter in `needs`.
        """
        values = [_value(kind, number, start, first) for kind, number in self._slots]
        moved = start - self._start
        for one in self._templates:
            yield (
                one.kind,
                values[one.id],
                one.parent_as_is if one.parent is None else values[one.parent],
                _later(one.created, moved),
                _later(one.moved, moved),
                one.shelf,
                one.text % tuple([values[slot] for slot in one.slots]),
            )

    def _template(self, row: Row) -> _Template:
        marked = dumped(self._marked(row.doc, "", row.kind == "ticket")).replace("%", "%%")
        moves = row.parent in self._ids  # it need not be an id: some vendors' lists go by status
        return _Template(
            kind=row.kind,
            id=self._slot_of_id(row.id),
            parent=self._slot_of_id(row.parent) if moves else None,
            parent_as_is=None if moves else row.parent,
            created=row.created,
            moved=row.moved,
            shelf=row.shelf,
            text=_MARK.sub("%s", marked),
            slots=tuple(int(number) for number in _MARK.findall(marked)),
        )

    def _marked(self, value: Any, name: str, top: bool = False) -> Any:
        """The document with a mark in place of each value that differs in a copy."""
        if isinstance(value, dict):
            names = {key: "ticket_id" if top and key == "id" else str(key) for key in value}
            return {key: self._marked(one, names[key]) for key, one in value.items()}
        if isinstance(value, list):
            return [self._marked(one, name) for one in value]
        if isinstance(value, str):
            moves = _INSTANT.fullmatch(value) is not None
            return self._mark("instant", epoch(value) - self._start) if moves else value
        if isinstance(value, bool) or not isinstance(value, int):
            return value
        if value in self._ids and _names_an_id(name, self._ids[value][0]):
            return self._mark(*self._ids[value])
        moves = value in self._instants and value > _EARLIEST
        return self._mark("epoch", value - self._start) if moves else value

    def _mark(self, kind: str, number: int) -> str:
        return f"\ue000{self._slot(kind, number)}\ue001"

    def _slot(self, kind: str, number: int) -> int:
        return self._slots.setdefault((kind, number), len(self._slots))

    def _slot_of_id(self, key: Any) -> int:
        return self._slot(*self._ids[key])


def _belongs(row: Row, ticket: Key) -> bool:
    return ticket in (row.parent, row.doc.get("ticket_id"))


def _ids_of(rows: Sequence[Row], drawn: Numbers) -> dict[int, tuple[str, int]]:
    """What the rows' own counters gave out: (counter, how many before) by number."""
    counters = {name for row in rows for name, numbers in drawn.items() if row.id in numbers}
    return {n: (name, n - drawn[name][0]) for name in counters for n in drawn[name]}


def _names_an_id(name: str, counter: str) -> bool:
    # the numbers of tickets are small, so that others are easily taken for them
    return name == "ticket_id" if counter == "ticket" else name == "id" or name.endswith("_id")


def _instants(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _instants(one)
    elif isinstance(value, str) and _INSTANT.fullmatch(value):
        yield value


def _value(kind: str, number: int, start: int, first: Mapping[str, int]) -> Any:
    match kind:
        case "instant":
            return time.strftime('"%Y-%m-%dT%H:%M:%SZ"', time.gmtime(start + number))
        case "epoch":
            return start + number
    return first[kind] + number


def _later(value: int | None, seconds: int) -> int | None:
    return value + seconds if value is not None and value > _EARLIEST else value
