"""`deskclock except`: a due that was promised otherwise for one ticket, in writing."""

import re
from datetime import datetime
from pathlib import Path

import click
from sqlalchemy import Connection

from app import account_named
from commands.options import CONFIG, DATA_DIR, instant, process_settings
from connector.engine import accounts, exceptions
from connector.engine.intake import Delivery, request_look
from connector.engine.rank import Rank
from connector.errors import SettingsError
from connector.helpdesks.base import Hint
from connector.store.database import Database
from connector.store.migrate import upgrade
from mappings.entitlement import TicketException
from mappings.explain import utc
from mappings.policy import Metric

NEVER_SEEN = " deskclock has not seen this ticket yet; is the number right?"
NUMBER = re.compile(r"[1-9]\d{0,18}", re.ASCII)  # both helpdesks count their tickets
METRICS = click.Choice([one.value for one in Metric])


def _written(_context: object, _parameter: object, value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise click.BadParameter("is no UTF-8; write it anew") from None
    if not value.strip():
        raise click.BadParameter("an exception needs a written reference, such as 'letter 2026-17'")
    return value.strip()


def _number(_context: object, _parameter: object, value: str) -> str:
    if not NUMBER.fullmatch(value):
        raise click.BadParameter(f"'{value}' is no ticket number, such as 35436")
    return value


@click.command("except")
@click.argument("account")
@click.argument("ticket", callback=_number)
@click.option("--until", callback=instant, help="The due that was promised, with its offset.")
@click.option("--reference", required=True, callback=_written, help="Where it was promised.")
@click.option("--metric", type=METRICS, help="Only this metric (default: all of them).")
@click.option("--by", help="Who writes it down.")
@click.option("--withdraw", is_flag=True, help="Take back what stands under the reference.")
@DATA_DIR
@CONFIG
def except_(
    account: str,
    ticket: str,
    until: datetime | None,
    reference: str,
    metric: str | None,
    by: str | None,
    withdraw: bool,
    data_dir: Path | None,
    config: Path | None,
) -> None:
    """Give TICKET of ACCOUNT another due, from now on, for what is still open.

    With --withdraw what was given under the reference is taken back; the record of it stays.
    """
    if withdraw == (until is not None):
        raise click.UsageError("give --until, or --withdraw without it")
    Delivery(account=account, hint=Hint(ticket_id=ticket)).check()
    settings = process_settings(data_dir=data_dir, config=config)
    kind = account_named(settings, account).helpdesk
    database = Database(settings.database)
    upgrade(database)
    only = Metric(metric) if metric else None

    def work(conn: Connection) -> str:
        accounts.register(conn, account, kind)
        if until is None:
            said = _withdraw(conn, account, ticket, reference, only, by)
        else:
            said = _write(conn, account, ticket, reference, only, by, until)
        request_look(conn, account, [ticket], Rank.HINT, unpark=True)
        return said

    click.echo(database.run(work))


def _write(
    conn: Connection, account: str, ticket: str, reference: str, metric: Metric | None,
    by: str | None, until: datetime,
) -> str:  # fmt: skip
    now, until = exceptions.helpdesk_now(conn, account), until.replace(microsecond=0)
    if until <= now:
        raise SettingsError(
            f"--until {utc(until)} is past; the helpdesk's clock says {utc(now)}. "
            "An exception moves a due, it cannot undo one that was missed"
        )
    one = TicketException(reference=reference, written_at=now, until=until, metric=metric)
    exceptions.write(conn, account, ticket, one, by=by)
    due = f"{_named(metric)} due {utc(until)} by {reference}, from {utc(now)} on."
    seen = exceptions.is_seen(conn, account, ticket)
    return f"Ticket {ticket}: {due}{'' if seen else NEVER_SEEN}"


def _withdraw(
    conn: Connection, account: str, ticket: str, reference: str, metric: Metric | None,
    by: str | None,
) -> str:  # fmt: skip
    count = exceptions.withdraw(conn, account, ticket, reference, metric=metric, by=by)
    if not count:
        known = ", ".join(exceptions.references(conn, account, ticket)) or "none"
        raise SettingsError(
            f"ticket {ticket} of {account} has no exception by '{reference}'"
            f"{f' for {metric}' if metric else ''}; standing: {known}"
        )
    return f"Ticket {ticket}: withdrawn what stood by {reference} ({count})."


def _named(metric: Metric | None) -> str:
    return metric.replace("_", " ") if metric else "every metric"
