"""The written form of conditions and of lengths of time, in policies, contracts and accounts."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from mappings.conditions import NUMERIC, PRESENCE, AnyOf, Condition, Operator, Test, number
from mappings.policy import Amount

AMOUNT = re.compile(r"(\d{1,9})\s*(s|m|h|bd|d|w)", re.ASCII)
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LOOSE = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*([a-z][a-z. ]*)", re.ASCII | re.IGNORECASE)
_UNITS = {
    "s": ("s", "sec", "secs", "second", "seconds"),
    "m": ("min", "mins", "minute", "minutes"),
    "h": ("hr", "hrs", "hour", "hours"),
    "bd": ("business day", "business days", "working day", "working days", "wd"),
    "d": ("day", "days"),
    "w": ("wk", "wks", "week", "weeks"),
}
_ALL, _ANY, _FILLED = "all", "any", "filled"


def amount_of(value: object) -> Amount:
    """A length of time as it is written: 15m, 4h, 2bd, 1w. Raises ValueError."""
    if isinstance(value, Amount):
        return value
    written = AMOUNT.fullmatch(value) if isinstance(value, str) else None
    if written is None:
        raise ValueError(f"'{value}' is no length of time; {_meant(value)}")
    count, unit = int(written[1]), written[2]
    if not 0 < count < 100_000:
        right = "a length of time is more than 0" if count == 0 else "the number is at most 99999"
        raise ValueError(f"'{value}' is out of range; {right}")
    if unit == "bd":
        return Amount(business_days=count)
    return Amount(seconds=count * SECONDS[unit])


def _meant(value: object) -> str:
    """What was probably meant, else the forms that there are."""
    text = str(value).strip()
    if re.fullmatch(r"\d{1,9}", text, re.ASCII):
        return f"its unit is missing; write {text}m for minutes, {text}h for hours"
    if text.startswith("-"):
        return "it must be more than 0; write it as 15m, 4h, 2bd, 3d or 1w"
    loose = _LOOSE.fullmatch(text)
    word = loose[2].strip(". ").lower() if loose else ""
    unit = next((unit for unit, words in _UNITS.items() if word in (unit, *words)), None)
    if loose is None or unit is None:
        return "write 15m, 4h, 2bd (business days), 3d (of 24 hours) or 1w"
    if unit == "d" and "." not in loose[1]:
        return f"write {_count(loose[1], unit)} (of 24 hours) or {loose[1]}bd (business days)"
    return f"write {_count(loose[1], unit)}"


def _count(number_text: str, unit: str) -> str:
    """1.5 h is 90m: a length of time has no fractions."""
    if "." not in number_text or unit == "bd":
        return f"{number_text.partition('.')[0]}{unit}"
    seconds = round(float(number_text) * SECONDS[unit])
    return f"{seconds // 60}m" if seconds % 60 == 0 else f"{seconds}s"


def condition_of(value: object) -> Condition:
    """A condition as it is written. All of its parts must hold. Raises ValueError.

    `{severity: high}`, `{channel: [email, chat]}`, `{impact: {is_not: low}}`, `{filled: impact}`,
    and `all:` or `any:` with a list of conditions.
    """
    if isinstance(value, Condition):
        return value
    if not isinstance(value, Mapping):
        raise ValueError("a condition is written as {severity: high, channel: [email, portal]}")
    tests: list[Test | AnyOf] = []
    for fact, wanted in value.items():
        if fact == _FILLED:
            tests.extend(Test(fact=one, operator=Operator.PRESENT) for one in _words(fact, wanted))
        elif fact == _ANY:
            tests.append(AnyOf(conditions=tuple(map(condition_of, _list(fact, wanted)))))
        elif fact == _ALL:
            for one in _list(fact, wanted):
                tests.extend(condition_of(one).tests)
        else:
            tests.extend(_tests(str(fact), wanted))
    return Condition(tests=tuple(tests))


def _tests(fact: str, wanted: object) -> Iterator[Test]:
    if not isinstance(wanted, Mapping):
        yield Test(fact=fact, values=_words(fact, wanted))
        return
    if not wanted:
        raise ValueError(
            f"'{fact}' says nothing; write a word or an operator, such as present: true"
        )
    for name, operand in wanted.items():
        try:
            operator = Operator(str(name))
        except ValueError:
            known = ", ".join(Operator)
            raise ValueError(f"'{fact}': '{name}' is no operator; known: {known}") from None
        yield _test(fact, operator, operand)


def _test(fact: str, operator: Operator, operand: object) -> Test:
    if operator in PRESENCE:
        if operand is not True:
            other = next(one for one in sorted(PRESENCE) if one is not operator)
            raise ValueError(f"'{fact}': write {operator}: true, or {other}: true")
        return Test(fact=fact, operator=operator)
    values = _words(fact, operand)
    if operator in NUMERIC and (len(values) != 1 or number(values[0]) is None):
        raise ValueError(f"'{fact}': {operator} needs one number, such as {operator}: 3")
    return Test(fact=fact, values=values, operator=operator)


def _list(key: str, value: object) -> list[object]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"'{key}' needs a list of conditions, such as {key}: [{{severity: high}}]")
    return value


def _words(fact: object, wanted: object) -> tuple[str, ...]:
    values = wanted if isinstance(wanted, list) else [wanted]
    words = tuple(_word(one) for one in values)
    if not words or any(word is None for word in words):
        raise ValueError(f"'{fact}' needs a word or a list of words, such as {fact}: [email]")
    return tuple(word for word in words if word is not None)


def _word(value: object) -> str | None:
    """YAML reads 2 as a number and true as a truth value; a fact is text."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    return value if isinstance(value, str) else None


_OPERATORS: dict[str, Any] = {
    **{one.value: {"const": True} for one in sorted(PRESENCE)},
    **{one.value: {"type": ["number", "string"]} for one in sorted(NUMERIC)},
    **{
        one.value: {"$ref": "#/$defs/Words"}
        for one in Operator
        if one not in PRESENCE and one not in NUMERIC
    },
}
#: parts that the schema of a condition refers to; see `document/schema`
CONDITION_DEFINITIONS: dict[str, Any] = {
    "Words": {
        "description": "One word, or a list of which any will do.",
        "anyOf": [
            {"type": ["string", "number", "boolean"]},
            {"type": "array", "minItems": 1, "items": {"type": ["string", "number", "boolean"]}},
        ],
    },
    "Condition": {
        "description": "All parts must hold: {severity: high, channel: [email, portal]}.",
        "type": "object",
        "properties": {
            _ALL: {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Condition"}},
            _ANY: {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Condition"}},
            _FILLED: {"$ref": "#/$defs/Words"},
        },
        "additionalProperties": {
            "anyOf": [
                {"$ref": "#/$defs/Words"},
                {
                    "type": "object",
                    "properties": _OPERATORS,
                    "additionalProperties": False,
                    "minProperties": 1,
                },
            ]
        },
    },
}

AmountText = Annotated[
    Amount,
    BeforeValidator(amount_of),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^{AMOUNT.pattern}$",
            "description": "A length of time: 15m, 4h, 2bd (business days), 3d (of 24 hours), 1w.",
        }
    ),
]
#: stands in a schema where a condition stands, until `document/schema` refers to its definition
CONDITION_HERE: dict[str, Any] = {"type": "object", "title": "Condition here"}
ConditionText = Annotated[Condition, BeforeValidator(condition_of), WithJsonSchema(CONDITION_HERE)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
