"""One metric's clock, with pauses and excuses, by figures."""

from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from mappings.clock import (
    Course,
    Outcome,
    Span,
    State,
    Wait,
    judge,
    moved,
    reach,
    shared,
    stretches,
    threshold,
)
from mappings.hours import ALWAYS, BusinessDayMode, Schedule
from mappings.policy import Amount, Commitment, Effect
from tests.builders import LONDON, local

BUSINESS = Schedule(
    name="business", zone=ZoneInfo(LONDON), week=(((32400, 64800),),) * 5 + ((), ())
)


def at(time: str) -> datetime:
    return local(f"03-02 {time}")


def course(
    *,
    due: str | None = "14:00",
    aim: str | None = None,
    strict: bool = False,
    commitment: Commitment = Commitment.TARGET,
    schedule: Schedule = ALWAYS,
    started: bool = True,
) -> Course:
    return Course(
        start=at("10:00"),
        schedule=schedule,
        aim_at=at(aim) if aim else None,
        due_at=at(due) if due else None,
        at_risk_at=None if due is None else at(aim or "13:00"),
        strict=strict,
        commitment=commitment,
        started=started,
    )


def wait(
    start: str, end: str | None, effect: Effect = Effect.PAUSE, cause: str = "customer"
) -> Wait:
    return Wait(start=at(start), end=at(end) if end else None, cause=cause, effect=effect)


def outcome(
    waits: list[Wait], now: str, fulfilled: str | None = None, on: Course | None = None
) -> Outcome:
    return judge(on or course(), waits, at(fulfilled) if fulfilled else None, at(now))


EXCUSE, RUN = Effect.EXCUSE, Effect.RUN
ROWS = [
    # waits, now, fulfilled -> state, due
    ("running", [], "12:59:59", None, State.RUNNING, "14:00"),
    ("at risk", [], "13:00", None, State.AT_RISK, "14:00"),
    ("at the due", [], "14:00", None, State.AT_RISK, "14:00"),
    ("past due", [], "14:00:01", None, State.BREACHED, "14:00"),
    ("met", [], "16:00", "14:00", State.MET, "14:00"),
    ("met late", [], "16:00", "14:00:01", State.BREACHED, "14:00"),
    ("a pause moves the due", [wait("11:00", "12:00")], "14:30", None, State.AT_RISK, "15:00"),
    ("and the at-risk instant", [wait("11:00", "12:00")], "13:30", None, State.RUNNING, "15:00"),
    ("paused", [wait("11:00", None)], "16:00", None, State.PAUSED, None),
    (
        "overlapping pauses count once",
        [wait("11:00", "12:00"), wait("11:30", "12:30")],
        "13:00",
        None,
        State.RUNNING,
        "15:30",
    ),
    (
        "one inside another",
        [wait("11:00", "13:00"), wait("11:30", "12:00")],
        "13:00",
        None,
        State.RUNNING,
        "16:00",
    ),
    (
        "touching pauses",
        [wait("11:00", "12:00"), wait("12:00", "13:00")],
        "13:00",
        None,
        State.RUNNING,
        "16:00",
    ),
    (
        "a pause after the due moves nothing",
        [wait("15:00", "17:00")],
        "17:00",
        None,
        State.BREACHED,
        "14:00",
    ),
    (
        "a pause that begins at the due neither",
        [wait("14:00", "17:00")],
        "17:00",
        None,
        State.BREACHED,
        "14:00",
    ),
    (
        "a pause within the moved due",
        [wait("11:00", "12:00"), wait("14:30", "15:30")],
        "15:30",
        None,
        State.AT_RISK,
        "16:00",
    ),
    ("breached, then paused", [wait("15:00", None)], "17:00", None, State.BREACHED, "14:00"),
    ("a pause before the start", [wait("08:00", "10:30")], "11:00", None, State.RUNNING, "14:30"),
    ("fulfilled during a pause", [wait("13:00", None)], "20:00", "18:00", State.MET, "19:00"),
    ("fulfilled as the pause begins", [wait("13:00", None)], "20:00", "13:00", State.MET, "14:00"),
    (
        "what runs changes nothing",
        [wait("11:00", None, RUN)],
        "14:00:01",
        None,
        State.BREACHED,
        "14:00",
    ),
    (
        "what excuses neither",
        [wait("11:00", None, EXCUSE)],
        "14:00:01",
        None,
        State.BREACHED,
        "14:00",
    ),
]


@pytest.mark.parametrize(
    ("waits", "now", "fulfilled", "state", "due"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS]
)
def test_a_clock(
    waits: list[Wait], now: str, fulfilled: str | None, state: State, due: str | None
) -> None:
    found = outcome(waits, now, fulfilled)
    assert (found.state, found.due_at) == (state, at(due) if due else None)
    assert found.breached_at == (found.due_at if state is State.BREACHED else None)


EXCUSES = [
    # waits, now, fulfilled -> excused
    ("long enough", [wait("11:00", "12:00", EXCUSE)], "20:00", "15:00", "customer"),
    ("a second too short", [wait("11:00", "12:00", EXCUSE)], "20:00", "15:00:01", None),
    ("still lasting", [wait("13:00", None, EXCUSE)], "20:00", None, "customer"),
    ("begun after the due", [wait("14:30", None, EXCUSE)], "20:00", None, None),
    (
        "with a pause",
        [wait("11:00", "12:00"), wait("12:00", "13:00", EXCUSE)],
        "16:00",
        None,
        "customer",
    ),
    # a pause takes what it shares with an excuse; the hour is not counted twice
    (
        "inside a pause",
        [wait("11:00", "12:00"), wait("11:00", "12:00", EXCUSE)],
        "20:00",
        "15:00:01",
        None,
    ),
    ("nothing missed", [wait("11:00", "12:00", EXCUSE)], "20:00", "14:00", None),
    (
        "two causes",
        [wait("11:00", "12:00", EXCUSE, "third_party"), wait("12:00", "13:00", EXCUSE, "access")],
        "20:00",
        "15:00",
        "access, third_party",
    ),
    (
        "one that begins with the fulfilment is none",
        [wait("11:00", "12:00", EXCUSE), wait("15:00", None, EXCUSE, "access")],
        "20:00",
        "15:00",
        "customer",
    ),
    (
        "one that ends with the start is none",
        [wait("09:00", "10:00", EXCUSE, "access"), wait("11:00", "12:00", EXCUSE)],
        "20:00",
        "15:00",
        "customer",
    ),
    (
        "what runs and what pauses are none",
        [
            wait("10:30", None, RUN, "access"),
            wait("10:30", "10:40", cause="third_party"),
            wait("11:00", "12:00", EXCUSE),
        ],
        "20:00",
        "15:00",
        "customer",
    ),
]


@pytest.mark.parametrize(
    ("waits", "now", "fulfilled", "excused"), [r[1:] for r in EXCUSES], ids=[r[0] for r in EXCUSES]
)
def test_an_excuse_counts_when_a_pause_would_have_helped(
    waits: list[Wait], now: str, fulfilled: str | None, excused: str | None
) -> None:
    assert outcome(waits, now, fulfilled).excused == excused


CHANGES = [
    ("at risk comes first", [], "10:00", course(), "13:00"),
    ("then one second after the due", [], "13:00", course(), "14:00:01"),
    ("under: the due itself", [], "13:00", course(strict=True), "14:00"),
    ("never again", [], "14:00:01", course(), None),
    ("an aim after the due does not matter", [], "10:00", course(aim="15:00"), "14:00:01"),
    ("not while paused", [wait("11:00", None)], "12:00", course(), None),
    (
        "but at the due when the pause began there",
        [wait("14:00", None)],
        "14:00",
        course(),
        "14:00:01",
    ),
    ("an excuse ends", [wait("11:00", "12:00", EXCUSE)], "14:30", course(), "15:00:01"),
    ("informational", [], "10:00", course(due=None, aim="13:00"), None),
]


@pytest.mark.parametrize(
    ("waits", "now", "on", "expected"), [r[1:] for r in CHANGES], ids=[r[0] for r in CHANGES]
)
def test_the_next_change(waits: list[Wait], now: str, on: Course, expected: str | None) -> None:
    found = outcome(waits, now, on=on).next_change_at
    assert found == (at(expected) if expected else None)


def test_an_excuse_outside_open_time_excuses_nothing() -> None:
    on = course(due="20:00", schedule=BUSINESS)
    found = judge(on, [wait("18:30", None, EXCUSE)], at("22:00"), at("23:00"))
    assert (found.state, found.excused) == (State.BREACHED, None)


def test_a_fulfilled_clock_never_changes_again() -> None:
    assert outcome([], "12:00", "11:00").next_change_at is None


def test_a_pause_moves_the_aim_and_the_at_risk_instant_and_is_told() -> None:
    found = outcome([wait("11:00", "11:30")], "12:00", on=course(aim="13:00"))
    assert (found.aim_at, found.at_risk_at, found.due_at) == (at("13:30"), at("13:30"), at("14:30"))
    assert found.paused == ((at("11:00"), at("11:30")),)
    assert outcome([], "12:00").paused == ()


def test_a_pause_that_reaches_into_closed_time_moves_an_aim_by_open_time_only() -> None:
    on = course(due="18:00", aim="17:00", schedule=BUSINESS)
    found = judge(on, [wait("16:00", "23:00")], None, at("23:00"))
    assert (found.aim_at, found.due_at) == (local("03-03 10:00"), local("03-03 11:00"))


def test_while_a_pause_holds_neither_aim_nor_at_risk_instant_is_known() -> None:
    found = outcome([wait("12:00", None)], "13:30", on=course(aim="11:00"))
    assert (found.state, found.aim_at, found.at_risk_at) == (State.PAUSED, None, None)


def test_a_clock_that_has_not_started_has_no_bounds() -> None:
    waits = [wait("11:00", None)]
    unmet = outcome(waits, "20:00", on=course(started=False))
    assert (unmet.state, unmet.paused, unmet.next_change_at) == (State.NOT_STARTED, (), None)
    assert (unmet.aim_at, unmet.at_risk_at, unmet.due_at) == (None, None, None)
    assert (unmet.breached_at, unmet.excused) == (None, None)
    assert outcome(waits, "20:00", "19:00", on=course(started=False)).state is State.MET


def test_an_amount_is_used_up_in_seconds_or_in_business_days() -> None:
    wall_clock, end_of_day = BusinessDayMode.WALL_CLOCK, BusinessDayMode.END_OF_DAY
    start = at("17:00")
    assert reach(BUSINESS, start, Amount(seconds=7200), wall_clock) == local("03-03 10:00")
    assert reach(BUSINESS, start, Amount(business_days=2), wall_clock) == local("03-04 17:00")
    assert reach(BUSINESS, start, Amount(business_days=2), end_of_day) == local("03-04 18:00")


HALF, THREE_QUARTERS = Fraction(1, 2), Fraction(3, 4)


@pytest.mark.parametrize(
    ("due", "amount", "share", "expected"),
    [
        pytest.param("03-03 10:00", Amount(seconds=7200), HALF, "03-02 18:00", id="seconds"),
        pytest.param("03-03 10:00", None, HALF, "03-02 18:00", id="time to the due"),
        # A due that was moved does not stretch the share of a written amount.
        pytest.param("03-04 10:00", Amount(seconds=7200), HALF, "03-02 18:00", id="as written"),
        pytest.param("03-04 17:00", Amount(business_days=2), HALF, "03-03 17:00", id="days"),
        pytest.param("03-03 10:00", Amount(seconds=7200), THREE_QUARTERS, "03-03 09:30", id="3/4"),
        pytest.param("03-03 10:00", Amount(seconds=1), HALF, "03-02 17:00:01", id="rounded up"),
        pytest.param("03-02 17:00:03", None, HALF, "03-02 17:00:02", id="rounded up, to the due"),
        pytest.param("03-02 17:00", None, HALF, "03-02 17:00", id="due at the start"),
        pytest.param("03-02 16:00", None, HALF, "03-02 16:00", id="due before the start"),
    ],
)
def test_a_share_of_a_target_is_of_its_open_time(
    due: str, amount: Amount | None, share: Fraction, expected: str
) -> None:
    found = threshold(BUSINESS, at("17:00"), local(due), amount, share)
    assert found == local(expected)


def test_a_share_of_no_open_time_is_the_due() -> None:
    evening, night = at("19:00"), at("23:00")
    assert threshold(BUSINESS, evening, night, None, HALF) == night


def test_a_share_of_a_course_is_of_the_open_time_to_its_due() -> None:
    on = course(due="18:00", schedule=BUSINESS)
    assert shared(on, HALF) == at("14:00")
    assert shared(course(due=None), HALF) is None


def test_under_is_late_at_the_due_itself() -> None:
    strict = course(strict=True)
    assert outcome([], "14:00", on=strict).state is State.BREACHED
    assert outcome([], "20:00", "14:00", on=strict).state is State.BREACHED
    assert outcome([], "20:00", "13:59:59", on=strict).state is State.MET


def test_best_effort_is_overdue_and_never_breached() -> None:
    late = outcome([], "15:00", on=course(commitment=Commitment.BEST_EFFORT))
    assert (late.state, late.breached_at) == (State.OVERDUE, at("14:00"))


def test_without_a_limit_a_clock_runs_until_it_is_met() -> None:
    aimed = course(due=None, aim="11:00", commitment=Commitment.NONE)
    running = outcome([], "20:00", on=aimed)
    assert (running.state, running.aim_at, running.due_at) == (State.RUNNING, at("11:00"), None)
    assert outcome([], "20:00", "19:00", on=aimed).state is State.MET


def test_on_business_hours_only_open_time_is_taken_out() -> None:
    due, pauses = at("17:00"), [(at("16:00"), local("03-03 10:00"))]
    assert moved(due, pauses, BUSINESS) == local("03-03 11:00")
    night: list[Span] = [(at("19:00"), at("23:00"))]
    assert moved(local("03-03 10:00"), night, BUSINESS) == local("03-03 10:00")


def test_stretches_are_cut_at_the_bounds_and_merged() -> None:
    waits = [wait("09:00", "10:30"), wait("10:10", "11:00"), wait("12:00", None)]
    found = stretches(waits, (Effect.PAUSE,), at("10:00"), at("13:00"))
    assert found == ((at("10:00"), at("11:00")), (at("12:00"), at("13:00")))
    assert stretches(waits, (Effect.EXCUSE,), at("10:00"), None) == ()


@pytest.mark.parametrize(
    ("waits", "expected"),
    [
        pytest.param([("08:00", "10:00")], [], id="ends as the clock starts"),
        pytest.param([("13:00", "14:00")], [], id="begins as it ends"),
        pytest.param([("11:00", "11:00")], [], id="no length"),
        pytest.param([("08:00", "09:00"), ("11:00", "12:00")], [("11:00", "12:00")], id="before"),
        pytest.param([("10:30", "11:00"), ("11:00", "12:00")], [("10:30", "12:00")], id="touch"),
        pytest.param([("11:00", "12:00"), ("10:30", "11:30")], [("10:30", "12:00")], id="order"),
        pytest.param([("10:30", "12:00"), ("11:00", "11:30")], [("10:30", "12:00")], id="inside"),
        pytest.param([("11:00", None), ("12:00", "12:30")], [("11:00", "13:00")], id="cut at end"),
    ],
)
def test_stretches_inside_bounds(
    waits: list[tuple[str, str | None]], expected: list[tuple[str, str]]
) -> None:
    found = stretches([wait(*pair) for pair in waits], (Effect.PAUSE,), at("10:00"), at("13:00"))
    assert found == tuple((at(start), at(end)) for start, end in expected)


@pytest.mark.parametrize(
    "waits",
    [
        [("11:00", None), ("12:00", "13:00")],
        [("11:00", "12:00"), ("11:30", None)],
        [("11:00", None), ("11:00", "12:00")],
    ],
    ids=["the first still holds", "the second still holds", "both begin at once"],
)
def test_a_stretch_that_still_holds_has_no_end(waits: list[tuple[str, str | None]]) -> None:
    found = stretches([wait(*pair) for pair in waits], (Effect.PAUSE,), at("10:00"), None)
    assert found == ((at("11:00"), None),)
