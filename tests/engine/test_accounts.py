"""What becomes of an account that cannot be used, who may drain one, and what its clock says."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, update

from connector.engine import accounts
from connector.engine.context import Account
from connector.engine.holding import LeaseLost
from connector.engine.intake import Rank, request_look
from connector.errors import (
    AccountError,
    AccountSuspended,
    BudgetSpent,
    HelpdeskUnreachable,
    OutcomeUnknown,
    RateLimited,
    RoleMissing,
    SignInRefused,
    StoreError,
)
from connector.helpdesks.base import ClockSample, Identity
from connector.store import tables
from connector.store.database import Database, now
from tests.engine.conftest import Desk

NOWHERE = "http://127.0.0.1:9"  # the discard port, on which nothing listens


WRONG = {
    "zendesk": {"email": "agent@sandbox.test", "api_token": "wrong"},
    "freshdesk": {"api_key": "wrong"},
}


def down(message: str = "") -> HelpdeskUnreachable:
    return HelpdeskUnreachable(message)


def drain_when_held_is_over(desk: Desk) -> None:
    desk.change(tables.account, held_until=0)
    desk.drain()


# --- failures ------------------------------------------------------------------------------------

OUTAGES = [
    pytest.param("500=1", accounts.HELD, id="errors"),
    pytest.param("502=1", accounts.HELD, id="bad-gateway"),
    pytest.param("429=1", accounts.HELD, id="too-many-requests"),
    pytest.param("429-bare=1", accounts.HELD, id="too-many-requests-without-a-wait"),
    pytest.param("reset=1", accounts.HELD, id="connection-reset"),
    pytest.param("truncate=1", accounts.HELD, id="cut-off-answers"),
]


@pytest.mark.parametrize(("spec", "state"), OUTAGES)
def test_an_outage_holds_the_account_blames_no_ticket_and_ends_by_itself(
    desk: Desk, spec: str, state: str
) -> None:
    tickets = [desk.create(), desk.create()]
    desk.hint(*tickets)
    desk.spec(spec)
    for failures in (1, 2, 3):
        drain_when_held_is_over(desk)
        assert desk.account_row()["failures"] == failures
    assert desk.account_row()["state"] == state
    found = [(row["attempts"], row["last_error"], row["parked"]) for row in desk.rows()]
    assert found == [(0, None, None)] * 2
    assert desk.lane() is None
    desk.spec("")
    drain_when_held_is_over(desk)
    row = desk.account_row()
    assert (row["state"], row["failures"], row["last_error"]) == (accounts.OK, 0, None)
    assert all(desk.right(one) for one in tickets)


@pytest.mark.parametrize(
    ("where", "state"),
    [
        pytest.param("sign_in", accounts.SIGN_IN_NEEDED, id="refused-credentials"),
        pytest.param("address", accounts.OK, id="connection-refused"),
    ],
)
def test_an_account_that_cannot_be_reached_costs_no_ticket_an_attempt(
    desk: Desk, where: str, state: str
) -> None:
    ticket = desk.create()
    desk.hint(ticket)
    healthy = desk.helpdesk.real
    changed = {"base_url": NOWHERE} if where == "address" else {"sign_in": WRONG[desk.kind]}
    desk.helpdesk.real = desk.connect(**changed)
    desk.drain()
    assert (desk.account_row()["state"], desk.row(ticket)["attempts"]) == (state, 0)
    desk.helpdesk.real = healthy
    drain_when_held_is_over(desk)
    assert desk.account_row()["state"] == accounts.OK
    assert desk.right(ticket)


def test_an_outage_of_the_database_costs_no_ticket_an_attempt(desk: Desk) -> None:
    """The claim cannot be given back while the database is away: it is once it has come back."""

    class Shaky(Database):
        is_away = False

        def run(self, work: Any, *, tries: int = 5) -> Any:
            if self.is_away:
                raise StoreError("the database refuses: it is away")
            return super().run(work, tries=tries)

    shaky = Shaky(desk.database._engine.url.render_as_string(hide_password=False))
    ticket, read = desk.create(), "read" if desk.kind == "freshdesk" else "read_many"

    def leave() -> None:
        shaky.is_away = True

    for _ in range(3):
        desk.hint(ticket)
        desk.helpdesk.once(read, leave)
        with pytest.raises(StoreError):
            desk.drain(database=shaky)
        shaky.is_away = False
        desk.change(tables.account, lease_until=1.0)
    assert desk.row(ticket)["attempts"] == 1
    desk.drain(database=shaky)
    assert (desk.row(ticket)["attempts"], desk.row(ticket)["parked"]) == (0, None)
    assert desk.right(ticket)
    shaky.dispose()


def test_reads_that_go_well_do_not_hide_that_every_write_fails(desk: Desk) -> None:
    ticket = desk.create()
    desk.hint(ticket)
    write = "write" if desk.kind == "freshdesk" else "write_many"
    desk.helpdesk.always(write, down)
    for _ in range(5):
        drain_when_held_is_over(desk)
    row = desk.account_row()
    assert (row["state"], row["failures"]) == (accounts.HELD, 5)
    assert (desk.row(ticket)["attempts"], desk.row(ticket)["open_intent"]) == (0, None)


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        pytest.param([down()] * 6, [0, 0, 1, 2, 4, 8], id="held-after-three-and-doubling"),
        pytest.param([down()] * 20, [300], id="at-most-five-minutes"),
        pytest.param([SignInRefused()] * 3, [1, 2, 4], id="sign-in-at-once"),
        pytest.param([RateLimited(retry_after=77)], [77], id="as-long-as-asked"),
        pytest.param([RateLimited()], [10], id="not-told-how-long"),
        pytest.param([HelpdeskUnreachable(retry_after=60)], [60], id="maintenance"),
        pytest.param([OutcomeUnknown(), down()], [0, 0], id="unknown-outcome"),
    ],
)
def test_how_long_a_failure_holds_the_account(
    database: Database, errors: Sequence[AccountError], expected: Sequence[float]
) -> None:
    with database.write() as conn:
        accounts.register(conn, "acme", "zendesk")
        found = [accounts.failed(conn, "acme", error) for error in errors]
        held = conn.scalar(select(tables.account.c.held_until)) or 0.0
        assert held - now(conn) == pytest.approx(found[-1], abs=2)
    assert found[-len(expected) :] == list(expected)


def test_registering_again_changes_nothing(database: Database) -> None:
    with database.write() as conn:
        accounts.register(conn, "acme", "zendesk")
        accounts.know_ourselves(conn, "acme", Identity(user_id="7", name="Us", account_id="a"))
        accounts.register(conn, "acme", "zendesk")
        assert accounts.own_user_id(conn, "acme") == "7"
        assert accounts.own_user_id(conn, "nobody") is None


# --- leases --------------------------------------------------------------------------------------


@pytest.fixture
def leased(database: Database) -> Database:
    with database.write() as conn:
        accounts.register(conn, "acme", "zendesk")
    return database


def test_a_second_worker_gets_no_lease_until_the_first_gives_it_back(leased: Database) -> None:
    with leased.write() as conn:
        first = accounts.acquire(conn, "acme", "a")
        assert first is not None
        assert accounts.acquire(conn, "acme", "b") is None
        accounts.release(conn, first)
        second = accounts.acquire(conn, "acme", "b")
        assert second is not None
        assert second.fence == first.fence + 1


def test_a_lease_that_has_expired_is_taken_over_and_the_old_one_is_worth_nothing(
    leased: Database,
) -> None:
    with leased.write() as conn:
        first = accounts.acquire(conn, "acme", "a")
        assert first is not None
        conn.execute(update(tables.account).values(lease_until=1.0))
        second = accounts.acquire(conn, "acme", "a")
        assert second is not None
        assert not accounts.is_ours(conn, first)
        assert accounts.renew(conn, first) is None
        accounts.release(conn, first)
        assert accounts.is_ours(conn, second)
        assert accounts.renew(conn, second) is not None


def test_void_leases_frees_every_account(leased: Database) -> None:
    with leased.write() as conn:
        accounts.acquire(conn, "acme", "dead process")
        accounts.void_leases(conn)
        assert accounts.acquire(conn, "acme", "b") is not None


def steal(desk: Desk) -> Callable[[], None]:
    """What another worker does when the lease has expired."""

    def take_over() -> None:
        desk.change(tables.account, lease_until=1.0)
        with desk.database.write() as conn:
            assert accounts.acquire(conn, "acme", "thief") is not None

    return take_over


def test_a_worker_that_has_lost_its_lease_commits_nothing_and_writes_nothing(
    desk_anywhere: Desk,
) -> None:
    desk = desk_anywhere
    ticket = desk.create()
    desk.hint(ticket)
    desk.helpdesk.once("read" if desk.kind == "freshdesk" else "read_many", steal(desk))
    desk.forget_requests()
    desk.drain()
    row = desk.row(ticket)
    assert (desk.sent(), row["evaluation"], row["open_intent"]) == (0, None, None)
    assert desk.account_row()["lease_holder"] == "thief"
    desk.change(tables.account, lease_until=1.0)
    desk.drain()
    assert desk.right(ticket)


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def jump(self, seconds: float) -> Callable[[], None]:
        def move() -> None:
            self.seconds += seconds

        return move


def test_a_long_pass_renews_its_lease_before_it_writes(desk: Desk) -> None:
    clock, ticket = Clock(), desk.create()
    desk.hint(ticket)
    read = "read" if desk.kind == "freshdesk" else "read_many"
    desk.helpdesk.once(read, clock.jump(55))
    lane = desk.lane(monotonic=clock)
    assert lane is not None
    desk.change(tables.account, lease_until=1.0)
    lane.step()
    assert desk.account_row()["lease_until"] > 1.0
    assert desk.helpdesk.plans


def test_no_write_is_sent_that_could_outlive_a_lost_lease(desk: Desk) -> None:
    clock, ticket = Clock(), desk.create()
    desk.hint(ticket)
    read = "read" if desk.kind == "freshdesk" else "read_many"

    def late() -> None:
        clock.jump(55)()
        steal(desk)()

    desk.helpdesk.once(read, late)
    lane = desk.lane(monotonic=clock)
    assert lane is not None
    with pytest.raises(LeaseLost):
        lane.step()
    assert desk.helpdesk.plans == []


def test_a_worker_that_slept_asks_the_database_what_is_left_of_its_lease(desk: Desk) -> None:
    """A sleeping machine's own clock stands still, so that the lease seems to be young."""
    ticket = desk.create()
    desk.hint(ticket)
    desk.helpdesk.once(
        "read" if desk.kind == "freshdesk" else "read_many",
        lambda: desk.change(tables.account, lease_until=1.0),
    )
    lane = desk.lane(monotonic=Clock())
    assert lane is not None
    lane.step()
    assert desk.account_row()["lease_until"] > 1.0, "nobody took it meanwhile: it is renewed"
    assert desk.helpdesk.plans


# --- the helpdesk's clock ------------------------------------------------------------------------


def sample(account: Account, database: Database, *offsets: float) -> float:
    """What is in force after readings of a clock that is ahead by these offsets."""
    found = 0.0
    for offset in offsets:
        with database.write() as conn:
            shown = datetime.fromtimestamp(int(now(conn) + offset), UTC)
            seen = [ClockSample(shown=shown, received=500.0)]
            found = accounts.read_clock(conn, account, seen, 500.0)
    return found


@pytest.mark.parametrize(
    ("offsets", "expected"),
    [
        pytest.param([0.0], 0, id="in-step"),
        pytest.param([1.0] * 5, 0, id="too-little-to-matter"),
        pytest.param([30.0], 30, id="at-the-first-call"),
        pytest.param([0.0] * 5 + [3600.0] * 2, 0, id="two-readings-are-no-step"),
        pytest.param([0.0] * 5 + [3600.0] * 3, 3600, id="three-readings-are-a-step"),
        pytest.param([0.0] * 5 + [3600.0, 40.0, 900.0], 0, id="readings-that-disagree"),
        pytest.param([3600.0] * 20 + [-60.0] * 3, -60, id="back-again"),
        pytest.param([30.0] * 5 + [0.0] * 3, 0, id="set-right"),
    ],
)
def test_the_offset_follows_the_helpdesks_clock(
    leased: Database, desk_account: Account, offsets: Sequence[float], expected: float
) -> None:
    assert sample(desk_account, leased, *offsets) == pytest.approx(expected, abs=1.1)


@pytest.fixture
def desk_account(freshdesk: Desk) -> Account:
    return replace(freshdesk.account)


def test_after_a_step_of_the_databases_clock_one_reading_is_enough(
    leased: Database, desk_account: Account
) -> None:
    """Against our own clock an hour went by in no time: what was measured before is worthless."""
    assert sample(desk_account, leased, *[0.0] * 20) == 0.0
    with leased.write() as conn:
        shown = datetime.fromtimestamp(int(now(conn) - 3600), UTC)
        seen = [ClockSample(shown=shown, received=500.0 - 3600.0)]
        found = accounts.read_clock(conn, desk_account, seen, 500.0 - 3600.0)
    assert found == pytest.approx(-3600, abs=2)


def test_no_reading_leaves_the_offset_as_it_is(leased: Database, desk_account: Account) -> None:
    before = sample(desk_account, leased, 30.0)
    with leased.write() as conn:
        assert accounts.read_clock(conn, desk_account, [], 500.0) == before
        assert accounts.clock_offset(conn, "acme") == before


def test_timers_move_with_the_clock_and_what_is_due_stays_due(
    leased: Database, desk_account: Account
) -> None:
    with leased.write() as conn:
        at = now(conn)
        request_look(conn, "acme", ["due", "timer", "never"], Rank.HINT)
        request_look(conn, "other", ["timer"], Rank.HINT)
        for name, look_at in (("timer", at + 7200), ("never", None)):
            conn.execute(
                update(tables.ticket)
                .where(tables.ticket.c.ticket_id == name)
                .values(look_at=look_at)
            )
    sample(desk_account, leased, 3600.0)
    with leased.read() as conn:
        columns = tables.ticket.c
        rows = conn.execute(select(columns.account, columns.ticket_id, columns.look_at))
        found = {(row[0], row[1]): row[2] for row in rows}
    assert found["acme", "timer"] == pytest.approx(at + 3600, abs=2)
    assert found["acme", "due"] < at + 60
    assert found["acme", "never"] is None
    assert found["other", "timer"] == at + 7200


def test_a_timer_that_was_set_while_a_job_ran_follows_a_clock_that_was_moved_meanwhile(
    zendesk: Desk,
) -> None:
    ticket = zendesk.create()
    zendesk.hint(ticket)
    zendesk.helpdesk.once("write_many", lambda: zendesk.change(tables.account, clock_offset=600.0))
    zendesk.drain()
    row = zendesk.row(ticket)
    at_risk = datetime.fromisoformat(row["evaluation"]["next_change_at"]).timestamp()
    assert row["look_at"] == pytest.approx(at_risk - 600.0, abs=1)


# --- limits, roles -------------------------------------------------------------------------------


def test_our_own_share_used_up_delays_the_account_and_fails_nothing(desk: Desk) -> None:
    ticket = desk.create()
    desk.hint(ticket)
    read = "read_many" if desk.kind == "zendesk" else "read"
    desk.helpdesk.always(read, lambda: BudgetSpent("used up", retry_after=30))
    desk.drain()
    row = desk.account_row()
    assert (row["state"], row["failures"], row["last_error"]) == ("ok", 0, None)
    assert row["held_until"] > row["lease_until"]
    assert (desk.row(ticket)["attempts"], desk.row(ticket)["parked"]) == (0, None)
    desk.helpdesk.heal()
    desk.hurry()
    desk.drain()
    assert desk.right(ticket)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (SignInRefused, "sign_in_needed"),
        (RoleMissing, "role_needed"),
        (AccountSuspended, "suspended"),
    ],
)
def test_each_refusal_has_a_state_of_its_own_and_ends_with_its_cause(
    desk: Desk, error: type[AccountError], state: str
) -> None:
    ticket = desk.create()
    desk.hint(ticket)
    read = "read_many" if desk.kind == "zendesk" else "read"
    desk.helpdesk.always(read, lambda: error("no"))
    desk.drain()
    assert (desk.account_row()["state"], desk.account_row()["last_error"]) == (state, "no")
    assert desk.row(ticket)["attempts"] == 0
    desk.helpdesk.heal()
    desk.hurry()
    desk.drain()
    assert desk.right(ticket)
    assert desk.account_row()["state"] == "ok"


def test_one_ticket_that_we_may_not_see_is_no_refusal_of_the_account(desk: Desk) -> None:
    hidden, other = desk.create(), desk.create()

    def hide(name: str, arguments: tuple[Any, ...]) -> None:
        if name == "read" and arguments[0] == hidden:
            raise RoleMissing("not this ticket")

    desk.helpdesk.before = hide
    if desk.kind == "zendesk":
        real = desk.helpdesk.real.read_many
        desk.helpdesk.real.read_many = lambda ids: [
            one for one in real(ids) if one.ticket.id != hidden
        ]
    desk.enrich(hidden, other)
    assert desk.account_row()["state"] == "ok"
    assert "not this ticket" in desk.row(hidden)["last_error"]
    assert desk.right(other)
