"""What a helpdesk is asked for over real HTTP, and what the answers tell: organizations, calls."""

from contextlib import contextmanager
from datetime import timedelta

import pytest
import requests

from connector.engine.journal import complete, extend, needs_history
from connector.helpdesks.base import Wants
from sandbox.application import create_sandbox
from sandbox.server import serving

SIGN_IN = {
    "zendesk": {"email": "agent@sandbox.test", "api_token": "sandbox"},
    "freshdesk": {"api_key": "sandbox"},
}
SUSPENDED = {"suspended": {"field": "on_hold", "of": "organization"}}


class Live:
    """A local helpdesk over HTTP, and our account there."""

    def __init__(self, desk, url):
        self.desk, self.url = desk, url
        self.http = requests.Session()
        self.http.trust_env = False
        if desk.kind == "freshdesk":
            self.control("switches", {"native_seconds": 0})

    def control(self, path, body=None):
        method = "GET" if body is None else "POST"
        answer = self.http.request(method, f"{self.url}/_sandbox/{path}", json=body, timeout=10)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def ticket(self, **named):
        wanted = {"subject": "Printer on fire", "organization": "Acme", "priority": "high"}
        return str(self.control("tickets", wanted | named)["id"])

    def customer(self, **named):
        return str(self.control("organizations", {"name": "Acme"} | named)["id"])

    def open(self, wants, **named):
        helpdesk = self.desk.open(
            wants=wants, base_url=self.url, sign_in=SIGN_IN[self.desk.kind], **named
        )
        helpdesk.prepare()
        helpdesk.identify()
        self.http.delete(f"{self.url}/_sandbox/requests", timeout=10)
        return helpdesk

    def asked(self):
        """The calls since the helpdesk was opened."""
        return self.control("requests")["counts"]


@contextmanager
def served(desk):
    with serving(create_sandbox(desk.kind, tickets=0)) as server:
        one = Live(desk, server.url)
        yield one
        one.http.close()


@pytest.fixture
def live(desk):
    with served(desk) as one:
        yield one


@pytest.fixture
def live_zendesk(zendesk):
    with served(zendesk) as one:
        yield one


def test_the_plan_and_the_domains_of_the_organization_are_read_where_they_are_wanted(live):
    ticket = live.ticket()
    customer = live.customer(domains=["Acme.Example"], fields={"plan": "Gold, patrol"})

    wanted = live.open(Wants(organizations=True)).read(ticket).ticket
    assert (wanted.plans, wanted.domains) == (("gold", "patrol"), ("acme.example",))
    not_wanted = live.open(Wants()).read(ticket).ticket
    assert (not_wanted.plans, not_wanted.domains) == ((), ())
    assert wanted.organization == not_wanted.organization == customer


def test_a_mapped_field_of_the_organization_is_read_whatever_the_policy_wants(live):
    live.desk.with_inputs(SUSPENDED)
    live.customer(fields={"on_hold": True})
    ticket = live.open(Wants()).read(live.ticket()).ticket

    assert ticket.values["suspended"] == "true"


def test_several_plans_stand_in_the_tags_of_an_organization(live_zendesk):
    live_zendesk.customer(tags=["plan_gold", "plan_patrol"])
    ticket = live_zendesk.open(Wants(organizations=True)).read(live_zendesk.ticket()).ticket

    assert ticket.plans == ("gold", "patrol")


def test_a_look_is_one_call_where_nothing_more_is_wanted(live):
    ticket = live.ticket()
    live.customer(fields={"plan": "gold"})
    live.open(Wants()).read(ticket)

    assert list(live.asked().values()) == [1]


def test_organizations_cost_zendesk_no_call_and_freshdesk_one_for_all_their_tickets(live):
    tickets = [live.ticket(subject=f"Printer {number}") for number in range(3)]
    helpdesk = live.open(Wants(organizations=True))
    found = helpdesk.read_many(tickets)

    assert len(found) == 3
    assert sum(live.asked().values()) == (1 if live.desk.kind == "zendesk" else 4)


def test_the_helpdesks_own_dates_are_read_where_they_are_wanted(live):
    live.control("clock", {"freeze": True})
    ticket = live.open(Wants(own_dues=True)).read(live.ticket()).ticket

    created = ticket.created_at
    assert ticket.own_dues == {
        "first_response": created + timedelta(hours=4),
        "resolution": created + timedelta(hours=24),
    }


def test_zendesk_is_not_asked_for_its_dates_without_need(live):
    ticket = live.open(Wants()).read(live.ticket()).ticket

    assert bool(ticket.own_dues) is (live.desk.kind == "freshdesk")  # there they come anyway


def look(helpdesk, ticket, past):
    """One look as the engine takes it."""
    reading = helpdesk.read(ticket)
    told = helpdesk.history(reading) if needs_history(past, reading) else None
    past = extend(past, reading, told)
    return past, complete(reading.ticket, past), told is not None


def test_a_call_is_found_by_the_look_after_it(live):
    live.control("clock", {"freeze": True})
    ticket, helpdesk = live.ticket(), live.open(Wants(calls=True))
    past, fresh, was_read = look(helpdesk, ticket, None)
    assert (fresh.calls, was_read) == ((), False)

    live.control("clock", {"advance_seconds": 600})
    live.control(f"tickets/{ticket}/call", {"as": "agent", "body": "Called back."})
    past, called, was_read = look(helpdesk, ticket, past)
    at = fresh.created_at + timedelta(seconds=600)
    assert ([one.at for one in called.calls], was_read) == ([at], True)
    assert called.replies == ()

    _, again, was_read = look(helpdesk, ticket, past)
    assert (again.calls, was_read) == (called.calls, False)


def test_a_call_of_the_customer_is_none_of_ours(live):
    ticket, helpdesk = live.ticket(), live.open(Wants(calls=True))
    live.control("clock", {"advance_seconds": 600})
    live.control(f"tickets/{ticket}/call", {"as": "customer", "body": "On the machine."})
    _, called, was_read = look(helpdesk, ticket, None)

    assert (called.calls, was_read) == ((), True)


def test_where_the_policy_takes_no_calls_they_cost_nothing(live):
    ticket, helpdesk = live.ticket(), live.open(Wants())
    past, _, _ = look(helpdesk, ticket, None)
    live.control("clock", {"advance_seconds": 600})
    live.control(f"tickets/{ticket}/call", {"as": "agent", "body": "Called back."})
    _, _, was_read = look(helpdesk, ticket, past)

    assert not was_read


def test_the_audits_say_who_changed_a_value(live_zendesk):
    ticket, helpdesk = live_zendesk.ticket(), live_zendesk.open(Wants())
    live_zendesk.control("clock", {"advance_seconds": 600})
    live_zendesk.control(f"tickets/{ticket}", {"priority": "urgent"})
    _, found, _ = look(helpdesk, ticket, None)

    assert [one.by_agent for one in found.changes_of("priority")] == [True]


# --- the journal of what an organization's fields were -------------------------------------------


def test_a_change_in_the_organization_is_journaled_and_outlives_a_history(live):
    live.desk.with_inputs(SUSPENDED)
    live.customer(fields={"on_hold": False})
    ticket = live.ticket()
    past, _, _ = look(live.open(Wants()), ticket, None)
    live.customer(fields={"on_hold": True})
    helpdesk = live.open(Wants())  # as after a restart: no company is at hand
    past, suspended, _ = look(helpdesk, ticket, past)
    assert [one.after for one in suspended.changes_of("suspended")] == ["true"]

    live.control("clock", {"advance_seconds": 600})
    live.control(f"tickets/{ticket}/reply", {"as": "agent", "body": "We know."})
    _, replied, was_read = look(helpdesk, ticket, past)
    assert replied.changes_of("suspended") == suspended.changes_of("suspended")
    assert len(replied.replies) == 1
    assert was_read is (live.desk.kind == "zendesk")
