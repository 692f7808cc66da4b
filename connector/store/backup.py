"""The backup: one SQLite file with all tables, whichever database they come from."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from sqlalchemy import Connection, NullPool, create_engine, func, select, text
from sqlalchemy.exc import DatabaseError

from connector.errors import SettingsError, StoreError
from connector.store.copying import copy, described
from connector.store.database import WAIT, Database
from connector.store.keys import KEY_FILE
from connector.store.migrate import alone, migrate, refuse_newer, revision
from connector.store.refusals import of_sqlite

#: what the names of the files end with that make up a SQLite database in use
_BESIDE = ("", "-wal", "-shm", "-journal", "-intake")


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """What a backup holds."""

    revision: str
    accounts: int
    tickets: int
    #: lines of evidence
    evidence: int


def write(database: Database, path: Path, *, data_dir: Path, replace: bool = False) -> Contents:
    """Copy one moment of the database into a file, for our eyes only, while everything runs.

    The file appears when it is complete and on disk. One that is there stays, but for `replace`,
    and what deskclock works with, the database and `data_dir`'s key and locks, stays in any case.
    Raises `SettingsError` and `StoreError`.
    """
    path = path.absolute()
    _refuse_own(path, database, data_dir)
    if not replace and path.exists():
        raise _exists(path)
    try:
        with TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            half = Path(folder) / "half"
            os.close(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            with database.snapshot() as conn:
                refuse_newer(conn, "the database")
                if revision(conn) is None:
                    raise StoreError("the database has no tables yet, so there is nothing to keep")
                if database.path is None:
                    _copy(conn, half)
            if database.path is not None:
                _vacuum(database.path, half)
            with opened(half) as conn:
                found = contents(conn)
            _sync(half)
            _appear(half, path, replace)
            _sync(path.parent)
            return found
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}; check the folder") from None


@contextmanager
def opened(path: Path) -> Iterator[Connection]:
    """A backup, to read from; it is never changed. Raises `SettingsError` and `StoreError`."""
    if not path.is_file():
        raise SettingsError(f"{path} is no file; give one that 'deskclock db backup' has written")
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    engine = create_engine(
        "sqlite://", creator=lambda: sqlite3.connect(address, uri=True), poolclass=NullPool
    )
    with engine.connect() as conn:
        try:
            sound = conn.scalars(text("PRAGMA quick_check(1)")).all() == ["ok"]
            known = revision(conn) is not None
        except DatabaseError:
            sound = known = False
        if not sound or not known:
            what = "is no backup of deskclock" if sound else "is damaged, or no backup at all"
            raise SettingsError(f"{path} {what}; give one that 'deskclock db backup' has written")
        refuse_newer(conn, str(path))
        yield conn


def contents(conn: Connection) -> Contents:
    """What a backup holds."""
    found = described(conn).tables
    counts = {
        name: conn.scalar(select(func.count()).select_from(found[name])) or 0
        for name in ("account", "ticket", "evidence")
    }
    return Contents(
        revision=revision(conn) or "",
        accounts=counts["account"],
        tickets=counts["ticket"],
        evidence=counts["evidence"],
    )


def _vacuum(source: Path, target: Path) -> None:
    """One transaction that only reads; writers go on beside it."""
    try:
        with closing(sqlite3.connect(source, timeout=WAIT)) as connection:
            connection.execute("VACUUM INTO ?", (str(target),))
    except sqlite3.Error as error:
        raise of_sqlite(error) or StoreError(f"the database refuses: {error}") from None


def _copy(source: Connection, path: Path) -> None:
    target = Database(f"sqlite:///{path}")
    try:
        with alone(target) as conn:
            migrate(conn, revision(source) or "")
            copy(source, conn)
    finally:
        target.dispose()
    with closing(sqlite3.connect(path)) as connection:  # a single file, without a log beside it
        connection.execute("PRAGMA journal_mode = DELETE")


def _appear(half: Path, path: Path, replace: bool) -> None:
    if replace:
        os.replace(half, path)
        return
    try:
        os.link(half, path)  # never in the place of another file, not even of a new one
    except FileExistsError:
        raise _exists(path) from None


def _refuse_own(path: Path, database: Database, data_dir: Path) -> None:
    """By real paths, for those that are not there yet, and by what the file system calls one."""
    own = {data_dir.absolute() / KEY_FILE: "the secret key"}
    folders = {data_dir.absolute()}
    if database.path is not None:
        folders.add(database.path.parent)
        # SQLite puts its files beside the real one, and deskclock beside the name that was given
        for one in (database.path, _real(database.path)):
            own |= {one.with_name(one.name + end): "the database itself" for end in _BESIDE}
    for folder in folders:
        locks = [*folder.glob("*.lock")]
        if path.suffix == ".lock" and _real(path.parent) == _real(folder):
            locks.append(path)  # it would be emptied when it is first taken
        own |= dict.fromkeys(locks, "a lock of deskclock")
    for one, what in own.items():
        if _real(path) == _real(one) or (path.exists() and one.exists() and path.samefile(one)):
            raise SettingsError(f"{path} is {what}; name another file")


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _exists(path: Path) -> SettingsError:
    return SettingsError(f"{path} exists already; name another file, or use --force to replace it")


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)
