"""What Freshdesk refuses, whose fault it is, and what an admin is told to do."""

import pytest

from connector.errors import (
    AccountSuspended,
    DatesRefused,
    RoleMissing,
    SignInRefused,
    TicketNotFound,
    TicketReadOnly,
    WriteBlocked,
    WriteConflict,
    WriteRefused,
)
from connector.helpdesks.base import Wants
from connector.helpdesks.freshdesk.client import Client
from connector.helpdesks.freshdesk.refusals import refused_sign_in
from connector.http import Session

BASE = "http://127.0.0.1:9"
API = f"{BASE}/api/v2"
OWN = frozenset({"cf_sla_state", "cf_sla_explanation"})
SENT = {
    "custom_fields": {"cf_sla_state": "sla_f_state_met"},
    "due_by": "2026-03-05T08:00:00Z",
    "fr_due_by": "2026-03-04T08:00:00Z",
    "tags": ["sla_sev_low"],
}
MANDATORY = "It should not be blank as this is a mandatory field"
CHOICE = "It should be one of these values: 'a,b'"


def flaw(field, message="wrong", code="invalid_value"):
    return {"field": field, "message": message, "code": code}


def invalid(*flaws):
    return {"description": "Validation failed", "errors": list(flaws)}


def put(wire, sent=SENT, **answer):
    wire.put(f"{API}/tickets/20", **answer)
    client = Client(Session(BASE, classify=refused_sign_in))
    client.update("20", sent, OWN)


# --- writes: what is wrong -> the error, and a part of its message --------------------------------

VALUES = {
    "mandatory field": ([flaw("custom_fields.cf_root_cause", MANDATORY)], WriteBlocked, "cf_root"),
    "mandatory type": (
        [flaw("type", MANDATORY)],
        WriteBlocked,
        "type: invalid_value «It should not be blank",
    ),
    "agent at closure": ([flaw("responder_id", MANDATORY)], WriteBlocked, "responder_id"),
    "foreign and ours": ([flaw("type"), flaw("due_by")], WriteBlocked, "before type is put right"),
    "a date": (
        [flaw("due_by", "It is too early")],
        DatesRefused,
        "due_by: invalid_value «It is too early",
    ),
    "state of the ticket": (
        [flaw("fr_due_by", "current state", "incompatible_field")],
        DatesRefused,
        "own fields are written instead",
    ),
    "a date and ours": ([flaw("due_by"), flaw("cf_sla_state")], DatesRefused, "due_by"),
    "choice missing": (
        [flaw("custom_fields.cf_sla_state", CHOICE)],
        WriteRefused,
        "add the choice",
    ),
    "of another type": (
        [flaw("cf_sla_state", code="datatype_mismatch")],
        WriteRefused,
        "of another type",
    ),
    "hidden": ([flaw("cf_sla_state", code="inaccessible_field")], WriteRefused, "show it there"),
    "gone": ([flaw("cf_sla_state", code="invalid_field")], WriteRefused, "no longer has the field"),
    "bracketed": (
        [flaw("custom_field[cf_sla_state]")],
        WriteRefused,
        "cf_sla_state: invalid_value «wrong",
    ),
    "old name": ([flaw("sla_state")], WriteRefused, "see the field and the mapping"),
    "ours, not sent": ([flaw("cf_sla_explanation", MANDATORY)], WriteRefused, "mandatory"),
    "tags": ([flaw("tags", "too long")], WriteRefused, "prefix"),
}


@pytest.mark.parametrize(("flaws", "error", "told"), VALUES.values(), ids=VALUES)
def test_a_refused_value_is_laid_at_the_right_door(wire, flaws, error, told):
    with pytest.raises(WriteRefused, match=told) as caught:
        put(wire, status=400, json=invalid(*flaws))
    assert type(caught.value) is error
    assert "ticket 20: «Validation failed»: " in str(caught.value)


def test_a_date_that_was_not_sent_is_somebody_elses(wire):
    with pytest.raises(WriteBlocked, match="due_by"):
        put(wire, sent={"tags": []}, status=400, json=invalid(flaw("due_by")))


STATUSES = [
    ({"status": 404}, TicketNotFound, "ticket 20"),
    ({"status": 405, "json": {"message": "PUT method is not allowed."}}, TicketReadOnly, "PUT"),
    ({"status": 409, "json": {"code": "inconsistent_state"}}, WriteConflict, "409"),
    ({"status": 400, "json": {"code": "invalid_json"}}, WriteRefused, "400"),
    ({"status": 400, "body": "<html>"}, WriteRefused, "400"),
    ({"status": 400, "json": {"errors": [7, {"field": None}, {}]}}, WriteRefused, "400"),
    ({"status": 400, "json": {"errors": {"a": 1}, "description": 3}}, WriteRefused, "400"),
    ({"status": 403, "json": {"code": "access_denied"}}, RoleMissing, "PUT /api/v2/tickets/{id}"),
    ({"status": 403, "json": {"code": "inaccessible_field"}}, WriteRefused, "hides the field"),
    ({"status": 403, "json": invalid(flaw("cf_x", "no", "access_denied"))}, WriteRefused, "cf_x"),
]


@pytest.mark.parametrize(("answer", "error", "told"), STATUSES)
def test_a_refused_write_is_named_by_its_status(wire, answer, error, told):
    with pytest.raises(error) as caught:
        put(wire, **answer)
    assert type(caught.value) is error
    assert told in str(caught.value)


SIGN_INS = [
    (401, {"code": "invalid_credentials"}, SignInRefused, "it is wrong, was reset or disabled"),
    (401, None, SignInRefused, "copy the key anew"),
    (403, {"code": "access_denied"}, RoleMissing, "global ticket scope"),
    (403, None, RoleMissing, "a role that may view and edit tickets"),
    (403, {"code": "require_feature"}, RoleMissing, "plan"),
    (403, {"code": "account_suspended"}, AccountSuspended, "suspended the account"),
    (401, {"code": "account_suspended"}, AccountSuspended, "suspended the account"),
    (403, {"code": "password_lockout"}, SignInRefused, "locked the sign-in"),
    (403, {"code": "password_expired"}, SignInRefused, "expired"),
]


@pytest.mark.parametrize(("status", "body", "error", "told"), SIGN_INS)
def test_a_refused_call_says_what_is_missing(freshdesk, wire, status, body, error, told):
    wire.get(f"{API}/agents/me", status=status, **({"json": body} if body else {"body": "<html>"}))

    with pytest.raises(error, match=told) as caught:
        freshdesk.open().identify()
    assert type(caught.value) is error
    assert str(caught.value).startswith("GET /api/v2/agents/me: ")
    assert "hush" not in str(caught.value)


# --- archived tickets ----------------------------------------------------------------------------


def test_an_archived_ticket_is_read_and_takes_no_writes(freshdesk, wire):
    freshdesk.serve(wire, status=404)
    archived = freshdesk.sample("ticket") | {"archived": True, "status": 5}
    wire.get(f"{API}/tickets/archived/20", json=archived)
    wire.get(f"{API}/tickets/archived/20/conversations", json=freshdesk.sample("conversations"))
    helpdesk = freshdesk.open()
    reading = helpdesk.read("20")

    assert (reading.read_only, reading.ticket.status.value) == ("archived", "closed")
    assert helpdesk.history(reading).replies


def test_a_ticket_that_is_nowhere_is_not_found(freshdesk, wire):
    freshdesk.serve(wire, status=404)
    wire.get(f"{API}/tickets/archived/20", status=404)

    with pytest.raises(TicketNotFound):
        freshdesk.open().read("20")


# --- companies that the key may not read ----------------------------------------------------------


def test_a_key_that_may_not_read_companies_holds_nothing(freshdesk, wire):
    freshdesk.serve(wire)
    denied = {"status": 403, "json": {"code": "access_denied"}}
    wire.get(f"{API}/companies", **denied)
    helpdesk = freshdesk.open(wants=Wants(organizations=True))
    assert any("may not read companies" in line for line in helpdesk.prepare())
    assert helpdesk.read("20").ticket.domains == ()
    assert not [call for call in wire.calls if "/companies/" in call.request.url]

    wire.remove("GET", f"{API}/companies")
    wire.get(f"{API}/companies", json=[])
    wire.get(f"{API}/companies/4300000000009", json={"id": 9, "domains": ["acme.example"]})
    assert not any("companies" in line for line in helpdesk.prepare())
    assert helpdesk.read("20").ticket.domains == ("acme.example",)


def test_a_right_that_is_taken_away_later_is_noticed_at_the_next_company(freshdesk, wire):
    freshdesk.serve(wire)
    wire.get(f"{API}/companies", json=[])
    wire.get(f"{API}/companies/4300000000009", status=403, json={"code": "access_denied"})
    helpdesk = freshdesk.open(wants=Wants(organizations=True))

    assert [helpdesk.read("20").ticket.domains for _ in "ab"] == [(), ()]
    assert len([call for call in wire.calls if "/companies/" in call.request.url]) == 1
