"""Which of a Freshdesk account's ticket fields are ours to read and to write."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from connector.helpdesks.base import JSONObject
from mappings.clock import State
from mappings.field_mapping import TAGS, FieldMapping, OutputType, word

# Keys of a ticket that an input may name; every other field stands in custom_fields.
TICKET_KEYS = frozenset(
    {
        "company_id",
        "description",
        "group_id",
        "priority",
        "product_id",
        "responder_id",
        "source",
        "status",
        "subject",
        TAGS,
        "type",
    }
)
# Freshdesk has no custom field for an instant, only for a day.
FITTING = {
    OutputType.DATE: ("custom_date", "custom_text"),
    OutputType.INSTANT: ("custom_text",),
    OutputType.OPTION: ("custom_dropdown", "custom_text"),
    OutputType.TEXT: ("custom_text", "custom_paragraph"),
}


NONE = "the account has no ticket field '{field}', or hides it from the agent of the API key"
MANDATORY = ("required_for_agents", "required_for_closure")
SUFFIX = re.compile(r"_\d{3,}$")  # that Freshdesk adds to a name it has given before


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputField:
    """One ticket field that receives one of our answers."""

    name: str
    #: the choices of a drop-down; None where any text goes
    options: frozenset[str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalogue:
    """The account's fields by our names."""

    #: our name -> key of the ticket or name of a custom field
    inputs: Mapping[str, str] = field(default_factory=dict)
    #: our name -> name of a field of the customer's company, with or without `cf_`
    organization_inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, OutputField] = field(default_factory=dict)
    #: mapped inputs that the account does not have: our name -> what the mapping calls it
    missing: Mapping[str, str] = field(default_factory=dict)
    #: number -> labels
    statuses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_catalogue(
    fields: Iterable[JSONObject], mapping: FieldMapping, prefix: str
) -> tuple[Catalogue, tuple[str, ...]]:
    """The catalogue, and a line for the admin for whatever cannot be used as it is.

    `prefix` is the one that the options of our drop-downs begin with.
    """
    known = Known(fields)
    inputs, missing, outputs, lines = {}, {}, {}, []
    for name, wanted in mapping.inputs_of(organization=False).items():
        found = known.field(wanted.field)
        if wanted.field in TICKET_KEYS:
            inputs[name] = wanted.field
        elif found is not None:
            inputs[name] = str(found["name"])
        else:
            missing[name] = wanted.field
            lines.append(f"input {name}: {NONE.format(field=wanted.field)}")
    for name, target in mapping.outputs.items():
        found = known.field(target.field)
        if found is None:
            lines.append(f"output {name}: {NONE.format(field=target.field)}")
        elif found.get("type") not in FITTING[target.type]:
            fitting = " or ".join(FITTING[target.type])
            lines.append(
                f"output {name}: ticket field '{target.field}' is of type {found.get('type')}; "
                f"it must be {fitting}"
            )
        else:
            outputs[name] = OutputField(name=str(found["name"]), options=_options(found))
            lines += _advice(name, found, outputs[name], prefix)
    statuses = known.statuses()
    lines += _unmapped(statuses, mapping)
    read = Catalogue(
        inputs=inputs,
        organization_inputs=_named(mapping, organization=True),
        outputs=outputs,
        missing=missing,
        statuses=statuses,
    )
    return read, tuple(lines)


def _advice(name: str, found: JSONObject, output: OutputField, prefix: str) -> Iterator[str]:
    """What is likely to get in the way of writing a field that could be written."""
    if any(found.get(flag) is True for flag in MANDATORY):
        yield (
            f"output {name}: ticket field '{output.name}' is mandatory; deskclock empties it where "
            "there is nothing to say, and agents could not save: let it be optional"
        )
    if name == "state" and output.options is not None:
        wanted = (f"{prefix}f_state_{state}" for state in State)
        lacking = [one for one in wanted if one not in output.options]
        if lacking:
            yield (
                f"output {name}: the drop-down '{output.name}' lacks {', '.join(lacking)}; what it "
                "lacks is not written"
            )


def _unmapped(statuses: Mapping[str, tuple[str, ...]], mapping: FieldMapping) -> Iterator[str]:
    """Statuses that mean nothing to us: their tickets count as of unknown status."""
    for number, labels in statuses.items():
        if not any(word(one) in mapping.statuses for one in (number, *labels)):
            label = f" '{labels[0]}'" if labels else ""
            yield f"status {number}{label} is not in the field mapping; name it under statuses"


def offline(mapping: FieldMapping) -> Catalogue:
    """Without asking the account: fields are taken as they are named."""
    return Catalogue(
        inputs=_named(mapping, organization=False),
        organization_inputs=_named(mapping, organization=True),
    )


def _named(mapping: FieldMapping, *, organization: bool) -> dict[str, str]:
    """Inputs by the names of their fields; a company itself shows which fields it has."""
    found = mapping.inputs_of(organization=organization)
    return {name: wanted.field for name, wanted in found.items()}


def choices(value: Any) -> Iterator[str]:
    """The choices of a field, whichever of Freshdesk's shapes they come in."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from choices(one.get("value", one.get("label")) if _is_object(one) else one)
    elif isinstance(value, dict):
        yield from map(str, value)


class Known:
    """The account's ticket fields, found by any of the names that admins know."""

    def __init__(self, fields: Iterable[JSONObject]) -> None:
        usable = [one for field in fields for one in _levels(field) if one.get("name")]
        labels = {str(one.get("label")): one for one in usable}
        ids = {str(one.get("id")): one for one in usable}
        # a name (`cf_…`, generated by Freshdesk) wins over an id, an id over a label
        self._exact = labels | ids | {str(one["name"]): one for one in usable}
        self._bare: dict[str, list[JSONObject]] = {}
        for one in usable:
            self._bare.setdefault(bare(str(one["name"])), []).append(one)

    def field(self, name: str) -> JSONObject | None:
        """The field of that name, id or label, else the only one whose name differs by form."""
        found = self._bare.get(bare(name), [])
        return self._exact.get(name) or (found[0] if len(found) == 1 else None)

    def statuses(self) -> dict[str, tuple[str, ...]]:
        """Number -> labels, the agents' first."""
        for one in self._exact.values():
            if one.get("type") == "default_status" and _is_object(one.get("choices")):
                return {
                    str(number): tuple(choices(labels)) for number, labels in one["choices"].items()
                }
        return {}


def bare(name: str) -> str:
    """A field's name without what Freshdesk put around it: `cf_plan_297457` is `plan`."""
    return SUFFIX.sub("", name.removeprefix("cf_"))


def _levels(field: JSONObject) -> Iterator[JSONObject]:
    """A field, and the lower levels of a nested one, which have names of their own."""
    yield field
    nested = field.get("nested_ticket_fields") or field.get("dependent_fields")
    for one in nested if isinstance(nested, list) else []:
        if _is_object(one):
            yield one


def _options(found: JSONObject) -> frozenset[str] | None:
    if found.get("type") != "custom_dropdown":
        return None
    return frozenset(choices(found.get("choices")))


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)
