"""Desired minus observed on Freshdesk, and the body that brings it there. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from connector.helpdesks.base import Desired, JSONObject, Plan, Reading
from connector.helpdesks.freshdesk.catalogue import Catalogue
from connector.helpdesks.freshdesk.translate import (
    NATIVE,
    OWN,
    REPLACED_BY_NATIVE,
    STALE,
    text_of,
)
from mappings.field_mapping import plain
from mappings.written import instant

VERIFY_AFTER = 15.0  # seconds; the native engine computes its own "within a few seconds"
STEP = timedelta(seconds=60)  # Freshdesk wants the resolution due after the first response
ORDER_REPAIRED = (
    "Freshdesk wants the resolution due after the first response, so its own due date stands one "
    "minute after the first response"
)
HIDDEN = (
    "the ticket came without the field '{field}' for {name}, which its form or the agent's role "
    "hides; it was left out"
)
BEFORE_CREATION = (
    "the {name} due time lies before the ticket was created, which Freshdesk does not take; its "
    "own due date was left as it is"
)


def plan(reading: Reading, desired: Desired, catalogue: Catalogue, *, native: bool) -> Plan | None:
    """What to write; None when nothing differs or the ticket takes no writes."""
    if reading.read_only is not None:
        return None
    remarks: list[str] = []
    dated = native and desired.native
    standing = reading.fields if dated or not native else {**reading.fields, **reading.raw[OWN]}
    fields = dict(_own_fields(standing, desired, catalogue, dated, remarks))
    body: JSONObject = {}
    if fields:
        body["custom_fields"] = {catalogue.outputs[name].name: fields[name] for name in fields}
    if dated:
        dates = _native_dates(reading, desired, remarks)
        body |= {NATIVE[name]: value for name, value in dates.items()}
        fields |= {name: at for name, at in dates.items() if at != reading.fields.get(name)}
        # what an earlier mode left in our own fields would grow stale beside Freshdesk's dates
        for name in reading.raw[STALE]:
            body.setdefault("custom_fields", {})[catalogue.outputs[name].name] = None
            fields[f"own_{name}"] = None
    add, remove = _tags(reading, desired)
    if not fields and not add and not remove:
        return None
    if (add or remove) and reading.single:
        body["tags"] = _all_tags(reading, add, remove)
    return Plan(
        ticket_id=reading.ticket.id,
        fields=fields,
        add_tags=add,
        remove_tags=remove,
        remarks=tuple(remarks),
        needs_single_read=bool(add or remove) and not reading.single,
        # the answer may show the dates from before, and the native engine comes after it
        verify_after=VERIFY_AFTER if body.keys() & set(NATIVE.values()) else None,
        body=body,
    )


def _own_fields(
    standing: Mapping[str, str | None],
    desired: Desired,
    catalogue: Catalogue,
    dated: bool,
    remarks: list[str],
) -> Iterator[tuple[str, str | None]]:
    """What differs in our own fields; `dated`: Freshdesk's own dates stand for some of them."""
    for name, value in desired.fields.items():
        target = catalogue.outputs.get(name)
        if target is None or (dated and name in REPLACED_BY_NATIVE):
            continue
        if name not in standing:
            remarks.append(HIDDEN.format(name=name, field=target.name))
            continue
        if plain(value) == plain(standing[name]):
            continue
        if value and target.options is not None and value not in target.options:
            remarks.append(f"the field for {name} has no option '{value}'; it was left as it is")
            continue
        yield name, value or None


def _native_dates(reading: Reading, desired: Desired, remarks: list[str]) -> dict[str, str | None]:
    """Both dates, or none: where either differs from what stands, both are sent, never null."""
    created_at = reading.ticket.created_at
    standing = (instant(reading.raw["fr_due_by"]), instant(reading.raw["due_by"]))
    wanted = (
        _sendable(desired.first_response_due_at, "first response", created_at, remarks),
        _sendable(desired.resolution_due_at, "resolution", created_at, remarks),
    )
    if wanted == (None, None):
        return {}
    response, resolution = wanted[0] or standing[0], wanted[1] or standing[1]
    if response is None and resolution is not None:
        response = max(resolution - STEP, created_at)
    if response is None:
        return {}
    if resolution is None:
        resolution = response + STEP
    elif resolution <= response:
        resolution = response + STEP
        remarks.append(ORDER_REPAIRED)
    if (response, resolution) == standing:
        return {}
    return dict(zip(NATIVE, (text_of(response), text_of(resolution)), strict=True))


def _sendable(
    at: datetime | None, name: str, created_at: datetime, remarks: list[str]
) -> datetime | None:
    if at is None:
        return None
    if at < created_at:
        remarks.append(BEFORE_CREATION.format(name=name))
        return None
    return at.replace(microsecond=0)


def _tags(reading: Reading, desired: Desired) -> tuple[frozenset[str], frozenset[str]]:
    """Ours to add and to remove. Freshdesk keeps the case in which a tag was first written."""
    standing = frozenset(tag.lower() for tag in reading.tags)
    return desired.tags - standing, (standing & desired.own_tags) - desired.tags


def _all_tags(reading: Reading, add: frozenset[str], remove: frozenset[str]) -> list[str]:
    kept = [tag for tag in reading.raw["tags"] if tag.lower() not in remove]
    return [*kept, *sorted(add)]
