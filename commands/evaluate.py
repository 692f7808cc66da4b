"""`deskclock evaluate`: vendor JSON in, evaluations out. No network, no store."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import click

from app import field_mapping, now
from commands.options import instant
from connector.helpdesks import available, translator
from connector.settings import load_settings
from connector.store.documents import find_contracts, find_policy, is_file
from mappings.answer import as_json
from mappings.document.reading import DocumentError
from mappings.errors import MappingError
from mappings.evaluate import evaluate as evaluate_ticket
from mappings.field_mapping import FieldMapping
from mappings.policy import Policy


@click.command()
@click.option("--policy", required=True, help="Name of a policy, or its file.")
@click.option("--helpdesk", required=True, help="Whose JSON it is: zendesk or freshdesk.")
@click.option("--fields", type=click.Path(dir_okay=False, path_type=Path), help="Field mapping.")
@click.option(
    "--contract",
    "contracts",
    type=click.Path(dir_okay=False, path_type=Path),
    multiple=True,
    help="Contract file, beside the shipped ones; may be given several times.",
)
@click.option("--time-zone", help="IANA zone for calendars whose document names none.")
@click.option("--at", callback=instant, help="The instant to judge at (default: now).")
@click.option("--jsonl", is_flag=True, help="JSON lines out; a bad line gives an error line.")
@click.argument("file", type=click.File(encoding="utf-8", errors="replace"), default="-")
@click.pass_context
def evaluate(
    context: click.Context,
    policy: str,
    helpdesk: str,
    fields: Path | None,
    contracts: tuple[Path, ...],
    time_zone: str | None,
    at: datetime | None,
    jsonl: bool,
    file: IO[str],
) -> None:
    """Evaluate tickets as the vendor's API returns them (FILE, or - for standard input).

    One object, an array, or JSON lines. Zendesk: {"ticket": …} with metric_sets, audits, comments,
    organizations and users beside it. Freshdesk: a ticket with stats, conversations, company.

    A policy named by its name comes with the contracts under the data dir, as it does for a running
    deskclock; one named by its file comes with the shipped and the given contracts alone.
    """
    if helpdesk not in available():
        raise click.UsageError(f"--helpdesk {helpdesk}: known are {', '.join(available())}")
    chosen = _policy(policy, contracts, time_zone)
    mapping = field_mapping(helpdesk, fields)
    judge = _Judge(chosen, mapping, at)
    if jsonl:
        context.exit(_lines(file, judge))
    answers, single = _all(file.read(), judge)
    click.echo(json.dumps(answers[0] if single else answers, indent=2))


def _policy(name: str, given: Iterable[Path], time_zone: str | None) -> Policy:
    data_dir = load_settings().data_dir
    contracts, problems = find_contracts(None if is_file(name) else data_dir, given)
    if problems:
        raise DocumentError(problems)
    _, policy = find_policy(name, data_dir, contracts, time_zone=time_zone)
    return policy


class _Judge:
    """Evaluates vendor JSON under one policy and mapping."""

    def __init__(self, policy: Policy, mapping: FieldMapping, at: datetime | None) -> None:
        self._policy = policy
        self._mapping = mapping
        self._at = at
        self._tickets = translator(mapping.helpdesk)

    def answers(self, document: Any) -> Iterator[dict[str, Any]]:
        """The evaluations of the tickets in a document. Raises `MappingError`."""
        for ticket in self._tickets(document, self._mapping):
            yield as_json(evaluate_ticket(ticket, self._policy, self._at or now()))


def _lines(file: Iterable[str], judge: _Judge) -> int:
    """Stream: one line is in memory at a time. Returns the exit code."""
    code = 0
    for line in file:
        if not line.strip():
            continue
        try:
            for answer in judge.answers(_parsed(line)):
                click.echo(json.dumps(answer))
        except MappingError as error:
            click.echo(json.dumps({"error": str(error)}))
            code = 1
    return code


def _all(text: str, judge: _Judge) -> tuple[list[dict[str, Any]], bool]:
    """All answers, and whether the input was one ticket."""
    try:
        documents, single = [_parsed(text)], True
    except MappingError:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2 or text.lstrip().startswith("["):
            raise
        documents, single = [_parsed(line) for line in lines], False
    single = single and isinstance(documents[0], dict) and "tickets" not in documents[0]
    answers = [answer for document in documents for answer in judge.answers(document)]
    return answers, single and len(answers) == 1


def _parsed(text: str) -> Any:
    try:
        return json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise MappingError(
            f"is no JSON ({error}); a ticket as the vendor's API returns it is expected"
        ) from None
