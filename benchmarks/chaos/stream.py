"""People at work: customers and agents of several helpdesks, as one seed has them act."""

import random
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tqdm import tqdm

from benchmarks.chaos.stage import Account
from benchmarks.chaos.trial import Trial

ACTS = {
    "create": 20, "agent reply": 22, "customer reply": 14, "note": 6, "priority": 14,
    "status": 12, "solve": 12,
}  # fmt: skip
PRIORITIES = ("low", "normal", "high", "urgent")
STATUSES = {"zendesk": ("open", "pending", "hold"), "freshdesk": ("open", "pending")}
RECENT = 40  # tickets of an account that people still speak about
# Nobody touches a ticket so soon: one whose latest change is at most 2 s younger than itself is new
# to deskclock, which does not ask for its past.
QUIET_SECONDS = 4.0
HOLE_SHARE = 0.02  # of the events begin a stretch whose webhooks are all lost
HOLE_EVENTS = 3
CLOCK_EVENTS = 25  # after about so many events the clocks are moved on
CLOCK_MINUTES = (5.0, 45.0)
DUPLICATES, REORDERED, REORDER_SECONDS = 0.1, 0.2, 2.0


@dataclass(kw_only=True, slots=True)
class _Desk:
    """What people know of one helpdesk: its latest tickets, and which have been answered."""

    account: Account
    tickets: list[int] = field(default_factory=list)
    #: the event that created each of them
    created: list[int] = field(default_factory=list)
    answered: set[int] = field(default_factory=set)
    #: events whose webhooks are still to be lost
    hole: int = 0


class People:
    """Acts out a trial's events; the same seed gives the same acts in the same order."""

    def __init__(self, trial: Trial, accounts: list[Account]) -> None:
        self._trial = trial
        self._desks = [_Desk(account=one) for one in accounts]
        self._random = random.Random(trial.seed)
        self.acts: Counter[str] = Counter()

    def work(self, before: Callable[[int], None]) -> None:
        """Do everything, as evenly spread over the seconds of the trial as `before` leaves time.

        `before` is called with the number of the act that comes next.
        """
        for one in self._desks:
            self._disturb(one)
        begun, pace = time.monotonic(), self._trial.seconds / self._trial.events
        for number in tqdm(range(self._trial.events), desc="events", leave=False, disable=None):
            time.sleep(max(0.0, begun + number * pace - time.monotonic()))
            before(number)
            if self._random.random() < 1 / CLOCK_EVENTS:
                self._move_clocks()
            desk = self._random.choice(self._desks)
            if not desk.hole and self._random.random() < HOLE_SHARE:
                desk.hole = HOLE_EVENTS
                self._disturb(desk)
            self._act(desk, number)
            if desk.hole:
                desk.hole -= 1
                self.acts["told to nobody"] += 1
                if not desk.hole:
                    self._disturb(desk)
        for one in self._desks:
            one.hole = 0
            self._disturb(one)

    def _act(self, desk: _Desk, number: int) -> None:
        known = self._known(desk, number)
        act = self._random.choices(list(ACTS), list(ACTS.values()))[0] if known else "create"
        self.acts[act] += 1
        if act == "create":
            self._create(desk, number)
            return
        ticket = self._random.choice(known)
        kind = desk.account.helpdesk.kind
        match act:
            case "agent reply":
                self._say(desk, ticket, number, by="agent")
            case "customer reply":
                self._say(desk, ticket, number, by="customer")
            case "note":
                self._control(desk, f"tickets/{ticket}/note", {"body": f"A note, {number}."})
            case "priority":
                self._set(desk, ticket, priority=self._random.choice(PRIORITIES))
            case "status":
                self._set(desk, ticket, status=self._random.choice(STATUSES[kind]))
            case "solve":
                # Freshdesk forgets a solve at the reopen, and a solve can be the first response
                if ticket not in desk.answered:
                    self._say(desk, ticket, number, by="agent")
                self._set(desk, ticket, status="solved" if kind == "zendesk" else "resolved")

    def _known(self, desk: _Desk, number: int) -> list[int]:
        """The tickets that people speak about; by events and not by time, which no seed repeats."""
        quiet = QUIET_SECONDS * self._trial.events / self._trial.seconds
        old = bisect_right(desk.created, number - quiet)
        return desk.tickets[max(0, old - RECENT) : old]

    def _create(self, desk: _Desk, number: int) -> None:
        new = {
            "subject": f"Ticket {number}",
            "requester": f"customer{self._random.randrange(50)}@sandbox.test",
            "priority": self._random.choice(PRIORITIES),
            "channel": self._random.choice(("web", "email")),
        }
        desk.tickets.append(int(self._control(desk, "tickets", new)["id"]))
        desk.created.append(number)

    def _say(self, desk: _Desk, ticket: int, number: int, *, by: str) -> None:
        if by == "agent":
            desk.answered.add(ticket)
        said = {"as": by, "public": True, "body": f"This is message {number}."}
        self._control(desk, f"tickets/{ticket}/reply", said)

    def _set(self, desk: _Desk, ticket: int, **values: str) -> None:
        self._control(desk, f"tickets/{ticket}", values)

    def _disturb(self, desk: _Desk) -> None:
        disturbance = {
            "off": desk.hole > 0,
            "duplicate": DUPLICATES,
            "reorder": REORDERED,
            "reorder_seconds": REORDER_SECONDS,
        }
        self._control(desk, "deliveries/faults", disturbance)

    def _move_clocks(self) -> None:
        seconds = 60.0 * self._random.uniform(*CLOCK_MINUTES)
        self.acts["clock moved"] += 1
        for desk in self._desks:
            self._control(desk, "clock", {"advance_seconds": seconds})

    @staticmethod
    def _control(desk: _Desk, path: str, document: dict[str, Any]) -> Any:
        return desk.account.helpdesk.control("POST", path, document)
