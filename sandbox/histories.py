"""Ticket histories in words that both local helpdesks understand: for seeding and for replay."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError


class Actor(StrEnum):
    """Who does something."""

    AGENT = "agent"
    CUSTOMER = "customer"


class EventKind(StrEnum):
    """What can happen to a ticket in a history."""

    CREATED = "created"
    COMMENT = "comment"
    STATUS = "status"
    PRIORITY = "priority"
    TYPE = "type"
    TAGS = "tags"
    SUBJECT = "subject"
    DELETED = "deleted"


class HistoryError(ValueError):
    """A document that holds no usable histories; the text says where and why."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Person(_Model):
    """A requester: the name, and an e-mail address (made from the name when absent)."""

    name: str
    email: str | None = None
    locale: str = "en-GB"


class Event(_Model):
    """One thing that happened at an instant. `value` is the text, the new status, and so on."""

    at: AwareDatetime
    kind: EventKind
    by: Actor = Actor.AGENT
    public: bool = True
    author: str | None = None
    value: Any = None


class History(_Model):
    """A ticket and everything that happened to it, oldest first."""

    external_id: str | None = None
    subject: str = Field(min_length=1)
    description: str | None = None
    requester: str | Person = "Sam Customer"
    organization: str | None = None
    channel: str = "email"
    priority: str | int | None = None
    type: str | None = None
    tags: tuple[str, ...] = ()
    events: tuple[Event, ...] = Field(min_length=1)

    @property
    def person(self) -> Person:
        """The requester with name and, if known, address."""
        if isinstance(self.requester, Person):
            return self.requester
        if "@" in self.requester:
            return Person(name=self.requester.split("@")[0], email=self.requester)
        return Person(name=self.requester)

    @property
    def opening(self) -> Event | None:
        """The event that tells how the ticket was created, if there is one."""
        first = self.events[0]
        return first if first.kind is EventKind.CREATED else None

    @property
    def created_at(self) -> datetime:
        """The instant of the first event."""
        return self.events[0].at

    @property
    def body(self) -> str:
        """The first message."""
        opening = self.opening
        return str(self.description or (opening and opening.value) or self.subject)

    @property
    def later(self) -> tuple[Event, ...]:
        """What happened after the creation."""
        return self.events[1:] if self.opening else self.events


_HISTORIES = TypeAdapter(list[History])


def parse_histories(document: Any) -> list[History]:
    """Read a JSON list of histories.

    Raises HistoryError naming the item and what is wrong with it.
    """
    try:
        histories = _HISTORIES.validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        message = f"at {place or 'the top'}: {first['msg']}"
        raise HistoryError(message) from error
    for index, history in enumerate(histories):
        instants = [event.at for event in history.events]
        if instants != sorted(instants):
            message = f"at {index}.events: events must stand in the order of their instants"
            raise HistoryError(message)
    return histories
