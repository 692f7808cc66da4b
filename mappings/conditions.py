"""Conditions over the facts of a ticket: every test must hold, each for any of its values."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

Facts = Callable[[str], str | None]

_SEPARATORS = re.compile(r"[\s_\-]+")


@lru_cache(maxsize=4096)
def same_word(value: str) -> str:
    """The form in which two spellings of a value are equal: case, spaces, _ and - don't count."""
    return _SEPARATORS.sub(" ", value.strip().lower())


@lru_cache(maxsize=4096)
def _same_words(values: tuple[str, ...]) -> frozenset[str]:
    return frozenset(same_word(value) for value in values)


@dataclass(frozen=True, kw_only=True, slots=True)
class Test:
    """One fact is one of some values. An empty value stands for "empty or not mapped"."""

    fact: str
    values: tuple[str, ...]

    def holds(self, facts: Facts) -> bool:
        """Whether the fact has one of the values."""
        return same_word(facts(self.fact) or "") in _same_words(self.values)


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
        for test in self.tests:  # noqa: SIM110 -- the hottest line there is; `all` takes twice as long
            if not test.holds(facts):
                return False
        return True

    def __str__(self) -> str:
        return ", ".join(
            f"{test.fact} {' or '.join(filter(None, test.values))}"
            if isinstance(test, Test)
            else f"{test.fact} filled"
            for test in self.tests
        )


EVERY_TICKET = Condition()
