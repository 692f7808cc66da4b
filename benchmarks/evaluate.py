"""How many tickets one core evaluates in a second, and where the time goes."""

import gc
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from random import Random
from statistics import median
from types import FrameType
from typing import Any

from app import field_mapping
from benchmarks.logs import LogError, read_log
from benchmarks.running import BenchmarkError
from benchmarks.tables import table
from connector.helpdesks import translator
from connector.store.documents import find_contracts, find_policy
from mappings.answer import as_json
from mappings.evaluate import evaluate
from mappings.policy import Policy
from mappings.ticket import Ticket
from sandbox.application import create_sandbox
from sandbox.histories import Actor, Event, EventKind, History

HELPDESK = "zendesk"  # its audits tell a ticket's whole past
POLICY = "user-support"
ZONE = "Europe/London"
#: where the public logs are laid beside the checkout; without them only our own tickets are asked
LOGS = Path(__file__).resolve().parents[2] / "shared" / "data"
NO_DATA_DIR = Path("there-is-none")
SAMPLED_EVERY = 0.001  # seconds of CPU time
_SIGN_IN = ("agent@sandbox.test/token", "sandbox")


@dataclass(frozen=True, kw_only=True, slots=True)
class Lot:
    """Tickets of one kind, and the instants at which they are judged."""

    name: str
    policy: Policy
    tickets: Sequence[Ticket]
    #: one for each ticket
    instants: Sequence[datetime]
    #: the tickets as the vendor's API shows them, a line each
    lines: Sequence[str]


def measure(*, quick: bool) -> str:
    """The figures as tables."""
    cases, rounds = (100, 3) if quick else (300, 5)
    shipped = sorted(Path(str(files("mappings") / "policies")).glob("*.yaml"))
    policies = {one.stem: _policy(one.stem, ZONE) for one in shipped}
    own = [_lot(name, made, policies[POLICY]) for name, made in _own_histories(cases).items()]
    mix, logs = own[-1], _log_lots(cases)
    gc.collect()
    gc.freeze()  # what was made so far is no part of an evaluation
    head = ("tickets", "changes each", "evaluate/s", "with explanation/s", "JSON to JSON/s")
    rows = [_figures(lot, rounds) for lot in (*own, *logs)]
    by_policy = [
        (name, *_figures(_under(policy, mix), rounds)[2:]) for name, policy in policies.items()
    ]
    return "\n\n".join(
        [
            f"Tickets per second of CPU time in one thread, policy {POLICY}, medians of {rounds}",
            table(head, rows),
            f"{mix.name}, by policy",
            table(("policy", *head[2:]), by_policy),
            "Shares of the CPU time, by the module whose line was running",
            _shares([mix, *logs], seconds=0.5 if quick else 1.5),
        ]
    )


def _figures(lot: Lot, rounds: int) -> tuple[object, ...]:
    tasks = [task for _, task in _tasks(lot)]
    found = [[_rate(task, len(lot.tickets)) for task in tasks] for _ in range(rounds)]
    changes = sum(len(one.changes) + len(one.replies) for one in lot.tickets) / len(lot.tickets)
    return (lot.name, changes, *(median(each) for each in zip(*found, strict=True)))


def _tasks(lot: Lot) -> list[tuple[str, Callable[[], None]]]:
    """What is measured: each is done with every ticket of the lot."""
    pairs = list(zip(lot.tickets, lot.instants, strict=True))
    mapping, read = field_mapping(HELPDESK, None), translator(HELPDESK)

    def alone() -> None:
        for ticket, at in pairs:
            evaluate(ticket, lot.policy, at)

    def explained() -> None:
        for ticket, at in pairs:
            as_json(evaluate(ticket, lot.policy, at))

    def as_the_command_does() -> None:
        for line, at in zip(lot.lines, lot.instants, strict=True):
            for ticket in read(json.loads(line), mapping):
                json.dumps(as_json(evaluate(ticket, lot.policy, at)))

    return [("evaluate", alone), ("with explanation", explained), ("JSON", as_the_command_does)]


def _rate(task: Callable[[], None], tickets: int) -> float:
    begun = time.process_time()
    task()
    return tickets / (time.process_time() - begun)


def _under(policy: Policy, lot: Lot) -> Lot:
    return Lot(
        name=lot.name,
        policy=policy,
        tickets=lot.tickets,
        instants=lot.instants,
        lines=lot.lines,
    )


# --- where the time goes -------------------------------------------------------------------------


def _shares(lots: Sequence[Lot], seconds: float) -> str:
    """A table of modules; a column for each thing that is measured, over all lots alike."""
    columns: dict[str, Counter[str]] = {}
    for lot in lots:
        for name, task in _tasks(lot):
            with _sampled(columns.setdefault(name, Counter())):
                ends_at = time.process_time() + seconds
                while time.process_time() < ends_at:
                    task()
    modules = sorted(
        {module for found in columns.values() for module in found},
        key=lambda module: -sum(found[module] / found.total() for found in columns.values()),
    )
    rows = [
        (module, *(f"{found[module] / found.total():.1%}" for found in columns.values()))
        for module in modules[:16]
    ]
    return table(("module", *columns), rows)


@contextmanager
def _sampled(found: Counter[str]) -> Iterator[None]:
    """Count, once a millisecond of CPU time, the module in which the program is."""

    def look(_number: int, frame: FrameType | None) -> None:
        found[_module(frame)] += 1

    before = signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, SAMPLED_EVERY, SAMPLED_EVERY)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _module(frame: FrameType | None) -> str:
    """The innermost module of ours: what the standard library does is done for it."""
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        is_made = frame.f_code.co_filename == "<string>"  # what `dataclass` writes, for its caller
        if name.startswith(("mappings.", "connector.")) and not is_made:
            return name
        if name.startswith("json"):
            return "json"
        frame = frame.f_back
    return "the benchmark"


# --- the tickets ---------------------------------------------------------------------------------

_WEEK = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
#: what happens to a ticket of each kind: hours after its report, and what
_LIVES: dict[str, tuple[tuple[float, EventKind, Actor, str], ...]] = {
    "open, nothing happened": (),
    "answered once": ((0.8, EventKind.COMMENT, Actor.AGENT, "A look is being taken."),),
    "answered and waiting": (
        (1.5, EventKind.COMMENT, Actor.AGENT, "Which version is it?"),
        (1.5, EventKind.STATUS, Actor.AGENT, "pending"),
    ),
    "asked back, then solved": (
        (0.5, EventKind.COMMENT, Actor.AGENT, "Which version is it?"),
        (0.5, EventKind.STATUS, Actor.AGENT, "pending"),
        (4.0, EventKind.COMMENT, Actor.CUSTOMER, "The newest."),
        (4.0, EventKind.STATUS, Actor.CUSTOMER, "open"),
        (7.0, EventKind.COMMENT, Actor.AGENT, "It is mended."),
        (7.0, EventKind.STATUS, Actor.AGENT, "solved"),
    ),
    "waits, a rise and a reopen": (
        (0.5, EventKind.COMMENT, Actor.AGENT, "Which version is it?"),
        (0.5, EventKind.STATUS, Actor.AGENT, "pending"),
        (4.0, EventKind.STATUS, Actor.CUSTOMER, "open"),
        (5.0, EventKind.PRIORITY, Actor.AGENT, "high"),
        (6.0, EventKind.STATUS, Actor.AGENT, "hold"),
        (30.0, EventKind.STATUS, Actor.AGENT, "open"),
        (31.0, EventKind.COMMENT, Actor.AGENT, "It is mended."),
        (31.0, EventKind.STATUS, Actor.AGENT, "solved"),
        (50.0, EventKind.STATUS, Actor.CUSTOMER, "open"),
        (52.0, EventKind.COMMENT, Actor.AGENT, "Now it is."),
        (52.0, EventKind.STATUS, Actor.AGENT, "solved"),
    ),
}
_MIXED = (40, 20, 15, 15, 10)  # per cent of the kinds above, in their order


def _own_histories(count: int) -> dict[str, list[History]]:
    """So many tickets of each kind, and of a mix of them."""
    dice = Random(1)
    found = {name: [_history(name, dice) for _ in range(count)] for name in _LIVES}
    kinds = dice.choices(list(_LIVES), weights=_MIXED, k=count)
    return found | {"a mix of these": [_history(name, dice) for name in kinds]}


def _history(name: str, dice: Random) -> History:
    at = _WEEK + timedelta(minutes=dice.randrange(14 * 24 * 60))
    return History(
        subject=name,
        channel=dice.choice(["email", "web"]),
        priority=dice.choice(["low", "normal", "high", "urgent"]),
        events=(
            Event(at=at, kind=EventKind.CREATED, by=Actor.CUSTOMER),
            *(
                Event(at=at + timedelta(hours=hours), kind=kind, by=by, value=value)
                for hours, kind, by, value in _LIVES[name]
            ),
        ),
    )


def _log_lots(cases: int) -> list[Lot]:
    """The logs that are there, so many cases of each, spread over all of it."""
    found = []
    for path in sorted(LOGS.glob("*.csv")):
        try:
            log = read_log(path)
        except LogError as error:
            print(f"{path.name} is left out: {error}", file=sys.stderr)
            continue
        chosen = log.histories[:: max(1, len(log.histories) // cases)][:cases]
        policy = _policy(POLICY, log.time_zone)
        found.append(_lot(path.stem[:24], chosen, policy))
    return found


def _lot(name: str, histories: Sequence[History], policy: Policy) -> Lot:
    """Each ticket is judged an hour after the last thing that happened to it."""
    lines = [json.dumps(document) for document in _documents(histories)]
    mapping, read = field_mapping(HELPDESK, None), translator(HELPDESK)
    return Lot(
        name=name,
        policy=policy,
        tickets=[ticket for line in lines for ticket in read(json.loads(line), mapping)],
        instants=[one.events[-1].at + timedelta(hours=1) for one in histories],
        lines=lines,
    )


def _documents(histories: Sequence[History]) -> Iterator[dict[str, Any]]:
    """The tickets as the sandbox's API shows them, with all their audits beside them."""
    app = create_sandbox(HELPDESK, tickets=0)
    sandbox, client = app.extensions["sandbox"], app.test_client()

    def get(path: str) -> dict[str, Any]:
        answer = client.get(f"/api/v2/tickets/{path}", auth=_SIGN_IN)
        if answer.status_code != 200:
            raise BenchmarkError(f"{path}: {answer.status_code} {answer.text[:300]}")
        found: dict[str, Any] = json.loads(answer.text)
        return found

    try:
        sandbox.clock.move_to(max(one.events[-1].at for one in histories))
        for ticket_id in sandbox.desk.load(histories):
            shown = get(f"show_many?ids={ticket_id}&include=metric_sets,users,organizations")
            audits = get(f"{ticket_id}/audits?include=users&page[size]=100")
            users = shown.pop("users") + audits["users"]
            ticket = shown.pop("tickets")[0]
            yield {**shown, "ticket": ticket, "audits": audits["audits"], "users": users}
    finally:
        sandbox.close()


def _policy(name: str, zone: str) -> Policy:
    """A shipped policy with the shipped contracts."""
    contracts, _ = find_contracts(None)
    return find_policy(name, NO_DATA_DIR, contracts, time_zone=zone)[1]
