"""What a condition says of a ticket's facts, in each operator, and how it is written."""

from typing import Any

import pytest

from mappings.conditions import Choice
from mappings.document.condition_form import condition_of

FACTS = {
    "impact": "High",
    "areas": "billing,Sign-in",
    "seats": "50",
    "place": "Dallas, Texas",
    "text": "many",
    "empty": "",
}

ROWS = [
    ({"impact": "high"}, True),
    ({"impact": ["low", "high"]}, True),
    ({"impact": {"is": "low"}}, False),
    ({"impact": {"is_not": "low"}}, True),
    ({"impact": {"is_not": ["low", "high"]}}, False),
    ({"missing": {"is_not": "low"}}, True),
    ({"impact": {"within": ["high", "highest"]}}, True),
    ({"areas": {"includes": "sign in"}}, True),
    ({"areas": "billing"}, True),
    ({"areas": {"includes": "bill"}}, False),
    ({"areas": {"not_includes": "sign_in"}}, False),
    ({"areas": {"not_includes": ["sales", "legal"]}}, True),
    ({"place": "dallas, texas"}, True),
    ({"impact": {"present": True}}, True),
    ({"empty": {"present": True}}, False),
    ({"missing": {"not_present": True}}, True),
    ({"impact": {"not_present": True}}, False),
    ({"empty": ""}, True),
    ({"missing": ["", "low"]}, True),
    ({"seats": {"greater_than": 49.5}}, True),
    ({"seats": {"greater_than": 50}}, False),
    ({"seats": {"less_than": "51"}}, True),
    ({"seats": {"greater_than": 10, "less_than": 20}}, False),
    ({"text": {"greater_than": 1}}, False),
    ({"missing": {"less_than": 1}}, False),
    ({"seats": 50}, True),
    ({"filled": ["impact", "areas"]}, True),
    ({"filled": ["impact", "empty"]}, False),
    ({"impact": "high", "seats": 51}, False),
    ({"any": [{"impact": "low"}, {"seats": 50, "areas": "billing"}]}, True),
    ({"any": [{"impact": "low"}, {"seats": 51}]}, False),
    ({"all": [{"impact": "high"}, {"any": [{"seats": 1}, {"seats": 50}]}]}, True),
    ({"impact": "high", "any": [{"seats": 1}]}, False),
    ({}, True),
]


@pytest.mark.parametrize(("written", "holds"), ROWS, ids=[str(row[0]) for row in ROWS])
def test_a_condition_holds(written: dict[str, Any], holds: bool) -> None:
    condition = condition_of(written)
    assert condition.holds(FACTS.get) is holds
    assert Choice([(condition, "it")]).holding(FACTS.get) == (("it",) if holds else ())


WORDS = [
    ({"impact": ["high", ""]}, "impact high or empty"),
    ({"impact": {"is_not": "low"}}, "impact is not low"),
    ({"areas": {"not_includes": "legal"}, "seats": {"less_than": 5}},
     "areas not includes legal, seats less than 5"),
    ({"filled": "impact", "seats": {"not_present": True}}, "impact filled, seats empty"),
    ({"any": [{"impact": "low"}, {"seats": 5}]}, "(impact low or seats 5)"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "told"), WORDS)
def test_a_condition_is_told_in_words(written: dict[str, Any], told: str) -> None:
    assert str(condition_of(written)) == told


MISTAKES = [
    ("high", "a condition is written as"),
    ({"impact": {"equals": "high"}}, "'equals' is no operator; known: is, is_not"),
    ({"impact": {"present": False}}, "'impact': write present: true"),
    ({"impact": {"greater_than": "much"}}, "greater_than needs one number"),
    ({"impact": {"less_than": [1, 2]}}, "less_than needs one number"),
    ({"impact": []}, "'impact' needs a word or a list of words"),
    ({"impact": [{"is": "high"}]}, "'impact' needs a word or a list of words"),
    ({"impact": None}, "'impact' needs a word or a list of words"),
    ({"any": {"impact": "high"}}, "'any' needs a list of conditions"),
    ({"all": []}, "'all' needs a list of conditions"),
]


@pytest.mark.parametrize(("written", "message"), MISTAKES, ids=[str(row[0]) for row in MISTAKES])
def test_what_is_no_condition_is_told_the_right_form(written: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        condition_of(written)


def test_a_choice_forgets_before_it_grows_without_end() -> None:
    choice = Choice([(condition_of({"text": "5"}), "five")])
    found = [choice.holding({"text": str(number)}.get) for number in range(10_000)]
    assert found.index(("five",)) == 5
    assert sum(map(bool, found)) == 1
