"""The migrations lead to exactly the tables that the code uses."""

import multiprocessing

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from connector.errors import StoreError
from connector.store.database import Database
from connector.store.migrate import head, is_current, upgrade
from connector.store.tables import metadata


def test_the_migrations_give_exactly_the_tables_of_the_code(database: Database) -> None:
    options = {"compare_type": True, "compare_server_default": True}
    with database.read() as conn:
        found = compare_metadata(MigrationContext.configure(conn, opts=options), metadata)
    assert found == []


def test_the_index_for_the_claim_holds_only_rows_that_can_be_claimed(database: Database) -> None:
    with database.read() as conn:
        indexes = {one["name"]: one for one in inspect(conn).get_indexes("ticket")}
        claim = indexes["ix_ticket_claim"]
        where = str(claim["dialect_options"][f"{conn.dialect.name}_where"]).strip("()")
    assert claim["column_names"] == ["account", "rank", "look_at"]
    assert where.replace("(", "").replace(")", "") == "look_at IS NOT NULL AND parked IS NULL"


def test_every_table_and_column_says_what_it_is() -> None:
    silent = [
        str(one)
        for table in metadata.tables.values()
        for one in (table, *table.columns)
        if not one.comment
    ]
    assert silent == []


def test_a_new_database_is_not_current_and_becomes_so(database_url: str) -> None:
    database = Database(database_url)
    before = is_current(database)
    upgrade(database)
    after = is_current(database)
    database.dispose()
    assert (before, after) == (False, True)


def test_a_second_upgrade_changes_nothing(database: Database) -> None:
    with database.write() as conn:
        conn.execute(text("INSERT INTO account (name, kind) VALUES ('a', 'zendesk')"))
    upgrade(database)
    with database.read() as conn:
        assert conn.scalar(text("SELECT count(*) FROM account")) == 1


def test_a_database_of_a_newer_version_is_refused_and_left_alone(database: Database) -> None:
    with database.write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        conn.execute(text("DROP TABLE heartbeat"))
    with pytest.raises(StoreError, match=rf"revision 9999.*knows up to {head()}.*newer version"):
        upgrade(database)
    with database.read() as conn:
        tables = inspect(conn).get_table_names()
        revision = conn.scalar(text("SELECT version_num FROM alembic_version"))
    assert ("heartbeat" in tables, revision, is_current(database)) == (False, "9999", False)


def test_a_migration_that_fails_leaves_nothing_behind(database_url: str) -> None:
    database = Database(database_url)
    with database.write() as conn:
        conn.execute(text("CREATE TABLE ticket (obstacle INTEGER)"))
    with pytest.raises(Exception, match="already exists"):
        upgrade(database)
    with database.read() as conn:
        tables = inspect(conn).get_table_names()
    database.dispose()
    assert tables == ["ticket"]


def _upgrade(url: str, ready: multiprocessing.Barrier) -> None:  # type: ignore[valid-type]
    database = Database(url)
    ready.wait(30)  # type: ignore[attr-defined]
    upgrade(database)
    assert is_current(database)
    database.dispose()


def test_processes_that_upgrade_at_once_do_not_disturb_each_other(database_url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Barrier(4)
    processes = [spawn.Process(target=_upgrade, args=(database_url, ready)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
