"""Automation rules of the local Freshdesk over its API, and the webhooks that they send."""

import json

import pytest

RULES = "/automations/4/rules"


def action(url="http://127.0.0.1:9/hook", **changed):
    return {
        "field_name": "trigger_webhook",
        "request_type": "POST",
        "content_type": "JSON",
        "content_layout": "2",
        "url": url,
        "content": {"ticket_id": "{{ticket.id}}", "event": "{{triggered_event}}"},
        "custom_headers": {"x-secret": "open sesame"},
    } | changed


def rule(url="http://127.0.0.1:9/hook", **changed):
    return {
        "name": "SLA sync",
        "active": True,
        "performer": {"type": 3},
        "events": [{"field_name": "status", "from": "--", "to": "--"}],
        "actions": [action(url)],
    } | changed


def events(got):
    return [json.loads(body)["event"] for _, body in got]


def test_a_rule_can_be_kept(freshdesk):
    made = freshdesk.api("POST", RULES, rule())
    path = f"{RULES}/{made.json()['id']}"
    renamed = freshdesk.api("PUT", path, {"name": "Renamed", "active": False}).json()
    read = freshdesk.api("GET", path).json()
    assert (made.status_code, renamed, read["active"]) == (201, read, False)
    assert read["conditions"] == [
        {"name": "condition_set_1", "match_type": "all", "properties": []}
    ]
    statuses = [freshdesk.api(method, path).status_code for method in ("DELETE", "GET")]
    assert statuses == [204, 404]


@pytest.mark.parametrize("shape", ["array", "object"])
def test_the_list_of_rules_has_two_shapes(freshdesk, shape):
    freshdesk.control("POST", "switches", {"rules_list": shape})
    made = freshdesk.api("POST", RULES, rule()).json()
    listed = freshdesk.api("GET", RULES).json()
    assert made == (listed if shape == "array" else listed["rules"])[0]
    assert freshdesk.api("GET", "/automations/9/rules").status_code == 404


@pytest.mark.parametrize(
    "missing",
    ["request_type", "content_type", "content_layout", "url", "content", "custom_headers"],
)
def test_a_webhook_that_lacks_a_key_is_answered_500(freshdesk, missing):
    broken = action()
    del broken[missing]
    assert freshdesk.api("POST", RULES, rule(actions=[broken])).status_code == 500


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        pytest.param({"name": ""}, "name", id="no name"),
        pytest.param({"events": []}, "events", id="no event"),
        pytest.param({"events": [{"from": "--"}]}, "events.field_name", id="an event of nothing"),
        pytest.param({"performer": "agent"}, "performer", id="a performer as text"),
        pytest.param({"actions": []}, "actions", id="no action"),
        pytest.param(
            {"actions": [action(content_type="XML")]}, "actions.content_type", id="no JSON"
        ),
        pytest.param({"actions": [action(url="ftp://x")]}, "actions.url", id="no web address"),
        pytest.param(
            {"actions": [{"field_name": "priority", "value": 3}]},
            "actions.field_name",
            id="an action that the sandbox does not carry out",
        ),
    ],
)
def test_wrong_rules_are_refused(freshdesk, changed, field):
    answer = freshdesk.api("POST", RULES, rule(**changed))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)


def test_only_the_first_matching_event_is_told_in_bare_numbers(freshdesk, receiver):
    wanted = [
        {"field_name": "status", "from": "--", "to": "--"},
        {"field_name": "priority", "from": "--", "to": 4},
    ]
    freshdesk.api("POST", RULES, rule(receiver.url, events=wanted))
    ticket_id = freshdesk.ticket(priority="low")
    freshdesk.api("PUT", f"/tickets/{ticket_id}", {"type": "Incident", "priority": 3})
    freshdesk.api("PUT", f"/tickets/{ticket_id}", {"type": "Problem", "priority": 4})
    freshdesk.api("PUT", f"/tickets/{ticket_id}", {"priority": 1, "status": 6})
    got = receiver.wait(2)
    assert sorted(events(got)) == ["{priority:{from:3,to:4}}", "{status:{from:2,to:6}}"]
    assert {headers["x-secret"] for headers, _ in got} == {"open sesame"}


def test_a_creation_rule_fires_for_new_tickets_only(freshdesk, receiver):
    freshdesk.api("POST", "/automations/1/rules", rule(receiver.url, events=[], performer={}))
    ticket_id = freshdesk.ticket()
    freshdesk.api("PUT", f"/tickets/{ticket_id}", {"status": 6})
    other = freshdesk.ticket()
    docs = [json.loads(body) for _, body in receiver.wait(2)]
    assert {(doc["ticket_id"], doc["event"]) for doc in docs} == {
        (str(key), "{ticket_action:created}") for key in (ticket_id, other)
    }


@pytest.mark.parametrize(
    ("performer", "expected"),
    [
        pytest.param({"type": 1}, ["reply_sent", "status"], id="agents"),
        pytest.param({"type": 2}, ["reply_sent"], id="requesters"),
        pytest.param({"type": 3}, ["reply_sent", "reply_sent", "status"], id="both"),
        pytest.param({"type": 1, "members": [1]}, [], id="an agent who did nothing"),
        pytest.param({"type": 4}, [], id="the system"),
    ],
)
def test_a_rule_asks_who_did_it(freshdesk, receiver, performer, expected):
    """Our own updates count as those of the key's agent."""
    watched = [
        {"field_name": "reply_sent", "value": "sent"},
        {"field_name": "status", "from": "--", "to": 3},
    ]
    freshdesk.api("POST", RULES, rule(receiver.url, events=watched, performer=performer))
    end = rule(receiver.url, events=[{"field_name": "priority"}])
    freshdesk.api("POST", RULES, end)
    ticket_id = freshdesk.ticket(priority="low")
    freshdesk.api("PUT", f"/tickets/{ticket_id}", {"status": 3})
    freshdesk.control("POST", f"tickets/{ticket_id}/reply", {"as": "agent", "body": "Hello"})
    freshdesk.control("POST", f"tickets/{ticket_id}/reply", {"as": "customer", "body": "Well?"})
    freshdesk.api("PUT", f"/tickets/{ticket_id}", {"priority": 4})
    names = sorted(
        event[1:].partition(":")[0] for event in events(receiver.wait(len(expected) + 1))
    )
    assert names == sorted([*expected, "priority"])


@pytest.mark.parametrize(
    ("operator", "value", "fires"),
    [("in", [4], True), ("in", [1], False), ("not_in", [1], True), ("is", 4, True)],
)
def test_a_rule_has_conditions(freshdesk, receiver, operator, value, fires):
    properties = [
        {"resource_type": "ticket", "field_name": "priority", "operator": operator, "value": value}
    ]
    conditions = [{"name": "condition_set_1", "match_type": "all", "properties": properties}]
    freshdesk.api("POST", RULES, rule(receiver.url, conditions=conditions))
    always = rule(receiver.url, events=[{"field_name": "ticket_action", "value": "update"}])
    freshdesk.api("POST", RULES, always)
    ticket_id = freshdesk.ticket(priority="urgent")
    freshdesk.api("PUT", f"/tickets/{ticket_id}", {"status": 3})
    freshdesk.api("PUT", f"/tickets/{ticket_id}", {"subject": "The end"})
    assert len(receiver.wait(2 + fires)) == 2 + fires


def test_the_simple_layout_is_wrapped(freshdesk, receiver):
    simple = action(
        receiver.url,
        content_layout="1",
        content={"ticket_id": "{{ticket.id}}", "ticket_group": "{{ticket.group.name}}"},
        auth_header={"username": "a", "password": "b"},
    )
    freshdesk.api("POST", RULES, rule(actions=[simple]))
    ticket_id = freshdesk.ticket()
    group = freshdesk.api("GET", "/groups").json()[0]
    freshdesk.api("PUT", f"/tickets/{ticket_id}", {"status": 3, "group_id": group["id"]})
    headers, body = receiver.wait(1)[0]
    assert json.loads(body) == {
        "freshdesk_webhook": {"ticket_id": str(ticket_id), "ticket_group": group["name"]}
    }
    assert headers["Authorization"] == "Basic YTpi"


@pytest.mark.parametrize(("failures", "sent"), [(1, 2), (3, 4), (9, 4)])
def test_a_failed_webhook_is_tried_three_times_more(
    served_with, receiver, eventually, failures, sent
):
    """After 5, 30 and 60 minutes, which here last a thousandth of a second."""
    receiver.answers = [503] * failures
    hook = {"url": receiver.url}
    with served_with("freshdesk", minute_seconds=0.001, webhooks=[hook]) as freshdesk:
        freshdesk.ticket()
        eventually(lambda: freshdesk.control("GET", "deliveries")["pending"], lambda n: n == 0)
        assert len(receiver.got) == sent


def test_a_webhook_that_comes_twice_cannot_be_told_by_its_headers(freshdesk, receiver):
    freshdesk.control("POST", "deliveries/faults", {"duplicate": 1.0})
    freshdesk.control("POST", "webhooks", {"url": receiver.url})
    freshdesk.ticket()
    first, second = receiver.wait(2)
    assert first == second
    assert not [name for name in first[0] if "signature" in name.lower() or "id" in name.lower()]


def test_a_templates_values_may_be_escaped(freshdesk, receiver):
    freshdesk.control("POST", "switches", {"templates_escape": True})
    template = '{"subject":"{{ticket.subject}}"}'
    freshdesk.control("POST", "webhooks", {"url": receiver.url, "template": template})
    freshdesk.ticket(subject='A "quoted" word')
    assert json.loads(receiver.wait(1)[0][1]) == {"subject": 'A "quoted" word'}


@pytest.mark.parametrize(
    ("style", "expected"),
    [("human", "Tue, 03 Mar, 2026 at 09:00 AM"), ("iso", "2026-03-03T09:00:00Z")],
)
def test_a_due_date_is_written_for_people(freshdesk, receiver, style, expected):
    freshdesk.control("POST", "clock", {"set": "2026-03-02T09:00:00Z", "freeze": True})
    freshdesk.control("POST", "switches", {"due_by_time": style})
    ticket_id = freshdesk.ticket()
    template = "{{ticket.due_by_time}}"
    freshdesk.control("POST", "webhooks", {"url": receiver.url, "template": template})
    dates = {"due_by": "2026-03-03T09:00:00Z", "fr_due_by": "2026-03-03T08:00:00Z"}
    freshdesk.api("PUT", f"/tickets/{ticket_id}", dates)
    assert receiver.wait(1)[0][1].decode() == expected


def test_webhooks_use_up_the_accounts_limit_and_wait(served_with, receiver, eventually):
    """A trial has 50 credits; what is too much asks again until the limit is empty."""
    with served_with("freshdesk", plan="trial", tickets=60) as freshdesk:
        switches = {"postponed_minutes": 0.001, "postponed_times": 1_000_000}
        freshdesk.control("POST", "switches", switches)
        freshdesk.control("POST", "webhooks", {"url": receiver.url})
        freshdesk.control("POST", "announce")
        receiver.wait(50)
        sandbox = freshdesk.app.extensions["sandbox"]
        outgoing = sandbox.desk._account.outgoing
        eventually(lambda: outgoing.postponed, lambda count: count == 10)
        assert (freshdesk.api("GET", "/agents/me").status_code, len(receiver.got)) == (429, 50)
        sandbox.limiter.reset()
        got = receiver.wait(60)
        told = {json.loads(body)["freshdesk_webhook"]["ticket_id"] for _, body in got}
        assert len(told) == 60


def test_a_webhook_that_waited_too_often_is_dropped(served_with, receiver, eventually):
    with served_with("freshdesk", plan="free", minute_seconds=0.02) as freshdesk:
        switches = {"postponed_minutes": 1, "postponed_times": 2}
        freshdesk.control("POST", "switches", switches)
        freshdesk.control("POST", "webhooks", {"url": receiver.url})
        freshdesk.ticket()
        outgoing = freshdesk.app.extensions["sandbox"].desk._account.outgoing
        eventually(lambda: outgoing.postponed, lambda count: count == 0)
        freshdesk.control("POST", "switches", {"webhooks_count": False})
        last = freshdesk.ticket()
        got = receiver.wait(1)
        assert [json.loads(body)["freshdesk_webhook"]["ticket_id"] for _, body in got] == [last]
