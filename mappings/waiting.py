"""The ledger of waiting: when somebody else was to act, and why."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import NamedTuple

from mappings.ticket import WAITING, Cause, Ticket
from mappings.written import instant_in


class _Names(NamedTuple):
    """The mapped inputs that tell of one cause."""

    #: filled while the cause holds
    flag: str
    #: instants that bound the stretch more exactly than the flag's own changes
    begins: str
    ends: str


def _names(flag: str) -> _Names:
    return _Names(flag, f"{flag}_from", f"{flag}_to")


# a suspension is written down as what was done to the customer
INPUTS = {cause: _names("suspended" if cause is Cause.SUSPENSION else cause) for cause in Cause}
_ALL_INPUTS = frozenset(name for names in INPUTS.values() for name in names)
_BOUNDS = _ALL_INPUTS - {names.flag for names in INPUTS.values()}
#: every value that may tell of a wait
NAMES = _ALL_INPUTS | {WAITING}


@dataclass(frozen=True, kw_only=True, slots=True)
class Waited:
    """A stretch [start, end) with its cause; `end` None: it still holds."""

    start: datetime
    end: datetime | None
    cause: str
    #: the start was not recorded; see `Change.inferred`
    inferred: bool = False


def waits_of(ticket: Ticket, until: datetime, zone: tzinfo) -> list[Waited]:
    """Every stretch of waiting that began at or before `until`, in order.

    A stretch that ends later than `until` has no end yet. Dates without a time are read in `zone`.
    """
    found = list(_by_status(ticket, until))
    if not _ALL_INPUTS.isdisjoint(ticket.values):
        for cause, names in INPUTS.items():
            found.extend(_flagged(ticket, cause, names, until, zone))
        found.sort(key=lambda one: one.start)
    return found


def causes_at(ticket: Ticket, at: datetime, zone: tzinfo) -> list[str]:
    """The causes for which the ticket waits at an instant, each once, in the order of `Cause`."""
    held = ticket.value_at(WAITING, at)
    if _ALL_INPUTS.isdisjoint(ticket.values):
        return [held] if held else []
    holding = {one.cause for one in waits_of(ticket, at, zone) if one.end is None}
    return [cause.value for cause in Cause if cause in holding]


def tells_bounds(ticket: Ticket) -> bool:
    """Whether a field of the ticket names the instants of a stretch."""
    return not _ALL_INPUTS.isdisjoint(ticket.values) and any(
        ticket.values.get(name) for names in INPUTS.values() for name in names[1:]
    )


def maps_bounds(ticket: Ticket) -> bool:
    """Whether a field of the ticket may name the instants of a stretch, filled or not."""
    return not _BOUNDS.isdisjoint(ticket.values)


def boundaries(ticket: Ticket, after: datetime, zone: tzinfo) -> set[datetime]:
    """The later instants at which a stretch begins or ends by itself."""
    if _ALL_INPUTS.isdisjoint(ticket.values):
        return set()
    names = [name for one in INPUTS.values() for name in one[1:] if ticket.values.get(name)]
    found = {
        instant_in(ticket.values[name], zone, end_of_day=name.endswith("_to")) for name in names
    }
    return {at for at in found if at is not None and at > after}


def _by_status(ticket: Ticket, until: datetime) -> Iterator[Waited]:
    if ticket.values.get(WAITING) is None and not ticket.changes_of(WAITING):
        return
    for one in ticket.stretches(WAITING, until):
        if one.value:
            yield Waited(start=one.start, end=one.end, cause=one.value, inferred=one.inferred)


def _flagged(
    ticket: Ticket, cause: Cause, names: _Names, until: datetime, zone: tzinfo
) -> Iterator[Waited]:
    """The stretches of a flag, bounded by the instants that are written beside it.

    Where only the instants are mapped, they alone tell.
    """
    if names.flag not in ticket.values:
        if names.begins in ticket.values:
            yield from _bounded(ticket, cause, names, ticket.reported_at, None, until, zone)
        return
    if ticket.values[names.flag] is None and not ticket.changes_of(names.flag):
        return
    for one in ticket.stretches(names.flag, until):
        if one.value:
            guessed = one.start == ticket.reported_at and not _is_recorded(ticket, names.flag)
            inferred = one.inferred or guessed
            yield from _bounded(ticket, cause, names, one.start, one.end, until, zone, inferred)


def _bounded(
    ticket: Ticket,
    cause: Cause,
    names: _Names,
    start: datetime,
    end: datetime | None,
    until: datetime,
    zone: tzinfo,
    inferred: bool = False,
) -> Iterator[Waited]:
    """The stretch of a flag; an instant that is written beside it is no guess."""
    told_at = until if end is None else max(start, end)
    begins = instant_in(ticket.value_at(names.begins, told_at), zone)
    ends = instant_in(ticket.value_at(names.ends, told_at), zone, end_of_day=True)
    if names.flag not in ticket.values and begins is None:
        return
    start = begins or start
    end = min((one for one in (end, ends) if one is not None), default=None)
    if start > until or (end is not None and end <= start):
        return
    end = end if end is None or end <= until else None
    yield Waited(start=start, end=end, cause=cause, inferred=inferred and begins is None)


def _is_recorded(ticket: Ticket, name: str) -> bool:
    """Whether a value that stands since the report is known to have stood since then."""
    return name not in ticket.unrecorded and ticket.is_known(ticket.created_at)
