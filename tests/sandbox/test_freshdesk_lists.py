"""The local Freshdesk's lists, pages, archive, search and bulk changes."""

import pytest

ALL = "updated_since=2001-01-01T00:00:00Z&order_by=updated_at&order_type=asc"


def put(freshdesk, ticket_id, **wanted):
    return freshdesk.api("PUT", f"/tickets/{ticket_id}", wanted)


def ids(freshdesk, query):
    answer = freshdesk.api("GET", f"/tickets?{query}")
    assert answer.status_code == 200, answer.text
    return [ticket["id"] for ticket in answer.json()]


@pytest.fixture
def desk(freshdesk):
    return freshdesk.app.extensions["sandbox"].desk


@pytest.fixture
def clock(freshdesk):
    """Sets the clock, which stands, to a minute of an hour."""

    def move(minute):
        at = f"2026-03-02T09:{minute:02}:00Z"
        freshdesk.control("POST", "clock", {"set": at, "freeze": True})
        return at

    return move


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("filter=all_tickets", "filter"),
        ("order_by=subject", "order_by"),
        ("order_type=up", "order_type"),
        ("updated_since=yesterday", "updated_since"),
        ("include=conversations", "include"),
        ("page=0", "page"),
    ],
)
def test_lists_refuse_what_they_do_not_know(freshdesk, query, field):
    answer = freshdesk.api("GET", f"/tickets?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)


@pytest.mark.parametrize(("style", "start"), [("documented", "< http"), ("plain", "<http")])
def test_the_next_page_is_written_in_two_ways(freshdesk, style, start):
    freshdesk.control("POST", "switches", {"link": style})
    first = freshdesk.api("GET", f"/tickets?{ALL}&per_page=2")
    assert first.headers["Link"].startswith(start)
    assert "page=2" in first.links["next"]["url"]


@pytest.mark.parametrize(("inclusive", "expected"), [(True, 2), (False, 1)])
def test_a_list_of_changes_begins_with_or_after_the_instant(freshdesk, clock, inclusive, expected):
    freshdesk.control("POST", "switches", {"updated_since_inclusive": inclusive})
    at = clock(1)
    freshdesk.ticket()
    clock(2)
    freshdesk.ticket()
    assert len(ids(freshdesk, f"updated_since={at}&order_by=updated_at")) == expected + 3
    # the three tickets of the seed are younger than the clock that was set


def test_rows_move_between_pages_while_one_pages(freshdesk, clock):
    clock(1)
    made = [freshdesk.ticket() for _ in range(4)]
    since = "updated_since=2026-03-02T09:00:00Z&order_by=updated_at&order_type=asc&per_page=2"
    first = ids(freshdesk, since)
    clock(2)
    put(freshdesk, made[0], priority=4)
    second = ids(freshdesk, since + "&page=2")
    assert (first, made[2] in [*first, *second]) == (made[:2], False)


def test_changes_of_one_second_are_listed_by_id(freshdesk, clock, eventually):
    clock(1)
    made = [freshdesk.ticket() for _ in range(5)]
    clock(2)
    bulk = {"bulk_action": {"ids": made[::-1], "properties": {"priority": 4}}}
    key = freshdesk.api("POST", "/tickets/bulk_update", bulk).json()["job_id"]
    eventually(
        lambda: freshdesk.api("GET", f"/jobs/{key}").json()["status"],
        lambda status: status == "COMPLETED",
    )
    query = "updated_since=2026-03-02T09:02:00Z&order_by=updated_at&order_type=asc"
    listed = freshdesk.api("GET", f"/tickets?{query}").json()[:5]
    assert [ticket["id"] for ticket in listed] == made
    assert len({ticket["updated_at"] for ticket in listed}) == 1


@pytest.mark.parametrize("shelf", ["deleted", "spam"])
def test_bin_and_spam_have_lists_of_their_own(freshdesk, desk, shelf):
    ticket_id, kept = freshdesk.ticket(), freshdesk.ticket()
    desk.delete(ticket_id) if shelf == "deleted" else desk.mark_spam(ticket_id)
    usual = ids(freshdesk, ALL)
    assert (ticket_id in usual, kept in usual) == (False, True)
    assert ids(freshdesk, f"filter={shelf}&{ALL}") == [ticket_id]
    assert ids(freshdesk, f"filter={shelf}&updated_since=2100-01-01T00:00:00Z") == []
    statuses = [put(freshdesk, ticket_id, priority=2).status_code]
    statuses.append(freshdesk.api("DELETE", f"/tickets/{ticket_id}").status_code)
    assert (freshdesk.get(ticket_id)["id"], statuses) == (ticket_id, [405, 405])


@pytest.mark.parametrize("get", ["missing", "shown"])
def test_old_closed_tickets_go_to_the_archive(freshdesk, get):
    freshdesk.control("POST", "switches", {"archive_days": 120, "archived_get": get})
    closed, open_ = freshdesk.ticket(), freshdesk.ticket()
    put(freshdesk, closed, status=5)
    freshdesk.api("POST", f"/tickets/{closed}/notes", {"body": "Done"})
    freshdesk.control("POST", "clock", {"advance_seconds": 121 * 86_400})
    listed = ids(freshdesk, ALL)
    single = freshdesk.api("GET", f"/tickets/{closed}").status_code
    archived = freshdesk.api("GET", f"/tickets/archived/{closed}").json()
    notes = freshdesk.api("GET", f"/tickets/archived/{closed}/conversations").json()
    assert (closed in listed, open_ in listed) == (False, True)
    assert (archived["archived"], notes[0]["body_text"]) == (True, "Done")
    expected = (404, 404) if get == "missing" else (200, 405)
    assert (single, put(freshdesk, closed, priority=2).status_code) == expected
    assert freshdesk.api("GET", f"/tickets/archived/{open_}").status_code == 404


def test_a_ticket_that_changes_again_is_archived_later(freshdesk):
    freshdesk.control("POST", "switches", {"archive_days": 120})
    ticket_id = freshdesk.ticket()
    for days, wanted in ((100, {"priority": 4}), (100, {"status": 5}), (100, None), (30, None)):
        freshdesk.control("POST", "clock", {"advance_seconds": days * 86_400})
        if wanted:
            put(freshdesk, ticket_id, **wanted)
        listed = ticket_id in ids(freshdesk, ALL)
        assert listed is (days == 100)


def test_conversations_come_in_pages(freshdesk):
    ticket_id = freshdesk.ticket()
    for number in range(12):
        freshdesk.api("POST", f"/tickets/{ticket_id}/notes", {"body": f"Note {number}"})
    path = f"/tickets/{ticket_id}/conversations?per_page=10"
    pages = [freshdesk.api("GET", path), freshdesk.api("GET", path + "&page=2")]
    assert [(len(page.json()), bool(page.links)) for page in pages] == [(10, True), (2, False)]
    assert len(freshdesk.get(ticket_id, "?include=conversations")["conversations"]) == 10


def test_a_search_ends_after_three_hundred(served_with):
    with served_with("freshdesk", tickets=320) as freshdesk:
        freshdesk.control("POST", "switches", {"search_lag_seconds": 0})
        query = {"query": "\"created_at:>'2001-01-01'\""}
        pages = [
            freshdesk.api("GET", "/search/tickets", params=query | {"page": number})
            for number in (1, 10, 11)
        ]
        found = [answer.json() for answer in pages[:2]]
        assert [len(one["results"]) for one in found] == [30, 30]
        assert (found[0]["total"], pages[2].status_code) == (320, 400)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ('"requester_id:1"', 400),
        ("\"subject:'x'\"", 400),
        ('"cf_affected_users:>2"', 200),
        ("\"custom_string:'S1'\"", 200),
        ('"type:null"', 200),
        ("priority:1", 400),
        (f'"{"x" * 511}"', 400),
    ],
)
def test_a_search_asks_for_some_fields_only(freshdesk, query, status):
    answer = freshdesk.api("GET", "/search/tickets", params={"query": query})
    assert answer.status_code == status


def test_numbers_are_searched_as_numbers(freshdesk):
    freshdesk.control("POST", "switches", {"search_lag_seconds": 0})
    ticket_id = freshdesk.ticket()
    put(freshdesk, ticket_id, custom_fields={"cf_affected_users": 10, "cf_sla_severity": "S1"})
    for query in ('"cf_affected_users:>9"', "\"custom_string:'s1'\""):
        found = freshdesk.api("GET", "/search/tickets", params={"query": query}).json()
        assert [ticket["id"] for ticket in found["results"]] == [ticket_id]


@pytest.mark.parametrize(
    ("action", "field"),
    [
        ({"ids": []}, "ids"),
        ({"ids": list(range(101))}, "ids"),
        ({"ids": ["1"]}, "ids"),
        ({"ids": [1]}, "properties"),
        ({"ids": [1], "properties": {"internal_group_id": 1}}, "status"),
    ],
)
def test_impossible_bulk_changes_are_refused(freshdesk, action, field):
    answer = freshdesk.api("POST", "/tickets/bulk_update", {"bulk_action": action})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)


@pytest.mark.parametrize(("missing", "outcome"), [(1, "COMPLETED"), (2, "FAILED")])
def test_a_bulk_change_fails_when_all_of_it_did(freshdesk, eventually, missing, outcome):
    made = [freshdesk.ticket() for _ in range(2 - missing)]
    numbers = [*made, *range(90_000, 90_000 + missing)]
    freshdesk.control("POST", "switches", {"bulk_status": 200})
    bulk = {"bulk_action": {"ids": numbers, "properties": {"priority": 4}}}
    answer = freshdesk.api("POST", "/tickets/bulk_update", bulk)
    path = f"/jobs/{answer.json()['job_id']}"
    job = eventually(
        lambda: freshdesk.api("GET", path).json(), lambda job: job["status"] != "IN PROGRESS"
    )
    assert (answer.status_code, job["status"]) == (200, outcome)


def test_a_job_that_a_restart_cut_off_is_carried_out_afterwards(served_with, eventually, tmp_path):
    with served_with("freshdesk", data_dir=tmp_path, job_seconds=60) as freshdesk:
        ticket_id = freshdesk.ticket(priority="low")
        bulk = {"bulk_action": {"ids": [ticket_id], "properties": {"priority": 4}}}
        freshdesk.api("POST", "/tickets/bulk_update", bulk)
    with served_with("freshdesk", data_dir=tmp_path, job_seconds=0) as freshdesk:
        eventually(lambda: freshdesk.get(ticket_id)["priority"], lambda found: found == 4)


def test_contacts_and_companies_are_listed_by_their_changes(freshdesk):
    made = freshdesk.api("POST", "/contacts", {"name": "Ada", "email": "ada@x.test"}).json()
    firm = freshdesk.api("POST", "/companies", {"name": "Engines"}).json()
    freshdesk.control("POST", "clock", {"advance_seconds": 3600})
    since = freshdesk.control("GET", "clock")["now"]
    freshdesk.api("PUT", f"/contacts/{made['id']}", {"name": "Ada King"})
    freshdesk.api("PUT", f"/companies/{firm['id']}", {"account_tier": "Basic"})
    people = freshdesk.api("GET", f"/contacts?_updated_since={since}").json()
    firms = freshdesk.api("GET", f"/companies?updated_since={since}").json()
    assert ([one["name"] for one in people], [one["name"] for one in firms]) == (
        ["Ada King"],
        ["Engines"],
    )


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/contacts", {"name": "Ada"}, 400),
        ("/contacts", {"email": "ada@x.test"}, 400),
        ("/contacts", {"name": "Ada", "email": "ada@x.test", "shoe": 38}, 400),
        ("/companies", {}, 400),
        ("/groups", {"name": "Customer Support"}, 409),
        ("/groups", {"name": "Night shift"}, 201),
    ],
)
def test_people_are_created_with_what_they_need(freshdesk, path, body, status):
    assert freshdesk.api("POST", path, body).status_code == status


def test_a_deleted_contact_refuses_changes(freshdesk):
    made = freshdesk.api("POST", "/contacts", {"name": "Ada", "email": "ada@x.test"}).json()
    path = f"/contacts/{made['id']}"
    calls = [("DELETE", path), ("PUT", path), ("DELETE", path + "/hard_delete"), ("GET", path)]
    statuses = [freshdesk.api(*call, json={"name": "x"}).status_code for call in calls]
    assert statuses == [204, 405, 204, 404]


def test_a_group_can_be_kept(freshdesk):
    made = freshdesk.api("POST", "/groups", {"name": "Night shift"}).json()
    path = f"/groups/{made['id']}"
    renamed = freshdesk.api("PUT", path, {"name": "Nights"}).json()["name"]
    ticket_id = freshdesk.ticket()
    statuses = [put(freshdesk, ticket_id, group_id=key).status_code for key in (made["id"], 1)]
    gone = [freshdesk.api(method, path).status_code for method in ("DELETE", "GET")]
    assert (renamed, statuses, gone) == ("Nights", [200, 400], [204, 404])
