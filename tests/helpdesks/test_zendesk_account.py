"""What a Zendesk account has of its own: fields, forms, custom statuses, and advice about them."""

from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import requests

from connector.errors import BudgetSpent, HelpdeskUnreachable
from connector.helpdesks.base import Room
from connector.helpdesks.zendesk import connect
from connector.helpdesks.zendesk.catalogue import hidden_lines, read_catalogue
from connector.http import Charge
from connector.settings import AccountSettings
from connector.store.budget import StoredBudget
from sandbox.application import create_sandbox
from sandbox.server import serving

BASE = "http://127.0.0.1:9"
API = f"{BASE}/api/v2"
SIGN_IN = {"email": "agent@sandbox.test", "api_token": "sandbox"}
EARLY = datetime(2020, 1, 1, tzinfo=UTC)
VENDOR = "waiting for vendor"  # of the category hold


class Live:
    """A local Zendesk over HTTP."""

    def __init__(self, desk, url):
        self.desk, self.url = desk, url
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.auth = ("agent@sandbox.test/token", "sandbox")

    def call(self, method, path, body=None):
        answer = self.http.request(method, self.url + path, json=body, timeout=10)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def control(self, path, body=None, method="POST"):
        return self.call(method, f"/_sandbox/{path}", body)

    def ticket(self):
        return str(self.control("tickets", {"subject": "Printer"})["id"])

    def put_status(self, ticket, label):
        rows = self.call("GET", "/api/v2/custom_statuses")["custom_statuses"]
        (status_id,) = (one["id"] for one in rows if one["agent_label"].lower() == label)
        wanted = {"ticket": {"custom_status_id": status_id}}
        self.call("PUT", f"/api/v2/tickets/{ticket}", wanted)
        return str(status_id)

    def open(self, **named):
        return self.desk.open(base_url=self.url, sign_in=SIGN_IN, **named)


@pytest.fixture
def live(zendesk):
    @contextmanager
    def serve():
        with serving(create_sandbox("zendesk", tickets=0)) as server:
            one = Live(zendesk, server.url)
            yield one
            one.http.close()

    with serve() as one:
        yield one


def naming(desk, statuses=(), waiting=()):
    """The mapping with more statuses, and more causes to wait."""
    for key, rows in (("statuses", dict(statuses)), ("waiting", dict(waiting))):
        lines = "".join(f'  "{word}": {ours}\n' for word, ours in rows.items())
        desk.fields = desk.fields.replace(f"{key}:\n", f"{key}:\n{lines}", 1)


# --- custom statuses -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statuses", "waiting", "expected"),
    [
        ({}, {}, ("on_hold", "third_party")),  # by the category
        ({VENDOR: "open"}, {}, ("open", None)),
        ({VENDOR: "on_hold"}, {VENDOR: "maintenance"}, ("on_hold", "maintenance")),
        ({}, {VENDOR: "maintenance"}, ("on_hold", "maintenance")),
    ],
)
def test_a_custom_status_counts_for_what_the_mapping_says_of_it(live, statuses, waiting, expected):
    naming(live.desk, statuses, waiting)
    ticket = live.ticket()
    live.put_status(ticket, VENDOR)
    found = live.open().read(ticket).ticket

    assert (found.values["status"], found.values["waiting"]) == expected
    assert found.remarks == ()


def test_an_id_names_a_custom_status_too_also_without_network(live, zendesk):
    ticket = live.ticket()
    status_id = live.put_status(ticket, VENDOR)
    naming(live.desk, waiting={status_id: "maintenance"})
    assert live.open().read(ticket).ticket.values["waiting"] == "maintenance"
    document = live.call("GET", f"/api/v2/tickets/{ticket}?include=metric_sets")
    (offline,) = live.desk.tickets(document)

    assert (offline.values["status"], offline.values["waiting"]) == ("on_hold", "maintenance")


@pytest.mark.parametrize("shape", ["named", "audit"])
def test_the_audits_and_the_events_date_a_change_within_a_category(live, shape):
    naming(live.desk, waiting={VENDOR: "maintenance"})
    live.control("switches", {"ticket_events_shape": shape})
    ticket = live.ticket()
    live.control("clock", {"advance_seconds": 600})
    live.control(f"tickets/{ticket}", {"status": "hold"})
    live.control("clock", {"advance_seconds": 600})
    live.put_status(ticket, VENDOR)
    live.control("clock", {"advance_seconds": 120})
    helpdesk = live.open()
    reading = helpdesk.read(ticket)
    history = helpdesk.history(reading)
    waits = [(one.before, one.after) for one in history.changes if one.field == "waiting"]
    (page,) = [helpdesk.events(None, reading.ticket.created_at)]

    assert waits == [(None, "third_party"), ("third_party", "maintenance")]
    assert helpdesk.history(reading, page.rows[ticket]) == history
    assert reading.counters.status_updated_at == history.changes[-1].at


def test_a_status_that_the_account_lacks_is_a_line(live):
    naming(live.desk, statuses={"in review": "open"}, waiting={"7": "maintenance"})
    lines = live.open().prepare()

    assert [line for line in lines if "has no status" in line] == [
        "mapping: the account has no status '7', by its id or label",
        "mapping: the account has no status 'in review', by its id or label",
    ]


def test_an_account_without_custom_statuses_has_its_six(live):
    naming(live.desk, waiting={VENDOR: "maintenance"})
    live.control("switches", {"custom_statuses": False})
    ticket, helpdesk = live.ticket(), live.open()

    assert any(VENDOR in line for line in helpdesk.prepare())
    assert helpdesk.read(ticket).ticket.values["status"] == "new"


def test_only_a_mapping_that_names_custom_statuses_costs_a_call(live):
    helpdesk = live.open()
    helpdesk.read(live.ticket())
    assert not [call for call in helpdesk.session.calls if "custom_statuses" in call[1]]


@pytest.mark.parametrize("rows", [None, 7, [None, {}, {"id": None}, {"id": 1, "agent_label": 7}]])
def test_odd_custom_statuses_name_nothing(zendesk, wire, rows):
    naming(zendesk, waiting={VENDOR: "maintenance"})
    zendesk.serve(wire)
    wire.get(f"{API}/custom_statuses", json={"custom_statuses": rows})

    assert any(VENDOR in line for line in zendesk.open().prepare())


# --- fields and forms ----------------------------------------------------------------------------


def lines_about(helpdesk, text):
    return [line for line in helpdesk.prepare() if text in line]


def test_what_is_done_to_our_field_behind_our_back_is_seen_by_the_next_look(live):
    helpdesk = live.open()
    assert lines_about(helpdesk, "output tier") == lines_about(helpdesk, "output state") == []

    live.control("fields/SLA tier", method="DELETE")
    assert lines_about(helpdesk, "output tier") == [
        "output tier: the account has no ticket field 'SLA tier'"
    ]
    reading = helpdesk.read(live.ticket())
    assert "tier" not in reading.fields
    live.control("fields/SLA state", {"type": "checkbox"})
    (line,) = lines_about(helpdesk, "output state")
    assert "of type checkbox; it must be tagger" in line


def test_a_form_that_hides_our_field_is_advice(live):
    helpdesk = live.open()
    live.control("fields/SLA state", {"hidden": True})

    assert lines_about(helpdesk, "form") == [
        "output state: ticket field 'SLA state' is not on the ticket form 'Default Ticket Form'; "
        "agents do not see it there"
    ]
    live.control("fields/SLA state", {"hidden": False})
    assert lines_about(helpdesk, "form") == []


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 403, "json": {"error": {"title": "Forbidden", "message": "Not on your plan"}}},
        {"status": 404, "json": {"error": "InvalidEndpoint", "description": "Not found"}},
        {"status": 500},
        {"json": {"ticket_forms": None}},
        {"json": {"ticket_forms": [None, {"id": 1}, {"id": 2, "ticket_field_ids": "x"}]}},
    ],
)
def test_forms_that_are_not_shown_stop_nothing(zendesk, wire, answer):
    zendesk.serve(wire)
    wire.get(f"{API}/ticket_forms", **answer)

    assert not lines_about(zendesk.open(), "ticket form")


def test_fields_that_are_not_shown_keep_what_was_known(zendesk, wire):
    zendesk.serve(wire)
    helpdesk = zendesk.open()
    helpdesk.prepare()
    wire.replace("GET", f"{API}/ticket_fields", status=500)
    with pytest.raises(HelpdeskUnreachable):
        helpdesk.prepare()

    assert "state" in helpdesk.read("35436").fields


def test_a_field_that_is_switched_off_is_a_line(zendesk):
    fields = zendesk.sample("ticket_fields")["ticket_fields"]
    for one in fields:
        one["active"] = one["title"] != "SLA state"
    _, lines = read_catalogue(fields, zendesk.mapping)

    assert "output state: ticket field 'SLA state' is switched off" in lines


def test_forms_that_are_switched_off_hide_nothing(zendesk):
    catalogue, _ = read_catalogue(zendesk.sample("ticket_fields")["ticket_fields"], zendesk.mapping)
    forms = zendesk.sample("forms")["ticket_forms"]
    lines = hidden_lines(catalogue, zendesk.mapping, forms)

    assert [line for line in lines if "state" in line] == [
        "output state: ticket field 'SLA state' is not on the ticket form 'Returns'; agents do not "
        "see it there"
    ]


def test_api_tokens_are_advised_against(live, zendesk):
    assert any("ends API tokens" in line for line in live.open().prepare())


# --- the rate budget -----------------------------------------------------------------------------


def test_calls_count_in_the_accounts_budget_and_room_shows_what_is_left(zendesk, database):
    with serving(create_sandbox("zendesk", tickets=1, plan="professional")) as server:
        budget = StoredBudget(database, "acme", 0.2)
        helpdesk = connect(
            AccountSettings.model_validate(
                {
                    "helpdesk": "zendesk",
                    "base_url": server.url,
                    "policy": "user-support",
                    "sign_in": SIGN_IN,
                }
            ),
            zendesk.mapping,
            budget=budget,
        )
        helpdesk.identify()
        before = helpdesk.room()
        helpdesk.prepare()

        assert 0 < before.tickets <= 400 * 100
        assert budget.room((Charge(bucket="account"),))[0] < 320
        for _ in range(8):
            helpdesk.changes(None, EARLY)
        with pytest.raises(BudgetSpent):
            helpdesk.changes(None, EARLY)
        budget.refuse(("account",), 30)
        assert helpdesk.room().tickets == 0
        assert 25 < helpdesk.room().wait <= 31


def test_without_a_budget_there_is_room_for_a_batch(zendesk):
    assert zendesk.open().room() == Room(tickets=100)
