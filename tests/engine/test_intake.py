"""Hints are stored once, durably, and put their ticket in the right place of the queue."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, event, select, update

from connector.engine.intake import Delivery as D
from connector.engine.intake import Intake, Rank, accept, accept_all, request_look
from connector.errors import StoreError, UnreadableWebhook
from connector.helpdesks.base import Hint, Observation
from connector.store import tables
from connector.store.database import Database, now

US = "900"


def hint(ticket: str | None = "1", delivery: str | None = None, actor: str | None = None) -> Hint:
    return Hint(ticket_id=ticket, delivery_id=delivery, actor_id=actor)


def rows(database: Database, table: Any = tables.ticket) -> list[dict[str, Any]]:
    with database.read() as conn:
        return [dict(row._mapping) for row in conn.execute(select(table))]


def the_row(database: Database) -> dict[str, Any]:
    (row,) = rows(database)
    return row


def take(database: Database, *hints: Hint) -> list[bool]:
    with database.write() as conn:
        return [accept(conn, "acme", one, own_user_id=US) for one in hints]


def change(database: Database, **values: Any) -> None:
    with database.write() as conn:
        conn.execute(update(tables.ticket).values(**values))


def due_in(database: Database) -> float | None:
    """Seconds until the only ticket is looked at, by the database's clock."""
    with database.read() as conn:
        look_at = conn.scalar(select(tables.ticket.c.look_at))
        return None if look_at is None else look_at - now(conn)


def test_a_hint_makes_its_ticket_due_at_once_and_first(database: Database) -> None:
    take(database, hint())
    row = the_row(database)
    expected = (Rank.HINT, 1, 0, 0.0, None)
    assert expected == (
        row["rank"],
        row["wanted"],
        row["attempts"],
        row["not_before"],
        row["parked"],
    )
    assert row["look_at"] == row["created"]
    assert due_in(database) <= 0


def test_every_hint_raises_wanted_so_that_none_is_lost_during_a_look(database: Database) -> None:
    expected = [True, True, True]
    assert expected == take(database, hint(), hint(), hint())
    assert the_row(database)["wanted"] == 3


def test_a_hint_brings_a_timer_forward_and_a_backfill_to_the_front(database: Database) -> None:
    take(database, hint())
    change(database, look_at=9e9, rank=2)
    take(database, hint())
    assert the_row(database)["rank"] == Rank.HINT
    assert due_in(database) <= 0


def test_a_hint_does_not_put_off_a_ticket_that_is_due_already(database: Database) -> None:
    take(database, hint())
    change(database, look_at=5.0)
    take(database, hint(), hint(actor=US))
    assert the_row(database)["look_at"] == 5.0


def test_a_hint_never_lowers_the_backoff_nor_the_attempts(database: Database) -> None:
    take(database, hint())
    change(database, not_before=9e9, attempts=4)
    take(database, hint(), hint(actor=US))
    row = the_row(database)
    assert (row["not_before"], row["attempts"]) == (9e9, 4)


def test_a_hint_has_a_parked_ticket_tried_once_more(database: Database) -> None:
    take(database, hint())
    change(database, parked="the helpdesk refuses the values", attempts=6, look_at=None)
    take(database, hint())
    row = the_row(database)
    assert (row["parked"], row["attempts"]) == (None, 6)
    assert due_in(database) <= 0


def test_an_echo_waits_ten_quiet_seconds_and_keeps_the_rank(database: Database) -> None:
    take(database, hint())
    change(database, look_at=None, rank=2)
    take(database, hint(actor=US))
    assert the_row(database)["rank"] == 2
    assert 5 < due_in(database) <= 10


def test_an_echo_during_a_look_is_noted_and_does_not_ask_for_another_at_once(
    database: Database,
) -> None:
    take(database, hint(), hint(actor=US))
    row = the_row(database)
    assert (row["wanted"], row["echo_at"] > row["created"] + 5) == (1, True)


def test_an_echo_does_not_delay_the_hint_of_a_customer_that_comes_in_between(
    database: Database,
) -> None:
    take(database, hint(actor=US), hint(actor="7"))
    assert due_in(database) <= 0
    assert the_row(database)["rank"] == Rank.HINT


def test_an_echo_brings_a_later_timer_forward(database: Database) -> None:
    take(database, hint())
    change(database, look_at=9e9)
    take(database, hint(actor=US))
    assert 5 < due_in(database) <= 10


def test_an_echo_leaves_a_parked_ticket_parked(database: Database) -> None:
    take(database, hint())
    change(database, parked="oscillating")
    take(database, hint(actor=US))
    assert the_row(database)["parked"] == "oscillating"


def test_without_our_own_user_nothing_counts_as_an_echo(database: Database) -> None:
    with database.write() as conn:
        accept(conn, "acme", hint(actor=None), own_user_id=None)
    assert due_in(database) <= 0


def test_a_delivery_that_comes_again_is_remembered_and_changes_nothing(database: Database) -> None:
    seen = Observation(
        field="status", before="new", after="open", at=datetime(2026, 3, 2, 9, 0, 0, tzinfo=UTC)
    )
    first = Hint(ticket_id="1", delivery_id="d1", observations=(seen,))
    expected = [True, False]
    assert expected == take(database, first, first)
    assert the_row(database)["wanted"] == 1
    assert len(rows(database, tables.observation)) == 1


def test_the_same_delivery_id_of_two_accounts_is_two_deliveries(database: Database) -> None:
    with database.write() as conn:
        found = [accept(conn, account, hint(delivery="d1")) for account in ("acme", "other")]
    assert found == [True, True]


def test_a_hint_about_no_ticket_stores_nothing(database: Database) -> None:
    take(database, hint(ticket=None, delivery="d1"))
    stored = [rows(database, table) for table in (tables.ticket, tables.delivery)]
    assert stored == [[], []]


def test_observations_are_kept_in_the_order_in_which_they_came(database: Database) -> None:
    at = datetime(2026, 3, 2, 9, 0, 0, 500_000, tzinfo=UTC)
    seen = [
        Observation(field="status", before=None, after="open", at=at),
        Observation(field="priority", before="4", after=None, at=at),
    ]
    take(database, Hint(ticket_id="1", observations=tuple(seen)))
    found = [
        (row["ticket_id"], row["field"], row["before"], row["after"], row["at"])
        for row in rows(database, tables.observation)
    ]
    expected = [
        ("1", "status", None, "open", at.timestamp()),
        ("1", "priority", "4", None, at.timestamp()),
    ]
    assert expected == found


def test_the_row_of_the_account_is_never_touched(database: Database) -> None:
    statements: list[str] = []
    event.listen(
        database._engine, "before_cursor_execute", lambda *seen: statements.append(seen[2])
    )
    take(database, hint(delivery="d"), hint(actor=US))
    with database.write() as conn:
        request_look(conn, "acme", ["1"], Rank.BACKFILL)
    touching = [one for one in statements if "INTO account" in one or "UPDATE account" in one]
    assert touching == []
    assert len(statements) > 3


HINTS = st.builds(
    hint,
    ticket=st.sampled_from(["1", "2", "3", None]),
    delivery=st.sampled_from(["a", "b", "c", None]),
    actor=st.sampled_from([US, "7", None]),
)


@given(hints=st.lists(HINTS, max_size=12))
def test_a_batch_does_what_the_hints_do_one_by_one(database: Database, hints: list[Hint]) -> None:
    def outcome(account: str) -> list[tuple[Any, ...]]:
        return sorted(
            (row["ticket_id"], row["rank"], row["look_at"] - row["created"] > 5)
            for row in rows(database)
            if row["account"] == account
        )

    with database.write() as conn:
        conn.execute(tables.ticket.delete())
        conn.execute(tables.delivery.delete())
        singly = [accept(conn, "singly", one, own_user_id=US) for one in hints]
        batch = [D(account="batch", hint=one, own_user_id=US) for one in hints]
        together = accept_all(conn, batch)
    assert singly == together
    assert outcome("singly") == outcome("batch")


@pytest.mark.parametrize(
    ("before", "asked", "expected"),
    [
        pytest.param({"look_at": None, "rank": 0}, Rank.BACKFILL, Rank.BACKFILL, id="idle"),
        pytest.param({"look_at": 9e9, "rank": 0}, Rank.BACKFILL, Rank.BACKFILL, id="timer"),
        pytest.param({"look_at": 5.0, "rank": 0}, Rank.BACKFILL, Rank.HINT, id="hint-waits"),
        pytest.param({"look_at": 5.0, "rank": 2}, Rank.HINT, Rank.HINT, id="look-again"),
    ],
)
def test_a_requested_look_takes_the_better_rank_of_those_that_are_due(
    database: Database, before: dict[str, Any], asked: Rank, expected: Rank
) -> None:
    take(database, hint())
    change(database, **before)
    with database.write() as conn:
        request_look(conn, "acme", ["1"], asked)
    row = the_row(database)
    assert (expected, 2) == (row["rank"], row["wanted"])
    assert due_in(database) <= 0


@pytest.mark.parametrize(("unpark", "expected"), [(False, "broken"), (True, None)])
def test_only_who_says_so_unparks(database: Database, unpark: bool, expected: str | None) -> None:
    take(database, hint())
    change(database, parked="broken")
    with database.write() as conn:
        request_look(conn, "acme", ["1"], Rank.HINT, unpark=unpark)
    assert expected == the_row(database)["parked"]


def test_many_looks_can_be_requested_at_once_each_ticket_once(database: Database) -> None:
    with database.write() as conn:
        request_look(conn, "acme", [str(n % 500) for n in range(1_000)], Rank.BACKFILL)
        request_look(conn, "acme", [], Rank.BACKFILL)
    found = {(row["wanted"], row["rank"]) for row in rows(database)}
    assert (found, len(rows(database))) == ({(1, Rank.BACKFILL)}, 500)


@pytest.fixture
def intake(database: Database) -> Intake:
    return Intake(database)


def in_threads(count: int, work: Any) -> None:
    threads = [threading.Thread(target=work, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_what_many_threads_submit_is_all_stored_in_fewer_commits(
    intake: Intake, database: Database
) -> None:
    commits: list[object] = []
    event.listen(database._engine, "commit", commits.append)

    def work(thread: int) -> None:
        for n in range(20):
            intake.submit("acme", hint(str(n), f"{thread}-{n}"))

    in_threads(8, work)
    assert {row["wanted"] for row in rows(database)} == {8}
    assert len(commits) < 160


def test_what_submit_has_returned_for_is_seen_by_others(intake: Intake, database: Database) -> None:
    intake.submit("acme", hint("1", "d1"))
    intake.submit("acme", hint("1", "d1"))
    assert the_row(database)["wanted"] == 1


def test_a_hint_about_no_ticket_does_not_need_the_store(intake: Intake, database: Database) -> None:
    with database.write() as conn:
        tables.ticket.drop(conn)
    intake.submit("acme", hint(None, "d1"))
    assert rows(database, tables.delivery) == []


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(hint(""), id="empty"),
        pytest.param(hint("1" * 256), id="long"),
        pytest.param(hint("1\x00"), id="nul"),
        pytest.param(hint("1", "\ud800"), id="surrogate"),
    ],
)
def test_an_id_that_no_helpdesk_gives_is_refused(intake: Intake, one: Hint) -> None:
    with pytest.raises(UnreadableWebhook, match="1 to 255 printable characters"):
        intake.submit("acme", one)


def test_one_hint_that_cannot_be_stored_does_not_take_the_others_with_it(
    database: Database,
) -> None:
    bad = Observation(field="f", before=None, after="\ud800", at=datetime(2026, 3, 2, tzinfo=UTC))
    intake, outcomes = Intake(database), {}
    meet = threading.Barrier(6)

    def work(n: int) -> None:
        meet.wait(10)
        try:
            intake.submit("acme", Hint(ticket_id=str(n), observations=(bad,) if n == 3 else ()))
            outcomes[n] = "stored"
        except UnreadableWebhook as error:
            outcomes[n] = str(error)

    in_threads(6, work)
    refused = "it holds characters that the database cannot store"
    assert outcomes == {n: refused if n == 3 else "stored" for n in range(6)}
    assert {row["ticket_id"] for row in rows(database)} == {"0", "1", "2", "4", "5"}


def test_when_the_store_refuses_the_submitter_hears_it_with_a_time_to_come_back(
    intake: Intake, database: Database
) -> None:
    with database.write() as conn:
        tables.ticket.drop(conn)
    with pytest.raises(StoreError, match="migrations have not run") as caught:
        intake.submit("acme", hint())
    assert caught.value.retry_after == 5


@contextmanager
def held(database: Database) -> Iterator[Connection]:
    """Nobody else can write about ticket 0; on PostgreSQL about others they can."""
    with database.write() as conn:
        conn.execute(tables.ticket.insert().values(account="acme", ticket_id="0", created=0))
        yield conn


def leading(intake: Intake) -> bool:
    return intake._storing_since is not None and not intake._waiting


def test_a_full_queue_refuses_instead_of_growing(database: Database) -> None:
    intake = Intake(database, capacity=2)
    threads = [threading.Thread(target=intake.submit, args=("acme", hint("0"))) for _ in range(3)]
    with held(database):  # the first of them waits for this row, the others for it
        threads[0].start()
        wait_for(lambda: leading(intake))
        for thread in threads[1:]:
            thread.start()
        wait_for(lambda: len(intake._waiting) == 2)
        with pytest.raises(StoreError, match="too many deliveries wait to be stored"):
            intake.submit("acme", hint("0"))
    for thread in threads:
        thread.join()
    assert the_row(database)["wanted"] == 3


def test_who_waits_too_long_is_refused_and_not_stored_later(
    database: Database,
) -> None:
    intake = Intake(database, patience=0.2)
    first = threading.Thread(target=intake.submit, args=("acme", hint("0", "first")))
    with held(database):
        first.start()
        wait_for(lambda: leading(intake))
        for delivery in ("waits", "comes-when-the-store-is-known-to-be-slow"):
            with pytest.raises(StoreError, match="the store has not answered") as caught:
                intake.submit("acme", hint("0", delivery))
            assert (caught.value.retry_after, len(intake._waiting)) == (5, 0)
    first.join()
    intake.submit("acme", hint("0", "later"))
    stored = {row["delivery_id"] for row in rows(database, tables.delivery)}
    assert (stored, the_row(database)["wanted"]) == ({"first", "later"}, 2)


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(5_000):
        if condition():
            return
        time.sleep(0.001)
    pytest.fail("waited 5 s in vain")


CRASHING = """
import sys, threading
from connector.engine.intake import Intake
from connector.helpdesks.base import Hint
from connector.store.database import Database

intake = Intake(Database(sys.argv[1]))

def submit(thread):
    for n in range(1_000_000):
        intake.submit("acme", Hint(ticket_id=str(n % 50), delivery_id=f"{thread}-{n}"))
        print(f"{thread}-{n}\\n", end="", flush=True)

for thread in range(8):
    threading.Thread(target=submit, args=(thread,)).start()
"""


def test_kill_9_loses_no_hint_that_was_acknowledged(database_url: str, database: Database) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", CRASHING, database_url], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    acknowledged = [process.stdout.readline() for _ in range(400)]
    os.kill(process.pid, signal.SIGKILL)
    acknowledged += process.stdout.read().splitlines(keepends=True)
    process.wait()
    process.stdout.close()
    whole = {line.strip() for line in acknowledged if line.endswith("\n")}
    stored = {row["delivery_id"] for row in rows(database, tables.delivery)}
    assert whole - stored == set()
    assert len(whole) >= 400
    assert sum(row["wanted"] for row in rows(database)) == len(stored)
