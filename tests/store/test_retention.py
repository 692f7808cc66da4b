"""Retention: what is old goes, a batch at a time; what is still needed stays, however old."""

import itertools
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select

from connector.store import tables
from connector.store.database import Database, now
from connector.store.keys import Keys
from connector.store.retention import LIMIT, Terms, chores

DAY = 86_400.0
TERMS = Terms(deliveries=14, observations=14, notices=90, evidence=0, tickets=400)
OFFSET = -5 * 365 * DAY  # the helpdesk's clock is years behind, as a sandbox's may be
BLANK = dict.fromkeys(
    ("look_at", "parked", "open_intent", "evaluated_at", "state", "requester_id", "timer_at")
)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys("", tmp_path)


def _tend(database: Database, keys: Keys, terms: Terms = TERMS) -> dict[str, int]:
    done: dict[str, int] = {}
    for chore in chores(database, terms, keys):
        for turn in itertools.count():
            count = database.run(chore.work)
            done[chore.name] = done.get(chore.name, 0) + count
            assert turn < 100
            if count < LIMIT:
                break
    return {name: count for name, count in done.items() if count}


def _ticket(at: float, name: str, **values: Any) -> dict[str, Any]:
    """One that is over and was last looked at 500 days ago."""
    old = {"evaluated_at": at + OFFSET - 500 * DAY, "is_over": True, "state": "met"}
    return {
        "account": "acme",
        "ticket_id": name,
        "created": at - 500 * DAY,
        **BLANK,
        **old,
    } | values


def _tickets(at: float) -> list[dict[str, Any]]:
    gone = {"is_over": False, "state": "gone"}
    return [
        _ticket(at, "old"),
        _ticket(at, "gone", **gone),
        _ticket(at, "never-there", **gone, evaluated_at=None),
        _ticket(at, "young", evaluated_at=at + OFFSET - 399 * DAY),
        _ticket(at, "open", is_over=False),
        _ticket(at, "parked", parked="it fails"),
        _ticket(at, "due", look_at=at),
        _ticket(at, "writing", open_intent=1),
        _ticket(at, "just-gone", **gone, evaluated_at=None, created=at - DAY),
    ]


def _about(conn: Connection, ticket_id: str, at: float) -> None:
    about = {"account": "acme", "ticket_id": ticket_id}
    when = {"reached_at": at, "started_at": at, "created_at": at - 100 * DAY}
    message = {"metric": "resolution", "body": "{}"}
    for table, values in (
        (tables.history, {"body": {}}),
        (tables.ticket_exception, {"until": at, "reference": "letter", "written_at": at}),
        (
            tables.notice,
            when | message | {"step": "1", "stands": True, "state": "sent", "message_id": "1"},
        ),
        (
            tables.note,
            message
            | {"cause": "breached", "started_at": at, "created_at": at - 100 * DAY}
            | {"state": "written", "marker": ticket_id},
        ),
    ):
        conn.execute(insert(table).values(**about, **values))


def _fill(conn: Connection) -> None:
    at = now(conn)
    conn.execute(insert(tables.account).values(name="acme", kind="zendesk", clock_offset=OFFSET))
    tickets = _tickets(at)
    conn.execute(insert(tables.ticket), tickets)
    for one in tickets:
        _about(conn, one["ticket_id"], at)
    deliveries = [
        {"account": "acme", "delivery_id": f"{age}-{number}", "received_at": at - age * DAY}
        for age, count in ((15, LIMIT + 3), (13, 2))
        for number in range(count)
    ]
    conn.execute(insert(tables.delivery), deliveries)
    conn.execute(
        insert(tables.observation),
        [
            {"account": "acme", "ticket_id": "x", "field": "status", "received_at": at - age * DAY}
            for age in (13, 15)
        ],
    )
    conn.execute(
        insert(tables.budget),
        [
            {"account": "acme", "bucket": name, "updated_at": at - 2 * DAY}
            for name in ("account", "updates of one ticket:35436")
        ],
    )
    for name, age in (("worker", 0.0), ("worker:dead", 2.0)):
        conn.execute(insert(tables.heartbeat).values(name=name, at=at - age * DAY, body={}))
    past = {"ticket_id": "1", "number": 1, "rows": []}
    feed = {"since": 0.0, "body": {}, "started_at": 0.0}
    for name, next_at, ended_at in (("going-on", at, None), ("ended", None, at - 2 * DAY)):
        conn.execute(insert(tables.past_event).values(account=name, **past))
        times = {"next_at": next_at, "ended_at": ended_at}
        conn.execute(insert(tables.sync).values(account=name, feed="full", **feed, **times))


def _left(database: Database, table: Any, column: str = "ticket_id") -> set[str]:
    with database.read() as conn:
        return set(conn.scalars(select(table.c[column])))


def test_what_is_old_goes_and_what_is_needed_stays(database: Database, keys: Keys) -> None:
    database.run(_fill)
    deleted = _tend(database, keys)

    stay = {"young", "open", "parked", "due", "writing", "just-gone"}
    assert _left(database, tables.ticket) == stay
    assert _left(database, tables.history) == stay
    assert _left(database, tables.ticket_exception) == stay
    # of a ticket that goes on they tell that somebody was told already
    assert _left(database, tables.notice) == {"open", "just-gone"}
    assert _left(database, tables.note) == {"open", "just-gone"}
    assert _left(database, tables.delivery, "delivery_id") == {"13-0", "13-1"}
    assert _left(database, tables.budget, "bucket") == {"account"}
    assert _left(database, tables.heartbeat, "name") == {"worker"}
    assert _left(database, tables.past_event, "account") == {"going-on"}
    assert deleted["delivery"] == LIMIT + 3
    assert _tend(database, keys) == {}


def test_zero_days_keep_for_ever(database: Database, keys: Keys) -> None:
    database.run(_fill)
    for_ever = Terms(deliveries=0, observations=0, notices=0, evidence=0, tickets=0)

    assert set(_tend(database, keys, for_ever)) == {"heartbeat", "budget", "past_event"}


def test_two_workers_at_once_do_each_row_once(database: Database, keys: Keys) -> None:
    database.run(_fill)
    results: list[dict[str, int]] = []
    threads = [
        threading.Thread(target=lambda: results.append(_tend(database, keys))) for _ in range(2)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    _tend(database, keys)  # what one had in hand when the other looked

    assert len(results) == 2
    with database.read() as conn:
        assert conn.scalar(select(func.count()).select_from(tables.delivery)) == 2
        assert conn.scalar(select(func.count()).select_from(tables.ticket)) == 6
