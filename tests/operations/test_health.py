"""A process is alive when it answers, and ready when store and worker are."""

import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from connector.store import tables
from connector.store.database import Database, now
from operations.health import blueprint


def ask(database: Database, path: str) -> tuple[int, Any]:
    app = Flask(__name__)
    app.register_blueprint(blueprint(database, 15))
    answer = app.test_client().get(path)
    return answer.status_code, answer.json


def beat(database: Database, age: float, name: str = "worker") -> None:
    with database.write() as conn:
        conn.execute(tables.heartbeat.insert().values(name=name, at=now(conn) - age, body={}))


def reasons(database: Database) -> str:
    status, answer = ask(database, "/readyz")
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
    assert "tables are of another version" in reasons(database)
    database.dispose()


def test_after_the_migrations_of_a_newer_version_it_is_not_ready(database: Database) -> None:
    beat(database, 0)
    with database.write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert "tables are of another version" in reasons(database)


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
