"""Reads what callers send as strictly as a vendor does: JSON bodies, and numbers of objects."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, Never

_MOST_DEPTH = 100
_MOST_ID = 2**63 - 1


def strict_json(raw: bytes) -> Any:
    """The JSON value in a request's body, which is UTF-8.

    Raises ValueError for what is no JSON: NaN and Infinity, numbers too large for a float, half a
    surrogate pair, and more than a hundred levels.
    """
    text = raw.decode()
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError as error:
        raise ValueError(_too_deep()) from error
    if _deeper_than(_MOST_DEPTH, value):
        raise ValueError(_too_deep())
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()
    return value


def object_id(value: Any) -> int | None:
    """A whole number or its ASCII digits, as ids are written; None for what can be no id."""
    text = str(value) if isinstance(value, int | str) else ""
    fits = text.isascii() and text.isdigit() and len(text) <= len(str(_MOST_ID))
    return int(text) if fits and int(text) <= _MOST_ID else None


def _no_constant(name: str) -> Never:
    message = f"{name} is no JSON"
    raise ValueError(message)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        message = f"{text[:40]} is too large a number"
        raise ValueError(message)
    return number


def _too_deep() -> str:
    return f"the JSON has more than {_MOST_DEPTH} levels"


def _deeper_than(most: int, value: Any) -> bool:
    level = [value]
    for _ in range(most + 1):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return False
    return True


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list) else ()
