"""Clock, faults, limits, replayed histories, restarts and pages of both local helpdesks."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
import requests

from sandbox.application import Settings, create_sandbox
from sandbox.errors import SettingError

HOSTILE = "<script>alert(\"1\")</script> & 'quotes' \u202eright to left"
HISTORY = {
    "external_id": "log-1",
    "subject": "From the log",
    "requester": "Ada Field",
    "organization": "Field & Sons",
    "channel": "email",
    "priority": "high",
    "type": "incident",
    "events": [
        {"at": "2026-03-02T09:00:00Z", "kind": "created", "by": "customer", "value": "Help!"},
        {"at": "2026-03-02T09:30:00Z", "kind": "comment", "by": "agent", "value": "Yes?"},
        {"at": "2026-03-02T10:00:00Z", "kind": "status", "by": "agent", "value": "pending"},
        {"at": "2026-03-02T11:00:00Z", "kind": "comment", "by": "customer", "value": "No."},
        {"at": "2026-03-02T12:00:00Z", "kind": "priority", "by": "agent", "value": "urgent"},
    ],
}


def test_moving_the_clock_moves_dates_and_timestamps(desk):
    desk.control("POST", "clock", {"set": "2031-05-01T12:00:00Z", "freeze": True})
    ticket_id = desk.ticket()
    answer = desk.api("GET", f"/tickets/{ticket_id}")
    shown = parsedate_to_datetime(answer.headers["Date"])
    assert datetime(2031, 5, 1, 12, tzinfo=UTC) == shown
    assert desk.get(ticket_id)["created_at"] == "2031-05-01T12:00:00Z"


def test_errors_and_pages_carry_one_moved_date_too(desk):
    desk.control("POST", "clock", {"advance_seconds": 86_400 * 30})
    for path in ("/api/v2/nonsense", "/", "/_sandbox/clock", "/static/sandbox.css"):
        answer = desk.raw("GET", path)
        away = parsedate_to_datetime(answer.headers["Date"]) - datetime.now(UTC)
        assert away > timedelta(days=29), path
        assert len(answer.raw.headers.getlist("Date")) == 1


def test_a_restart_continues(served_with, tmp_path):
    with served_with("zendesk", data_dir=tmp_path, tickets=2) as zendesk:
        zendesk.control("POST", "clock", {"set": "2031-05-01T12:00:00Z", "freeze": True})
        zendesk.control("POST", "switches", {"tags_delete_status": 204})
        ticket_id = zendesk.ticket(subject="Remember me")
    with served_with("zendesk", data_dir=tmp_path, tickets=2) as zendesk:
        assert zendesk.get(ticket_id)["subject"] == "Remember me"
        assert zendesk.control("GET", "clock")["now"] == "2031-05-01T12:00:00Z"
        assert zendesk.control("GET", "switches")["tags_delete_status"] == 204
        assert zendesk.ticket() == ticket_id + 1
    with served_with("zendesk", data_dir=tmp_path, tickets=2, fresh=True) as zendesk:
        assert len(zendesk.control("GET", "tickets")["tickets"]) == 2


def test_the_same_seed_gives_the_same_queue(served_with):
    def subjects():
        with served_with("zendesk", seed=7, tickets=30) as desk:
            return [ticket["subject"] for ticket in desk.control("GET", "tickets")["tickets"]]

    assert subjects() == subjects()


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"helpdesk": "jira"}, "zendesk, freshdesk"),
        ({"helpdesk": "zendesk", "plan": "huge"}, "professional"),
        ({"helpdesk": "zendesk", "faults": "flood=1"}, "latency"),
        ({"helpdesk": "zendesk", "faults": "500=2"}, "between 0 and 1"),
    ],
    ids=["helpdesk", "plan", "unknown fault", "share"],
)
def test_unusable_settings_are_refused_by_name(settings, named):
    with pytest.raises(SettingError, match=named):
        Settings(**settings)


@pytest.mark.parametrize(
    ("spec", "status"),
    [("429=1", 429), ("429-bare=1", 429), ("500=1", 500), ("502=1", 502)],
)
def test_faults_show_and_go_away(desk, spec, status):
    desk.control("POST", "faults", {"spec": spec})
    answer = desk.api("GET", "/ticket_fields")
    desk.control("POST", "faults", {})
    assert (status, spec == "429=1") == (answer.status_code, "Retry-After" in answer.headers)
    assert desk.api("GET", "/ticket_fields").status_code == 200


def test_a_reset_breaks_the_connection(desk):
    desk.control("POST", "faults", {"reset": 1})
    with pytest.raises(requests.ConnectionError):
        desk.api("GET", "/ticket_fields")


def test_a_truncated_answer_is_no_json(desk):
    desk.control("POST", "faults", {"truncate": 1})
    answer = desk.api("GET", "/ticket_fields")
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_a_vendor_plan_limits_single_updates_of_one_ticket(served_with):
    with served_with("zendesk", plan="enterprise", tickets=1) as zendesk:
        wanted = {"ticket": {"priority": "low"}}
        answers = [zendesk.api("PUT", "/tickets/1001", wanted) for _ in range(31)]
        assert [answer.status_code for answer in answers] == [200] * 30 + [429]
        assert answers[-1].json()["error"] == "APIRateLimitExceeded"
        assert answers[0].headers["x-rate-limit"] == "700"


def test_calls_are_counted_by_endpoint(desk):
    desk.control("DELETE", "requests")
    ticket_id = desk.ticket()
    for _ in range(3):
        desk.get(ticket_id)
    assert desk.control("GET", "requests")["counts"] == {"GET /tickets/{ticket_id}": 3}


def test_a_loaded_history_has_its_own_instants_on_zendesk(zendesk):
    ids = zendesk.control("POST", "load", [HISTORY])["ids"]
    query = f"/tickets/show_many?ids={ids[0]}&include=metric_sets,users"
    answer = zendesk.api("GET", query).json()
    ticket, metrics = answer["tickets"][0], answer["metric_sets"][0]
    audits = zendesk.api("GET", f"/tickets/{ids[0]}/audits").json()["audits"]
    assert [event["at"] for event in HISTORY["events"]] == [a["created_at"] for a in audits]
    assert (
        ticket["external_id"],
        ticket["status"],
        ticket["priority"],
        ticket["updated_at"],
    ) == ("log-1", "open", "urgent", "2026-03-02T12:00:00Z")
    assert (
        metrics["replies"],
        metrics["reply_time_in_minutes"]["calendar"],
        metrics["status_updated_at"],
    ) == (1, 30, "2026-03-02T11:00:00Z")


def test_a_loaded_history_has_its_own_instants_on_freshdesk(freshdesk):
    ids = freshdesk.control("POST", "load", [HISTORY])["ids"]
    ticket = freshdesk.get(ids[0], "?include=stats,conversations")
    assert (
        ticket["status"],
        ticket["priority"],
        ticket["stats"]["first_responded_at"],
        ticket["stats"]["requester_responded_at"],
    ) == (2, 4, "2026-03-02T09:30:00Z", "2026-03-02T11:00:00Z")
    assert [entry["body_text"] for entry in ticket["conversations"]] == ["Yes?", "No."]


@pytest.mark.parametrize(
    ("document", "named"),
    [
        pytest.param([{"subject": "x"}], "events", id="no events"),
        pytest.param(
            [{"subject": "x", "events": [{"at": "2026-03-02T09:00:00", "kind": "created"}]}],
            "timezone",
            id="an instant without a zone",
        ),
        pytest.param(
            [
                {
                    "subject": "x",
                    "events": [
                        {"at": "2026-03-02T09:00:00Z", "kind": "created"},
                        {"at": "2026-03-02T08:00:00Z", "kind": "comment"},
                    ],
                }
            ],
            "order",
            id="events out of order",
        ),
        pytest.param({"a": 1}, "list", id="no list"),
    ],
)
def test_unusable_histories_are_refused(desk, document, named):
    assert named in desk.control("POST", "load", document)["error"]


def test_an_unknown_switch_is_refused(desk):
    assert "unknown switches" in desk.control("POST", "switches", {"magic": 1})["error"]


def test_hostile_text_is_escaped_on_both_pages(desk):
    ticket_id = desk.ticket(subject=HOSTILE, description=HOSTILE, requester=HOSTILE, tags=['"><i>'])
    for path in ("/", f"/tickets/{ticket_id}", f"/tickets/{ticket_id}/live", "/rows"):
        page = desk.raw("GET", path)
        assert "<script>alert" not in page.text
        assert "&lt;script&gt;alert" in page.text
        assert '"><i>' not in page.text


def test_every_page_has_a_strict_policy(desk):
    policy = desk.raw("GET", "/").headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_the_forms_work_without_scripts(desk):
    form = {"subject": "From a form", "description": "Text", "requester": "Ann", "channel": "chat"}
    made = desk.raw("POST", "/_sandbox/tickets", data=form)
    assert (made.status_code, "From a form" in made.text) == (200, True)
    ticket_path = made.url.removeprefix(desk.url)
    answer = desk.raw(
        "POST", f"/_sandbox{ticket_path}/reply", data={"as": "customer", "body": "And again"}
    )
    assert "And again" in answer.text
    back = desk.raw("POST", "/_sandbox/clock", data={"advance_seconds": "300", "back": ticket_path})
    assert back.url == desk.url + ticket_path


def test_an_unknown_ticket_page_is_404(desk):
    assert desk.raw("GET", "/tickets/987654").status_code == 404


@pytest.mark.parametrize("back", ["//evil.test", "https://evil.test"])
def test_forms_never_lead_away(desk, back):
    data = {"advance_seconds": "1", "back": back}
    answer = desk.raw("POST", "/_sandbox/clock", data=data, allow_redirects=False)
    assert answer.headers["Location"] == "/"


def test_an_app_can_be_built_and_closed_without_a_server():
    app = create_sandbox("freshdesk", tickets=1)
    assert app.test_client().get("/").status_code == 200
    app.extensions["sandbox"].close()


# --- organizations, calls, the helpdesk's own dates ----------------------------------------------


def test_an_organization_is_created_and_then_changed(desk):
    first = desk.control("POST", "organizations", {"name": "Acme", "domains": ["acme.test"]})["id"]
    second = desk.control("POST", "organizations", {"name": "Acme", "fields": {"plan": "gold"}})
    assert second["id"] == first
    ticket = desk.get(desk.ticket(organization="Acme"))
    assert first in (ticket.get("organization_id"), ticket.get("company_id"))
    path = "companies" if "company_id" in ticket else "organizations"
    found = desk.api("GET", f"/{path}/{first}").json()
    found = found.get("organization", found)
    assert "acme.test" in str(found)
    assert "gold" in str(found)


def test_an_organization_needs_a_name(desk):
    assert "needs a name" in desk.control("POST", "organizations", {"fields": {}})["error"]


def test_a_call_is_a_note_of_its_own_kind(zendesk, freshdesk):
    told = {"as": "agent", "body": "Called back."}
    ticket = zendesk.ticket()
    zendesk.control("POST", f"tickets/{ticket}/call", told)
    comment = zendesk.api("GET", f"/tickets/{ticket}/comments").json()["comments"][-1]
    event = zendesk.api("GET", f"/tickets/{ticket}/audits").json()["audits"][-1]["events"][0]
    assert (comment["type"], comment["public"]) == (event["type"], False) == ("VoiceComment", False)
    assert event["data"]["answered_by_id"] == comment["author_id"]

    ticket = freshdesk.ticket()
    freshdesk.control("POST", f"tickets/{ticket}/call", told)
    (row,) = freshdesk.api("GET", f"/tickets/{ticket}/conversations").json()
    assert (row["source"], row["incoming"], row["private"]) == (9, False, True)
    assert freshdesk.get(ticket, "?include=stats")["stats"]["first_responded_at"] is None


def test_zendesk_shows_its_own_dates_when_asked(zendesk):
    ticket = zendesk.ticket(priority="urgent")
    zendesk.control("POST", f"tickets/{ticket}/reply", {"as": "agent", "body": "Hello"})
    query = f"/tickets/show_many?ids={ticket}&include=slas"
    (found,) = zendesk.api("GET", query).json()["tickets"]
    reply, resolution = found["slas"]["policy_metrics"]
    assert (reply["metric"], reply["stage"]) == ("first_reply_time", "achieved")
    assert (resolution["metric"], resolution["stage"]) == ("total_resolution_time", "active")
    assert reply["breach_at"] < resolution["breach_at"]
    assert "slas" not in zendesk.get(ticket)
    bare = zendesk.get(zendesk.ticket(), "?include=slas")
    assert bare["slas"] == {"policy_metrics": []}
