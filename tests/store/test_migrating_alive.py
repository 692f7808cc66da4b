"""Migrations beside what lives: processes of the version before, and a kill at any moment."""

import io
import os
import signal
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, event, inspect, select, text

from connector.store import migrate as module
from connector.store import tables
from connector.store.chain import adopt
from connector.store.database import Database
from connector.store.migrate import alone, head, migrate, revision, upgrade
from tests.acceptance.ground import ACCOUNT, ROOT, Ground

IN_CI = os.environ.get("CI", "").lower() == "true"
ROWS = 20_000  # so that a statement takes long enough to be killed in its midst


def before_head() -> str:
    """The revision before the newest."""
    scripts = ScriptDirectory(str(Path(module.__file__).with_name("migrations")))
    found = scripts.get_revision(head())
    assert found is not None
    assert isinstance(found.down_revision, str)
    return found.down_revision


def _git(*words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True).stdout


@pytest.fixture(scope="module")
def old_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code of the commit before the one that brought the newest migration."""
    versions = ROOT / "connector/store/migrations/versions"
    newest = next(one for one in versions.glob("*.py") if one.name.startswith(head()))
    try:
        added = _git("log", "--diff-filter=A", "--format=%H", "--", str(newest)).split()
        commit = f"{added[0].decode()}^" if added else "HEAD"
        packed = _git("archive", commit)
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        why = f"the history of the code is not here: {error}"
        (pytest.fail if IN_CI else pytest.skip)(why)
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def _unlinked(database: Database) -> int:
    query = select(tables.evidence.c.id).where(tables.evidence.c.number.is_(None))
    with database.read() as conn:
        return len(conn.execute(query).all())


def test_processes_of_the_version_before_work_on_beside_the_migrated_tables(
    old_code: Path, database_url: str, tmp_path: Path
) -> None:
    database = Database(database_url)
    with Ground(tmp_path, DESKCLOCK_DATABASE_URL=database_url) as ground:
        ground.start("web", "worker", code=old_code)
        with database.read() as conn:
            assert revision(conn) == before_head()
        upgrade(database)
        ticket_id = ground.create()
        assert ground.tell(ticket_id).status_code == 202
        ground.until(lambda: ground.is_written(ticket_id))
        assert "Traceback" not in ground.log("web") + ground.log("worker")
        ground.stop("worker")
        with database.write() as conn:
            while adopt(conn, ACCOUNT):
                pass
        assert _unlinked(database) == 0
        ground.start("worker")  # the new one, beside the old web
        ground.reply(ticket_id)
        assert ground.tell(ticket_id).status_code == 202
        ground.until(lambda: ground.is_answered(ticket_id))
        assert "Traceback" not in ground.log("web") + ground.log("worker")
    database.dispose()


@pytest.fixture
def full(database_url: str) -> Iterator[Database]:
    """A database of the revision before the newest, with so many rows that migrations take long."""
    database = Database(database_url)
    with alone(database) as conn:
        migrate(conn, before_head())
        numbers = f"generate_series(1, {ROWS}) AS n(i)"
        if conn.dialect.name == "sqlite":
            count = f"SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}"
            numbers = f"(WITH RECURSIVE n(i) AS ({count}) SELECT i FROM n) AS n"
        conn.execute(
            text(
                "INSERT INTO evidence (account, ticket_id, at, kind, body)"
                f" SELECT 'acme', CAST(i AS TEXT), i, 'evaluated', '{{}}' FROM {numbers}"
            )
        )
        conn.execute(
            text(
                "INSERT INTO ticket (account, ticket_id, created)"
                f" SELECT 'acme', CAST(i AS TEXT), i FROM {numbers}"
            )
        )
    yield database
    database.dispose()


def _shape(database: Database) -> dict[str, list[str]]:
    """Every table with its columns and indexes."""
    with database.read() as conn:
        found = inspect(conn)
        return {
            name: [one["name"] for one in found.get_columns(name)]
            + sorted(str(one["name"]) for one in found.get_indexes(name))
            for name in found.get_table_names()
        }


def _statements(database: Database) -> int:
    """How many statements the migration has; nothing of it stays."""
    count = 0

    def see(*_: object) -> None:
        nonlocal count
        count += 1

    with suppress(ZeroDivisionError), alone(database) as conn:
        event.listen(conn, "before_cursor_execute", see)
        migrate(conn, head())
        raise ZeroDivisionError
    return count


def _killed(url: str, arrange: Callable[[], None]) -> int:
    """The signal by which a process that migrates has died."""
    pid = os.fork()
    if pid == 0:
        try:
            arrange()
            upgrade(Database(url))
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _at_statement(number: int, *, amid: bool = False) -> Callable[[], None]:
    """Die before a statement of the migration, or while it runs."""

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def arrange() -> None:
        seen = 0

        def see(*_: object) -> None:
            nonlocal seen
            seen += 1
            if seen == number and amid:
                threading.Timer(0.003, die).start()
            elif seen == number:
                die()

        event.listen(Engine, "before_cursor_execute", see)

    return arrange


def _at_commit() -> None:
    event.listen(Engine, "commit", lambda _: os.kill(os.getpid(), signal.SIGKILL))


def test_a_migration_that_is_killed_leaves_nothing_half(full: Database, database_url: str) -> None:
    before, count = _shape(full), _statements(full)
    full.dispose()
    moments = [_at_statement(count // 3), _at_statement(count - 1, amid=True)]
    moments += [_at_statement(count), _at_commit]
    for moment in moments:
        assert _killed(database_url, moment) == -signal.SIGKILL
        with full.read() as conn:
            assert revision(conn) == before_head()
        assert _shape(full) == before
        full.dispose()

    upgrade(full)

    with full.read() as conn:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(conn, opts=options)
        assert compare_metadata(context, tables.metadata) == []
        counts = [
            conn.scalar(text(f"SELECT count(*) FROM {name}")) for name in ("evidence", "ticket")
        ]
    assert counts == [ROWS, ROWS]
