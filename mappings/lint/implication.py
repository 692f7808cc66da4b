"""Knows, as far as that is simple, when one condition implies another or can never hold."""

from mappings.conditions import AnyOf, Condition, Operator, Test, number, same_word
from mappings.severity import CHANNEL, SEVERITY
from mappings.ticket import CLASS, PRIORITY, STATUS

#: facts that hold one value at a time; others may hold several
SINGLE = frozenset({SEVERITY, CLASS, CHANNEL, STATUS, PRIORITY})
_ANY_OF = frozenset({Operator.IS, Operator.WITHIN, Operator.INCLUDES})
_NONE_OF = frozenset({Operator.IS_NOT, Operator.NOT_INCLUDES})


def implies(narrow: Condition, wide: Condition) -> bool:
    """Whether every ticket that meets `narrow` surely meets `wide`."""
    return all(_surely(narrow, test) for test in wide.tests)


def never_holds(condition: Condition) -> bool:
    """Whether two parts of a condition surely exclude each other."""
    tests = [test for test in condition.tests if isinstance(test, Test)]
    pairs = ((one, other) for at, one in enumerate(tests) for other in tests[:at])
    return any(_exclude(one, other) or _exclude(other, one) for one, other in pairs)


def words(test: Test) -> frozenset[str]:
    """The values of a test, however they are spelled."""
    return frozenset(map(same_word, test.values))


def may_be(condition: Condition, fact: str, value: str) -> bool:
    """Whether a ticket whose fact (of one value) is `value` may meet the condition."""
    return not any(
        isinstance(test, Test) and test.fact == fact and not test.holds(lambda _: value)
        for test in condition.tests
    )


def _surely(narrow: Condition, wide: Test | AnyOf) -> bool:
    if isinstance(wide, AnyOf) and any(implies(narrow, one) for one in wide.conditions):
        return True
    return any(_follows(test, wide) for test in narrow.tests)


def _follows(narrow: Test | AnyOf, wide: Test | AnyOf) -> bool:
    """Whether `wide` holds whenever `narrow` does."""
    if isinstance(narrow, AnyOf):
        return all(_surely(one, wide) for one in narrow.conditions)
    return isinstance(wide, Test) and narrow.fact == wide.fact and _of_one_fact(narrow, wide)


def _of_one_fact(narrow: Test, wide: Test) -> bool:
    if narrow.operator in _ANY_OF:
        return _from_any_of(narrow, wide)
    if narrow.operator in _NONE_OF:
        absent = wide.operator in _NONE_OF and words(wide) <= words(narrow)
        return absent or (wide.operator is Operator.PRESENT and "" in words(narrow))
    if narrow.operator in (Operator.GREATER_THAN, Operator.LESS_THAN):
        return wide.operator is Operator.PRESENT or _tighter(narrow, wide)
    return narrow.operator is wide.operator


def _from_any_of(narrow: Test, wide: Test) -> bool:
    given = words(narrow)
    if wide.operator in _ANY_OF:
        return given <= words(wide)
    if wide.operator in _NONE_OF:
        return narrow.fact in SINGLE and given.isdisjoint(words(wide))
    if wide.operator is Operator.PRESENT:
        return "" not in given
    return wide.operator is Operator.NOT_PRESENT and given == {""}


def _tighter(narrow: Test, wide: Test) -> bool:
    one, other = number(narrow.values[0]), number(wide.values[0]) if wide.values else None
    if narrow.operator is not wide.operator or one is None or other is None:
        return False
    return one >= other if narrow.operator is Operator.GREATER_THAN else one <= other


def _exclude(one: Test, other: Test) -> bool:
    if one.fact != other.fact:
        return False
    if one.operator in _ANY_OF and other.operator in _ANY_OF:
        return one.fact in SINGLE and words(one).isdisjoint(words(other))
    if one.operator in _ANY_OF and other.operator in _NONE_OF:
        return words(one) <= words(other)
    if one.operator in _ANY_OF and other.operator is Operator.NOT_PRESENT:
        return "" not in words(one)
    return one.operator is Operator.PRESENT and other.operator is Operator.NOT_PRESENT
