"""The local Freshdesk over HTTP: lists, updates, due dates, conversations, refusals."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.freshdesk.dues import DUES

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(SCALARS, lambda one: st.lists(one) | st.dictionaries(st.text(), one))
KEYS = st.sampled_from(
    ["status", "priority", "source", "type", "tags", "custom_fields", "subject", "description",
     "responder_id", "group_id", "requester_id", "company_id", "email_config_id", *DUES]
)  # fmt: skip


def errors(answer):
    return [(error["field"], error["code"]) for error in answer.json()["errors"]]


def put(freshdesk, ticket_id, **wanted):
    return freshdesk.api("PUT", f"/tickets/{ticket_id}", wanted)


@pytest.mark.parametrize("login", [None, ("wrong", "X")], ids=["none", "a wrong key"])
def test_wrong_credentials_are_refused(freshdesk, login):
    answer = freshdesk.raw("GET", "/api/v2/agents/me", auth=login)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")


def test_a_new_ticket_gets_its_native_due_dates_a_little_later(freshdesk):
    freshdesk.control("POST", "clock", {"set": "2026-03-02T09:00:00Z", "freeze": True})
    freshdesk.control("POST", "switches", {"native_seconds": 60})
    waiting = freshdesk.get(freshdesk.ticket(priority="urgent"))
    freshdesk.control("POST", "switches", {"native_seconds": 0})
    served = freshdesk.get(freshdesk.ticket(priority="urgent"))
    assert [(ticket["due_by"], ticket["fr_due_by"]) for ticket in (waiting, served)] == [
        (None, None),
        ("2026-03-02T17:00:00Z", "2026-03-02T10:00:00Z"),
    ]


def test_due_dates_written_by_api_stay_when_the_priority_changes(freshdesk):
    ticket_id = freshdesk.ticket(priority="low")
    dates = {"due_by": "2030-03-06T18:00:00Z", "fr_due_by": "2030-03-05T18:00:00Z"}
    put(freshdesk, ticket_id, **dates)
    put(freshdesk, ticket_id, priority=4)
    ticket = freshdesk.get(ticket_id)
    assert dates == {name: ticket[name] for name in dates}


@pytest.mark.parametrize("shows", ["before", "written"])
def test_a_native_engine_that_overwrites_replaces_them(freshdesk, shows):
    switches = {"native_overwrites": True, "engine": "new", "put_shows": shows}
    freshdesk.control("POST", "switches", switches)
    ticket_id = freshdesk.ticket(priority="low")
    dates = {"due_by": "2030-03-06T18:00:00Z", "fr_due_by": "2030-03-05T18:00:00Z"}
    before = freshdesk.get(ticket_id)
    answer = put(freshdesk, ticket_id, **dates).json()
    later = freshdesk.get(ticket_id)
    native = {name: before[name] for name in dates}
    expected = dates if shows == "written" else native
    assert (expected, native) == tuple({n: doc[n] for n in dates} for doc in (answer, later))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param({"flavour": "x"}, ("flavour", "invalid_field"), id="an unknown key"),
        pytest.param({"status": 99}, ("status", "invalid_value"), id="an unknown status"),
        pytest.param({"priority": "4"}, ("priority", "datatype_mismatch"), id="a text priority"),
        pytest.param({"type": "Wish"}, ("type", "invalid_value"), id="an unknown type"),
        pytest.param({"tags": "a"}, ("tags", "datatype_mismatch"), id="tags as text"),
        pytest.param(
            {"custom_fields": {"cf_sla_state": "great"}},
            ("custom_fields.cf_sla_state", "invalid_value"),
            id="a choice that is none",
        ),
        pytest.param(
            {"custom_fields": {"cf_sla_resolution_due_on": "2026-03-06T10:00:00Z"}},
            ("custom_fields.cf_sla_resolution_due_on", "invalid_value"),
            id="an instant as custom date",
        ),
        pytest.param(
            {"custom_fields": {"cf_nothing": "x"}},
            ("cf_nothing", "invalid_field"),
            id="an unknown custom field",
        ),
        pytest.param(
            {"due_by": "2030-01-01T00:00:00Z", "fr_due_by": "2030-01-01T00:00:00Z"},
            ("due_by", "invalid_value"),
            id="due dates in the wrong order",
        ),
        pytest.param(
            {"due_by": "2001-01-02T00:00:00Z", "fr_due_by": "2030-01-01T00:00:00Z"},
            ("due_by", "invalid_value"),
            id="a due date before the creation",
        ),
        pytest.param({"due_by": None}, ("due_by", "datatype_mismatch"), id="a due date of null"),
    ],
)
def test_refused_updates_name_the_field(freshdesk, wanted, expected):
    answer = put(freshdesk, freshdesk.ticket(), **wanted)
    assert (answer.status_code, answer.json()["description"]) == (400, "Validation failed")
    assert expected in errors(answer)


@settings(max_examples=60)
@given(wanted=st.dictionaries(KEYS, VALUES, max_size=3))
def test_an_update_is_taken_or_refused_field_by_field(freshdesk, wanted):
    answer = put(freshdesk, 1, **wanted)
    assert answer.status_code == 200 or (answer.status_code == 400 and errors(answer))
    assert freshdesk.api("GET", "/tickets/1?include=stats").status_code == 200


def test_tags_are_replaced_whole(freshdesk):
    ticket_id = freshdesk.ticket(tags=["vip", "paper"])
    put(freshdesk, ticket_id, tags=["sla_x"])
    assert freshdesk.get(ticket_id)["tags"] == ["sla_x"]


def test_a_deleted_ticket_refuses_writes_with_405_until_it_is_restored(freshdesk):
    ticket_id = freshdesk.ticket()
    path = f"/tickets/{ticket_id}"
    statuses = [
        freshdesk.api("DELETE", path).status_code,
        put(freshdesk, ticket_id, priority=2).status_code,
        freshdesk.api("PUT", path + "/restore").status_code,
        put(freshdesk, ticket_id, priority=2).status_code,
    ]
    assert statuses == [204, 405, 204, 200]


def test_a_missing_ticket_is_404_without_a_body(freshdesk):
    answer = freshdesk.api("GET", "/tickets/99999")
    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize(
    ("query", "field"),
    [("page=301", "page"), ("per_page=101", "per_page"), ("include=nonsense", "include")],
)
def test_impossible_lists_are_refused(freshdesk, query, field):
    answer = freshdesk.api("GET", f"/tickets?{query}")
    assert (400, field) == (answer.status_code, errors(answer)[0][0])


def test_a_list_links_to_its_next_page(freshdesk):
    path = "/tickets?updated_since=2001-01-01T00:00:00Z&per_page=2&order_by=updated_at"
    first = freshdesk.api("GET", path)
    second = freshdesk.session.get(first.links["next"]["url"], auth=freshdesk.login, timeout=10)
    ids = [ticket["id"] for ticket in first.json() + second.json()]
    assert (len(set(ids)), second.links) == (3, {})


def test_without_updated_since_only_the_last_thirty_days_are_listed(freshdesk):
    freshdesk.control("POST", "clock", {"advance_seconds": 31 * 86_400})
    new = freshdesk.ticket()
    listed = [ticket["id"] for ticket in freshdesk.api("GET", "/tickets").json()]
    everything = freshdesk.api("GET", "/tickets?updated_since=2001-01-01T00:00:00Z").json()
    assert ([new], 4) == (listed, len(everything))


def test_statistics_follow_replies_and_statuses(freshdesk):
    freshdesk.control("POST", "clock", {"set": "2026-03-02T09:00:00Z", "freeze": True})
    ticket_id = freshdesk.ticket()

    def at(minute, path, **wanted):
        freshdesk.control("POST", "clock", {"set": f"2026-03-02T09:{minute}:00Z"})
        freshdesk.control("POST", f"tickets/{ticket_id}{path}", wanted)

    at(10, "/reply", **{"as": "agent", "body": "Hello"})
    at(20, "", status="pending")
    at(30, "", status="resolved")
    at(40, "/reply", **{"as": "customer", "body": "Still broken"})
    ticket = freshdesk.get(ticket_id, "?include=stats,conversations,requester,company")
    assert ticket["stats"] == {
        "status_updated_at": "2026-03-02T09:40:00Z",
        "agent_responded_at": "2026-03-02T09:10:00Z",
        "requester_responded_at": "2026-03-02T09:40:00Z",
        "first_responded_at": "2026-03-02T09:10:00Z",
        "reopened_at": "2026-03-02T09:40:00Z",
        "resolved_at": None,
        "closed_at": None,
        "pending_since": None,
    }
    assert (
        ticket["status"],
        [entry["incoming"] for entry in ticket["conversations"]],
    ) == (2, [False, True])


def test_replies_and_notes_over_the_api_are_conversations(freshdesk):
    ticket_id = freshdesk.ticket()
    freshdesk.api("POST", f"/tickets/{ticket_id}/reply", {"body": "An answer"})
    freshdesk.api("POST", f"/tickets/{ticket_id}/notes", {"body": "A secret"})
    entries = freshdesk.api("GET", f"/tickets/{ticket_id}/conversations").json()
    assert [(entry["private"], entry["source"]) for entry in entries] == [(False, 0), (True, 2)]


def test_a_ticket_needs_its_mandatory_fields(freshdesk):
    answer = freshdesk.api("POST", "/tickets", {"subject": "Hello"})
    missing = {"description", "status", "priority", "requester_id"}
    assert {(field, "missing_field") for field in missing} == set(errors(answer))


def test_ready_made_fields_have_their_generated_names(freshdesk):
    names = {field["name"] for field in freshdesk.api("GET", "/ticket_fields").json()}
    assert {"cf_sla_first_response_due_at", "cf_sla_state", "cf_sla_explanation"} <= names


def test_a_second_field_of_the_same_label_gets_another_name(freshdesk):
    wanted = {"label": "SLA state", "type": "custom_text", "customers_can_edit": False}
    answer = freshdesk.api("POST", "/admin/ticket_fields", wanted)
    assert (
        answer.status_code,
        answer.json()["name"].startswith("cf_sla_state2"),
    ) == (201, True)


def test_a_bulk_update_is_a_job(freshdesk, eventually):
    ids = [freshdesk.ticket(), freshdesk.ticket()]
    bulk = {"bulk_action": {"ids": ids, "properties": {"priority": 4}, "reply": {"body": "Sorry"}}}
    answer = freshdesk.api("POST", "/tickets/bulk_update", bulk)
    path = f"/jobs/{answer.json()['job_id']}"
    first = freshdesk.api("GET", path).json()["status"]
    read = lambda: freshdesk.api("GET", path).json()["status"]  # noqa: E731
    eventually(read, lambda status: status == "COMPLETED")
    tickets = [freshdesk.get(ticket_id, "?include=conversations") for ticket_id in ids]
    assert (202, "IN PROGRESS", {(4, "Sorry")}) == (
        answer.status_code,
        first,
        {(one["priority"], one["conversations"][0]["body_text"]) for one in tickets},
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param('"priority:4"', 1, id="one value"),
        pytest.param('"priority:4 AND status:3"', 0, id="both"),
        pytest.param("\"(priority:4 OR tag:'vip') AND status:2\"", 2, id="brackets"),
    ],
)
def test_the_search_understands(served_with, query, expected):
    with served_with("freshdesk") as freshdesk:
        freshdesk.ticket(priority="urgent")
        freshdesk.ticket(tags=["vip"])
        freshdesk.control("POST", "clock", {"advance_seconds": 120})
        answer = freshdesk.api("GET", "/search/tickets", params={"query": query})
        assert expected == answer.json()["total"]


def test_the_search_lags(freshdesk):
    freshdesk.ticket(priority="urgent", tags=["brand-new"])
    query = {"query": "\"tag:'brand-new'\""}
    assert freshdesk.api("GET", "/search/tickets", params=query).json()["total"] == 0


def test_includes_cost_credits_and_the_list_has_a_limit_of_its_own(served_with):
    with served_with("freshdesk", plan="growth") as freshdesk:
        answers = [freshdesk.api("GET", "/tickets?include=stats") for _ in range(21)]
        assert [answer.status_code for answer in answers] == [200] * 20 + [429]
        assert (
            answers[19].headers["X-Ratelimit-Used-CurrentRequest"],
            answers[19].headers["X-Ratelimit-Remaining"],
        ) == ("3", "140")
        assert int(answers[20].headers["Retry-After"]) > 0
