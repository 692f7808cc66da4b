"""Which of a Zendesk account's ticket fields are ours to read and to write."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from connector.helpdesks.base import JSONObject
from mappings.field_mapping import TAGS, FieldMapping, OutputType, plain, word

# Ticket field type -> key of the ticket; every other field stands in custom_fields by its id.
SYSTEM_FIELDS = {
    "subject": "subject",
    "description": "description",
    "status": "status",
    "custom_status": "custom_status_id",
    "priority": "priority",
    "tickettype": "type",
    "group": "group_id",
    "assignee": "assignee_id",
}
# Keys of a ticket that an input may name directly.
TICKET_KEYS = frozenset(SYSTEM_FIELDS.values()) | {
    "brand_id",
    "due_at",
    "external_id",
    "organization_id",
    "satisfaction_rating",
    TAGS,
    "ticket_form_id",
}
# Statuses that every account has; with custom statuses they are categories.
CATEGORIES = frozenset({"new", "open", "pending", "hold", "solved", "closed"})
# Zendesk has no field for an instant, only for a day.
FITTING = {
    OutputType.DATE: ("date", "text", "regexp"),
    OutputType.INSTANT: ("text", "regexp"),
    OutputType.OPTION: ("tagger", "text", "regexp"),
    OutputType.TEXT: ("text", "textarea", "regexp"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputField:
    """One ticket field that receives one of our answers."""

    id: str
    #: the options of a drop-down; None where any text goes
    options: frozenset[str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CustomStatus:
    """A status that the account made itself."""

    #: the word by which the mapping names it; None: it counts by its category
    word: str | None
    #: whether `word` says where the ticket stands, and not merely why it waits
    is_status: bool = False
    #: new, open, pending, hold or solved; None: not told
    category: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalogue:
    """The account's fields by our names."""

    #: our name -> id of a custom field, or key of the ticket
    inputs: Mapping[str, str] = field(default_factory=dict)
    #: our name -> key of a field of the customer's organization
    organization_inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, OutputField] = field(default_factory=dict)
    #: mapped inputs that the account does not have: our name -> what the mapping calls it
    missing: Mapping[str, str] = field(default_factory=dict)
    #: id -> custom status; those of the mapping, and all where the account was asked for them
    statuses: Mapping[str, CustomStatus] = field(default_factory=dict)


def read_catalogue(
    fields: Iterable[JSONObject],
    mapping: FieldMapping,
    statuses: Iterable[JSONObject] | None = None,
) -> tuple[Catalogue, tuple[str, ...]]:
    """The catalogue, and a line for the admin for each mapped field that cannot be used.

    `statuses`: the account's custom statuses; None: it was not asked.
    """
    known = _by_id_and_title(fields)
    inputs, missing, outputs, lines = {}, {}, {}, []
    for name, wanted in mapping.inputs_of(organization=False).items():
        is_known = wanted.field in known or wanted.field in TICKET_KEYS
        key = _input_key(known.get(wanted.field), wanted.field)
        if key is None or not is_known:
            missing[name] = wanted.field
            lines.append(f"input {name}: the account has no ticket field '{wanted.field}'")
        else:
            inputs[name] = key
    for name, target in mapping.outputs.items():
        found = known.get(target.field)
        if found is None:
            lines.append(f"output {name}: the account has no ticket field '{target.field}'")
        elif found.get("type") not in FITTING[target.type]:
            fitting = " or ".join(FITTING[target.type])
            lines.append(
                f"output {name}: ticket field '{target.field}' is of type {found.get('type')}; "
                f"it must be {fitting}"
            )
        else:
            outputs[name] = OutputField(id=str(found["id"]), options=_options(found))
            if found.get("active") is False:
                lines.append(f"output {name}: ticket field '{target.field}' is switched off")
    named, unnamed = _statuses(mapping, statuses)
    lines += unnamed
    read = Catalogue(
        inputs=inputs,
        organization_inputs=_organization_inputs(mapping),
        outputs=outputs,
        missing=missing,
        statuses=named,
    )
    return read, tuple(lines)


def offline(mapping: FieldMapping) -> Catalogue:
    """What can be said without asking the account: fields that are named by id or by key."""
    wanted = mapping.inputs_of(organization=False)
    keys = {name: _input_key(None, one.field) for name, one in wanted.items()}
    return Catalogue(
        inputs={name: key for name, key in keys.items() if key is not None},
        organization_inputs=_organization_inputs(mapping),
        missing={name: wanted[name].field for name, key in keys.items() if key is None},
        statuses=_statuses(mapping, None)[0],
    )


def names_custom_statuses(mapping: FieldMapping) -> bool:
    """Whether the mapping names statuses that not every account has."""
    return bool(_custom_words(mapping))


def hidden_lines(
    catalogue: Catalogue, mapping: FieldMapping, forms: Iterable[JSONObject]
) -> tuple[str, ...]:
    """A line for each of our fields that agents do not see, because their form leaves it out."""
    active = [
        one
        for one in forms
        if one.get("active") is not False and isinstance(one.get("ticket_field_ids"), list)
    ]
    lines = []
    for name, target in catalogue.outputs.items():
        without = [
            str(plain(one.get("name")) or one.get("id"))
            for one in active
            if target.id not in {str(shown) for shown in one["ticket_field_ids"]}
        ]
        if without:
            title, titles = mapping.outputs[name].field, ", ".join(f"'{one}'" for one in without)
            lines.append(
                f"output {name}: ticket field '{title}' is not on the ticket form {titles}; agents "
                "do not see it there"
            )
    return tuple(lines)


def _statuses(
    mapping: FieldMapping, told: Iterable[JSONObject] | None
) -> tuple[dict[str, CustomStatus], list[str]]:
    """Custom statuses by id, and a line for each that the mapping names and nobody knows."""
    words = _custom_words(mapping)
    found = {one: _named(mapping, one, None) for one in words if one.isdigit()}
    met: set[str] = set()
    for row in told or ():
        status_id, label = plain(row.get("id")), word(plain(row.get("agent_label")))
        if status_id is None:
            continue
        name = next((one for one in (status_id, label) if one in words), None)
        met.update({name} if name else ())
        category = plain(row.get("status_category"))
        found[status_id] = _named(mapping, name, category.lower() if category else None)
    lost = sorted(words - met) if told is not None else []
    return found, [
        f"mapping: the account has no status '{one}', by its id or label" for one in lost
    ]


def _named(mapping: FieldMapping, name: str | None, category: str | None) -> CustomStatus:
    return CustomStatus(word=name, is_status=name in mapping.statuses, category=category)


def _custom_words(mapping: FieldMapping) -> set[str]:
    return {*mapping.statuses, *mapping.waiting} - CATEGORIES


def _organization_inputs(mapping: FieldMapping) -> dict[str, str]:
    """An organization itself shows which fields it has; the account is not asked for them."""
    return {name: one.field for name, one in mapping.inputs_of(organization=True).items()}


def _by_id_and_title(fields: Iterable[JSONObject]) -> dict[str, JSONObject]:
    """An id wins over a title, an active field over one that was switched off."""
    usable = [one for one in fields if str(one.get("id")).isascii() and str(one["id"]).isdigit()]
    usable.sort(key=lambda one: one.get("active") is not False)
    titles = {str(one.get("title")): one for one in usable}
    return titles | {str(one["id"]): one for one in usable}


def _input_key(found: JSONObject | None, name: str) -> str | None:
    if found is not None and name != TAGS:
        return SYSTEM_FIELDS.get(str(found.get("type")), str(found["id"]))
    return name if name in TICKET_KEYS or name.isdigit() else None


def _options(found: JSONObject) -> frozenset[str] | None:
    if found.get("type") != "tagger":
        return None
    options = found.get("custom_field_options")
    options = options if isinstance(options, list) else []
    return frozenset(str(one.get("value")) for one in options if isinstance(one, dict))
