"""Which ticket is looked at, when it is looked at again, and when it is left alone."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from connector.engine import accounts, schedule
from connector.engine.intake import Rank, request_look
from connector.store import tables
from connector.store.database import Database, now
from tests.engine.conftest import Desk


class Killed(BaseException):
    """The worker is gone."""


def reads(desk: Desk) -> str:
    return "read" if desk.kind == "freshdesk" else "read_many"


def poison(desk: Desk, ticket: str, error: Callable[[], BaseException]) -> None:
    """Let every read in which the ticket occurs fail."""

    def tap(name: str, arguments: tuple[Any, ...]) -> None:
        if name in ("read", "read_many") and ticket in (arguments[0], *arguments[0]):
            raise error()

    desk.helpdesk.before = tap


def fail_until_parked(desk: Desk, ticket: str) -> None:
    desk.hint(ticket)
    for _ in range(schedule.PARK_AFTER):
        desk.change(not_before=0.0)
        desk.drain()


def test_an_unknown_ticket_waits_and_is_gone_after_five_minutes(desk_anywhere: Desk) -> None:
    desk = desk_anywhere
    good = [desk.create(), desk.create()]
    desk.enrich(*good, "99999", "no-number")
    assert [one for one in good if not desk.right(one)] == []
    for unknown in ("99999", "no-number"):
        row = desk.row(unknown)
        assert (row["attempts"], row["parked"], row["rank"]) == (1, None, Rank.RETRY)
        assert row["not_before"] > row["look_at"]
    desk.change(look_at=1.0, not_before=0.0)
    desk.drain()
    for unknown in ("99999", "no-number"):
        row = desk.row(unknown)
        assert (row["state"], row["look_at"], row["attempts"]) == ("gone", None, 0)
        assert desk.evidence(unknown) == ["gone"]


def test_a_gone_ticket_that_is_hinted_again_is_tried_again(desk: Desk) -> None:
    desk.enrich("99999")
    desk.change(look_at=1.0, not_before=0.0)
    desk.drain()
    desk.enrich("99999")
    row = desk.row("99999")
    assert (row["attempts"], row["look_at"] is None) == (1, False)


def test_a_hint_that_comes_while_a_ticket_is_found_gone_is_not_lost(desk: Desk) -> None:
    desk.hint("99999")
    desk.change(look_at=1.0)

    def tap(name: str, _: tuple[Any, ...]) -> None:
        if name == "read":
            desk.helpdesk.heal()
            desk.hint("99999")

    desk.helpdesk.before = tap
    desk.drain()
    assert desk.row("99999")["look_at"] is not None


def test_a_ticket_that_fails_backs_off_and_is_parked_with_its_reason(desk_anywhere: Desk) -> None:
    desk, waits = desk_anywhere, []
    ticket = desk.create()
    poison(desk, ticket, lambda: ValueError("what a ticket"))
    desk.hint(ticket)
    for _ in range(schedule.PARK_AFTER):
        desk.change(not_before=0.0)
        with desk.database.read() as conn:
            at = now(conn)
        desk.drain()
        waits.append(desk.row(ticket)["not_before"] - at)
    row = desk.row(ticket)
    assert row["parked"] == row["last_error"] == "ValueError: what a ticket"
    assert all(wait >= least for wait, least in zip(waits, (2, 4, 8, 16, 32), strict=True))
    assert desk.evidence(ticket) == ["failed"] * 4 + ["parked"]
    with desk.database.read() as conn:
        assert not schedule.is_due(conn, "acme")


def test_a_new_hint_tries_a_parked_ticket_once(desk: Desk) -> None:
    ticket = desk.create()
    poison(desk, ticket, lambda: ValueError("still bad"))
    fail_until_parked(desk, ticket)
    attempts = desk.row(ticket)["attempts"]
    desk.look(ticket)
    row = desk.row(ticket)
    assert (row["attempts"], row["parked"]) == (attempts + 1, "ValueError: still bad")
    desk.helpdesk.heal()
    desk.look(ticket)
    assert (desk.row(ticket)["attempts"], desk.row(ticket)["parked"]) == (0, None)
    assert desk.right(ticket)


def test_a_hint_that_comes_during_the_last_failing_look_is_tried_and_not_parked(
    desk: Desk,
) -> None:
    ticket = desk.create()
    poison(desk, ticket, lambda: ValueError("bad"))
    desk.hint(ticket)
    desk.change(attempts=schedule.PARK_AFTER - 1, last_error="earlier")
    failing = desk.helpdesk.before

    def tap(name: str, arguments: tuple[Any, ...]) -> None:
        if name == reads(desk):
            desk.hint(ticket)
        failing(name, arguments)

    desk.helpdesk.before = tap
    desk.drain()
    row = desk.row(ticket)
    assert (row["parked"], row["last_error"]) == (None, "ValueError: bad")


def test_one_poisonous_ticket_among_many_fails_alone(desk_anywhere: Desk) -> None:
    desk = desk_anywhere
    tickets = [desk.create() for _ in range(9)]
    poison(desk, tickets[4], lambda: ValueError("poison"))
    desk.enrich(*tickets)
    desk.helpdesk.heal()
    wrong = [one for one in tickets if not desk.right(one)]
    assert wrong == [tickets[4]]
    assert {one["attempts"] for one in desk.rows() if one["ticket_id"] not in wrong} == {0}
    assert desk.row(tickets[4])["last_error"] == "ValueError: poison"


def test_a_ticket_that_kills_the_worker_twice_when_alone_is_parked(desk: Desk) -> None:
    tickets = [desk.create() for _ in range(3)]
    poison(desk, tickets[1], Killed)
    desk.hint(*tickets)
    deaths = 0
    for _ in range(8):
        try:
            desk.drain()
        except Killed:
            deaths += 1
    assert (deaths, desk.row(tickets[1])["attempts"]) == (3, 4)
    assert "ended twice" in str(desk.row(tickets[1])["parked"])
    desk.helpdesk.heal()
    assert [one for one in tickets if not desk.right(one)] == [tickets[1]]
    assert desk.evidence(tickets[1]) == ["parked"]


def test_an_account_failure_between_failures_of_a_ticket_does_not_look_like_a_crash(
    desk: Desk,
) -> None:
    ticket = desk.create()
    desk.hint(ticket)
    desk.change(attempts=3, last_error="ValueError: x")
    desk.spec("500=1")
    desk.drain()
    row = desk.row(ticket)
    assert (row["attempts"], row["last_error"]) == (3, "ValueError: x")
    desk.spec("")
    desk.hurry()
    desk.drain()
    assert (desk.row(ticket)["parked"], desk.row(ticket)["attempts"]) == (None, 0)


def test_a_hint_that_comes_during_a_look_leads_to_exactly_one_more(desk_anywhere: Desk) -> None:
    desk = desk_anywhere
    ticket = desk.create()
    desk.helpdesk.once(reads(desk), lambda: desk.hint(ticket))
    desk.enrich(ticket)
    row = desk.row(ticket)
    assert desk.helpdesk.called.count(reads(desk)) == 2
    assert (row["attempts"], row["wanted"]) == (0, 2)
    assert row["look_at"] > row["evaluated_at"]


def test_a_change_that_comes_between_read_and_write_is_in_the_ticket_in_the_end(
    desk: Desk,
) -> None:
    ticket = desk.create(priority="low")

    def change() -> None:
        desk.edit(ticket, priority="high")
        desk.hint(ticket)

    desk.helpdesk.once(reads(desk), change)
    desk.enrich(ticket)
    desk.hurry()
    desk.drain_if_due()
    assert "sla_sev_high" in desk.stands(ticket).tags
    assert desk.right(ticket)


@pytest.mark.parametrize(
    ("background_first", "expected"),
    [
        pytest.param(False, ["hint", "retry"], id="most-passes"),
        pytest.param(True, ["retry", "backfill"], id="every-fifth-pass"),
    ],
)
def test_a_pass_takes_by_rank_and_then_by_age(
    database: Database, background_first: bool, expected: list[str]
) -> None:
    ranks = {"backfill": Rank.BACKFILL, "retry": Rank.RETRY, "hint": Rank.HINT}
    with database.write() as conn:
        for name, rank in ranks.items():
            request_look(conn, "acme", [name], rank)
        request_look(conn, "other", ["elsewhere"], Rank.HINT)
        found = schedule.claim(conn, "acme", 2, background_first=background_first)
    assert [one.ticket_id for one in found] == expected


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"look_at": None}, id="nothing-to-do"),
        pytest.param({"look_at": 9e9}, id="timer"),
        pytest.param({"not_before": 9e9}, id="backoff"),
        pytest.param({"parked": "broken"}, id="parked"),
        pytest.param({"open_intent": 7}, id="being-written"),
    ],
)
def test_what_is_not_due_is_not_claimed(database: Database, values: dict[str, Any]) -> None:
    with database.write() as conn:
        accounts.register(conn, "acme", "zendesk")
        request_look(conn, "acme", ["1"], Rank.HINT)
        assert schedule.accounts_to_drain(conn, ["acme"]) == ["acme"]
        conn.execute(update(tables.ticket).values(**values))
        assert schedule.claim(conn, "acme", 10, background_first=False) == []
        assert schedule.accounts_to_drain(conn, ["acme"]) == []
        assert (schedule.is_due(conn, "acme"), schedule.waiting(conn, "acme")[0]) == (False, 0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param({}, ["acme"], id="free"),
        pytest.param({"held_until": 9e9}, [], id="held"),
        pytest.param({"lease_holder": "b", "lease_until": 9e9}, [], id="leased"),
        pytest.param({"lease_holder": "b", "lease_until": 1.0}, ["acme"], id="lease-expired"),
    ],
)
def test_an_account_is_drained_when_it_is_free(
    database: Database, values: dict[str, Any], expected: list[str]
) -> None:
    with database.write() as conn:
        for name in ("acme", "idle"):
            accounts.register(conn, name, "zendesk")
        request_look(conn, "acme", ["1"], Rank.HINT)
        conn.execute(update(tables.account).values(kind="zendesk", **values))
        assert schedule.accounts_to_drain(conn, ["acme", "idle"]) == expected
        assert schedule.accounts_to_drain(conn, ["idle"]) == []


def test_each_claim_counts_an_attempt_in_its_own_transaction(database: Database) -> None:
    with database.write() as conn:
        request_look(conn, "acme", ["1"], Rank.HINT)
    for expected in (1, 2, 3):
        with database.write() as conn:
            (found,) = schedule.claim(conn, "acme", 10, background_first=False)
        assert (found.attempts, found.ended) == (expected, expected == 1)


def test_workers_side_by_side_never_claim_the_same_ticket(database: Database) -> None:
    with database.write() as conn:
        request_look(conn, "acme", [str(n) for n in range(40)], Rank.HINT)
    found: list[str] = []
    meet = threading.Barrier(4)

    def work() -> None:
        meet.wait(10)
        with database.write() as conn:
            claims = schedule.claim(conn, "acme", 10, background_first=False)
            conn.execute(
                update(tables.ticket)
                .where(tables.ticket.c.ticket_id.in_([one.ticket_id for one in claims]))
                .values(look_at=None)
            )
        found.extend(one.ticket_id for one in claims)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(set(found))
