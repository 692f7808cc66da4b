"""Clock, faults, limits, replayed histories, restarts and pages of both local helpdesks."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
import requests

from sandbox.application import Settings, create_sandbox
from sandbox.errors import SettingError
from sandbox.limits import Limiter, Windows
from sandbox.traffic import Call, Traffic

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


def _is_zendesk(desk):
    return desk.control("GET", "")["helpdesk"] == "Zendesk"


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
        ({"helpdesk": "zendesk", "faults": "500"}, "between 0 and 1"),
        ({"helpdesk": "zendesk", "faults": "500=nan"}, "between 0 and 1"),
        ({"helpdesk": "zendesk", "faults": "500=0.6,reset=0.6"}, "more than 1"),
        ({"helpdesk": "zendesk", "faults": "latency=5"}, "50ms"),
        ({"helpdesk": "zendesk", "faults": "slow=1,slow-seconds=-1"}, "slow-seconds"),
        ({"helpdesk": "zendesk", "windows": "round"}, "sliding"),
    ],
    ids=[
        "helpdesk",
        "plan",
        "unknown fault",
        "share",
        "no share",
        "not a number",
        "too much",
        "no unit",
        "negative",
        "windows",
    ],
)
def test_unusable_settings_are_refused_by_name(settings, named):
    with pytest.raises(SettingError, match=named):
        Settings(**settings)


@pytest.mark.parametrize(
    ("spec", "status", "wait"),
    [
        ("429=1", 429, "1"),
        ("429=1,retry-after=7s", 429, "7"),
        ("429-bare=1", 429, None),
        ("401=1", 401, None),
        ("403=1", 403, None),
        ("500=1", 500, None),
        ("502=1", 502, None),
        ("503=1,retry-after=30", 503, "30"),
    ],
)
def test_faults_show_and_go_away(desk, spec, status, wait):
    desk.control("POST", "faults", {"spec": spec})
    answer = desk.api("GET", "/ticket_fields")
    desk.control("POST", "faults", {})
    assert (status, wait) == (answer.status_code, answer.headers.get("Retry-After"))
    assert desk.api("GET", "/ticket_fields").status_code == 200


def test_a_reset_breaks_the_connection(desk):
    desk.control("POST", "faults", {"reset": 1})
    with pytest.raises(requests.ConnectionError):
        desk.api("GET", "/ticket_fields")


@pytest.mark.parametrize("fault", ["truncate", "garbage"])
def test_a_spoilt_answer_is_no_json(desk, fault):
    desk.control("POST", "faults", {fault: 1})
    for _ in range(5):
        answer = desk.api("GET", "/ticket_fields")
        assert answer.status_code == 200
        with pytest.raises(requests.JSONDecodeError):
            answer.json()


@pytest.mark.parametrize(("late", "subject"), [(0, "Before"), (1, "After")])
@pytest.mark.parametrize("fault", ["500", "502", "503", "garbage"])
def test_a_fault_comes_before_or_after_the_effect(desk, fault, late, subject):
    ticket_id = desk.ticket(subject="Before")
    body = {"subject": "After"}
    desk.control("POST", "faults", {fault: 1, "late": late})
    desk.api("PUT", f"/tickets/{ticket_id}", {"ticket": body} if _is_zendesk(desk) else body)
    desk.control("POST", "faults", {})
    assert desk.get(ticket_id)["subject"] == subject


def test_a_slow_body_trickles_in_and_is_whole(desk):
    whole = desk.api("GET", "/ticket_fields")
    desk.control("POST", "faults", {"slow": 1, "slow-seconds": 0.1})
    answer = desk.api("GET", "/ticket_fields", stream=True)
    pieces = [piece for piece in answer.raw.stream(64) if piece]
    assert b"".join(pieces) == whole.content
    assert int(answer.headers["Content-Length"]) == len(whole.content)


def test_a_stale_read_shows_the_ticket_before_its_last_change(desk):
    ticket_id = desk.ticket(subject="First")
    desk.control("POST", "faults", {"stale": 1, "stale-seconds": 60})
    for subject, seen in (("Second", "First"), ("Third", "Second")):
        desk.control("POST", f"tickets/{ticket_id}", {"subject": subject})
        assert desk.get(ticket_id)["subject"] == seen
    listed = desk.api("GET", "/tickets?per_page=100").json()
    tickets = listed["tickets"] if _is_zendesk(desk) else listed
    assert "Second" in [ticket["subject"] for ticket in tickets]
    desk.control("POST", "faults", {})
    assert desk.get(ticket_id)["subject"] == "Third"


def test_a_stale_read_that_is_too_old_shows_the_present(desk):
    ticket_id = desk.ticket(subject="First")
    desk.control("POST", "faults", {"stale": 1, "stale-seconds": 0})
    desk.control("POST", f"tickets/{ticket_id}", {"subject": "Second"})
    assert desk.get(ticket_id)["subject"] == "Second"


def test_a_stale_read_shows_no_message_that_has_just_been_written(desk):
    ticket_id = desk.ticket()
    desk.control("POST", "faults", {"stale": 1, "stale-seconds": 60})
    for public in (True, False):
        reply = {"as": "agent", "body": "We are on it.", "public": public}
        desk.control("POST", f"tickets/{ticket_id}/reply", reply)
    path = f"/tickets/{ticket_id}/" + ("comments" if _is_zendesk(desk) else "conversations")

    def said():
        answer = desk.api("GET", path).json()
        return str(answer).count("We are on it.")

    assert said() == 0
    desk.control("POST", "faults", {})
    assert said() >= 2


def test_the_same_seed_gives_the_same_faults(served_with):
    def fates(seed):
        with served_with("zendesk", seed=seed) as zendesk:
            zendesk.control("POST", "faults", {"500": 0.3, "403": 0.3})
            return [zendesk.api("GET", "/ticket_fields").status_code for _ in range(30)]

    assert fates(3) == fates(3) != fates(4)
    assert {200, 500, 403} == set(fates(3))


def test_a_vendor_plan_limits_single_updates_of_one_ticket(served_with):
    with served_with("zendesk", plan="enterprise", tickets=1) as zendesk:
        wanted = {"ticket": {"priority": "low"}}
        answers = [zendesk.api("PUT", "/tickets/1001", wanted) for _ in range(31)]
        assert [answer.status_code for answer in answers] == [200] * 30 + [429]
        assert answers[0].headers["x-rate-limit"] == "700"


class Hand:
    """Moves the machine's clocks."""

    def __init__(self, monkeypatch):
        self.now = 1_000_030.0
        monkeypatch.setattr("time.monotonic", lambda: self.now)
        monkeypatch.setattr("time.time", lambda: self.now)


@pytest.fixture
def hand(monkeypatch):
    return Hand(monkeypatch)


@pytest.mark.parametrize("windows", list(Windows))
def test_a_limit_lets_in_as_many_as_it_says_and_its_wait_is_honest(windows, hand):
    limiter = Limiter(60, windows)
    assert [limiter.take("all", 10).remaining for _ in range(10)] == [*range(9, -1, -1)]
    refused = limiter.take("all", 10)
    assert not refused.allowed
    hand.now += refused.reset_seconds - 1.01
    assert not limiter.take("all", 10).allowed
    hand.now += 1.01
    assert limiter.take("all", 10).allowed
    assert limiter.take("other", 10, cost=10).allowed
    assert not limiter.take("third", 10, cost=11).allowed


@pytest.mark.parametrize(
    ("windows", "let_in"), [(Windows.FIXED, 19), (Windows.ALIGNED, 19), (Windows.SLIDING, 10)]
)
def test_only_a_sliding_window_refuses_a_burst_around_the_end_of_a_minute(windows, let_in, hand):
    limiter = Limiter(60, windows)
    limiter.take("all", 10)
    hand.now += 48  # the fixed minute ends in 12 seconds, the wall clock's in 2
    made = sum(limiter.take("all", 10).allowed for _ in range(9))
    hand.now += 12.6
    assert made + sum(limiter.take("all", 10).allowed for _ in range(10)) == let_in


@pytest.mark.parametrize("windows", list(Windows))
def test_a_limiter_forgets_what_no_longer_counts(windows, hand):
    limiter = Limiter(60, windows)
    for ticket in range(10_000):
        hand.now += 0.1
        limiter.take(f"ticket {ticket}", 30)
    assert len(limiter._buckets) < 4000


def test_the_windows_change_at_run_time(desk):
    assert desk.control("GET", "limits") == {"minute_seconds": 60.0, "windows": "fixed"}
    wanted = {"minute_seconds": 2.0, "windows": "sliding"}
    assert desk.control("POST", "limits", wanted) == wanted
    assert "limits" not in desk.control("POST", "limits", {"windows": "round"})
    assert "above 0" in desk.control("POST", "limits", {"minute_seconds": 0})["error"]
    assert "windows and minute_seconds" in desk.control("POST", "limits", {"plan": "pro"})["error"]


def test_calls_after_a_refusal_are_counted_until_its_time_is_over(desk):
    desk.control("DELETE", "requests")
    desk.control("POST", "faults", {"429": 1, "retry-after": "60s"})
    assert desk.api("GET", "/ticket_fields").status_code == 429
    desk.control("POST", "faults", {})
    desk.api("GET", "/ticket_fields")
    desk.api("GET", "/nonsense")
    seen = desk.control("GET", "requests")
    assert seen["after_refusal"]["count"] == 2
    assert [call["endpoint"] for call in seen["after_refusal"]["latest"]] == [
        "GET /ticket_fields",
        "GET (unknown)",
    ]
    fields = seen["endpoints"]["GET /ticket_fields"]
    assert (fields["count"], fields["after_refusal"], len(fields["refused_at"])) == (2, 1, 1)
    assert fields["statuses"] == {"200": 1, "429": 1}


def test_a_call_that_was_under_way_and_one_that_waited_are_no_calls_after_a_refusal():
    def call(began, ended, status=200, retry_after=None):
        return Call(
            endpoint="GET /x", method="GET", path="/x", status=status, at="", began=began,
            ended=ended, retry_after=retry_after,
        )  # fmt: skip

    traffic = Traffic()
    traffic.note(call(0.0, 1.0, 429, 10.0))
    traffic.note(call(0.9, 1.5))
    traffic.note(call(11.0, 11.1))
    assert traffic.as_json()["after_refusal"]["count"] == 0
    traffic.note(call(1.1, 1.2, 429, 10.0))
    traffic.note(call(11.1, 11.2))
    assert traffic.as_json()["after_refusal"]["count"] == 2


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


# --- very many tickets, webhooks that go wrong, what an administrator does ------------------------


def test_very_many_tickets_are_loaded_and_agree_with_their_past(zendesk):
    zendesk.control("POST", "clock", {"freeze": True})
    wanted = {"count": 400, "share_open": 0.5, "share_closed": 0.3, "share_history": 0.8}
    made = zendesk.control("POST", "bulk", wanted | {"since": "2026-01-01T00:00:00Z"})
    assert made["count"] == 400
    last = made["last_id"]
    found = zendesk.api("GET", f"/tickets/{last}").json()["ticket"]
    assert found["created_at"] <= found["updated_at"] <= zendesk.control("GET", "clock")["now"]
    ids = ",".join(str(number) for number in range(last - 99, last + 1))
    answer = zendesk.api("GET", f"/tickets/show_many?ids={ids}&include=metric_sets,users").json()
    replies = {row["ticket_id"]: row["replies"] for row in answer["metric_sets"]}
    agents = {user["id"] for user in answer["users"] if user["role"] == "agent"}
    for ticket in answer["tickets"]:
        path = f"/tickets/{ticket['id']}/comments"
        comments = zendesk.api("GET", path).json()["comments"][1:]
        said = [one for one in comments if one["public"] and one["author_id"] in agents]
        assert len(said) == replies[ticket["id"]]
        audits = zendesk.api("GET", f"/tickets/{ticket['id']}/audits").json()["audits"]
        assert {ticket["id"]} >= {audit["ticket_id"] for audit in audits}
        assert not audits or audits[-1]["created_at"] == ticket["updated_at"]
    assert sum(replies.values()) > 50


def test_very_many_freshdesk_tickets_agree_with_their_conversations(freshdesk):
    made = freshdesk.control("POST", "bulk", {"count": 400, "share_open": 1, "share_history": 1})
    assert made["count"] == 400
    answered = 0
    for number in range(made["last_id"] - 30, made["last_id"] + 1):
        ticket = freshdesk.get(number, "?include=stats")
        said = freshdesk.api("GET", f"/tickets/{number}/conversations").json()
        first = [c["created_at"] for c in said if not c["incoming"] and not c["private"]]
        assert ticket["stats"]["first_responded_at"] == (first[0] if first else None)
        assert {number} >= {one["ticket_id"] for one in said}
        assert ticket["status"] not in (4, 5)
        answered += bool(first)
    assert answered > 10


def test_the_shares_of_a_bulk_load_hold(served_with):
    with served_with("zendesk") as zendesk:
        wanted = {"count": 3000, "share_open": 0.3, "share_closed": 0.5, "share_history": 0}
        zendesk.control("POST", "bulk", wanted)
        statuses = [ticket["status"] for ticket in zendesk.control("GET", "tickets")["tickets"]]
    assert len(statuses) == 3000
    assert statuses.count("closed") / 3000 == pytest.approx(0.5, abs=0.04)
    assert statuses.count("solved") / 3000 == pytest.approx(0.2, abs=0.04)


def test_the_same_seed_gives_the_same_bulk_load(served_with):
    def shown(seed):
        with served_with("freshdesk") as freshdesk:
            freshdesk.control("POST", "clock", {"set": "2031-05-01T12:00:00Z", "freeze": True})
            freshdesk.control("POST", "bulk", {"count": 350, "seed": seed})
            tickets = freshdesk.control("GET", "tickets")["tickets"]
            return [(ticket["subject"], ticket["created_at"]) for ticket in tickets]

    assert shown(5) == shown(5) != shown(6)


@pytest.mark.parametrize(
    ("wish", "named"),
    [
        ({}, "count"),
        ({"count": 0}, "count"),
        ({"count": 5, "share_open": 0.7, "share_closed": 0.7}, "more than 1"),
        ({"count": 5, "speed": 1}, "speed"),
        ({"count": 5, "since": "yesterday"}, "since"),
    ],
    ids=["nothing", "none", "shares", "unknown", "no instant"],
)
def test_a_bulk_load_that_cannot_be_is_refused_by_name(desk, wish, named):
    assert named in desk.control("POST", "bulk", wish)["error"]


def _created_ids(got):
    return [json.loads(body)["detail"]["id"] for _, body in got]


def test_webhooks_can_be_off_doubled_and_out_of_order(served_with, receiver):
    config = {"url": receiver.url, "subscriptions": ["zen:event-type:ticket.created"]}
    with served_with("zendesk", webhooks=[config]) as zendesk:
        zendesk.control("POST", "deliveries/faults", {"off": True})
        zendesk.ticket()
        assert zendesk.control("GET", "deliveries")["dropped"] == 1
        zendesk.control("POST", "deliveries/faults", {"duplicate": 1})
        doubled = zendesk.ticket()
        assert _created_ids(receiver.wait(2)) == [str(doubled)] * 2
        zendesk.control("POST", "deliveries/faults", {"reorder": 1, "reorder_seconds": 0.1})
        first = [zendesk.ticket() for _ in range(8)]
        arrived = _created_ids(receiver.wait(10)[2:])
    assert sorted(map(int, arrived)) == first
    assert list(map(int, arrived)) != first


@pytest.mark.parametrize("wish", [{"duplicate": 2}, {"reorder_seconds": -1}, {"lost": 1}])
def test_impossible_webhook_faults_are_refused(desk, wish):
    assert "error" in desk.control("POST", "deliveries/faults", wish)


@pytest.mark.parametrize("trouble", ["suspended", "deactivated"])
def test_the_account_can_be_suspended_and_its_user_deactivated(desk, trouble):
    desk.control("POST", "account", {trouble: True})
    assert desk.api("GET", "/ticket_fields").status_code in (401, 403)
    desk.control("POST", "account", {trouble: False})
    assert desk.api("GET", "/ticket_fields").status_code == 200


def _field(desk, title):
    """Our own field as the API lists it, or None."""
    listed = desk.api("GET", "/ticket_fields").json()
    fields = listed["ticket_fields"] if _is_zendesk(desk) else listed
    return next((one for one in fields if title in (one.get("title"), one.get("label"))), None)


def test_a_field_can_be_retyped_hidden_and_deleted(desk):
    before = _field(desk, "SLA severity")
    kind = "integer" if _is_zendesk(desk) else "custom_number"
    desk.control("POST", "fields/SLA severity", {"type": kind})
    after = _field(desk, "SLA severity")
    assert after["type"] == kind != before["type"]
    assert desk.control("POST", "fields/SLA severity", {"hidden": True}) == {"hidden": True}
    desk.control("DELETE", "fields/SLA severity")
    assert _field(desk, "SLA severity") is None
    assert "error" in desk.control("DELETE", "fields/SLA severity")


def test_troubles_that_are_misspelt_are_refused(desk):
    assert "suspended and deactivated" in desk.control("POST", "account", {"gone": 1})["error"]
    assert "type and hidden" in desk.control("POST", "fields/x", {})["error"]
