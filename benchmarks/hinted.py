"""What tickets cost that webhooks tell of: calls for each change, and reads of the past."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import requests
from tqdm import tqdm

from benchmarks.running import BenchmarkError, Workshop
from benchmarks.stage import Scene, Stage
from benchmarks.tables import table
from benchmarks.traffic import Counts, Watch

CALLERS = 8
REPLY_AFTER_SECONDS = 10.0  # a ticket that is answered was looked at and written by then
PATIENCE_SECONDS = 180.0
LOOK_SECONDS = 0.5
AUDITS = "GET /tickets/{ticket_id}/audits"


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What one run came to."""

    scene: Scene
    seconds: float
    #: what people did: tickets that were opened, first public replies of agents
    opened: int
    replied: int
    #: tickets that bear our tags at the end
    tagged: int
    counts: Counts
    #: webhooks that the helpdesk sent
    deliveries: int

    @property
    def looks(self) -> int:
        """Changes that people made, each of which is to be looked at."""
        return self.opened + self.replied

    @property
    def reads_of_past(self) -> int:
        """Reads of what happened to a ticket before."""
        return self.counts.endpoints.get(AUDITS, 0)

    @property
    def cost(self) -> int:
        """Calls, or credits on Freshdesk, but for reads of the past."""
        if self.scene.helpdesk == "freshdesk":
            return self.counts.credits
        return len(self.counts.calls) - self.reads_of_past


def measure(scene: Scene, *, seconds: float, per_second: float) -> Told:
    """Have people work at a steady rate: open tickets, and on Zendesk answer them.

    On Freshdesk a scene that does not tell of every change has automation rules instead. Raises
    `BenchmarkError`.
    """
    with Workshop() as workshop:
        stage = Stage(workshop, scene)
        stage.start_sandbox()
        if scene.helpdesk == "freshdesk" and not scene.tells:
            stage.add_rules()
        stage.start_deskclock(clock_check_seconds=60.0)
        _await_introduction(stage)
        watch = Watch(stage.helpdesk)
        watch.start()
        people = _People(stage, per_second, replies=scene.helpdesk == "zendesk")
        lasted = people.work(seconds)
        _await_end(stage, people.opened)
        counts = watch.end()
        # a delivery of its own for every change, ours too; the log tells all of them
        sent = stage.helpdesk.control("GET", "deliveries?limit=100000")["deliveries"]
        return Told(
            scene=scene,
            seconds=lasted,
            opened=people.opened,
            replied=people.replied,
            tagged=stage.tagged(),
            counts=counts,
            deliveries=len(sent),
        )


class _People:
    """Customers who open tickets and agents who answer each of them once."""

    def __init__(self, stage: Stage, per_second: float, *, replies: bool) -> None:
        self._stage = stage
        self._per_second = per_second
        self._replies = replies
        self._made: list[tuple[float, Future[int]]] = []
        self.replied = 0

    @property
    def opened(self) -> int:
        """How many tickets they have opened."""
        return len(self._made)

    def work(self, seconds: float) -> float:
        """Do one thing after the other at the steady rate; the seconds that it took."""
        begun, pending = time.monotonic(), list[Future[int]]()
        with ThreadPoolExecutor(CALLERS) as pool:
            count = int(seconds * self._per_second)
            for number in tqdm(range(count), desc="people", leave=False, disable=None):
                time.sleep(max(0.0, begun + number / self._per_second - time.monotonic()))
                pending.append(pool.submit(self._next(number)))
            for one in pending:
                one.result()
        return time.monotonic() - begun

    def _next(self, number: int) -> Callable[[], int]:
        ready = self.replied < len(self._made) and (
            time.monotonic() - self._made[self.replied][0] > REPLY_AFTER_SECONDS
        )
        if self._replies and number % 2 and ready:
            made = self._made[self.replied][1]
            self.replied += 1
            return lambda: self._reply(made.result())
        future: Future[int] = Future()
        self._made.append((time.monotonic(), future))
        return lambda: self._open(number, future)

    def _open(self, number: int, future: Future[int]) -> int:
        new = {"subject": f"Ticket {number}", "requester": f"customer{number % 50}@sandbox.test"}
        try:
            future.set_result(int(self._stage.helpdesk.control("POST", "tickets", new)["id"]))
        except (BenchmarkError, requests.RequestException) as error:
            future.set_exception(error)
        return future.result()

    def _reply(self, ticket_id: int) -> int:
        said = {"as": "agent", "body": "We are looking into it.", "public": True}
        self._stage.helpdesk.control("POST", f"tickets/{ticket_id}/reply", said)
        return ticket_id


def _await_introduction(stage: Stage) -> None:
    """Until the worker has read the account's fields: it does so once, whatever comes."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if stage.helpdesk.control("GET", "requests")["counts"].get("GET /ticket_fields"):
            time.sleep(LOOK_SECONDS)
            return
        time.sleep(LOOK_SECONDS)
    raise BenchmarkError("the worker did not read the account's fields")


def _await_end(stage: Stage, tickets: int) -> None:
    """Until nothing is on its way, three looks in a row."""
    until, quiet = time.monotonic() + PATIENCE_SECONDS, 0
    while quiet < 3:
        seen = stage.progress()
        pending = stage.helpdesk.control("GET", "deliveries?limit=1")["pending"]
        quiet = quiet + 1 if seen.known >= tickets and not seen.busy and not pending else 0
        if time.monotonic() > until:
            raise BenchmarkError(f"it does not come to an end: {seen}, of {tickets} tickets")
        time.sleep(LOOK_SECONDS)


def report(found: Sequence[Told]) -> str:
    """The table of some runs."""
    head = (
        "helpdesk", "our writes told", "policy", "mode", "minute s", "changes/s", "opened",
        "replied", "bear our tags", "cost", "per change", "reads of the past", "webhooks", "429",
        "after refusal",
    )  # fmt: skip
    rows = [
        (
            one.scene.helpdesk, "yes" if one.scene.tells else "no", one.scene.policy,
            one.scene.mode, one.scene.minute_seconds, one.looks / one.seconds, one.opened,
            one.replied, one.tagged, one.cost, f"{one.cost / one.looks:.4f}",
            one.reads_of_past, one.deliveries, one.counts.refused, one.counts.after_refusal,
        )
        for one in found
    ]  # fmt: skip
    calls = [
        (one.scene.helpdesk, name, count)
        for one in found
        for name, count in one.counts.endpoints.items()
    ]
    title = "Told by webhooks: calls on Zendesk, credits on Freshdesk, but for reads of the past"
    return "\n".join(
        [title, "", table(head, rows), "", table(("helpdesk", "call", "times"), calls)]
    )
