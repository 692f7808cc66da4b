"""What every helpdesk must do; a new one is picked up by its folder."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import (
    HelpdeskUnreachable,
    OutcomeUnknown,
    RateLimited,
    SettingsError,
    SignInRefused,
    TicketNotFound,
    UnreadableWebhook,
    UnverifiedWebhook,
    WriteRefused,
)
from connector.helpdesks import available, open_helpdesk, translator
from connector.helpdesks.base import Desired
from connector.helpdesks.freshdesk import webhook as freshdesk_webhook
from connector.helpdesks.zendesk import webhook as zendesk_webhook
from connector.settings import AccountSettings
from mappings.document.fields import parse_fields
from mappings.errors import MappingError
from mappings.ticket import Channel, Status

HEADINGS = (
    "Set-up",
    "Roles and scopes",
    "What deskclock writes",
    "What it never writes",
    "Limits",
    "Quirks",
)
TICKET = {"zendesk": "35436", "freshdesk": "20"}
EVENT = {"zendesk": "event_status_changed", "freshdesk": "event_simple"}
FIELDS = Path(__file__).parents[2] / "mappings" / "fields"
MAPPINGS = {
    kind: parse_fields((FIELDS / f"{kind}.yaml").read_text(encoding="utf-8"), kind)
    for kind in TICKET
}
DUE = datetime(2026, 3, 7, 12, tzinfo=UTC)


def desired(**changes):
    values = {
        "fields": {
            "resolution_due_at": "2026-03-07T12:00:00Z",
            "resolution_due_on": "2026-03-07",
            "state": "sla_f_at_risk",
            "explanation": None,
            "tier": "sla_f_tier_1",
        },
        "tags": frozenset({"sla_sev_low", "sla_resolution_at_risk"}),
        "own_tags": frozenset({"sla_sev_low", "sla_sev_high", "sla_resolution_at_risk"}),
        "first_response_due_at": DUE - timedelta(days=2),
        "resolution_due_at": DUE,
    }
    return Desired(**(values | changes))


def body_of(desk, name):
    return json.dumps(desk.sample(name)).encode()


def instants_of(ticket):
    yield from (ticket.created_at, ticket.reported_at)
    yield from (reply.at for reply in ticket.replies)
    yield from (change.at for change in ticket.changes)
    yield from (call.at for call in ticket.calls)
    yield from ticket.own_dues.values()
    if ticket.known_since:
        yield ticket.known_since


def test_a_genuine_delivery_names_its_ticket(desk):
    body = body_of(desk, EVENT[desk.kind])

    assert desk.open().receive(desk.deliver(body), body).ticket_id == TICKET[desk.kind]


@pytest.mark.parametrize("secret", ["first", "second"])
def test_both_secrets_are_accepted_while_one_replaces_the_other(desk, secret):
    body = body_of(desk, EVENT[desk.kind])

    assert desk.open().receive(desk.deliver(body, secret), body).ticket_id


@pytest.mark.parametrize("secrets", [("first",), ()])
def test_another_secret_is_refused_and_not_shown(desk, secrets):
    body = body_of(desk, EVENT[desk.kind])

    with pytest.raises(UnverifiedWebhook) as caught:
        desk.open(secrets=secrets).receive(desk.deliver(body, "stolen"), body)
    for hidden in ("stolen", "first", *desk.deliver(body, "stolen").values()):
        assert hidden not in str(caught.value)


def test_one_flipped_byte_is_refused(desk):
    body = body_of(desk, EVENT[desk.kind])
    good = desk.deliver(body)
    name = next(name for name in good if "signature" in name or "secret" in name)
    headers = good | {name: chr(ord(good[name][0]) ^ 1) + good[name][1:]}

    with pytest.raises(UnverifiedWebhook):
        desk.open().receive(headers, body)
    if desk.kind == "zendesk":
        with pytest.raises(UnverifiedWebhook):
            desk.open().receive(good, body[:-1] + b"]")


@pytest.mark.parametrize("headers", [{}, {"x-other": "first"}, {"x-webhook-secret": ""}])
def test_a_delivery_without_its_header_is_refused(desk, headers):
    with pytest.raises(UnverifiedWebhook):
        desk.open().receive(headers, b"{}")


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000])
def test_a_genuine_delivery_that_names_no_ticket_is_unreadable(desk, body):
    with pytest.raises(UnreadableWebhook):
        desk.open().receive(desk.deliver(body), body)


def test_every_sample_delivery_is_read(desk):
    found = {}
    for path in [*desk.samples("event_*"), *desk.samples("trigger*")]:
        body = path.read_bytes()
        found[path.stem] = desk.open().receive(desk.deliver(body), body).ticket_id

    assert found
    assert set(found.values()) <= {TICKET[desk.kind], None}


def test_every_sample_ticket_translates(desk):
    paths = [path for path in desk.samples("ticket*") if path.stem != "ticket_fields"]

    assert len(paths) >= 5
    for path in paths:
        for ticket in desk.tickets(json.loads(path.read_text(encoding="utf-8"))):
            assert all(at.tzinfo is UTC and at.microsecond == 0 for at in instants_of(ticket))
            assert ticket.values["status"]


def test_a_ticket_of_nothing_but_nulls_is_a_ticket(desk):
    (ticket,) = desk.tickets(desk.sample("ticket_all_null"))

    assert ticket.status is Status.UNKNOWN
    assert ticket.channel is Channel.OTHER
    assert ticket.values["class"] == "other"
    assert (ticket.values["priority"], ticket.organization, ticket.plans) == (None, None, ())


def test_unknown_words_are_remarks(desk):
    (ticket,) = desk.tickets(desk.sample("ticket_unknown_values"))

    assert {remark.about for remark in ticket.remarks} == {"status", "priority", "type", "channel"}
    assert ticket.status is Status.UNKNOWN


def test_only_the_thing_that_is_no_ticket_is_refused(desk):
    good = desk.sample("ticket")
    found = translator(desk.kind)([good, 7, {"subject": "x"}, good], desk.mapping)

    assert next(found).id == TICKET[desk.kind]
    for _ in range(2):
        with pytest.raises(MappingError, match="expected a"):
            next(found)
    assert next(found).id == TICKET[desk.kind]
    assert list(found) == []


def test_who_we_are(desk, wire):
    desk.serve(wire)

    assert desk.open().identify().user_id == "777"


def test_missing_fields_are_lines_for_the_admin(desk, wire):
    desk.serve(wire)
    lines = desk.open().prepare()

    assert any("output tier: the account has no ticket field" in line for line in lines)
    assert any("output severity" in line and "must be" in line for line in lines)
    assert not any("output state" in line for line in lines)


def test_a_read_shows_our_fields_and_only_those_that_exist(desk, wire):
    desk.serve(wire)
    reading = desk.open().read(TICKET[desk.kind])

    assert reading.ticket.id == TICKET[desk.kind]
    assert reading.fields["state"] == "sla_f_on_track"
    assert "tier" not in reading.fields
    assert reading.updated_at == datetime(2026, 3, 2, 9, 1, 11, tzinfo=UTC)
    assert json.loads(json.dumps(reading.raw)) == reading.raw


def test_a_plan_holds_the_difference_and_can_be_stored(desk, wire):
    desk.serve(wire)
    helpdesk = desk.open()
    plan = helpdesk.plan(helpdesk.read(TICKET[desk.kind]), desired())

    assert plan.fields["state"] == "sla_f_at_risk"
    assert "explanation" not in plan.fields  # None and missing are both empty
    assert plan.add_tags == {"sla_sev_low", "sla_resolution_at_risk"}
    assert plan.remove_tags == {"sla_sev_high"}
    assert json.loads(json.dumps(plan.body)) == plan.body


def test_after_the_plan_there_is_nothing_to_plan(desk, wire):
    desk.serve(wire)
    helpdesk = desk.open()
    reading = helpdesk.read(TICKET[desk.kind])
    plan = helpdesk.plan(reading, desired())
    after = replace(
        reading,
        fields={**reading.fields, **plan.fields},
        tags=(reading.tags | plan.add_tags) - plan.remove_tags,
    )

    assert helpdesk.plan(after, desired()) is None


def test_an_option_that_the_field_lacks_is_not_planned(desk, wire):
    desk.serve(wire)
    helpdesk = desk.open()
    reading = helpdesk.read(TICKET[desk.kind])
    wanted = desired(fields={"state": "sla_f_odd", "resolution_due_on": "2026-03-07"})
    plan = helpdesk.plan(reading, wanted)

    assert "state" not in plan.fields
    assert "sla_f_odd" in plan.remarks[0]
    only = desired(fields={"state": "sla_f_odd"}, tags=reading.tags, own_tags=frozenset())
    assert helpdesk.plan(reading, only) is None


def test_others_tags_are_left_alone(desk, wire):
    desk.serve(wire)
    helpdesk = desk.open()
    reading = helpdesk.read(TICKET[desk.kind])
    reading = replace(reading, tags=reading.tags | {"sla_unrelated", "sla_f_on_track"})
    plan = helpdesk.plan(reading, desired())

    assert plan.remove_tags == {"sla_sev_high"}


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_sign_in_is_asked_once(desk, wire, status):
    desk.serve(wire, status=status, json={"error": "no"})
    helpdesk = desk.open()

    with pytest.raises(SignInRefused):
        helpdesk.read(TICKET[desk.kind])
    asked = [call for call in wire.calls if "/tickets/" in call.request.url]
    assert len(asked) <= 1


@pytest.mark.parametrize(
    ("failure", "expected"),
    [({"status": 429}, RateLimited), ({"status": 503}, HelpdeskUnreachable)],
)
def test_a_time_to_come_back_is_honoured(desk, wire, failure, expected):
    desk.serve(wire, headers={"Retry-After": "77"}, body="<html>", **failure)

    with pytest.raises(expected) as caught:
        desk.open().read(TICKET[desk.kind])
    assert caught.value.retry_after == 77


@pytest.mark.parametrize("body", ["", "<html>", "[", "[]", "7", "null", '{"ticket": 7}', "{}"])
def test_an_odd_answer_to_a_read_is_a_connector_error(desk, wire, body):
    desk.serve(wire, body=body)

    with pytest.raises((HelpdeskUnreachable, TicketNotFound)):
        desk.open().read(TICKET[desk.kind])


def test_a_ticket_that_is_not_there_is_not_found(desk, wire):
    desk.serve(wire, status=404)
    wire.get(re.compile(".*/tickets/archived/[0-9]+"), status=404)  # Freshdesk keeps those apart

    with pytest.raises(TicketNotFound):
        desk.open().read(TICKET[desk.kind])


@pytest.mark.parametrize("ticket_id", ["../users/me", "1?x=1", "", "१", "a"])
def test_nothing_but_digits_reaches_a_path(desk, wire, ticket_id):
    desk.serve(wire)

    with pytest.raises(TicketNotFound):
        desk.open().read(ticket_id)
    assert not [call for call in wire.calls if "/tickets/" in call.request.url]


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        ({"status": 404}, TicketNotFound),
        ({"status": 400, "json": {"description": "Validation failed"}}, WriteRefused),
        ({"status": 500}, OutcomeUnknown),
        ({"status": 422, "body": "<html>"}, WriteRefused),
    ],
)
def test_a_refused_write_is_named(desk, wire, failure, expected):
    desk.serve(wire)
    helpdesk = desk.open()
    plan = helpdesk.plan(helpdesk.read(TICKET[desk.kind]), desired())
    wire.reset()
    desk.serve(wire, **failure)

    with pytest.raises(expected):
        helpdesk.write(plan)


def test_the_clock_of_the_helpdesk_is_sampled(desk, wire):
    desk.serve(wire, json=desk.sample("ticket"), headers={"Date": "Mon, 02 Mar 2026 09:02:00 GMT"})
    helpdesk = desk.open()
    helpdesk.read(TICKET[desk.kind])

    assert helpdesk.clock_samples()[-1].shown == datetime(2026, 3, 2, 9, 2, tzinfo=UTC)
    assert helpdesk.clock_samples() == []


def test_the_history_counts_the_same_reply(desk, wire):
    desk.serve(wire)
    helpdesk = desk.open()
    history = helpdesk.history(helpdesk.read(TICKET[desk.kind]))

    assert history.replies[-1].at == datetime(2026, 3, 2, 9, 1, 11, tzinfo=UTC)
    assert all(at.exact for at in history.replies)


def test_the_readme_has_its_headings(desk):
    text = (desk.folder / "README.md").read_text(encoding="utf-8")

    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == list(HEADINGS)


def test_an_unknown_helpdesk_is_refused_with_those_there_are():
    account = AccountSettings.model_validate(
        {"helpdesk": "zammad", "subdomain": "x", "policy": "p", "sign_in": {"api_key": "k"}}
    )
    with pytest.raises(SettingsError, match="available are freshdesk, zendesk"):
        open_helpdesk(account, None)
    with pytest.raises(SettingsError, match=r"zammad"):
        translator("zammad")
    assert available() == ("freshdesk", "zendesk")


def test_the_wrong_sign_in_is_refused(desk):
    other = {"zendesk": {"api_key": "k"}, "freshdesk": {"email": "a@b.c", "api_token": "t"}}

    with pytest.raises(SettingsError, match="sign_in"):
        desk.open(sign_in=other[desk.kind])


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(10**17, 10**19),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(
        ["2026-03-02T08:15:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
    ),
    st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=3)), max_size=3),
    st.dictionaries(st.text(max_size=3), st.none(), max_size=2),
)
TICKETS = [
    (kind, path)
    for kind in available()
    for path in sorted((Path(__file__).parents[2] / "connector/helpdesks" / kind).rglob("*.json"))
    if path.stem.startswith("ticket") and path.stem != "ticket_fields"
]


def spoil(data, value):
    """The same JSON with one value of it replaced."""
    if isinstance(value, dict) and value:
        key = data.draw(st.sampled_from(sorted(value)))
        return value | {key: spoil(data, value[key])}
    if isinstance(value, list) and value:
        place = data.draw(st.integers(0, len(value) - 1))
        return [*value[:place], spoil(data, value[place]), *value[place + 1 :]]
    return data.draw(ODD)


@given(st.data(), st.sampled_from(TICKETS), st.integers(1, 3))
@settings(max_examples=600, deadline=None)
def test_whatever_stands_in_a_ticket_it_translates_or_is_no_ticket(data, ticket, times):
    kind, path = ticket
    document = json.loads(path.read_text(encoding="utf-8"))
    for _ in range(times):
        document = spoil(data, document)
    mapping = MAPPINGS[kind]

    try:
        found = list(translator(kind)(document, mapping))
    except MappingError:
        return
    for one in found:
        assert all(at.tzinfo is UTC for at in instants_of(one))
        assert {type(value) for value in one.values.values()} <= {str, type(None)}


@given(st.sampled_from(["zendesk", "freshdesk"]), st.binary(max_size=80))
def test_no_body_breaks_the_door(kind, body):
    secrets = {"secrets": ["first"]}
    mapping = MAPPINGS[kind]
    if kind == "freshdesk":
        call = partial(freshdesk_webhook.receive, {"x": "first"}, header="X", **secrets)
    else:
        call = partial(zendesk_webhook._hint, delivery_id=None)
    try:
        if kind == "freshdesk":
            call(body, mapping=mapping)
        else:
            call(zendesk_webhook._document(body), mapping=mapping)
    except UnreadableWebhook:
        return
