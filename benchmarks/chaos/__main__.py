"""`make chaos`: kills deskclock again and again, and says whether anything was lost."""

import random
import sys
from collections import Counter
from collections.abc import Mapping

import click

from benchmarks.chaos.run import Outcome, carry_out
from benchmarks.chaos.trial import DATABASES, RUNNERS, Trial
from benchmarks.running import BenchmarkError, end_on_sigterm
from benchmarks.tables import table

KILL_EVERY_SECONDS = 6.0
SHOWN = 10  # tickets of each kind of finding


@click.command()
@click.option("--database", type=click.Choice(DATABASES), default="sqlite", show_default=True)
@click.option("--runner", type=click.Choice(RUNNERS), default="embedded", show_default=True)
@click.option("--workers", type=click.IntRange(1), help="Default: 1, in the cluster 2.")
@click.option("--accounts", type=click.IntRange(1), default=4, show_default=True)
@click.option("--events", type=click.IntRange(1), default=10_000, show_default=True)
@click.option("--kills", type=click.IntRange(0), default=200, show_default=True)
@click.option("--seconds", type=float, help="How long people work; default: 6 s for each kill.")
@click.option("--faults", type=click.FloatRange(0, 1), default=0.2, show_default=True)
@click.option("--seed", type=int, help="Default: another one each time.")
def main(
    database: str, runner: str, workers: int | None, accounts: int, events: int, kills: int,
    seconds: float | None, faults: float, seed: int | None,
) -> None:  # fmt: skip
    """Have people work on local helpdesks, kill deskclock again and again, judge what is left."""
    end_on_sigterm()
    if database == "sqlite" and (runner == "cluster" or (workers or 1) > 1):
        raise click.UsageError("several workers need --database postgres")
    trial = Trial(
        database=database,
        runner=runner,
        workers=workers or (2 if runner == "cluster" else 1),
        accounts=accounts,
        events=events,
        kills=kills,
        seconds=seconds or KILL_EVERY_SECONDS * max(kills, 1),
        faults=faults,
        seed=random.randrange(1_000_000) if seed is None else seed,
    )
    try:
        outcome = carry_out(trial)
    except BenchmarkError as error:
        raise click.ClickException(str(error)) from None
    click.echo(report(outcome))
    sys.exit(0 if outcome.passed else 1)


def report(outcome: Outcome) -> str:
    """The figures, what was found, and how to see it again."""
    words = ("changed", "unknown outcome", "outlived", "in vain")
    rows = [
        (
            one.account, one.tickets, one.accepted, *(one.writes.get(word, 0) for word in words),
            one.notes, len(one.wrong), len(one.lost), len(one.doubled) + len(one.no_note),
        )
        for one in outcome.judgements
    ]  # fmt: skip
    head = ("account", "tickets", "202s", *words, "notes", "wrong", "lost", "bad notes")
    blows = Counter(f"{blow.name}: {blow.what}" for blow in outcome.blows)
    parts = [
        f"$ {outcome.trial.command}",
        table(head, rows),
        _counts("people", outcome.acts),
        _counts("blows", blows),
        _counts("answers of the helpdesks", outcome.answers),
        f"at rest {outcome.drained_seconds:.0f} s after the last event",
    ]
    for one in outcome.judgements:
        for what, found in one.findings.items():
            parts.append(f"{one.account}: {len(found)} {what}")
            parts += [f"  {key}: {'; '.join(lines)}" for key, lines in list(found.items())[:SHOWN]]
    parts += outcome.faults
    if not outcome.passed:
        parts.append(f"FAILED; files and logs: {outcome.kept}\nagain: {outcome.trial.command}")
    return "\n\n".join(parts)


def _counts(title: str, counts: Mapping[str, int]) -> str:
    return f"{title}: " + ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


if __name__ == "__main__":
    main()
