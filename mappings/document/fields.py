"""Text of a field mapping file -> `FieldMapping`."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from mappings.document.reading import Document, parse
from mappings.field_mapping import REPORTED_AT, TAGS, FieldMapping, Input, Output, OutputType
from mappings.ticket import (
    CANCELLED,
    CLASS,
    PRIORITY,
    STATUS,
    WAITING,
    Cause,
    Channel,
    Status,
    TicketClass,
)

_DATES = ("first_response", "next_update", "resolution")
#: our answer -> the forms in which it can be written
OUTPUTS: Mapping[str, tuple[OutputType, ...]] = {
    **{f"{metric}_due_on": (OutputType.DATE,) for metric in _DATES},
    **{f"{metric}_due_at": (OutputType.INSTANT,) for metric in _DATES},
    "state": (OutputType.OPTION, OutputType.TEXT),
    "severity": (OutputType.OPTION, OutputType.TEXT),
    "tier": (OutputType.OPTION, OutputType.TEXT),
    "group": (OutputType.TEXT,),
    "explanation": (OutputType.TEXT,),
}
_INPUT_NAME = re.compile(r"[a-z][a-z0-9_]*")
_BUILT_IN = {
    STATUS: "statuses",
    WAITING: "waiting",
    CLASS: "types and class_tags",
    PRIORITY: "priorities",
    CANCELLED: "cancelled_tags",
}


def _as_word(value: Any) -> Any:
    """YAML reads `2` as a number and `true` as a truth value; the helpdesk's words are text."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else value


Word = Annotated[str, BeforeValidator(_as_word), AfterValidator(str.lower), Field(min_length=1)]
Name = Annotated[str, BeforeValidator(_as_word), Field(min_length=1)]  # of a field: as it is


class InputDocument(Document):
    """One field of the helpdesk that fills one of our values."""

    field: Name
    of: Literal["ticket", "organization"] = Field(
        default="ticket", description="whose field it is; a company counts as an organization"
    )
    values: dict[Word, Name] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _tags_are_named(self) -> "InputDocument":
        # all tags would be one value that moves with every tag that anybody sets, we included
        if self.field == TAGS and not self.values:
            raise ValueError("the field 'tags' needs 'values': {tag: ours}")
        return self


class OutputDocument(Document):
    """One field of the helpdesk that receives one of our answers."""

    field: Name
    type: OutputType


class FieldsDocument(Document):
    """A field mapping file."""

    helpdesk: Word
    priorities: Annotated[tuple[Word, ...], Field(min_length=1)]
    statuses: dict[Word, Status]
    waiting: dict[Word, Cause] = Field(default_factory=dict)
    types: dict[Word, TicketClass] = Field(default_factory=dict)
    class_tags: dict[Word, TicketClass] = Field(default_factory=dict)
    channels: dict[Word, Channel] = Field(default_factory=dict)
    outbound: tuple[Word, ...] = ()
    cancelled_tags: dict[Word, Literal["merged", "deleted", "spam"]] = Field(default_factory=dict)
    plan_tag_prefix: Word = "plan_"
    plan_field: Name | None = None
    inputs: dict[str, InputDocument] = Field(default_factory=dict)
    outputs: dict[str, OutputDocument] = Field(default_factory=dict)

    @field_validator("priorities")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("a priority stands here twice; list each once, the most severe first")
        return value

    @field_validator("inputs")
    @classmethod
    def _input_names(cls, value: dict[str, InputDocument]) -> dict[str, InputDocument]:
        for name, one in value.items():
            if name == REPORTED_AT and one.of == "organization":
                raise ValueError(f"'{name}' is a field of the ticket, not of its organization")
            if name in _BUILT_IN:
                raise ValueError(f"'{name}' is no input; it is mapped by {_BUILT_IN[name]}")
            if not _INPUT_NAME.fullmatch(name):
                raise ValueError(f"'{name}' is no name; use a-z, 0-9 and _, such as 'impact'")
        return value

    @field_validator("outputs")
    @classmethod
    def _output_names(cls, value: dict[str, OutputDocument]) -> dict[str, OutputDocument]:
        for name, output in value.items():
            if name not in OUTPUTS:
                raise ValueError(f"'{name}' is no output; possible are {', '.join(OUTPUTS)}")
            if output.type not in OUTPUTS[name]:
                forms = " or ".join(OUTPUTS[name])
                raise ValueError(f"'{name}' cannot be of type '{output.type}'; it is {forms}")
        return value


def parse_fields(text: str, file: str) -> FieldMapping:
    """The mapping in `text`; `file` is the name that errors show. Raises `DocumentError`."""
    document = parse(FieldsDocument, text, file)
    return FieldMapping(
        helpdesk=document.helpdesk,
        priorities=document.priorities,
        statuses=_values(document.statuses),
        waiting=_values(document.waiting),
        types=_values(document.types),
        class_tags=_values(document.class_tags),
        channels=_values(document.channels),
        outbound=frozenset(document.outbound),
        cancelled_tags=dict(document.cancelled_tags),
        plan_tag_prefix=document.plan_tag_prefix,
        plan_field=document.plan_field,
        inputs={
            name: Input(
                field=one.field,
                values=dict(one.values),
                of_organization=one.of == "organization",
            )
            for name, one in document.inputs.items()
        },
        outputs={
            name: Output(field=one.field, type=one.type) for name, one in document.outputs.items()
        },
    )


def _values(table: Mapping[str, StrEnum]) -> dict[str, str]:
    return {theirs: ours.value for theirs, ours in table.items()}
