"""What all tests share: a database of each kind, a network that ends at loopback, hypothesis."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from connector.store.database import Database
from connector.store.migrate import upgrade

POSTGRES = "postgresql://postgres@127.0.0.1:5432/postgres"
IN_CI = os.environ.get("CI", "").lower() == "true"

# The network is closed by pytest-socket (see addopts in pyproject.toml): loopback and Unix sockets
# stay open for servers that a test starts itself. psycopg connects in C, past it; see POSTGRES.

settings.register_profile(
    "here", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.register_profile("ci", parent=settings.get_profile("here"), max_examples=300)
settings.load_profile("ci" if IN_CI else "here")

_BOTH = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=_BOTH)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database without tables that is the test's own."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'deskclock.sqlite3'}"
    else:
        yield from _postgres_schema()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with all tables that is the test's own."""
    made = Database(database_url)
    upgrade(made)
    yield made
    made.dispose()


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """The address of a PostgreSQL without tables that is the test's own; mark the test postgres."""
    yield from _postgres_schema()


def _postgres_schema() -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    try:
        admin = psycopg.connect(POSTGRES, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as error:
        missing = f"PostgreSQL is not reachable on 127.0.0.1:5432: {error}"
        (pytest.fail if IN_CI else pytest.skip)(missing)
    with admin:
        admin.execute(f"CREATE SCHEMA {name}")
        yield f"{POSTGRES}?options=-csearch_path%3D{name}"
        admin.execute(f"DROP SCHEMA {name} CASCADE")
