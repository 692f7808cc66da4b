"""What one update does to a Zendesk ticket: its values, tags, drop-downs, status and metrics."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.bodies import object_id
from sandbox.clock import iso, parse_instant
from sandbox.state import Doc
from sandbox.zendesk import metrics
from sandbox.zendesk.errors import ZendeskError, invalid
from sandbox.zendesk.fields import IGNORED, FieldBook
from sandbox.zendesk.forms import Form
from sandbox.zendesk.people import category_of, default_status_id
from sandbox.zendesk.switches import Switches

STATUSES = ("new", "open", "pending", "hold", "solved", "closed")
PRIORITIES = ("low", "normal", "high", "urgent")
TYPES = ("problem", "incident", "question", "task")
_WATCHED = (
    "subject", "type", "priority", "status", "custom_status_id", "assignee_id", "group_id",
    "requester_id", "organization_id", "external_id", "problem_id", "due_at",
)  # fmt: skip
_WORDS = {"status": STATUSES, "priority": PRIORITIES, "type": TYPES}
_REOPENED_BY_CUSTOMER = ("pending", "hold", "solved")


@dataclass(frozen=True, kw_only=True, slots=True)
class NewComment:
    """A comment to add; `by_agent` tells which side its author is on."""

    body: str
    html_body: str | None
    public: bool
    author_id: int
    by_agent: bool
    #: the note of a phone conversation
    voice: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Update:
    """What an update asks for. `tags` replaces the list; `custom` is by field id."""

    values: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[str] | None = None
    add_tags: Sequence[str] = ()
    remove_tags: Sequence[str] = ()
    custom: Mapping[int, Any] = field(default_factory=dict)
    comment: NewComment | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def only_tag_lists(self) -> bool:
        """Whether it touches nothing but tags, by adding and removing (closed tickets allow it)."""
        return not self.values and self.tags is None and not self.custom and self.comment is None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What decides which values are taken: the account's fields, its form, the switches."""

    fields: FieldBook
    form: Form
    switches: Switches


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldChange:
    """One value that moved; custom fields go by their id as text."""

    name: str
    previous: Any
    value: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """What an update really did."""

    changes: Sequence[FieldChange]
    comment: NewComment | None

    @property
    def made_event(self) -> bool:
        """Whether anything happened that leaves an audit."""
        return bool(self.changes) or self.comment is not None


def tag_words(value: Any) -> list[str]:
    """Tags as Zendesk stores them: lower case, split at spaces, without doubles, sorted.

    Raises ZendeskError for what is neither a text nor a list of texts.
    """
    several = [value] if isinstance(value, str) else value
    if not isinstance(several, Iterable) or isinstance(several, Mapping):
        raise invalid("tags", "Tags: a list is needed")
    parts = [word for one in several for word in str(one).split()]
    clean = (re.sub(r"[!@#$%^&*()=+\[\]{}<>?,;'\"`~|\\]", "", part.lower()) for part in parts)
    return sorted({part for part in clean if part})


def apply_update(ticket: Doc, update: Update, *, at: str, rules: Rules) -> Effect:
    """Change `ticket` in place. Raises ZendeskError when a value is refused."""
    before = _snapshot(ticket)
    _set_values(ticket, update.values, rules.switches)
    _set_tags_and_fields(ticket, update, rules)
    if update.comment is not None:
        _react_to_comment(ticket, update)
    _fit_status(ticket, before, update)
    if ticket["status"] == "solved" and before["status"] != "solved":
        _check_required(ticket, rules)
    changes = _differences(before, _snapshot(ticket))
    effect = Effect(changes=changes, comment=update.comment)
    if effect.made_event:
        _note(ticket, before, effect, at)
    return effect


def _set_values(ticket: Doc, values: Mapping[str, Any], switches: Switches) -> None:
    for name, value in values.items():
        if name in _WATCHED:
            ticket[name] = _accepted(ticket, name, value)
    if ticket["type"] != "task" and switches.due_at_without_task == "ignored":
        ticket["due_at"] = None
    if "subject" in values:
        ticket["raw_subject"] = ticket["subject"]


def _accepted(ticket: Doc, name: str, value: Any) -> Any:
    if name == "status" and (value is None or value == ""):
        return ticket["status"]
    if name in _WORDS:
        return _word(name, value)
    if name == "due_at" and value:
        try:
            return iso(parse_instant(str(value)))
        except ValueError as error:
            raise invalid("due_at", f"Due at: {value} is not a valid date") from error
    if name.endswith("_id") and name != "external_id":
        return _number(name, value)
    return _text(name, value)


def _text(name: str, value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, list | dict):
        raise invalid(name, f"{name}: is invalid")
    return str(value)


def _word(name: str, value: Any) -> str | None:
    if value is None or value == "":
        return None
    word = str(value).lower()
    if word not in _WORDS[name]:
        label = {"type": "Ticket type"}.get(name, name.capitalize())
        raise invalid(name, f"{label}: {value} is not recognized")
    return word


def _number(name: str, value: Any) -> int | None:
    if value is None or value == "":
        return None
    number = object_id(value)
    if number is None:
        raise invalid(name, f"{name}: {value} is invalid")
    return number


def _set_tags_and_fields(ticket: Doc, update: Update, rules: Rules) -> None:
    book = rules.fields
    old = set(ticket["tags"])
    tags = old if update.tags is None else set(tag_words(update.tags))
    tags = (tags | set(tag_words(update.add_tags))) - set(tag_words(update.remove_tags))
    values: dict[str, Any] = dict(ticket["_values"])
    if rules.switches.tags_move_fields:
        _follow_tags(values, added=tags - old, tags=tags, book=book)
    for field_id, wanted in update.custom.items():
        if rules.switches.off_form_fields == "accepted" or rules.form.holds(field_id):
            _set_field(values, tags, field_id, wanted, rules)
    ticket["tags"] = sorted(tags)
    ticket["_values"] = {key: value for key, value in values.items() if value is not None}


def _follow_tags(
    values: dict[str, Any], *, added: Iterable[str], tags: set[str], book: FieldBook
) -> None:
    for tag in sorted(added):
        owner = book.owner_of(tag)
        if owner is not None:
            tags.discard(str(values.get(str(owner["id"]))))
            values[str(owner["id"])] = tag
            tags.add(tag)
    for key, value in list(values.items()):
        options = book.options_of(int(key))
        if isinstance(value, list) and options:
            values[key] = [one for one in value if one in tags] or None
        elif value in options and value not in tags:
            values[key] = None


def _set_field(
    values: dict[str, Any], tags: set[str], field_id: int, wanted: Any, rules: Rules
) -> None:
    book = rules.fields
    definition = book.by_id.get(field_id)
    if definition is None or not definition["removable"]:
        return
    value = book.accept(definition, wanted)
    if value is IGNORED:
        return
    if isinstance(value, str) and len(value) > rules.switches.text_limit:
        most = rules.switches.text_limit
        raise invalid("base", f"{definition['title']}: is too long (maximum is {most} characters)")
    tags -= _tags_of(definition, values.get(str(field_id)))
    tags |= _tags_of(definition, value)
    values[str(field_id)] = value


def _tags_of(definition: Doc, value: Any) -> set[str]:
    if definition["type"] == "tagger" and value:
        return {value}
    if definition["type"] == "multiselect" and value:
        return set(value)
    if definition["type"] == "checkbox" and value and definition["tag"]:
        return {definition["tag"]}
    return set()


def _react_to_comment(ticket: Doc, update: Update) -> None:
    by_customer = update.comment is not None and not update.comment.by_agent
    if by_customer and "status" not in update.values and ticket["status"] in _REOPENED_BY_CUSTOMER:
        ticket["status"] = "open"


def _fit_status(ticket: Doc, before: Doc, update: Update) -> None:
    if update.values.get("custom_status_id") is not None:
        _take_custom_status(ticket, before)
        return
    newly_assigned = ticket["assignee_id"] is not None and before["assignee_id"] is None
    if ticket["status"] == "new" and newly_assigned and "status" not in update.values:
        ticket["status"] = "open"
    if ticket["status"] == "new" and before["status"] != "new":
        ticket["status"] = before["status"]
    if ticket["status"] != before["status"]:
        ticket["custom_status_id"] = default_status_id(ticket["status"])


def _take_custom_status(ticket: Doc, before: Doc) -> None:
    """The custom status is the precise one: its category goes before a `status` beside it."""
    category = category_of(ticket["custom_status_id"])
    if category is None:
        raise invalid("custom_status_id", "Custom status: is invalid")
    if category == "new" and before["status"] != "new":
        ticket |= {name: before[name] for name in ("status", "custom_status_id")}
        return
    ticket["status"] = category


def _check_required(ticket: Doc, rules: Rules) -> None:
    empty = [
        field
        for field in rules.fields.custom()
        if field["required"]
        and field["active"]
        and rules.form.holds(field["id"])
        and ticket["_values"].get(str(field["id"])) in (None, False, [])
    ]
    if not empty:
        return
    details = [
        {
            "description": f"{field['title']}: is required when solving a ticket",
            "error": None,
            "ticket_field_id": field["id"],
            "ticket_field_type": f"Field{field['type'].capitalize()}",
        }
        for field in empty
    ]
    text = "Record validation errors"
    body = {"error": "RecordInvalid", "description": text, "details": {"base": details}}
    raise ZendeskError(422, body)


def _snapshot(ticket: Doc) -> Doc:
    custom = {f"custom {key}": value for key, value in ticket["_values"].items()}
    return {name: ticket[name] for name in _WATCHED} | {"tags": list(ticket["tags"])} | custom


def _differences(before: Doc, after: Doc) -> list[FieldChange]:
    names = [*before, *(name for name in after if name not in before)]
    return [
        FieldChange(
            name=name.removeprefix("custom "), previous=before.get(name), value=after.get(name)
        )
        for name in names
        if before.get(name) != after.get(name)
    ]


def _note(ticket: Doc, before: Doc, effect: Effect, at: str) -> None:
    if effect.comment is not None:
        comment = effect.comment
        metrics.note_comment(ticket, public=comment.public, by_agent=comment.by_agent, at=at)
        ticket["is_public"] = ticket["is_public"] or comment.public
    if ticket["status"] != before["status"]:
        metrics.note_status(ticket, before["status"], at)
    if ticket["custom_status_id"] != before["custom_status_id"]:
        metrics.note_custom_status(ticket, at)
    if ticket["assignee_id"] != before["assignee_id"]:
        metrics.note_assignee(ticket, at)
    ticket["updated_at"] = at
