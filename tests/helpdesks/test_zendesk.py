"""What only Zendesk does."""

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import responses
from responses import matchers

from connector.errors import (
    HelpdeskUnreachable,
    OutcomeUnknown,
    SettingsError,
    SignInRefused,
    TicketError,
    TicketNotFound,
    TicketReadOnly,
    UnreadableWebhook,
    UnverifiedWebhook,
    WriteConflict,
)
from connector.helpdesks.base import Desired, Observation, Row, Wants
from connector.helpdesks.zendesk import translate
from connector.helpdesks.zendesk.client import Client
from connector.helpdesks.zendesk.webhook import TEST_SECRET
from connector.http import Session
from mappings.field_mapping import Words
from mappings.ticket import Change, Reply

BASE = "http://127.0.0.1:9"
API = f"{BASE}/api/v2"
AUDITS = f"{API}/tickets/35436/audits"
OAUTH = {"client_id": "deskclock", "client_secret": "hush-client"}


def at(text):
    return datetime.fromisoformat(f"2026-03-02T{text}Z").astimezone(UTC)


def desired(**changes):
    values = {
        "fields": {"resolution_due_at": "2026-03-07T12:00:00Z", "state": "sla_f_at_risk"},
        "tags": frozenset({"sla_sev_low"}),
        "own_tags": frozenset({"sla_sev_low", "sla_sev_high"}),
        "first_response_due_at": None,
        "resolution_due_at": None,
    }
    return Desired(**(values | changes))


# --- sign-in -------------------------------------------------------------------------------------


def token(wire, value="one", **more):
    wire.post(f"{BASE}/oauth/tokens", json={"access_token": value, "expires_in": 1800} | more)


def bearer(value):
    return [matchers.header_matcher({"Authorization": f"Bearer {value}"})]


def test_one_token_serves_several_calls(zendesk, wire):
    token(wire)
    wire.get(f"{API}/users/me", json={"user": {"id": 1}}, match=bearer("one"))
    helpdesk = zendesk.open(sign_in=OAUTH)
    helpdesk.identify()
    helpdesk.identify()

    assert [call.request.url for call in wire.calls].count(f"{BASE}/oauth/tokens") == 1
    assert json.loads(wire.calls[0].request.body)["scope"] == "read write"


def test_a_token_near_its_end_is_replaced(zendesk, wire):
    token(wire, "one", expires_in=60)
    token(wire, "two")
    wire.get(f"{API}/users/me", json={"user": {"id": 1}}, match=bearer("one"))
    wire.get(f"{API}/users/me", json={"user": {"id": 2}}, match=bearer("two"))
    helpdesk = zendesk.open(sign_in=OAUTH)

    assert [helpdesk.identify().user_id, helpdesk.identify().user_id] == ["1", "2"]


def test_a_refused_token_is_renewed_once(zendesk, wire):
    token(wire, "one")
    token(wire, "two")
    wire.get(f"{API}/users/me", status=401, match=bearer("one"))
    wire.get(f"{API}/users/me", json={"user": {"id": 2}}, match=bearer("two"))

    assert zendesk.open(sign_in=OAUTH).identify().user_id == "2"


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 400, "json": {"error": "invalid_scope"}},
        {"status": 401, "json": {"error": "invalid_client"}},
        {"json": {"access_token": None}},
        {"json": []},
    ],
)
def test_a_client_without_a_token_is_a_refused_sign_in(zendesk, wire, answer):
    wire.post(f"{BASE}/oauth/tokens", **answer)

    with pytest.raises(SignInRefused) as caught:
        zendesk.open(sign_in=OAUTH).identify()
    assert "hush" not in str(caught.value)


def test_the_anonymous_user_is_a_refused_sign_in(zendesk, wire):
    wire.get(f"{API}/users/me", json={"user": {"id": None, "name": "Anonymous user"}})

    with pytest.raises(SignInRefused):
        zendesk.open().identify()


# --- reading -------------------------------------------------------------------------------------


def test_many_tickets_are_one_call(zendesk, wire):
    zendesk.serve(wire)
    wire.get(f"{API}/tickets/show_many", json=zendesk.sample("tickets_show_many"))
    first, second = zendesk.open().read_many(["35436", "35440", "35441"])

    assert first.ticket.plans == ("gold",)
    assert first.counters.replies == 1
    assert first.ticket.replies == (Reply(at=at("09:01:00"), exact=False),)
    solved = datetime(2026, 3, 3, 10, 0, 30, tzinfo=UTC)
    assert second.ticket.changes == (
        Change(at=solved, field="status", before="open", after="solved", inferred=True),
    )
    asked = [call.request.url for call in wire.calls if "show_many" in call.request.url]
    assert len(asked) == 1
    assert "ids=35436%2C35440%2C35441" in asked[0]


def test_the_metrics_date_the_waiting_too(zendesk):
    (ticket,) = zendesk.tickets(zendesk.sample("ticket_bare"))

    assert [(change.field, change.after) for change in ticket.changes] == [
        ("status", "pending"),
        ("waiting", "customer"),
    ]


@pytest.mark.parametrize("minutes", [None, True, -1, 10**18, float("nan"), "46", []])
def test_a_reply_time_that_makes_no_sense_is_no_reply(zendesk, minutes):
    document = zendesk.sample("ticket")
    document["metric_sets"][0]["reply_time_in_minutes"] = {"calendar": minutes}
    (ticket,) = zendesk.tickets(document)

    assert ticket.replies == ()


@pytest.mark.parametrize("odd", [True, 7, "x", {"a": 1}])
def test_lists_that_are_none_are_empty(zendesk, odd):
    document = zendesk.sample("ticket_with_audits")
    document["ticket"] |= {"custom_fields": odd, "fields": odd, "tags": odd}
    document |= {"users": odd, "organizations": odd}
    (ticket,) = zendesk.tickets(document)

    assert ticket.replies == ()


def test_audits_tell_replies_and_every_change(zendesk):
    zendesk.with_inputs({"impact": {"field": "27642"}})
    (ticket,) = zendesk.tickets(zendesk.sample("ticket_with_audits"))

    assert ticket.known_since == ticket.created_at
    assert ticket.replies == (Reply(at=at("09:01:11"), sequence=3),)
    assert [(c.field, c.before, c.after, c.sequence) for c in ticket.changes] == [
        ("status", "new", "open", 2),
        ("impact", None, "745", 2),
        ("priority", None, "2", 2),
        ("status", "open", "pending", 3),
        ("waiting", None, "customer", 3),
        ("class", "incident", "defect", 3),
    ]
    assert ticket.mapped == {"impact"}


def test_the_first_comment_is_the_opening_and_notes_do_not_count(zendesk):
    (ticket,) = zendesk.tickets(zendesk.sample("ticket_with_comments"))

    assert ticket.replies == (Reply(at=at("09:01:11"), sequence=2),)


@pytest.mark.parametrize("who", [{"own_user_id": "3001"}, {"robots": frozenset({"3001"})}])
def test_our_own_replies_and_those_of_robots_do_not_count(zendesk, who):
    (ticket,) = zendesk.tickets(zendesk.sample("ticket_with_audits"), **who)

    assert ticket.replies == ()


def test_an_opening_by_an_agent_is_no_response(zendesk):
    document = zendesk.sample("ticket_with_audits")
    document["audits"] = document["audits"][:1]
    document["audits"][0]["events"][0]["author_id"] = 3001
    (ticket,) = zendesk.tickets(document)

    assert ticket.replies == ()


def test_unknown_authors_are_asked_for_once_and_then_remarked(zendesk, wire):
    audits = zendesk.sample("audits") | {"users": []}
    stranger = copy.deepcopy(audits["audits"][3]) | {"id": 5, "author_id": 4000}
    stranger["events"] = [{"type": "Comment", "public": True, "author_id": 4000}]
    wire.get(AUDITS, json=audits | {"audits": [*audits["audits"], stranger]})
    known = [{"id": 3001, "role": "agent"}, {"id": 209, "role": "end-user"}]
    wire.get(f"{API}/users/show_many", json={"users": known})
    zendesk.serve(wire)
    helpdesk = zendesk.open()
    history = helpdesk.history(helpdesk.read("35436"))

    assert [reply.at for reply in history.replies] == [at("09:01:11")]
    assert [(one.code, one.value) for one in history.remarks] == [("author_unknown", "4000")]
    asked = [call for call in wire.calls if "users/show_many" in call.request.url]
    assert len(asked) == 1


def test_a_custom_status_that_is_named_wins_over_its_category(zendesk):
    zendesk.fields = zendesk.fields.replace("statuses:\n", 'statuses:\n  "123": on_hold\n')
    zendesk.fields = zendesk.fields.replace("waiting:\n", 'waiting:\n  "123": maintenance\n')
    (ticket,) = zendesk.tickets(zendesk.sample("ticket_bare"))

    assert (ticket.values["status"], ticket.values["waiting"]) == ("on_hold", "maintenance")


@pytest.mark.parametrize(
    ("change", "expected"),
    [({"tags": ["closed_by_merge"]}, "merged"), ({"status": "deleted"}, "deleted"), ({}, None)],
)
def test_merged_and_deleted_tickets_are_cancelled(zendesk, change, expected):
    (ticket,) = zendesk.tickets(zendesk.sample("ticket_bare") | change)

    assert ticket.values["cancelled"] == expected
    assert not [remark for remark in ticket.remarks if remark.about == "status"]


def test_inputs_fill_values(zendesk):
    zendesk.with_inputs(
        {
            "reported_at": {"field": "27648"},
            "third_party": {"field": "27642"},
            "impact": {"field": "9", "values": {"wide": "high"}},
            "description": {"field": "description"},
            "product": {"field": "Product"},
        }
    )
    fields = [
        {"id": 27648, "value": "2026-03-02T08:00:00+01:00"},
        {"id": 27642, "value": True},
        {"id": 9, "value": "Wide"},
    ]
    (ticket,) = zendesk.tickets(zendesk.sample("ticket_bare") | {"custom_fields": fields})

    assert ticket.reported_at == at("07:00:00")
    assert (ticket.values["waiting"], ticket.values["third_party"]) == ("customer", "true")
    assert (ticket.values["impact"], ticket.values["description"]) == ("high", "filled")
    assert ticket.mapped == {"impact", "description", "third_party"}
    assert [(one.code, one.about) for one in ticket.remarks] == [("field_missing", "product")]


def test_the_tags_are_meant_and_not_a_field_with_their_title(zendesk, wire):
    zendesk.with_inputs({"club": {"field": "tags", "values": {"enterprise": "yes"}}})
    document = zendesk.sample("ticket_fields")
    document["ticket_fields"].append({"id": 9, "title": "tags", "type": "text"})
    wire.get(f"{API}/ticket_fields", json=document)
    wire.get(f"{API}/tickets/35436", json=zendesk.sample("ticket"))

    assert zendesk.open().read("35436").ticket.values["club"] == "yes"


@pytest.mark.parametrize(
    ("wants", "expected"),
    [
        (Wants(), "metric_sets,users,comment_count"),
        (Wants(calls=True), "metric_sets,users,comment_count"),
        (Wants(organizations=True), "metric_sets,users,comment_count,organizations"),
        (Wants(own_dues=True), "metric_sets,users,comment_count,slas"),
    ],
)
def test_what_comes_with_a_ticket_is_what_is_wanted(zendesk, wire, wants, expected):
    zendesk.serve(wire)
    asked = [matchers.query_param_matcher({"ids": "35436", "include": expected})]
    wire.get(f"{API}/tickets/show_many", json=zendesk.sample("tickets_show_many"), match=asked)

    assert zendesk.open(wants=wants).read_many(["35436"])


def test_inputs_are_found_by_title_on_the_account(zendesk, wire):
    zendesk.with_inputs({"impact": {"field": "Customers affected"}, "gone": {"field": "99"}})
    zendesk.serve(wire)
    helpdesk = zendesk.open()

    assert "input gone: the account has no ticket field '99'" in helpdesk.prepare()
    assert helpdesk.read("35436").ticket.values["impact"] == "745"


# --- paging --------------------------------------------------------------------------------------


def page(rows, **more):
    return {"audits": rows, "users": []} | more


def test_all_pages_are_read_by_cursor_and_by_number(wire):
    wire.get(AUDITS, json=page([{"id": 1}], meta={"has_more": True, "after_cursor": "c"}))
    wire.get(AUDITS, json=page([{"id": 2}], next_page="https://evil.example/x?page=2"))
    wire.get(AUDITS, json=page([{"id": 3}], meta={"has_more": False, "after_cursor": "d"}))

    assert [one["id"] for one in Client(Session(BASE)).audits("35436")["audits"]] == [1, 2, 3]
    assert all(call.request.url.startswith(AUDITS) for call in wire.calls)
    assert "page%5Bafter%5D=c" in wire.calls[1].request.url


def test_pages_that_lead_back_end(wire):
    wire.get(AUDITS, json=page([{"id": 1}], meta={"has_more": True, "after_cursor": "c"}))

    with pytest.raises(TicketError, match="do not come to an end"):
        Client(Session(BASE)).audits("35436")
    assert len(wire.calls) == 2


# --- writing -------------------------------------------------------------------------------------


def test_a_row_of_a_bulk_write_is_safe(zendesk, wire):
    zendesk.serve(wire)
    helpdesk = zendesk.open()

    assert helpdesk.plan(helpdesk.read("35436"), desired()).body == {
        "id": 35436,
        "safe_update": True,
        "updated_stamp": "2026-03-02T09:01:11Z",
        "custom_fields": [
            {"id": 501, "value": "2026-03-07T12:00:00Z"},
            {"id": 502, "value": "sla_f_at_risk"},
        ],
        "additional_tags": ["sla_sev_low"],
        "remove_tags": ["sla_sev_high"],
    }


def test_tags_of_a_closed_ticket_are_written_only_where_that_is_asked_for(zendesk, wire):
    row = zendesk.sample("ticket")["ticket"] | {"status": "closed"}
    for asked, tags in ((False, None), (True, ["sla_sev_low"])):
        helpdesk = zendesk.open(closed_tags=asked)
        zendesk.serve(wire)
        helpdesk.prepare()
        beside = translate.Sideloads()
        seen = translate.reading(
            row, beside, helpdesk._fields(), Words(helpdesk._mapping), closed_tags=asked
        )
        planned = helpdesk.plan(seen, desired())
        assert (planned.body["additional_tags"] if planned else None) == tags
        assert planned is None or "custom_fields" not in planned.body


def test_a_single_write_uses_the_verbs_for_tags(zendesk, wire):
    zendesk.serve(wire)
    wire.put(f"{API}/tickets/35436/tags", json={"tags": []})
    wire.delete(f"{API}/tickets/35436/tags", status=204)
    helpdesk = zendesk.open()
    plan = helpdesk.plan(helpdesk.read("35436"), desired())
    wire.calls.reset()
    helpdesk.write(plan)

    sent = [(call.request.method, json.loads(call.request.body)) for call in wire.calls]
    assert sent == [
        ("PUT", {"ticket": {"custom_fields": plan.body["custom_fields"]}}),
        ("PUT", {"tags": ["sla_sev_low"]}),
        ("DELETE", {"tags": ["sla_sev_high"]}),
    ]


def test_the_rows_of_a_job_end_each_in_its_own_way(zendesk, wire):
    status = zendesk.sample("job_status")["job_status"]
    wire.get(f"{API}/job_statuses/show_many", json={"job_statuses": [status]})
    (job,) = zendesk.open().jobs([status["id"]])

    assert job.done
    assert job.rows[0] == Row(ticket_id="244")
    assert [type(row.error) for row in job.rows] == [
        type(None),
        WriteConflict,
        type(None),
        TicketReadOnly,
    ]


def test_a_job_that_waits_is_not_done(zendesk, wire):
    queued = {"id": "x", "status": "queued", "results": None, "total": None}
    wire.put(f"{API}/tickets/update_many", json={"job_status": queued})

    assert not zendesk.open().write_many([]).done


def test_a_bulk_write_whose_answer_names_no_job_is_unknown(zendesk, wire):
    wire.put(f"{API}/tickets/update_many", json={"job_status": None})

    with pytest.raises(OutcomeUnknown):
        zendesk.open().write_many([])


def test_a_closed_ticket_has_no_plan_and_refuses(zendesk, wire):
    zendesk.serve(wire)
    helpdesk = zendesk.open()
    reading = helpdesk.read("35436")
    plan = helpdesk.plan(reading, desired())

    assert helpdesk.plan(replace(reading, read_only="closed"), desired()) is None
    wire.replace(
        responses.PUT,
        next(one.url for one in wire.registered() if one.method == "PUT"),
        status=422,
        json=zendesk.sample("error_closed"),
    )
    with pytest.raises(TicketReadOnly, match="closed prevents"):
        helpdesk.write(plan)


@pytest.mark.parametrize(("error", "tries"), [("DatabaseConflict", 3), ("UpdateConflict", 1)])
def test_only_a_database_collision_is_repeated(wire, error, tries):
    wire.put(f"{API}/tickets/1", status=409, json={"error": error, "description": "x"})

    with pytest.raises(WriteConflict):
        Client(Session(BASE, sleep=lambda _: None)).update("1", {})
    assert len(wire.calls) == tries


# --- deliveries ----------------------------------------------------------------------------------


def receive(zendesk, document, secret="first", **settings):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return zendesk.open(**settings).receive(zendesk.deliver(body, secret), body)


def test_the_signature_is_over_timestamp_and_body(zendesk):
    """Vector of the fact sheet, for the public test secret: 6.3."""
    headers = {
        "x-zendesk-webhook-signature": "lCXU6oXwpT2XeaIG5V/TVWsWKQHsDh5EvvTQwTvH1jQ=",
        "x-zendesk-webhook-signature-timestamp": "2021-07-25T10:00:00Z",
    }

    assert zendesk.open().receive(headers, b'{"ticket_id":1}').ticket_id is None


@pytest.mark.parametrize("secrets", [(), ("first",), (TEST_SECRET,)])
def test_the_public_test_secret_never_names_a_ticket(zendesk, secrets):
    assert receive(zendesk, {"ticket_id": 1}, TEST_SECRET, secrets=secrets).ticket_id is None


def test_an_event_tells_who_and_what(zendesk):
    hint = receive(zendesk, zendesk.sample("event_status_changed"))

    assert (hint.delivery_id, hint.actor_id) == ("01INVOCATION", "3001")
    assert hint.observations == (
        Observation(field="status", before="open", after="pending", at=at("09:01:11")),
        Observation(field="waiting", before=None, after="customer", at=at("09:01:11")),
    )


def test_an_event_about_something_else_is_no_ticket(zendesk):
    hint = receive(zendesk, zendesk.sample("event_user"))

    assert (hint.ticket_id, hint.delivery_id) == (None, "01INVOCATION")


@pytest.mark.parametrize(
    "body",
    [
        {"ticket_id": "7"},
        {"ticket_id": 7},
        {"ticket": {"id": 7}},
        {"ticket": {"id": "7", "requester": {"id": 9}}},
        {"data": {"ticket": {"id": "7"}}},
        {"id": 99, "payload": {"ticket_id": "7"}},
        {"id": 7},
    ],
)
def test_a_body_that_an_admin_wrote_names_the_ticket(zendesk, body):
    assert receive(zendesk, body).ticket_id == "7"


@pytest.mark.parametrize(
    "body", [{"ticket_id": ""}, {"ticket_id": True}, {"ticket_id": "7/../8"}, {"ticket": []}]
)
def test_what_is_no_id_is_unreadable(zendesk, body):
    with pytest.raises(UnreadableWebhook):
        receive(zendesk, body)


@pytest.mark.parametrize(
    ("seconds", "verdict"), [(-301, False), (-300, True), (300, True), (301, False)]
)
def test_the_window_holds_both_ways(zendesk, seconds, verdict):
    now = at("09:01:12") + timedelta(seconds=seconds)
    settings = {"webhook": {"secrets": ["first"], "window_seconds": 300}}
    if verdict:
        assert receive(zendesk, {"ticket_id": 7}, now=lambda: now, **settings).ticket_id == "7"
    else:
        with pytest.raises(UnverifiedWebhook):
            receive(zendesk, {"ticket_id": 7}, now=lambda: now, **settings)


def test_a_window_needs_a_clock(zendesk):
    with pytest.raises(SettingsError, match="clock"):
        zendesk.open(webhook={"secrets": ["first"], "window_seconds": 300})


def test_a_wrong_subdomain_is_unreachable(zendesk, wire):
    wire.get(f"{API}/users/me", status=404, body="<html>")

    with pytest.raises(HelpdeskUnreachable, match="subdomain"):
        zendesk.open().identify()


def test_a_ticket_whose_audits_are_gone_is_not_found(wire):
    wire.get(AUDITS, status=404)

    with pytest.raises(TicketNotFound):
        Client(Session(BASE)).audits("35436")


def test_audits_that_stop_short_of_the_present_are_completed(zendesk):
    document = zendesk.sample("ticket_with_audits")
    document["ticket"]["status"] = "hold"
    document["ticket"]["updated_at"] = "2026-03-02T12:00:00Z"
    (ticket,) = zendesk.tickets(document)
    last = ticket.changes_of("status")[-1]

    assert (last.after, last.at, last.inferred) == ("on_hold", at("12:00:00"), True)


@pytest.mark.parametrize("when", ["x", None, "2026-03-02T09:00:00", 17])
def test_an_audit_that_says_not_when_is_passed_over_with_a_line(zendesk, when):
    document = copy.deepcopy(zendesk.sample("ticket_with_audits"))
    (before,) = zendesk.tickets(copy.deepcopy(document))
    replied = f"{before.replies[0].at:%Y-%m-%dT%H:%M:%SZ}"
    replying = next(one for one in document["audits"] if one["created_at"] == replied)
    replying["created_at"] = when
    (ticket,) = zendesk.tickets(document)

    assert len(ticket.replies) == len(before.replies) - 1
    assert ticket.created_at not in [reply.at for reply in ticket.replies]
    assert ("undated", str(replying["id"])) in [(one.code, one.value) for one in ticket.remarks]
