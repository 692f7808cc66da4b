"""Loads a real incident log into a real sandbox and lets a real deskclock enrich its tickets.

python -m benchmarks.replay_log LOG.csv
"""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from benchmarks.logs import Log, LogError, read_log
from benchmarks.playing import play
from benchmarks.running import BenchmarkError, Workshop, end_on_sigterm
from benchmarks.stage import Helpdesk, Progress, Scene, Stage
from benchmarks.tables import table
from benchmarks.told import told_otherwise
from benchmarks.truth import Reader, differences
from sandbox.histories import History

MODES = {"zendesk": "own_fields", "freshdesk": "native"}
BATCH = 100  # histories in one load
LOOK_SECONDS = 0.25
STALLED_SECONDS = 120.0  # no ticket more in this time: it will not end by itself
AFTER_THE_LOG = timedelta(hours=1)
SHOWN = 10  # differences that are printed


@dataclass(kw_only=True, slots=True)
class Result:
    """One replay against one helpdesk."""

    scene: Scene
    tickets: int
    seconds: float
    calls: dict[str, int]
    refused: dict[str, int]
    enriched: int
    others: Counter[str]
    states: dict[str, dict[str, Any]]
    #: what stands otherwise than `deskclock evaluate` says
    wrong: dict[str, list[str]]
    #: what the evaluation says otherwise than the log
    told: dict[str, list[str]]
    complaints: list[str] = field(default_factory=list)

    @property
    def errors(self) -> int:
        """What must not be: tickets that stand or are evaluated wrong, and calls that failed."""
        refused = sum(self.refused.values())
        return len(self.wrong) + len(self.told) + refused + len(self.complaints)


@click.command()
@click.argument("log", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--helpdesk", type=click.Choice(sorted(MODES)), help="Default: one after the other.")
@click.option("--limit", type=click.IntRange(1), help="Only the first so many cases.")
@click.option("--close", is_flag=True, help="Close the cases that the log closes; default: solved.")
@click.option("--time-zone", help="Of the log's local times and of the policy; default: the log's.")
@click.option("--mode", type=click.Choice(["own_fields", "native"]), help="native: Freshdesk only.")
@click.option("--play", "playing", is_flag=True, help="Let it happen step by step.")
@click.option("--steps", type=click.IntRange(1), default=20, show_default=True, help="Of --play.")
def main(
    log: Path, helpdesk: str | None, limit: int | None, close: bool, time_zone: str | None,
    mode: str | None, playing: bool, steps: int,
) -> None:  # fmt: skip
    """Replay LOG, an incident log of one of three kinds, through deskclock."""
    end_on_sigterm()
    try:
        read = read_log(log, time_zone=time_zone, limit=limit, close=close)
        kinds = [helpdesk] if helpdesk else sorted(MODES, reverse=True)
        scenes = [
            Scene(helpdesk=kind, mode=_mode(kind, mode), time_zone=read.time_zone) for kind in kinds
        ]
        click.echo(f"{log.name}: {read.kind.name}, local times of {read.time_zone}")
        errors = 0
        for scene in scenes:
            result = replay(read, scene, steps if playing else None)
            click.echo(report(result))
            errors += result.errors
    except (LogError, BenchmarkError) as error:
        raise click.ClickException(str(error)) from None
    sys.exit(1 if errors else 0)


def _mode(kind: str, wanted: str | None) -> str:
    if wanted == "native" and kind != "freshdesk":
        return MODES[kind]
    return wanted or MODES[kind]


def replay(log: Log, scene: Scene, steps: int | None) -> Result:
    """Play a log on one helpdesk; `steps` None loads it at once, at the end of its time."""
    with ExitStack() as stack:
        workshop = stack.enter_context(Workshop())
        stage = Stage(workshop, scene)
        stage.start_sandbox()
        helpdesk = stage.helpdesk
        ends_at = log.ends_at + AFTER_THE_LOG
        starts_at = ends_at if steps is None else log.histories[0].created_at
        helpdesk.control("POST", "clock", {"set": starts_at.isoformat()})
        stage.start_deskclock()
        helpdesk.control("DELETE", "requests")
        begun = time.monotonic()
        if steps is None:
            _load(helpdesk, log.histories)
        else:
            play(stage, log.histories, ends_at=ends_at, steps=steps)
        settle(stage, len(log.histories), f"{scene.helpdesk}: enriching")
        seconds = time.monotonic() - begun
        calls = helpdesk.control("GET", "requests")
        helpdesk.control("POST", "clock", {"freeze": True})
        at = datetime.fromisoformat(helpdesk.control("GET", "clock")["now"])
        return _result(stage, workshop, log, at, seconds, calls)


def _load(helpdesk: Helpdesk, histories: Sequence[History]) -> None:
    with tqdm(
        total=len(histories), desc=f"{helpdesk.kind}: loading", leave=False, disable=None
    ) as bar:
        for start in range(0, len(histories), BATCH):
            batch = histories[start : start + BATCH]
            documents = [one.model_dump(mode="json", exclude_none=True) for one in batch]
            helpdesk.control("POST", "load?webhooks=1", documents)
            bar.update(len(batch))


def settle(stage: Stage, tickets: int, text: str) -> None:
    """Wait until deskclock knows all tickets and has nothing to do. Raises `BenchmarkError`."""
    latest, since = None, time.monotonic()
    with tqdm(total=tickets, desc=text, leave=False, disable=None) as bar:
        while True:
            seen = stage.progress()
            if _is_settled(stage, seen, tickets):
                return
            bar.update(seen.evaluated - bar.n)
            if seen != latest:
                latest, since = seen, time.monotonic()
            elif time.monotonic() - since > STALLED_SECONDS:
                raise BenchmarkError(f"nothing moves any more: {seen}, of {tickets} tickets")
            time.sleep(LOOK_SECONDS)


def _is_settled(stage: Stage, seen: Progress, tickets: int) -> bool:
    if seen.known < tickets or seen.busy:
        return False
    return int(stage.helpdesk.control("GET", "deliveries?limit=1")["pending"]) == 0


def _result(
    stage: Stage,
    workshop: Workshop,
    log: Log,
    at: datetime,
    seconds: float,
    calls: dict[str, Any],
) -> Result:
    states = stage.states()
    finals = Reader(stage.helpdesk).read(sorted(states, key=int))
    writable = [one for one in finals if one.standing.writable]
    wrong = differences(writable, stage.scene, at, workshop.folder)
    histories = {history.subject: history for history in log.histories}
    told = {
        one.ticket_id: lines
        for one in finals
        if (lines := told_otherwise(histories[one.subject], states[one.ticket_id]))
    }
    refused = {status: n for status, n in calls["statuses"].items() if int(status) >= 400}
    reasons = stage.reasons()
    return Result(
        scene=stage.scene,
        tickets=len(finals),
        seconds=seconds,
        calls=calls["counts"],
        refused=refused,
        enriched=len(writable) - len(wrong),
        others=Counter(
            reasons.get(one.ticket_id, "closed") for one in finals if not one.standing.writable
        )
        + Counter("stands wrong" for _ in wrong),
        states=states,
        wrong={
            number: [*lines, reasons[number]] if number in reasons else lines
            for number, lines in wrong.items()
        },
        told=told,
        complaints=[line for name in ("web", "worker") for line in workshop.complaints(name)],
    )


def report(one: Result) -> str:
    """The tables of a replay."""
    total = sum(one.calls.values())
    figures = table(
        ("tickets", "enriched", "others", "errors", "API calls", "per ticket", "s", "tickets/s"),
        [
            (
                one.tickets, one.enriched, one.others.total(), one.errors, total,
                total / max(one.tickets, 1), one.seconds, one.tickets / max(one.seconds, 1e-9),
            )
        ],
    )  # fmt: skip
    calls = table(
        ("call", "times", "per ticket"),
        [(name, count, count / max(one.tickets, 1)) for name, count in one.calls.items()],
    )
    parts = [f"\n{one.scene.helpdesk}, mode {one.scene.mode}", figures, _standing(one), calls]
    if one.others:
        parts.append(table(("not enriched", "tickets"), list(one.others.items())))
    if one.refused:
        parts.append(table(("refused with", "calls"), list(one.refused.items())))
    for title, found in (("stand wrong", one.wrong), ("differ from the log", one.told)):
        if found:
            parts.append(f"{len(found)} tickets {title}, such as")
            parts += [f"  {key}: {'; '.join(lines)}" for key, lines in list(found.items())[:SHOWN]]
    return "\n\n".join([*parts, *one.complaints[:SHOWN]])


def _standing(one: Result) -> str:
    """Tickets by severity, and by the state of each metric."""
    severities: Counter[str] = Counter()
    states: dict[str, Counter[str]] = {}
    for answer in one.states.values():
        severities[(answer.get("severity") or {}).get("id", "none")] += 1
        states.setdefault("ticket", Counter())[answer.get("state") or "none"] += 1
        for metric in answer.get("metrics", ()):
            states.setdefault(metric["metric"], Counter())[metric["state"]] += 1
    rows = [("severity", word, number) for word, number in severities.most_common()]
    for name, counted in sorted(states.items()):
        rows += [(name, word, number) for word, number in counted.most_common()]
    return table(("of", "is", "tickets"), rows)


if __name__ == "__main__":
    main()
