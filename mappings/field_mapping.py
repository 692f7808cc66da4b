"""Which of a helpdesk's fields and words mean which of ours, and where our answers are written."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from mappings.ticket import (
    CANCELLED,
    CLASS,
    PRIORITY,
    PROMISED_UPDATE,
    STATUS,
    WAITING,
    Cause,
    Channel,
    Remark,
    Status,
    TicketClass,
)
from mappings.written import instant, instant_in

FIELD_MISSING = "field_missing"  #: code of a remark: the helpdesk lacks a mapped field
REPORTED_AT = "reported_at"  #: an input that does more than fill a value of its own name
TAGS = "tags"  #: as the field of an input: the tags that its table names, among all of them
# Inputs that must hold an instant or a date; what is neither is remarked.
INSTANTS = frozenset(
    {PROMISED_UPDATE}
    | {f"{flag}_{end}" for flag in (*Cause, "suspended") for end in ("from", "to")}
)


class OutputType(StrEnum):
    """The form in which an answer is written (interfaces.md, "What stands in the ticket")."""

    DATE = "date"  #: the local date in the calendar's zone, YYYY-MM-DD
    INSTANT = "instant"  #: YYYY-MM-DDTHH:MM:SSZ, UTC, and nothing else
    OPTION = "option"  #: one option of a drop-down, beginning with `<prefix>f_`
    TEXT = "text"  #: one line of text


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """One of the helpdesk's own fields that fills one of our values."""

    #: the field's id, key or title on the helpdesk
    field: str
    #: the helpdesk's value -> ours; empty when the value is taken as it is
    values: Mapping[str, str] = dataclasses.field(default_factory=dict)
    #: the field is one of the customer's organization (company), not of the ticket
    of_organization: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """One field of the helpdesk that receives one of our answers."""

    #: the field's id, key or title on the helpdesk
    field: str
    type: OutputType


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldMapping:
    """One helpdesk's words and fields in ours. Keys are the vendor's words, in lower case."""

    helpdesk: str
    #: the vendor's priorities, the most severe first
    priorities: tuple[str, ...]
    #: vendor's status -> `Status`
    statuses: Mapping[str, str]
    #: vendor's status -> `Cause`
    waiting: Mapping[str, str]
    #: vendor's type -> `TicketClass`
    types: Mapping[str, str]
    #: tag -> `TicketClass`; a tag wins over the type, an earlier row over a later one
    class_tags: Mapping[str, str]
    #: vendor's channel or source -> `Channel`
    channels: Mapping[str, str]
    #: channels or sources of tickets that support itself opened
    outbound: frozenset[str]
    #: tag -> reason for which the ticket is cancelled
    cancelled_tags: Mapping[str, str]
    #: tags that begin so name the customer's plan
    plan_tag_prefix: str
    #: field of the organization that names the plan, when no tag does
    plan_field: str | None
    #: our name -> the helpdesk's field
    inputs: Mapping[str, Input]
    #: our name -> the helpdesk's field
    outputs: Mapping[str, Output]

    def inputs_of(self, *, organization: bool) -> dict[str, Input]:
        """The inputs that are fields of the customer's organization, or those of the ticket."""
        return {
            name: one for name, one in self.inputs.items() if one.of_organization is organization
        }


class Words:
    """Puts one ticket's vendor words into ours, and remembers those that the mapping lacks."""

    def __init__(self, mapping: FieldMapping) -> None:
        self._mapping = mapping
        self._unknown: dict[Remark, None] = {}

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """A line for each word that could not be put into ours, without repetition."""
        return tuple(self._unknown)

    def mapped(self, names: Iterable[str]) -> frozenset[str]:
        """Those of the inputs that the helpdesk has a field for, as far as is known."""
        missing = {remark.about for remark in self._unknown if remark.code == FIELD_MISSING}
        return frozenset(names) - missing - {REPORTED_AT}

    @property
    def plan_field(self) -> str | None:
        """Field of the organization that names the plan."""
        return self._mapping.plan_field

    def names_status(self, status: str | None) -> bool:
        """Whether the mapping says anything about a status."""
        known = word(status)
        return known in self._mapping.statuses or known in self._mapping.waiting

    def values(
        self,
        *,
        status: str | None,
        waiting: str | None,
        priority: str | None,
        kind: str | None,
        tags: Iterable[str],
        inputs: Mapping[str, Any],
    ) -> dict[str, str | None]:
        """All values of a ticket by the names of `mappings.ticket`, from the vendor's.

        `waiting` is the status as the waiting causes know it; `inputs` is by our names.
        """
        tags = frozenset(tag.lower() for tag in tags)
        values = {name: self.given(name, raw) for name, raw in inputs.items()}
        values.pop(REPORTED_AT, None)
        values[STATUS] = self.status(status)
        values[WAITING] = self.cause(waiting)
        values[PRIORITY] = self.priority(priority)
        values[CLASS] = self.ticket_class(kind, tags)
        values[CANCELLED] = next(
            (why for tag, why in self._mapping.cancelled_tags.items() if tag in tags), None
        )
        return values

    def status(self, status: str | None) -> str:
        """A `Status` value."""
        return self._look_up(self._mapping.statuses, status, "status") or Status.UNKNOWN.value

    def cause(self, status: str | None) -> str | None:
        """A `Cause` value; None when the ticket does not wait."""
        return self._mapping.waiting.get(word(status))

    def priority(self, priority: str | None) -> str | None:
        """The rank, "1" the most severe; None when the helpdesk says nothing."""
        ranks = {known: str(at) for at, known in enumerate(self._mapping.priorities, start=1)}
        return self._look_up(ranks, priority, "priority")

    def ticket_class(self, kind: str | None, tags: frozenset[str]) -> str:
        """A `TicketClass` value; a tag wins over the type."""
        tagged = (ours for tag, ours in self._mapping.class_tags.items() if tag in tags)
        typed = self._look_up(self._mapping.types, kind, "type") or TicketClass.OTHER.value
        return next(tagged, typed)

    def channel(self, channel: str | None) -> Channel:
        """How the ticket came in; `OTHER` when the mapping does not say."""
        return Channel(self._look_up(self._mapping.channels, channel, "channel") or Channel.OTHER)

    def is_outbound(self, channel: str | None) -> bool:
        """Whether support wrote first."""
        return word(channel) in self._mapping.outbound

    def plans(self, tags: Iterable[str], their_tags: Iterable[str], field: Any) -> tuple[str, ...]:
        """The customer's plans: by the ticket's tags, else the organization's, else its field."""
        prefix = self._mapping.plan_tag_prefix
        for names in (tags, their_tags):
            found = {tag[len(prefix) :].lower() for tag in names if _begins(tag, prefix)}
            if found:
                return tuple(sorted(found))
        text = plain(field) or ""
        return tuple(dict.fromkeys(word(part) for part in text.split(",") if part.strip()))

    def given(self, name: str, raw: Any) -> str | None:
        """The value of a mapped input; a part that its table does not name is left out."""
        table = self._mapping.inputs[name].values
        text = plain(raw)
        if name in INSTANTS and text is not None and instant_in(text, UTC) is None:
            self.remark("unknown_value", name, text)
        if not table or text is None:
            return text
        parts = raw if isinstance(raw, list) else [text]
        if self._mapping.inputs[name].field == TAGS:  # the other tags are none of its business
            theirs = {word(plain(part)) for part in parts}
            # in the order of the table: that of the tags may differ from read to read
            found: list[str | None] = [ours for tag, ours in table.items() if tag in theirs]
        else:
            found = [self._look_up(table, plain(part), name) for part in parts]
        return ",".join(dict.fromkeys(part for part in found if part)) or None

    def reported_at(self, created_at: datetime, raw: Any) -> datetime:
        """The mapped instant of the report, where it is earlier than the ticket."""
        text = plain(raw)
        if text is None:
            return created_at
        reported = instant(text)
        if reported is None:
            self.remark("unknown_value", REPORTED_AT, text)
            return created_at
        return min(reported, created_at)

    def missing(self, name: str, field: str) -> None:
        """Add the line that the helpdesk has no such field for an input."""
        self.remark(FIELD_MISSING, name, field)

    def remark(self, code: str, about: str, value: str) -> None:
        """Add a line."""
        self._unknown[Remark(code=code, about=about, value=value)] = None

    def _look_up(self, table: Mapping[str, str], theirs: str | None, about: str) -> str | None:
        if not theirs:
            return None
        found = table.get(word(theirs))
        if found is None:
            self.remark("unknown_value", about, theirs)
        return found


def word(theirs: str | None) -> str:
    """A vendor's word as the keys of a mapping are written."""
    return (theirs or "").strip().lower()


def _begins(tag: str, prefix: str) -> bool:
    return bool(prefix) and tag.lower().startswith(prefix) and len(tag) > len(prefix)


def plain(raw: Any) -> str | None:
    """A field's JSON value as text; None when it is empty. A ticked box is "true"."""
    if raw is None or raw is False or raw == "":
        return None
    if raw is True:
        return "true"
    if isinstance(raw, list):
        return ",".join(text for text in map(plain, raw) if text) or None
    if isinstance(raw, float) and raw.is_integer():
        return str(int(raw))
    return None if isinstance(raw, dict) else str(raw).strip() or None
