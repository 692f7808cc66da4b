"""Freshdesk's groups of agents, and the roles that agents have."""

import threading
from collections.abc import Mapping
from typing import Any

from sandbox.clock import Clock
from sandbox.freshdesk.errors import BLANK, Flaw, duplicate, flawed
from sandbox.freshdesk.kinds import ANY, ID, LIST, TEXT
from sandbox.state import Doc, Row, State

_FIRST_GROUP = 43_000_600_001
_FIRST_ROLE = 43_000_500_001
_GROUPS = ("Customer Support", "Escalations")
_ROLES = (
    ("Account Administrator", "Has complete control of the help desk."),
    ("Administrator", "Can configure all features of the help desk."),
    ("Agent", "Can log, view, reply, update and resolve tickets."),
)
ADMINISTRATOR = _FIRST_ROLE + 1
# What a request may set on a group, and of what kind it is.
GROUP = {
    "name": TEXT, "description": TEXT, "agent_ids": LIST, "escalate_to": ID,
    "unassigned_for": TEXT, "business_hour_id": ID, "auto_ticket_assign": ANY,
}  # fmt: skip


class Groups:
    """The account's groups; a new account has two."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._lock = threading.RLock()
        self.all: dict[int, Doc] = {int(d["id"]): d for d in state.all("group")}
        if not self.all:
            for name in _GROUPS:
                self.create({"name": name})
        at = clock.stamp()
        self.roles: dict[int, Doc] = {
            _FIRST_ROLE + place: {
                "id": _FIRST_ROLE + place, "name": name, "description": description,
                "default": True, "agent_type": 1, "created_at": at, "updated_at": at,
            }
            for place, (name, description) in enumerate(_ROLES)
        }  # fmt: skip

    def name_of(self, group_id: int | None) -> str:
        """A group's name, or nothing."""
        found = self.all.get(group_id or 0)
        return str(found["name"]) if found else ""

    def create(self, wanted: Mapping[str, Any]) -> Doc:
        """Create a group. Raises FreshdeskError 400 without a name, 409 for one that exists."""
        if not wanted.get("name"):
            raise flawed([Flaw(field="name", message=BLANK, code="missing_field")])
        at = self._clock.stamp()
        blank: Doc = {
            "id": self._state.next_id("group", start=_FIRST_GROUP), "name": "",
            "description": None, "business_hour_id": None, "escalate_to": None,
            "unassigned_for": None, "agent_ids": [], "auto_ticket_assign": 0,
            "group_type": "support_agent_group", "created_at": at, "updated_at": at,
        }  # fmt: skip
        return self._put(blank, wanted)

    def update(self, group_id: int, wanted: Mapping[str, Any]) -> Doc:
        """Change a group."""
        return self._put(self.all[group_id] | {"updated_at": self._clock.stamp()}, wanted)

    def remove(self, group_id: int) -> None:
        """Delete a group."""
        with self._lock:
            self._state.remove("group", group_id)
            self.all.pop(group_id, None)

    def _put(self, doc: Doc, wanted: Mapping[str, Any]) -> Doc:
        changed = doc | {name: wanted[name] for name in GROUP if name in wanted}
        with self._lock:
            for other in self.all.values():
                if other["name"] == changed["name"] and other["id"] != changed["id"]:
                    raise duplicate("name")
            self._state.put(Row(kind="group", id=changed["id"], doc=changed))
            self.all[changed["id"]] = changed
        return changed
