"""`deskclock evidence`: whether the record is unbroken, and a copy that others can check."""

import csv
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TextIO

import click

from commands.options import DATA_DIR, TEXT_ID, instant, process_settings
from connector.errors import SettingsError, StoreError
from connector.settings import Settings
from connector.store import exporting, proof
from connector.store.checkpoint import Checkpoint
from connector.store.database import Database
from connector.store.exporting import Ends, Wanted
from connector.store.keys import Keys
from connector.store.migrate import upgrade
from connector.store.proof import Break, Mark, Verdict
from mappings.explain import utc

MARK = re.compile(r"([1-9]\d{0,9}):([0-9a-f]{64})", re.ASCII)
COLUMNS = ("number", "at", "ticket", "kind", "body", "salt", "digest", "before", "hash")


class _Writer(Protocol):
    """A form in which lines are written."""

    def note(self, about: dict[str, Any]) -> None:
        """What is said about the export as a whole."""

    def line(self, line: dict[str, Any]) -> None:
        """A line of the evidence."""


@click.group()
def evidence() -> None:
    """The record of every evaluation and write, each line bound to the one before it.

    No worker has to run for any of these commands; one that runs is not disturbed.
    """


def _mark(_context: object, _parameter: object, value: str | None) -> Mark | None:
    found = MARK.fullmatch(value) if value is not None else None
    if value is not None and found is None:
        raise click.BadParameter(
            f"'{value}' is no line of evidence; give its number and hash, such as 1204:9f86…"
        )
    return Mark(number=int(found[1]), hash=found[2]) if found else None


@evidence.command()
@click.argument("account", type=TEXT_ID, required=False)
@click.option("--head", callback=_mark, help="NUMBER:HASH of a line, as an export has named it.")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each account.")
@DATA_DIR
def verify(account: str | None, head: Mark | None, as_json: bool, data_dir: Path | None) -> None:
    """Walk the record of ACCOUNT, or of all accounts, and name each place where it is broken.

    Exit code 1 when there is one. With --head the line must be the same one as when it was noted:
    only that shows a record which somebody has written anew from end to end.
    """
    if head is not None and account is None:
        raise click.UsageError("--head is for one account; name it")
    settings = process_settings(data_dir=data_dir)
    keys = Keys(settings.secret_key.get_secret_value(), settings.data_dir)
    with _store(settings) as database:
        verdicts = [proof.verify(database, one, keys, head) for one in _named(database, account)]
    for one in verdicts:
        click.echo(json.dumps(_as_json(one)) if as_json else "\n".join(_as_text(one)))
    if not verdicts and not as_json:
        click.echo("There is no account yet.")
    if not all(one.holds for one in verdicts):
        raise SystemExit(1)


@evidence.command()
@click.argument("account", type=TEXT_ID)
@click.option("--ticket", type=TEXT_ID, help="Only the lines of this ticket.")
@click.option("--since", callback=instant, help="Only lines from this instant on.")
@click.option("--until", callback=instant, help="Only lines before this instant.")
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A new file, for your eyes only (default: standard output).",
)
@DATA_DIR
def export(
    account: str,
    ticket: str | None,
    since: datetime | None,
    until: datetime | None,
    form: str,
    output: Path | None,
    data_dir: Path | None,
) -> None:
    """Write the record of ACCOUNT with everything that is needed to check it.

    docs/data.md says how: by fifteen lines of Python, without deskclock. Keep the number and hash
    of the last line; `deskclock evidence verify --head` compares them later.
    """
    wanted = Wanted(account=account, ticket_id=ticket, since=since, until=until)
    with _store(process_settings(data_dir=data_dir)) as database:
        _named(database, account)
        with _opened(output) as stream:
            count, ends = _write(database, wanted, _Csv(stream) if form == "csv" else _Json(stream))
    if output is not None:
        click.echo(f"{output}: {count:,} lines; the chain ends with {ends.number}:{ends.hash}")


def _write(database: Database, wanted: Wanted, writer: _Writer) -> tuple[int, Ends]:
    (ends, lines), count = exporting.export(database, wanted), 0
    writer.note(
        {
            "deskclock_evidence": exporting.FORM,
            "account": wanted.account,
            "ticket": wanted.ticket_id,
            "since": utc(wanted.since) if wanted.since else None,
            "until": utc(wanted.until) if wanted.until else None,
            "whole": wanted.is_whole,
            "checkpoint": _checkpoint(ends.checkpoint),
        }
    )
    for line in lines:
        try:
            writer.line(line)
        except (TypeError, ValueError, RecursionError) as error:  # SQLite stores any value
            what = f"line {line['number']}"
            raise exporting.unreadable(wanted.account, what) from error
        count += 1
    writer.note({"lines": count, "head": {"number": ends.number, "hash": ends.hash}})
    return count, ends


class _Json:
    """A JSON object a line; the first and the last are about the export."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def note(self, about: dict[str, Any]) -> None:
        self._stream.write(f"{json.dumps(about)}\n")

    def line(self, line: dict[str, Any]) -> None:
        self._stream.write(f"{json.dumps(line)}\n")


class _Csv:
    """A table; the body is JSON, and lines that begin with # are about the export."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rows = csv.writer(stream, lineterminator="\n")
        self._begun = False

    def note(self, about: dict[str, Any]) -> None:
        self._stream.write(f"# {json.dumps(about)}\n")
        if not self._begun:
            self._rows.writerow(COLUMNS)
        self._begun = True

    def line(self, line: dict[str, Any]) -> None:
        told = line | {"at": repr(float(line["at"])), "body": json.dumps(line["body"])}
        self._rows.writerow([told[name] for name in COLUMNS])


@contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        try:
            yield sys.stdout
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            _drop_output()
            raise StoreError(f"standard output cannot be written: {error.strerror}") from None
        return
    try:
        number = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise SettingsError(f"{output} exists; give the name of a new file") from None
    except OSError as error:
        raise SettingsError(f"{output} cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(number, "w", encoding="utf-8", newline="") as stream:
            yield stream
    except BaseException as error:
        output.unlink(missing_ok=True)  # half an export looks like a chain that was cut
        if isinstance(error, OSError):
            why = f"{output} cannot be written: {error.strerror}; check the folder"
            raise StoreError(why) from None
        raise


def _drop_output() -> None:
    """What is left in the buffer would fail once more when the process ends."""
    with open(os.devnull, "w") as nowhere, suppress(OSError):
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


@contextmanager
def _store(settings: Settings) -> Iterator[Database]:
    database = Database(settings.database)
    try:
        upgrade(database)
        yield database
    finally:
        database.dispose()


def _named(database: Database, account: str | None) -> Sequence[str]:
    """The account, or all of them. Raises `SettingsError` for one that there is not."""
    with database.read() as conn:
        known = proof.accounts_of(conn)
    if account is not None and account not in known:
        raise SettingsError(
            f"account '{account}' is not in the database; known: {', '.join(known) or 'none'}"
        )
    return known if account is None else [account]


def _as_text(one: Verdict) -> Iterator[str]:
    shown = {"line": one.lines, "forgotten": one.forgotten, "not linked yet": one.unlinked}
    counts = [f"{count:,} {name}" for name, count in shown.items() if count or name == "line"]
    counts[0] += "" if one.lines == 1 else "s"
    if one.checkpoint is not None:
        at = _instant(one.checkpoint.at) or "an instant that is none"
        counts.append(f"those up to {one.checkpoint.number:,} were deleted at {at}")
    yield f"{_plain(one.account)}: {_outcome(one)}; {', '.join(counts)}"
    if one.number:
        yield f"  the chain ends with {one.number}:{_plain(one.hash)}"
    for remark in one.remarks:
        yield f"  {remark}"
    for found in one.breaks:
        yield f"  line {found.number}{_about(found)}: {found.why} ({found.flaw})"
    if one.broken > len(one.breaks):
        yield f"  and {one.broken - len(one.breaks):,} more"


def _outcome(one: Verdict) -> str:
    if one.holds:
        return "the record is unbroken"
    return f"the record is BROKEN at {one.broken:,} place{'' if one.broken == 1 else 's'}"


def _about(found: Break) -> str:
    parts = [f"ticket {_plain(found.ticket_id)}"] if found.ticket_id else []
    at = _instant(found.at)
    parts += [at] if at is not None else []
    return f" ({', '.join(parts)})" if parts else ""


def _plain(text: str) -> str:
    """What somebody has written into the database shall not steer the terminal."""
    return "".join(one if one.isprintable() else "?" for one in text)


def _instant(at: float | None) -> str | None:
    try:
        return None if at is None else utc(datetime.fromtimestamp(at, UTC))
    except (OverflowError, ValueError, OSError):  # whoever changed it may have written anything
        return None


def _as_json(one: Verdict) -> dict[str, Any]:
    return {
        "account": one.account,
        "holds": one.holds,
        "lines": one.lines,
        "forgotten": one.forgotten,
        "unlinked": one.unlinked,
        "head": {"number": one.number, "hash": one.hash},
        "checkpoint": _checkpoint(one.checkpoint),
        "remarks": list(one.remarks),
        "broken": one.broken,
        "breaks": [
            {
                "line": found.number,
                "ticket": found.ticket_id,
                "at": _instant(found.at),
                "flaw": found.flaw.value,
                "why": found.why,
            }
            for found in one.breaks
        ],
    }


def _checkpoint(one: Checkpoint | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"number": one.number, "hash": one.hash, "at": one.at, "signature": one.signature}
