"""The memory of a worker during a very long backfill, as a table and as a drawing.

python -m benchmarks.growth TICKETS MINUTES [FILE.svg]
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from tqdm import tqdm

from benchmarks.backfill import figures_of, scene_of
from benchmarks.running import BenchmarkError, Workshop, end_on_sigterm
from benchmarks.stage import Stage
from benchmarks.tables import table
from connector.store.migrate import upgrade

SHARE_OPEN = 0.05
LOOK_SECONDS = 1.0
AIM_BYTES = 200e6
ROWS = 20  # of the table
WIDTH, HEIGHT, MARGIN = 640, 260, 48


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """How far it was, and the resident memory then, bytes."""

    seconds: float
    tickets: int
    resident: int


def measure(tickets: int, minutes: float) -> list[Sample]:
    """Backfill a helpdesk without limits for so long at most."""
    scene = scene_of("zendesk", 60.0, plan="unlimited", latency=0.0)
    with Workshop() as workshop:
        stage = Stage(workshop, scene)
        stage.start_sandbox()
        upgrade(stage.database)
        wish = {"count": tickets, "share_open": SHARE_OPEN, "share_history": 0}
        stage.helpdesk.control("POST", "bulk", wish)
        begun = time.monotonic()
        stage.start_backfill()
        found: list[Sample] = []
        with tqdm(total=tickets, desc="backfill", leave=False, disable=None) as bar:
            while workshop.lives("sync") and time.monotonic() < begun + minutes * 60:
                found.append(
                    Sample(
                        seconds=time.monotonic() - begun,
                        tickets=figures_of(stage).get("tickets", 0),
                        resident=workshop.resident_bytes("sync"),
                    )
                )
                bar.update(found[-1].tickets - bar.n)
                time.sleep(LOOK_SECONDS)
        return found


def report(found: Sequence[Sample]) -> str:
    """The curve as a table."""
    chosen = [found[len(found) * number // ROWS] for number in range(min(ROWS, len(found)))]
    rows = [
        (one.tickets, one.seconds, one.resident / 1e6)
        for one in dict.fromkeys([*chosen, found[-1]])
    ]
    peak = max(one.resident for one in found)
    last = found[-1]
    title = (
        f"Backfill without limits: {last.tickets:,} tickets in {last.seconds:,.0f} s, "
        f"{last.tickets / last.seconds:.0f} a second; peak {peak / 1e6:.0f} MB"
    )
    return "\n".join([title, "", table(("tickets", "s", "MB"), rows)])


def drawing(found: Sequence[Sample]) -> str:
    """The curve as SVG: tickets to the right, megabytes upwards, the aim as a dashed line."""
    most = max(one.tickets for one in found) or 1
    top = max([AIM_BYTES, *(one.resident for one in found)]) * 1.05

    def place(tickets: float, resident: float) -> str:
        x = MARGIN + tickets / most * (WIDTH - 2 * MARGIN)
        y = HEIGHT - MARGIN - resident / top * (HEIGHT - 2 * MARGIN)
        return f"{x:.1f},{y:.1f}"

    curve = " ".join(place(one.tickets, one.resident) for one in found)
    axes = " ".join([place(0, top), place(0, 0), place(most, 0)])
    aim = place(0, AIM_BYTES).split(",")[1]
    text = 'font-family="sans-serif" font-size="12" fill="#444"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<polyline points="{axes}" fill="none" stroke="#444"/>',
        f'<line x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{aim}" y2="{aim}" '
        'stroke="#b00" stroke-dasharray="6 4"/>',
        f'<polyline points="{curve}" fill="none" stroke="#06c" stroke-width="2"/>',
        f'<text x="{WIDTH - MARGIN}" y="{float(aim) - 6:.1f}" text-anchor="end" {text}>'
        f"aim: {AIM_BYTES / 1e6:.0f} MB</text>",
        f'<text x="{MARGIN}" y="{HEIGHT - MARGIN + 18}" {text}>0</text>',
        f'<text x="{WIDTH - MARGIN}" y="{HEIGHT - MARGIN + 18}" text-anchor="end" {text}>'
        f"{most:,} tickets</text>",
        f'<text x="{MARGIN}" y="{MARGIN - 12}" {text}>resident memory of the worker</text>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


@click.command()
@click.argument("tickets", type=click.IntRange(1))
@click.argument("minutes", type=float)
@click.argument("file", required=False, type=click.Path(path_type=Path))
def main(tickets: int, minutes: float, file: Path | None) -> None:
    """Backfill TICKETS for at most so many MINUTES; draw the curve into FILE."""
    end_on_sigterm()
    try:
        found = measure(tickets, minutes)
    except BenchmarkError as error:
        raise click.ClickException(str(error)) from None
    if not found:
        raise click.ClickException("it ended before it was looked at")
    click.echo(report(found))
    if file is not None:
        file.write_text(drawing(found), encoding="utf-8")


if __name__ == "__main__":
    main()
