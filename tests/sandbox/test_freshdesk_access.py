"""Who may call the local Freshdesk, and how often: keys, roles, plans, credits, refusals."""

import pytest

ADMIN_PATHS = ["/sla_policies", "/business_hours", "/email_configs", "/automations/4/rules"]


@pytest.fixture
def switch(freshdesk):
    return lambda **switches: freshdesk.control("POST", "switches", switches)


def code(answer):
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("path", [*ADMIN_PATHS, "/agents", "/admin/ticket_fields"])
def test_only_an_administrators_key_reaches_the_settings(freshdesk, switch, path):
    as_admin = freshdesk.api("GET", path).status_code
    switch(key_role="agent")
    assert (as_admin, code(freshdesk.api("GET", path))) == (200, (403, "access_denied"))


@pytest.mark.parametrize("path", ["/agents/me", "/ticket_fields", "/tickets", "/account"])
def test_an_agents_key_reaches_the_rest(freshdesk, switch, path):
    switch(key_role="agent")
    assert freshdesk.api("GET", path).status_code == 200


def test_a_suspended_account_refuses_everything(freshdesk):
    freshdesk.control("POST", "account", {"suspended": True})
    assert code(freshdesk.api("GET", "/agents/me")) == (403, "account_suspended")


@pytest.mark.parametrize("status", [401, 403])
def test_the_key_of_a_deactivated_agent_is_refused(freshdesk, switch, status):
    switch(disabled_key_status=status)
    freshdesk.control("POST", "account", {"deactivated": True})
    refused = freshdesk.api("GET", "/agents/me").status_code
    freshdesk.control("POST", "account", {"deactivated": False})
    assert (refused, freshdesk.api("GET", "/agents/me").status_code) == (status, 200)


def test_wrong_logins_in_a_row_lock_out_until_a_right_one(freshdesk, switch):
    switch(lockout_after=2)

    def wrong():
        return freshdesk.raw("GET", "/api/v2/agents/me", auth=("wrong", "X")).json()["code"]

    codes = [wrong() for _ in range(3)]
    freshdesk.api("GET", "/agents/me")
    again = wrong()
    assert [*codes, again] == [
        "invalid_credentials",
        "invalid_credentials",
        "password_lockout",
        "invalid_credentials",
    ]


def test_a_list_may_be_refused_for_no_reason_but_no_single_ticket(freshdesk, switch):
    ticket_id = freshdesk.ticket()
    switch(list_403_share=1.0)
    refused = code(freshdesk.api("GET", "/tickets"))
    single = freshdesk.api("GET", f"/tickets/{ticket_id}").status_code
    assert (refused, single) == ((403, "access_denied"), 200)


@pytest.mark.parametrize(
    ("accept", "status"), [("application/json", 200), ("*/*", 200), ("application/xml", 406)]
)
def test_answers_are_json_only(freshdesk, accept, status):
    answer = freshdesk.api("GET", "/agents/me", headers={"Accept": accept})
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("plan", "path", "allowed"),
    [
        pytest.param("free", "/agents/me", 0, id="the free plan has no API"),
        pytest.param("trial", "/agents/me", 50, id="a trial"),
        pytest.param("growth", "/tickets", 20, id="lists of tickets"),
        pytest.param("growth", "/contacts", 20, id="lists of contacts"),
        pytest.param("blossom", "/tickets", 100, id="an old plan has no limits per endpoint"),
    ],
)
def test_plans_allow_so_many_calls_a_minute(served_with, plan, path, allowed):
    with served_with("freshdesk", plan=plan) as freshdesk:
        statuses = [freshdesk.api("GET", path).status_code for _ in range(allowed + 1)]
        assert statuses == [200] * allowed + [429]


@pytest.mark.parametrize(
    ("path", "cost"),
    [
        pytest.param("/tickets", 1, id="a list"),
        pytest.param("/tickets?include=stats,requester", 5, id="a list with two"),
        pytest.param("/tickets/1", 1, id="one ticket"),
        pytest.param("/tickets/1?include=conversations", 2, id="one ticket with one"),
        pytest.param("/tickets/99999", 1, id="a ticket that is not there"),
        pytest.param("/tickets?page=301", 1, id="an invalid request"),
    ],
)
def test_a_call_costs_credits(served_with, path, cost):
    with served_with("freshdesk", plan="pro", tickets=1) as freshdesk:
        headers = freshdesk.api("GET", path).headers
        shown = [headers[f"X-RateLimit-{name}"] for name in ("Total", "Remaining")]
        assert [*shown, headers["X-RateLimit-Used-CurrentRequest"]] == [
            "400",
            str(400 - cost),
            str(cost),
        ]


@pytest.mark.parametrize(("counted", "allowed"), [("calls", 20), ("credits", 6)])
def test_an_endpoints_own_limit_counts_calls_or_credits(served_with, counted, allowed):
    with served_with("freshdesk", plan="growth") as freshdesk:
        freshdesk.control("POST", "switches", {"sub_limits_count": counted})
        path = "/tickets?include=stats"
        statuses = [freshdesk.api("GET", path).status_code for _ in range(allowed + 1)]
        assert statuses == [200] * allowed + [429]


@pytest.mark.parametrize("tells", [True, False])
@pytest.mark.parametrize("body", ["empty", "json"])
def test_a_refusal_may_tell_nothing(served_with, tells, body):
    with served_with("freshdesk", plan="free") as freshdesk:
        freshdesk.control("POST", "switches", {"retry_after": tells, "refusal_body": body})
        answer = freshdesk.api("GET", "/tickets")
        assert (answer.status_code, tells, body == "json") == (
            429,
            "Retry-After" in answer.headers,
            bool(answer.content),
        )


@pytest.mark.parametrize(
    ("style", "shown"), [("integers", "50"), ("floats", "50.0"), ("none", None)]
)
def test_limits_are_written_in_several_ways(served_with, style, shown):
    with served_with("freshdesk", plan="trial") as freshdesk:
        freshdesk.control("POST", "switches", {"rate_headers": style})
        answer = freshdesk.api("GET", "/agents/me")
        assert answer.headers.get("X-RateLimit-Total") == shown
