"""Exceptions: another due for one ticket, promised in writing."""

import pytest

from mappings.entitlement import TicketException
from mappings.evaluate import evaluate
from mappings.policy import Metric
from tests.builders import a_ticket, history, local, shown, user_support

AT = local("Mon 03-02 10:00")  # critical: response 10:15, update 11:00, resolution 14:00


def excepted(written: str, until: str, metric: Metric | None = None) -> TicketException:
    return TicketException(
        reference="letter 17", written_at=local(written), until=local(until), metric=metric
    )


ROWS = [
    # before it is written nothing knows of it
    ("03-02 12:00", "03-02 18:00", "", "Mon 03-02 11:59", "14:00"),
    ("03-02 12:00", "03-02 18:00", "", "Mon 03-02 12:00", "18:00"),
    # it may be written after the breach, and takes it back from then on
    ("03-02 15:00", "03-02 18:00", "", "Mon 03-02 14:59", "14:00 breached"),
    ("03-02 15:00", "03-02 18:00", "", "Mon 03-02 15:00", "18:00"),
    ("03-02 15:00", "03-02 18:00", "", "Mon 03-02 18:00:01", "18:00 breached"),
    # what was fulfilled before it was written stays as it was judged
    (
        "03-02 15:00",
        "03-02 18:00",
        "03-02 14:30 status=solved",
        "Mon 03-02 16:00",
        "14:00 breached",
    ),
    ("03-02 12:00", "03-02 18:00", "03-02 14:30 status=solved", "Mon 03-02 16:00", "18:00"),
]


@pytest.mark.parametrize(("written", "until", "events", "now", "expected"), ROWS)
def test_an_exception(written, until, events, now, expected) -> None:
    ticket = a_ticket(at=AT, severity="critical", events=history(events))
    found = evaluate(ticket, user_support(), local(now), [excepted(written, until)])
    result = found.metric(Metric.RESOLUTION)
    late = " breached" if result.outcome.breached_at else ""
    assert f"{shown(result.outcome.due_at).rpartition(' ')[2]}{late}" == expected
    assert (result.exception is None) == ("14:00" in expected)


def test_the_writing_is_the_next_change() -> None:
    ticket = a_ticket(at=AT, severity="critical", events=history("03-02 10:05 reply"))
    later = [excepted("03-02 10:30", "03-02 18:00", Metric.RESOLUTION)]
    found = evaluate(ticket, user_support(), AT.replace(minute=10), later)
    assert shown(found.next_change_at) == "Mon 03-02 10:30"


def test_it_holds_for_the_cycle_in_which_it_was_written() -> None:
    written = [excepted("03-02 10:30", "03-02 13:00")]
    events = "03-02 12:00 reply"
    ticket = a_ticket(at=AT, severity="critical", events=history(events))
    before = evaluate(ticket, user_support(), local("Mon 03-02 11:30"), written)
    after = evaluate(ticket, user_support(), local("Mon 03-02 12:30"), written)
    dues = [one.metric(Metric.NEXT_UPDATE).outcome.due_at for one in (before, after)]
    assert list(map(shown, dues)) == ["Mon 03-02 13:00", "Mon 03-02 13:00"]
    assert [one.metric(Metric.NEXT_UPDATE).exception is None for one in (before, after)] == [
        False,
        True,
    ]


def test_of_two_the_later_one_holds_and_only_for_its_metric() -> None:
    both = [
        excepted("03-02 11:00", "03-02 20:00"),
        excepted("03-02 12:00", "03-02 18:00", Metric.RESOLUTION),
        excepted("03-02 12:30", "03-02 16:00", Metric.FIRST_RESPONSE),
    ]
    found = evaluate(
        a_ticket(at=AT, severity="critical"), user_support(), local("03-02 13:00"), both
    )
    dues = {one.metric: shown(one.outcome.due_at) for one in found.metrics}
    assert dues == {
        Metric.FIRST_RESPONSE: "Mon 03-02 16:00",
        Metric.NEXT_UPDATE: "Mon 03-02 20:00",
        Metric.RESOLUTION: "Mon 03-02 18:00",
    }
