"""Freshdesk's ticket fields: the default ones, the ready-made ones, and what values they take."""

import re
import threading
from collections.abc import Mapping
from datetime import date
from typing import Any

from sandbox.clock import Clock
from sandbox.freshdesk.errors import Flaw, flawed
from sandbox.state import Doc, Row, State

_FIRST_ID = 43_000_300_001
STATUSES = {
    2: "Open",
    3: "Pending",
    4: "Resolved",
    5: "Closed",
    6: "Waiting on Customer",
    7: "Waiting on Third Party",
}
PRIORITIES = {1: "Low", 2: "Medium", 3: "High", 4: "Urgent"}
SOURCES = {
    1: "Email", 2: "Portal", 3: "Phone", 7: "Chat", 9: "Feedback Widget", 10: "Outbound Email",
    15: "Web Chat",
}  # fmt: skip
TYPES = ("Question", "Incident", "Problem", "Feature Request", "Task")
_STATES = ("breached", "overdue", "at_risk", "paused", "running", "not_started", "met", "cancelled")
READY_MADE: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("SLA first response due on", "custom_date", ()),
    ("SLA first response due at", "custom_text", ()),
    ("SLA next update due on", "custom_date", ()),
    ("SLA next update due at", "custom_text", ()),
    ("SLA resolution due on", "custom_date", ()),
    ("SLA resolution due at", "custom_text", ()),
    ("SLA state", "custom_dropdown", tuple(f"sla_f_state_{state}" for state in _STATES)),
    ("SLA severity", "custom_text", ()),
    ("SLA tier", "custom_dropdown", tuple(f"sla_f_tier_{number}" for number in (1, 2, 3))),
    ("SLA explanation", "custom_text", ()),
    ("Product area", "custom_dropdown", ("Invoicing", "Sign-in", "Reports", "Mobile app")),
    ("Affected users", "custom_number", ()),
)
_DEFAULTS: tuple[tuple[str, str, str, Any], ...] = (
    ("requester", "Search a requester", "default_requester", None),
    ("subject", "Subject", "default_subject", None),
    ("ticket_type", "Type", "default_ticket_type", list(TYPES)),
    ("source", "Source", "default_source", {label: key for key, label in SOURCES.items()}),
    ("status", "Status", "default_status", {str(k): [v, v] for k, v in STATUSES.items()}),
    ("priority", "Priority", "default_priority", {v: k for k, v in PRIORITIES.items()}),
    ("group", "Group", "default_group", {}),
    ("agent", "Agent", "default_agent", {}),
    ("description", "Description", "default_description", None),
)
_CREATABLE = {
    "custom_text", "custom_paragraph", "custom_number", "custom_decimal", "custom_date",
    "custom_checkbox", "custom_dropdown",
}  # fmt: skip


class FieldBook:
    """All ticket fields of the account, kept at hand."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._lock = threading.RLock()
        self.all: dict[int, Doc] = {int(d["id"]): d for d in state.all("ticket_field")}

    def make_standard(self) -> None:
        """Create the default fields and the ready-made ones in a new account."""
        for name, label, kind, choices in _DEFAULTS:
            self._store(self._document(name, label, kind, choices, default=True))
        for label, kind, options in READY_MADE:
            wanted = {"label": label, "type": kind, "customers_can_edit": False}
            self.create(wanted | ({"choices": list(options)} if options else {}))

    def create(self, wanted: Mapping[str, Any]) -> Doc:
        """Create a custom field with a generated name. Raises FreshdeskError for a wrong one."""
        flaws = _creation_flaws(wanted)
        if flaws:
            raise flawed(flaws)
        label, kind = str(wanted["label"]), str(wanted["type"])
        choices = _choice_values(wanted.get("choices"))
        name = self._free_name(label)
        return self._store(self._document(name, label, kind, choices, default=False))

    def update(self, field_id: int, wanted: Mapping[str, Any]) -> Doc:
        """Change a field's label or choices."""
        field = {**self.all[field_id], "updated_at": self._clock.stamp()}
        if "label" in wanted:
            field["label"] = str(wanted["label"])
        if "choices" in wanted:
            field["choices"] = _choice_values(wanted["choices"])
        return self._store(field)

    def remove(self, field_id: int) -> None:
        """Delete a custom field."""
        with self._lock:
            self._state.remove("ticket_field", field_id)
            self.all.pop(field_id, None)

    def custom(self) -> list[Doc]:
        """The custom fields, oldest first."""
        return [field for field in self.all.values() if not field["default"]]

    def flaws_of(self, values: Mapping[str, Any]) -> list[Flaw]:
        """What is wrong with custom field values."""
        known = {field["name"]: field for field in self.custom()}
        flaws = []
        for name, value in values.items():
            if name not in known:
                text = "Unexpected/invalid field in request"
                flaws.append(Flaw(field=name, message=text, code="invalid_field"))
            elif value is not None and value != "":
                flaws += _value_flaws(known[name], value)
        return flaws

    def _free_name(self, label: str) -> str:
        base = "cf_" + re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")
        taken = {field["name"] for field in self.all.values()}
        number, name = 297457, base
        while name in taken:
            number, name = number + 1, f"{base}{number}"
        return name

    def _document(self, name: str, label: str, kind: str, choices: Any, *, default: bool) -> Doc:
        at = self._clock.stamp()
        doc: Doc = {
            "id": self._state.next_id("ticket_field", start=_FIRST_ID), "name": name,
            "label": label, "description": "", "position": len(self.all) + 1,
            "required_for_closure": False, "required_for_agents": False, "type": kind,
            "default": default, "customers_can_edit": False, "label_for_customers": label,
            "required_for_customers": False, "displayed_to_customers": False,
            "created_at": at, "updated_at": at,
        }  # fmt: skip
        return doc if choices is None else doc | {"choices": choices}

    def _store(self, doc: Doc) -> Doc:
        with self._lock:
            self._state.put(Row(kind="ticket_field", id=doc["id"], doc=doc))
            self.all[doc["id"]] = doc
        return doc


def _creation_flaws(wanted: Mapping[str, Any]) -> list[Flaw]:
    text = "It should not be blank as this is a mandatory field"
    flaws = [
        Flaw(field=name, message=text, code="missing_field")
        for name in ("label", "type")
        if not wanted.get(name)
    ]
    if "customers_can_edit" not in wanted:
        flaws.append(Flaw(field="customers_can_edit", message=text, code="missing_field"))
    if wanted.get("type") and wanted["type"] not in _CREATABLE:
        values = ",".join(sorted(_CREATABLE))
        flaws.append(Flaw(field="type", message=f"It should be one of these values: '{values}'"))
    return flaws


def _choice_values(choices: Any) -> list[str] | None:
    if choices is None:
        return None
    return [str(c.get("value", c.get("label"))) if isinstance(c, dict) else str(c) for c in choices]


def _value_flaws(field: Doc, value: Any) -> list[Flaw]:
    name = f"custom_fields.{field['name']}"
    match field["type"]:
        case "custom_date":
            return [] if _is_date(value) else [_date_flaw(name)]
        case "custom_dropdown":
            return [] if value in field["choices"] else [_choice_flaw(name, field["choices"])]
        case "custom_number":
            return [] if _is(value, int) else [_type_flaw(name, "Positive Integer")]
        case "custom_decimal":
            return [] if _is(value, int, float) else [_type_flaw(name, "Number")]
        case "custom_checkbox":
            return [] if isinstance(value, bool) else [_type_flaw(name, "Boolean")]
    return [] if isinstance(value, str) else [_type_flaw(name, "String")]


def _is(value: Any, *kinds: type) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


def _is_date(value: Any) -> bool:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _date_flaw(name: str) -> Flaw:
    return Flaw(field=name, message="It should be in the 'YYYY-MM-DD' format")


def _type_flaw(name: str, wanted: str) -> Flaw:
    return Flaw(field=name, message=f"It should be a/an {wanted}", code="datatype_mismatch")


def _choice_flaw(name: str, choices: list[str]) -> Flaw:
    values = ",".join(choices)
    return Flaw(field=name, message=f"It should be one of these values: '{values}'")
