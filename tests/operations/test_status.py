"""The page says how every account stands and what to do, and is there for this machine only."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from operations.attention import span
from operations.standing import Feed, Served
from operations.status import progress
from tests.operations.conftest import Stage


class Text(HTMLParser):
    """What a reader of a page reads."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self._words: list[str] = []
        self.feed(html)
        self.all = " ".join(" ".join(self._words).split())

    def handle_data(self, data: str) -> None:
        self._words.append(data)


def page(stage: Stage) -> str:
    answer = stage.get("/status")
    assert answer.status_code == 200
    return Text(answer.text).all


def attention(stage: Stage) -> list[str]:
    facts = stage.get("/status.json").json
    return [f"{one['tone']}: {one['what']} {one['advice']}".strip() for one in facts["attention"]]


def test_nothing_is_to_be_looked_at_where_all_is_well(stage: Stage) -> None:
    stage.well()
    assert attention(stage) == []
    assert "All is well · deskclock" in page(stage)
    assert "acme working Zendesk · writes its own fields The helpdesk answers." in page(stage)


def test_without_accounts_the_page_says_how_to_get_one(stage: Stage) -> None:
    stage.heartbeat(1)
    stage.served = []
    assert "No accounts Write the first one into deskclock.yaml" in page(stage)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("held", "bad: Held. The helpdesk cannot be used at the moment."),
        ("sign_in_needed", "bad: Sign-in needed. The helpdesk refuses our sign-in."),
        ("role_needed", "bad: Role needed. The helpdesk knows us, but our user"),
        ("suspended", "bad: Suspended. The helpdesk has suspended the account."),
        ("on_holiday", "warn: On_holiday. Its state is on_holiday."),
    ],
)
def test_a_state_is_said_in_words_with_what_to_do(stage: Stage, state: str, says: str) -> None:
    stage.heartbeat(1)
    stage.account(state=state, failures=4, last_error="401: no such key", held_until=stage.at + 90)
    [found] = attention(stage)
    assert found.startswith(says)
    assert "Last error, 4 in a row : 401: no such key" in page(stage).replace(" row: ", " row : ")
    assert "Waiting until" in page(stage)


def test_an_account_is_contested_for_an_hour(stage: Stage) -> None:
    stage.heartbeat(1)
    hour, minute = stage.at - 3700, stage.at - 60
    stage.account(contested={"tags": hour, "resolution_due_at": minute})
    [found] = attention(stage)
    assert found.startswith("warn: Contested. Somebody else changes what deskclock writes")
    shown = page(stage)
    assert "each time Field Since resolution_due_at" in shown
    assert "tags" not in shown


def test_what_keeps_us_from_the_helpdesk_goes_before_what_is_contested(stage: Stage) -> None:
    stage.heartbeat(1)
    stage.account(state="held", contested={"tags": stage.at})
    assert attention(stage)[0].startswith("bad: Held.")


def test_where_to_sign_in_again_is_said_with_the_accounts_name(stage: Stage) -> None:
    stage.heartbeat(1)
    stage.account(state="sign_in_needed")
    assert "deskclock sign-in acme." in attention(stage)[0]
    assert "deskclock sign-in acme." in page(stage)


def test_an_account_that_no_worker_has_seen_is_said_to_be_so(stage: Stage) -> None:
    stage.heartbeat(1)
    assert attention(stage)[0].startswith("warn: Not seen yet.")
    assert "acme not seen yet" in page(stage)


@pytest.mark.parametrize(
    ("age", "says"),
    [
        (None, "bad: No worker has started yet: no ticket is looked at. Start one:"),
        (100, "bad: No worker has been heard of for 1 min 4"),
    ],
)
def test_a_missing_worker_comes_first(stage: Stage, age: float | None, says: str) -> None:
    stage.account(state="held", clock_checked_at=stage.at)
    if age is not None:
        stage.heartbeat(age)
    assert attention(stage)[0].startswith(says)


def test_everything_that_is_not_as_it_should_be_is_told(stage_anywhere: Stage) -> None:
    stage = stage_anywhere
    stage.heartbeat(1)
    stage.account(
        clock_offset=-700.0,
        advice=["The field 'SLA state' was deleted; create it again."],
    )
    stage.feed(last_error="502: no JSON", body={"missed": 12, "silent_since": stage.at - 3700})
    stage.ticket("7", parked="cannot be understood")
    stage.ticket("8", write_blocked="the field region is mandatory")
    assert [one.split(".")[0].split("(")[0] for one in attention(stage)] == [
        "bad: Webhooks have been silent for 1 h 1 min, though tickets change",
        "warn: The helpdesk's clock is 11 min 40 s behind ours",
        "warn: Changes: the latest page could not be read: 502: no JSON deskclock tries the same "
        "page again by itself",
        "warn: 1 ticket is left alone, because looking at them failed again and again",
        "warn: 1 ticket is not written, because the helpdesk refuses every write",
        "warn: The field 'SLA state' was deleted; create it again",
    ]
    shown = page(stage)
    assert "cannot be understood parked 7" in shown
    assert "the field region is mandatory write blocked 8" in shown


def test_a_limit_shows_what_is_used_of_the_allowance_and_our_share(stage: Stage) -> None:
    stage.well()
    stage.limit(
        allowance=700, share=560, remaining=11, recent=stage.calls(ago=2, count=250),
        window_ends=stage.at + 50, blocked_until=stage.at + 90, refusals=2, waits=3, waited=65.0,
    )  # fmt: skip
    stage.limit("search", recent=stage.calls(ago=2, count=4), minutes=10, refusals=1)
    stage.limit("bulk", recent=stage.calls(ago=2, count=9))
    stage.limit("one-ticket:7", blocked_until=stage.at + 90)
    stage.limit("one-ticket:8")
    shown = page(stage)
    assert "all calls per minute 250 of 700 560 11 2 3" in shown
    assert "1 min 5 s in all" in shown
    assert "search per 10 min 4 allowance not known not known not known" in shown
    assert "The helpdesk's limit account was exceeded: no such call until" in shown
    assert "The helpdesk's limit one-ticket:7 was exceeded: no such call until" in shown
    assert "one-ticket:8" not in shown
    assert "bulk" not in shown


def test_a_backfill_shows_how_far_it_is(stage: Stage) -> None:
    stage.well()
    body = {"pages": 20, "tickets": 2000, "changed": 40, "written": 39, "missed": 0, "total": 8000}
    stage.feed("full", body=body, position=stage.at - 86400 * 400)
    shown = page(stage)
    assert "Backfill running" in shown
    assert "2,000 of about 8,000" in shown
    assert "400 d" in shown


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ({}, "running"),
        ({"next_at": 9e9}, "running"),
        ({"next_at": 9e9, "last_error": "our share is used up"}, "waiting"),
        ({"next_at": 9e9, "last_error": "our share is used up", "paused": True}, "paused"),
        ({"paused": True}, "paused"),
        ({"next_at": None, "ended_at": 5.0}, "over"),
    ],
)
def test_a_feed_is_running_waiting_paused_or_over(stage: Stage, values: Any, state: str) -> None:
    stage.well()
    stage.feed("full", **values)
    facts = stage.get("/status.json").json
    assert facts["accounts"][0]["feeds"][0]["state"] == state


def test_a_feed_that_waits_for_its_share_is_nothing_to_look_at(stage: Stage) -> None:
    stage.well()
    stage.feed("full", next_at=stage.at + 50, last_error="our share is used up")
    assert attention(stage) == []
    assert re.search(r"Backfill waiting \d+ s more our share is used up", page(stage))


def test_of_many_tickets_left_alone_the_first_are_shown_by_their_reason(
    stage_anywhere: Stage,
) -> None:
    stage = stage_anywhere
    stage.well()
    for number in range(1, 31):
        stage.ticket(str(number), parked="the same for all")
    shown = page(stage)
    assert "Tickets left alone, the first 20 of 30" in shown
    assert f"the same for all parked {', '.join(map(str, range(1, 21)))} " in shown


def test_a_long_reason_is_cut_and_a_hostile_one_is_text(stage: Stage) -> None:
    stage.heartbeat(1)
    stage.account(state="held", last_error="<script>alert(1)</script>" + "x" * 2000)
    html = stage.get("/status").text
    assert "<script" not in html
    assert "xxx…" in html
    assert "x" * 500 not in html


def test_the_json_holds_the_same_facts_with_instants_in_utc(stage_anywhere: Stage) -> None:
    stage = stage_anywhere
    stage.heartbeat(0)
    stage.account(clock_checked_at=90000.0)
    stage.ticket("1", hinted_at=172800.0)
    facts = stage.get("/status.json").json
    [account] = facts["accounts"]
    assert account["clock_checked_at"] == "1970-01-02T01:00:00Z"
    assert account["last_delivery_at"] == "1970-01-03T00:00:00Z"
    assert facts["at"].endswith("Z")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({}, 200),
        ({"environ_overrides": {"REMOTE_ADDR": "127.0.0.9"}}, 200),
        ({"environ_overrides": {"REMOTE_ADDR": "::1"}}, 200),
        ({"environ_overrides": {"REMOTE_ADDR": "::ffff:127.0.0.1"}}, 200),
        ({"headers": {"Host": "127.0.0.1:8080"}}, 200),
        ({"headers": {"Host": "[::1]:8080"}}, 200),
        ({"environ_overrides": {"REMOTE_ADDR": "192.0.2.7"}}, 404),
        ({"environ_overrides": {"REMOTE_ADDR": "::ffff:192.0.2.7"}}, 404),
        ({"environ_overrides": {"REMOTE_ADDR": ""}}, 404),
        ({"headers": {"X-Forwarded-For": "127.0.0.1"}}, 404),
        ({"headers": {"Forwarded": "for=127.0.0.1"}}, 404),
        ({"headers": {"Via": "1.1 proxy"}}, 404),
        ({"headers": {"Host": "attacker.example"}}, 404),
        ({"headers": {"Host": "[::1"}}, 404),
        ({"headers": {"Host": ""}}, 404),
    ],
)
def test_only_this_machine_sees_it(stage: Stage, request_: Any, status: int) -> None:
    for path in ("/status", "/status.json", "/status/static/status.css"):
        assert stage.get(path, **request_).status_code == status


def test_the_page_may_load_its_own_style_and_nothing_else(stage: Stage) -> None:
    answer = stage.get("/status")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self';")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "style=" not in answer.text
    assert '<meta http-equiv="refresh" content="10">' in answer.text


def test_accounts_stand_in_the_order_of_their_names(stage: Stage) -> None:
    stage.served = [Served(name=name, kind="zendesk", mode="shadow") for name in ("b", "c", "a")]
    facts = stage.get("/status.json").json
    assert [one["name"] for one in facts["accounts"]] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (-5, "0 s"), (59.6, "1 min"), (61, "1 min 1 s"), (3600, "1 h"), (3605, "1 h"),
     (90061, "1 d 1 h"), (86400 * 312, "312 d")],
)  # fmt: skip
def test_a_span_is_its_two_largest_units(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_the_pace_of_a_backfill_says_when_it_ends(stage: Stage) -> None:
    begun = datetime(2026, 3, 1, tzinfo=UTC)
    feed = Feed(
        name="full", since=begun, position=None, behind_seconds=None, state="running",
        waits_until=None, started_at=begun, ended_at=None, last_error=None,
        figures={"tickets": 2000, "total": 10000},
    )  # fmt: skip
    found = progress(feed, begun + timedelta(seconds=100))
    assert found is not None
    assert (found.per_second, found.left_seconds) == (20.0, 400.0)
    at_once = progress(feed, begun)
    assert at_once is not None
    assert (at_once.per_second, at_once.left_seconds) == (None, None)


def test_what_something_else_replaces_is_counted_and_told_for_a_day(stage: Stage) -> None:
    stage.well()
    stage.change(overwritten=7, overwritten_at=stage.at - 60, conceded=2)
    page = stage.get("/status").text
    assert "replaced by something else 7 times so far" in page
    assert "2 fields of single tickets were given up" in page
    figures = stage.get("/metrics").text
    assert 'deskclock_overwritten_total{account="acme"} 7.0' in figures
    assert 'deskclock_conceded_total{account="acme"} 2.0' in figures
    stage.change(overwritten_at=stage.at - 2 * 86_400)
    assert "replaced by something else" not in stage.get("/status").text


def test_in_native_mode_the_helpdesks_own_engine_is_named(stage: Stage) -> None:
    stage.served[:] = [replace(stage.served[0], mode="native")]
    stage.well()
    stage.change(overwritten=1, overwritten_at=stage.at - 60)
    page = stage.get("/status").text
    assert "replaced by something else once so far" in page
    assert "choose mode: own_fields" in page
