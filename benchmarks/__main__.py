"""`make bench`: measures and prints; asserts nothing, since another machine has other figures."""

import os
import platform
import sqlite3
import sys

import click

from benchmarks import backfill, evaluate, hours, ingest, latency
from benchmarks.running import BenchmarkError, end_on_sigterm

PARTS = ("hours", "evaluate", "ingest", *latency.CASES)
BY_NAME = ("backfill",)  # these take an hour, and run only when they are asked for


@click.command()
@click.option(
    "--only", "parts", type=click.Choice([*PARTS, *BY_NAME]), multiple=True, help="Only this part."
)
@click.option("--quick", is_flag=True, help="Shorter runs, with rougher figures.")
def main(parts: tuple[str, ...], quick: bool) -> None:
    """Measure how fast deskclock is on this machine."""
    end_on_sigterm()
    wanted = parts or PARTS
    click.echo(_machine())
    try:
        if "hours" in wanted:
            click.echo("\n" + hours.measure(quick=quick))
        if "evaluate" in wanted:
            click.echo("\n" + evaluate.measure(quick=quick))
        if "ingest" in wanted:
            click.echo("\n" + ingest.measure(seconds=3 if quick else 8, rounds=1 if quick else 3))
        seconds = 10.0 if quick else 60.0
        cases = [case for name, case in latency.CASES.items() if name in wanted]
        found = [latency.measure(case, seconds=seconds) for case in cases]
        if found:
            click.echo("\n" + latency.report(found, seconds))
        if "backfill" in wanted:
            for text in backfill.measure(quick=quick):
                click.echo("\n" + text)
    except BenchmarkError as error:
        raise click.ClickException(str(error)) from None


def _machine() -> str:
    command = " ".join(["python -m benchmarks", *sys.argv[1:]])
    return (
        f"$ {command}\n{os.cpu_count()} cores ({platform.machine()}), "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


if __name__ == "__main__":
    main()
