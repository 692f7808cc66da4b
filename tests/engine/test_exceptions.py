"""A due that was promised otherwise for one ticket holds from when it is written, and is told."""

from datetime import datetime, timedelta

from connector.engine import exceptions
from connector.engine.intake import request_look
from connector.engine.rank import Rank
from connector.store import tables
from mappings.entitlement import TicketException
from mappings.policy import Metric
from tests.engine.conftest import Desk

DAY = timedelta(days=1)


def write(
    desk: Desk, ticket: str, *, metric: Metric | None = None, reference: str = "letter 17"
) -> datetime:
    """Write an exception of a day down, as the command does; returns the due that it gives."""
    with desk.database.write() as conn:
        at = exceptions.helpdesk_now(conn, "acme")
        one = TicketException(reference=reference, written_at=at, until=at + DAY, metric=metric)
        exceptions.write(conn, "acme", ticket, one, by="Ada")
        request_look(conn, "acme", [ticket], Rank.HINT, unpark=True)
    return one.until


def withdraw(desk: Desk, ticket: str, reference: str = "letter 17") -> int:
    with desk.database.write() as conn:
        count = exceptions.withdraw(conn, "acme", ticket, reference, metric=None, by="Bob")
        request_look(conn, "acme", [ticket], Rank.HINT, unpark=True)
    return count


def due(desk: Desk, ticket: str, metric: str) -> datetime:
    return datetime.fromisoformat(desk.metric(ticket, metric)["due_at"])


def test_an_exception_gives_the_due_at_the_next_look(desk_anywhere: Desk) -> None:
    desk = desk_anywhere
    ticket, other = desk.create(), desk.create()
    desk.enrich(ticket, other)
    until = write(desk, ticket)
    desk.drain()

    assert (due(desk, ticket, "first_response"), due(desk, ticket, "resolution")) == (until, until)
    assert due(desk, other, "resolution") < until
    assert datetime.fromisoformat(str(desk.stands(ticket).fields["resolution_due_at"])) == until
    assert desk.right(ticket)


def test_an_exception_for_one_metric_leaves_the_others_alone(desk: Desk) -> None:
    ticket = desk.create()
    desk.enrich(ticket)
    before = due(desk, ticket, "first_response")
    until = write(desk, ticket, metric=Metric.RESOLUTION)
    desk.drain()
    assert (due(desk, ticket, "first_response"), due(desk, ticket, "resolution")) == (before, until)


def test_what_is_withdrawn_holds_no_longer_and_stays_on_record(desk_anywhere: Desk) -> None:
    desk = desk_anywhere
    ticket = desk.create()
    desk.enrich(ticket)
    before = due(desk, ticket, "resolution")
    write(desk, ticket)
    desk.drain()
    counts = [withdraw(desk, ticket, one) for one in ("another letter", "letter 17", "letter 17")]
    desk.drain()

    assert (counts, due(desk, ticket, "resolution")) == ([0, 1, 0], before)
    (row,) = desk.rows(tables.ticket_exception)
    assert (row["written_by"], row["withdrawn_by"]) == ("Ada", "Bob")
    assert row["withdrawn_at"] >= row["written_at"]
    kinds = [one for one in desk.evidence(ticket) if "excep" in one]
    assert kinds == [exceptions.EXCEPTED, exceptions.WITHDRAWN]
    assert desk.right(ticket)


def test_the_record_says_what_was_written_down(desk: Desk) -> None:
    ticket = desk.create()
    until = write(desk, ticket, metric=Metric.RESOLUTION)
    desk.drain()
    (line,) = desk.evidence(ticket, exceptions.EXCEPTED)
    assert (line["reference"], line["metric"], line["by"]) == ("letter 17", "resolution", "Ada")
    assert datetime.fromisoformat(line["until"]) == until
    (told,) = [
        one for one in desk.row(ticket)["evaluation"]["explanation"] if one["code"] == "exception"
    ]
    assert told["values"]["reference"] == "letter 17"


def test_an_exception_is_written_by_the_helpdesks_clock(desk: Desk) -> None:
    ticket = desk.create()
    desk.enrich(ticket)
    desk.advance(9 * 3600)
    for _ in range(3):
        desk.helpdesk.real.identify()
        desk.look(ticket)
    until = write(desk, ticket)
    desk.drain()
    assert due(desk, ticket, "resolution") == until
    (row,) = desk.rows(tables.ticket_exception)
    assert row["written_at"] <= desk.row(ticket)["evaluated_at"]


def test_an_exception_that_is_written_during_a_look_leads_to_one_more(desk: Desk) -> None:
    ticket, found = desk.create(), []
    read = "read" if desk.kind == "freshdesk" else "write_many"
    desk.helpdesk.once(read, lambda: found.append(write(desk, ticket)))
    desk.enrich(ticket)
    desk.hurry()
    desk.drain_if_due()
    assert [due(desk, ticket, "resolution")] == found
