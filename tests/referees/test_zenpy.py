"""The local Zendesk, judged by zenpy: a client of the real one that we did not write."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests
from zenpy import Zenpy
from zenpy.lib.api_objects import Comment, CustomField, Ticket, TicketField, User
from zenpy.lib.exception import APIException, RecordNotFoundException, SearchResponseLimitExceeded

from sandbox.application import create_sandbox
from sandbox.server import Served, serving


@pytest.fixture
def served() -> Iterator[Served]:
    with serving(create_sandbox("zendesk", tickets=3, job_seconds=0.01)) as served:
        yield served


@pytest.fixture
def control(served):
    def call(path, body=None):
        with requests.Session() as session:
            session.trust_env = False
            return session.post(f"{served.url}/_sandbox/{path}", json=body, timeout=10).json()

    return call


@pytest.fixture
def zenpy(served, monkeypatch) -> Iterator[Zenpy]:
    monkeypatch.setenv("ZENPY_FORCE_SCHEME", "http")
    monkeypatch.setenv("ZENPY_FORCE_NETLOC", served.url.removeprefix("http://"))
    with requests.Session() as session:
        session.trust_env = False
        yield Zenpy(
            subdomain="local",
            email="agent@sandbox.test",
            token="sandbox",
            session=session,
            disable_cache=True,
        )


@pytest.fixture
def by_oauth(served, monkeypatch) -> Iterator[Zenpy]:
    monkeypatch.setenv("ZENPY_FORCE_SCHEME", "http")
    monkeypatch.setenv("ZENPY_FORCE_NETLOC", served.url.removeprefix("http://"))
    with requests.Session() as session:
        session.trust_env = False
        wanted = {"grant_type": "client_credentials", "scope": "read"}
        client = {"client_id": "sandbox", "client_secret": "sandbox"}
        answer = session.post(f"{served.url}/oauth/tokens", json=wanted | client, timeout=10)
        token = answer.json()["access_token"]
        yield Zenpy(subdomain="local", oauth_token=token, session=session, disable_cache=True)


def made(zenpy: Zenpy, **named) -> Ticket:
    wanted = {"subject": "Printer on fire", "description": "It burns."} | named
    return zenpy.tickets.create(Ticket(**wanted)).ticket


def finished(zenpy: Zenpy, job):
    end = time.monotonic() + 5
    while (seen := zenpy.job_status(id=job.id)).status != "completed":
        assert time.monotonic() < end
        time.sleep(0.01)
    return seen


def test_it_creates_and_reads_a_ticket(zenpy):
    requester = User(name="Zoé", email="zoe@example.test")
    ticket = made(zenpy, requester=requester, priority="high", type="incident", tags=["vip"])
    read = zenpy.tickets(id=ticket.id)
    assert (read.subject, read.priority, read.type, read.tags) == (
        "Printer on fire",
        "high",
        "incident",
        ["vip"],
    )
    assert (read.requester.name, read.requester.email) == ("Zoé", "zoe@example.test")
    assert datetime.fromisoformat(read.created_at).tzinfo is not None


def test_it_signs_in_by_oauth_and_may_do_what_it_was_granted(by_oauth):
    assert by_oauth.users.me().email == "agent@sandbox.test"
    assert [ticket.id for ticket in by_oauth.tickets()] == [1001, 1002, 1003]
    with pytest.raises(APIException, match="missing the following required scopes: write"):
        made(by_oauth)


def test_creation_answers_with_the_audit(zenpy):
    audit = zenpy.tickets.create(Ticket(subject="A", description="B"))
    assert audit.audit.ticket_id == audit.ticket.id
    assert "Create" in {event["type"] for event in audit.audit.events}


def test_it_lists_tickets_page_by_page(zenpy):
    ids = {made(zenpy, subject=f"Ticket {number}").id for number in range(5)}
    every = [ticket.id for ticket in zenpy.tickets(cursor_pagination=2)]
    assert ids < set(every)
    assert len(every) == len(set(every)) == 8


def test_it_lists_tickets_by_page_number(zenpy):
    listed = zenpy.tickets(cursor_pagination=False)
    assert len(listed) == 3
    assert [ticket.id for ticket in listed] == [1001, 1002, 1003]


def test_it_reads_many_by_id(zenpy):
    ids = [made(zenpy).id for _ in range(3)]
    assert [ticket.id for ticket in zenpy.tickets(ids=[*ids, 999_999])] == ids


def test_it_updates_a_ticket_with_a_comment(zenpy):
    ticket = made(zenpy)
    ticket.status = "pending"
    ticket.comment = Comment(body="Have you tried water?", public=True)
    audit = zenpy.tickets.update(ticket)
    assert audit.ticket.status == "pending"
    assert {event["type"] for event in audit.audit.events} == {"Comment", "Change"}
    texts = [(comment.body, comment.public) for comment in zenpy.tickets.comments(ticket)]
    assert texts == [("It burns.", True), ("Have you tried water?", True)]


def test_it_writes_a_custom_field(zenpy):
    field = zenpy.ticket_fields.create(TicketField(type="text", title="Shelf"))
    ticket = made(zenpy)
    ticket.custom_fields = [CustomField(id=field.id, value="B7")]
    zenpy.tickets.update(ticket)
    fields = {entry["id"]: entry["value"] for entry in zenpy.tickets(id=ticket.id).custom_fields}
    assert fields[field.id] == "B7"
    assert field.id in {known.id for known in zenpy.ticket_fields()}


def test_it_adds_replaces_and_removes_tags(zenpy):
    ticket = made(zenpy, tags=["one"])
    assert list(zenpy.tickets.add_tags(ticket.id, ["two"])) == ["one", "two"]
    assert list(zenpy.tickets.set_tags(ticket.id, ["three", "four"])) == ["four", "three"]
    zenpy.tickets.delete_tags(ticket.id, ["four"])
    assert list(zenpy.tickets.tags(ticket.id)) == ["three"]


def test_it_reads_audits_with_what_changed(zenpy):
    ticket = made(zenpy, priority="low")
    ticket.priority = "urgent"
    zenpy.tickets.update(ticket)
    audits = list(zenpy.tickets.audits(ticket=ticket.id))
    change = next(event for event in audits[-1].events if event["field_name"] == "priority")
    assert (change["previous_value"], change["value"]) == ("low", "urgent")
    assert audits[-1].author.email == "agent@sandbox.test"


def test_it_reads_the_metrics(zenpy):
    ticket = made(zenpy)
    ticket.comment = Comment(body="A reply", public=True)
    zenpy.tickets.update(ticket)
    assert zenpy.tickets.metrics(ticket).replies == 1


def test_its_incremental_generator_reaches_the_end(zenpy, control):
    ids = {made(zenpy).id for _ in range(4)}
    gone = made(zenpy)
    zenpy.tickets.delete(gone)
    control("clock", {"advance_seconds": 120})
    rows = list(zenpy.tickets.incremental(start_time=1, per_page=2))
    by_id = {ticket.id: ticket.status for ticket in rows}
    assert ids < set(by_id)
    assert by_id[gone.id] == "deleted"


def test_its_generator_by_time_reaches_the_end_too(zenpy, control):
    made(zenpy)
    control("clock", {"advance_seconds": 120})
    rows = zenpy.tickets.incremental(start_time=1, per_page=2, paginate_by_time=True)
    assert len({ticket.id for ticket in rows}) == 4


def test_its_event_generator_reads_the_updates(zenpy, control):
    ticket = made(zenpy, priority="low")
    control("clock", {"advance_seconds": 120})
    start = datetime.now(UTC) - timedelta(days=900)
    events = [e for e in zenpy.tickets.events(start_time=start) if e.ticket_id == ticket.id]
    assert [event.event_type for event in events] == ["Audit"]
    assert {child["event_type"] for child in events[0].child_events} == {"Create", "Comment"}


def test_its_bulk_update_is_a_job(zenpy):
    tickets = [made(zenpy) for _ in range(3)]
    for ticket in tickets:
        ticket.priority = "urgent"
    job = finished(zenpy, zenpy.tickets.update(tickets))
    assert [result.success for result in job.results] == [True] * 3
    assert {zenpy.tickets(id=ticket.id).priority for ticket in tickets} == {"urgent"}


def test_its_merge_is_a_job(zenpy):
    target, source = made(zenpy), made(zenpy)
    finished(zenpy, zenpy.tickets.merge(target, source))
    assert zenpy.tickets(id=source.id).status == "closed"


def test_it_searches(zenpy):
    ids = [made(zenpy, subject=f"Needle {number}", priority="urgent").id for number in range(3)]
    found = zenpy.search("Needle", type="ticket", sort_by="created_at", sort_order="asc")
    assert [ticket.id for ticket in found] == ids
    others = zenpy.search(type="ticket", status_less_than="solved", minus="Needle")
    assert {ticket.id for ticket in others} < {1001, 1002, 1003}
    day = datetime.now(UTC) - timedelta(days=1)
    assert len(list(zenpy.search("Needle", type="ticket", created_after=day))) == 3


def test_a_search_ends_at_its_limit(zenpy):
    with pytest.raises(SearchResponseLimitExceeded):
        zenpy.search._get(zenpy.search._build_url(zenpy.search.endpoint("x", page=11)))


def test_it_tells_errors_apart(zenpy):
    with pytest.raises(RecordNotFoundException):
        zenpy.tickets(id=999_999)
    ticket = made(zenpy)
    ticket.status = "closed"
    zenpy.tickets.update(ticket)
    ticket.priority = "low"
    with pytest.raises(APIException, match="closed prevents ticket update"):
        zenpy.tickets.update(ticket)


def test_it_knows_users_organizations_forms_and_statuses(zenpy):
    assert zenpy.users.me().email == "agent@sandbox.test"
    assert [form.name for form in zenpy.ticket_forms()] == ["Default Ticket Form"]
    assert [policy.title for policy in zenpy.sla_policies()] == ["Every ticket"]
    categories = {status.status_category for status in zenpy.custom_statuses()}
    assert categories == {"new", "open", "pending", "hold", "solved"}
    assert all(org.name for org in zenpy.organizations())


def test_it_restores_what_it_deleted(zenpy):
    ticket = made(zenpy)
    zenpy.tickets.delete(ticket)
    assert ticket.id in {gone.id for gone in zenpy.tickets.deleted()}
    zenpy.tickets.restore(ticket.id)
    assert zenpy.tickets(id=ticket.id).status == "new"
