"""What Zendesk's refusals mean to us: every envelope, for a ticket, for a row, for the account."""

from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from connector.errors import (
    AccountSuspended,
    HelpdeskUnreachable,
    RateLimited,
    RoleMissing,
    SignInRefused,
    TicketNotFound,
    TicketReadOnly,
    WriteBlocked,
    WriteConflict,
    WriteRefused,
)
from connector.helpdesks.base import Plan
from connector.helpdesks.zendesk.client import Client
from connector.helpdesks.zendesk.plan import job_of
from connector.helpdesks.zendesk.refusals import MAX_REASON, reason_of
from connector.http import Answer, Session
from sandbox.application import create_sandbox
from sandbox.server import serving

BASE = "http://127.0.0.1:9"
API = f"{BASE}/api/v2"
OURS = {"custom_fields": [{"id": 501, "value": "x"}]}
CLOSED = "Status: closed prevents ticket update"


def invalid(**details):
    text = "Record validation errors"
    return {"error": "RecordInvalid", "description": text, "details": details}


def line(description, **more):
    return [{"description": description} | more]


REFUSALS = [
    pytest.param(409, {"error": "UpdateConflict", "description": "x"}, WriteConflict, id="update"),
    pytest.param(409, "UpdateConflict: Safe Update prevented it", WriteConflict, id="update-text"),
    pytest.param(404, {"error": "RecordNotFound", "description": "x"}, TicketNotFound, id="record"),
    pytest.param(404, "", TicketNotFound, id="nothing-said"),
    pytest.param(404, {"error": "InvalidEndpoint"}, HelpdeskUnreachable, id="endpoint"),
    pytest.param(404, "InvalidEndpoint: Not found", HelpdeskUnreachable, id="endpoint-text"),
    pytest.param(422, invalid(status=line(CLOSED)), TicketReadOnly, id="closed"),
    pytest.param(
        422, invalid(status=line(CLOSED, error="ClosedTicket")), TicketReadOnly, id="closed-named"
    ),
    pytest.param(422, invalid(base=line(CLOSED)), TicketReadOnly, id="closed-base"),
    pytest.param(422, f"RecordInvalid: {CLOSED}", TicketReadOnly, id="closed-text"),
    pytest.param(
        422,
        invalid(base=line("Cause: is required when solving", error=None, ticket_field_id=77)),
        WriteBlocked,
        id="required",
    ),
    pytest.param(422, invalid(base=line("Cause cannot be blank")), WriteBlocked, id="blank"),
    pytest.param(
        422, invalid(base=line("SLA due: is invalid", ticket_field_id=501)), WriteRefused, id="ours"
    ),
    pytest.param(422, {"error": "TooManyJobs", "description": "x"}, RateLimited, id="jobs"),
    pytest.param(422, "TooManyJobs: at most 30", RateLimited, id="jobs-text"),
    pytest.param(413, "<html>too large</html>", WriteRefused, id="too-large"),
    pytest.param(400, {"error": "Unparseable"}, WriteRefused, id="unparseable"),
    pytest.param(
        400, {"errors": [{"code": "InvalidValue", "title": "x", "detail": "y"}]}, WriteRefused,
        id="list",
    ),
    pytest.param(400, {"error": {"title": "Odd", "message": "z"}}, WriteRefused, id="object"),
    pytest.param(415, [], WriteRefused, id="no-object"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "expected"), REFUSALS)
def test_a_refused_write_has_its_own_error(wire, status, body, expected):
    said = {"body": body} if isinstance(body, str) else {"json": body}
    wire.put(f"{API}/tickets/1", status=status, **said)
    wire.put(f"{API}/tickets/update_many", status=status, **said)
    client = Client(Session(BASE, sleep=lambda _: None))

    with pytest.raises(expected) as caught:
        client.update("1", OURS)
    assert type(caught.value) is expected
    in_bulk = WriteBlocked if expected is WriteRefused and "SLA" in str(body) else expected
    with pytest.raises(in_bulk):  # there no field is ours alone
        client.update_many([OURS])


def test_a_reason_is_one_line_that_says_each_thing_once():
    body = {"error": "X", "description": "y", "details": {"base": [{"description": "y"}, 7, "z"]}}
    assert reason_of(Answer(status=422, headers={}, data=body)).text == "X: y: z"
    long = Answer(status=422, headers={}, data=None, text="a" * 999)
    assert len(reason_of(long).text) == MAX_REASON


@pytest.mark.parametrize("details", [None, 7, "x", [], [7], {"a": 7}, {"a": [None]}, {"a": "b"}])
def test_odd_details_break_nothing(details):
    body = {"error": "RecordInvalid", "details": details}

    assert reason_of(Answer(status=422, headers={}, data=body)).code == "RecordInvalid"


# --- rows of jobs --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"success": True}, None),
        ({"success": "true", "status": "Updated"}, None),
        ({"index": 0}, None),
        ({"success": False, "error": "UpdateConflict", "details": "…"}, WriteConflict),
        ({"success": False, "error": "DatabaseConflict"}, WriteConflict),
        ({"error": "RecordNotFound"}, TicketNotFound),
        ({"success": False, "error": "TicketUpdateFailed", "details": CLOSED}, TicketReadOnly),
        ({"success": False, "details": {"base": line("Cause: is required")}}, WriteBlocked),
        ({"success": False, "error": "TicketUpdateFailed", "details": "x"}, WriteRefused),
        ({"success": False}, WriteRefused),
        ({"success": None, "error": {}}, WriteRefused),
    ],
)
def test_each_row_ends_in_its_own_way(row, expected):
    job = job_of({"id": "j", "status": "completed", "results": [{"id": "7", **row}, {"id": None}]})

    assert [one.ticket_id for one in job.rows] == ["7"]
    assert type(job.rows[0].error) is (expected or type(None))


@pytest.mark.parametrize("first", [{"json": {"job_statuses": []}}, {"status": 404}, {"json": {}}])
def test_a_job_that_does_not_answer_is_found_in_the_list(zendesk, wire, first):
    wire.get(f"{API}/job_statuses/show_many", **first)
    listed = [{"id": "x", "status": "completed"}, {"id": "other", "status": "queued"}]
    wire.get(f"{API}/job_statuses", json={"job_statuses": listed})

    assert [job.id for job in zendesk.open().jobs(["x", "gone"])] == ["x"]


# --- refusals of the account ---------------------------------------------------------------------

FORBIDDEN = {"error": {"title": "Forbidden", "message": "You do not have access to this page"}}
SCOPE = {"error": {"title": "Forbidden", "message": "You are missing the following required "
                                                    "scopes: read"}}  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "expected", "words"),
    [
        ({"status": 403, "json": FORBIDDEN}, RoleMissing, "larger role"),
        ({"status": 403, "json": SCOPE}, RoleMissing, "required scopes: read»; give the OAuth"),
        ({"status": 403, "body": SCOPE["error"]["message"]}, RoleMissing, "scopes: read»; give"),
        ({"status": 403, "body": "<html>"}, RoleMissing, "no reason given"),
        (
            {"status": 403, "json": {"error": {"title": "x", "message": "Account suspended"}}},
            AccountSuspended,
            "suspended",
        ),
        ({"status": 404, "body": "This account has been suspended"}, AccountSuspended, "suspended"),
        ({"status": 401, "json": {"error": "Couldn't authenticate you"}}, SignInRefused, "API"),
    ],
)
def test_what_a_refusal_of_the_account_says_to_do(zendesk, wire, answer, expected, words):
    wire.get(f"{API}/users/me", **answer)

    with pytest.raises(SignInRefused, match=words) as caught:
        zendesk.open().identify()
    assert type(caught.value) is expected
    assert "hush" not in str(caught.value)


def test_a_call_that_the_account_lacks_is_no_missing_ticket(zendesk, wire):
    zendesk.serve(wire, status=404, json={"error": "InvalidEndpoint", "description": "Not found"})

    with pytest.raises(HelpdeskUnreachable, match="InvalidEndpoint"):
        zendesk.open().read("35436")


# --- the local Zendesk ---------------------------------------------------------------------------


SIGN_IN = {"email": "agent@sandbox.test", "api_token": "sandbox"}


class Live:
    """A local Zendesk with two tickets: our side, and a way to change what it does."""

    def __init__(self, desk, url):
        self._outside = Session(f"{url}/_sandbox")
        self.helpdesk = desk.open(base_url=url, sign_in=SIGN_IN)
        made = [self.control("/tickets", {"subject": "Printer"}) for _ in range(2)]
        self.first, self.second = (str(one["id"]) for one in made)

    def control(self, path, body):
        return self._outside.call("POST", path, body=body).data

    def plan(self, ticket_id, tag="sla_x"):
        stamp = self.helpdesk.read(ticket_id).raw["updated_stamp"]
        body = {"id": int(ticket_id), "safe_update": True, "updated_stamp": stamp}
        body |= {"additional_tags": [tag]}
        return Plan(ticket_id=ticket_id, fields={}, add_tags=frozenset({tag}), body=body)


@pytest.fixture
def served(zendesk):
    @contextmanager
    def serve(**settings):
        with serving(create_sandbox("zendesk", **({"tickets": 0} | settings))) as server:
            yield Live(zendesk, server.url)

    return serve


@pytest.fixture
def live(served):
    with served(job_seconds=0) as one:
        yield one


@pytest.mark.parametrize("bodies", ["json", "text"])
@pytest.mark.parametrize("shape", ["plain", "named", "base"])
def test_a_closed_ticket_is_told_in_every_shape(live, bodies, shape):
    live.control("/switches", {"closed_shape": shape, "error_bodies": bodies})
    plan = live.plan(live.first)
    live.control(f"/tickets/{live.first}", {"status": "closed"})

    with pytest.raises(TicketReadOnly):
        live.helpdesk.write(plan)


def test_collisions_in_the_database_are_repeated_and_named_when_they_go_on(live):
    plan = live.plan(live.first)
    live.control("/switches", {"database_conflicts": 1.0, "error_bodies": "text"})

    with pytest.raises(WriteConflict):
        live.helpdesk.write(plan)
    assert live.helpdesk.session.calls["PUT", "/api/v2/tickets/{id}/tags", 409] == 3


@pytest.mark.parametrize("status", [429, 422])
def test_too_many_jobs_make_the_account_wait(served, status):
    with served(job_seconds=60) as live:
        live.control("/switches", {"too_many_jobs_status": status})
        plan = live.plan(live.first)
        for _ in range(30):
            live.helpdesk.write_many([plan])
        with pytest.raises(RateLimited):
            live.helpdesk.write_many([plan])


def test_a_stale_row_of_a_job_is_a_conflict_and_the_others_are_written(live):
    stale, fresh = live.plan(live.first), live.plan(live.second)
    live.control("/clock", {"advance_seconds": 5})
    live.control(f"/tickets/{live.first}", {"priority": "urgent"})
    job = live.helpdesk.write_many([stale, fresh])
    for _ in range(500):
        if job.done:
            break
        (job,) = live.helpdesk.jobs([job.id])

    rows = {row.ticket_id: row.error for row in job.rows}
    assert isinstance(rows[live.first], WriteConflict)
    assert rows[live.second] is None
    assert "sla_x" in live.helpdesk.read(live.second).tags


def test_a_suspended_account_is_no_missing_ticket(live):
    live.control("/account", {"suspended": True})
    with pytest.raises(AccountSuspended):
        live.helpdesk.read(live.first)
    live.control("/switches", {"suspended_status": 404})
    with pytest.raises(HelpdeskUnreachable):
        live.helpdesk.read(live.first)


def test_a_role_that_is_too_small_is_named_by_the_exports(zendesk, wire):
    zendesk.serve(wire)
    wire.get(f"{API}/incremental/ticket_events", status=403, json=FORBIDDEN)

    with pytest.raises(RoleMissing, match=r"ticket_events.*admin"):
        zendesk.open().events(None, datetime(2026, 3, 2, tzinfo=UTC))


@pytest.mark.parametrize("status", [200, 204])
def test_tags_are_removed_whatever_the_answer_is(live, status):
    live.control("/switches", {"tags_delete_status": status})
    live.helpdesk.write(live.plan(live.first))
    plan = Plan(ticket_id=live.first, fields={}, remove_tags=frozenset({"sla_x"}))
    live.helpdesk.write(plan)

    assert "sla_x" not in live.helpdesk.read(live.first).tags
