"""A page of changes shows the past: a hint that came after it was read asks for more."""

from connector.engine import sync
from connector.engine.sync import CHANGES
from tests.engine.conftest import Desk


def test_a_hint_that_comes_once_a_page_was_read_is_not_answered_by_the_page(desk: Desk) -> None:
    with desk.database.write() as conn:
        sync.begin(conn, "acme")
    ticket = desk.create(priority="low")
    desk.enrich(ticket)
    desk.drain_until_quiet()
    desk.advance(5)
    desk.edit(ticket, tags=["vip", *desk.stands(ticket).tags])
    desk.advance(120)
    for _ in range(4):
        desk.helpdesk.real.identify()

    def somebody_is_faster() -> None:
        desk.edit(ticket, priority="urgent")
        desk.hint(ticket)

    desk.helpdesk.once("changes", somebody_is_faster)
    with desk.database.write() as conn:
        sync.request(conn, "acme", CHANGES)
    desk.drain_until_quiet()

    assert desk.row(ticket)["wanted"] > 1
    assert desk.row(ticket)["severity"] == "critical"
    assert desk.right(ticket)
