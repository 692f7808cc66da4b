"""The local Zendesk's tickets over HTTP: shapes, updates, tags, drop-downs, audits, metrics."""

import pytest


def fields(zendesk):
    answer = zendesk.api("GET", "/ticket_fields").json()
    return {field["title"]: field["id"] for field in answer["ticket_fields"]}


def value_of(ticket, field_id):
    return next(f["value"] for f in ticket["custom_fields"] if f["id"] == field_id)


def put(zendesk, ticket_id, **wanted):
    return zendesk.api("PUT", f"/tickets/{ticket_id}", {"ticket": wanted})


@pytest.mark.parametrize(
    ("login", "status", "body"),
    [
        pytest.param(
            ("agent@sandbox.test", "sandbox"),
            401,
            {"error": "Couldn't authenticate you"},
            id="a password instead of a token",
        ),
        pytest.param(
            ("agent@sandbox.test/token", "wrong"),
            401,
            {"error": "Couldn't authenticate you"},
            id="a wrong token",
        ),
        pytest.param(None, 401, {"error": "Couldn't authenticate you"}, id="nothing at all"),
    ],
)
def test_wrong_credentials_are_refused(zendesk, login, status, body):
    answer = zendesk.raw("GET", "/api/v2/tickets.json", auth=login)
    assert (status, body) == (answer.status_code, answer.json())


def test_users_me_without_credentials_is_the_anonymous_user(zendesk):
    answer = zendesk.raw("GET", "/api/v2/users/me.json")
    assert (answer.status_code, answer.json()["user"]["id"]) == (200, None)


def test_client_credentials_give_a_token_until_it_is_revoked(zendesk):
    wanted = {"grant_type": "client_credentials", "client_id": "sandbox"}
    answer = zendesk.raw("POST", "/oauth/tokens", json={**wanted, "client_secret": "sandbox"})
    assert (answer.status_code, answer.json()["expires_in"]) == (200, 1800)
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    me = zendesk.raw("GET", "/api/v2/users/me", headers=headers).json()["user"]
    assert me["email"] == "agent@sandbox.test"
    zendesk.control("POST", "tokens/revoke")
    refused = zendesk.raw("GET", "/api/v2/users/me", headers=headers)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")


def test_a_wrong_client_secret_gives_no_token(zendesk):
    wanted = {"grant_type": "client_credentials", "client_id": "sandbox", "client_secret": "no"}
    assert zendesk.raw("POST", "/oauth/tokens", json=wanted).status_code == 401


def test_paths_work_with_and_without_json(zendesk):
    ticket_id = zendesk.ticket()
    with_suffix = zendesk.api("GET", f"/tickets/{ticket_id}.json").json()
    assert with_suffix == zendesk.api("GET", f"/tickets/{ticket_id}").json()


def test_a_missing_ticket_and_a_missing_endpoint_differ(zendesk):
    names = [zendesk.api("GET", path).json()["error"] for path in ("/tickets/9", "/nonsense")]
    assert names == ["RecordNotFound", "InvalidEndpoint"]


def test_a_put_answers_with_the_ticket_and_its_audit(zendesk):
    ticket_id = zendesk.ticket()
    answer = put(
        zendesk,
        ticket_id,
        status="pending",
        comment={"body": "Have you tried water?", "public": True},
        metadata={"sla_connector": "abc"},
    ).json()
    events = [(e["type"], e.get("field_name"), e.get("value")) for e in answer["audit"]["events"]]
    assert events[0] == ("Comment", None, None)
    assert ("Change", "status", "pending") in events
    assert answer["audit"]["metadata"]["custom"] == {"sla_connector": "abc"}
    assert answer["audit"]["via"]["channel"] == "api"
    assert answer["ticket"]["status"] == "pending"


def test_a_put_that_changes_nothing_makes_no_audit_and_leaves_updated_at(zendesk):
    ticket_id = zendesk.ticket(priority="high")
    before = zendesk.get(ticket_id)
    zendesk.control("POST", "clock", {"advance_seconds": 60})
    put(zendesk, ticket_id, priority="high", tags=before["tags"])
    audits = zendesk.api("GET", f"/tickets/{ticket_id}/audits").json()
    assert (1, before["updated_at"]) == (audits["count"], zendesk.get(ticket_id)["updated_at"])


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        pytest.param({"status": "burning"}, "status", id="a status"),
        pytest.param({"priority": "very"}, "priority", id="a priority"),
        pytest.param({"type": "wish"}, "type", id="a type"),
    ],
)
def test_unknown_words_are_refused(zendesk, wanted, field):
    answer = put(zendesk, zendesk.ticket(), **wanted)
    assert (422, [field]) == (answer.status_code, list(answer.json()["details"]))


def test_a_date_field_takes_dates_only(zendesk):
    ticket_id, due_on = zendesk.ticket(), fields(zendesk)["SLA resolution due on"]
    refused = put(zendesk, ticket_id, custom_fields=[{"id": due_on, "value": "2026-03-06T10:00Z"}])
    taken = put(zendesk, ticket_id, custom_fields=[{"id": due_on, "value": "2026-03-06"}])
    assert (refused.status_code, value_of(taken.json()["ticket"], due_on)) == (422, "2026-03-06")


@pytest.mark.parametrize("empty", [None, ""], ids=["null", "empty text"])
def test_a_field_is_cleared_by(zendesk, empty):
    ticket_id, severity = zendesk.ticket(), fields(zendesk)["SLA severity"]
    put(zendesk, ticket_id, custom_fields=[{"id": severity, "value": "high"}])
    put(zendesk, ticket_id, custom_fields=[{"id": severity, "value": empty}])
    assert value_of(zendesk.get(ticket_id), severity) is None


def test_a_drop_down_moves_its_tag_along(zendesk):
    ticket_id, state = zendesk.ticket(tags=["vip"]), fields(zendesk)["SLA state"]
    for value in ("sla_f_state_running", "sla_f_state_at_risk"):
        put(zendesk, ticket_id, custom_fields=[{"id": state, "value": value}])
    assert zendesk.get(ticket_id)["tags"] == ["sla_f_state_at_risk", "vip"]


def test_taking_the_tag_away_clears_the_drop_down(zendesk):
    ticket_id, state = zendesk.ticket(), fields(zendesk)["SLA state"]
    put(zendesk, ticket_id, custom_fields=[{"id": state, "value": "sla_f_state_met"}])
    left = zendesk.api("DELETE", f"/tickets/{ticket_id}/tags", {"tags": ["sla_f_state_met"]})
    assert (left.json()["tags"], value_of(zendesk.get(ticket_id), state)) == ([], None)


def test_adding_the_tag_sets_the_drop_down_and_drops_the_old_option(zendesk):
    ticket_id, state = zendesk.ticket(), fields(zendesk)["SLA state"]
    put(zendesk, ticket_id, custom_fields=[{"id": state, "value": "sla_f_state_met"}])
    answer = zendesk.api("PUT", f"/tickets/{ticket_id}/tags", {"tags": ["SLA_F_state_paused"]})
    assert answer.json()["tags"] == ["sla_f_state_paused"]
    assert value_of(zendesk.get(ticket_id), state) == "sla_f_state_paused"


def test_an_unknown_option_is_silently_ignored(zendesk):
    ticket_id, state = zendesk.ticket(), fields(zendesk)["SLA state"]
    answer = put(zendesk, ticket_id, custom_fields=[{"id": state, "value": "sla_f_state_great"}])
    assert (answer.status_code, value_of(answer.json()["ticket"], state)) == (200, None)
    assert answer.json()["audit"]["events"][0]["type"] == "Comment"


def test_a_stale_stamp_is_an_update_conflict(zendesk):
    ticket_id = zendesk.ticket()
    stamp = zendesk.get(ticket_id)["updated_at"]
    zendesk.control("POST", "clock", {"advance_seconds": 5})
    put(zendesk, ticket_id, priority="low")
    stale = put(zendesk, ticket_id, priority="high", safe_update=True, updated_stamp=stamp)
    fresh = zendesk.get(ticket_id)["updated_at"]
    good = put(zendesk, ticket_id, priority="high", safe_update=True, updated_stamp=fresh)
    assert (
        stale.status_code,
        stale.json()["error"],
        good.status_code,
    ) == (409, "UpdateConflict", 200)


def test_a_closed_ticket_refuses_updates(zendesk):
    ticket_id = zendesk.ticket()
    put(zendesk, ticket_id, status="closed")
    answer = put(zendesk, ticket_id, priority="low")
    text = answer.json()["details"]["status"][0]["description"]
    assert (answer.status_code, text) == (422, "Status: closed prevents ticket update")


@pytest.mark.parametrize(
    ("before", "after", "reopens"),
    [("new", "new", 0), ("pending", "open", 0), ("hold", "open", 0), ("solved", "open", 1)],
)
def test_a_customer_reply_reopens(zendesk, before, after, reopens):
    ticket_id = zendesk.ticket()
    zendesk.control("POST", f"tickets/{ticket_id}", {"status": before})
    zendesk.control("POST", f"tickets/{ticket_id}/reply", {"as": "customer", "body": "Hello?"})
    answer = zendesk.api("GET", f"/tickets/show_many?ids={ticket_id}&include=metric_sets").json()
    assert (after, reopens) == (answer["tickets"][0]["status"], answer["metric_sets"][0]["reopens"])


def test_a_public_agent_comment_by_api_leaves_a_new_ticket_new(zendesk):
    ticket_id = zendesk.ticket()
    put(zendesk, ticket_id, comment={"body": "Looking into it."})
    assert zendesk.get(ticket_id)["status"] == "new"


def test_metrics_count_public_agent_replies_and_the_first_reply_time(zendesk):
    ticket_id = zendesk.ticket()
    zendesk.control("POST", f"tickets/{ticket_id}/note", {"body": "An easy one."})
    zendesk.control("POST", "clock", {"advance_seconds": 600})
    for text in ("First answer", "Second answer"):
        zendesk.control("POST", f"tickets/{ticket_id}/reply", {"as": "agent", "body": text})
    metrics = zendesk.api("GET", f"/tickets/{ticket_id}/metrics").json()["ticket_metric"]
    assert (
        metrics["replies"],
        metrics["reply_time_in_minutes"],
    ) == (2, {"calendar": 10, "business": 10})


def test_comments_come_by_cursor_with_their_authors(zendesk):
    ticket_id = zendesk.ticket()
    for number in range(3):
        zendesk.control("POST", f"tickets/{ticket_id}/note", {"body": f"Note {number}"})
    path = f"/tickets/{ticket_id}/comments?include=users&page[size]=3"
    first = zendesk.api("GET", path).json()
    rest = zendesk.api("GET", f"{path}&page[after]={first['meta']['after_cursor']}").json()
    assert (
        len(first["comments"]),
        first["meta"]["has_more"],
        len(rest["comments"]),
        rest["meta"]["has_more"],
    ) == (3, True, 1, False)
    authors = {user["id"] for user in first["users"]}
    assert {comment["author_id"] for comment in first["comments"]} == authors


def test_audits_tell_previous_values_and_channels(zendesk):
    ticket_id = zendesk.ticket(priority="low", channel="email")
    zendesk.control("POST", f"tickets/{ticket_id}", {"priority": "urgent"})
    audits = zendesk.api("GET", f"/tickets/{ticket_id}/audits?include=users").json()["audits"]
    change = audits[1]["events"][0]
    assert [audit["via"]["channel"] for audit in audits] == ["email", "web"]
    assert (
        change["type"],
        change["field_name"],
        change["previous_value"],
        change["value"],
    ) == ("Change", "priority", "low", "urgent")


def test_the_export_withholds_the_newest_minute_and_shows_deletions(zendesk):
    ticket_id = zendesk.ticket()
    path = "/incremental/tickets/cursor?start_time=1"
    early = zendesk.api("GET", path).json()
    zendesk.api("DELETE", f"/tickets/{ticket_id}")
    zendesk.control("POST", "clock", {"advance_seconds": 120})
    cursor = early["after_cursor"]
    late = zendesk.api("GET", f"/incremental/tickets/cursor?cursor={cursor}").json()
    assert ticket_id not in [ticket["id"] for ticket in early["tickets"]]
    assert [(ticket_id, "deleted")] == [(t["id"], t["status"]) for t in late["tickets"]]
    assert (
        late["end_of_stream"],
        zendesk.api("GET", f"/tickets/{ticket_id}").status_code,
    ) == (True, 404)


def test_the_export_goes_page_by_page_to_its_end(zendesk):
    for _ in range(7):
        zendesk.ticket()
    zendesk.control("POST", "clock", {"advance_seconds": 120})
    path, seen = "/incremental/tickets/cursor?start_time=1&per_page=3", []
    while True:
        page = zendesk.api("GET", path).json()
        seen += [ticket["id"] for ticket in page["tickets"]]
        if page["end_of_stream"]:
            break
        path = f"/incremental/tickets/cursor?per_page=3&cursor={page['after_cursor']}"
    assert sorted(seen) == list(range(1001, 1011))


def test_a_ticket_is_created_over_the_api_for_a_new_customer(zendesk):
    wanted = {
        "subject": "Bonjour",
        "comment": {"body": "Ça ne marche pas."},
        "requester": {"name": "Zoé", "email": "zoe@example.test"},
        "custom_fields": [{"id": fields(zendesk)["Affected users"], "value": 12}],
    }
    answer = zendesk.api("POST", "/tickets", {"ticket": wanted})
    ticket = answer.json()["ticket"]
    assert (answer.status_code, ticket["via"]["channel"], ticket["status"]) == (201, "api", "new")
    assert value_of(ticket, fields(zendesk)["Affected users"]) == "12"


def test_a_field_can_be_created_and_given_an_option(zendesk):
    options = [{"name": "Red", "value": "colour_red"}]
    wanted = {"type": "tagger", "title": "Colour", "custom_field_options": options}
    made = zendesk.api("POST", "/ticket_fields", {"ticket_field": wanted})
    path = f"/ticket_fields/{made.json()['ticket_field']['id']}/options"
    option = {"name": "Blue", "value": "colour_blue"}
    added = zendesk.api("POST", path, {"custom_field_option": option})
    values = [o["value"] for o in zendesk.api("GET", path).json()["custom_field_options"]]
    assert (
        made.status_code,
        added.status_code,
        values,
    ) == (201, 201, ["colour_red", "colour_blue"])
