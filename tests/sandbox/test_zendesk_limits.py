"""The local Zendesk's rate limits: headers, shared buckets, and how a refusal looks."""

import re

import pytest

ENDPOINT = re.compile(r"total=(\d+); remaining=(\d+); resets=(\d+)")


def put(zendesk, ticket_id, **wanted):
    return zendesk.api("PUT", f"/tickets/{ticket_id}", {"ticket": wanted})


def family(answer, name):
    return tuple(map(int, ENDPOINT.fullmatch(answer.headers[name]).groups()))


def test_every_answer_tells_how_the_accounts_limit_stands(served_with):
    with served_with("zendesk", plan="team", tickets=1) as zendesk:
        headers = zendesk.api("GET", "/tickets/1001").headers
    assert (headers["x-rate-limit"], headers["x-rate-limit-remaining"]) == ("200", "199")
    assert (headers["ratelimit-limit"], headers["ratelimit-remaining"]) == ("200", "199")
    assert 0 < int(headers["ratelimit-reset"]) <= 60


@pytest.mark.parametrize(
    ("method", "path", "header", "plan", "total"),
    [
        ("PUT", "/tickets/1001", "Zendesk-RateLimit-tickets-update", "professional", 100),
        ("PUT", "/tickets/1001", "Zendesk-RateLimit-tickets-update", "sandbox", 20),
        ("PUT", "/tickets/1001", "Zendesk-RateLimit-tickets-update", "high-volume", 300),
        ("GET", "/tickets", "zendesk-ratelimit-tickets-index", "professional", 20_000),
        ("GET", "/tickets", "zendesk-ratelimit-tickets-index", "trial", 100),
        ("GET", "/tags", "zendesk-ratelimit-tags-index", "professional", 2000),
        ("GET", "/ticket_fields", "zendesk-ratelimit-ticket-fields-index", "sandbox", 40),
        ("GET", "/search?query=x", "zendesk-ratelimit-search-index", "professional", 2500),
        ("GET", "/deleted_tickets", "zendesk-ratelimit-deleted-tickets-index", "team", 10),
    ],
)
def test_endpoints_have_their_own_limits(served_with, method, path, header, plan, total):
    with served_with("zendesk", plan=plan, tickets=1) as zendesk:
        answer = zendesk.api(method, path, {"ticket": {}} if method == "PUT" else None)
    assert family(answer, header)[:2] == (total, total - 1)


def test_all_exports_share_ten_calls_a_minute(served_with):
    paths = ["/incremental/tickets/cursor?start_time=1", "/incremental/ticket_events?start_time=1"]
    with served_with("zendesk", plan="professional") as zendesk:
        answers = [zendesk.api("GET", paths[number % 2]) for number in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert family(answers[9], "zendesk-ratelimit-incremental-exports")[:2] == (10, 0)
    assert 0 < int(answers[10].headers["Retry-After"]) <= 60
    assert answers[10].json() == {
        "error": "APIRateLimitExceeded",
        "description": "Number of allowed incremental export API requests per minute exceeded",
    }


def test_a_refusal_may_be_plain_text(served_with):
    with served_with("zendesk", plan="essential") as zendesk:
        zendesk.control("POST", "switches", {"refusal_body": "text"})
        answer = [zendesk.api("GET", "/users/me") for _ in range(11)][-1]
    assert (answer.status_code, answer.text) == (
        429,
        "Number of allowed API requests per minute exceeded",
    )
    assert "Retry-After" in answer.headers


@pytest.mark.parametrize(("body", "told"), [("text", False), ("json", True)])
def test_one_ticket_takes_thirty_updates_in_ten_minutes(served_with, body, told):
    with served_with("zendesk", plan="high-volume", tickets=2) as zendesk:
        zendesk.control("POST", "switches", {"ticket_refusal_body": body})
        answers = [put(zendesk, 1001, subject=f"Take {number}") for number in range(31)]
        other = put(zendesk, 1002, subject="Fine")
    assert [answer.status_code for answer in answers] == [200] * 30 + [429]
    assert ("Retry-After" in answers[-1].headers) is told
    assert other.status_code == 200


def test_limits_scale_with_the_minute(served_with):
    with served_with("zendesk", plan="essential", minute_seconds=0.2) as zendesk:
        answer = [zendesk.api("GET", "/users/me") for _ in range(3)][-1]
    assert int(answer.headers["ratelimit-reset"]) == 1


@pytest.mark.parametrize(
    ("how", "path", "used"),
    [
        ("none", "/tickets/update_many?ids=1001,1002", None),
        ("call", "/tickets/update_many?ids=1001,1002", 1),
        ("row", "/tickets/update_many?ids=1001,1002", 2),
    ],
)
def test_update_many_may_count_in_the_bucket_of_updates(served_with, how, path, used):
    with served_with("zendesk", plan="professional", tickets=2) as zendesk:
        zendesk.control("POST", "switches", {"update_many_bucket": how})
        answer = zendesk.api("PUT", path, {"ticket": {"priority": "low"}})
    header = "Zendesk-RateLimit-tickets-update"
    counted = family(answer, header) if header in answer.headers else (100, 100)
    assert 100 - counted[1] == (used or 0)


@pytest.mark.parametrize("counted", [True, False])
def test_tags_may_count_in_the_bucket_of_updates(served_with, counted):
    with served_with("zendesk", plan="professional", tickets=1) as zendesk:
        zendesk.control("POST", "switches", {"tags_in_update_bucket": counted})
        answer = zendesk.api("PUT", "/tickets/1001/tags", {"tags": ["a"]})
    assert ("Zendesk-RateLimit-tickets-update" in answer.headers) is counted


def test_jobs_in_flight_are_told(served_with):
    with served_with("zendesk", job_seconds=60, tickets=1) as zendesk:
        change = {"ticket": {"priority": "low"}}
        answers = [zendesk.api("PUT", "/tickets/update_many?ids=1001", change) for _ in range(31)]
    name = "zendesk-ratelimit-inflight-jobs"
    assert [family(answers[i], name)[1] for i in (0, 29, 30)] == [29, 0, 0]
    assert (answers[30].status_code, answers[30].json()["error"]) == (429, "TooManyJobs")


def test_a_trial_has_ten_webhooks(served_with):
    with served_with("zendesk", plan="trial") as zendesk:
        hook = {"name": "A", "endpoint": "http://127.0.0.1:9/", "subscriptions": []}
        answers = [zendesk.api("POST", "/webhooks", {"webhook": hook}) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [201] * 10 + [403]
