"""`make bench`: measures and prints; asserts nothing, since another machine has other figures."""

import os
import platform
import sqlite3
import sys
from collections.abc import Iterator, Sequence

import click

from benchmarks import backfill, evaluate, hours, ingest, latency, million, workers
from benchmarks.running import BenchmarkError, end_on_sigterm

PARTS = ("hours", "evaluate", "ingest", *latency.CASES, "workers")
BY_NAME = ("backfill", "million")  # these take an hour, and run only when they are asked for


@click.command()
@click.option(
    "--only", "parts", type=click.Choice([*PARTS, *BY_NAME]), multiple=True, help="Only this part."
)
@click.option("--quick", is_flag=True, help="Shorter runs, with rougher figures.")
def main(parts: tuple[str, ...], quick: bool) -> None:
    """Measure how fast deskclock is on this machine."""
    end_on_sigterm()
    click.echo(_machine())
    try:
        for text in _texts(parts or PARTS, quick):
            click.echo("\n" + text)
    except BenchmarkError as error:
        raise click.ClickException(str(error)) from None


def _texts(wanted: Sequence[str], quick: bool) -> Iterator[str]:
    """What was measured, part by part."""
    seconds = 10.0 if quick else 60.0
    if "hours" in wanted:
        yield hours.measure(quick=quick)
    if "evaluate" in wanted:
        yield evaluate.measure(quick=quick)
    if "ingest" in wanted:
        yield ingest.measure(seconds=3 if quick else 8, rounds=1 if quick else 3)
    cases = [case for name, case in latency.CASES.items() if name in wanted]
    if cases:
        yield latency.report([latency.measure(case, seconds=seconds) for case in cases], seconds)
    if "workers" in wanted:
        yield workers.measure(quick=quick)
    if "backfill" in wanted:
        yield from backfill.measure(quick=quick)
    if "million" in wanted:
        yield from million.measure(quick=quick)


def _machine() -> str:
    command = " ".join(["python -m benchmarks", *sys.argv[1:]])
    return (
        f"$ {command}\n{os.cpu_count()} cores ({platform.machine()}), "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


if __name__ == "__main__":
    main()
