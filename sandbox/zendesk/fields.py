"""Zendesk's ticket fields: the system fields, the ready-made ones, and what values they take."""

import re
import threading
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from sandbox.bodies import object_id
from sandbox.clock import Clock
from sandbox.state import Doc, Row, State
from sandbox.zendesk.errors import invalid

_FIRST_ID = 900_300_000_001
_FIRST_OPTION_ID = 900_310_000_001
_OPTION_TYPES = ("tagger", "multiselect")
_CREATABLE = {
    "text", "textarea", "checkbox", "date", "integer", "decimal", "regexp",
    "partialcreditcard", "multiselect", "tagger", "lookup",
}  # fmt: skip
_SYSTEM = (
    ("subject", "Subject"), ("description", "Description"), ("status", "Status"),
    ("tickettype", "Type"), ("priority", "Priority"), ("group", "Group"),
    ("assignee", "Assignee"), ("custom_status", "Ticket status"),
)  # fmt: skip
_STATES = {
    "Breached": "sla_f_state_breached",
    "Overdue": "sla_f_state_overdue",
    "At risk": "sla_f_state_at_risk",
    "Paused": "sla_f_state_paused",
    "Running": "sla_f_state_running",
    "Not started": "sla_f_state_not_started",
    "Met": "sla_f_state_met",
    "Cancelled": "sla_f_state_cancelled",
}
_TIERS = {f"Tier {number}": f"sla_f_tier_{number}" for number in (1, 2, 3)}
_AREAS = {
    "Invoicing": "area_invoicing",
    "Sign-in": "area_sign_in",
    "Reports": "area_reports",
    "Mobile app": "area_mobile_app",
    "Other": "area_other",
}
READY_MADE: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    ("SLA first response due on", "date", {}),
    ("SLA first response due at", "text", {}),
    ("SLA next update due on", "date", {}),
    ("SLA next update due at", "text", {}),
    ("SLA resolution due on", "date", {}),
    ("SLA resolution due at", "text", {}),
    ("SLA state", "tagger", _STATES),
    ("SLA severity", "text", {}),
    ("SLA tier", "tagger", _TIERS),
    ("SLA explanation", "text", {}),
    ("Product area", "tagger", _AREAS),
    ("Affected users", "integer", {}),
)
IGNORED = object()


class FieldBook:
    """All ticket fields of the account, kept at hand; the file stays the truth."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._lock = threading.RLock()
        self.by_id: dict[int, Doc] = {int(doc["id"]): doc for doc in state.all("ticket_field")}
        self._index()

    def make_standard(self) -> None:
        """Create the system fields and the ready-made ones in a new account."""
        for kind, title in _SYSTEM:
            self._store(self._document({"type": kind, "title": title}, removable=False))
        for title, kind, options in READY_MADE:
            choices = [{"name": name, "value": value} for name, value in options.items()]
            self.create({"type": kind, "title": title, "custom_field_options": choices})

    def create(self, wanted: Mapping[str, Any]) -> Doc:
        """Create a custom field. Raises ZendeskError when title, type or options do not fit."""
        if not str(wanted.get("title") or "").strip():
            raise invalid("title", "Title: cannot be blank")
        if str(wanted.get("type")) not in _CREATABLE:
            raise invalid("type", f"Type: {wanted.get('type')} is not a valid field type")
        if wanted["type"] in _OPTION_TYPES and not wanted.get("custom_field_options"):
            raise invalid("custom_field_options", "Options: cannot be blank")
        return self._store(self._document(wanted, removable=True))

    def update(self, field_id: int, wanted: Mapping[str, Any]) -> Doc:
        """Change a field; a list of options replaces the old one."""
        field = dict(self.by_id[field_id])
        field |= {name: read(wanted[name]) for name, read in _CHANGEABLE.items() if name in wanted}
        if "custom_field_options" in wanted:
            field["custom_field_options"] = self._options(wanted["custom_field_options"])
        field["updated_at"] = self._clock.stamp()
        return self._store(field)

    def put_option(self, field_id: int, wanted: Mapping[str, Any]) -> tuple[Doc, bool]:
        """Add an option, or rename the one with the same id or value; tells whether it is new."""
        options = [dict(o) for o in self.by_id[field_id].get("custom_field_options") or []]
        for option in options:
            if wanted.get("id") == option["id"] or wanted.get("value") == option["value"]:
                option |= {key: str(wanted[key]) for key in ("name", "value") if key in wanted}
                option["raw_name"] = option["name"]
                self.update(field_id, {"custom_field_options": options})
                return option, False
        self.update(field_id, {"custom_field_options": [*options, wanted]})
        return self.by_id[field_id]["custom_field_options"][-1], True

    def remove(self, field_id: int) -> None:
        """Delete a custom field. Raises ZendeskError 422 for one of the system's."""
        if not self.by_id[field_id]["removable"]:
            raise invalid("base", "System ticket fields cannot be deleted")
        with self._lock:
            self._state.remove("ticket_field", field_id)
            self.by_id.pop(field_id, None)
            self._index()

    def custom(self) -> list[Doc]:
        """The custom fields, oldest first."""
        return self._custom

    def by_title(self, title: str) -> Doc | None:
        """The custom field with a title."""
        return next((field for field in self._custom if field["title"] == title), None)

    def options_of(self, field_id: int) -> set[str]:
        """The option tags of a drop-down or multi-select field."""
        return self._options_by_field.get(field_id, set())

    def owner_of(self, tag: str) -> Doc | None:
        """The drop-down whose option a tag is."""
        return self._owner_by_tag.get(tag)

    def accept(self, field: Doc, value: Any) -> Any:
        """The value as it is stored, or IGNORED for an unknown option.

        Raises ZendeskError for a value that the field's type does not take.
        """
        if value is None or value == "" or value == []:
            return False if field["type"] == "checkbox" else None
        return _ACCEPT.get(field["type"], _text)(self, field, value)

    def _document(self, wanted: Mapping[str, Any], *, removable: bool) -> Doc:
        title, at = str(wanted["title"]).strip(), self._clock.stamp()
        doc: Doc = {
            "id": self._state.next_id("ticket_field", start=_FIRST_ID),
            "type": wanted["type"], "title": title, "raw_title": title,
            "description": _told(wanted.get("description")) or "",
            "raw_description": _told(wanted.get("description")) or "",
            "position": len(self.by_id) + 1, "active": bool(wanted.get("active", True)),
            "required": bool(wanted.get("required", False)), "collapsed_for_agents": False,
            "regexp_for_validation": _told(wanted.get("regexp_for_validation")),
            "title_in_portal": title, "raw_title_in_portal": title,
            "visible_in_portal": bool(wanted.get("visible_in_portal", False)),
            "editable_in_portal": bool(wanted.get("editable_in_portal", False)),
            "required_in_portal": False, "tag": _told(wanted.get("tag")),
            "created_at": at, "updated_at": at, "removable": removable, "key": None,
            "agent_description": _told(wanted.get("agent_description")), "agent_can_edit": True,
        }  # fmt: skip
        if wanted["type"] in _OPTION_TYPES:
            doc["custom_field_options"] = self._options(wanted["custom_field_options"])
        return doc

    def _options(self, wanted: Any) -> list[Doc]:
        usable = isinstance(wanted, list) and all(
            isinstance(option, Mapping) and {"name", "value"} <= set(option) for option in wanted
        )
        if not usable:
            raise invalid("custom_field_options", "Options: each needs a name and a value")
        return [
            {
                "id": object_id(option.get("id"))
                or self._state.next_id("ticket_field_option", start=_FIRST_OPTION_ID),
                "name": str(option["name"]),
                "raw_name": str(option["name"]),
                "value": str(option["value"]).lower(),
                "default": bool(option.get("default", False)),
            }
            for option in wanted
        ]

    def _store(self, doc: Doc) -> Doc:
        with self._lock, self._state.writing():
            self._state.put(Row(kind="ticket_field", id=doc["id"], doc=doc))
            self.by_id[doc["id"]] = doc
            self._index()
        return doc

    def _index(self) -> None:
        custom = [field for field in self.by_id.values() if field["removable"]]
        self._options_by_field = {
            field["id"]: {option["value"] for option in field["custom_field_options"]}
            for field in custom
            if field["type"] in _OPTION_TYPES
        }
        self._owner_by_tag = {
            option["value"]: field
            for field in custom
            if field["type"] == "tagger"
            for option in field["custom_field_options"]
        }
        self._custom = custom
        #: each custom field's id, the same as text, and what it holds when it holds nothing
        self.empty = [
            (f["id"], str(f["id"]), False if f["type"] == "checkbox" else None) for f in custom
        ]


def _told(value: Any) -> str | None:
    return None if value is None else str(value)


def _text(_book: FieldBook, _field: Doc, value: Any) -> Any:
    return value if isinstance(value, str) else str(value)


def _date(_book: FieldBook, field: Doc, value: Any) -> Any:
    text = str(value)
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise invalid("base", f"{field['title']}: {value} is not a valid date")
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise invalid("base", f"{field['title']}: {value} is not a valid date") from error


def _integer(_book: FieldBook, field: Doc, value: Any) -> Any:
    if not re.fullmatch(r"-?[0-9]{1,300}", str(value)):
        raise invalid("base", f"{field['title']}: {value} is not an integer")
    return str(value)


def _decimal(_book: FieldBook, field: Doc, value: Any) -> Any:
    if not re.fullmatch(r"-?[0-9]{1,300}(\.[0-9]+)?", str(value)):
        raise invalid("base", f"{field['title']}: {value} is not a number")
    return str(value)


def _checkbox(_book: FieldBook, _field: Doc, value: Any) -> Any:
    return value in (True, "true", "1", 1)


def _option(book: FieldBook, field: Doc, value: Any) -> Any:
    known = isinstance(value, str) and value in book.options_of(field["id"])
    return value if known else IGNORED


def _selected_options(book: FieldBook, field: Doc, value: Any) -> Any:
    known = book.options_of(field["id"])
    if not isinstance(value, list):
        return IGNORED
    return [one for one in value if isinstance(one, str) and one in known]


def _regexp(_book: FieldBook, field: Doc, value: Any) -> Any:
    pattern = _as_python(field["regexp_for_validation"] or "")
    try:
        fits = re.search(pattern, str(value)) is not None
    except (re.error, OverflowError, RecursionError):
        fits = True  # Ruby knows more than Python does
    if not fits:
        raise invalid("base", f"{field['title']}: {value} is invalid")
    return str(value)


def _as_python(ruby: str) -> str:
    """A Ruby pattern, as far as Python writes the same otherwise."""
    return re.sub(r"\\(.)", lambda found: _RUBY.get(found[1], found[0]), ruby, flags=re.DOTALL)


_RUBY = {"z": r"\Z", "Z": r"(?=\n?\Z)", "h": "[0-9a-fA-F]"}


def _card(_book: FieldBook, _field: Doc, value: Any) -> Any:
    return re.sub(r"[^0-9]", "", str(value))[-4:] or None


_ACCEPT = {
    "date": _date,
    "integer": _integer,
    "decimal": _decimal,
    "checkbox": _checkbox,
    "tagger": _option,
    "multiselect": _selected_options,
    "regexp": _regexp,
    "partialcreditcard": _card,
}
_CHANGEABLE: Mapping[str, Callable[[Any], Any]] = {
    "title": str, "description": _told, "active": bool, "tag": _told, "required": bool,
    "agent_description": _told, "position": lambda value: object_id(value) or 0,
}  # fmt: skip
