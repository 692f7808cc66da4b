"""How long it takes from an accepted webhook to the fields that stand in the ticket, and the memory
that web and worker take meanwhile."""

import sqlite3
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from statistics import quantiles

from sqlalchemy import select
from tqdm import tqdm

from benchmarks.running import Workshop
from benchmarks.stage import ACCOUNT, Scene, Stage
from benchmarks.tables import table
from connector.store.tables import ticket

PER_SECOND = 20
PATIENCE_SECONDS = 60.0
WATCH_SECONDS = 0.01
MEMORY_SECONDS = 0.2
WARM_UP = 20  # tickets before the measurement, so that start-up is not measured


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One measurement."""

    scene: Scene
    aim_seconds: float | None = None


CASES = {
    "zendesk": Case(
        scene=Scene(helpdesk="zendesk", mode="own_fields", time_zone="Europe/London"),
        aim_seconds=1.0,
    ),
    "freshdesk": Case(
        scene=Scene(helpdesk="freshdesk", mode="native", time_zone="Europe/London"),
    ),
    "zendesk-slow-jobs": Case(
        scene=Scene(
            helpdesk="zendesk", mode="own_fields", time_zone="Europe/London", job_seconds=5.0
        ),
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Latency:
    """What one measurement came to. `seconds` are the times from accepted to visible, sorted."""

    case: Case
    created: int
    rate: float
    seconds: Sequence[float]
    web_bytes: int
    worker_bytes: int


class Watcher(threading.Thread):
    """Notes when our tags first stand in a ticket, by reading the sandbox's file.

    The file is read and not the API, so that watching does not slow what is watched; what is
    committed there is what the API shows.
    """

    def __init__(self, stage: Stage) -> None:
        super().__init__(name="watcher", daemon=True)
        self._file = stage.sandbox_file
        self._lock = threading.Lock()
        self._waiting: set[int] = set()
        self.visible: dict[int, float] = {}
        self._ended = threading.Event()

    def expect(self, ticket_id: int) -> None:
        """Watch this ticket too."""
        with self._lock:
            self._waiting.add(ticket_id)

    @property
    def waiting(self) -> int:
        """How many tickets have not been written yet."""
        return len(self._waiting)

    def end(self) -> None:
        """Stop watching."""
        self._ended.set()
        self.join()

    def run(self) -> None:
        """Watch until the end."""
        uri = f"file:{self._file}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5)) as file:
            while not self._ended.wait(WATCH_SECONDS):
                self._look(file)

    def _look(self, file: sqlite3.Connection) -> None:
        with self._lock:
            wanted = sorted(self._waiting)[:900]
        if not wanted:
            return
        marks = ",".join("?" * len(wanted))
        query = f"SELECT id FROM objects WHERE kind='ticket' AND id IN ({marks}) AND doc LIKE ?"
        found = [row[0] for row in file.execute(query, (*wanted, '%"sla_sev%'))]
        at = time.time()
        with self._lock:
            self._waiting.difference_update(found)
        self.visible.update(dict.fromkeys(found, at))


class Memory(threading.Thread):
    """The largest resident memory of web and worker."""

    def __init__(self, workshop: Workshop) -> None:
        super().__init__(name="memory", daemon=True)
        self._workshop = workshop
        self._ended = threading.Event()
        self.peaks = {"web": 0, "worker": 0}

    def end(self) -> None:
        """Stop looking."""
        self._ended.set()
        self.join()

    def run(self) -> None:
        """Look until the end."""
        while not self._ended.wait(MEMORY_SECONDS):
            for name, before in self.peaks.items():
                self.peaks[name] = max(before, self._workshop.resident_bytes(name))


def measure(case: Case, *, seconds: float) -> Latency:
    """Create tickets at a steady rate, and note when each is accepted and when it is written."""
    with Workshop() as workshop:
        stage = Stage(workshop, case.scene)
        stage.start_sandbox()
        stage.start_deskclock()
        watcher, memory = Watcher(stage), Memory(workshop)
        watcher.start()
        memory.start()
        try:
            _create(stage, watcher, WARM_UP, "warming up")
            _await(watcher)
            begun = time.monotonic()
            ids = _create(stage, watcher, int(seconds * PER_SECOND), case.scene.helpdesk)
            rate = len(ids) / (time.monotonic() - begun)
            _await(watcher)
        finally:
            watcher.end()
            memory.end()
        accepted = _accepted(stage)
        times = sorted(
            watcher.visible[one] - accepted[str(one)] for one in ids if one in watcher.visible
        )
        return Latency(
            case=case,
            created=len(ids),
            rate=rate,
            seconds=times,
            web_bytes=memory.peaks["web"],
            worker_bytes=memory.peaks["worker"],
        )


def _create(stage: Stage, watcher: Watcher, count: int, text: str) -> list[int]:
    """Create tickets at the steady rate, however long one takes."""

    def one(number: int) -> int:
        new = {"subject": f"Ticket {number}", "requester": f"customer{number % 50}@sandbox.test"}
        ticket_id = int(stage.helpdesk.control("POST", "tickets", new)["id"])
        watcher.expect(ticket_id)
        return ticket_id

    begun, made = time.monotonic(), []
    with ThreadPoolExecutor(8) as pool:
        for number in tqdm(range(count), desc=text, leave=False, disable=None):
            time.sleep(max(0.0, begun + number / PER_SECOND - time.monotonic()))
            made.append(pool.submit(one, number))
        return [future.result() for future in made]


def _await(watcher: Watcher) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while watcher.waiting and time.monotonic() < until:
        time.sleep(0.05)


def _accepted(stage: Stage) -> dict[str, float]:
    """When the first delivery about a ticket was taken in, just before its commit."""
    query = select(ticket.c.ticket_id, ticket.c.created).where(ticket.c.account == ACCOUNT)
    with stage.database.read() as conn:
        return {row.ticket_id: row.created for row in conn.execute(query)}


def report(found: Sequence[Latency], seconds: float) -> str:
    """The table of all measurements."""
    rows = [
        (
            one.case.scene.helpdesk,
            f"{one.case.scene.job_seconds:g} s" if one.case.scene.helpdesk == "zendesk" else "-",
            one.created,
            len(one.seconds),
            one.rate,
            _percentile(one.seconds, 50),
            _percentile(one.seconds, 99),
            f"< {one.case.aim_seconds:g} s" if one.case.aim_seconds else "-",
            one.web_bytes / 1e6,
            one.worker_bytes / 1e6,
        )
        for one in found
    ]
    head = ("helpdesk", "job takes", "tickets", "written", "per s", "p50 s", "p99 s", "p99 aim")
    return "\n".join(
        [
            f"From webhook accepted to fields visible, no limits, {PER_SECOND} tickets a second "
            f"for {seconds:.0f} s; peak resident memory of the processes meanwhile",
            "",
            table((*head, "web MB", "worker MB"), rows),
        ]
    )


def _percentile(ordered: Sequence[float], percent: int) -> float | None:
    return quantiles(ordered, n=100)[percent - 1] if len(ordered) > 1 else None
