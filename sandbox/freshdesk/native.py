"""Freshdesk's own due dates: set shortly after a change, unless somebody wrote others."""

from datetime import timedelta
from typing import Any

from sandbox.clock import iso, parse_instant, wall_seconds
from sandbox.freshdesk.switches import Switches
from sandbox.state import Doc

# Hours to respond and to resolve, around the clock, by priority.
_TARGETS = {1: (24, 72), 2: (8, 48), 3: (4, 24), 4: (1, 8)}
_DEPENDS_ON = {"priority", "type", "status"}


def native_dates(ticket: Doc) -> Doc:
    """The dates that the native policy gives a ticket."""
    created = parse_instant(ticket["created_at"])
    respond, resolve = _TARGETS[ticket["priority"]]
    return {
        "due_by": iso(created + timedelta(hours=resolve)),
        "fr_due_by": iso(created + timedelta(hours=respond)),
    }


def plan_dates(ticket: Doc, changed: set[str], written: set[str], switches: Switches) -> None:
    """After a change: remember which dates the native engine will set, and from when on."""
    settle(ticket)
    frozen = set(ticket["_frozen"]) | written
    ticket["_frozen"] = sorted(frozen)
    if not switches.native_overwrites:
        _drop_waiting(ticket, frozen)
    moved = bool(changed & _DEPENDS_ON) or ticket["due_by"] is None or switches.engine == "new"
    if not moved:
        return
    kept = set() if switches.native_overwrites else frozen
    dates = {name: at for name, at in native_dates(ticket).items() if name not in kept}
    fresh = {name: at for name, at in dates.items() if ticket[name] != at}
    if fresh:
        ticket["_native"] = {"from": wall_seconds() + switches.native_seconds, "dates": fresh}


def _drop_waiting(ticket: Doc, frozen: set[str]) -> None:
    """A date that somebody wrote is not replaced by one that was on its way."""
    waiting = ticket["_native"]
    if waiting is None:
        return
    dates = {name: at for name, at in waiting["dates"].items() if name not in frozen}
    ticket["_native"] = {**waiting, "dates": dates} if dates else None


def set_at_once(ticket: Doc) -> None:
    """Give a ticket with a past its native dates without waiting."""
    ticket |= native_dates(ticket)


def settle(ticket: Doc) -> bool:
    """Take over native dates whose time has come; tells whether there were any."""
    waiting: dict[str, Any] | None = ticket["_native"]
    if waiting is None or waiting["from"] > wall_seconds():
        return False
    ticket |= waiting["dates"]
    ticket["_native"] = None
    return True
