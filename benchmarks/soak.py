"""`make soak`: a steady load for a long time; the lag and the memory must stay as they are.

python -m benchmarks.soak --minutes 30 --rate 50
"""

import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import linear_regression, median, quantiles

import click
from sqlalchemy import select
from tqdm import tqdm

from benchmarks.latency import Watcher
from benchmarks.running import BenchmarkError, Workshop, end_on_sigterm
from benchmarks.stage import ACCOUNT, Scene, Stage
from benchmarks.tables import table
from benchmarks.traffic import buckets
from connector.settings import MINUTE
from connector.store.tables import ticket

CALLERS = 8
WARM_UP = 20  # tickets before the first minute
PATIENCE_SECONDS = 300.0
SAMPLE_SECONDS = 5.0
PROCESSES = ("web", "worker")
MODES = {"zendesk": "own_fields", "freshdesk": "native"}
# what is left to enrich a ticket of which an automation rule tells: the delivery, a single read
# with one include, the write
CREDITS = 4
AT_THE_LIMIT = 0.9  # of our share; more could never be caught up with
# What counts as flat, over the second half: the fitted line rises by less than this share of the
# memory, and the median lag of its last quarter is less than so many times that of its first.
MOST_GROWTH = 0.05
MOST_LAG_GROWTH = 1.5
LAG_NOISE_SECONDS = 0.25


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """The resident memory of each process, bytes, so many seconds after the beginning."""

    seconds: float
    resident: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Soak:
    """What a run came to."""

    scene: Scene
    rate: float
    minutes: float
    created: int
    #: when each ticket was accepted, seconds after the beginning, and its lag until it was written
    lags: Sequence[tuple[float, float]]
    samples: Sequence[Sample]

    @property
    def never_written(self) -> int:
        """Tickets that were not written until the end."""
        return self.created - len(self.lags)

    def growth(self, process: str) -> float:
        """By which share the memory of a process rises over the second half, by a fitted line."""
        half = [one for one in self.samples if one.seconds >= self.minutes * 30]
        if len(half) < 2:
            return 0.0
        sizes = [float(one.resident[process]) for one in half]
        fitted = linear_regression([one.seconds for one in half], sizes)
        return fitted.slope * self.minutes * 30 / median(sizes)

    def lag_growth(self) -> tuple[float, float]:
        """The median lag of the third and of the last quarter, seconds."""
        quarter = self.minutes * 15
        third = [lag for at, lag in self.lags if 2 * quarter <= at < 3 * quarter]
        last = [lag for at, lag in self.lags if at >= 3 * quarter]
        return (median(third), median(last)) if third and last else (0.0, 0.0)

    def verdict(self) -> dict[str, bool]:
        """What was to hold, and whether it does."""
        before, after = self.lag_growth()
        return {
            "every ticket is written": not self.never_written,
            "the lag is flat": after <= before * MOST_LAG_GROWTH + LAG_NOISE_SECONDS,
            **{f"the memory of {one} is flat": self.growth(one) < MOST_GROWTH for one in PROCESSES},
        }


class Memory(threading.Thread):
    """Samples the resident memory of the processes."""

    def __init__(self, workshop: Workshop) -> None:
        super().__init__(name="memory", daemon=True)
        self._workshop = workshop
        self._ended = threading.Event()
        self._begun = time.monotonic()
        self.samples: list[Sample] = []

    def end(self) -> None:
        """Stop."""
        self._ended.set()
        self.join()

    def run(self) -> None:
        """Sample until the end."""
        while not self._ended.wait(SAMPLE_SECONDS):
            resident = {name: self._workshop.resident_bytes(name) for name in PROCESSES}
            at = time.monotonic() - self._begun
            self.samples.append(Sample(seconds=at, resident=resident))


def rate_of(scene: Scene) -> float:
    """How many tickets a second fill our share of a plan's limits almost."""
    ours = {one.name: one.ours for one in buckets(scene.helpdesk, scene.plan)}
    if scene.helpdesk == "zendesk":
        return AT_THE_LIMIT * ours["account"] / MINUTE
    return AT_THE_LIMIT * min(ours["updates"], ours["credits"] / CREDITS) / MINUTE


def measure(scene: Scene, *, minutes: float, rate: float) -> Soak:
    """Have tickets created at a steady rate, and note when each is accepted and written."""
    with Workshop() as workshop:
        stage = Stage(workshop, scene)
        stage.start_sandbox()
        if not scene.tells:
            stage.add_rules()
        stage.start_deskclock(clock_check_seconds=60.0)
        watcher = Watcher(stage)
        watcher.start()
        try:
            _create(stage, watcher, WARM_UP, rate)
            _await(watcher)
            begun_at, memory = time.time(), Memory(workshop)
            memory.start()
            ids = _create(stage, watcher, int(minutes * 60 * rate), rate)
            memory.end()
            _await(watcher)
        finally:
            watcher.end()
        workshop.check()
        accepted = _accepted(stage)
        lags = sorted(
            (accepted[str(one)] - begun_at, watcher.visible[one] - accepted[str(one)])
            for one in ids
            if one in watcher.visible
        )
        return Soak(
            scene=scene, rate=rate, minutes=minutes, created=len(ids), lags=lags,
            samples=tuple(memory.samples),
        )  # fmt: skip


def _create(stage: Stage, watcher: Watcher, count: int, rate: float) -> list[int]:
    def one(number: int) -> int:
        new = {"subject": f"Ticket {number}", "requester": f"customer{number % 50}@sandbox.test"}
        ticket_id = int(stage.helpdesk.control("POST", "tickets", new)["id"])
        watcher.expect(ticket_id)
        return ticket_id

    begun, made = time.monotonic(), []
    with ThreadPoolExecutor(CALLERS) as pool:
        for number in tqdm(range(count), desc=stage.scene.helpdesk, leave=False, disable=None):
            time.sleep(max(0.0, begun + number / rate - time.monotonic()))
            made.append(pool.submit(one, number))
        return [future.result() for future in made]


def _await(watcher: Watcher) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while watcher.waiting and time.monotonic() < until:
        time.sleep(0.1)


def _accepted(stage: Stage) -> dict[str, float]:
    """When the first delivery about a ticket was taken in, just before its commit."""
    query = select(ticket.c.ticket_id, ticket.c.created).where(ticket.c.account == ACCOUNT)
    with stage.database.read() as conn:
        return {row.ticket_id: row.created for row in conn.execute(query)}


def report(one: Soak) -> str:
    """A row for each minute, and the verdict."""
    rows = [_minute(one, number) for number in range(max(1, round(one.minutes)))]
    head = ("minute", "tickets", "p50 s", "p99 s", "longest s", "web MB", "worker MB")
    before, after = one.lag_growth()
    lines = [
        f"{one.scene.helpdesk}, plan {one.scene.plan}: {one.rate:.2f} tickets a second for "
        f"{one.minutes:g} minutes, {one.created:,} tickets; lag from accepted to visible",
        "",
        table(head, rows),
        "",
        f"second half: median lag {before:.2f} s and then {after:.2f} s; memory "
        + ", ".join(f"{name} {one.growth(name):+.1%}" for name in PROCESSES),
        *(f"{'ok' if holds else 'NOT SO'}: {what}" for what, holds in one.verdict().items()),
    ]
    return "\n".join(lines)


def _minute(one: Soak, number: int) -> tuple[object, ...]:
    def within(at: float) -> bool:
        return number * 60 <= at < (number + 1) * 60

    lags = sorted(lag for at, lag in one.lags if within(at))
    samples = [sample for sample in one.samples if within(sample.seconds)]
    return (
        number + 1,
        len(lags),
        median(lags) if lags else None,
        quantiles(lags, n=100)[98] if len(lags) > 1 else None,
        max(lags, default=None),
        *(_peak(samples, name) for name in PROCESSES),
    )


def _peak(samples: Sequence[Sample], name: str) -> float | None:
    return max((one.resident[name] / 1e6 for one in samples), default=None)


@click.command()
@click.option("--helpdesk", type=click.Choice(sorted(MODES)), default="zendesk", show_default=True)
@click.option("--plan", default="unlimited", show_default=True, help="The vendor's rate limits.")
@click.option("--minutes", type=float, default=30.0, show_default=True)
@click.option("--rate", type=float, help="Tickets a second; default: 50, or what a plan allows.")
def main(helpdesk: str, plan: str, minutes: float, rate: float | None) -> None:
    """Keep deskclock under a steady load; exit code 1 when lag or memory grow."""
    end_on_sigterm()
    limited = plan != "unlimited"
    scene = Scene(
        helpdesk=helpdesk,
        mode=MODES[helpdesk],
        time_zone="Europe/London",
        plan=plan,
        tells=not (limited and helpdesk == "freshdesk"),  # our writes told would cost credits too
    )
    try:
        found = measure(scene, minutes=minutes, rate=rate or (rate_of(scene) if limited else 50.0))
    except (BenchmarkError, KeyError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(report(found))
    sys.exit(0 if all(found.verdict().values()) else 1)


if __name__ == "__main__":
    main()
