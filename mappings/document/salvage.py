"""Knows what of a policy with mistakes can still be checked, so that all are told at once."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from mappings.document.policy_form import PolicyDocument

Path = tuple[Any, ...]
#: lists whose items nothing else refers to, so that one can be left out
_LISTS = frozenset({"exempt", "fulfilment", "duties", "tiers", "escalation"})
_NESTED = frozenset({"targets", "severity"})
_EMPTY: Mapping[str, Any] = {"policy": "x", "title": "x", "document": "x", "targets": {}}


def rest_of(data: Any) -> tuple[PolicyDocument, Callable[[Path], Path]] | None:
    """The policy in `data` without its broken parts, and where a part of it stands in `data`.

    None where what is broken is what the rest refers to, such as a calendar or a severity.
    """
    try:
        PolicyDocument.model_validate(data)
    except ValidationError as error:
        broken = [_part(found["loc"], found["type"]) for found in error.errors()]
    else:
        return None
    if not isinstance(data, Mapping) or None in broken:
        return None
    parts = [part for part in broken if part is not None]
    rest = _without({**_EMPTY, **data}, (), frozenset(parts))
    try:
        return PolicyDocument.model_validate(rest), lambda path: _original(path, parts)
    except ValidationError:
        return None


def _part(path: Path, kind: str) -> Path | None:
    """The part to leave out because of an error at `path`; None: it cannot be left out."""
    if not path:
        return None
    if len(path) == 1 and (kind == "extra_forbidden" or (kind == "missing" and path[0] in _EMPTY)):
        return path
    if path[0] in _LISTS and len(path) > 1:
        return path[:2]
    is_item = len(path) > 2 and isinstance(path[2], int) and path[1] != "levels"
    return path[:3] if path[0] in _NESTED and is_item else None


def _without(data: Any, path: Path, broken: frozenset[Path]) -> Any:
    if isinstance(data, Mapping):
        places = {name: (*path, name) for name in data}
        return {
            name: _without(data[name], place, broken)
            for name, place in places.items()
            if place not in broken or name in _EMPTY
        }
    if isinstance(data, list):
        return [value for at, value in enumerate(data) if (*path, at) not in broken]
    return data


def _original(path: Path, broken: Iterable[Path]) -> Path:
    """The same path with the items counted that were left out."""
    found = list(path)
    for part in sorted(one for one in broken if isinstance(one[-1], int)):
        length = len(part)
        if len(found) >= length and tuple(found[: length - 1]) == part[:-1]:
            found[length - 1] += found[length - 1] >= part[-1]
    return tuple(found)
