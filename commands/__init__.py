"""The `deskclock` command, one module for each group of subcommands."""

import sys

import click

from commands.evaluate import evaluate
from commands.explain import explain
from commands.hours import hours
from commands.run import run
from commands.sandbox import sandbox
from commands.serve import web, worker
from connector.errors import ConnectorError
from mappings.errors import MappingError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="deskclock")
def deskclock() -> None:
    """Service levels for Zendesk and Freshdesk, as your own support policy promises them."""


for command in (run, web, worker, sandbox, evaluate, explain, hours):
    deskclock.add_command(command)


def main() -> None:
    """Run the command; what a person can mend is said in words, not in a traceback."""
    try:
        deskclock.main(standalone_mode=False)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(1)
    except (ConnectorError, MappingError) as error:
        click.echo(f"deskclock: {error}", err=True)
        sys.exit(1)
