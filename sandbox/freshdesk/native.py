"""Freshdesk's own due dates: set shortly after a change, unless somebody wrote others."""

import threading
from collections.abc import Callable
from typing import Any

from sandbox.clock import iso, parse_instant, wall_seconds
from sandbox.freshdesk.policies import Policies
from sandbox.freshdesk.switches import Switches
from sandbox.state import Doc

_DEPENDS_ON = {"priority", "type", "status", "group_id", "product_id", "company_id", "source"}


class Native:
    """The native engine. It keeps `_pauses`, `_frozen` and `_native` in the tickets."""

    def __init__(self, policies: Policies, switches: Callable[[], Switches]) -> None:
        self._policies = policies
        self._switches = switches
        self._lock = threading.Lock()
        self._waiting: dict[int, float] = {}

    def dates(self, ticket: Doc) -> Doc:
        """The dates that the native policy gives a ticket."""
        pauses = [
            (parse_instant(start), parse_instant(end)) for start, end in ticket.get("_pauses", ())
        ]
        return {name: iso(at) for name, at in self._policies.dates(ticket, pauses).items()}

    def plan(self, ticket: Doc, changed: set[str], written: set[str], *, at: str) -> None:
        """After a change at `at`: remember which dates will be set, and from when on."""
        switches = self._switches()
        settle(ticket)
        self.note_pause(ticket, at)
        frozen = set(ticket["_frozen"]) | written
        ticket["_frozen"] = sorted(frozen)
        if not switches.native_overwrites:
            _drop_waiting(ticket, frozen)
        moved = changed & _DEPENDS_ON or ticket["due_by"] is None or switches.engine == "new"
        if not moved:
            return
        kept = set() if switches.native_overwrites else frozen
        dates = {name: at for name, at in self.dates(ticket).items() if name not in kept}
        fresh = {name: at for name, at in dates.items() if ticket[name] != at}
        if fresh:
            start = wall_seconds() + switches.native_seconds
            ticket["_native"] = {"from": start, "dates": fresh}
            with self._lock:
                self._waiting[ticket["id"]] = start

    def note_pause(self, ticket: Doc, at: str) -> None:
        """Let the clock stand or run on, as the status has it."""
        stands = ticket["status"] in self._switches().timer_off_statuses
        since = ticket.get("_paused_since")
        if stands and since is None:
            ticket["_paused_since"] = at
        elif not stands and since is not None:
            ticket["_paused_since"] = None
            ticket["_pauses"] = [*ticket.get("_pauses", ()), [since, at]]

    def set_at_once(self, ticket: Doc) -> None:
        """Give a ticket with a past its native dates without waiting."""
        ticket |= self.dates(ticket)

    def due_now(self) -> list[int]:
        """The tickets whose dates are to be set by now; each is named once."""
        now = wall_seconds()
        with self._lock:
            found = [key for key, start in self._waiting.items() if start <= now]
            for key in found:
                del self._waiting[key]
        return found


def settle(ticket: Doc) -> bool:
    """Take over native dates whose time has come; tells whether there were any."""
    waiting: dict[str, Any] | None = ticket["_native"]
    if waiting is None or waiting["from"] > wall_seconds():
        return False
    ticket |= waiting["dates"]
    ticket["_native"] = None
    return True


def _drop_waiting(ticket: Doc, frozen: set[str]) -> None:
    """A date that somebody wrote is not replaced by one that was on its way."""
    waiting = ticket["_native"]
    if waiting is None:
        return
    dates = {name: at for name, at in waiting["dates"].items() if name not in frozen}
    ticket["_native"] = {**waiting, "dates": dates} if dates else None
