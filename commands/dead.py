"""`deskclock dead`: tickets that are left alone, why, and trying them again."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from sqlalchemy import Connection

from commands.options import DATA_DIR, TEXT_ID, process_settings
from connector.engine import dead as engine
from connector.engine.dead import Dead, Event
from connector.errors import SettingsError
from connector.store.database import Database
from connector.store.migrate import upgrade
from mappings.explain import utc

HEADINGS = ("ACCOUNT", "TICKET", "KIND", "SINCE", "ATTEMPTS", "REASON")
JSON = click.option("--json", "as_json", is_flag=True, help="A line of JSON for each ticket.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Grave:
    """A dead ticket, and what was last recorded of it."""

    dead: Dead
    events: Sequence[Event]


@click.group()
def dead() -> None:
    """Tickets that are left alone, until they change or somebody asks.

    A parked ticket failed again and again and is not looked at; of a write_blocked one the helpdesk
    refuses every write. No worker has to run for any of these commands.
    """


@dead.command("list")
@click.argument("account", type=TEXT_ID, required=False)
@JSON
@DATA_DIR
def list_(account: str | None, as_json: bool, data_dir: Path | None) -> None:
    """List the dead tickets of ACCOUNT, or of all accounts."""
    with _store(data_dir) as database, database.read() as conn:
        if account is not None:
            _check_account(conn, account)
        found = engine.dead_of(conn, account)
    if as_json:
        for one in found:
            click.echo(json.dumps(_as_json(one)))
    elif found:
        click.echo(_table([HEADINGS, *map(_cells, found)]))
    else:
        click.echo("No ticket is left alone.")


@dead.command()
@click.argument("account", type=TEXT_ID)
@click.argument("ticket", type=TEXT_ID)
@JSON
@DATA_DIR
def show(account: str, ticket: str, as_json: bool, data_dir: Path | None) -> None:
    """Show why TICKET of ACCOUNT is dead, and what was last recorded of it."""
    with _store(data_dir) as database, database.read() as conn:
        _check_account(conn, account)
        grave = Grave(
            dead=_dead(conn, account, [ticket])[0],
            events=engine.latest_events(conn, account, ticket),
        )
    click.echo(_grave_as_json(grave) if as_json else _grave_as_text(grave))


@dead.command()
@click.argument("account", type=TEXT_ID)
@click.argument("tickets", type=TEXT_ID, metavar="TICKET...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every dead ticket of the account.")
@DATA_DIR
def retry(account: str, tickets: tuple[str, ...], everything: bool, data_dir: Path | None) -> None:
    """Have dead TICKETs of ACCOUNT looked at and written now.

    The worker that runs, or the next that starts, does it. One that fails again is dead again.
    """
    if everything == bool(tickets):
        raise click.UsageError("give the tickets, or --all without any")

    def work(conn: Connection) -> int:
        _check_account(conn, account)
        found = engine.dead_of(conn, account) if everything else _dead(conn, account, tickets)
        engine.retry(conn, account, [one.ticket_id for one in found])
        return len(found)

    with _store(data_dir) as database:
        count = database.run(work)
    click.echo(
        f"{account}: {'1 ticket' if count == 1 else f'{count:,} tickets'} to be tried again."
    )


@contextmanager
def _store(data_dir: Path | None) -> Iterator[Database]:
    database = Database(process_settings(data_dir=data_dir).database)
    try:
        upgrade(database)
        yield database
    finally:
        database.dispose()


def _check_account(conn: Connection, account: str) -> None:
    known = engine.accounts_known(conn)
    if account not in known:
        raise SettingsError(
            f"account '{account}' is not in the database; known: {', '.join(known) or 'none'}"
        )


def _dead(conn: Connection, account: str, tickets: Sequence[str]) -> list[Dead]:
    """These tickets, all of which must be dead. Raises `SettingsError` for the others."""
    found = engine.dead_of(conn, account, tickets)
    others = sorted(set(tickets) - {one.ticket_id for one in found})
    if not others:
        return found
    seen = engine.seen(conn, account, others)
    told = [
        f"ticket {one} of {account} is neither parked nor write_blocked"
        if one in seen
        else f"deskclock has not seen ticket {one} of {account}; is the number right?"
        for one in others
    ]
    raise SettingsError("\n".join(told))


def _cells(one: Dead) -> tuple[str, ...]:
    since = utc(one.since) if one.since else "unknown"
    reason = _one_line(one.reason)
    return (one.account, one.ticket_id, one.kind, since, str(one.attempts), reason)


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _one_line(text: str) -> str:
    """A helpdesk's words may hold what would break the table or steer the terminal."""
    return "".join(one if one.isprintable() else " " for one in " ".join(text.split()))


def _as_json(one: Dead) -> dict[str, object]:
    return {
        "account": one.account,
        "ticket": one.ticket_id,
        "kind": one.kind,
        "since": utc(one.since) if one.since else None,
        "attempts": one.attempts,
        "reason": one.reason,
    }


def _grave_as_json(grave: Grave) -> str:
    events = [{"at": utc(one.at), "kind": one.kind, "body": one.body} for one in grave.events]
    return json.dumps({**_as_json(grave.dead), "events": events})


def _grave_as_text(grave: Grave) -> str:
    names = [f"{name.lower()}:" for name in HEADINGS]
    facts = _table(list(zip(names, _cells(grave.dead), strict=True)))
    events = [(utc(one.at), one.kind, _one_line(_event_text(one.body))) for one in grave.events]
    return f"{facts}\n\n{_table(events)}" if events else facts


def _event_text(body: object) -> str:
    return body if isinstance(body, str) else json.dumps(body)
