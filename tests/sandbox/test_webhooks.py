"""Webhooks of both local helpdesks, received by a real server."""

import base64
import hashlib
import hmac
import json


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


def test_a_failed_delivery_is_tried_again_with_the_same_invocation_id(served_with, receiver):
    receiver.answers = [503, 500]
    config = {"url": receiver.url, "subscriptions": ["zen:event-type:ticket.created"]}
    with served_with("zendesk", minute_seconds=0.1, webhooks=[config]) as zendesk:
        zendesk.ticket()
        got = receiver.wait(3)
    assert len({headers["X-Zendesk-Webhook-Invocation-Id"] for headers, _ in got}) == 1


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
