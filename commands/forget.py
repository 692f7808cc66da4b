"""`deskclock forget`: nothing is left of a ticket, of a customer's tickets, or of an account."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from commands.options import CONFIG, DATA_DIR, TEXT_ID, process_settings
from connector.engine import forgetting
from connector.engine.dead import accounts_known
from connector.engine.forgetting import Forgotten
from connector.errors import SettingsError
from connector.settings import Settings, load_accounts
from connector.store.database import Database
from connector.store.migrate import upgrade
from connector.store.wiping import empty_log, rewrite

COPIES = "Backups, exports and log files that were made before still hold it."
RETURN = "A ticket that is still on the helpdesk comes back with its next webhook or change."


@click.command()
@click.argument("account", type=TEXT_ID)
@click.option(
    "--ticket",
    "tickets",
    type=TEXT_ID,
    multiple=True,
    help="A ticket; may be given several times.",
)
@click.option(
    "--requester",
    type=TEXT_ID,
    help="A customer's tickets, by the helpdesk's id of the customer.",
)
@click.option("--all", "everything", is_flag=True, help="The whole account, its secrets too.")
@click.option("--yes", is_flag=True, help="With --all: do not ask for the account's name.")
@click.option("--vacuum", is_flag=True, help="Then rewrite SQLite's file; others wait meanwhile.")
@DATA_DIR
@CONFIG
def forget(
    account: str,
    tickets: tuple[str, ...],
    requester: str | None,
    everything: bool,
    yes: bool,
    vacuum: bool,
    data_dir: Path | None,
    config: Path | None,
) -> None:
    """Take everything about tickets of ACCOUNT out of the database, for good.

    The helpdesk is never touched. The lines of the evidence stay as links of its chain, without
    their content, and one more says how many they were.
    """
    if [bool(tickets), requester is not None, everything].count(True) != 1:
        raise click.UsageError("give --ticket, or --requester, or --all")
    settings = process_settings(data_dir=data_dir, config=config)
    with _store(settings) as database:
        _check_account(database, account)
        if everything:
            _confirm(settings, account, yes)
            gone = forgetting.forget_account(database, account)
        else:
            gone = _forget(database, account, tickets, requester)
        if vacuum:
            rewrite(database)
        is_clean = empty_log(database)
    click.echo(f"{account}: {_told(gone)} {COPIES}{'' if everything else f' {RETURN}'}")
    if not is_clean:
        click.echo(
            "SQLite's log could not be emptied, since others were reading; it is overwritten by "
            "and by. Give the command again to be sure.",
            err=True,
        )


def _forget(
    database: Database, account: str, tickets: Sequence[str], requester: str | None
) -> Forgotten:
    if requester is None:
        return forgetting.forget(database, account, tickets)
    with database.read() as conn:
        found = forgetting.tickets_of(conn, account, requester)
        unsure = forgetting.without_customer(conn, account)
    click.echo(f"{account}: {_many(len(found), 'ticket', 'tickets')} of customer {requester}.")
    if unsure:
        click.echo(
            f"Of {_many(unsure, 'other', 'others')} it is not known whose, because an older "
            "deskclock has looked last. The worker looks at open ones within a day; of those that "
            "are over, give this customer's by --ticket.",
            err=True,
        )
    return forgetting.forget(database, account, found) if found else Forgotten()


def _confirm(settings: Settings, account: str, yes: bool) -> None:
    """Raises `SettingsError` for an account that would be made anew at once."""
    if account in load_accounts(settings.config):
        raise SettingsError(
            f"account '{account}' is in {settings.config}; take it out and start deskclock again, "
            "or it would be filled again at once"
        )
    if not yes:
        typed = click.prompt(f"Everything about {account} will be gone. Type the account's name")
        if typed != account:
            raise SettingsError(f"'{typed}' is not '{account}'; nothing was deleted")


def _told(gone: Forgotten) -> str:
    if gone == Forgotten():
        return "nothing of it was stored."
    parts = [f"{_many(gone.rows, 'row', 'rows')} deleted"]
    if gone.lines:
        parts.append(f"{_many(gone.lines, 'line', 'lines')} of evidence emptied")
    if gone.deliveries:
        parts.append(f"{_many(gone.deliveries, 'delivery', 'deliveries')} made nameless")
    return f"{', '.join(parts)}."


def _many(count: int, one: str, more: str) -> str:
    return f"1 {one}" if count == 1 else f"{count:,} {more}"


@contextmanager
def _store(settings: Settings) -> Iterator[Database]:
    database = Database(settings.database)
    try:
        upgrade(database)
        yield database
    finally:
        database.dispose()


def _check_account(database: Database, account: str) -> None:
    with database.read() as conn:
        known = accounts_known(conn)
    if account not in known:
        raise SettingsError(
            f"account '{account}' is not in the database; known: {', '.join(known) or 'none'}"
        )
