"""What only Freshdesk does."""

import base64
import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import (
    HelpdeskUnreachable,
    TicketError,
    UnreadableWebhook,
    UnverifiedWebhook,
)
from connector.helpdesks.base import Desired, Observation, Wants
from connector.helpdesks.freshdesk.catalogue import choices, read_catalogue
from connector.helpdesks.freshdesk.client import Client
from connector.helpdesks.freshdesk.companies import KEPT_SECONDS, MOST, Companies
from connector.helpdesks.freshdesk.history import Nobody, calls_of, replies_of
from connector.helpdesks.freshdesk.webhook import _in_text
from connector.http import Session
from mappings.ticket import Reply

BASE = "http://127.0.0.1:9"
API = f"{BASE}/api/v2"
CREATED = "2026-03-02T08:15:00Z"


def at(text):
    return None if text is None else datetime.fromisoformat(f"2026-03-{text}:00Z").astimezone(UTC)


def desired(response=None, resolution=None, **changes):
    values = {
        "fields": {},
        "tags": frozenset({"sla_sev_high"}),
        "own_tags": frozenset({"sla_sev_low", "sla_sev_high"}),
        "first_response_due_at": at(response),
        "resolution_due_at": at(resolution),
    }
    return Desired(**(values | changes))


def looked_at(freshdesk, wire, mode="native", **changes):
    freshdesk.serve(wire, json=freshdesk.sample("ticket") | changes)
    helpdesk = freshdesk.open(mode=mode)
    return helpdesk, helpdesk.read("20")


# --- native dates: standing (response, resolution), wanted, sent ----------------------------------

NATIVE = {
    "nothing wanted": (("02T12:00", "04T08:00"), (None, None), None),
    "as it stands": (("02T12:00", "04T08:00"), ("02T12:00", "04T08:00"), None),
    "one moves, both are sent": (
        ("02T12:00", "04T08:00"),
        (None, "05T08:00"),
        ("02T12:00", "05T08:00"),
    ),
    "order repaired": (
        ("02T12:00", "04T08:00"),
        ("02T12:00", "02T11:00"),
        ("02T12:00", "02T12:01"),
    ),
    "repaired order stands": (("02T12:00", "02T12:01"), ("02T12:00", "02T11:00"), None),
    "same instant is repaired": ((None, None), ("02T12:00", "02T12:00"), ("02T12:00", "02T12:01")),
    "only a response": ((None, None), ("02T12:00", None), ("02T12:00", "02T12:01")),
    "only a resolution": ((None, None), (None, "02T12:00"), ("02T11:59", "02T12:00")),
    "a resolution at once": ((None, None), (None, "02T08:15"), ("02T08:15", "02T08:16")),
    "before the creation": (
        ("02T12:00", "04T08:00"),
        ("01T12:00", "05T08:00"),
        ("02T12:00", "05T08:00"),
    ),
    "nothing at all": ((None, None), (None, None), None),
    "nothing stands, too early": ((None, None), ("01T12:00", None), None),
}


def iso(text):
    return None if text is None else f"2026-03-{text}:00Z"


@pytest.mark.parametrize(("standing", "wanted", "sent"), NATIVE.values(), ids=NATIVE)
def test_native_dates(freshdesk, wire, standing, wanted, sent):
    helpdesk, reading = looked_at(
        freshdesk, wire, fr_due_by=iso(standing[0]), due_by=iso(standing[1])
    )
    plan = helpdesk.plan(reading, desired(*wanted))

    found = plan and (plan.body["fr_due_by"], plan.body["due_by"])
    assert found == (sent and tuple(map(iso, sent)))


def test_a_repaired_order_and_an_early_date_are_remarked(freshdesk, wire):
    helpdesk, reading = looked_at(freshdesk, wire)

    assert "one minute after" in helpdesk.plan(reading, desired("02T12:00", "02T11:00")).remarks[0]
    assert "before the ticket" in helpdesk.plan(reading, desired("01T12:00", "05T08:00")).remarks[0]


def test_in_native_mode_the_own_due_fields_are_left_alone(freshdesk, wire):
    helpdesk, reading = looked_at(freshdesk, wire)
    fields = {"resolution_due_at": iso("05T08:00"), "resolution_due_on": "2026-03-05"}
    plan = helpdesk.plan(reading, desired(None, "05T08:00", fields=fields | {"state": None}))

    assert plan.body["custom_fields"] == {"cf_sla_state": None}
    assert reading.fields["resolution_due_at"] == iso("04T08:00")
    assert plan.fields["resolution_due_at"] == iso("05T08:00")


def test_in_mode_own_fields_the_native_dates_are_left_alone(freshdesk, wire):
    helpdesk, reading = looked_at(freshdesk, wire, "own_fields")
    fields = {"resolution_due_at": iso("05T08:00"), "tier": "sla_f_tier_1"}
    plan = helpdesk.plan(reading, desired("03T08:00", "05T08:00", fields=fields))

    assert plan.body == {"custom_fields": {"cf_sla_resolution_due_at": iso("05T08:00")}}


# --- tags ----------------------------------------------------------------------------------------


def test_tags_are_sent_whole_and_only_after_a_single_read(freshdesk, wire):
    helpdesk, reading = looked_at(freshdesk, wire, tags=["VIP", "SLA_sev_high"])
    wanted = desired(tags=frozenset({"sla_sev_low"}))

    plan = helpdesk.plan(reading, wanted)
    assert plan.body == {"tags": ["VIP", "sla_sev_low"]}
    assert not plan.needs_single_read

    plan = helpdesk.plan(replace(reading, single=False), wanted)
    assert (plan.body, plan.needs_single_read) == ({}, True)


def test_tags_in_another_case_are_the_same(freshdesk, wire):
    helpdesk, reading = looked_at(freshdesk, wire, tags=["SLA_sev_high"])

    assert helpdesk.plan(reading, desired()) is None


# --- reading -------------------------------------------------------------------------------------


def test_a_closed_ticket_can_be_written_and_a_spam_one_not(freshdesk, wire):
    helpdesk, reading = looked_at(freshdesk, wire, status=5)
    assert (reading.read_only, reading.ticket.status.value) == (None, "closed")
    assert helpdesk.plan(reading, desired(None, "05T08:00")) is not None

    wire.reset()
    helpdesk, reading = looked_at(freshdesk, wire, spam=True)
    assert (reading.read_only, reading.ticket.values["cancelled"]) == ("spam", "spam")
    assert helpdesk.plan(reading, desired(None, "05T08:00")) is None


def test_conversations_win_over_the_figures(freshdesk):
    (ticket,) = freshdesk.tickets(freshdesk.sample("ticket_with_conversations"))
    (bare,) = freshdesk.tickets(freshdesk.sample("ticket"))

    assert ticket.replies == (
        Reply(at=at("02T08:40"), sequence=1),
        Reply(at=datetime(2026, 3, 2, 9, 1, 11, tzinfo=UTC), sequence=4),
    )
    assert [reply.at.minute for reply in bare.replies] == [40, 1]


@pytest.mark.parametrize(
    "who", [{"own_user_id": "4300000000777"}, {"robots": frozenset({"4300000000777"})}]
)
def test_our_own_replies_and_those_of_robots_do_not_count(freshdesk, who):
    (ticket,) = freshdesk.tickets(freshdesk.sample("ticket_with_conversations"), **who)

    assert ticket.replies == ()


def test_the_figures_date_the_status(freshdesk):
    (ticket,) = freshdesk.tickets(freshdesk.sample("ticket_closed"))
    (change,) = ticket.changes

    assert (change.at, change.before, change.after, change.inferred) == (
        at("03T10:00"),
        "open",
        "closed",
        True,
    )


def test_the_plan_stands_in_the_company(freshdesk):
    (ticket,) = freshdesk.tickets(freshdesk.sample("ticket"))

    assert (ticket.plans, ticket.organization) == (("gold",), "4300000000009")


def test_source_10_is_outbound(freshdesk):
    (ticket,) = freshdesk.tickets(freshdesk.sample("ticket") | {"source": 10})

    assert ticket.outbound


def test_inputs_come_from_custom_fields_and_keys(freshdesk):
    freshdesk.with_inputs(
        {"impact": {"field": "cf_customers_affected"}, "product": {"field": "product_id"}}
    )
    (ticket,) = freshdesk.tickets(freshdesk.sample("ticket"))

    assert (ticket.values["impact"], ticket.values["product"]) == ("12", None)
    assert ticket.mapped == {"impact", "product"}


def test_pages_of_conversations_end(wire):
    rows = [{"id": number} for number in range(100)]
    url = f"{API}/tickets/1/conversations"
    wire.get(url, json=rows, headers={"link": '< https://x/?page=2>;rel="next"'})
    wire.get(url, json=[{"id": 100}])
    assert len(Client(Session(BASE)).conversations("1")) == 101

    wire.reset()
    wire.get(url, json=rows, headers={"link": '< https://x/?page=2>;rel="next"'})
    with pytest.raises(TicketError, match="do not come to an end"):
        Client(Session(BASE)).conversations("1")


def test_a_company_is_read_once_in_some_minutes(wire):
    for name in ("old", "new"):
        wire.get(f"{API}/companies/9", json={"id": 9, "name": name, "domains": [name]})
    now = [100.0]
    companies = Companies(Client(Session(BASE)), lambda: now[0])
    found = []
    for seconds in (0, KEPT_SECONDS - 1, 1):
        now[0] += seconds
        found.append(companies.company("9"))

    assert found == [{"id": 9, "domains": [name]} for name in ("old", "old", "new")]
    assert len(wire.calls) == 2


def test_a_company_that_is_gone_is_asked_for_once(wire):
    wire.get(f"{API}/companies/9", status=404)
    companies = Companies(Client(Session(BASE)))

    assert companies.company("9") is companies.company("9") is None
    assert len(wire.calls) == 1


def test_companies_do_not_pile_up(wire):
    wire.get(re.compile(f"{API}/companies/"), json={"id": 9})
    companies = Companies(Client(Session(BASE)))
    companies._known.update((str(number), (0.0, None)) for number in range(MOST))
    companies.company("x")

    assert list(companies._known) == ["x"]


@pytest.mark.parametrize("answer", [{"json": []}, {"status": 400}, {"body": "<html>"}])
def test_a_company_that_cannot_be_read_is_an_error(wire, answer):
    wire.get(f"{API}/companies/9", **answer)

    with pytest.raises(HelpdeskUnreachable):
        Client(Session(BASE)).company("9")


@pytest.mark.parametrize("company_id", [None, "../users", "", True, []])
def test_only_a_number_names_a_company(freshdesk, wire, company_id):
    freshdesk.serve(wire, json=freshdesk.sample("ticket") | {"company_id": company_id})
    wire.get(f"{API}/companies", json=[])
    freshdesk.open(wants=Wants(organizations=True)).read("20")

    assert not [call for call in wire.calls if "/companies/" in call.request.url]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"2": ["Open", "Being Processed"]}, ["2"]),
        ({"Low": 1, "Urgent": 4}, ["Low", "Urgent"]),
        (["a", "b"], ["a", "b"]),
        ([["a", "A"], "b"], ["a", "A", "b"]),
        ([{"value": "a", "choices": []}, {"label": "b"}], ["a", "b"]),
        (None, []),
    ],
)
def test_choices_come_in_several_shapes(value, expected):
    assert list(choices(value)) == expected


# --- deliveries ----------------------------------------------------------------------------------


def receive(freshdesk, body, **settings):
    body = body if isinstance(body, bytes) else body.encode()
    return freshdesk.open(**settings).receive(freshdesk.deliver(body), body)


BODIES = {
    "simple": '{"freshdesk_webhook": {"ticket_id": 20, "ticket_subject": "7"}}',
    "id inside": '{"freshdesk_webhook": {"id": 20}}',
    "template": '{"event": "{status:{from:4,to:6}}", "ticket_id": "20"}',
    "dotted": '{"ticket.id": "20", "ticket.status": "6"}',
    "nested": '{"requester": {"id": 9}, "ticket": {"id": 20}}',
    "camel": '{"ticketId": "20"}',
    "prefixed": '{"ticket_id": "INC-20"}',
    "hash": '{"ticket_id": "#20"}',
    "decimal": '{"ticket_id": 20.0}',
    "display id": '{"ticket": {"display_id": 20}}',
    "only its address": '{"ticket_url": "https://x.freshdesk.com/helpdesk/tickets/20"}',
    "form": "ticket_subject=a+7&ticket_id=20",
    "wrapped form": "freshdesk_webhook%5Bticket_id%5D=20&freshdesk_webhook%5Bx%5D=7",
    "stray quote": '{"subject": "a "7" b", "ticket_id": "20"}',
    "stray quote, prefixed": '{"subject": "a "7" b", "ticket_id": "INC-20"}',
    "unquoted mail": '{"agent": bo7@example.test, "ticket_id": 20}',
    "no key at all": "ticket 20 was changed",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_the_ticket_is_found(freshdesk, body):
    assert receive(freshdesk, body).ticket_id == "20"


@pytest.mark.parametrize(
    "body",
    [
        '{"event": "{status:{from:4,to:6}}"}',
        '{"ticket_id": ""}',
        '{"requester": {"id": 9}}',
        '{"ticket_id": true}',
    ],
)
def test_an_id_is_not_made_up(freshdesk, body):
    with pytest.raises(UnreadableWebhook):
        receive(freshdesk, body)


@given(
    st.integers(1, 10**12), st.text(st.characters(exclude_characters="0123456789:="), max_size=40)
)
def test_a_subject_breaks_no_body(number, subject):
    assert _in_text(f'{{"subject": "{subject}", "ticket_id": "{number}"}}') == str(number)


def test_the_password_of_basic_is_a_secret_too(freshdesk):
    def basic(text):
        return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}

    body = b'{"ticket_id": 20}'
    assert freshdesk.open().receive(basic("anybody:second"), body).ticket_id == "20"
    for headers in (basic("first:no"), basic("first"), {"authorization": "Basic ?"}, {}):
        with pytest.raises(UnverifiedWebhook):
            freshdesk.open().receive(headers, body)


def test_the_header_can_have_another_name(freshdesk):
    webhook = {"secrets": ["first"], "header": "X-Desk"}

    hint = freshdesk.open(webhook=webhook).receive({"x-desk": "first"}, b'{"ticket_id": 20}')
    assert hint.ticket_id == "20"


def test_an_event_is_observed_without_an_instant(freshdesk):
    body = json.dumps(freshdesk.sample("event_simple"))

    assert receive(freshdesk, body).observations == (
        Observation(field="status", before="open", after="pending", at=None),
        Observation(field="waiting", before=None, after="customer", at=None),
    )


def test_a_subject_cannot_forge_an_observation(freshdesk):
    body = '{"ticket_id": 20, "ticket_subject": "{status:{from:2,to:5}}"}'

    assert receive(freshdesk, body).observations == ()


def test_what_an_earlier_mode_left_in_the_own_fields_is_emptied_once(freshdesk, wire):
    left = {"cf_sla_resolution_due_at": iso("04T08:00"), "cf_sla_resolution_due_on": "2026-03-04"}
    custom = freshdesk.sample("ticket")["custom_fields"]
    helpdesk, reading = looked_at(freshdesk, wire, custom_fields=custom | left)
    plan = helpdesk.plan(reading, desired("02T12:00", "04T08:00"))

    assert plan.body["custom_fields"] == dict.fromkeys(left)
    assert "due_by" not in plan.body

    helpdesk, reading = looked_at(freshdesk, wire, custom_fields=custom | dict.fromkeys(left))
    assert helpdesk.plan(reading, desired("02T12:00", "04T08:00")) is None


# --- the account's fields -------------------------------------------------------------------------


def custom(name, kind="custom_text", **more):
    return {"id": 50, "name": name, "label": name.title(), "type": kind} | more


def looked_up(freshdesk, *fields, mapped=None):
    """The catalogue with one mapped input and one output, and the lines for the admin."""
    freshdesk.with_inputs({"level": {"field": mapped or "cf_level"}})
    return read_catalogue(fields, freshdesk.mapping, "sla_")


@pytest.mark.parametrize(
    ("mapped", "names", "found"),
    [
        ("cf_level", ["cf_level", "level", "cf_level_297457"], "cf_level"),
        ("cf_level", ["level"], "level"),
        ("level", ["cf_level_297457"], "cf_level_297457"),
        ("cf_level_1234", ["cf_level"], "cf_level"),
        ("cf_level", ["cf_level_297457", "cf_level_297458"], None),
        ("cf_level", ["cf_level_2"], None),
        ("50", ["cf_other"], "cf_other"),
        ("Level", ["cf_other", "level"], "level"),
    ],
)
def test_a_field_is_found_by_the_forms_of_its_name(freshdesk, mapped, names, found):
    fields = [custom(name) | {"id": 50 + place} for place, name in enumerate(names)]
    catalogue, lines = looked_up(freshdesk, *fields, mapped=mapped)

    assert catalogue.inputs.get("level") == found
    assert any(line.startswith("input level") for line in lines) is (found is None)


def test_the_lower_levels_of_a_nested_field_can_be_mapped(freshdesk):
    lower = [{"id": 51, "name": "cf_level", "label": "Level", "level": 2}]
    field = custom("cf_product", "nested_field", nested_ticket_fields=lower)

    assert looked_up(freshdesk, field)[0].inputs == {"level": "cf_level"}


def test_what_will_get_in_the_way_of_writing_is_told(freshdesk):
    state = custom("cf_sla_state", "custom_dropdown", choices=["sla_f_state_met"])
    tier = custom("cf_sla_tier", required_for_closure=True)
    statuses = {"type": "default_status", "choices": {"2": ["Open"], "9": ["Parked", "Waiting"]}}
    _, lines = looked_up(freshdesk, state, tier, {"id": 1, "name": "status"} | statuses)

    told = [line for line in lines if "has no ticket field" not in line]
    assert len(told) == 3
    assert "lacks sla_f_state_breached, " in told[0]
    assert "'cf_sla_tier' is mandatory" in told[1]
    assert told[2].startswith("status 9 'Parked' is not in the field mapping")


def test_a_status_may_be_mapped_by_its_label(freshdesk, wire):
    freshdesk.fields = freshdesk.fields.replace("statuses:", "statuses:\n  parked: pending")
    freshdesk.fields = freshdesk.fields.replace("waiting:", "waiting:\n  held up: third_party")
    fields = freshdesk.sample("ticket_fields")
    fields[0]["choices"]["9"] = ["Parked", "Held up"]
    wire.get(f"{API}/ticket_fields", json=fields)
    freshdesk.serve(wire, json=freshdesk.sample("ticket") | {"status": 9})
    ticket = freshdesk.open().read("20").ticket

    assert (ticket.status.value, ticket.values["waiting"]) == ("pending", "third_party")
    assert ticket.remarks == ()


def test_a_field_that_the_ticket_comes_without_is_left_out_and_told(freshdesk, wire):
    shown = freshdesk.sample("ticket")["custom_fields"]
    shown = {name: value for name, value in shown.items() if name != "cf_sla_explanation"}
    helpdesk, reading = looked_at(freshdesk, wire, "own_fields", custom_fields=shown)
    fields = {"explanation": "Because.", "resolution_due_on": "2026-03-09"}
    plan = helpdesk.plan(reading, desired(fields=fields))

    assert plan.fields == {"resolution_due_on": "2026-03-09"}
    assert "'cf_sla_explanation' for explanation" in plan.remarks[0]
    assert any("output explanation: tickets come without" in one for one in helpdesk.prepare())
    assert not any("come without" in one for one in helpdesk.prepare())


# --- Freshdesk's dates or our own fields ----------------------------------------------------------


def test_after_dates_were_refused_own_fields_are_compared_and_written(freshdesk, wire):
    helpdesk, reading = looked_at(freshdesk, wire)
    fields = {"resolution_due_at": iso("05T08:00"), "resolution_due_on": "2026-03-05"}
    wanted = desired("02T12:00", "05T08:00", fields=fields, native=False)
    plan = helpdesk.plan(reading, wanted)

    assert plan.body == {
        "custom_fields": {
            "cf_sla_resolution_due_at": iso("05T08:00"),
            "cf_sla_resolution_due_on": "2026-03-05",
        }
    }
    assert plan.verify_after is None
    own = freshdesk.sample("ticket")["custom_fields"] | plan.body["custom_fields"]
    helpdesk, reading = looked_at(freshdesk, wire, custom_fields=own)
    assert helpdesk.plan(reading, wanted) is None


def test_only_the_date_that_moves_counts_as_written(freshdesk, wire):
    helpdesk, reading = looked_at(
        freshdesk, wire, fr_due_by=iso("02T12:00"), due_by=iso("04T08:00")
    )
    plan = helpdesk.plan(reading, desired("02T12:00", "05T08:00"))

    assert plan.fields == {"resolution_due_at": iso("05T08:00")}
    assert (plan.body["fr_due_by"], plan.verify_after) == (iso("02T12:00"), 15)


def test_dates_are_compared_as_instants(freshdesk, wire):
    stands = {"fr_due_by": "2026-03-02T17:30:00+05:30", "due_by": "2026-03-04T08:00:00.000Z"}
    helpdesk, reading = looked_at(freshdesk, wire, **stands)

    assert helpdesk.plan(reading, desired("02T12:00", "04T08:00")) is None


# --- conversations --------------------------------------------------------------------------------

SPOKEN = {"incoming": False, "private": False, "source": 0, "created_at": "2026-03-02T09:00:00Z"}


@pytest.mark.parametrize(
    ("change", "replies", "calls"),
    [
        ({}, 1, 0),
        ({"source": "0"}, 1, 0),
        ({"last_edited_at": "2026-03-05T09:00:00Z"}, 1, 0),
        ({"private": True}, 0, 0),
        ({"private": None}, 0, 0),
        ({"incoming": True}, 0, 0),
        ({"incoming": None}, 0, 0),
        ({"source": 2}, 0, 0),
        ({"source": 5}, 0, 0),
        ({"source": 8}, 0, 0),
        ({"source": None}, 0, 0),
        ({"source": 9}, 0, 1),
        ({"source": 9, "private": True}, 0, 1),
        ({"source": 9, "incoming": True}, 0, 0),
        ({"auto_response": True}, 0, 0),
        ({"automation_id": 43}, 0, 0),
        ({"user_id": 666}, 0, 0),
        ({"created_at": None}, 0, 0),
    ],
)
def test_what_a_person_said_to_the_customer(change, replies, calls):
    nobody, told = Nobody.of("777", ["666"]), [SPOKEN | change]

    assert (len(replies_of(told, nobody)), len(calls_of(told, nobody))) == (replies, calls)
    assert all(one.at == at("02T09:00") for one in replies_of(told, nobody))


# --- tickets that lack what Freshdesk usually tells -----------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"stats": None},
        {"stats": {}},
        {"stats": {"first_responded_at": None, "agent_responded_at": "soon"}},
        {"stats": []},
        {"tags": None},
        {"tags": [None, 7]},
        {"custom_fields": None},
        {"custom_fields": []},
        {"id": "20", "requester_id": "43000000", "company_id": "9"},
        {"created_at": "2026-03-02T13:45:00+05:30"},
        {"source": 4711, "priority": 9, "type": "Service Task"},
        {"structured_description": {"description_contents": [{"type": "text"}]}},
    ],
    ids=str,
)
def test_a_ticket_is_read_whatever_it_lacks(freshdesk, wire, change):
    helpdesk, reading = looked_at(freshdesk, wire, **change)

    assert (reading.ticket.id, reading.ticket.created_at) == ("20", at("02T08:15"))
    plan = helpdesk.plan(reading, desired(tags=frozenset({"sla_sev_low"})))
    assert plan.add_tags == {"sla_sev_low"}
