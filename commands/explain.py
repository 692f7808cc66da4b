"""`deskclock explain`: why a ticket's dates are what they are."""

import json
from pathlib import Path

import click

from app import account_named, open_one
from commands.options import CONFIG, DATA_DIR, process_settings
from connector.engine.explaining import explain_ticket
from connector.engine.policies import as_recorded
from connector.store.database import Database
from connector.store.migrate import upgrade
from mappings.answer import as_json
from mappings.evaluate import Evaluation


@click.command()
@click.argument("account")
@click.argument("ticket")
@click.option("--json", "as_json_text", is_flag=True, help="Print the evaluation as JSON.")
@DATA_DIR
@CONFIG
def explain(
    account: str, ticket: str, as_json_text: bool, data_dir: Path | None, config: Path | None
) -> None:
    """Look at TICKET of ACCOUNT now, and say how each of its dates comes about.

    Nothing is written to the helpdesk and no answer is stored; its calls count in the rate budget.
    """
    settings = process_settings(data_dir=data_dir, config=config)
    account_named(settings, account)  # a name that is wrong makes no database
    database = Database(settings.database)
    upgrade(database)
    opened = open_one(settings, account, database)
    served = opened.serving(as_recorded(database, opened.account, opened.choices))
    found = explain_ticket(database, served, ticket)
    if as_json_text:
        click.echo(json.dumps(as_json(found), indent=2))
    else:
        click.echo(_readable(found))


def _readable(found: Evaluation) -> str:
    answer = as_json(found)
    lines = [f"Ticket {found.ticket.id} under {found.policy.title}, in {found.policy.zone_name}"]
    for reason in answer["explanation"]:
        source = f"  [{reason['source'].split('#', 1)[1]}]" if reason["source"] else ""
        lines.append(f"  - {reason['text']}{source}")
    if answer["gaps"]:
        lines.append("Assumptions:")
        lines.extend(f"  - {gap}" for gap in answer["gaps"])
    lines.append(f"Tags: {', '.join(answer['tags']) or 'none'}")
    return "\n".join(lines)
