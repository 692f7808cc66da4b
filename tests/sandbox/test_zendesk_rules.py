"""The local Zendesk's rules about tickets that are easily got wrong, and their switches."""

import pytest


def field_id(zendesk, title):
    fields = zendesk.api("GET", "/ticket_fields").json()["ticket_fields"]
    return next(field["id"] for field in fields if field["title"] == title)


def value_of(ticket, key):
    return next((f["value"] for f in ticket["custom_fields"] if f["id"] == key), None)


def put(zendesk, ticket_id, **wanted):
    return zendesk.api("PUT", f"/tickets/{ticket_id}", {"ticket": wanted})


def switch(zendesk, **switches):
    answer = zendesk.control("POST", "switches", switches)
    assert {name: answer[name] for name in switches} == switches


def statuses(zendesk):
    answer = zendesk.api("GET", "/custom_statuses").json()["custom_statuses"]
    return {status["agent_label"]: status["id"] for status in answer}


@pytest.mark.parametrize(
    ("shape", "field", "name"),
    [("plain", "status", None), ("named", "status", "ClosedTicket"), ("base", "base", None)],
)
def test_closed_is_told_in_each_shape_that_was_seen(zendesk, shape, field, name):
    switch(zendesk, closed_shape=shape)
    ticket_id = zendesk.ticket()
    put(zendesk, ticket_id, status="closed")
    for answer in (
        put(zendesk, ticket_id, priority="low"),
        zendesk.api("PUT", f"/tickets/{ticket_id}/tags", {"tags": ["a"]}),
    ):
        entry = answer.json()["details"][field][0]
        assert (answer.status_code, entry.get("error")) == (422, name)
        assert entry["description"] == "Status: closed prevents ticket update"


def test_a_custom_status_moves_the_category(zendesk):
    ticket_id, known = zendesk.ticket(), statuses(zendesk)
    shown = put(zendesk, ticket_id, custom_status_id=known["Waiting for vendor"]).json()["ticket"]
    assert (shown["status"], shown["custom_status_id"]) == ("hold", known["Waiting for vendor"])


def test_the_category_moves_the_custom_status(zendesk):
    ticket_id, known = zendesk.ticket(), statuses(zendesk)
    put(zendesk, ticket_id, custom_status_id=known["Waiting for vendor"])
    same = put(zendesk, ticket_id, status="hold").json()["ticket"]
    other = put(zendesk, ticket_id, status="open").json()["ticket"]
    assert same["custom_status_id"] == known["Waiting for vendor"]
    assert other["custom_status_id"] == known["Open"]


def test_a_change_within_a_category_leaves_the_status_and_is_an_event(zendesk):
    ticket_id, known = zendesk.ticket(), statuses(zendesk)
    put(zendesk, ticket_id, status="hold")
    before = zendesk.api("GET", f"/tickets/{ticket_id}/metrics").json()["ticket_metric"]
    zendesk.control("POST", "clock", {"advance_seconds": 60})
    audit = put(zendesk, ticket_id, custom_status_id=known["Waiting for vendor"]).json()["audit"]
    after = zendesk.api("GET", f"/tickets/{ticket_id}/metrics").json()["ticket_metric"]
    assert [event["field_name"] for event in audit["events"]] == ["custom_status_id"]
    assert after["status_updated_at"] == before["status_updated_at"]
    assert after["custom_status_updated_at"] > before["custom_status_updated_at"]


def test_an_unknown_custom_status_is_refused(zendesk):
    assert put(zendesk, zendesk.ticket(), custom_status_id=1).status_code == 422


def test_an_account_may_have_no_custom_statuses(zendesk):
    switch(zendesk, custom_statuses=False)
    answer = zendesk.api("GET", "/custom_statuses")
    assert (answer.status_code, answer.json()["error"]) == (404, "InvalidEndpoint")
    assert "custom_status_id" not in zendesk.get(zendesk.ticket())


def test_a_hidden_field_is_written_or_ignored(zendesk):
    severity, ticket_id = field_id(zendesk, "SLA severity"), zendesk.ticket()
    form = zendesk.api("GET", "/ticket_forms").json()["ticket_forms"][0]
    left = [key for key in form["ticket_field_ids"] if key != severity]
    path = f"/ticket_forms/{form['id']}"
    zendesk.api("PUT", path, {"ticket_form": {"ticket_field_ids": left}})
    assert severity not in zendesk.api("GET", path).json()["ticket_form"]["ticket_field_ids"]
    wanted = [{"id": severity, "value": "high"}]
    switch(zendesk, off_form_fields="ignored")
    assert (
        value_of(put(zendesk, ticket_id, custom_fields=wanted).json()["ticket"], severity) is None
    )
    switch(zendesk, off_form_fields="accepted")
    shown = put(zendesk, ticket_id, custom_fields=wanted).json()["ticket"]
    assert value_of(shown, severity) == "high"


@pytest.mark.parametrize("on_form", [True, False])
def test_a_new_field_is_on_the_form_or_not(zendesk, on_form):
    switch(zendesk, new_fields_on_form=on_form)
    wanted = {"ticket_field": {"type": "text", "title": "Shelf"}}
    made = zendesk.api("POST", "/ticket_fields", wanted).json()["ticket_field"]["id"]
    form = zendesk.api("GET", "/ticket_forms").json()["ticket_forms"][0]
    assert (made in form["ticket_field_ids"]) is on_form


def test_a_required_field_stops_solving_and_nothing_else(zendesk):
    severity, ticket_id = field_id(zendesk, "SLA severity"), zendesk.ticket()
    required = {"ticket_field": {"required": True}}
    zendesk.api("PUT", f"/ticket_fields/{severity}", required)
    refused = put(zendesk, ticket_id, status="solved", priority="high")
    entry = refused.json()["details"]["base"][0]
    assert (refused.status_code, entry["ticket_field_id"], entry["error"]) == (422, severity, None)
    assert zendesk.get(ticket_id)["priority"] is None
    assert put(zendesk, ticket_id, priority="high").status_code == 200
    fields = [{"id": severity, "value": "high"}]
    assert put(zendesk, ticket_id, status="solved", custom_fields=fields).status_code == 200


def test_a_text_that_is_too_long_is_refused(zendesk):
    switch(zendesk, text_limit=20)
    fields = [{"id": field_id(zendesk, "SLA explanation"), "value": "x" * 21}]
    assert put(zendesk, zendesk.ticket(), custom_fields=fields).status_code == 422


def test_a_due_date_without_a_task_is_ignored_or_kept(zendesk):
    ticket_id, due = zendesk.ticket(), "2030-01-01T10:00:00Z"
    assert put(zendesk, ticket_id, due_at=due).json()["ticket"]["due_at"] is None
    switch(zendesk, due_at_without_task="kept")
    assert put(zendesk, ticket_id, due_at=due).json()["ticket"]["due_at"] == due


@pytest.mark.parametrize(("how", "value"), [("text", "12"), ("number", 12)])
def test_numbers_are_read_as_text_or_as_numbers(zendesk, how, value):
    switch(zendesk, number_values=how)
    key = field_id(zendesk, "Affected users")
    shown = put(zendesk, zendesk.ticket(), custom_fields=[{"id": key, "value": 12}]).json()
    assert value_of(shown["ticket"], key) == value


def test_tags_and_drop_downs_can_be_apart(zendesk):
    switch(zendesk, tags_move_fields=False)
    ticket_id, state = zendesk.ticket(), field_id(zendesk, "SLA state")
    zendesk.api("PUT", f"/tickets/{ticket_id}/tags", {"tags": ["sla_f_state_met"]})
    assert value_of(zendesk.get(ticket_id), state) is None


def test_database_conflicts_hit_their_share_of_writes(zendesk):
    switch(zendesk, database_conflicts=0.5)
    ticket_id = zendesk.ticket()
    answers = [put(zendesk, ticket_id, subject=f"Take {number}") for number in range(4)]
    assert [answer.status_code for answer in answers] == [200, 409, 200, 409]
    assert answers[1].json() == {
        "error": "DatabaseConflict",
        "description": "Database collision",
    }


def test_a_job_row_that_makes_no_sense_fails_alone(zendesk):
    good = zendesk.ticket()
    rows = [{"id": "abc", "priority": "low"}, {"id": good, "priority": "low"}]
    job = zendesk.job(zendesk.api("PUT", "/tickets/update_many", {"tickets": rows}))
    assert [row["success"] for row in job["results"]] == [False, True]


def test_a_jobs_own_url_may_not_answer(zendesk):
    answer = zendesk.api("PUT", "/tickets/update_many?ids=1001", {"ticket": {"priority": "low"}})
    key = answer.json()["job_status"]["id"]
    switch(zendesk, single_job_status="missing")
    assert zendesk.api("GET", f"/job_statuses/{key}").status_code == 404
    listed = zendesk.api("GET", "/job_statuses").json()["job_statuses"]
    assert key in [job["id"] for job in listed]


def test_the_same_creation_twice_makes_one_ticket(zendesk):
    wanted = {"ticket": {"subject": "Once", "comment": {"body": "Only"}}}
    headers = {"Idempotency-Key": "k1"}
    first, second = (zendesk.api("POST", "/tickets", wanted, headers=headers) for _ in range(2))
    assert first.json()["ticket"]["id"] == second.json()["ticket"]["id"]
    looked_up = [a.headers["x-idempotency-lookup"] for a in (first, second)]
    assert looked_up == ["miss", "hit"]
    wanted["ticket"]["subject"] = "Twice"
    assert zendesk.api("POST", "/tickets", wanted, headers=headers).status_code == 400


def test_archived_tickets_are_in_no_list_but_can_be_read(zendesk):
    ticket_id = zendesk.ticket()
    put(zendesk, ticket_id, status="closed")
    zendesk.control("POST", "clock", {"advance_seconds": 121 * 86_400})
    listed = zendesk.api("GET", "/tickets").json()["tickets"]
    assert ticket_id not in [ticket["id"] for ticket in listed]
    assert zendesk.get(ticket_id)["status"] == "closed"
    page = zendesk.api("GET", f"/tickets/{ticket_id}/audits?page[size]=1").json()
    assert len(page["audits"]) == 2


def test_a_ticket_can_be_read_without_empty_fields_and_their_twin(zendesk):
    shown = zendesk.get(zendesk.ticket(), "?reduced_payload_size=true&remove_duplicate_fields=true")
    assert "fields" not in shown
    assert all(field["value"] is not None for field in shown["custom_fields"])


@pytest.mark.parametrize("path", ["/tickets/999999", "/tickets?page=101"])
def test_errors_can_be_plain_text(zendesk, path):
    switch(zendesk, error_bodies="text")
    answer = zendesk.api("GET", path)
    assert answer.headers["Content-Type"].startswith("text/plain")
    with pytest.raises(ValueError, match="Expecting value"):
        answer.json()


def test_pages_beyond_a_hundred_are_refused(zendesk):
    answer = zendesk.api("GET", "/tickets?page=101")
    assert answer.json()["errors"][0]["code"] == "InvalidPaginationDepth"


def test_a_list_by_cursor_holds_every_ticket_once(zendesk):
    zendesk.control("POST", "clock", {"freeze": True})  # many within one second
    made = [zendesk.ticket() for _ in range(7)]
    zendesk.control("POST", "clock", {"freeze": False, "advance_seconds": 5})
    made += [zendesk.ticket() for _ in range(2)]
    seen, path = [], "/tickets?page[size]=2"
    while path:
        page = zendesk.api("GET", path).json()
        seen += [ticket["id"] for ticket in page["tickets"]]
        path = (page["links"]["next"] or "").partition("/api/v2")[2]
    assert sorted(seen) == sorted([1001, 1002, 1003, *made])


def test_a_ticket_takes_over_the_tags_of_its_organization(zendesk):
    zendesk.control("POST", "organizations", {"name": "Acme", "tags": ["enterprise"]})
    requester = zendesk.ticket(requester="ada@acme.test", organization="Acme", tags=["own"])
    assert zendesk.get(requester)["tags"] == ["enterprise", "own"]


def test_the_tags_in_use_are_counted(zendesk):
    for tags in (["vip", "blue"], ["vip"]):
        zendesk.ticket(tags=tags)
    counts = {tag["name"]: tag["count"] for tag in zendesk.api("GET", "/tags").json()["tags"]}
    assert (counts["vip"], counts["blue"]) == (2, 1)


def test_sideloads_come_beside_tickets(zendesk):
    include = "users,groups,organizations,ticket_forms,custom_statuses,metric_sets,last_audits"
    page = zendesk.api("GET", f"/tickets/show_many?ids=1001&include={include},comment_count").json()
    assert set(include.split(",")) < set(page)
    assert page["last_audits"][0]["ticket_id"] == 1001
    comments = zendesk.api("GET", "/tickets/1001/comments").json()["count"]
    assert page["tickets"][0]["comment_count"] == comments


def test_a_suspended_account_refuses_everything(zendesk):
    zendesk.control("POST", "account", {"suspended": True})
    answers = [zendesk.api("GET", "/users/me"), zendesk.raw("POST", "/oauth/tokens", json={})]
    assert [answer.status_code for answer in answers] == [403, 403]
    switch(zendesk, suspended_status=404)
    assert zendesk.api("GET", "/tickets").json()["error"] == "InvalidEndpoint"
    zendesk.control("POST", "account", {"suspended": False})
    assert zendesk.api("GET", "/tickets").status_code == 200


@pytest.mark.parametrize("status", [401, 403])
def test_a_deactivated_user_is_refused(zendesk, status):
    switch(zendesk, deactivated_status=status)
    zendesk.control("POST", "account", {"deactivated": True})
    assert zendesk.api("GET", "/tickets").status_code == status
    zendesk.control("POST", "account", {"deactivated": False})
    assert zendesk.api("GET", "/tickets").status_code == 200


def test_fields_are_deleted_and_retyped_behind_our_back(zendesk):
    ticket_id, severity = zendesk.ticket(), field_id(zendesk, "SLA severity")
    put(zendesk, ticket_id, custom_fields=[{"id": severity, "value": "high"}])
    zendesk.control("DELETE", "fields/SLA tier")
    zendesk.control("POST", "fields/SLA severity", {"type": "date"})
    fields = zendesk.api("GET", "/ticket_fields").json()["ticket_fields"]
    kinds = {field["title"]: (field["id"], field["type"]) for field in fields}
    assert "SLA tier" not in kinds
    assert kinds["SLA severity"][0] != severity
    assert kinds["SLA severity"][1] == "date"
    assert severity not in [field["id"] for field in zendesk.get(ticket_id)["custom_fields"]]
