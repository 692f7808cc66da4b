"""What clients of other makers rely on in the local Zendesk: links, paths, small calls, keys."""

from urllib.parse import parse_qs, urlsplit

import pytest


def followed(zendesk, path, name):
    """All objects of a list, by its links, and how many pages there were."""
    found, pages, url = [], 0, zendesk.url + "/api/v2" + path
    while url is not None:
        answer = zendesk.session.get(url, auth=zendesk.login, timeout=10).json()
        found += answer[name]
        url, pages = (
            answer["links"]["next"] if "links" in answer else answer["next_page"],
            pages + 1,
        )
    return found, pages


@pytest.mark.parametrize("paging", ["page[size]=2", "per_page=2"])
def test_links_of_pages_keep_what_was_asked(zendesk, paging):
    ticket_id = zendesk.ticket()
    for number in range(4):
        zendesk.control("POST", f"tickets/{ticket_id}/note", {"body": f"Note {number}"})
    path = f"/tickets/{ticket_id}/comments?sort_order=desc&include=users&{paging}"
    comments, pages = followed(zendesk, path, "comments")
    assert pages == 3
    assert [c["plain_body"][-1] for c in comments] == ["3", "2", "1", "0", "."]
    answer = zendesk.api("GET", path).json()
    link = answer["next_page"] if "next_page" in answer else answer["links"]["next"]
    asked = parse_qs(urlsplit(link).query)
    assert (asked["include"], asked["sort_order"]) == (["users"], ["desc"])


@pytest.mark.parametrize("paging", ["page[size]=2", "per_page=2"])
def test_links_of_stored_pages_keep_what_was_asked(zendesk, paging):
    answer = zendesk.api("GET", f"/tickets?include=users&{paging}").json()
    link = answer["next_page"] if "next_page" in answer else answer["links"]["next"]
    assert parse_qs(urlsplit(link).query)["include"] == ["users"]


def test_an_export_goes_on_as_it_began(zendesk):
    zendesk.control("POST", "clock", {"advance_seconds": 3600})
    wanted = "exclude_deleted=true&support_type_scope=all&reduced_payload_size=true&per_page=2"
    for path, link in (("tickets/cursor", "after_url"), ("tickets", "next_page")):
        answer = zendesk.api("GET", f"/incremental/{path}?start_time=1&{wanted}").json()
        asked = parse_qs(urlsplit(answer[link]).query)
        for name in ("exclude_deleted", "support_type_scope", "reduced_payload_size", "per_page"):
            assert asked[name] == parse_qs(wanted)[name]


def test_a_sample_is_an_export_of_at_most_fifty(served_with):
    with served_with("zendesk", tickets=60) as zendesk:
        zendesk.control("POST", "clock", {"advance_seconds": 3600})
        answer = zendesk.api("GET", "/incremental/tickets/sample?start_time=1").json()
        assert (len(answer["tickets"]), answer["end_of_stream"]) == (50, False)
        more = zendesk.session.get(answer["next_page"], auth=zendesk.login, timeout=10)
        assert more.json()["tickets"][0]["id"] == answer["tickets"][-1]["id"]


def test_a_search_is_exported_by_cursor_the_oldest_first(zendesk):
    ids = [zendesk.ticket(subject=f"Toner {number}") for number in range(5)]
    path = "/search/export?query=toner&filter[type]=ticket&page[size]=2"
    found, pages = followed(zendesk, path, "results")
    assert ([one["id"] for one in found], pages) == (ids, 3)
    assert {one["result_type"] for one in found} == {"ticket"}


def test_users_are_created_listed_and_found(zendesk):
    wanted = {"name": "Ada Byron", "email": "Ada@example.test"}
    answer = zendesk.api("POST", "/users", {"user": wanted})
    user = answer.json()["user"]
    assert (answer.status_code, answer.headers["Location"]) == (201, user["url"])
    assert (user["email"], user["role"]) == ("ada@example.test", "end-user")
    for query in (
        "query=byron",
        "query=email:ada@example.test role:end-user",
        "query=type:user ada",
    ):
        found = zendesk.api("GET", f"/users/search?{query}").json()["users"]
        assert [one["id"] for one in found] == [user["id"]]
    assert zendesk.api("GET", "/users/search?query=nobody").json()["count"] == 0
    everybody, _ = followed(zendesk, "/users?role[]=end-user&page[size]=3", "users")
    assert user["id"] in [one["id"] for one in everybody]
    assert {one["role"] for one in everybody} == {"end-user"}
    again = zendesk.api("POST", "/users", {"user": wanted})
    assert again.json()["details"]["email"][0]["error"] == "DuplicateValue"


def test_organizations_are_created_once(zendesk):
    wanted = {"name": "Example Ltd", "domain_names": ["example.test"], "tags": ["vip"]}
    answer = zendesk.api("POST", "/organizations", {"organization": wanted})
    made = answer.json()["organization"]
    assert (answer.status_code, {name: made[name] for name in wanted}) == (201, wanted)
    again = zendesk.api("POST", "/organizations", {"organization": wanted})
    assert (again.status_code, again.json()["error"]) == (422, "RecordInvalid")


def test_tickets_are_created_and_deleted_in_bulk(zendesk):
    rows = [{"subject": "One", "comment": {"body": "1"}}, {"subject": "Without a word"}]
    made, refused = zendesk.job(zendesk.api("POST", "/tickets/create_many", {"tickets": rows}))[
        "results"
    ]
    assert zendesk.get(made["id"])["subject"] == "One"
    assert (refused["index"], refused["success"]) == (1, False)
    answer = zendesk.api("DELETE", f"/tickets/destroy_many?ids={made['id']},999999")
    gone, unknown = zendesk.job(answer)["results"]
    assert (gone["success"], unknown["error"]) == (True, "RecordNotFound")
    assert zendesk.api("GET", f"/tickets/{made['id']}").status_code == 404


def test_what_the_account_has_none_of_and_what_all_have(zendesk):
    assert zendesk.api("GET", "/user_fields").json()["user_fields"] == []
    zones = zendesk.api("GET", "/time_zones").json()["time_zones"]
    found = {zone["name"]: zone["offset"] for zone in zones}
    assert (found["Eastern Time (US & Canada)"], found["London"], found["Sydney"]) == (-300, 0, 600)


def test_keys_that_clients_with_closed_shapes_look_for(zendesk):
    ticket = zendesk.get(zendesk.ticket())
    assert {"encoded_id", "satisfaction_probability", "support_type"} <= set(ticket)
    user = zendesk.api("GET", "/users/me").json()["user"]
    wanted = {"shared_phone_number", "two_factor_auth_enabled", "is_billing_admin", "report_csv"}
    assert wanted <= set(user)
    (group,) = zendesk.api("GET", "/groups").json()["groups"]
    assert group["url"].endswith(f"/api/v2/groups/{group['id']}.json")
    fields = zendesk.api("GET", "/ticket_fields").json()["ticket_fields"]
    status = next(field for field in fields if field["type"] == "status")
    assert "hold" in [option["value"] for option in status["system_field_options"]]
    assert status["sub_type_id"] == 1


@pytest.mark.parametrize("path", ["/tickets.json", "/tickets/", "/tickets"])
def test_paths_end_as_they_like(zendesk, path):
    assert zendesk.raw("GET", f"/api/v2{path}", auth=zendesk.login).status_code == 200


def test_the_token_endpoint_has_two_names(zendesk):
    grant = {"grant_type": "client_credentials", "client_id": "sandbox", "client_secret": "sandbox"}
    assert zendesk.raw("POST", "/oauth/tokens.json", json=grant).status_code == 200


@pytest.mark.parametrize(
    ("login", "status"),
    [
        (("agent@sandbox.test", "wrong"), 200),
        (("agent@sandbox.test/token", "wrong"), 401),
        (("agent@sandbox.test/token", "sandbox"), 200),
    ],
)
def test_a_wrong_password_is_anonymous_where_nobody_need_sign_in(zendesk, login, status):
    answer = zendesk.raw("GET", "/api/v2/users/me", auth=login)
    assert answer.status_code == status
    if login[1] == "wrong" and status == 200:
        assert answer.json()["user"]["id"] is None


def test_dropped_keys_are_told_on_creation_too(zendesk):
    wanted = {"ticket": {"comment": {"body": "x"}, "sla": 1, "ключ": 2}}
    answer = zendesk.api("POST", "/tickets", wanted)
    assert answer.status_code == 201
    assert "'sla'" in answer.headers["X-Zendesk-API-Warn"]


def test_unknown_calls_are_signed_in_and_counted(served_with):
    with served_with("zendesk", plan="team") as zendesk:
        stranger = zendesk.raw("GET", "/api/v2/nonsense")
        assert (stranger.status_code, stranger.json()["error"]) == (
            401,
            "Couldn't authenticate you",
        )
        unknown = zendesk.api("GET", "/nonsense")
        assert (unknown.status_code, unknown.json()["error"]) == (404, "InvalidEndpoint")
        assert unknown.headers["x-rate-limit-remaining"] == "199"
        wrong = zendesk.api("PATCH", "/tickets/1001")
        assert (wrong.status_code, wrong.headers["x-rate-limit-remaining"]) == (405, "198")
        assert wrong.json().keys() == {"error", "description"}
        assert "PUT" in wrong.headers["Allow"]
