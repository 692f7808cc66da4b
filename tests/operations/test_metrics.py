"""Every scrape shows the figures of its own moment, in the form that Prometheus reads."""

from collections.abc import Mapping
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from connector import telemetry
from connector.store.database import Database
from tests.operations.conftest import ACME, Stage

Figures = Mapping[tuple[str, tuple[str, ...]], float]


def scrape(stage: Stage) -> Figures:
    answer = stage.get("/metrics")
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    return {
        (one.name.removeprefix("deskclock_"), tuple(one.labels.values())): one.value
        for family in text_string_to_metric_families(answer.text)
        for one in family.samples
    }


def of(figures: Figures, *names: str) -> dict[str, float]:
    return {name: value for (name, labels), value in figures.items() if name in names}


def test_an_account_is_in_exactly_one_state(stage: Stage) -> None:
    stage.account(state="held")
    found = scrape(stage)
    states = {labels[1]: on for (name, labels), on in found.items() if name == "account_state"}
    assert states.pop("held") == 1
    assert {"ok", "sign_in_needed", "role_needed", "suspended", "contested"} == set(states)
    assert set(states.values()) == {0.0}


def test_a_state_that_is_new_to_the_metrics_is_told_as_well(stage: Stage) -> None:
    stage.account(state="on_holiday")
    assert scrape(stage)["account_state", ("acme", "on_holiday")] == 1


def test_the_budget_shows_what_still_counts(stage_anywhere: Stage) -> None:
    stage = stage_anywhere
    stage.account()
    stage.limit(
        allowance=700, remaining=300, recent=stage.calls(ago=5, count=250),
        window_ends=stage.at + 50, blocked_until=stage.at + 20, refusals=2, waits=3, waited=4.5,
    )  # fmt: skip
    over = stage.calls(ago=500, count=99)
    stage.limit("tickets-update", allowance=100, remaining=1, recent=over, window_ends=stage.at - 1)
    stage.limit("search", recent=stage.calls(ago=5, count=4), minutes=10)
    stage.limit("one-ticket:35436", allowance=30, blocked_until=stage.at + 20)
    found = scrape(stage)
    blocked = found["budget_blocked_seconds", ("acme", "account")]
    assert 10 < blocked <= 20
    expected = {
        "budget_allowance": 700, "budget_remaining": 300, "budget_used": 250,
        "budget_refusals_total": 2, "budget_waits_total": 3, "budget_waited_seconds_total": 4.5,
    }  # fmt: skip
    assert expected == {name: found[name, ("acme", "account")] for name in expected}
    assert found["budget_used", ("acme", "tickets-update")] == 0
    assert found["budget_used", ("acme", "search")] == 4
    untold = [("budget_remaining", "tickets-update"), ("budget_allowance", "search")]
    assert not [one for one in untold if (one[0], ("acme", one[1])) in found]
    assert "one-ticket:35436" not in str(found)


def test_tickets_are_counted_by_what_they_wait_for(stage_anywhere: Stage) -> None:
    stage = stage_anywhere
    stage.account()
    soon, late = stage.at - 1, stage.at + 900
    stage.ticket("1", look_at=soon)
    stage.ticket("2", look_at=soon, rank=2)
    stage.ticket("3", look_at=late)
    stage.ticket("4", look_at=soon, parked="cannot be understood")
    stage.ticket("5", look_at=late, write_blocked="a mandatory field is empty")
    stage.ticket("6", look_at=soon, account="another")
    found = of(scrape(stage), "due_tickets", "parked_tickets", "write_blocked_tickets")
    assert found == {"due_tickets": 2, "parked_tickets": 1, "write_blocked_tickets": 1}


def test_the_sync_shows_how_far_it_is_behind_by_the_helpdesks_clock(stage_anywhere: Stage) -> None:
    stage = stage_anywhere
    stage.account(clock_offset=600.0)
    figures = {"pages": 7, "missed": 3, "silent_since": stage.at - 60, "phase": "tickets"}
    stage.feed(position=stage.at + 500, body=figures)
    stage.feed("full", position=stage.at, next_at=None, ended_at=stage.at)
    found = scrape(stage)
    assert 100 <= found["sync_position_age_seconds", ("acme", "changes")] < 150
    assert ("sync_position_age_seconds", ("acme", "full")) not in found
    assert found["sync_pages_total", ("acme", "changes")] == 7
    assert found["sync_missed_total", ("acme", "changes")] == 3
    assert found["webhooks_silent", ("acme",)] == 1
    assert found["clock_offset_seconds", ("acme",)] == 600


def test_the_workers_latest_sign_of_life_is_told_by_its_age(stage_anywhere: Stage) -> None:
    stage = stage_anywhere
    assert not of(scrape(stage), "worker_heartbeat_age_seconds")
    stage.heartbeat(900, "worker:gone")
    stage.heartbeat(30, "worker:host-2:71")
    assert (
        30 <= of(scrape(stage), "worker_heartbeat_age_seconds")["worker_heartbeat_age_seconds"] < 60
    )


def test_an_account_that_no_worker_has_seen_has_no_state(stage: Stage) -> None:
    assert not of(scrape(stage), "account_state")
    assert of(scrape(stage), "due_tickets", "webhooks_silent") == {
        "due_tickets": 0,
        "webhooks_silent": 0,
    }


def test_only_accounts_of_the_configuration_are_told(stage: Stage) -> None:
    stage.account()
    stage.account("sold-last-year", state="suspended")
    told = {labels[0] for (name, labels) in scrape(stage) if name == "due_tickets"}
    assert told == {"acme"}


def test_a_database_that_refuses_leaves_what_the_process_counts() -> None:
    refusing: Any = object.__new__(Stage)
    refusing.database = Database("postgresql://somebody:password@127.0.0.1:1/name")
    refusing.served = [ACME]
    telemetry.DELIVERIES.labels("refusing", "refused", 503).inc()
    found = scrape(refusing)
    assert found["database_up", ()] == 0
    assert found["deliveries_total", ("refusing", "refused", "503")] == 1
    assert not of(found, "due_tickets")


@pytest.mark.parametrize("path", ["/status", "/status.json"])
def test_a_database_that_refuses_is_said_without_its_details(path: str) -> None:
    refusing: Any = object.__new__(Stage)
    refusing.database = Database("postgresql://somebody:password@127.0.0.1:1/name")
    refusing.served = [ACME]
    answer = refusing.get(path)
    assert answer.status_code == 503
    assert "the database refuses" in answer.text.lower()
    assert "password" not in answer.text
