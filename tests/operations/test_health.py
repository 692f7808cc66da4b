"""A process is alive when it answers, and ready when store and worker are."""

import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from connector.store import tables
from connector.store.database import Database, now
from operations.health import blueprint
from tests.operations.conftest import Stage


def ask(database: Database, path: str, **asked: Any) -> tuple[int, Any]:
    app = Flask(__name__)
    app.register_blueprint(blueprint(database, ["acme"], **asked))
    answer = app.test_client().get(path)
    return answer.status_code, answer.json


def beat(database: Database, age: float, name: str = "worker", **body: Any) -> None:
    with database.write() as conn:
        conn.execute(tables.heartbeat.insert().values(name=name, at=now(conn) - age, body=body))


def reasons(database: Database, **asked: Any) -> str:
    status, answer = ask(database, "/readyz", **asked)
    assert (status, answer["status"]) == (503, "not ready")
    return " ".join(answer["reasons"])


def test_the_process_is_alive_whatever_the_store_says(database_url: str) -> None:
    expected = (200, {"status": "ok"})
    assert expected == ask(Database(database_url), "/healthz")


@pytest.mark.parametrize("name", ["worker", "worker:host-2:71"])
def test_with_tables_and_a_live_worker_it_is_ready(database: Database, name: str) -> None:
    beat(database, 900, "worker:gone")
    beat(database, 10, name)
    expected = (200, {"status": "ready", "reasons": []})
    assert expected == ask(database, "/readyz")


def test_before_the_migrations_it_is_not_ready(database_url: str) -> None:
    database = Database(database_url)
    assert "run: deskclock db upgrade" in reasons(database)
    database.dispose()


def test_in_a_rolling_upgrade_what_runs_stays_ready(database: Database) -> None:
    beat(database, 0)
    with database.write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert ask(database, "/readyz")[0] == 200


def test_without_a_worker_it_is_not_ready(database: Database) -> None:
    beat(database, 0, "web")
    assert "no worker has started yet" in reasons(database)


def test_with_a_silent_worker_it_is_not_ready(database: Database) -> None:
    beat(database, 20)
    # a loaded machine may take a second or two from there to here
    assert re.search(r"the worker was last heard of 2\d s ago", reasons(database))


def test_without_the_store_it_is_not_ready_and_keeps_the_details_for_the_log() -> None:
    database = Database("postgresql://somebody:password@127.0.0.1:1/name")
    expected = "the database refuses; the log says why"
    assert expected == reasons(database)


def test_a_lane_that_stands_still_makes_its_worker_and_the_whole_not_ready(
    database: Database,
) -> None:
    beat(database, 0, "worker:a:1", stuck={"acme": 63.0})
    beat(database, 0, "worker:b:1", stuck={})
    assert reasons(database) == "a worker stands still, the log says where; restart it"
    assert "stands still" in reasons(database, worker="worker:a:1")
    assert ask(database, "/readyz", worker="worker:b:1")[0] == 200


def test_what_a_dead_worker_said_last_counts_no_more(database: Database) -> None:
    beat(database, 100, "worker:a:1", stuck={"acme": 63.0})
    beat(database, 0, "worker:b:1")
    assert ask(database, "/readyz")[0] == 200
    assert "last heard of" in reasons(database, worker="worker:a:1")


OVERDUE = {"look_at": -300.0, "not_before": -300.0}
NOT_STARVED: Any = {
    "it is at it": ({}, -5.0, OVERDUE),
    "a backfill may take its time": ({}, None, OVERDUE | {"rank": 2}),
    "due for a moment": ({}, None, OVERDUE | {"look_at": -30.0}),
    "it failed, and waits": ({}, None, OVERDUE | {"not_before": 60.0}),
    "parked": ({}, None, OVERDUE | {"parked": "cannot be understood"}),
    "its write is on its way": ({}, None, OVERDUE | {"open_intent": 1}),
    "our share of the rate limit is used up": ({"held_until": 60.0}, None, OVERDUE),
    "the sign-in is refused": ({"state": "sign_in_needed"}, None, OVERDUE),
    "not in the configuration": ({"name": "sold"}, None, OVERDUE | {"account": "sold"}),
}


def serve(stage: Stage, account: Any, called: float | None, ticket: Any) -> int:
    """The status for an account, its latest call and one ticket; instants in seconds from now."""
    stage.heartbeat(0)
    times = {"look_at", "not_before", "held_until"}
    account, ticket = (
        {name: stage.at + it if name in times else it for name, it in row.items()}
        for row in (account, ticket)
    )
    stage.account(**account)
    stage.ticket("1", **ticket)
    stage.limit(recent=[] if called is None else [[stage.at + called, 1]])
    return ask(stage.database, "/readyz")[0]


@pytest.mark.parametrize("rank", [-1, 0])
def test_tickets_that_are_due_while_nobody_calls_make_it_not_ready(
    stage_anywhere: Stage, rank: int
) -> None:
    assert serve(stage_anywhere, {}, -400.0, OVERDUE | {"rank": rank}) == 503
    assert "nobody looks at them" in reasons(stage_anywhere.database)


@pytest.mark.parametrize("case", NOT_STARVED.values(), ids=NOT_STARVED)
def test_what_must_wait_is_not_starved(stage: Stage, case: Any) -> None:
    assert serve(stage, *case) == 200
