"""The explanation, read as a support lead would."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mappings.evaluate import evaluate
from mappings.explain import reasons, text, utc
from mappings.sentences import length, moment
from tests.builders import LONDON, a_ticket, history, local, user_support

ZONE = ZoneInfo(LONDON)


def told(at: str, now: str, events: str = "", **values: Any) -> list[str]:
    ticket = a_ticket(at=local(at), events=history(events), **values)
    found = evaluate(ticket, user_support(), local(now))
    return [text(reason, ZONE) for reason in reasons(found)]


def test_a_due_date_can_be_checked_by_hand() -> None:
    lines = told("Fri 03-27 16:00", "Fri 03-27 16:00", severity="medium")
    assert (
        "Open hours counted for the first response: Fri 2026-03-27 16:00 to 18:00 (2 h), "
        "Mon 2026-03-30 09:00 to 11:00 (2 h), 4 h in all." in lines
    )
    assert (
        "The resolution (severity medium) is promised within 1 business day, counted in business "
        "hours, from Fri 2026-03-27 16:00 (by the policy)." in lines
    )


SENTENCES = [
    (
        "Sat 03-07 03:00",
        "Sat 03-07 03:00",
        "",
        {"severity": "critical"},
        (
            "Tier 3 because of: severity critical, category empty or platform-wide failure or "
            "data corruption or external integration."
        ),
    ),
    (
        "Mon 03-02 10:00",
        "Mon 03-02 10:30",
        "03-02 10:20 status=solved",
        {"severity": "low"},
        (
            "No public reply by a person was made before the solve at Mon 2026-03-02 10:20; "
            "the solve fulfils the first response."
        ),
    ),
    (
        "Mon 03-02 10:00",
        "Mon 03-02 10:30",
        "",
        {"assessed": "blocker"},
        "The severity 'blocker' names no severity of this policy and was passed over.",
    ),
    (
        "Mon 03-02 10:00",
        "Mon 03-02 12:00",
        "03-02 11:00 status=on_hold",
        {"severity": "low"},
        (
            "Waiting (third party) from Mon 2026-03-02 11:00 still: this policy lets the "
            "clock run for the resolution."
        ),
    ),
    (
        "Fri 03-06 18:05",
        "Fri 03-06 18:05",
        "",
        {"severity": "high"},
        (
            "The first response (severity high) is promised within 4 hours, every hour of the "
            "day counts; reported while closed, from Fri 2026-03-06 18:05 (by the policy)."
        ),
    ),
    (
        "Mon 03-02 10:00",
        "Mon 03-02 10:00",
        "",
        {"channel": "forum"},
        "No service level applies (channel): channel forum.",
    ),
]


@pytest.mark.parametrize(
    ("at", "now", "events", "values", "sentence"), SENTENCES, ids=[r[4][:40] for r in SENTENCES]
)
def test_sentences(at: str, now: str, events: str, values: dict[str, Any], sentence: str) -> None:
    assert sentence in told(at, now, events, **values)


def test_an_instant_is_shown_with_seconds_only_where_it_has_some() -> None:
    at = local("Fri 03-06 18:45")
    assert moment(at, ZONE) == "Fri 2026-03-06 18:45"
    assert moment(local("03-06 18:45:07"), ZONE) == "Fri 2026-03-06 18:45:07"
    assert utc(local("07-06 18:45")) == "2026-07-06T17:45:00Z"


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, "0 min"), (59, "59 s"), (16_200, "4 h 30 min"), (3601, "1 h 1 s")]
)
def test_lengths(seconds: int, expected: str) -> None:
    assert length(seconds) == expected
