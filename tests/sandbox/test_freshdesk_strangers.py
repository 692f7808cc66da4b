"""The local Freshdesk under odd requests: nothing breaks, and nothing is accepted and dropped."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.freshdesk.givens import MAILBOX_ID, PRODUCT_ID

HUGE = 2**63
EVERYTHING = "updated_since=2001-01-01T00:00:00Z"
TICKET = {"subject": "Hello", "description": "Hello", "status": 2, "priority": 1}
RULE = {
    "name": "SLA",
    "performer": {"type": 1},
    "events": [{"field_name": "status"}],
    "actions": [
        {
            "field_name": "trigger_webhook",
            "request_type": "POST",
            "content_type": "JSON",
            "content_layout": "2",
            "url": "http://127.0.0.1:9/hook",
            "content": {},
            "custom_headers": {},
        }
    ],
}
TARGET = {"respond_within": 3600, "resolve_within": 7200}
POLICY = {
    "name": "Gold",
    "sla_target": {"priority_1": TARGET},
    "applicable_to": {"ticket_types": ["Incident"]},
}
FIELD = {"label": "Area", "type": "custom_dropdown", "customers_can_edit": False}
ODD = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.lists(st.none() | st.integers() | st.text(max_size=3), max_size=2)
    | st.dictionaries(st.text(max_size=3), st.none() | st.integers(), max_size=2)
)
WHOLE = {
    "/tickets": TICKET | {"email": "ada@example.test"},
    "/automations/4/rules": RULE,
    "/automations/1/rules": RULE | {"conditions": [{"properties": []}]},
    "/sla_policies": POLICY,
    "/admin/ticket_fields": FIELD | {"choices": ["One"], "position": 1},
    "/groups": {"name": "First line", "agent_ids": [], "business_hour_id": None},
    "/admin/groups": {"name": "Second line", "business_calendar_id": None},
    "/contacts": {"name": "Ada", "email": "ada@acme.test", "company_id": None, "tags": []},
    "/companies": {"name": "Acme", "domains": [], "custom_fields": {}},
    "/tickets/1/notes": {"body": "A note", "private": True, "user_id": None},
    "/tickets/1/reply": {"body": "A reply", "cc_emails": [], "user_id": None},
    "/tickets/bulk_update": {"bulk_action": {"ids": [1], "properties": {"priority": 1}}},
}


def named(answer):
    assert answer.status_code == 400, (answer.status_code, answer.text[:300])
    return [error["field"] for error in answer.json()["errors"]]


def create(freshdesk, **wanted):
    return freshdesk.api("POST", "/tickets", TICKET | {"email": "ada@example.test"} | wanted)


@pytest.mark.parametrize("name", ["due_by", "fr_due_by"])
@pytest.mark.parametrize("at", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"])
def test_an_instant_outside_of_the_calendar_is_refused(freshdesk, name, at):
    assert name in named(freshdesk.api("PUT", "/tickets/1", {name: at}))
    assert named(freshdesk.api("GET", "/tickets", params={"updated_since": at}))


@pytest.mark.parametrize(
    ("since", "count"), [("0001-01-01T00:00:00Z", 3), ("9999-12-31T23:59:59Z", 0)]
)
def test_the_first_and_the_last_instant_are_instants(freshdesk, since, count):
    answer = freshdesk.api("GET", "/tickets", params={"updated_since": since})
    assert (answer.status_code, len(answer.json())) == (200, count)


@pytest.mark.parametrize("name", ["page", "per_page", "company_id", "requester_id"])
@pytest.mark.parametrize("text", ["²", "٣", "1" * 5000, "-1", "", "1.0"])
def test_a_number_of_a_query_is_plain(freshdesk, name, text):
    assert named(freshdesk.api("GET", "/tickets", params={name: text})) == [name]


@pytest.mark.parametrize(
    "path",
    [
        "/tickets/{}",
        "/tickets/{}/conversations",
        "/contacts/{}",
        "/automations/{}/rules",
        "/conversations/{}",
        "/groups/{}",
    ],
)
def test_a_path_with_a_huge_number_leads_nowhere(freshdesk, path):
    method = "DELETE" if path == "/conversations/{}" else "GET"
    assert freshdesk.api(method, path.format(HUGE)).status_code == 404


@pytest.mark.parametrize(
    ("path", "wanted", "field"),
    [
        ("/tickets/bulk_update", {"bulk_action": {"ids": [1], "properties": 5}}, "properties"),
        ("/tickets/bulk_update", {"bulk_action": {"ids": [1], "reply": 5}}, "reply"),
        ("/tickets/bulk_update", {"bulk_action": {"ids": [HUGE]}}, "bulk_action"),
        ("/tickets/1/notes", {"body": "x", "user_id": "a"}, "user_id"),
        ("/tickets/1/notes", {"body": "x", "user_id": 5}, "user_id"),
        ("/automations/4/rules", RULE | {"actions": [None]}, "actions"),
        ("/automations/4/rules", RULE | {"actions": 5}, "actions"),
        ("/automations/4/rules", RULE | {"events": [{"field_name": []}]}, "events.field_name"),
        ("/admin/ticket_fields", FIELD | {"choices": 5}, "choices"),
        ("/admin/ticket_fields", FIELD | {"choices": "x"}, "choices"),
        ("/tickets", TICKET | {"email": "notanemail"}, "email"),
        ("/tickets", TICKET | {"phone": "123"}, "name"),
        ("/tickets", TICKET | {"requester_id": HUGE}, "requester_id"),
        ("/tickets", TICKET | {"email": "a@b.test", "cc_emails": ["x"]}, "cc_emails"),
        ("/tickets", TICKET | {"email": "a@b.test", "attachments": [{}]}, "attachments"),
    ],
)
def test_what_is_of_another_kind_is_named(freshdesk, path, wanted, field):
    assert field in named(freshdesk.api("POST", path, wanted))


@settings(max_examples=150, deadline=None)
@given(
    place=st.sampled_from([(path, name) for path, body in WHOLE.items() for name in body]),
    odd=ODD,
    other=ODD,
)
def test_no_value_of_a_body_breaks_anything(freshdesk, place, odd, other):
    path, name = place
    made = freshdesk.api("POST", path, WHOLE[path] | {name: odd})
    if "Location" in made.headers:
        own = f"{path}/{made.json()['id']}"
        assert freshdesk.api("PUT", own, {name: other}).status_code < 500
    assert made.status_code < 500
    assert create(freshdesk).status_code == 201
    for shown in (path, f"/tickets?{EVERYTHING}&per_page=100", "/tickets/1"):
        assert freshdesk.api("GET", shown).status_code in (200, 404, 405)


@pytest.mark.parametrize(
    "raw", [b'{"priority": NaN}', b'{"a":' * 5000, b'"\\ud800"', b"\xff", b"5"]
)
def test_what_is_no_json_is_refused(freshdesk, raw):
    headers = {"Content-Type": "application/json"}
    answer = freshdesk.raw(
        "PUT", "/api/v2/tickets/1", data=raw, headers=headers, auth=freshdesk.login
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_json")


def test_a_search_with_too_many_brackets_is_refused(freshdesk):
    query = '"' + "(" * 240 + "status:2" + ")" * 240 + '"'
    assert named(freshdesk.api("GET", "/search/tickets", params={"query": query})) == ["query"]


def test_copies_are_kept_when_a_ticket_is_made_and_cannot_be_changed(freshdesk):
    ticket = create(freshdesk, cc_emails=["eve@example.test"]).json()
    copied = [ticket["cc_emails"], ticket["ticket_cc_emails"]]
    refused = freshdesk.api("PUT", f"/tickets/{ticket['id']}", {"cc_emails": []})
    assert (copied, named(refused)) == ([["eve@example.test"]] * 2, ["cc_emails"])


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        ({"email": "eve@example.test"}, {"email": "eve@example.test", "name": "eve"}),
        ({"email": "Eve@Example.test", "name": "Eve"}, {"name": "Eve"}),
        ({"phone": "0123", "name": "Eve"}, {"phone": "0123", "name": "Eve", "email": None}),
        ({"unique_external_id": "e-5", "name": "Eve"}, {"name": "Eve"}),
    ],
)
def test_an_update_can_name_another_requester(freshdesk, keys, shown):
    ticket_id = create(freshdesk).json()["id"]
    before = freshdesk.get(ticket_id)["requester_id"]
    answers = [freshdesk.api("PUT", f"/tickets/{ticket_id}", keys) for _ in range(2)]
    after = freshdesk.get(ticket_id, "?include=requester")
    assert [one.status_code for one in answers] == [200, 200]
    assert {one.json()["requester_id"] for one in answers} == {after["requester_id"]} != {before}
    assert {name: after["requester"][name] for name in shown} == shown


@pytest.mark.parametrize("keys", [{"requester_id": None}, {"name": "Eve"}, {"email": None}])
def test_an_update_that_names_no_requester_is_refused(freshdesk, keys):
    assert named(freshdesk.api("PUT", "/tickets/1", keys)) == ["requester_id"]


@pytest.mark.parametrize("wanted", [{"tags": 2147483648}, {"fields": 5}, {"status": "²"}])
def test_the_controls_refuse_odd_values_too(freshdesk, wanted):
    answer = freshdesk.raw("POST", "/_sandbox/tickets/1", json=wanted)
    assert answer.status_code in (400, 422), answer.text


@pytest.mark.parametrize(
    "name",
    [
        "company_id",
        "product_id",
        "group_id",
        "responder_id",
        "email_config_id",
        "requester_id",
        "internal_agent_id",
        "internal_group_id",
    ],
)
def test_an_id_that_nothing_has_is_refused(freshdesk, name):
    assert named(freshdesk.api("PUT", "/tickets/1", {name: 5})) == [name]
    assert named(create(freshdesk, **{name: 5})) == [name]


def test_the_product_and_the_mailbox_of_the_lists_can_be_set(freshdesk):
    wanted = {"product_id": PRODUCT_ID, "email_config_id": MAILBOX_ID}
    listed = [
        freshdesk.api("GET", path).json()[0]["id"] for path in ("/products", "/email/mailboxes")
    ]
    ticket = freshdesk.api("PUT", "/tickets/1", wanted).json()
    assert listed == list(wanted.values())
    assert {name: ticket[name] for name in wanted} == wanted


@pytest.mark.parametrize("name", ["parent_id", "related_ticket_ids"])
def test_what_needs_a_feature_is_refused(freshdesk, name):
    answer = freshdesk.api("PUT", "/tickets/1", {name: 2})
    assert (answer.status_code, answer.json()["code"]) == (403, "require_feature")


def test_a_form_with_an_attachment_is_a_ticket(freshdesk):
    group = freshdesk.api("GET", "/groups").json()[0]["id"]
    form = {name: str(value) for name, value in TICKET.items()} | {
        "email": "ada@example.test",
        "group_id": str(group),
        "tags[]": ["vip", "paper"],
        "custom_fields[cf_affected_users]": "5",
        "custom_fields[cf_sla_severity]": "5",
    }
    files = [("attachments[]", ("a.txt", b"Hello", "text/plain"))]
    answer = freshdesk.api("POST", "/tickets", data=form, files=files)
    assert answer.status_code == 201, answer.text
    ticket = answer.json()
    kept = {name: ticket[name] for name in ("status", "priority", "group_id", "tags")}
    assert kept == {"status": 2, "priority": 1, "group_id": group, "tags": ["vip", "paper"]}
    fields = ticket["custom_fields"]
    assert (fields["cf_affected_users"], fields["cf_sla_severity"]) == (5, "5")
    again = freshdesk.api(
        "PUT",
        f"/tickets/{ticket['id']}",
        data={"priority": "4"},
        files=[("attachments[]", ("b.bin", b"12", "application/octet-stream"))],
    ).json()
    assert again["priority"] == 4
    assert [(one["name"], one["size"], one["content_type"]) for one in again["attachments"]] == [
        ("a.txt", 5, "text/plain"),
        ("b.bin", 2, "application/octet-stream"),
    ]
    assert set(again["attachments"][0]) == {
        "id", "name", "size", "content_type", "created_at", "updated_at",
    }  # fmt: skip


def test_a_form_is_checked_and_needs_an_attachment(freshdesk):
    file = [("attachments[]", ("a.txt", b"", "text/plain"))]
    wrong = freshdesk.api("PUT", "/tickets/1", data={"priority": "high"}, files=file)
    bare = freshdesk.api("PUT", "/tickets/1", data={}, files=[("priority", (None, "4"))])
    assert (named(wrong), bare.status_code) == (["priority"], 415)


def test_a_note_can_be_edited_and_deleted_and_a_reply_only_deleted(freshdesk):
    said = [
        freshdesk.api("POST", f"/tickets/1/{kind}", {"body": "First"}).json()["id"]
        for kind in ("notes", "reply")
    ]
    note, reply = (f"/conversations/{key}" for key in said)
    edited = freshdesk.api("PUT", note, {"body": "Second"}).json()
    assert (edited["body_text"], bool(edited["last_edited_at"])) == ("Second", True)
    assert named(freshdesk.api("PUT", reply, {"body": "Second"})) == ["body"]
    assert [freshdesk.api("DELETE", one).status_code for one in (note, reply, note)] == [
        204,
        204,
        404,
    ]


def test_copies_of_a_reply_are_kept(freshdesk):
    wanted = {"body": "Hello", "cc_emails": ["eve@example.test"]}
    assert freshdesk.api("POST", "/tickets/1/reply", wanted).json()["cc_emails"] == [
        "eve@example.test"
    ]


@pytest.mark.parametrize(
    "path",
    [
        "/time_entries",
        "/surveys/satisfaction_ratings",
        "/tickets/1/time_entries",
        "/tickets/1/satisfaction_ratings",
    ],
)
def test_what_nobody_does_here_is_an_empty_list(freshdesk, path):
    assert freshdesk.api("GET", path).json() == []


def test_the_two_calls_for_groups_know_other_hours(freshdesk):
    hours = int(freshdesk.api("GET", "/business_hours").json()[0]["id"])
    old = freshdesk.api("POST", "/groups", {"name": "Old", "business_hour_id": hours}).json()
    new = freshdesk.api("GET", f"/admin/groups/{old['id']}").json()
    assert (old["business_hour_id"], new["business_calendar_id"]) == (hours, hours)
    assert "business_hour_id" not in new
    wanted = {"name": "New", "business_hour_id": hours}
    assert named(freshdesk.api("POST", "/admin/groups", wanted)) == ["business_hour_id"]
    assert named(freshdesk.api("POST", "/groups", wanted | {"business_hour_id": 5})) == [
        "business_hour_id"
    ]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nonsense", 404), ("DELETE", "/sla_policies/1", 405), ("POST", "/nonsense/1", 404)],
)
def test_a_call_that_is_not_there_is_signed_in_and_counted(served_with, method, path, status):
    with served_with("freshdesk", plan="trial") as freshdesk:
        answer = freshdesk.api(method, path)
        stranger = freshdesk.raw(method, f"/api/v2{path}")
        assert (answer.status_code, stranger.status_code) == (status, 401)
        assert answer.headers["X-RateLimit-Remaining"] == "49"
        assert answer.headers["X-Request-Id"]
        assert stranger.headers["X-Request-Id"]
        for _ in range(49):
            freshdesk.api(method, path)
        assert freshdesk.api(method, path).status_code == 429
