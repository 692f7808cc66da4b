"""A Zendesk ticket's values, now or at some moment of its past, in our words."""

from collections.abc import Mapping
from typing import Any

from connector.helpdesks.base import JSONObject
from connector.helpdesks.zendesk.catalogue import Catalogue
from mappings.field_mapping import Words, plain
from mappings.ticket import CANCELLED

DELETED = "deleted"  # only exports show this status


def state_of(raw: JSONObject) -> dict[str, Any]:
    """A ticket's values by key; custom fields by their id."""
    state = {key: value for key, value in raw.items() if not isinstance(value, (list, dict))}
    state["tags"] = tags_of(raw.get("tags"))
    rating = object_of(raw.get("satisfaction_rating")).get("score")
    state["satisfaction_rating"] = rating if rating not in ("offered", "unoffered") else None
    fields = raw.get("custom_fields") or raw.get("fields")
    for one in fields if isinstance(fields, list) else []:
        if isinstance(one, dict) and one.get("id") is not None:
            state[str(one["id"])] = one.get("value")
    # that there is one is all that a policy asks of it; texts are not kept
    state["description"] = "filled" if plain(raw.get("description")) else None
    return state


def tags_of(value: Any) -> list[str]:
    """Tags from a list, or from the words of a text as audits write them."""
    if isinstance(value, str):
        return value.lower().split()
    return [tag.lower() for tag in value if isinstance(tag, str)] if isinstance(value, list) else []


def values_of(state: Mapping[str, Any], catalogue: Catalogue, words: Words) -> dict[str, Any]:
    """A ticket's values in our words."""
    status = plain(state.get("status"))
    custom = plain(state.get("custom_status_id"))
    is_named = words.names_status(custom)
    is_deleted = status is not None and status.lower() == DELETED
    values = words.values(
        status=custom if is_named else None if is_deleted else status,
        waiting=custom if is_named else status,
        priority=plain(state.get("priority")),
        kind=plain(state.get("type")),
        tags=state["tags"],
        inputs={name: state.get(key) for name, key in catalogue.inputs.items()},
    )
    if is_deleted:
        values[CANCELLED] = DELETED
    return values


def object_of(value: Any) -> JSONObject:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}
