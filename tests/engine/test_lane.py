"""A hint ends with the right values in the ticket, and with nothing more being sent."""

from tests.engine.conftest import Desk


def test_a_hint_brings_fields_and_tags_into_the_ticket(desk_anywhere: Desk) -> None:
    desk = desk_anywhere
    ticket = desk.create()
    desk.enrich(ticket)
    seen = desk.stands(ticket)
    assert "sla_sev_high" in seen.tags
    assert seen.fields["severity"] == "High"
    assert seen.fields["first_response_due_at"]
    assert desk.right(ticket)
