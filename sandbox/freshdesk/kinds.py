"""What kinds of values Freshdesk's requests take, and the flaws of values of another kind."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from sandbox.freshdesk.errors import BLANK, Flaw
from sandbox.state import Doc

TEXT, TRUTH, ID = "String", "Boolean", "Positive Integer"
LIST, PAIRS, ANY = "Array", "key/value pair", ""
UNKNOWN = "Unexpected/invalid field in request"
MOST = 2**63 - 1  # of a whole number
_ADDRESS = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\".]+")


def is_id(value: Any) -> bool:
    """Whether it is a whole number from 1 on."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST


_IS: Mapping[str, Callable[[Any], bool]] = {
    TEXT: lambda value: isinstance(value, str),
    TRUTH: lambda value: isinstance(value, bool),
    ID: is_id,
    LIST: lambda value: isinstance(value, list),
    PAIRS: lambda value: isinstance(value, dict),
    ANY: lambda _value: True,
}


def kind_flaws(body: Mapping[str, Any], kinds: Mapping[str, str], place: str = "") -> list[Flaw]:
    """One flaw per value of another kind; null is of every kind. `place` precedes the names."""
    return [
        mismatch(place + name, kind)
        for name, kind in kinds.items()
        if body.get(name) is not None and not _IS[kind](body[name])
    ]


def body_flaws(
    body: Mapping[str, Any], kinds: Mapping[str, str], *, filled: Collection[str] = ()
) -> list[Flaw]:
    """What is wrong with an object that may have the keys of `kinds` alone.

    What is given of `filled` must hold something.
    """
    unknown = [Flaw(field=n, message=UNKNOWN, code="invalid_field") for n in body if n not in kinds]
    return [*unknown, *kind_flaws(body, kinds), *blank_flaws(body, filled)]


def blank_flaws(body: Mapping[str, Any], names: Collection[str]) -> list[Flaw]:
    """A flaw for each of the names that is given and holds nothing."""
    return [Flaw(field=name, message=BLANK) for name in names if body.get(name, "…") in (None, "")]


def address_flaws(body: Mapping[str, Any], name: str = "email") -> list[Flaw]:
    """A flaw if the value is no e-mail address, or a list that holds none."""
    value = body.get(name)
    found = value if isinstance(value, list) else [] if value in (None, "") else [value]
    if all(isinstance(one, str) and _ADDRESS.fullmatch(one) for one in found):
        return []
    return [Flaw(field=name, message="It should be in the 'valid email address' format")]


def no_such(name: str, what: str) -> Flaw:
    """The flaw of an id that nothing has."""
    return Flaw(field=name, message=f"There is no {what} matching the given {name}")


def mismatch(name: str, wanted: str) -> Flaw:
    """The flaw of a value of another kind."""
    return Flaw(field=name, message=f"It should be a/an {wanted}", code="datatype_mismatch")


def all_objects(value: Any) -> bool:
    """Whether it is a list of JSON objects."""
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def too_large(body: Doc) -> list[Flaw]:
    """A flaw for each key of a body that holds a number which Freshdesk cannot store."""
    return [mismatch(name, "Integer") for name, value in body.items() if _overflows(value)]


def _overflows(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_overflows, value.values()))
    if isinstance(value, list):
        return any(map(_overflows, value))
    return isinstance(value, int) and abs(value) > MOST
