"""Under every kind of window: never a refusal that is our fault, and nearly all of our share."""

import heapq
import math
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.http import Charge, Figure
from connector.store.metering import UNLIMITED, Meter

MINUTE = 60.0
CALL = Charge(bucket="account")


@dataclass
class Vendor:
    """A helpdesk's limit; what it counts is not what it tells."""

    windows: str
    limit: int
    phase: float = 0.0
    calls: list[tuple[float, int]] = field(default_factory=list)
    began: float = -math.inf
    refused: int = 0

    def used(self, at: float) -> int:
        if self.windows == "sliding":
            since = at - MINUTE
        elif self.windows == "aligned":
            since = at - (at - self.phase) % MINUTE
        else:
            if at >= self.began + MINUTE:
                self.began = at
            since = self.began
        self.calls = [one for one in self.calls if one[0] >= at - MINUTE]
        return sum(cost for made, cost in self.calls if made >= since)

    def take(self, at: float, cost: int) -> int | None:
        """Calls left; None: refused."""
        used = self.used(at)
        if used + cost > self.limit:
            self.refused += 1
            return None
        self.calls.append((at, cost))
        return self.limit - used - cost

    def resets(self, at: float) -> int:
        if self.windows == "sliding":
            return math.ceil(self.calls[-1][0] + MINUTE - at)
        began = self.began if self.windows == "fixed" else at - (at - self.phase) % MINUTE
        return math.ceil(began + MINUTE - at)


@dataclass
class World:
    """A helpdesk, our clients and the customer's other tools, in a time of their own."""

    vendor: Vendor
    meter: Meter
    charge: Charge
    reserve: float
    tells: str
    seed: int = 0
    made: int = 0

    def run(
        self, clients: int, others: list[float], seconds: float, *, greedy: bool = False
    ) -> None:
        chance = random.Random(self.seed)
        events: list[tuple[float, int, str, object]] = []
        number = 0

        def then(at: float, kind: str, what: object = None) -> None:
            nonlocal number
            number += 1
            heapq.heappush(events, (at, number, kind, what))

        for at in others:
            then(at, "other")
        for client in range(clients):
            then(client * 0.003, "try")
        while events and events[0][0] < seconds:
            at, _, kind, what = heapq.heappop(events)
            if kind == "other":
                let_in = self.vendor.take(at, 1) is not None
                assert let_in or greedy, "they stay within the reserve, and we within our share"
                self.vendor.refused -= 0 if let_in else 1
            elif kind == "try":
                wait = self.meter.wait(self.charge, self.reserve, at)
                if wait > 0:
                    then(at + max(wait, 0.05), "try")
                    continue
                self.meter = self.meter.taken(self.charge, at)
                then(at + chance.uniform(0.01, 0.4), "arrive")
            elif kind == "arrive":
                left = self.vendor.take(at, self.charge.cost)
                self.made += 0 if left is None else self.charge.cost
                then(at + chance.uniform(0.01, 0.4), "answer", self.told(left or 0, at))
            elif isinstance(what, Figure):
                self.meter = self.meter.learned(what, at)
                then(at, "try")

    def told(self, left: int, at: float) -> Figure:
        known = {"bucket": "account", "allowance": self.vendor.limit}
        if self.tells == "nothing":
            return Figure(bucket="account")
        if self.tells == "remaining":
            return Figure(**known, remaining=left)
        return Figure(**known, remaining=left, resets=float(self.vendor.resets(at)))


def other_tools(pattern: str, calls: int, seconds: float) -> list[float]:
    """Calls of others: never more than `calls` within any minute."""
    if calls <= 0:
        return []
    if pattern == "bursts":
        turns = [turn * (MINUTE + 0.01) + 7.0 for turn in range(int(seconds / MINUTE))]
        return [at + number * 0.0001 for at in turns for number in range(calls)]
    step = MINUTE / calls + 0.01
    return [step * number for number in range(1, int(seconds / step))]


@settings(max_examples=40)
@given(
    windows=st.sampled_from(["fixed", "aligned", "sliding"]),
    tells=st.sampled_from(["all", "remaining", "nothing"]),
    limit=st.integers(10, 250),
    reserve=st.sampled_from([0.1, 0.2, 0.4]),
    cost=st.integers(1, 3),
    clients=st.integers(1, 8),
    phase=st.floats(0, 59),
    pattern=st.sampled_from(["none", "steady", "bursts"]),
    seed=st.integers(0, 1000),
)
def test_no_refusal_and_nearly_all_of_our_share(
    windows, tells, limit, reserve, cost, clients, phase, pattern, seed
):
    minutes = 6
    charge = Charge(bucket="account", cost=cost, allowance=limit)
    share = Meter(length=MINUTE).share(charge, reserve)
    spare = limit - max(share, cost)
    world = World(Vendor(windows, limit, phase), Meter(length=MINUTE), charge, reserve, tells, seed)
    calls = 0 if pattern == "none" else min(int(limit * reserve), spare)
    others = other_tools(pattern, calls, minutes * MINUTE)
    world.run(clients, others, minutes * MINUTE)

    assert world.vendor.refused == 0
    margin = max(1, limit // 100) + 1  # what is never taken, and what the others round to
    usable = (max(share, cost) - (margin if calls and tells != "nothing" else 0)) // cost * cost
    reachable = 0.9 * clients * cost * MINUTE / 0.41  # a call takes 0.41 s on average
    assert world.made >= 0.9 * min(usable, reachable) * minutes


@settings(max_examples=40)
@given(
    windows=st.sampled_from(["fixed", "aligned", "sliding"]),
    idle=st.floats(0, 200),
    seed=st.integers(0, 1000),
)
def test_calls_that_trickled_leave_no_room_for_a_burst(windows, idle, seed):
    """A slow minute and a burst after it share one window of a helpdesk whose windows slide."""
    charge = Charge(bucket="account", allowance=100)
    vendor, meter = Vendor(windows, 100, idle % 60), Meter(length=MINUTE)
    at = idle
    for _ in range(60):
        at += 1.0
        assert meter.wait(charge, 0.2, at) == 0
        meter = meter.taken(charge, at)
        assert vendor.take(at, 1) is not None
    burst = 0
    while meter.wait(charge, 0.2, at) == 0:
        meter = meter.taken(charge, at)
        assert vendor.take(at, 1) is not None
        burst += 1
    assert burst == 20


@pytest.mark.parametrize("windows", ["fixed", "aligned", "sliding"])
@pytest.mark.parametrize("tells", ["all", "remaining"])
def test_other_tools_that_take_more_than_their_reserve_are_made_way_for(windows, tells):
    """Of 100 calls they take 60, not 20. At most the calls that crossed with an answer fail."""
    minutes = 6
    world = World(Vendor(windows, 100, 13.0), Meter(length=MINUTE), CALL, 0.2, tells)
    world.run(4, other_tools("steady", 60, minutes * MINUTE), minutes * MINUTE, greedy=True)

    assert world.vendor.refused <= 4 * minutes
    assert world.made >= 0.7 * 39 * minutes


def test_at_the_turn_of_a_window_one_call_asks_what_is_left():
    empty = Meter(length=MINUTE).learned(
        Figure(bucket="account", allowance=100, remaining=1, resets=20.0), 10.0
    )
    assert empty.wait(CALL, 0.2, 10.0) == 20.0
    assert empty.wait(CALL, 0.2, 30.0) == 0

    asking = empty.taken(CALL, 30.0)
    assert asking.wait(CALL, 0.2, 30.0) == pytest.approx(1.0)
    assert asking.wait(CALL, 0.2, 31.0) == 0  # no answer came; the next one asks

    told = asking.learned(Figure(bucket="account", remaining=99, resets=60.0), 30.1)
    assert told.room(CALL, 0.2, 30.2)[0] == 79


def test_after_a_refusal_one_call_asks_what_is_left():
    told = Meter(length=MINUTE).learned(Figure(bucket="account", allowance=100, remaining=5), 10.0)
    refused = told.refused(30.0, 20.0)
    assert refused.wait(CALL, 0.2, 20.0) == 30.0
    # an answer that was on its way says nothing about what is left after the refusal
    late = refused.learned(Figure(bucket="account", remaining=50), 21.0)
    assert late.wait(CALL, 0.2, 21.0) == 29.0
    asking = late.taken(CALL, 50.0)
    assert asking.wait(CALL, 0.2, 50.0) > 0


@pytest.mark.parametrize(("seconds", "wait"), [(0.0, 1.0), (-5.0, 1.0), (37.0, 37.0), (1e9, 3600)])
def test_a_refusal_lasts_as_long_as_was_asked_but_never_absurdly(seconds, wait):
    assert Meter(length=MINUTE).refused(seconds, 100.0).wait(CALL, 0.2, 100.0) == wait


def test_a_later_refusal_does_not_shorten_an_earlier_one():
    assert Meter(length=MINUTE).refused(60.0, 0.0).refused(5.0, 1.0).wait(CALL, 0.2, 1.0) == 59.0


def test_without_any_figure_everything_is_allowed():
    assert Meter(length=MINUTE).room(CALL, 0.2, 0.0) == (UNLIMITED, 0.0)


@pytest.mark.parametrize("allowance", [1, 2, 3])
@pytest.mark.parametrize("cost", [1, 5])
def test_a_share_that_rounds_to_nothing_still_allows_one_call_a_window(allowance, cost):
    charge = Charge(bucket="account", cost=cost, allowance=allowance)
    meter = Meter(length=MINUTE)
    assert meter.room(charge, 0.9, 0.0)[0] == 1
    meter = meter.taken(charge, 0.0)
    times, wait = meter.room(charge, 0.9, 1.0)
    assert times == 0
    assert 59.0 < wait < 63.0
    assert meter.wait(charge, 0.9, 63.0) == 0


@pytest.mark.parametrize(
    ("allowance", "share", "reserve", "ours"),
    [(400, 1.0, 0.2, 320), (100, 0.25, 0.2, 25), (100, 0.25, 0.9, 10), (10, 1.0, 0.2, 8)],
)
def test_the_smaller_of_two_shares_holds(allowance, share, reserve, ours):
    charge = Charge(bucket="x", allowance=allowance, share=share)

    assert Meter(length=MINUTE).share(charge, reserve) == ours


def test_what_an_answer_told_comes_before_what_was_assumed():
    meter = Meter(length=MINUTE).learned(Figure(bucket="x", allowance=20), 0.0)

    assert meter.share(Charge(bucket="x", allowance=100, share=0.25), 0.2) == 5


def test_a_clock_that_is_put_back_holds_nothing_up():
    charge = Charge(bucket="account", allowance=10)
    meter = Meter(length=MINUTE)
    for _ in range(8):
        meter = meter.taken(charge, 1_000_000.0)
    blocked = meter.learned(Figure(bucket="account", remaining=0), 1_000_000.0)
    blocked = blocked.refused(60.0, 1_000_000.0)

    assert blocked.wait(charge, 0.2, 900_000.0) == 0


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["take", "learn", "refuse"]),
            st.floats(-100, 4000),
            st.integers(0, 10**12),
        ),
        max_size=40,
    )
)
def test_no_figures_stop_us_for_good(steps):
    """Whatever was told: within an hour a call may be made."""
    meter, at = Meter(length=MINUTE), 1_000_000.0
    for kind, seconds, number in steps:
        at += max(0.0, seconds)
        if kind == "take":
            meter = meter.taken(CALL, at)
        elif kind == "learn":
            figure = Figure(
                bucket="x", allowance=number or None, remaining=number, resets=abs(seconds)
            )
            meter = meter.learned(figure, at)
        else:
            meter = meter.refused(seconds, at)
        assert meter.wait(CALL, 0.2, at + 3600.0) == 0
        assert len(meter.recent) <= 130
