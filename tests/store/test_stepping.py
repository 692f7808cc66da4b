"""A clock that was set back makes nothing wait longer, and is followed once."""

from typing import Any

import pytest
from sqlalchemy import Double, insert, select, update

from connector.store import stepping
from connector.store.database import Database, now
from connector.store.heartbeat import beat
from connector.store.tables import account, budget, heartbeat, intent, metadata, sync, ticket, wake

HOUR = 3600.0

# instants that are shown, kept for so long, or of the helpdesk's clock: they stay as they are
STAY = {
    "account.clock_offset",
    "chain.pruned_at",
    "delivery.received_at",
    "evidence.at",
    "note.started_at",
    "note.written_at",
    "notice.reached_at",
    "notice.sent_at",
    "notice.started_at",
    "observation.at",
    "policy_version.in_force_from",
    "secret.updated_at",
    "sync.position",
    "sync.since",
    "ticket.created",
    "ticket.evaluated_at",
    "ticket.next_due_at",
    "ticket.seen_updated_at",
    "ticket_exception.until",
    "ticket_exception.withdrawn_at",
    "ticket_exception.written_at",
}


def rows(database: Database, table: Any) -> list[Any]:
    with database.read() as conn:
        return list(conn.execute(select(table)))


@pytest.fixture
def hour_ahead(database: Database) -> float:
    """What a process left behind whose clock was an hour ahead; returns our own instant."""
    with database.write() as conn:
        at = now(conn)
        then = at + HOUR
        beat(conn, "worker:a", {})
        beat(conn, "worker:b", {})
        conn.execute(update(heartbeat).values(at=then))
        conn.execute(
            insert(account).values(
                name="acme", kind="zendesk", held_until=then + 60, clock_offset=-HOUR,
                clock_samples=[-HOUR, 1 - HOUR], clock_checked_at=then, contested={"tags": then},
                overwritten_at=at - 10,
            )
        )  # fmt: skip
        conn.execute(insert(account).values(name="new", kind="zendesk"))
        for name, look_at in (("waits", then + 60), ("due", then - 5), ("old", at - 5)):
            conn.execute(
                insert(ticket).values(
                    account="acme", ticket_id=name, look_at=look_at, created=at, evaluated_at=then,
                    not_before=then + 2 if name == "waits" else 0.0,
                )
            )  # fmt: skip
        conn.execute(
            insert(intent).values(account="acme", created_at=then, settle_at=then + 60, fence=1)
        )
        conn.execute(
            insert(sync).values(
                account="acme", feed="changes", since=at, next_at=then + 30, started_at=then,
                body={},
            )
        )  # fmt: skip
        conn.execute(
            insert(budget).values(
                account="acme", bucket="account", blocked_until=then + 60, updated_at=then,
                recent=[[then - 30, 2], [then, 1]],
            )
        )  # fmt: skip
        conn.execute(insert(wake).values(account="acme", sent_at=then))
    return at


def test_what_waits_moves_with_the_clock(database: Database, hour_ahead: float) -> None:
    back = database.run(stepping.follow)
    assert back == pytest.approx(HOUR, abs=5)

    at, near = hour_ahead, {"abs": 5}
    named = {row.name: row for row in rows(database, account)}
    assert (named["new"].clock_offset, named["new"].clock_samples) == (0.0, None)
    acme = named["acme"]
    assert acme.held_until == pytest.approx(at + 60, **near)
    assert acme.clock_checked_at == pytest.approx(at, **near)
    assert acme.overwritten_at == at - 10
    assert acme.contested == {"tags": pytest.approx(at, **near)}
    # the helpdesk's clock is where it was, so that no evaluation jumps
    assert acme.clock_offset == pytest.approx(0, **near)
    assert acme.clock_samples == pytest.approx([0, 1], **near)
    found = {row.ticket_id: row for row in rows(database, ticket)}
    assert found["waits"].look_at == pytest.approx(at + 60, **near)
    assert found["waits"].not_before == pytest.approx(at + 2, **near)
    assert found["due"].look_at == pytest.approx(at - 5, **near)
    assert found["old"].look_at == at - 5
    assert {row.evaluated_at for row in found.values()} == {at + HOUR}
    assert rows(database, intent)[0].settle_at == pytest.approx(at + 60, **near)
    assert rows(database, sync)[0].next_at == pytest.approx(at + 30, **near)
    limit = rows(database, budget)[0]
    assert limit.blocked_until == pytest.approx(at + 60, **near)
    assert limit.recent == [[pytest.approx(at - 30, **near), 2], [pytest.approx(at, **near), 1]]
    assert rows(database, wake)[0].sent_at == pytest.approx(at, **near)


def test_a_step_is_followed_once_and_nothing_else_is_one(
    database: Database, hour_ahead: float
) -> None:
    assert database.run(stepping.follow) > 0
    before = [rows(database, table) for table in stepping.KEPT]
    assert database.run(stepping.follow) == 0
    with database.write() as conn:
        beat(conn, "worker:a", {})
        conn.execute(update(heartbeat).values(at=heartbeat.c.at + stepping.NOTICED_SECONDS / 2))
    assert database.run(stepping.follow) == 0
    assert [rows(database, table) for table in stepping.KEPT][:-1] == before[:-1]


def test_every_instant_is_known_to_move_or_to_stay() -> None:
    kept = {
        f"{one.table.name}.{one.name}" for instants in stepping.KEPT.values() for one in instants
    }
    lengths = {"budget.waited"}
    instants = {
        f"{table.name}.{one.name}"
        for table in metadata.tables.values()
        for one in table.c
        if isinstance(one.type, Double)
    }
    assert instants - lengths == kept | STAY
