"""What deskclock stands on gives way: it says so, loses nothing, and goes on when it is back."""

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from filelock import FileLock
from sqlalchemy import Table, select, text

from connector.store import tables
from connector.store.database import Database
from connector.store.migrate import head, upgrade
from tests.acceptance.ground import Ground, free_port

IN_CI = os.environ.get("CI", "").lower() == "true"
IS_ROOT = os.geteuid() == 0
NOBODY = 65534
UNPRIVILEGED = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
LIMITED = UNPRIVILEGED if IS_ROOT else ()
DISK = 24 * 2**20  # bytes


def _impossible(why: str) -> None:
    (pytest.fail if IN_CI else pytest.skip)(why)


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    """Web and worker on a SQLite file; on a small disk of its own where one can be mounted."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own would stumble over a mount
        made = Ground(Path(folder))
        made.data.mkdir()
        options = ["-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(made.data)]
        is_mounted = subprocess.run(["mount", *options], capture_output=True).returncode == 0
        try:
            with made:
                made.start("web", "worker")
                yield made
        finally:
            if is_mounted:
                subprocess.run(["umount", "--lazy", str(made.data)], check=True)


def _told(ground: Ground) -> str:
    """A ticket whose webhook was accepted."""
    ticket_id = ground.create()
    assert ground.tell(ticket_id).status_code == 202
    return ticket_id


def _refused(ground: Ground) -> tuple[str, list[str]]:
    """The first ticket whose webhook was refused, and those that were accepted before."""
    accepted = []
    for _ in range(50):
        ticket_id = ground.create()
        answer = ground.tell(ticket_id)
        if answer.status_code == 503:
            assert int(answer.headers["Retry-After"]) >= 1
            return ticket_id, accepted
        assert answer.status_code == 202
        accepted.append(ticket_id)
    pytest.fail("nothing was refused")


def _recovers(ground: Ground, *ticket_ids: str) -> None:
    """The first is accepted now; all of them are judged and written."""
    ground.until(lambda: ground.tell(ticket_ids[0]).status_code == 202)
    for one in ticket_ids:
        ground.until(lambda one=one: ground.is_written(one))


def test_a_locked_database_is_waited_for(ground: Ground) -> None:
    before = _told(ground)
    ground.until(lambda: ground.is_written(before))
    holder = sqlite3.connect(ground.data / "deskclock.sqlite3", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    refused, _ = _refused(ground)
    for name in ("web", "worker"):
        ground.until(lambda name=name: "another process holds the database" in ground.log(name))
    holder.execute("ROLLBACK")
    holder.close()
    _recovers(ground, refused)


def test_a_full_disk_refuses_and_loses_nothing(ground: Ground) -> None:
    if not os.path.ismount(ground.data):
        _impossible("no small disk can be mounted here")
    filler = ground.data / "filler"
    with sqlite3.connect(ground.data / "deskclock.sqlite3") as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # room within the log is room, too
    conn.close()
    with filler.open("wb", buffering=0) as file:
        _write_until_full(file.fileno())
    refused, accepted = _refused(ground)
    for name in ("web", "worker"):
        ground.until(lambda name=name: "the disk is full; make room" in ground.log(name))
    filler.unlink()
    _recovers(ground, refused, *accepted)
    with sqlite3.connect(ground.data / "deskclock.sqlite3") as conn:
        assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    conn.close()


def _write_until_full(number: int) -> None:
    size = 2**16
    while size:
        try:
            os.write(number, b"x" * size)
        except OSError:
            size //= 2


def test_a_second_worker_or_run_on_the_same_file_is_refused(ground: Ground) -> None:
    assert f"another deskclock worker uses {ground.data}" in ground.refused("worker")
    lock = FileLock(ground.data / "run.lock")
    with lock:
        assert f"another deskclock run uses {ground.data}" in ground.refused("run")
    assert ground.running["worker"].poll() is None


def test_a_data_directory_or_a_file_without_permission_is_named() -> None:
    with tempfile.TemporaryDirectory() as folder, Ground(Path(folder)) as ground:
        Path(folder).chmod(0o755)
        ground.data.mkdir(mode=0o555)
        file = ground.data / "deskclock.sqlite3"
        for command in ("web", "worker"):
            said = ground.refused(command, prefix=LIMITED)
            assert f"{file} cannot be written: Permission denied; check the rights" in said
        said = ground.refused("run", prefix=LIMITED)
        assert f"{ground.data} cannot be written: Permission denied; check the rights" in said
        ground.data.chmod(0o755)
        _own(ground.data)
        file.touch(mode=0o400)
        _own(file)
        assert "Permission denied; check the rights" in ground.refused("web", prefix=LIMITED)
        file.chmod(0o600)
        ground.start("worker", prefix=LIMITED)


def _own(path: Path) -> None:
    if IS_ROOT:
        os.chown(path, NOBODY, NOBODY)


@pytest.mark.parametrize("command", ["web", "worker"])
def test_a_database_of_a_newer_version_is_refused_and_left_alone(
    tmp_path: Path, command: str
) -> None:
    with Ground(tmp_path) as ground:
        database = Database(ground.url)
        upgrade(database)
        with database.write() as conn:
            conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        said = ground.refused(command)
        assert (
            f"revision 9999, which this deskclock does not know (it knows up to {head()})" in said
        )
        assert "a newer version has made it" in said
        with database.read() as conn:
            assert conn.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
            assert conn.execute(select(tables.account)).all() == []
        database.dispose()


def test_a_secret_key_that_is_missing_or_another_is_named_and_nothing_overwritten(
    tmp_path: Path,
) -> None:
    with Ground(tmp_path, kind="zendesk") as ground:
        ground.sign_in()
        database, path = Database(ground.url), ground.data / "secret.key"
        key, kept = path.read_bytes(), _rows(database, tables.secret)

        def says(words: str) -> bool:
            return any(
                words in (one["last_error"] or "") for one in _rows(database, tables.account)
            )

        path.unlink()
        ground.start("worker")
        ground.until(lambda: says(f"{path} is missing, the key of what is stored; put it back"))
        assert not path.exists()
        path.write_bytes(Fernet.generate_key())
        ground.until(lambda: says(f"cannot be decrypted with the key of {path}"))
        assert _rows(database, tables.secret) == kept
        ground.stop()
        path.write_bytes(key)
        ground.start("worker")
        ground.until(lambda: _rows(database, tables.account)[0]["state"] == "ok")
        assert _rows(database, tables.secret) == kept
        database.dispose()


def _rows(database: Database, table: Table) -> list[dict[str, Any]]:
    with database.read() as conn:
        return [dict(row) for row in conn.execute(select(table)).mappings()]


@pytest.fixture
def cluster() -> Iterator["Cluster"]:
    """A PostgreSQL of the test's own, stopped."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda one: int(one.parent.name))
    if not found or (IS_ROOT and shutil.which("setpriv") is None):
        _impossible("PostgreSQL is not installed: apt install postgresql")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        made = Cluster(found[-1], Path(folder) / "cluster")
        yield made
        made.stop()


class Cluster:
    """A PostgreSQL server that can be taken away."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder = programs, folder
        self.port = free_port()
        folder.mkdir(mode=0o700)
        _own(folder)
        self._run("initdb", "-U", "postgres", "-A", "trust", "-N")

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -k '' -c listen_addresses=127.0.0.1 -c fsync=off"
        log = str(self._folder / "log")
        self._run("pg_ctl", "-w", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-w", "-m", "immediate", "stop", check=False)

    def _run(self, program: str, *words: str, check: bool = True) -> None:
        command = [*LIMITED, str(self._programs / program), "-D", str(self._folder), *words]
        subprocess.run(command, cwd="/", check=check, stdout=subprocess.DEVNULL)


@pytest.mark.postgres
def test_a_postgresql_that_goes_is_waited_for(cluster: Cluster, tmp_path: Path) -> None:
    cluster.start()
    with Ground(tmp_path, DESKCLOCK_DATABASE_URL=cluster.url) as ground:
        ground.start("web", "worker")
        before = _told(ground)
        ground.until(lambda: ground.is_written(before))
        accepted = _told(ground)
        cluster.stop()
        refused, _ = _refused(ground)
        for name in ("web", "worker"):
            ground.until(lambda name=name: "PostgreSQL cannot be reached" in ground.log(name))
        cluster.start()
        _recovers(ground, refused, accepted)
        assert "Traceback" not in ground.log("web") + ground.log("worker")
