"""A Zendesk ticket's values, now or at some moment of its past, in our words."""

from collections.abc import Mapping
from typing import Any

from connector.helpdesks.base import JSONObject
from connector.helpdesks.zendesk.catalogue import Catalogue
from mappings.field_mapping import TAGS, Words, plain
from mappings.ticket import CANCELLED, DESCRIPTION

DELETED = "deleted"  # only exports show this status
RATING = "satisfaction_rating"
# Keys of a ticket that its history needs whatever the mapping names; never a text.
NEEDED = frozenset({"status", "custom_status_id", "priority", "type", TAGS, DESCRIPTION})


def state_of(raw: JSONObject) -> dict[str, Any]:
    """A ticket's values by key, as far as the JSON tells them; custom fields by their id."""
    state = {key: value for key, value in raw.items() if not isinstance(value, (list, dict))}
    state["tags"] = tags_of(raw.get("tags"))
    if RATING in raw:
        state[RATING] = rating_of(object_of(raw[RATING]).get("score"))
    fields = raw.get("custom_fields") or raw.get("fields")
    for one in fields if isinstance(fields, list) else []:
        if isinstance(one, dict) and one.get("id") is not None:
            state[str(one["id"])] = one.get("value")
    if DESCRIPTION in raw:
        state[DESCRIPTION] = filled(raw[DESCRIPTION])
    return state


def rating_of(score: Any) -> Any:
    """The customer's verdict; None while there is none."""
    return score if score not in ("offered", "unoffered") else None


def filled(text: Any) -> str | None:
    """That there is one is all that a policy asks of a description; texts are not kept."""
    return "filled" if plain(text) else None


def tags_of(value: Any) -> list[str]:
    """Tags from a list, or from the words of a text as audits write them."""
    if isinstance(value, str):
        return value.lower().split()
    return [tag.lower() for tag in value if isinstance(tag, str)] if isinstance(value, list) else []


def values_of(state: Mapping[str, Any], catalogue: Catalogue, words: Words) -> dict[str, Any]:
    """A ticket's values in our words."""
    status, waiting = _status_words(state, catalogue)
    is_deleted = str(plain(state.get("status"))).lower() == DELETED
    values = words.values(
        status=None if is_deleted else status,
        waiting=waiting,
        priority=plain(state.get("priority")),
        kind=plain(state.get("type")),
        tags=state["tags"],
        inputs={
            name: state.get(key)
            for name, key in catalogue.inputs.items()
            # a custom field that is empty can be left out; a key that is not there tells nothing
            if key in state or key.isdigit()
        },
    )
    if DESCRIPTION in state:
        values.setdefault(DESCRIPTION, state[DESCRIPTION])
    if is_deleted:
        values[CANCELLED] = DELETED
    return values


def _status_words(state: Mapping[str, Any], catalogue: Catalogue) -> tuple[str | None, str | None]:
    """The words for where a ticket stands and for why it waits.

    A custom status counts for what the mapping says of it, else by its category. One that is named
    as a cause alone stands where its category does.
    """
    custom = catalogue.statuses.get(plain(state.get("custom_status_id")) or "")
    status = plain(state.get("status"))
    if custom is None:
        return status, status
    status = status or custom.category
    return custom.word if custom.is_status else status, custom.word or status


def organization_values(
    theirs: JSONObject, catalogue: Catalogue, words: Words
) -> dict[str, str | None]:
    """The values that the fields of an organization fill, as far as the JSON tells them."""
    values = {}
    for name, key in catalogue.organization_inputs.items():
        fields = theirs if key == TAGS else theirs.get("organization_fields")
        if not isinstance(fields, dict) or (key == TAGS and key not in fields):
            continue
        if key not in fields:
            words.missing(name, key)
            continue
        values[name] = words.given(name, tags_of(fields[key]) if key == TAGS else fields[key])
    return values


def object_of(value: Any) -> JSONObject:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}
