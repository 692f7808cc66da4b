"""The secrets of the settings, so that no log line shows one, wherever it came from."""

import json
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, unquote, urlsplit

from pydantic import BaseModel, SecretStr

SHORTEST = 6  # characters; shorter ones stand in innocent words


def secrets_in(value: object) -> Iterator[str]:
    """Every secret in settings, at any depth, and the passwords of their addresses."""
    if isinstance(value, SecretStr):
        text = value.get_secret_value()
        yield text
        yield from (one.strip() for one in text.split(","))  # several keys may stand in one
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_in(getattr(value, name))
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from secrets_in(one)
    elif isinstance(value, tuple | list):
        for one in value:
            yield from secrets_in(one)
    elif isinstance(value, str) and "://" in value:
        yield from _password(value)


def _password(address: str) -> Iterator[str]:
    try:
        found = urlsplit(address).password
    except ValueError:
        return
    if found:
        yield from (found, unquote(found))


def forms(secrets: Iterable[str]) -> tuple[str, ...]:
    """How these secrets look in a line of text, the longest first; too short ones are left out."""
    found: set[str] = set()
    for one in secrets:
        if len(one.strip()) >= SHORTEST:
            inside = json.dumps(one)[1:-1], json.dumps(one, ensure_ascii=False)[1:-1]
            found |= {one, one.strip(), *inside, repr(one)[1:-1], quote(one, safe="")}
    return tuple(sorted(found, key=lambda one: (-len(one), one)))
