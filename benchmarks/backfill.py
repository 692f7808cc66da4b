"""What a backfill costs: calls for each ticket, how much of the rate limit it uses, and memory.

python -m benchmarks --only backfill
"""

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from tqdm import tqdm

from benchmarks import hinted
from benchmarks.running import Workshop
from benchmarks.stage import ACCOUNT, Scene, Stage, policy_file
from benchmarks.tables import table
from benchmarks.traffic import Bucket, Counts, Watch, buckets, share_used
from benchmarks.truth import Reader, differences
from connector.store.migrate import upgrade
from connector.store.tables import sync
from operations.standing import drained_now

LATENCY_SECONDS = 0.05
PRESENT = "present"
PAST = "user-support"
LATER = (("limit: 5bd", "limit: 6bd"), ("limit: 4h", "limit: 5h"))  # moves dates, changes no tag
CHECKED = 100  # tickets that are compared with `deskclock evaluate`
LOOK_SECONDS = 1.0
NO_LIMIT = 0.001  # seconds; a minute of limits so short that none is felt
FINISHED = {"zendesk": ("solved", "closed", "deleted"), "freshdesk": (4, 5)}
PAUSE_SECONDS = 600.0  # of the helpdesk's clock, between two backfills
QUIET_SECONDS = 20.0  # a native date is verified after 15 s


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One backfill."""

    name: str
    scene: Scene
    tickets: int
    share_open: float = 0.2
    share_history: float = 0.25


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a backfill came to."""

    name: str
    scene: Scene
    seconds: float
    counts: Counts
    tickets: int
    #: what the feed says: rows that it showed, some tickets twice; tickets that it wrote
    shown: int
    written: int
    #: open tickets, those of them that bear our tags, and how many of those compared were wrong
    open: int
    tagged: int
    compared: int
    wrong: int

    @property
    def cost(self) -> int:
        """Calls, or credits on Freshdesk."""
        is_freshdesk = self.scene.helpdesk == "freshdesk"
        return self.counts.credits if is_freshdesk else len(self.counts.calls)

    @property
    def use(self) -> "Use":
        """What of the limits was used."""
        return use_of(self.name, self.scene, self.counts)


class Yard:
    """A helpdesk full of tickets, and the backfills of it."""

    def __init__(self, workshop: Workshop, case: Case) -> None:
        self.case = case
        self._workshop = workshop
        self.stage = Stage(workshop, case.scene)
        self.stage.start_sandbox()
        upgrade(self.stage.database)
        # what is created just now is withheld from the export; all that is loaded is older
        wish = {"count": case.tickets, "share_open": case.share_open}
        self.stage.helpdesk.control("POST", "bulk", {**wish, "share_history": case.share_history})

    def set_up_anew(self) -> None:
        """Forget what deskclock knows, and promise other dates under the same tags."""
        # an account that is new is followed from a few minutes before: those are over by then
        self.stage.helpdesk.control("POST", "clock", {"advance_seconds": PAUSE_SECONDS})
        self.stage.forget()
        upgrade(self.stage.database)
        text = policy_file(PRESENT).read_text(encoding="utf-8")
        for before, after in LATER:
            text = text.replace(before, after)
        self.stage.write_policy(text)

    def backfill(self, name: str, *, worker: bool = False) -> Outcome:
        """Read everything once. `worker`: by a worker that runs on, until nothing is left to do."""
        stage = self.stage
        stage.helpdesk.control("POST", "limits", {"minute_seconds": self.case.scene.minute_seconds})
        watch = Watch(stage.helpdesk)
        watch.start()
        begun = time.monotonic()
        if worker:
            stage.start_worker()
            self._await_worker()
        stage.start_backfill()
        self._await(name)
        seconds = time.monotonic() - begun
        if worker:
            self._await_quiet()
            self._workshop.stop("worker")
        counts = watch.end()
        return self._outcome(name, counts, seconds)

    def read_events(self) -> Counts:
        """Begin a backfill, and end it when the events are read: those need little but calls."""
        watch = Watch(self.stage.helpdesk)
        watch.start()
        self.stage.start_backfill()
        while figures_of(self.stage).get("phase", "start") in ("start", "events"):
            self._workshop.check()
            time.sleep(LOOK_SECONDS / 4)
        counts = watch.end()
        self._workshop.stop("sync")
        return counts

    def _await(self, name: str) -> None:
        with tqdm(total=self.case.tickets, desc=name, leave=False, disable=None) as bar:
            while self._workshop.lives("sync"):
                bar.update(figures_of(self.stage).get("tickets", 0) - bar.n)
                time.sleep(LOOK_SECONDS)

    def _await_worker(self) -> None:
        """A backfill is done by the worker that runs, or else by a worker of its own."""
        while True:
            self._workshop.check()
            with self.stage.database.read() as conn:
                if drained_now(conn):
                    return
            time.sleep(LOOK_SECONDS)

    def _await_quiet(self) -> None:
        """Wait until a ticket that was written would have been looked at once more."""
        until = time.monotonic() + QUIET_SECONDS
        while time.monotonic() < until or self.stage.progress().busy:
            time.sleep(LOOK_SECONDS)

    def _outcome(self, name: str, counts: Counts, seconds: float) -> Outcome:
        figures = figures_of(self.stage)
        unfinished, tagged = self._standing()
        compared, wrong = self._compared(unfinished)
        return Outcome(
            name=name,
            scene=self.case.scene,
            seconds=seconds,
            counts=counts,
            tickets=self.case.tickets,
            shown=figures["tickets"],
            written=figures["written"],
            open=len(unfinished),
            tagged=tagged,
            compared=compared,
            wrong=wrong,
        )

    def _standing(self) -> tuple[list[str], int]:
        """Tickets that are neither solved nor closed, and how many of them bear our tags."""
        finished = FINISHED[self.case.scene.helpdesk]
        marks = ",".join("?" * len(finished))
        query = (
            "SELECT id, doc LIKE '%\"sla_s%' FROM objects WHERE kind='ticket'"
            f" AND json_extract(doc, '$.status') NOT IN ({marks}) ORDER BY id"
        )
        uri = f"file:{self.stage.sandbox_file}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=5)) as file:
            rows = file.execute(query, finished).fetchall()
        return [str(row[0]) for row in rows], sum(row[1] for row in rows)

    def _compared(self, ids: Sequence[str]) -> tuple[int, int]:
        """Some tickets, spread over all of them, and how many stand otherwise than they should."""
        helpdesk = self.stage.helpdesk
        helpdesk.control("POST", "faults", {})
        helpdesk.control("POST", "limits", {"minute_seconds": NO_LIMIT})
        helpdesk.control("POST", "clock", {"freeze": True})
        at = datetime.fromisoformat(helpdesk.control("GET", "clock")["now"])
        finals = Reader(helpdesk).read(ids[:: max(1, len(ids) // CHECKED)])
        wrong = differences(finals, self.case.scene, at, self._workshop.folder)
        helpdesk.control("POST", "clock", {"freeze": False})
        spec = f"latency={self.case.scene.latency * 1000:g}ms"
        helpdesk.control("POST", "faults", {"spec": spec})
        for number, lines in list(wrong.items())[:3]:
            tqdm.write(f"{number}: {'; '.join(lines)}")
        return len(finals), len(wrong)


def figures_of(stage: Stage) -> Mapping[str, int]:
    """What the backfill says of itself; nothing before it has begun."""
    query = select(sync.c.body).where(sync.c.account == ACCOUNT, sync.c.feed == "full")
    with stage.database.read() as conn:
        found = conn.scalar(query)
    return found or {}


def scene_of(helpdesk: str, minute_seconds: float, **more: object) -> Scene:
    """A helpdesk with the limits of its plan Growth."""
    base = Scene(
        helpdesk=helpdesk,
        mode="own_fields",
        time_zone="Europe/London",
        policy=PRESENT,
        plan="growth",
        minute_seconds=minute_seconds,
        latency=LATENCY_SECONDS,
        tells=False,
    )
    return replace(base, **more)  # type: ignore[arg-type]


def zendesk(tickets: int, minute_seconds: float, windows: str, policy: str) -> list[Outcome]:
    """One backfill of Zendesk."""
    scene = scene_of("zendesk", minute_seconds, windows=windows, policy=policy)
    kind = "without history" if policy == PRESENT else "with history"
    # the export of events shows nothing of tickets that were loaded without their past
    share = 1.0 if policy == PAST else 0.25
    case = Case(name=kind, scene=scene, tickets=tickets, share_history=share)
    with Workshop() as workshop:
        return [Yard(workshop, case).backfill(kind)]


def freshdesk(tickets: int, minute_seconds: float, windows: str, mode: str) -> list[Outcome]:
    """Backfills of Freshdesk: nothing stands there yet; other dates; nothing is different."""
    scene = scene_of("freshdesk", minute_seconds, windows=windows, mode=mode)
    case = Case(name=mode, scene=scene, tickets=tickets, share_open=1.0)
    with Workshop() as workshop:
        yard = Yard(workshop, case)
        found = [yard.backfill("fields, dates and tags", worker=mode == "native")]
        yard.set_up_anew()
        found.append(yard.backfill("fields and dates", worker=mode == "native"))
        found.append(yard.backfill("nothing"))
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """What of a limit was used while nothing else held the backfill up."""

    name: str
    scene: Scene
    bucket: Bucket
    #: of our part of it; None: too few calls
    share: float | None
    counts: Counts


def use_of(name: str, scene: Scene, counts: Counts) -> Use:
    """The limit of which most was used."""
    found = [
        (one, share_used(counts.calls, one, scene.minute_seconds))
        for one in buckets(scene.helpdesk, scene.plan)
    ]
    bucket, share = max(found, key=lambda pair: pair[1] or 0.0)
    return Use(name=name, scene=scene, bucket=bucket, share=share, counts=counts)


def zendesk_use(tickets: int, minute_seconds: float, windows: str) -> Use:
    """The export's limit while the past of open tickets is read."""
    scene = scene_of("zendesk", minute_seconds, windows=windows, policy=PAST)
    case = Case(name="events", scene=scene, tickets=tickets, share_history=1.0)
    with Workshop() as workshop:
        return use_of("events", scene, Yard(workshop, case).read_events())


def freshdesk_use(tickets: int, minute_seconds: float, windows: str) -> Use:
    """The limit of updates while everything is written for the first time."""
    scene = scene_of("freshdesk", minute_seconds, windows=windows)
    case = Case(name="fields, dates and tags", scene=scene, tickets=tickets, share_open=1.0)
    with Workshop() as workshop:
        return Yard(workshop, case).backfill(case.name).use


def measure(*, quick: bool) -> Iterator[str]:
    """One table after the other; `quick` leaves most out."""
    if quick:
        yield report(zendesk(1000, 2.0, "fixed", PRESENT))
        yield report(freshdesk(60, 2.0, "fixed", "own_fields"))
        scene = scene_of("zendesk", 60.0, tells=True)
        yield hinted.report([hinted.measure(scene, seconds=5.0, per_second=20)])
        return
    for policy in (PRESENT, PAST):
        yield report(zendesk(100_000, 2.0, "fixed", policy))
    for mode in ("own_fields", "native"):
        yield report(freshdesk(2000, 4.0, "fixed", mode))
    for windows in ("fixed", "aligned", "sliding"):
        uses = [zendesk_use(10_000, 10.0, windows), freshdesk_use(300, 60.0, windows)]
        yield report([], uses)
    scene = scene_of("zendesk", 60.0, policy=PAST, tells=True)
    yield hinted.report([hinted.measure(scene, seconds=60.0, per_second=50)])
    scenes = [scene_of("freshdesk", 6.0, mode=mode) for mode in ("own_fields", "native")]
    scenes.append(scene_of("freshdesk", 6.0, tells=True))
    yield hinted.report([hinted.measure(one, seconds=60.0, per_second=4) for one in scenes])


def report(found: Sequence[Outcome], uses: Sequence[Use] = ()) -> str:
    """The tables of some backfills."""
    used = _uses([*(one.use for one in found), *uses])
    return "\n\n".join([_costs(found), used, _calls(found)] if found else [used])


def _costs(found: Sequence[Outcome]) -> str:
    head = (
        "helpdesk", "mode", "backfill", "tickets", "shown", "open", "written", "bear our tags",
        "compared", "wrong", "cost", "per ticket", "per written", "s", "tickets/s",
    )  # fmt: skip
    rows = [
        (
            one.scene.helpdesk, one.scene.mode, one.name, one.tickets, one.shown, one.open,
            one.written, one.tagged, one.compared, one.wrong, one.cost,
            _ratio(one.cost, one.tickets), _ratio(one.cost, one.written), one.seconds,
            one.tickets / one.seconds,
        )
        for one in found
    ]  # fmt: skip
    return "\n".join(
        ["What it costs: calls on Zendesk, credits on Freshdesk", "", table(head, rows)]
    )


def _ratio(cost: int, tickets: int) -> str:
    return f"{cost / tickets:.4f}" if tickets else "-"


def _uses(found: Sequence[Use]) -> str:
    head = (
        "helpdesk", "backfill", "windows", "minute s", "limit", "ours a minute",
        "used of it %", "429", "after refusal", "other errors",
    )  # fmt: skip
    rows = [
        (
            one.scene.helpdesk, one.name, one.scene.windows, one.scene.minute_seconds,
            one.bucket.name, one.bucket.ours, None if one.share is None else 100 * one.share,
            one.counts.refused, one.counts.after_refusal, one.counts.failed,
        )
        for one in found
    ]  # fmt: skip
    title = "What is used of the limit that binds, after the reserve for other tools"
    return "\n".join([title, "", table(head, rows)])


def _calls(found: Sequence[Outcome]) -> str:
    rows = [
        (one.scene.helpdesk, one.name, name, count)
        for one in found
        for name, count in one.counts.endpoints.items()
    ]
    return table(("helpdesk", "backfill", "call", "times"), rows)
