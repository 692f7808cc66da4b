"""A database in which a test says how accounts stand, and the web pages over it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from connector.store import tables
from connector.store.database import Database, now
from connector.store.migrate import upgrade
from operations import metrics, status
from operations.standing import Served

ACME = Served(name="acme", kind="zendesk", mode="own_fields")


class Stage:
    """What the workers would have written. Instants are given in seconds from now."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.read() as conn:
            self.at = now(conn)
        self.served = [ACME]

    def add(self, table: Any, **values: Any) -> None:
        with self.database.write() as conn:
            conn.execute(table.insert().values(**values))

    def heartbeat(self, age: float, name: str = "worker") -> None:
        self.add(tables.heartbeat, name=name, at=self.at - age, body={})

    def account(self, name: str = "acme", **values: Any) -> None:
        self.add(tables.account, name=name, kind="zendesk", **values)

    def change(self, **values: Any) -> None:
        with self.database.write() as conn:
            conn.execute(tables.account.update().values(**values))

    def limit(self, bucket: str = "account", **values: Any) -> None:
        self.add(tables.budget, account="acme", bucket=bucket, **values)

    def calls(self, *, ago: float, count: int) -> Any:
        """Calls of ours, as a limit counts them."""
        return [[self.at - ago, count]]

    def feed(self, name: str = "changes", *, body: Any = None, **values: Any) -> None:
        given = {"since": self.at - 9000, "started_at": self.at - 100, "next_at": self.at}
        self.add(tables.sync, account="acme", feed=name, body=body or {}, **(given | values))

    def ticket(self, ticket_id: str, **values: Any) -> None:
        given = {"account": "acme", "created": self.at}
        self.add(tables.ticket, ticket_id=ticket_id, **(given | values))

    def well(self) -> None:
        """An account with which all is well."""
        self.heartbeat(1)
        self.account(clock_checked_at=self.at - 20)

    def get(self, path: str, **request: Any) -> TestResponse:
        app = Flask("web")
        app.register_blueprint(status.blueprint(self.database, self.served))
        app.register_blueprint(metrics.blueprint(self.database, self.served))
        return app.test_client().get(path, buffered=True, **request)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables; to copy it is faster than to migrate."""
    path = tmp_path_factory.mktemp("template") / "deskclock.sqlite3"
    made = Database(f"sqlite:///{path}")
    upgrade(made)
    made.dispose()
    return path


@pytest.fixture
def stage(template: Path, tmp_path: Path) -> Iterator[Stage]:
    """On SQLite."""
    path = shutil.copy(template, tmp_path / "own.sqlite3")
    database = Database(f"sqlite:///{path}")
    yield Stage(database)
    database.dispose()


@pytest.fixture
def stage_anywhere(database: Database) -> Stage:
    """On each database."""
    return Stage(database)
