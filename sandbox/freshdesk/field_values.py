"""What values Freshdesk's custom fields take, by type."""

import re
from datetime import date
from typing import Any

from sandbox.freshdesk.errors import Flaw
from sandbox.state import Doc


def value_flaws(name: str, field: Doc, value: Any) -> list[Flaw]:
    """What is wrong with a value; `name` is what the flaw calls the field."""
    match field["type"]:
        case "nested_field":
            known = _levels(field.get("choices") or [])
            return [] if value in known else [_choice_flaw(name, known)]
        case "custom_date":
            return [] if _is_date(value) else [_date_flaw(name)]
        case "custom_dropdown":
            choices = field.get("choices") or []
            return [] if value in choices else [_choice_flaw(name, choices)]
        case "custom_number":
            return [] if _is(value, int) else [_type_flaw(name, "Positive Integer")]
        case "custom_decimal":
            return [] if _is(value, int, float) else [_type_flaw(name, "Number")]
        case "custom_checkbox":
            return [] if isinstance(value, bool) else [_type_flaw(name, "Boolean")]
    return [] if isinstance(value, str) else [_type_flaw(name, "String")]


def _levels(choices: list[Doc]) -> list[str]:
    return [v for one in choices for v in (one["value"], *_levels(one["choices"]))]


def _is(value: Any, *kinds: type) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


def _is_date(value: Any) -> bool:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _date_flaw(name: str) -> Flaw:
    return Flaw(field=name, message="It should be in the 'YYYY-MM-DD' format")


def _type_flaw(name: str, wanted: str) -> Flaw:
    return Flaw(field=name, message=f"It should be a/an {wanted}", code="datatype_mismatch")


def _choice_flaw(name: str, choices: list[str]) -> Flaw:
    values = ",".join(choices)
    return Flaw(field=name, message=f"It should be one of these values: '{values}'")
