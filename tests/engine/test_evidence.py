"""What is stored of an answer has codes and figures; sentences are made when somebody reads."""

from typing import Any

import pytest

from connector.engine.evidence import explained
from connector.engine.explaining import explain_ticket
from mappings.answer import as_json
from tests.engine.conftest import Desk, Opener


def shown(desk: Desk, ticket: str) -> list[dict[str, Any]]:
    zone = desk.account.assignments[0].newest.zone
    return explained(desk.row(ticket)["evaluation"], zone)


def test_the_stored_answer_reads_as_the_one_that_a_person_is_given(desk_anywhere: Desk) -> None:
    desk = desk_anywhere
    ticket = desk.create()
    desk.advance(60)
    desk.reply(ticket)
    desk.enrich(ticket)
    evaluation = explain_ticket(desk.database, desk.account, ticket)
    stored = desk.row(ticket)["evaluation"]["explanation"]
    assert shown(desk, ticket) == as_json(evaluation)["explanation"]
    assert [one for one in stored if "text" in one or "values" not in one] == []


def test_what_a_helpdesk_had_to_have_otherwise_is_told_after_the_reasons(
    open_desk: Opener, freshdesk: Desk
) -> None:
    native = open_desk("freshdesk", freshdesk.database, mode="native")
    ticket = native.create(priority="low")
    native.enrich(ticket)
    native.reply(ticket)
    native.edit(ticket, priority="urgent")
    native.enrich(ticket)
    *reasons, last = shown(native, ticket)
    assert (last["code"], "first response" in last["text"]) == ("as_written", True)
    assert [one for one in reasons if one["code"] == "as_written"] == []


def test_a_record_of_an_earlier_release_is_told_as_it_was_written() -> None:
    line = {"code": "class", "text": "The request counts as: incident.", "source": None}
    record = {"policy": {"id": "a", "version": "sha256:1"}, "explanation": [line]}
    assert explained(record, None) == [line]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "is_over"),
    [
        pytest.param({"priority": "low"}, False, id="open"),
        pytest.param({"status": "pending"}, False, id="pending"),
        pytest.param({"status": "solved"}, True, id="solved"),
    ],
)
def test_a_ticket_that_is_over_is_known_to_be(
    desk: Desk, change: dict[str, str], is_over: bool
) -> None:
    ticket = desk.create()
    desk.edit(ticket, **change)
    desk.enrich(ticket)
    assert desk.row(ticket)["is_over"] is is_over


def test_a_deleted_ticket_is_over(freshdesk: Desk) -> None:
    ticket = freshdesk.create()
    freshdesk.enrich(ticket)
    freshdesk.delete(ticket)
    freshdesk.enrich(ticket)
    row = freshdesk.row(ticket)
    assert (row["state"], row["is_over"]) == ("cancelled", True)
