"""Which calls count in which limit, what the headers say, and what a refusal is about."""

from contextlib import contextmanager

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import BudgetSpent, RateLimited
from connector.helpdesks.base import Room
from connector.helpdesks.freshdesk import limits as freshdesk
from connector.helpdesks.freshdesk.limits import FreshdeskLimits
from connector.helpdesks.freshdesk.signin import sign_in as freshdesk_sign_in
from connector.helpdesks.zendesk import limits as zendesk
from connector.helpdesks.zendesk.limits import ZendeskLimits
from connector.helpdesks.zendesk.signin import sign_in as zendesk_sign_in
from connector.http import Answer, Charge, Figure, Session
from connector.settings import SignIn
from connector.store.budget import StoredBudget
from sandbox.application import create_sandbox
from sandbox.server import serving

API = "/api/v2"
ACCOUNT = Charge(bucket="account")
EXPORT = Charge(bucket="incremental-exports", allowance=10)
UPDATE = Charge(bucket="tickets-update", allowance=100, share=0.25)
OF_TICKET = Charge(bucket="one-ticket:7", allowance=30, minutes=10)


def charges(limits, method, template, *, path=None, params=None, body=None):
    path = path or template.replace("{id}", "7")
    return limits.charges(method, API + path, API + template, params or {}, body)


@pytest.mark.parametrize(
    ("method", "template", "beside"),
    [
        ("GET", "/users/me", ()),
        ("GET", "/tickets/show_many", ()),
        ("GET", "/tickets/{id}", ()),
        ("GET", "/job_statuses/show_many", ()),
        ("GET", "/incremental/tickets/cursor", (EXPORT,)),
        ("GET", "/incremental/tickets/cursor.json", (EXPORT,)),
        ("GET", "/incremental/ticket_events", (EXPORT,)),
        ("PUT", "/tickets/{id}", (UPDATE, OF_TICKET)),
        ("PUT", "/tickets/{id}/tags", (UPDATE, OF_TICKET)),
        ("DELETE", "/tickets/{id}/tags", (UPDATE, OF_TICKET)),
        ("GET", "/tickets/{id}/audits", (Charge(bucket="ticket-audits", allowance=500),)),
        ("GET", "/ticket_fields", (Charge(bucket="ticket-fields-index", allowance=300),)),
        ("GET", "/search", (Charge(bucket="search-index", allowance=2500),)),
    ],
)
def test_zendesk_calls_count_where_the_documentation_says(method, template, beside):
    assert charges(ZendeskLimits(), method, template) == (ACCOUNT, *beside)


def test_zendesk_bulk_writes_count_as_jobs_and_perhaps_as_updates():
    found = charges(ZendeskLimits(), "PUT", "/tickets/update_many", body={"tickets": [{}] * 40})

    assert found == (
        ACCOUNT,
        Charge(bucket="inflight-jobs"),
        Charge(bucket="bulk-calls", share=0.25),
        Charge(bucket="bulk-rows", cost=40, share=0.25),
    )


ZENDESK_HEADERS = {
    "older names": (
        {"X-Rate-Limit": "400", "X-Rate-Limit-Remaining": "399"},
        (Figure(bucket="account", allowance=400, remaining=399),),
    ),
    "newer names": (
        {"ratelimit-limit": "400", "ratelimit-remaining": "384", "ratelimit-reset": "50"},
        (Figure(bucket="account", allowance=400, remaining=384, resets=50.0),),
    ),
    "both, in any case": (
        {"X-RATE-LIMIT": "400", "x-rate-limit-remaining": "7", "RateLimit-Remaining": "5.0"},
        (Figure(bucket="account", allowance=400, remaining=5),),
    ),
    "a family": (
        {"zendesk-ratelimit-incremental-exports": "total=10; remaining=9; resets=2"},
        (Figure(bucket="incremental-exports", allowance=10, remaining=9, resets=2.0),),
    ),
    "a family that nobody knows": (
        {"Zendesk-RateLimit-Tickets-Index": "remaining=19999;total=20000"},
        (Figure(bucket="tickets-index", allowance=20000, remaining=19999),),
    ),
    "nothing": ({}, ()),
    "nonsense": (
        {"x-rate-limit": "many", "ratelimit-remaining": "-4", "zendesk-ratelimit-x": "; =; a"},
        (),
    ),
    "half of it nonsense": (
        {"x-rate-limit": "nan", "ratelimit-remaining": "12", "ratelimit-reset": "soon"},
        (Figure(bucket="account", remaining=12),),
    ),
    "no calls at all": (
        {"x-rate-limit": "0", "x-rate-limit-remaining": "0"},
        (Figure(bucket="account", remaining=0),),
    ),
    "jobs of an account are not told where none was begun": (
        {"zendesk-ratelimit-inflight-jobs": "total=30; remaining=29; resets=60"},
        (),
    ),
}


@pytest.mark.parametrize(
    ("headers", "expected"), ZENDESK_HEADERS.values(), ids=list(ZENDESK_HEADERS)
)
def test_zendesk_headers(headers, expected):
    assert ZendeskLimits().figures(headers, (ACCOUNT, EXPORT)) == expected


@pytest.mark.parametrize(
    ("rows", "remaining", "calls", "tickets"),
    [
        (100, 0, 100, 100),  # a row each
        (100, 99, 100, 10_000),  # a call for all
        (60, 39, 100, 100),
        (2, 97, 100, None),  # an agent may have saved a ticket meanwhile
        (2, 99, 100, 10_000),
    ],
)
def test_zendesk_tells_by_its_headers_how_bulk_writes_count(rows, remaining, calls, tickets):
    limits = ZendeskLimits()
    known = charges(limits, "PUT", "/tickets/update_many", body={"tickets": [{}] * rows})
    headers = {"zendesk-ratelimit-tickets-update": f"total=100; remaining={remaining}; resets=9"}

    assert limits.figures(headers, known) == (
        Figure(bucket="bulk-calls", allowance=calls, remaining=remaining, resets=9.0),
        Figure(bucket="bulk-rows", allowance=tickets),
    )


def test_zendesk_places_for_jobs_are_left_to_others_and_come_back_soon():
    limits = ZendeskLimits()
    known = charges(limits, "PUT", "/tickets/update_many", body={"tickets": [{}]})
    headers = {"zendesk-ratelimit-inflight-jobs": "total=30; remaining=10; resets=60"}

    assert limits.figures(headers, known) == (
        Figure(bucket="inflight-jobs", remaining=4, resets=5.0),
    )


def answer(text="", headers=None, **data):
    return Answer(status=429, headers=headers or {}, data=data or None, text=text)


EXPORTS_TEXT = "Number of allowed incremental export API requests per minute exceeded"
TICKET_TEXT = "You have exceeded the rate limit for updating a single unique user"
EMPTY = {"zendesk-ratelimit-tickets-update": "total=100; remaining=0; resets=3"}
NO_JOBS = {"zendesk-ratelimit-inflight-jobs": "total=30; remaining=5; resets=3"}
PUT = (ACCOUNT, UPDATE, OF_TICKET)
BULK = (ACCOUNT, Charge(bucket="inflight-jobs"), Charge(bucket="bulk-calls"))


@pytest.mark.parametrize(
    ("refusal", "known", "buckets"),
    [
        (answer(), PUT, {"account"}),
        (answer(text="Number of allowed API requests per minute exceeded"), PUT, {"account"}),
        (answer(description=EXPORTS_TEXT), (ACCOUNT, EXPORT), {"incremental-exports"}),
        (answer(text=EXPORTS_TEXT), (ACCOUNT, EXPORT), {"incremental-exports"}),
        (answer(text=EXPORTS_TEXT), (ACCOUNT,), {"account"}),
        (answer(text=TICKET_TEXT), PUT, {"one-ticket:7"}),
        (answer(headers=EMPTY), PUT, {"tickets-update"}),
        (answer(headers=EMPTY), BULK, {"bulk-calls"}),
        (answer(headers=EMPTY | {"x-rate-limit-remaining": "0"}), PUT, {"account", UPDATE.bucket}),
        (answer(headers=NO_JOBS), BULK, {"account"}),
        (answer(error="TooManyJobs"), BULK, {"inflight-jobs"}),
        (answer(error={"title": "TooManyJobs", "message": 1}), BULK, {"inflight-jobs"}),
    ],
)
def test_zendesk_refusals_name_a_limit_or_the_account(refusal, known, buckets):
    assert set(ZendeskLimits().refused(refusal, known)) == buckets


@pytest.mark.parametrize(
    ("method", "template", "include", "credits", "endpoint"),
    [
        ("GET", "/tickets/{id}", "", 1, None),
        ("GET", "/tickets/{id}", "stats", 2, None),
        ("GET", "/tickets/{id}", "stats,company", 3, None),
        ("GET", "/tickets", "", 1, "tickets-list"),
        ("GET", "/tickets", "stats", 3, "tickets-list"),
        ("GET", "/tickets", "stats, requester,", 5, "tickets-list"),
        ("PUT", "/tickets/{id}", "", 1, "tickets-update"),
        ("POST", "/tickets", "", 1, "tickets-create"),
        ("GET", "/contacts", "", 1, "contacts-list"),
        ("GET", "/tickets/{id}/conversations", "", 1, None),
    ],
)
def test_freshdesk_credits(method, template, include, credits, endpoint):
    found = charges(FreshdeskLimits(), method, template, params={"include": include})

    beside = () if endpoint is None else (Charge(bucket=endpoint),)
    assert found == (Charge(bucket="account", cost=credits), *beside)


UPDATES = (ACCOUNT, Charge(bucket="tickets-update"))


@pytest.mark.parametrize(
    ("total", "minutes", "updates"),
    [
        ("200", 1, 80),
        ("400.0", 1, 160),
        ("700", 1, 280),
        ("1000", 1, 400),
        ("2000", 1, 800),
        ("1500", 1, 400),
        ("50", 1, None),
        ("3000", 60, None),
        ("5000", 60, None),
    ],
)
def test_freshdesk_plans_are_known_by_their_total(total, minutes, updates):
    headers = {"X-Ratelimit-Total": total, "x-ratelimit-REMAINING": "42.0"}
    account = Figure(bucket="account", allowance=int(float(total)), remaining=42, minutes=minutes)
    beside = () if updates is None else (Figure(bucket="tickets-update", allowance=updates),)

    assert FreshdeskLimits().figures(headers, UPDATES) == (account, *beside)


@pytest.mark.parametrize("text", ["", "many", "-1", "nan", "1e9", "٣", "9" * 13])
def test_freshdesk_nonsense_is_nothing(text):
    headers = {"x-ratelimit-total": text, "x-ratelimit-remaining": text}

    assert FreshdeskLimits().figures(headers, UPDATES) == ()


@pytest.mark.parametrize(
    ("remaining", "known", "bucket"),
    [
        ("10", UPDATES, "tickets-update"),
        ("0", UPDATES, "account"),
        (None, UPDATES, "account"),
        ("10", (ACCOUNT,), "account"),
        ("2", (Charge(bucket="account", cost=3), Charge(bucket="tickets-list")), "account"),
    ],
)
def test_freshdesk_refusals(remaining, known, bucket):
    headers = {} if remaining is None else {"X-RateLimit-Remaining": remaining}

    assert FreshdeskLimits().refused(answer(headers=headers), known) == (bucket,)


def test_freshdesk_lists_that_are_refused_too_early_are_counted_by_credits():
    limits = FreshdeskLimits()
    known = charges(limits, "GET", "/tickets", params={"include": "stats"})
    limits.refused(answer(headers={"X-RateLimit-Remaining": "90"}), known)

    after = charges(limits, "GET", "/tickets", params={"include": "stats"})
    assert after[1] == Charge(bucket="tickets-list", cost=3)
    assert charges(limits, "PUT", "/tickets/{id}")[1] == Charge(bucket="tickets-update")


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "x-rate-limit",
                "ratelimit-remaining",
                "ratelimit-reset",
                "zendesk-ratelimit-a",
                "Zendesk-RateLimit-tickets-update",
                "zendesk-ratelimit-inflight-jobs",
                "X-RateLimit-Total",
                "X-RateLimit-Remaining",
            ]
        ),
        st.text(st.characters(max_codepoint=255), max_size=20)
        | st.from_regex(r"total=-?[0-9.]+; remaining=[0-9]+; resets=[0-9]+", fullmatch=True)
        | st.integers(-10, 10**20).map(str)
        | st.floats().map(str),
    )
)
def test_no_header_is_too_odd(headers):
    known = (*PUT, *BULK)
    for limits in (ZendeskLimits(), FreshdeskLimits()):
        for figure in limits.figures(headers, known):
            for number in (figure.allowance, figure.remaining, figure.resets):
                assert number is None or 0 <= number < 10**18
        assert limits.refused(Answer(status=429, headers=headers, data=None), known)


class Left:
    """A budget that has so many calls left."""

    def __init__(self, **left):
        self.left = left

    def room(self, charges):
        times = min(self.left.get(one.bucket, 1_000_000) // one.cost for one in charges)
        return times, 0.0 if times else 7.0


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        ({"account": 30}, Room(tickets=1000)),
        ({"account": 2}, Room(tickets=0, wait=7.0)),
        ({"account": 30, "inflight-jobs": 1}, Room(tickets=100)),
        ({"account": 30, "bulk-rows": 25}, Room(tickets=25)),
    ],
)
def test_zendesk_tickets_are_read_and_written_by_the_hundred(left, expected):
    names = {name.replace("_", "-"): calls for name, calls in left.items()}

    assert zendesk.room(Left(**names)) == expected
    assert zendesk.room(None) == Room(tickets=100)


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        ({"account": 30}, Room(tickets=10)),
        ({"account": 30, "tickets-update": 4}, Room(tickets=4)),
        ({"account": 2}, Room(tickets=0, wait=7.0)),
    ],
)
def test_freshdesk_tickets_are_read_and_written_singly(left, expected):
    assert freshdesk.room(Left(**left)) == expected
    assert freshdesk.room(None) == Room(tickets=8)


LOGIN = {
    "zendesk": {"email": "agent@sandbox.test", "api_token": "sandbox"},
    "freshdesk": {"api_key": "sandbox"},
}


@contextmanager
def called(kind, database, plan, reserve, **switches):
    """A session with a budget at a local helpdesk that counts calls as its plan says."""
    with serving(create_sandbox(kind, tickets=30, plan=plan)) as server:
        requests.post(f"{server.url}/_sandbox/switches", json=switches, timeout=10)
        settings = SignIn.model_validate(LOGIN[kind])
        if kind == "zendesk":
            authorizer = zendesk_sign_in(settings, Session(server.url))
            limits = ZendeskLimits()
        else:
            authorizer, limits = freshdesk_sign_in(settings), FreshdeskLimits()
        budget = StoredBudget(database, "acme", reserve)
        yield Session(server.url, authorizer=authorizer, budget=budget, limits=limits), budget


def until_spent(call):
    """How often `call` can be made."""
    for made in range(1000):
        try:
            call()
        except BudgetSpent:
            return made
    raise AssertionError("nothing ends it")


def refusals(session):
    return sum(made for (_, _, status), made in session.calls.items() if status == 429)


def lists(session):
    return session.call("GET", f"{API}/tickets", params={"include": "stats"})


def test_freshdesk_lists_stop_at_our_share_of_their_limit(database):
    """Of 20 lists a minute 12 are ours."""
    with called("freshdesk", database, "growth", 0.4) as (session, _):
        session.call("GET", f"{API}/agents/me")  # the first answer tells the plan

        assert until_spent(lambda: lists(session)) == 12
        assert refusals(session) == 0


def test_freshdesk_lists_that_count_credits_are_refused_once(database):
    with called("freshdesk", database, "growth", 0.4, sub_limits_count="credits") as (session, _):
        with pytest.raises(RateLimited):
            until_spent(lambda: lists(session))

        assert refusals(session) == 1
        template = f"{API}/tickets"
        found = session._limits.charges("GET", template, template, {"include": "stats"}, None)
        assert found[1].cost == 3


@pytest.mark.parametrize("style", ["integers", "floats"])
def test_freshdesk_credits_stop_at_our_share(database, style):
    """Of 50 credits 30 are ours: the first call, and fourteen of two credits."""
    with called("freshdesk", database, "trial", 0.4, rate_headers=style) as (session, budget):
        session.call("GET", f"{API}/agents/me")

        read = {"template": f"{API}/tickets/{{id}}", "params": {"include": "stats"}}
        assert until_spent(lambda: session.call("GET", f"{API}/tickets/1", **read)) == 14
        assert refusals(session) == 0
        assert freshdesk.room(budget).tickets == 0


def test_without_any_header_freshdesk_is_called_until_it_refuses(database):
    with called("freshdesk", database, "trial", 0.4, rate_headers="none") as (session, _):
        with pytest.raises(RateLimited):
            until_spent(lambda: session.call("GET", f"{API}/agents/me"))

        assert until_spent(lambda: session.call("GET", f"{API}/agents/me")) == 0
        assert refusals(session) == 1


def test_zendesk_updates_leave_three_quarters_to_agents(database):
    """A trial allows 20 updates a minute, which the first answer tells."""
    with called("zendesk", database, "trial", 0.2) as (session, _):
        numbers = iter(range(1, 30))

        def update():
            path, template = f"{API}/tickets/{next(numbers)}", f"{API}/tickets/{{id}}"
            session.call("PUT", path, template=template, body={"ticket": {}})

        assert until_spent(update) == 5
        session.call("GET", f"{API}/users/me")
        assert refusals(session) == 0


@pytest.mark.parametrize(("counts", "tickets"), [("none", 100), ("call", 100), ("row", 0)])
def test_zendesk_bulk_writes_find_out_how_they_count(database, counts, tickets):
    """Of 100 updates a minute 25 are ours; a batch that was counted by the row takes more."""
    with called("zendesk", database, "team", 0.2, update_many_bucket=counts) as (session, budget):
        rows = [{"id": number, "priority": "high"} for number in range(1, 31)] * 2
        session.call("PUT", f"{API}/tickets/update_many", body={"tickets": rows})

        room = zendesk.room(budget)
        assert min(room.tickets, 100) == tickets
        assert refusals(session) == 0


def test_zendesk_account_calls_stop_at_our_share(database):
    with called("zendesk", database, "essential", 0.2) as (session, _):
        session.call("GET", f"{API}/users/me")

        assert until_spent(lambda: session.call("GET", f"{API}/users/me")) == 7
        assert refusals(session) == 0
