"""Webhooks of both local helpdesks, received by a real server."""

import base64
import hashlib
import hmac
import json

import pytest

from sandbox.zendesk.manners import ZendeskManners
from sandbox.zendesk.switches import Switches


def test_zendesk_events_are_signed_with_the_webhooks_secret(zendesk, receiver):
    wanted = {
        "name": "SLA",
        "endpoint": receiver.url,
        "subscriptions": ["zen:event-type:ticket.created", "zen:event-type:ticket.status_changed"],
    }
    hook = zendesk.api("POST", "/webhooks", {"webhook": wanted}).json()["webhook"]
    path = f"/webhooks/{hook['id']}/signing_secret"
    secret = zendesk.api("GET", path).json()["signing_secret"]["secret"]
    zendesk.ticket()
    headers, body = receiver.wait(1)[0]
    message = headers["X-Zendesk-Webhook-Signature-Timestamp"].encode() + body
    expected = base64.b64encode(hmac.new(secret.encode(), message, hashlib.sha256).digest())
    assert expected.decode() == headers["X-Zendesk-Webhook-Signature"]
    assert hook["id"] == headers["X-Zendesk-Webhook-Id"]


def test_one_zendesk_delivery_per_event_with_text_ids_and_upper_case_words(zendesk, receiver):
    ticket_id = zendesk.ticket(priority="low", tags=["vip"])
    zendesk.control("POST", "webhooks", {"url": receiver.url})
    change = {"ticket": {"status": "pending", "additional_tags": ["sla_x"]}}
    zendesk.api("PUT", f"/tickets/{ticket_id}", change)
    got = {json.loads(body)["type"]: json.loads(body) for _, body in receiver.wait(3)}
    prefix = "zen:event-type:ticket."
    names = {"status_changed", "custom_status_changed", "tags_changed"}
    assert {prefix + name for name in names} == set(got)
    status = got[prefix + "status_changed"]
    assert (status["event"]["previous"], status["event"]["current"]) == ("NEW", "PENDING")
    api_user = zendesk.api("GET", "/users/me").json()["user"]["id"]
    assert (str(ticket_id), "PENDING", "LOW", str(api_user)) == (
        status["detail"]["id"],
        status["detail"]["status"],
        status["detail"]["priority"],
        status["detail"]["actor_id"],
    )
    assert got[prefix + "tags_changed"]["event"]["tags_added"] == ["sla_x"]
    assert len({doc["event"]["meta"]["sequence"]["id"] for doc in got.values()}) == 1


def test_a_trigger_webhook_sends_its_template_once_per_save(zendesk, receiver):
    template = '{"id":"{{ticket.id}}","by":"{{current_user.id}}"}'
    hook = {"url": receiver.url, "kind": "trigger", "template": template}
    zendesk.control("POST", "webhooks", hook)
    ticket_id = zendesk.ticket()
    assert json.loads(receiver.wait(1)[0][1])["id"] == str(ticket_id)


CREATED = ["zen:event-type:ticket.created"]


@pytest.mark.parametrize(
    ("answers", "deliveries"),
    [
        pytest.param([409, 409, 409, 409], 4, id="a conflict, three times more"),
        pytest.param([(503, "5")], 2, id="503 with a short Retry-After"),
        pytest.param([(429, "59")], 2, id="429 with a short Retry-After"),
        pytest.param([(503, "60")], 1, id="503 with a long one"),
        pytest.param([503], 1, id="503 without one"),
        pytest.param([500], 1, id="another server error"),
        pytest.param([404], 1, id="a client error"),
    ],
)
def test_zendesk_tries_some_failed_deliveries_again(
    served_with, receiver, eventually, answers, deliveries
):
    receiver.answers = list(answers)
    config = {"url": receiver.url, "subscriptions": CREATED}
    with served_with("zendesk", minute_seconds=0.1, webhooks=[config]) as zendesk:
        zendesk.ticket()
        eventually(
            lambda: zendesk.control("GET", "deliveries"),
            lambda log: log["deliveries"] and not log["pending"],
        )
    ids = {headers["X-Zendesk-Webhook-Invocation-Id"] for headers, _ in receiver.got}
    assert (len(receiver.got), len(ids)) == (deliveries, 1)


def test_zendesk_may_try_again_after_every_server_error(served_with, receiver):
    receiver.answers = [503, 500]
    config = {"url": receiver.url, "subscriptions": CREATED}
    with served_with("zendesk", minute_seconds=0.1, webhooks=[config]) as zendesk:
        zendesk.control("POST", "switches", {"webhooks_retry": "5xx"})
        zendesk.ticket()
        assert len(receiver.wait(3)) == 3


@pytest.mark.parametrize(
    ("outcomes", "broken"),
    [
        pytest.param([False] * 9, False, id="few deliveries"),
        pytest.param([False] * 10, True, id="all fail"),
        pytest.param([True, False] * 20, False, id="half of them fail"),
        pytest.param([True] * 3 + [False] * 7, True, id="seven of ten fail"),
        pytest.param([True] * 3000 + [False] * 1000, False, id="a thousand errors among many"),
        pytest.param([True] * 3000 + [False] * 1001, True, id="more than a thousand errors"),
    ],
)
def test_a_circuit_breaks_for_its_own_webhook_when(outcomes, broken):
    manners = ZendeskManners(lambda: 60.0, Switches)
    for done in outcomes:
        manners.note("hook", done=done)
    assert (0 < manners.pause("hook") <= 5, manners.pause("other")) == (broken, 0)


def test_after_the_pause_deliveries_go_on(served_with, receiver, eventually):
    receiver.answers = [500] * 10
    config = {"url": receiver.url, "subscriptions": CREATED}
    with served_with("zendesk", webhooks=[config]) as zendesk:
        zendesk.control("POST", "switches", {"circuit_pause_seconds": 0.2})
        for _ in range(11):
            zendesk.ticket()
        log = eventually(
            lambda: zendesk.control("GET", "deliveries"), lambda log: len(log["deliveries"]) == 11
        )
    outcomes = [entry["outcome"] for entry in log["deliveries"]]
    assert (outcomes.count("failed"), outcomes.count("success")) == (10, 1)


def test_invocations_and_attempts_can_be_read(served_with, receiver, eventually):
    receiver.answers = [409]
    config = {"url": receiver.url, "subscriptions": CREATED}
    with served_with("zendesk", minute_seconds=0.1, webhooks=[config]) as zendesk:
        zendesk.ticket()
        hook = zendesk.api("GET", "/webhooks").json()["webhooks"][0]["id"]
        path = f"/webhooks/{hook}/invocations"
        found = eventually(
            lambda: zendesk.api("GET", path).json()["invocations"],
            lambda rows: [row["status"] for row in rows] == ["success"],
        )
        attempts = zendesk.api("GET", f"{path}/{found[0]['id']}/attempts").json()["attempts"]
    assert [(one["status"], one["status_code"]) for one in attempts] == [
        ("client error", 409),
        ("success", 200),
    ]


def test_an_unsaved_webhook_is_tried_with_the_secret_that_everybody_knows(zendesk, receiver):
    wanted = {"request": {"endpoint": receiver.url, "payload": '{"ticket_id":1}'}}
    answer = zendesk.api("POST", "/webhooks/test", wanted).json()["response"]
    headers, body = receiver.wait(1)[0]
    secret = b"dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="
    message = headers["X-Zendesk-Webhook-Signature-Timestamp"].encode() + body
    expected = base64.b64encode(hmac.new(secret, message, hashlib.sha256).digest()).decode()
    assert (answer["status"], headers["X-Zendesk-Webhook-Signature"]) == (200, expected)


def test_a_webhooks_kind_and_secret_cannot_be_changed(zendesk, receiver):
    wanted = {"name": "SLA", "endpoint": receiver.url, "subscriptions": CREATED}
    hook = zendesk.api("POST", "/webhooks", {"webhook": wanted}).json()["webhook"]["id"]
    path = f"/webhooks/{hook}"
    before = zendesk.api("GET", f"{path}/signing_secret").json()
    swapped = {"webhook": {"subscriptions": ["conditional_ticket_events"]}}
    assert zendesk.api("PATCH", path, swapped).status_code == 422
    assert zendesk.api("PATCH", path, {"webhook": {"secret": "mine"}}).status_code == 204
    assert zendesk.api("GET", f"{path}/signing_secret").json() == before
    assert zendesk.api("POST", f"{path}/signing_secret").json() != before


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        ({"priority": "high"}, {"priority_changed"}),
        ({"type": "problem"}, {"type_changed"}),
        ({"subject": "Else"}, {"subject_changed"}),
        ({"external_id": "x1"}, {"external_id_changed"}),
        ({"status": "hold"}, {"status_changed", "custom_status_changed"}),
        ({"comment": {"body": "Hi", "public": False}}, {"comment_added"}),
        ({"additional_tags": ["t"]}, {"tags_changed"}),
    ],
)
def test_each_change_has_its_event(zendesk, receiver, act, expected):
    ticket_id = zendesk.ticket()
    zendesk.control("POST", "webhooks", {"url": receiver.url})
    zendesk.api("PUT", f"/tickets/{ticket_id}", {"ticket": act})
    docs = [json.loads(body) for _, body in receiver.wait(len(expected))]
    assert {doc["type"].removeprefix("zen:event-type:ticket.") for doc in docs} == expected


def test_deletion_and_restoring_are_announced(zendesk, receiver):
    ticket_id = zendesk.ticket()
    zendesk.control("POST", "webhooks", {"url": receiver.url})
    zendesk.api("DELETE", f"/tickets/{ticket_id}")
    receiver.wait(1)
    zendesk.api("PUT", f"/deleted_tickets/{ticket_id}/restore")
    names = [json.loads(body)["type"].rpartition(".")[2] for _, body in receiver.wait(2)]
    assert names == ["soft_deleted", "undeleted"]


def test_a_comment_event_tells_its_author_and_whether_it_is_public(zendesk, receiver):
    ticket_id = zendesk.ticket()
    zendesk.control("POST", "webhooks", {"url": receiver.url})
    reply = {"as": "customer", "body": "Hello?"}
    zendesk.control("POST", f"tickets/{ticket_id}/reply", reply)
    comment = json.loads(receiver.wait(1)[0][1])["event"]["comment"]
    assert (comment["is_public"], comment["author"]["is_staff"]) == (True, False)


def test_the_delivery_log_tells_what_was_answered(zendesk, receiver, eventually):
    config = {"url": receiver.url, "subscriptions": ["zen:event-type:ticket.created"]}
    zendesk.control("POST", "webhooks", config)
    ticket_id = zendesk.ticket()
    log = eventually(lambda: zendesk.control("GET", "deliveries"), lambda log: log["deliveries"])
    entry = log["deliveries"][0]
    assert ("success", ticket_id, 200) == (
        entry["outcome"],
        entry["ticket_id"],
        entry["attempts"][0]["status"],
    )


def test_our_own_updates_are_announced_too(zendesk, receiver):
    ticket_id = zendesk.ticket()
    zendesk.control("POST", "webhooks", {"url": receiver.url})
    field = zendesk.api("GET", "/ticket_fields").json()["ticket_fields"][-1]
    change = {"ticket": {"custom_fields": [{"id": field["id"], "value": 3}]}}
    zendesk.api("PUT", f"/tickets/{ticket_id}", change)
    doc = json.loads(receiver.wait(1)[0][1])
    assert (str(field["id"]), "3") == (doc["event"]["field"]["id"], doc["event"]["current"])


def test_a_freshdesk_save_is_one_delivery_with_its_secret(freshdesk, receiver):
    freshdesk.control("POST", "webhooks", {"url": receiver.url, "secret": "open sesame"})
    ticket_id = freshdesk.ticket()
    freshdesk.api("PUT", f"/tickets/{ticket_id}", {"status": 3, "priority": 4})
    got = receiver.wait(2)
    docs = [json.loads(body)["freshdesk_webhook"] for _, body in got]
    by_event = {doc["triggered_event"]: doc for doc in docs}
    assert {"{ticket_action:created}", "{status:{from:2,to:3}}"} == set(by_event)
    changed = by_event["{status:{from:2,to:3}}"]
    assert (ticket_id, "Pending", "Urgent") == (
        changed["ticket_id"],
        changed["ticket_status"],
        changed["ticket_priority"],
    )
    assert {"open sesame"} == {headers["X-Webhook-Secret"] for headers, _ in got}


def test_a_freshdesk_template_is_filled_without_escaping(freshdesk, receiver):
    template = '{"ticket_id":"{{ticket.id}}","subject":"{{ticket.subject}}"}'
    freshdesk.control("POST", "webhooks", {"url": receiver.url, "template": template})
    ticket_id = freshdesk.ticket(subject='A "quoted" word')
    expected = f'{{"ticket_id":"{ticket_id}","subject":"A "quoted" word"}}'
    assert expected == receiver.wait(1)[0][1].decode()
