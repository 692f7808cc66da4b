"""Checks the due dates that a request writes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.clock import iso
from sandbox.freshdesk.changes import CLOSED, RESOLVED
from sandbox.freshdesk.errors import BLANK, Flaw
from sandbox.freshdesk.switches import Switches
from sandbox.freshdesk.wire import read_instant
from sandbox.state import Doc

DUES = ("due_by", "fr_due_by")


@dataclass(frozen=True, kw_only=True, slots=True)
class DueChecker:
    """Reads the due dates of one request at one instant; `new` is for a creation."""

    now: datetime
    new: bool
    switches: Switches

    def values(self, body: Mapping[str, Any], ticket: Doc, flaws: list[Flaw]) -> Doc:
        """The dates to store; what is wrong with them is added to `flaws`."""
        given = {name: body[name] for name in DUES if name in body}
        if not given:
            return {}
        if self.switches.dues_together and len(given) < len(DUES):
            absent = next(name for name in DUES if name not in given)
            flaws.append(Flaw(field=absent, message=BLANK, code="missing_field"))
        state = self._in_this_state(body.get("status", ticket["status"]))
        if state != "accept":
            if state == "refuse":
                text = "It cannot be updated due to the current state of the ticket"
                flaws += [Flaw(field=n, message=text, code="incompatible_field") for n in given]
            return {}
        dues: Doc = {}
        for name, value in given.items():
            self._read(name, value, dues, flaws)
        flaws += [*self._early(ticket, dues), *_order_flaws(ticket, dues)]
        return dues

    def _in_this_state(self, status: Any) -> str:
        if status in (RESOLVED, CLOSED):
            return self.switches.due_when_resolved
        stands = status in self.switches.timer_off_statuses
        return self.switches.due_when_paused if stands else "accept"

    def _read(self, name: str, value: Any, dues: Doc, flaws: list[Flaw]) -> None:
        if value is None:
            if self.switches.due_null == "clear":
                dues[name] = None
            elif self.switches.due_null == "refuse":
                text = "It should be a/an DateTime"
                flaws.append(Flaw(field=name, message=text, code="datatype_mismatch"))
            return
        try:
            dues[name] = read_instant(value)
        except ValueError:
            text = "It should be in the 'combined date and time ISO8601' format"
            flaws.append(Flaw(field=name, message=text))

    def _early(self, ticket: Doc, dues: Mapping[str, Any]) -> list[Flaw]:
        must_come = self.new or self.switches.due_in_past == "refuse"
        least = iso(self.now) if must_come else ticket["created_at"]
        text = "It should not be in the past" if must_come else "It should be after the creation"
        return [
            Flaw(field=name, message=text)
            for name, value in dues.items()
            if value is not None and value < least
        ]


def _order_flaws(ticket: Doc, dues: Mapping[str, Any]) -> list[Flaw]:
    resolve = dues.get("due_by", ticket["due_by"])
    respond = dues.get("fr_due_by", ticket["fr_due_by"])
    if not (resolve and respond and resolve <= respond):
        return []
    field = "due_by" if "due_by" in dues else "fr_due_by"
    text = "The resolution due date must be later than the first response due date"
    return [Flaw(field=field, message=text)]
