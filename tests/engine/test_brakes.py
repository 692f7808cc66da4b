"""The brakes: fields given up, contested everywhere, tickets that oscillate or take no writes."""

from typing import Any

import pytest

from connector.engine import accounts, brakes, evidence
from connector.errors import DatesRefused
from connector.store import tables
from connector.store.database import now
from tests.engine.conftest import Desk, Opener


@pytest.fixture
def native(open_desk: Opener, sqlite: Any) -> Desk:
    return open_desk("freshdesk", sqlite, "native")


def contested(desk: Desk) -> frozenset[str]:
    with desk.database.read() as conn:
        return brakes.contested(conn, "acme")


# --- fields --------------------------------------------------------------------------------------


def test_only_the_field_that_is_fought_over_is_given_up(zendesk: Desk) -> None:
    ticket = zendesk.create()
    for _ in range(4):
        zendesk.look(ticket)
        zendesk.advance(2)
        zendesk.edit(ticket, tags=["theirs"])
    assert set(zendesk.row(ticket)["conceded"]) == {"state", "tier", brakes.TAGS}
    severity = zendesk.stands(ticket).fields["severity"]
    zendesk.edit(ticket, priority="low")
    zendesk.look(ticket)
    assert zendesk.stands(ticket).fields["severity"] != severity


def test_each_time_that_something_replaced_our_values_is_counted(zendesk: Desk) -> None:
    ticket = zendesk.create()
    for _ in range(3):
        zendesk.look(ticket)
        zendesk.advance(2)
        zendesk.edit(ticket, tags=["theirs"])
    zendesk.look(ticket)
    assert len(zendesk.evidence(ticket, evidence.OVERWRITTEN)) == 3


def test_a_field_that_many_tickets_lose_is_written_nowhere_for_an_hour(
    zendesk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets = [zendesk.create() for _ in range(brakes.CONTESTED_AFTER)]
    for _ in range(4):
        zendesk.look(*tickets)
        zendesk.advance(2)
        for ticket in tickets:
            zendesk.edit(ticket, tags=["theirs"])
    assert brakes.TAGS in contested(zendesk)
    other = zendesk.create()
    zendesk.look(other)
    assert not zendesk.stands(other).tags
    assert zendesk.stands(other).fields["explanation"]
    held = zendesk.account_row()["contested"]
    hour_ago = {name: at - brakes.CONTESTED_SECONDS for name, at in held.items()}
    zendesk.change(tables.account, contested=hour_ago)
    assert not contested(zendesk)
    zendesk.look(other)
    assert zendesk.right(other)


# --- tickets -------------------------------------------------------------------------------------


def test_a_ticket_whose_answer_goes_to_and_fro_is_parked_and_a_hint_tries_once(desk: Desk) -> None:
    ticket = desk.create(priority="low")
    for turn in range(brakes.ANSWERS_AT_MOST + 1):
        desk.edit(ticket, priority="high" if turn % 2 else "low")  # all within some seconds
        desk.look(ticket)
        assert bool(desk.row(ticket)["parked"]) == (turn == brakes.ANSWERS_AT_MOST)
    assert "oscillating" in desk.row(ticket)["parked"]
    desk.change(tables.evidence, at=1.0)
    desk.edit(ticket, priority="urgent")
    desk.look(ticket)
    assert desk.row(ticket)["parked"] is None
    assert desk.right(ticket)


def test_a_ticket_that_takes_no_writes_as_it_stands_is_evaluated_and_waits_for_a_change(
    freshdesk: Desk,
) -> None:
    ticket, other = freshdesk.create(), freshdesk.create(type="Question")
    freshdesk.control("POST", "switches", {"type_required_on_update": True})
    freshdesk.enrich(ticket, other)
    row = freshdesk.row(ticket)
    assert "type" in row["write_blocked"]
    assert (row["attempts"], row["parked"], row["state"]) == (0, None, "running")
    assert row["look_at"] is not None
    assert freshdesk.right(other)
    freshdesk.forget_requests()
    freshdesk.look(ticket)
    assert freshdesk.sent() == 0
    freshdesk.advance(2)
    freshdesk.edit(ticket, type="Question")
    freshdesk.look(ticket)
    assert freshdesk.row(ticket)["write_blocked"] is None
    assert freshdesk.right(ticket)


def test_other_advice_has_the_tickets_tried_again_that_were_left_alone(freshdesk: Desk) -> None:
    ticket = freshdesk.create()
    freshdesk.control("POST", "switches", {"type_required_on_update": True})
    freshdesk.enrich(ticket)
    freshdesk.control("POST", "switches", {"type_required_on_update": False})
    with freshdesk.database.write() as conn:
        assert accounts.advise(conn, "acme", ["the field was hidden"])
        assert not accounts.advise(conn, "acme", ["the field was hidden"])
        assert accounts.advise(conn, "acme", [])
    freshdesk.drain()
    assert freshdesk.right(ticket)


# --- Freshdesk's own dates -----------------------------------------------------------------------


def test_dates_that_are_refused_go_to_own_fields_until_they_change(native: Desk) -> None:
    ticket = native.create()
    native.helpdesk.once("write", refuse_dates, before=True)
    native.enrich(ticket)
    native.drain_until_quiet()
    assert brakes.NATIVE in native.row(ticket)["conceded"]
    assert native.api("GET", f"/tickets/{ticket}")["custom_fields"]["cf_sla_resolution_due_at"]
    assert native.row(ticket)["parked"] is None
    native.edit(ticket, priority="low")
    native.look(ticket)
    shown = native.api("GET", f"/tickets/{ticket}")
    due = native.metric(ticket, "resolution")["due_at"]
    assert shown["due_by"] == due
    assert brakes.NATIVE not in (native.row(ticket)["conceded"] or {})


def verified_before(desk: Desk) -> float:
    """The latest instant at which a date that was written now is to be looked at."""
    with desk.database.read() as conn:
        return now(conn) + 30


def refuse_dates() -> None:
    raise DatesRefused("due_by: not now")


def test_a_date_that_the_native_engine_replaces_is_looked_for_counted_and_conceded(
    native: Desk,
) -> None:
    native.control("POST", "switches", {"engine": "new", "native_overwrites": True})
    ticket = native.create()
    native.advance(3)  # our write moves "last updated", so that no later read passes for an old one
    native.hint(ticket)
    for _ in range(8):
        native.drain()
        if native.row(ticket)["conceded"]:
            break
        assert native.row(ticket)["look_at"] <= verified_before(native)
        native.advance(3)
        native.now_due(ticket)
    assert len(native.evidence(ticket, evidence.OVERWRITTEN)) >= 2
    assert "resolution_due_at" in native.row(ticket)["conceded"]
    native.forget_requests()
    native.now_due(ticket)
    native.drain()
    assert native.sent() == 0
