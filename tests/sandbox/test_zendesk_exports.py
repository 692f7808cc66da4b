"""The local Zendesk's exports, search and counts, with what is awkward about them."""

import pytest

from sandbox.zendesk.people import People
from sandbox.zendesk.searching import Search

START = "/incremental/tickets/cursor?start_time=1"
EVENTS = "/incremental/ticket_events?start_time=1"


def later(zendesk, seconds=120):
    zendesk.control("POST", "clock", {"advance_seconds": seconds})


def walk(zendesk, path, key="tickets"):
    """The rows of every page until the end of the stream."""
    pages = []
    while True:
        page = zendesk.api("GET", path).json()
        pages.append(page[key])
        if page["end_of_stream"]:
            return pages
        path = (page.get("after_url") or page["next_page"]).partition("/api/v2")[2]


def test_a_start_time_of_the_last_minute_is_refused(zendesk):
    now = zendesk.api("GET", "/tickets/1001").headers
    assert now["Date"]
    for path in ("tickets/cursor", "ticket_events"):
        answer = zendesk.api("GET", f"/incremental/{path}?start_time=4102444800")
        assert (answer.status_code, answer.json()["error"]) == (400, "StartTimeTooRecent")


def test_deleted_rows_can_be_left_out(zendesk):
    zendesk.api("DELETE", "/tickets/1001")
    later(zendesk)
    shown = [t["status"] for page in walk(zendesk, START) for t in page]
    left = [t["status"] for page in walk(zendesk, START + "&exclude_deleted=true") for t in page]
    assert ("deleted" in shown, "deleted" in left) == (True, False)


def test_the_export_carries_its_sideloads(zendesk):
    later(zendesk)
    page = zendesk.api(
        "GET", START + "&include=users,organizations,metric_sets,comment_count,slas,last_audits"
    ).json()
    ids = {ticket["id"] for ticket in page["tickets"]}
    assert {row["ticket_id"] for row in page["metric_sets"]} == ids
    assert all(ticket["comment_count"] >= 1 for ticket in page["tickets"])
    assert {"users", "organizations"} <= set(page)
    assert "last_audits" not in page


def test_duplicates_are_the_last_row_before_and_the_first_again(zendesk):
    later(zendesk)
    zendesk.control("POST", "switches", {"export_duplicates": True})
    pages = walk(zendesk, START + "&per_page=2")
    first, second = ([t["id"] for t in page] for page in pages)
    assert (first[0] == first[-1], second[0], len(set(first + second))) == (True, first[1], 3)


def test_a_stuck_cursor_does_not_move(zendesk):
    later(zendesk)
    zendesk.control("POST", "switches", {"export_cursor": "stuck"})
    first = zendesk.api("GET", START + "&per_page=1").json()
    path = f"/incremental/tickets/cursor?per_page=1&cursor={first['after_cursor']}"
    second = zendesk.api("GET", path).json()
    assert (second["after_cursor"], second["end_of_stream"]) == (first["after_cursor"], False)
    assert second["tickets"][0]["id"] == first["tickets"][0]["id"]


def test_large_pages_time_out(zendesk):
    zendesk.control("POST", "switches", {"export_times_out_above": 100})
    assert zendesk.api("GET", START + "&per_page=101").status_code == 504
    assert zendesk.api("GET", START + "&per_page=100").status_code == 200


def test_a_made_up_cursor_is_refused(zendesk):
    answer = zendesk.api("GET", "/incremental/tickets/cursor?cursor=abc")
    assert (answer.status_code, answer.json()["error"]) == (400, "InvalidCursor")


def test_ticket_events_tell_who_did_what(zendesk):
    ticket_id = zendesk.ticket(priority="low", tags=["vip"])
    field = zendesk.api("GET", "/ticket_fields").json()["ticket_fields"][-1]["id"]
    change = {
        "status": "pending",
        "additional_tags": ["new"],
        "custom_fields": [{"id": field, "value": 3}],
        "comment": {"body": "Hello", "public": False},
    }
    zendesk.api("PUT", f"/tickets/{ticket_id}", {"ticket": change})
    later(zendesk)
    rows = [row for page in walk(zendesk, EVENTS, "ticket_events") for row in page]
    row = [row for row in rows if row["ticket_id"] == ticket_id][-1]
    api_user = zendesk.api("GET", "/users/me").json()["user"]["id"]
    assert (row["updater_id"], row["via"], row["event_type"]) == (api_user, "Web service", "Audit")
    children = row["child_events"]
    comment = next(child for child in children if child["event_type"] == "Comment")
    assert (comment["comment_present"], comment["comment_public"]) == (True, False)
    assert "body" not in comment
    status = next(child for child in children if "status" in child)
    assert (status["previous_value"], status["status"]) == ("new", "pending")
    tags = next(child for child in children if "tags" in child)
    assert (tags["added_tags"], tags["removed_tags"]) == (["new"], [])
    assert {str(field): "3"} in [child.get("custom_ticket_fields") for child in children]


def test_comments_stand_in_the_events_when_asked_for(zendesk):
    later(zendesk)
    rows = zendesk.api("GET", EVENTS + "&include=comment_events").json()["ticket_events"]
    comments = [c for row in rows for c in row["child_events"] if c["event_type"] == "Comment"]
    assert comments
    assert all({"author_id", "body", "public", "created_at"} <= set(c) for c in comments)


def test_events_can_look_like_audits(zendesk):
    later(zendesk)
    zendesk.control("POST", "switches", {"ticket_events_shape": "audit"})
    row = zendesk.api("GET", EVENTS).json()["ticket_events"][0]
    assert "channel" in row["via"]
    assert any("field_name" in child for child in row["child_events"])


def busy_second(zendesk):
    """Five updates of one ticket in the same second, then one a minute later."""
    ticket_id = zendesk.ticket()
    zendesk.control("POST", "clock", {"set": "2030-01-01T10:00:00Z", "freeze": True})
    for number in range(5):
        zendesk.control("POST", f"tickets/{ticket_id}", {"subject": f"Take {number}"})
    later(zendesk, 60)
    zendesk.control("POST", f"tickets/{ticket_id}", {"subject": "Last take"})
    later(zendesk, 300)
    return "/incremental/ticket_events?per_page=2&start_time=1893492000"


def test_the_event_export_passes_a_busy_second(zendesk):
    rows = [r for page in walk(zendesk, busy_second(zendesk), "ticket_events") for r in page]
    assert len({row["id"] for row in rows}) == 6


def test_a_pinned_event_export_stands_still(zendesk):
    path = busy_second(zendesk)
    zendesk.control("POST", "switches", {"pinned_timestamp": True})
    page = zendesk.api("GET", path).json()
    again = zendesk.api("GET", page["next_page"].partition("/api/v2")[2]).json()
    assert (page["next_page"], page["end_of_stream"]) == (again["next_page"], False)
    assert [r["id"] for r in page["ticket_events"]] == [r["id"] for r in again["ticket_events"]]


def test_the_export_by_time_overlaps_by_a_second(zendesk):
    later(zendesk)
    pages = walk(zendesk, "/incremental/tickets?start_time=1&per_page=2")
    assert {ticket["id"] for page in pages for ticket in page} == {1001, 1002, 1003}
    assert pages[1][0]["id"] == pages[0][-1]["id"]


def search(zendesk, query, **params):
    return zendesk.api("GET", "/search", params={"query": query, **params})


@pytest.fixture
def five(zendesk):
    """Five tickets that differ, made an hour apart."""
    ids = []
    rows = [
        ("open", "low", ["vip"]),
        ("pending", "high", []),
        ("hold", "urgent", []),
        ("solved", "normal", ["vip"]),
        ("closed", "low", []),
    ]
    for status, priority, tags in rows:
        ticket_id = zendesk.ticket(subject=f"Five {status}", priority=priority, tags=tags)
        zendesk.control("POST", f"tickets/{ticket_id}", {"status": status})
        ids.append(ticket_id)
        later(zendesk, 3600)
    return ids


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("type:ticket Five status<solved", [0, 1, 2]),
        ("type:ticket Five status>=solved", [3, 4]),
        ("Five status:open,pending", [0, 1]),
        ("Five -status:closed", [0, 1, 2, 3]),
        ("Five priority>=high", [1, 2]),
        ("Five tags:vip", [0, 3]),
        ("Five -tags:vip status<solved", [1, 2]),
        ("Five assignee:none", [0, 1, 2, 3, 4]),
        ("Five created<150minutes", [0, 1, 2]),
        ("Five created>150minutes", [3, 4]),
        ("Five solved>2000-01-01", [3]),
        ("Five created>2999-01-01", []),
    ],
)
def test_search_finds(zendesk, five, query, found):
    answer = search(zendesk, query, sort_by="created_at", sort_order="asc").json()
    assert [five.index(row["id"]) for row in answer["results"]] == found
    assert answer["count"] == len(found)
    assert {row["result_type"] for row in answer["results"]} <= {"ticket"}
    assert zendesk.api("GET", "/search/count", params={"query": query}).json() == {
        "count": len(found)
    }


def test_the_oldest_open_ticket_is_one_call(zendesk, five):
    answer = search(
        zendesk, "Five status<solved", sort_by="created_at", sort_order="asc", per_page=1
    )
    assert [row["id"] for row in answer.json()["results"]] == five[:1]
    following = answer.json()["next_page"].partition("/api/v2")[2]
    assert [row["id"] for row in zendesk.api("GET", following).json()["results"]] == [five[1]]


def test_search_ends_at_a_thousand_results(zendesk):
    assert search(zendesk, "type:ticket", page=10).status_code == 200
    answer = search(zendesk, "type:ticket", page=11)
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid")
    assert "Search Response Limits" in answer.json()["description"]


@pytest.mark.parametrize("query", ["status:burning", "type:user", "shoe_size:44", "created>soon"])
def test_search_refuses(zendesk, query):
    assert search(zendesk, query).status_code == 422


def test_search_may_lag(zendesk):
    zendesk.control("POST", "switches", {"search_lag_seconds": 120})
    zendesk.ticket(subject="Brand new")
    assert search(zendesk, '"Brand new"').json()["count"] == 0
    later(zendesk, 180)
    assert search(zendesk, '"Brand new"').json()["count"] == 1


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("query", ["status<solved", "status:open", "-status:new"])
def test_a_search_among_very_many_finds_the_same(zendesk, five, query, order):
    zendesk.control("POST", "clock", {"freeze": True})  # many within one second
    for _ in range(5):
        zendesk.ticket()
    sandbox = zendesk.app.extensions["sandbox"]
    people = People(sandbox.state, sandbox.clock)
    found = []
    for few in (0, 5000):
        search = Search(sandbox.state, people, few=few)
        read = search.read(
            query, now=sandbox.clock.now(), lag=0, sort_by="created_at", sort_order=order
        )
        found.append(search.find(read))
    assert found[0] == found[1]
    assert found[0].count == len(found[0].tickets) > 0


def test_deleted_tickets_are_neither_counted_nor_found(zendesk):
    before = zendesk.api("GET", "/tickets/count").json()["count"]["value"]
    zendesk.api("DELETE", "/tickets/1001")
    assert zendesk.api("GET", "/tickets/count").json()["count"]["value"] == before - 1
    assert search(zendesk, "id:1001").json()["count"] == 0
