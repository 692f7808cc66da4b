"""Conditions over the facts of a ticket, in the operators that helpdesk admins know."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Generic, TypeVar

Facts = Callable[[str], str | None]
T = TypeVar("T")

REMEMBERED = 4096  # answers of one choice; the words of tickets repeat, their texts may not

_SEPARATORS = re.compile(r"[\s_\-]+")


class Operator(StrEnum):
    """How a fact is compared. A fact that holds several values, comma-separated, `is` each."""

    IS = "is"
    IS_NOT = "is_not"
    WITHIN = "within"  #: one of a list
    INCLUDES = "includes"
    NOT_INCLUDES = "not_includes"
    PRESENT = "present"
    NOT_PRESENT = "not_present"
    GREATER_THAN = "greater_than"
    LESS_THAN = "less_than"


NEGATED = frozenset({Operator.IS_NOT, Operator.NOT_INCLUDES})
PRESENCE = frozenset({Operator.PRESENT, Operator.NOT_PRESENT})
NUMERIC = frozenset({Operator.GREATER_THAN, Operator.LESS_THAN})


@lru_cache(maxsize=4096)
def same_word(value: str) -> str:
    """The form in which two spellings of a value are equal: case, spaces, _ and - don't count."""
    return _SEPARATORS.sub(" ", value.strip().lower())


@lru_cache(maxsize=4096)
def _same_words(values: tuple[str, ...]) -> frozenset[str]:
    return frozenset(same_word(value) for value in values)


@lru_cache(maxsize=65536)
def _is_any(text: str, values: tuple[str, ...]) -> bool:
    """Whether a fact, or one of the values it holds, is one of `values`."""
    wanted = _same_words(values)
    if same_word(text) in wanted:
        return True
    return "," in text and any(same_word(part) in wanted for part in text.split(",") if part)


def number(text: str) -> float | None:
    """The number that a text is; None when it is none."""
    try:
        return float(text)
    except ValueError:
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Test:
    """One fact compared with some values. An empty value stands for "empty or not mapped"."""

    fact: str
    values: tuple[str, ...] = ()
    operator: Operator = Operator.IS

    def holds(self, facts: Facts) -> bool:
        """Whether the comparison is true."""
        text = facts(self.fact) or ""
        if self.operator in PRESENCE:
            return bool(text) is (self.operator is Operator.PRESENT)
        if self.operator in NUMERIC:
            return self._compares(text)
        return _is_any(text, self.values) is not (self.operator in NEGATED)

    def _compares(self, text: str) -> bool:
        """What is no number is neither greater nor less."""
        found, bound = number(text), number(self.values[0])
        if found is None or bound is None:
            return False
        return found > bound if self.operator is Operator.GREATER_THAN else found < bound

    def __str__(self) -> str:
        words = " or ".join(value or "empty" for value in self.values)
        if self.operator in (Operator.IS, Operator.WITHIN):
            return f"{self.fact} {words}"
        if self.operator in PRESENCE:
            return f"{self.fact} {'filled' if self.operator is Operator.PRESENT else 'empty'}"
        return f"{self.fact} {self.operator.replace('_', ' ')} {words}"


@dataclass(frozen=True, kw_only=True, slots=True)
class AnyOf:
    """At least one of some conditions holds."""

    conditions: tuple["Condition", ...]

    def holds(self, facts: Facts) -> bool:
        """Whether one of them holds."""
        return any(one.holds(facts) for one in self.conditions)

    def __str__(self) -> str:
        return f"({' or '.join(map(str, self.conditions))})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """All of its tests hold. Without tests it always holds."""

    tests: tuple[Test | AnyOf, ...] = ()

    def holds(self, facts: Facts) -> bool:
        """Whether every test holds."""
        for test in self.tests:  # noqa: SIM110 -- the hottest line there is; `all` takes twice as long
            if not test.holds(facts):
                return False
        return True

    def all_tests(self) -> Iterator[Test]:
        """Every single comparison in it, however deep."""
        for test in self.tests:
            if isinstance(test, Test):
                yield test
            else:
                for one in test.conditions:
                    yield from one.all_tests()

    def facts(self) -> frozenset[str]:
        """The names of the facts that it asks for."""
        return frozenset(test.fact for test in self.all_tests())

    def __str__(self) -> str:
        return ", ".join(map(str, self.tests))


EVERY_TICKET = Condition()


class Choice(Generic[T]):
    """Things that hang on conditions; remembers which of them hold for which facts.

    Tickets repeat each other: the same few words lead to the same targets each time.
    """

    __slots__ = ("_items", "_known", "_names")

    def __init__(self, items: Iterable[tuple[Condition, T]]) -> None:
        self._items = tuple(items)
        self._names = tuple(sorted(frozenset[str]().union(*(w.facts() for w, _ in self._items))))
        self._known: dict[tuple[str | None, ...], tuple[T, ...]] = {}

    def holding(self, facts: Facts) -> tuple[T, ...]:
        """Those whose condition holds, in their order."""
        key = tuple([facts(name) for name in self._names])
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            found = tuple(item for when, item in self._items if when.holds(facts))
            self._known[key] = found
        return found
