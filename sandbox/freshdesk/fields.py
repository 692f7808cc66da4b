"""Freshdesk's ticket fields: the default ones, the ready-made ones, and what values they take."""

import re
import threading
from collections.abc import Mapping
from typing import Any

from sandbox.clock import Clock
from sandbox.freshdesk.errors import BLANK, Flaw, flawed
from sandbox.freshdesk.field_values import value_flaws
from sandbox.freshdesk.kinds import ID, LIST, TEXT, TRUTH, kind_flaws, mismatch
from sandbox.freshdesk.switches import Switches
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
    "custom_checkbox", "custom_dropdown", "nested_field",
}  # fmt: skip
_FLAGS = (
    "required_for_agents", "required_for_closure", "required_for_customers",
    "displayed_to_customers", "customers_can_edit", "label_for_customers", "position",
)  # fmt: skip
_KINDS = {
    "label": TEXT, "type": TEXT, "required_for_agents": TRUTH, "required_for_closure": TRUTH,
    "required_for_customers": TRUTH, "displayed_to_customers": TRUTH, "customers_can_edit": TRUTH,
    "label_for_customers": TEXT, "position": ID, "choices": LIST, "dependent_fields": LIST,
}  # fmt: skip
_WITH_CHOICES = ("custom_dropdown", "nested_field", "default_status", "default_ticket_type")
_DEEPEST = 3  # levels of a nested field
_SUFFIX = 297457  # of a generated name
_UNKNOWN = "Unexpected/invalid field in request"
# Names of default fields -> the keys of a ticket that hold them.
_HELD_IN = {"ticket_type": "type", "group": "group_id", "agent": "responder_id"}


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

    def create(self, wanted: Mapping[str, Any], naming: str = "cf") -> Doc:
        """Create a custom field with a generated name. Raises FreshdeskError for a wrong one.

        `naming` is that of `Switches.field_names`.
        """
        flaws = _shape_flaws(wanted) or _creation_flaws(wanted)
        if flaws:
            raise flawed(flaws)
        label, kind = str(wanted["label"]), str(wanted["type"])
        choices = _choice_values(wanted.get("choices"), kind)
        name = self._free_name(label, naming)
        doc = self._document(name, label, kind, choices, default=False)
        return self._store(doc | _flags(wanted) | self._dependents(wanted, naming))

    def update(self, field_id: int, wanted: Mapping[str, Any]) -> Doc:
        """Change a field's label, choices or what is required of it. Raises FreshdeskError 400."""
        flaws = _shape_flaws(wanted)
        if "choices" in wanted and self.all[field_id]["type"] not in _WITH_CHOICES:
            flaws.append(Flaw(field="choices", message=_UNKNOWN, code="invalid_field"))
        if flaws:
            raise flawed(flaws)
        field = {**self.all[field_id], **_flags(wanted), "updated_at": self._clock.stamp()}
        if "label" in wanted:
            field["label"] = str(wanted["label"])
        if "choices" in wanted:
            field["choices"] = (
                field["choices"] | _status_choices(wanted["choices"], field["choices"])
                if field["type"] == "default_status"
                else _choice_values(wanted["choices"] or [], field["type"])
            )
        return self._store(field)

    def find(self, name: str) -> Doc | None:
        """The custom field with this id, name or label, or None."""
        custom = (field for field in self.all.values() if not field["default"])
        return next((f for f in custom if name in (str(f["id"]), f["name"], f["label"])), None)

    def retype(self, field: Doc, kind: str) -> Doc:
        """Replace a custom field by one of the same name with another id and type."""
        if kind not in _CREATABLE:
            raise flawed([_kind_flaw()])
        self.remove(field["id"])
        choices = ["First"] if kind in ("custom_dropdown", "nested_field") else None
        values = _choice_values(choices, kind)
        doc = self._document(field["name"], field["label"], kind, values, default=False)
        return self._store(doc)

    def hide(self, field: Doc, hidden: bool) -> None:
        """Take a custom field out of the agents' reach, or give it back."""
        self._store({**field, "_hidden": hidden})

    def statuses(self) -> dict[int, str]:
        """The labels of the statuses by number."""
        field = next(f for f in self.all.values() if f["type"] == "default_status")
        return {int(number): str(labels[0]) for number, labels in field["choices"].items()}

    def types(self) -> list[str]:
        """The types that a ticket can have."""
        field = next(f for f in self.all.values() if f["type"] == "default_ticket_type")
        return list(field["choices"])

    def blanks(self, ticket: Mapping[str, Any], flag: str) -> list[Flaw]:
        """A flaw for each field with a flag such as `required_for_agents` that holds nothing."""
        flaws = []
        for field in self.all.values():
            if not field[flag]:
                continue
            name = str(_HELD_IN.get(field["name"], field["name"]))
            value = ticket.get(name) if field["default"] else ticket["custom_fields"].get(name)
            if value in (None, ""):
                shown = name if field["default"] else f"custom_fields.{name}"
                flaws.append(Flaw(field=shown, message=BLANK))
        return flaws

    def remove(self, field_id: int) -> None:
        """Delete a custom field."""
        with self._lock:
            self._state.remove("ticket_field", field_id)
            self.all.pop(field_id, None)

    def custom(self) -> list[Doc]:
        """The custom fields that can be reached, oldest first."""
        return [f for f in self.all.values() if not f["default"] and not f.get("_hidden")]

    def names(self) -> list[str]:
        """The keys of a ticket's `custom_fields`."""
        return [name for field in self.custom() for name in (field["name"], *_lower(field))]

    def flaws_of(self, values: Mapping[str, Any], switches: Switches) -> list[Flaw]:
        """What is wrong with custom field values."""
        known = {name: field for field in self.custom() for name in (field["name"], *_lower(field))}
        prefix = "custom_fields." if switches.custom_field_errors == "dotted" else ""
        hidden = {f["name"] for f in self.all.values() if f.get("_hidden")}
        flaws = []
        for name, value in values.items():
            if name in hidden:
                text = "You are not authorized to update this field"
                flaws.append(Flaw(field=prefix + name, message=text, code="inaccessible_field"))
            elif name not in known:
                flaws.append(Flaw(field=name, message=_UNKNOWN, code="invalid_field"))
            elif value is not None and value != "":
                flaws += value_flaws(prefix + name, known[name], value)
        return flaws

    def _free_name(self, label: str, naming: str) -> str:
        plain = re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")
        base = plain if naming == "bare" else f"cf_{plain}"
        taken = {name for field in self.all.values() for name in (field["name"], *_lower(field))}
        number, joint = _SUFFIX, "_" if naming == "suffix" else ""
        name = f"{base}{joint}{number}" if naming == "suffix" else base
        while name in taken:
            number += 1
            name = f"{base}{joint}{number}"
        return name

    def _dependents(self, wanted: Mapping[str, Any], naming: str) -> Doc:
        """The lower levels of a nested field, which have names of their own."""
        if wanted["type"] != "nested_field":
            return {}
        levels = wanted.get("dependent_fields") or []
        return {
            "nested_ticket_fields": [
                {
                    "name": self._free_name(str(one["label"]), naming), "label": str(one["label"]),
                    "level": int(one["level"]), "label_in_portal": str(one["label"]),
                    "id": self._state.next_id("ticket_field", start=_FIRST_ID),
                }
                for one in levels
            ]
        }  # fmt: skip

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


def shown_field(field: Doc, *, names: Mapping[str, Mapping[str, int]]) -> Doc:
    """A field as the API shows it; `names` holds the choices of the agent and the group field."""
    doc = {key: value for key, value in field.items() if not key.startswith("_")}
    return doc | {"choices": dict(names[doc["name"]])} if doc["name"] in names else doc


def _shape_flaws(wanted: Mapping[str, Any]) -> list[Flaw]:
    """What is of another kind than Freshdesk takes."""
    flaws = kind_flaws(wanted, _KINDS)
    if flaws:
        return flaws
    if "choices" in wanted and not _are_choices(wanted["choices"], _DEEPEST):
        flaws.append(mismatch("choices", "Array of choices"))
    below = wanted.get("dependent_fields") or []
    if not all(_is_level(one) for one in below):
        flaws.append(mismatch("dependent_fields", "Array of levels"))
    return flaws


def _are_choices(choices: Any, deepest: int) -> bool:
    if choices is None:
        return True
    return isinstance(choices, list) and all(_is_choice(one, deepest) for one in choices)


def _is_choice(choice: Any, deepest: int) -> bool:
    if isinstance(choice, str):
        return deepest > 0
    if deepest < 1 or not isinstance(choice, dict) or kind_flaws(choice, {"id": ID}):
        return False
    is_named = isinstance(choice.get("value", choice.get("label")), str)
    return is_named and _are_choices(choice.get("choices"), deepest - 1)


def _is_level(one: Any) -> bool:
    is_named = isinstance(one, dict) and isinstance(one.get("label"), str)
    return is_named and one.get("level") in (2, 3)


def _creation_flaws(wanted: Mapping[str, Any]) -> list[Flaw]:
    flaws = [
        Flaw(field=name, message=BLANK, code="missing_field")
        for name in ("label", "type")
        if not wanted.get(name)
    ]
    if "customers_can_edit" not in wanted:
        flaws.append(Flaw(field="customers_can_edit", message=BLANK, code="missing_field"))
    if wanted.get("displayed_to_customers") and not wanted.get("label_for_customers"):
        flaws.append(Flaw(field="label_for_customers", message=BLANK, code="missing_field"))
    if wanted.get("type") and wanted["type"] not in _CREATABLE:
        flaws.append(_kind_flaw())
    return flaws


def _kind_flaw() -> Flaw:
    values = ",".join(sorted(_CREATABLE))
    return Flaw(field="type", message=f"It should be one of these values: '{values}'")


def _flags(wanted: Mapping[str, Any]) -> Doc:
    return {name: wanted[name] for name in _FLAGS if name in wanted}


def _lower(field: Doc) -> list[str]:
    return [one["name"] for one in field.get("nested_ticket_fields", ())]


def _choice_values(choices: Any, kind: str) -> list[Any] | None:
    if choices is None:
        return None
    if kind == "nested_field":
        return [_branch(one) for one in choices]
    return [_choice_text(one) for one in choices]


def _choice_text(choice: Any) -> str:
    return str(choice.get("value", choice.get("label")) if isinstance(choice, dict) else choice)


def _branch(choice: Any) -> Doc:
    below = choice.get("choices") or [] if isinstance(choice, dict) else []
    return {"value": _choice_text(choice), "choices": [_branch(one) for one in below]}


def _status_choices(choices: Any, known: Doc) -> Doc:
    """Statuses from `[{"id": 8, "value": "On hold"}]`; one without an id is new."""
    found: Doc = {}
    for choice in choices or []:
        label = _choice_text(choice)
        told = choice if isinstance(choice, dict) else {}
        number = told.get("id") or max(map(int, known | found)) + 1
        found[str(number)] = [label, str(told.get("label_for_customers") or label)]
    return found
