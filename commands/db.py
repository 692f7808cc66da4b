"""`deskclock db`: the tables, backups, and moving to another database."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

import click
from sqlalchemy import text

from app import now
from commands.options import DATA_DIR, TEXT_ID, as_utf8, process_settings
from connector.engine import restoring
from connector.errors import SettingsError, StoreError
from connector.runners.embedded import only_one, only_worker
from connector.settings import Settings
from connector.store import backup, checking, copying
from connector.store.backup import Contents
from connector.store.database import Database
from connector.store.keys import Keys
from connector.store.migrate import head, is_current, upgrade
from connector.store.presence import refuse_company


def _utf8(_context: object, _parameter: object, value: Path) -> Path:
    return Path(as_utf8(str(value)))


FILE = click.argument("file", type=click.Path(dir_okay=False, path_type=Path), callback=_utf8)


@click.group()
def db() -> None:
    """The database: its tables, its health, backups, and moving to another one."""


@db.command("upgrade")
@DATA_DIR
def upgrade_(data_dir: Path | None) -> None:
    """Bring the tables to the newest form; web and worker do it by themselves when they start."""
    with _opened(process_settings(data_dir=data_dir)) as database:
        was_current = is_current(database)
        upgrade(database)
    stands = "is already" if was_current else "is now"
    click.echo(f"The database {stands} at revision {head()}.")


@db.command()
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each finding.")
@DATA_DIR
@click.pass_context
def check(context: click.Context, as_json: bool, data_dir: Path | None) -> None:
    """Look for what is wrong with the database; exit code 1 when something is.

    Changes nothing. Every row is read, so it takes minutes when there are millions.
    """
    settings = process_settings(data_dir=data_dir)
    found = 0
    with _opened(settings) as database:
        for one in checking.check(database, _keys(settings), now().timestamp()):
            found += 1
            click.echo(json.dumps(asdict(one)) if as_json else f"{one.check}: {one.text}")
    if found:
        context.exit(1)
    if not as_json:
        click.echo(f"The database is sound, at revision {head()}.")


@db.command("backup")
@FILE
@click.option("--force", is_flag=True, help="Replace FILE when it exists.")
@DATA_DIR
def backup_(file: Path, force: bool, data_dir: Path | None) -> None:
    """Write a backup to FILE while everything runs.

    It is a SQLite file, also of PostgreSQL, and can be restored into either. Secrets in it are
    encrypted; their key is not in it and must be kept apart.
    """
    settings = process_settings(data_dir=data_dir)
    keys = _keys(settings)
    with _opened(settings) as database:
        contents = backup.write(database, file, data_dir=settings.data_dir, replace=force)
    click.echo(f"{file} holds {_told(contents)}.")
    click.echo(f"It does not hold the key of its secrets: keep that of {keys.origin} elsewhere.")


@db.command()
@FILE
@click.option("--force", is_flag=True, help="Replace what the database holds.")
@DATA_DIR
def restore(file: Path, force: bool, data_dir: Path | None) -> None:
    """Put the backup in FILE into the database, with web and worker stopped.

    All of it or nothing is done. Every open ticket is looked at afterwards.
    """
    with (
        backup.opened(file) as source,
        _opened(process_settings(data_dir=data_dir), alone=True) as database,
    ):
        contents = backup.contents(source)
        try:
            copying.fill(database, source, replace=force, afterwards=restoring.look_again)
        except copying.NotEmptyError:
            raise SettingsError(
                f"the database is not empty; use --force to replace all that it holds by {file}. "
                "Nothing was changed."
            ) from None
    click.echo(f"Restored {_told(contents)}; the database is at revision {head()}.")
    click.echo("Every open ticket is looked at as soon as a worker runs.")


@db.command()
@click.argument("url", type=TEXT_ID)
@DATA_DIR
def move(url: str, data_dir: Path | None) -> None:
    """Copy everything into the empty database at URL, with web and worker stopped.

    The database of now is left as it is. URL is an address such as postgresql://user@host/name.
    """
    settings = process_settings(data_dir=data_dir)
    with _target(url) as (target, place), _opened(settings, alone=True) as database:
        if _place(database) == place:
            raise SettingsError("URL is the database itself; give another one, an empty one")
        upgrade(database)
        refuse_company(target)
        with database.snapshot() as source:
            try:
                counts = copying.fill(
                    target, source, replace=False, afterwards=restoring.nobody_works
                )
            except copying.NotEmptyError:
                raise SettingsError(
                    "the database at URL is not empty; give an empty one. Nothing was changed."
                ) from None
    rows = sum(counts.values())
    click.echo(f"Copied {rows:,} rows, {counts['ticket']:,} of them tickets, and compared them.")
    click.echo("Before web and worker start, set DESKCLOCK_DATABASE_URL to the address you gave.")


@contextmanager
def _opened(settings: Settings, *, alone: bool = False) -> Iterator[Database]:
    """The database; `alone` with no other process on it, and none that can start meanwhile."""
    with ExitStack() as stack:
        database = Database(settings.database)
        stack.callback(database.dispose)
        if alone:
            folders = {settings.data_dir.absolute()}
            folders |= {database.path.parent} if database.path else set()
            for folder in sorted(one for one in folders if one.is_dir()):
                stack.callback(only_worker(folder).release)
                stack.callback(only_one("run", folder).release)
            refuse_company(database)
        yield database


@contextmanager
def _target(url: str) -> Iterator[tuple[Database, tuple[object, ...]]]:
    """The database at URL, and its place; what is wrong with it is not told of the setting."""
    try:
        database = Database(url)
        place = _place(database)
    except (SettingsError, StoreError) as error:
        raise type(error)(str(error).replace("DESKCLOCK_DATABASE_URL", "URL")) from None
    try:
        yield database, place
    finally:
        database.dispose()


def _place(database: Database) -> tuple[object, ...]:
    """What two addresses of one and the same database have in common."""
    server = "SELECT pg_postmaster_start_time(), current_database(), current_schema()"
    try:
        with database.read() as conn:
            if database.path is None:
                return tuple(conn.execute(text(server)).one())
            found = database.path.stat()
            return (found.st_dev, found.st_ino)
    finally:
        database.dispose()  # it is looked for other connections


def _keys(settings: Settings) -> Keys:
    return Keys(settings.secret_key.get_secret_value(), settings.data_dir)


def _told(contents: Contents) -> str:
    return (
        f"{contents.tickets:,} tickets of {contents.accounts:,} accounts and "
        f"{contents.evidence:,} lines of evidence, at revision {contents.revision}"
    )
