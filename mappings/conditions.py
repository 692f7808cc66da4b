"""Conditions over the facts of a ticket: every test must hold, each for any of its values."""

import re
from collections.abc import Callable
from dataclasses import dataclass

Facts = Callable[[str], str | None]

_SEPARATORS = re.compile(r"[\s_\-]+")


def same_word(value: str) -> str:
    """The form in which two spellings of a value are equal: case, spaces, _ and - don't count."""
    return _SEPARATORS.sub(" ", value.strip().lower())


@dataclass(frozen=True, kw_only=True, slots=True)
class Test:
    """One fact is one of some values. An empty value stands for "empty or not mapped"."""

    fact: str
    values: tuple[str, ...]

    def holds(self, facts: Facts) -> bool:
        """Whether the fact has one of the values."""
        value = facts(self.fact) or ""
        return any(same_word(value) == same_word(one) for one in self.values)


@dataclass(frozen=True, kw_only=True, slots=True)
class Filled:
    """One fact has any value at all."""

    fact: str

    def holds(self, facts: Facts) -> bool:
        """Whether the fact is filled."""
        return bool(facts(self.fact))


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """All of its tests hold. Without tests it always holds."""

    tests: tuple[Test | Filled, ...] = ()

    def holds(self, facts: Facts) -> bool:
        """Whether every test holds."""
        return all(test.holds(facts) for test in self.tests)

    def __str__(self) -> str:
        return ", ".join(
            f"{test.fact} {' or '.join(filter(None, test.values))}"
            if isinstance(test, Test)
            else f"{test.fact} filled"
            for test in self.tests
        )


EVERY_TICKET = Condition()
