"""The benchmark of calendar arithmetic finds answers that differ, and asks what it says it asks."""

import re
from datetime import UTC, timedelta

import pytest

from benchmarks import hours_questions
from benchmarks.hours_peers import LIBRARIES, Library
from benchmarks.hours_questions import CASES, DESK, OPERATIONS, SPANS, agreement, asking, cases


def cells(text):
    """The cells of a table's rows, without its head."""
    return [re.split(" {2,}", line) for line in text.splitlines()[2:]]


def test_deskclock_is_right_on_every_day_that_is_shown():
    rows = cells(cases(["deskclock"]))
    assert len(rows) == len(CASES) * len(OPERATIONS)
    assert [right for *_, right, _ in rows] == [answer for *_, answer in rows]


def test_a_library_that_is_a_second_late_agrees_nowhere(monkeypatch):
    def late(desk):
        right = LIBRARIES["deskclock"](desk)
        return Library(
            add=lambda start, amount: right.add(start, amount) + timedelta(seconds=1),
            between=lambda start, end: right.between(start, end) + 1,
            amount=right.amount,
            length=right.length,
        )

    monkeypatch.setitem(LIBRARIES, "late", late)
    monkeypatch.setattr(hours_questions, "_STARTS", 20)
    rows = cells(agreement(["deskclock", "late"], seconds=60))
    assert [row[3:5] for row in rows] == [["20", "0"]] * len(SPANS) * len(OPERATIONS)


@pytest.mark.parametrize("span", SPANS[1:], ids=lambda span: span.name)
def test_what_is_added_and_what_is_measured_are_of_like_length(span):
    ours = LIBRARIES["deskclock"](DESK)
    at = hours_questions.starts(UTC)[:200]
    add, questions = asking(ours, "add", span, at)
    added = sum((add(*question) - question[0] for question in questions), timedelta()) / len(at)
    assert added == pytest.approx(span.elapsed, rel=0.05)
