"""The `deskclock` command, one module for each group of subcommands."""

import click

from commands.db import db
from commands.dead import dead
from commands.evaluate import evaluate
from commands.evidence import evidence
from commands.exceptions import except_
from commands.explain import explain
from commands.forget import forget
from commands.hours import hours
from commands.lint import lint
from commands.run import run
from commands.sandbox import sandbox
from commands.schema import schema
from commands.serve import web, worker
from commands.sign_in import sign_in
from commands.sync import sync
from connector.errors import ConnectorError
from mappings.errors import MappingError


class _Group(click.Group):
    """What a person can mend is said in words, with exit code 1, and not in a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except (ConnectorError, MappingError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="deskclock")
def deskclock() -> None:
    """Service levels for Zendesk and Freshdesk, as your own support policy promises them."""


for command in (
    run,
    web,
    worker,
    sandbox,
    db,
    dead,
    evaluate,
    evidence,
    explain,
    except_,
    forget,
    hours,
    lint,
    schema,
    sign_in,
    sync,
):
    deskclock.add_command(command)


def main() -> None:
    """The entry point. Exit codes: 0 ok, 1 problem found, 2 usage."""
    deskclock()
