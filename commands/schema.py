"""`deskclock schema`: the JSON Schema of a kind of file, for editors."""

import json

import click

from mappings.document.schema import KINDS, schema_of


@click.command()
@click.argument("kind", type=click.Choice(tuple(KINDS)))
def schema(kind: str) -> None:
    """Print the JSON Schema (2020-12) of a kind of file.

    \b
    deskclock schema policy > policy.schema.json
    and as the first line of a policy file:
    # yaml-language-server: $schema=policy.schema.json
    """
    click.echo(json.dumps(schema_of(kind), indent=2))
