"""`deskclock lint`: what is wrong or doubtful in policies, contracts and field mappings."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from app import now
from commands.options import DATA_DIR
from connector.settings import load_settings
from mappings.document.careful_yaml import MAX_CHARACTERS
from mappings.document.zones import zone_named
from mappings.lint.files import Source
from mappings.lint.findings import Finding
from mappings.lint.linter import lint as findings_of

# enough to see that a file is too long, whatever its size; a character has at most 4 bytes
_MOST_BYTES = 4 * MAX_CHARACTERS + 1


def _zone(_context: object, _parameter: object, value: str | None) -> str | None:
    try:
        if value is not None:
            zone_named(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return value


@click.command()
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
@click.option(
    "--time-zone",
    callback=_zone,
    help="The account's zone, for calendars whose document names none.",
)
@DATA_DIR
@click.argument(
    "paths",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.pass_context
def lint(
    context: click.Context,
    form: str,
    time_zone: str | None,
    data_dir: Path | None,
    paths: Sequence[Path],
) -> None:
    """Look at policies, contracts and field mappings; print what is wrong or doubtful.

    One line for each finding: file:line:column: E (error), W (warning) or I (information), and the
    message. Exit code 1 when there is an error. A contract is looked at under its policy: one of
    the FILEs, else one of the data dir, else a shipped one.
    """
    shelf = _Shelf(load_settings(data_dir=data_dir).data_dir)
    sources = [_source(path) for path in dict.fromkeys(paths)]
    found = findings_of(sources, now(), find=shelf.policy, reader=_reader, time_zone=time_zone)
    if found or form == "json":
        click.echo(_as_json(found) if form == "json" else _as_text(found))
    if any(one.grade == "E" for one in found):
        context.exit(1)


class _Shelf:
    """Where policies are that a contract names."""

    def __init__(self, data_dir: Path) -> None:
        self._places: tuple[Path | Traversable, ...] = (
            data_dir / "policies",
            files("mappings") / "policies",
        )

    def policy(self, name: str) -> Source | None:
        """The policy of this name; None where there is none."""
        for place in self._places:
            path = place / f"{name}.yaml"
            if path.is_file():
                return Source(file=f"{place}/{name}.yaml", content=path.read_bytes())
        return None


def _source(path: Path) -> Source:
    try:
        with path.open("rb") as file:
            return Source(file=str(path), content=file.read(_MOST_BYTES))
    except OSError as error:
        raise click.ClickException(f"{path}: cannot be read: {error.strerror}") from None


def _reader(policy: str) -> Callable[[str], str]:
    """iCalendar files stand beside the policy that names them."""

    def read(name: str) -> str:
        return (Path(policy).parent / name).read_text(encoding="utf-8")

    return read


def _as_text(found: Sequence[Finding]) -> str:
    return "\n".join(map(str, found))


def _as_json(found: Sequence[Finding]) -> str:
    return json.dumps([asdict(one) for one in found], indent=2)
