"""The `db` command: upgrades, checks, backups, restores and moves, from and to either database."""

import json
import os
import shutil
import sqlite3
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet
from sqlalchemy import Connection, Table, insert, select, text, update

from commands import deskclock
from connector.engine import accounts, evidence, sync
from connector.engine.rank import Rank
from connector.store import tables
from connector.store.database import Database, now
from connector.store.heartbeat import beat
from connector.store.keys import Keys
from connector.store.migrate import alone, head, migrate, revision, upgrade
from connector.store.secrets import StoredVault

POSTGRES = "postgresql://postgres@127.0.0.1:5432/postgres"
ODD = "Größe 'x' \u2028 \U0001f600 \\u0000"
LATE = 3_000_000_000  # an id that no 32 bits hold
EVERYTHING = tables.metadata.tables.values()
GONE_WITH_THE_PROCESSES = {"heartbeat", "wake"}


@contextmanager
def opened(url: str) -> Iterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        database.dispose()


class Store:
    """A data directory and a database, and what a person does to them."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.environment = {"DESKCLOCK_DATABASE_URL": url, "DESKCLOCK_DATA_DIR": str(folder)}

    def db(self, *words: str | Path) -> Result:
        return CliRunner().invoke(deskclock, ["db", *map(str, words)], env=self.environment)

    def did(self, *words: str | Path) -> str:
        ran = self.db(*words)
        assert ran.exit_code == 0, ran.output
        return ran.output

    def refused(self, *words: str | Path) -> str:
        ran = self.db(*words)
        assert ran.exit_code == 1, ran.output
        assert isinstance(ran.exception, SystemExit), ran.exception
        return ran.output

    def rows(self, table: Table = tables.ticket) -> list[dict[str, Any]]:
        with opened(self.url) as database, database.read() as conn:
            query = select(table).order_by(*table.primary_key)
            return [dict(row) for row in conn.execute(query).mappings()]

    def everything(self) -> dict[str, list[dict[str, Any]]]:
        with opened(self.url) as database, database.read() as conn:
            return {
                one.name: [
                    dict(row)
                    for row in conn.execute(select(one).order_by(*one.primary_key)).mappings()
                ]
                for one in EVERYTHING
            }

    def do(self, *statements: Any) -> None:
        with opened(self.url) as database, database.write() as conn:
            for one in statements:
                conn.execute(text(one) if isinstance(one, str) else one)


@pytest.fixture
def store(database_url: str, tmp_path: Path) -> Store:
    """A store in use: an account, three tickets, one with odd values, one over, one written."""
    made = Store(database_url, tmp_path / "data")
    keys = Keys("", made.folder)
    with opened(database_url) as database:
        upgrade(database)
        with database.write() as conn:
            _fill(conn)
        StoredVault(database, "acme", keys).write("oauth", {"access_token": "sesame"})
    return made


def _fill(conn: Connection) -> None:
    accounts.register(conn, "acme", "zendesk")
    accounts.acquire(conn, "acme", "somebody")
    at = now(conn)
    odd = {"evaluation": {"text": ODD, "number": 0.1, "none": None}, "next_due_at": at + 1 / 3}
    row = {"account": "acme", "created": at, "evaluated_at": at, "look_at": None, "is_over": False}
    row |= {"open_intent": None, "evaluation": None, "next_due_at": None}
    conn.execute(
        insert(tables.ticket),
        [
            row | odd | {"ticket_id": "1", "look_at": at + 3600},
            row | {"ticket_id": "2", "is_over": True},
            row | {"ticket_id": "3", "open_intent": LATE},
        ],
    )
    if conn.dialect.name == "postgresql":
        conn.execute(text(f"SELECT setval('intent_id_seq', {LATE})"))
    intent = {"id": LATE, "account": "acme", "created_at": at, "settle_at": at, "fence": 1}
    conn.execute(insert(tables.intent).values(intent))
    held = {"intent_id": LATE, "account": "acme", "ticket_id": "3", "fingerprint": "f", "body": {}}
    conn.execute(insert(tables.intent_ticket).values(held))
    for number in range(3):
        evidence.record(conn, "acme", "1", evidence.EVALUATED, {"text": ODD, "at": number / 3})
    sync.begin(conn, "acme")
    conn.execute(update(tables.sync).values(position=at - 50, cursor={"page": 7}))
    conn.execute(insert(tables.wake).values(account="acme", sent_at=at))


@pytest.fixture
def other(store: Store, tmp_path: Path) -> Iterator[Store]:
    """An empty database of the other kind, with the same keys."""
    if not store.url.startswith("sqlite"):
        yield Store(f"sqlite:///{tmp_path / 'other' / 'd.sqlite3'}", store.folder)
        return
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(POSTGRES, autocommit=True, connect_timeout=3) as admin:
        admin.execute(f"CREATE SCHEMA {name}")
        yield Store(f"{POSTGRES}?options=-csearch_path%3D{name}", store.folder)
        admin.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.mark.postgres
def test_a_move_copies_everything_to_the_last_bit_and_ids_go_on_behind(
    store: Store, other: Store
) -> None:
    before = store.everything()
    said = store.did("move", other.url)
    after = other.everything()

    assert "3 of them tickets, and compared" in said
    assert "set DESKCLOCK_DATABASE_URL" in said
    assert (before["account"][0]["lease_holder"], after["account"][0]["lease_holder"]) == (
        "somebody",
        None,
    )
    for name in set(before) - {*GONE_WITH_THE_PROCESSES, "account"}:
        assert before[name] == after[name], name
    assert after["wake"] == []
    assert store.everything() == before
    assert "sound" in other.did("check")
    with opened(other.url) as database, database.write() as conn:
        row = insert(tables.intent).values(account="acme", created_at=0, settle_at=0, fence=1)
        assert conn.execute(row).inserted_primary_key == (LATE + 1,)
        conn.execute(tables.intent.delete())
        evidence.record(conn, "acme", "1", evidence.WRITTEN, {})
    assert [one["number"] for one in other.rows(tables.evidence)] == [1, 2, 3, 4]
    assert "is not empty; give an empty one" in store.refused("move", other.url)


@pytest.mark.postgres
def test_a_backup_of_either_is_restored_into_either_and_everything_is_looked_at(
    store: Store, other: Store, tmp_path: Path
) -> None:
    file, before = tmp_path / "backup.sqlite3", store.everything()
    said = store.did("backup", file)
    copied = other.did("restore", file)
    after = other.everything()

    assert f"3 tickets of 1 accounts and 3 lines of evidence, at revision {head()}" in said
    assert f"keep that of {store.folder / 'secret.key'} elsewhere" in said
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(one.name for one in tmp_path.iterdir() if "backup" in one.name) == [file.name]
    assert f"is at revision {head()}" in copied
    for name in ("evidence", "chain", "intent", "intent_ticket", "secret", "policy_version"):
        assert before[name] == after[name], name
    due = {one["ticket_id"]: (one["look_at"] is not None, one["rank"]) for one in after["ticket"]}
    assert due == {"1": (True, Rank.BACKFILL), "2": (False, 0), "3": (True, Rank.BACKFILL)}
    assert after["ticket"][0]["look_at"] < before["ticket"][0]["look_at"]
    assert [one["evaluation"] for one in after["ticket"]] == [
        one["evaluation"] for one in before["ticket"]
    ]
    (feed,) = after["sync"]
    seen_from = before["sync"][0]["position"] - sync.OVERLAP_SECONDS
    assert (feed["since"], feed["cursor"]) == (seen_from, None)
    assert (after["heartbeat"], after["wake"]) == ([], [])
    with opened(other.url) as database:
        secret = StoredVault(database, "acme", Keys("", store.folder)).read("oauth")
    assert secret is not None
    assert secret.value == {"access_token": "sesame"}


def test_a_restore_replaces_all_or_nothing(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "backup.sqlite3"
    store.did("backup", file)
    store.do(update(tables.ticket).values(severity="changed"))
    changed = store.everything()
    broken = tmp_path / "broken.sqlite3"
    shutil.copy(file, broken)
    with sqlite3.connect(broken) as half:  # what the last table holds does not fit
        half.execute("UPDATE ticket SET wanted = 'many' WHERE ticket_id = '3'")
    half.close()

    assert "is not empty; use --force" in store.refused("restore", file)
    if not store.url.startswith("sqlite"):  # SQLite takes any value in any column
        assert "table ticket holds what postgresql cannot" in store.refused(
            "restore", "--force", broken
        )
    assert store.everything() == changed
    store.did("restore", "--force", file)
    assert {one["severity"] for one in store.rows()} == {None}


def test_a_backup_of_an_older_revision_is_migrated(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "old.sqlite3"
    with opened(f"sqlite:///{file}") as old, alone(old) as conn:
        migrate(conn, "0003")
        conn.execute(text("INSERT INTO account (name, kind) VALUES ('old', 'zendesk')"))
        row = "INSERT INTO evidence (account, ticket_id, at, kind, body) VALUES "
        conn.execute(text(row + "('old', '1', 1.5, 'evaluated', '{}')"))
    store.did("restore", "--force", file)

    assert [one["name"] for one in store.rows(tables.account)] == ["old"]
    assert [one["number"] for one in store.rows(tables.evidence)] == [None]
    with opened(f"sqlite:///{file}") as old, old.read() as conn:
        assert revision(conn) == "0003"
    assert "sound" in store.did("check")


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        pytest.param(
            "UPDATE alembic_version SET version_num = '9999'",
            "/backup is at revision 9999, which this deskclock does not know",
            id="newer",
        ),
        pytest.param("DROP TABLE alembic_version", "is no backup of deskclock", id="foreign"),
        pytest.param(None, "is damaged, or no backup at all", id="damaged"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_no_usable_backup_is_refused_before_anything_changes(
    store: Store, tmp_path: Path, statement: str | None, message: str
) -> None:
    file, before = tmp_path / "backup", store.everything()
    store.did("backup", file)
    if statement is None:
        content = bytearray(file.read_bytes())
        content[4096:12288] = b"\xff" * 8192
        file.write_bytes(content)
    else:
        with sqlite3.connect(file) as conn:
            conn.execute(statement)
        conn.close()
    assert message in store.refused("restore", "--force", file)
    assert store.everything() == before
    assert "is no file" in store.refused("restore", tmp_path / "nothing")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_file_that_is_there_is_not_overwritten_by_mistake(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "backup.sqlite3"
    file.write_text("precious")
    said = store.refused("backup", file)
    assert (f"{file} exists already" in said, file.read_text()) == (True, "precious")
    store.did("backup", "--force", file)
    assert "cannot be written: No such file or directory" in store.refused(
        "backup", tmp_path / "no" / "folder"
    )
    assert sorted(one.name for one in tmp_path.iterdir() if one.name.startswith(".")) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_backup_never_takes_the_place_of_what_deskclock_works_with(
    store: Store, tmp_path: Path
) -> None:
    with opened(store.url) as database:
        path = database.path or Path()
        link, hard = tmp_path / "link", tmp_path / "hard"
        link.symlink_to(path)
        os.link(path, hard)
        ends = ("", "-wal", "-shm", "-journal", "-intake")
        for file in (*(Path(f"{path}{end}") for end in ends), link, hard):
            said = store.refused("backup", "--force", file)
            assert f"{file} is the database itself; name another file" in said
        for name, what in (("secret.key", "the secret key"), ("worker.lock", "a lock of")):
            assert f"is {what}" in store.refused("backup", "--force", store.folder / name)
        assert "is a lock of" in store.refused("backup", f"{path}.migrate.lock")
        store.did("backup", "--force", tmp_path / "backup")
    assert "sound" in store.did("check")
    assert len(store.rows()) == 3


def test_a_move_to_where_it_is_or_to_no_database_is_refused(store: Store, tmp_path: Path) -> None:
    junk = tmp_path / "junk"
    junk.write_text("no database" * 1000)
    nobody = "postgresql://nobody_here@127.0.0.1:5432/postgres"
    for url, message in (
        (store.url, "URL is the database itself"),
        (store.url.replace("127.0.0.1", "localhost"), "URL is the database itself"),
        ("nonsense", "URL is no database address"),
        (f"sqlite:///{junk}", "the file is no SQLite database; check URL"),
        (
            POSTGRES.removesuffix("postgres") + "not_here",
            "no such database; create it, or check URL",
        ),
        (nobody, "refuses our user or password; check URL"),
        ("postgresql://postgres@127.0.0.1:1/postgres", "PostgreSQL cannot be reached"),
    ):
        said = store.refused("move", url)
        assert (message in said, "DESKCLOCK_DATABASE_URL" in said) == (True, False), said
    assert len(store.rows()) == 3


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_argument_that_is_no_text_is_refused(store: Store) -> None:
    for command in ("backup", "restore", "move"):
        ran = store.db(command, "x\udcff")
        assert (ran.exit_code, "is no UTF-8 text" in ran.output) == (2, True)


def test_nothing_is_restored_or_moved_while_another_process_is_there(
    store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "backup.sqlite3"
    store.did("backup", file)
    with opened(store.url) as living, living.read() as conn:
        conn.execute(select(tables.account)).all()
        assert "Stop web and worker" in store.refused("restore", "--force", file)
        assert "Stop web and worker" in store.refused("move", f"sqlite:///{tmp_path / 'x.db'}")
        assert "backup" in store.did("backup", "--force", file)
    if not store.url.startswith("sqlite"):  # a worker of another host, seen by its heartbeat
        with opened(store.url) as database, database.write() as conn:
            beat(conn, "worker:far:1", {})
        assert "worker:far:1 was heard of" in store.refused("restore", "--force", file)
    store.do(tables.heartbeat.delete())
    store.did("restore", "--force", file)


def test_a_check_finds_and_names_what_is_wrong(store: Store) -> None:
    assert store.did("check") == f"The database is sound, at revision {head()}.\n"
    assert store.did("check", "--json") == ""
    (store.folder / "secret.key").write_bytes(Fernet.generate_key())
    store.do(
        update(tables.ticket).where(tables.ticket.c.ticket_id == "3").values(open_intent=17),
        tables.intent_ticket.delete(),
        tables.evidence.delete().where(tables.evidence.c.number == 3),
        "DROP INDEX ix_ticket_claim",
    )
    expected = {
        "bulk writes": ["1 tickets wait for a bulk write that is not there", "acme 3"],
        "evidence": ["newest line of account acme, number 3, is missing"],
        "indexes": ["ix_ticket_claim of table ticket is missing"],
        "secrets": ["oauth of account acme", "does not fit"],
    }
    if not store.url.startswith("sqlite"):
        store.do("SELECT setval('intent_id_seq', 5)")
        expected["ids"] = [f"the ids of table intent go up to {LATE}"]
    said = store.refused("check")
    found = [json.loads(line) for line in store.refused("check", "--json").splitlines()]
    text_of = {
        name: " ".join(one["text"] for one in found if one["check"] == name) for name in expected
    }

    assert {one["check"] for one in found} == set(expected)
    assert [name for name, words in expected.items() for w in words if w not in text_of[name]] == []
    assert f"1 bulk writes have no tickets: acme {LATE}" in text_of["bulk writes"]
    assert len(said.splitlines()) == len(found)
    assert "sesame" not in said


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_check_finds_a_file_that_is_damaged(store: Store) -> None:
    other = "CREATE INDEX ix_evidence_account_ticket_id_id ON evidence (account, kind, id)"
    store.do(
        "PRAGMA writable_schema = ON",
        f"UPDATE sqlite_master SET sql = '{other}' WHERE name = 'ix_evidence_account_ticket_id_id'",
    )
    said = store.refused("check")
    assert "integrity: " in said
    assert "restore a backup" in said


def test_an_upgrade_makes_the_tables_and_says_where_they_stand(
    database_url: str, tmp_path: Path
) -> None:
    store = Store(database_url, tmp_path / "data")
    assert f"needs {head()}" in store.refused("check")
    assert store.did("upgrade") == f"The database is now at revision {head()}.\n"
    assert store.did("upgrade") == f"The database is already at revision {head()}.\n"
    store.do("UPDATE alembic_version SET version_num = '9999'")
    for words in (["upgrade"], ["check"], ["backup", tmp_path / "b"], ["restore", __file__]):
        assert "Nothing was changed" in store.refused(*words) or words[0] == "restore"
