"""Answers that are not what the documents say: our own errors, or nothing, come of them."""

import pytest

from tests.helpdesks.conftest import BASE


@pytest.mark.parametrize("odd", [1.5, True, "OPEN", [1], {"a": 1}, None, ""])
def test_a_ticket_whose_id_is_none_is_left_out_of_a_bulk_read(zendesk, wire, odd):
    helpdesk = zendesk.open()
    zendesk.serve(wire)
    helpdesk.prepare()
    row = zendesk.sample("ticket")["ticket"]
    found = helpdesk._readings([row | {"id": odd}, row], {})
    assert [one.ticket.id for one in found] == ["35436"]


@pytest.mark.parametrize("odd", [[1], {"a": 1}, None])
def test_conversations_without_an_id_are_read(freshdesk, wire, odd):
    helpdesk = freshdesk.open()
    freshdesk.serve(wire)
    helpdesk.prepare()
    path = f"{BASE}/api/v2/tickets/20/conversations"
    rows = [one | {"id": odd} for one in freshdesk.sample("conversations")]
    wire.replace("GET", path, json=rows)
    assert helpdesk.history(helpdesk.read("20")).changes == ()


def test_the_answer_of_a_search_is_read_and_what_is_no_ticket_left_out(zendesk, freshdesk):
    row = zendesk.sample("ticket")["ticket"]
    results = [row | {"result_type": "ticket"}, {"id": 5, "result_type": "user"}]
    assert [one.id for one in zendesk.tickets({"results": results, "count": 2})] == ["35436"]
    theirs = {"total": 1, "results": [freshdesk.sample("ticket")]}
    assert [one.id for one in freshdesk.tickets(theirs)] == ["20"]
