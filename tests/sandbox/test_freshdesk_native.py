"""The local Freshdesk's own SLA policies and due dates, and what writing due dates does."""

import pytest

START = "2026-03-02T09:00:00Z"  # a Monday
DATES = {"due_by": "2026-03-09T18:00:00Z", "fr_due_by": "2026-03-09T12:00:00Z"}


@pytest.fixture
def at(freshdesk):
    """Sets the clock of the helpdesk, which stands."""

    def move(instant):
        freshdesk.control("POST", "clock", {"set": instant, "freeze": True})

    move(START)
    return move


def put(freshdesk, ticket_id, **wanted):
    return freshdesk.api("PUT", f"/tickets/{ticket_id}", wanted)


def dues(freshdesk, ticket_id):
    ticket = freshdesk.get(ticket_id)
    return {name: ticket[name] for name in DATES}


def code(answer):
    return [(error["field"], error["code"]) for error in answer.json()["errors"]]


def test_the_answer_to_a_creation_shows_no_native_dates(freshdesk):
    new = {"subject": "x", "description": "y", "email": "sam@customers.test"}
    answer = freshdesk.api("POST", "/tickets", new | {"status": 2, "priority": 1})
    shown, later = answer.json(), dues(freshdesk, answer.json()["id"])
    assert (shown["due_by"], shown["fr_due_by"]) == (None, None)
    assert None not in later.values()
    assert answer.headers["Location"].endswith(f"/api/v2/tickets/{shown['id']}")


def test_a_pause_shifts_native_dates(freshdesk, at):
    ticket_id = freshdesk.ticket(priority="urgent")
    at("2026-03-02T09:30:00Z")
    put(freshdesk, ticket_id, status=6)
    at("2026-03-02T11:30:00Z")
    put(freshdesk, ticket_id, status=2)
    assert dues(freshdesk, ticket_id) == {
        "due_by": "2026-03-02T19:00:00Z",
        "fr_due_by": "2026-03-02T12:00:00Z",
    }


def test_a_status_that_leaves_the_timer_on_shifts_nothing(freshdesk, at):
    freshdesk.control("POST", "switches", {"timer_off_statuses": [4, 5]})
    ticket_id = freshdesk.ticket(priority="urgent")
    put(freshdesk, ticket_id, status=6)
    at("2026-03-02T11:30:00Z")
    put(freshdesk, ticket_id, status=2)
    assert dues(freshdesk, ticket_id)["due_by"] == "2026-03-02T17:00:00Z"


def a_policy(**changed):
    targets = {"respond_within": 3600, "resolve_within": 4 * 3600, "business_hours": True}
    return {
        "name": "Incidents",
        "applicable_to": {"ticket_types": ["Incident"]},
        "sla_target": {f"priority_{number}": targets for number in (1, 2, 3, 4)},
    } | changed


def test_the_first_policy_that_applies_gives_the_dates(freshdesk, at):
    at("2026-03-06T16:00:00Z")  # a Friday; at work until 17:00
    made = freshdesk.api("POST", "/sla_policies", a_policy()).json()
    ticket_id = freshdesk.ticket(priority="low", type="Incident")
    assert dues(freshdesk, ticket_id) == {
        "due_by": "2026-03-09T12:00:00Z",
        "fr_due_by": "2026-03-06T17:00:00Z",
    }
    freshdesk.api("PUT", f"/sla_policies/{made['id']}", {"active": False})
    other = dues(freshdesk, freshdesk.ticket(priority="low", type="Incident"))
    assert other["due_by"] == "2026-03-09T16:00:00Z"


def test_policies_have_text_ids_and_come_in_their_order(freshdesk):
    freshdesk.api("POST", "/sla_policies", a_policy())
    policies = freshdesk.api("GET", "/sla_policies").json()
    assert [(one["name"], one["is_default"]) for one in policies] == [
        ("Incidents", False),
        ("Default SLA Policy", True),
    ]
    assert {str} == {type(one["id"]) for one in policies}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_single_policy_is_neither_read_nor_deleted(freshdesk, method):
    made = freshdesk.api("POST", "/sla_policies", a_policy()).json()
    answer = freshdesk.api(method, f"/sla_policies/{made['id']}")
    assert (answer.status_code, answer.json()["message"][-3:]) == (405, "PUT")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        pytest.param({"name": ""}, "name", id="no name"),
        pytest.param({"sla_target": {"priority_9": {}}}, "sla_target.priority_9", id="priority 9"),
        pytest.param(
            {"sla_target": {"priority_1": {"respond_within": "1h", "resolve_within": 9}}},
            "sla_target.priority_1.respond_within",
            id="a time as text",
        ),
    ],
)
def test_wrong_policies_are_refused(freshdesk, changed, field):
    answer = freshdesk.api("POST", "/sla_policies", a_policy(**changed))
    assert (answer.status_code, code(answer)[0][0]) == (400, field)


def test_business_hours_are_written_in_twelve_hours_with_a_text_id(freshdesk):
    hours = freshdesk.api("GET", "/business_hours").json()[0]
    same = freshdesk.api("GET", f"/business_hours/{hours['id']}").json()
    monday = {"start_time": "09:00:00 am", "end_time": "05:00:00 pm"}
    assert (hours["business_hours"]["monday"], hours["time_zone"]) == (monday, "London")
    assert (same, "sunday" in hours["business_hours"], type(hours["id"])) == (hours, False, str)


@pytest.mark.parametrize("status", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("mode", ["accept", "ignore", "refuse"])
def test_due_dates_of_a_ticket_whose_clock_stands(freshdesk, at, status, mode):
    freshdesk.control("POST", "switches", {"due_when_resolved": mode, "due_when_paused": mode})
    ticket_id = freshdesk.ticket()
    put(freshdesk, ticket_id, status=status)
    before = dues(freshdesk, ticket_id)
    answer = put(freshdesk, ticket_id, **DATES)
    takes = status == 2 or mode == "accept"
    refused = status != 2 and mode == "refuse"
    assert (answer.status_code, dues(freshdesk, ticket_id)) == (
        400 if refused else 200,
        DATES if takes else before,
    )
    assert not refused or set(code(answer)) == {(name, "incompatible_field") for name in DATES}


@pytest.mark.parametrize(
    ("switches", "wanted", "status"),
    [
        pytest.param({}, {"due_by": None}, 400, id="null is refused"),
        pytest.param({"due_null": "clear"}, {"due_by": None}, 200, id="null clears"),
        pytest.param({"due_null": "ignore"}, {"due_by": None}, 200, id="null is ignored"),
        pytest.param({}, {"due_by": "2026-03-02T10:00:00Z", "fr_due_by": START}, 200, id="past"),
        pytest.param(
            {"due_in_past": "refuse"},
            {"due_by": "2026-03-02T10:00:00Z", "fr_due_by": START},
            400,
            id="past, refused",
        ),
        pytest.param({}, {"due_by": DATES["due_by"]}, 200, id="one without the other"),
        pytest.param(
            {"dues_together": True}, {"due_by": DATES["due_by"]}, 400, id="both are wanted"
        ),
    ],
)
def test_what_due_dates_may_be(freshdesk, at, switches, wanted, status):
    freshdesk.control("POST", "switches", switches)
    ticket_id = freshdesk.ticket()
    at("2026-03-03T09:00:00Z")
    assert put(freshdesk, ticket_id, **wanted).status_code == status


@pytest.mark.parametrize("bumps", [True, False])
def test_native_dates_may_move_a_ticket_in_the_list_of_changes(freshdesk, at, bumps):
    freshdesk.control("POST", "switches", {"native_bumps_updated_at": bumps})
    ticket_id = freshdesk.ticket()
    at("2026-03-02T09:00:10Z")
    freshdesk.api("GET", "/tickets/1")  # any call lets Freshdesk catch up
    listed = freshdesk.api("GET", "/tickets?updated_since=2026-03-02T09:00:05Z").json()
    assert (ticket_id in {ticket["id"] for ticket in listed}) is bumps
