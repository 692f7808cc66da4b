"""The rate budget in the database decides for all threads and processes."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import insert, select, update

from connector.errors import BudgetSpent
from connector.http import Charge, Figure
from connector.store.budget import StoredBudget
from connector.store.database import Database, now
from connector.store.metering import UNLIMITED
from connector.store.tables import budget

CALL = Charge(bucket="account")


def row(database: Database, bucket: str = "account"):
    with database.read() as conn:
        return conn.execute(select(budget).where(budget.c.bucket == bucket)).first()


def buckets(database: Database) -> set[str]:
    with database.read() as conn:
        return set(conn.scalars(select(budget.c.bucket)))


def reserved(stored: StoredBudget, charge: Charge = CALL) -> bool:
    try:
        stored.reserve((charge,))
    except BudgetSpent:
        return False
    return True


def test_calls_are_counted_up_to_our_share(database: Database) -> None:
    stored = StoredBudget(database, "acme", 0.2)
    stored.learn((Figure(bucket="account", allowance=10, remaining=10, resets=60.0),))
    assert stored.room((CALL,)) == (8, 0.0)
    for _ in range(8):
        stored.reserve((CALL,))

    with pytest.raises(BudgetSpent, match=r"acme.*'account'") as caught:
        stored.reserve((CALL,))
    assert 59 < (caught.value.retry_after or 0) < 62
    times, wait = stored.room((CALL,))
    assert (times, 59 < wait < 62) == (0, True)
    found = row(database)
    assert (found.used, found.share, found.allowance, found.waits) == (8, 8, 10, 1)


def test_accounts_have_budgets_of_their_own(database: Database) -> None:
    charge = Charge(bucket="account", allowance=1)
    assert reserved(StoredBudget(database, "acme", 0.2), charge)
    assert not reserved(StoredBudget(database, "acme", 0.2), charge)
    assert reserved(StoredBudget(database, "other", 0.2), charge)


def test_a_call_counts_in_all_its_limits_or_in_none(database: Database) -> None:
    stored = StoredBudget(database, "acme", 0.0)
    few, many = Charge(bucket="few", allowance=1), Charge(bucket="many", allowance=10)
    stored.reserve((many, few))
    with pytest.raises(BudgetSpent, match="'few'"):
        stored.reserve((many, few))

    assert (row(database, "many").used, row(database, "few").used) == (1, 1)
    assert stored.room((many,))[0] == 9
    assert stored.room((many, few))[0] == 0


def test_threads_together_take_no_more_than_our_share(database: Database) -> None:
    charge = Charge(bucket="account", allowance=50)
    meet = threading.Barrier(6)

    def take(_number: int) -> int:
        stored = StoredBudget(database, "acme", 0.2)
        meet.wait(10)
        return sum(reserved(stored, charge) for _ in range(10))

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(take, range(6))) == 40


def test_calls_with_several_limits_do_not_wait_for_each_other(database: Database) -> None:
    one, two = Charge(bucket="one", allowance=500), Charge(bucket="two", allowance=500)

    def take(number: int) -> None:
        stored = StoredBudget(database, "acme", 0.2)
        for _ in range(8):
            stored.reserve((one, two) if number % 2 else (two, one))
            stored.learn((Figure(bucket="two", remaining=400), Figure(bucket="one")))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(take, range(4)))
    assert (row(database, "one").used, row(database, "two").used) == (32, 32)


def test_a_refusal_holds_for_every_process_at_once(database: Database, database_url: str) -> None:
    other = Database(database_url)
    try:
        StoredBudget(database, "acme", 0.2).refuse(("account",), 37.0)
        with pytest.raises(BudgetSpent) as caught:
            StoredBudget(other, "acme", 0.2).reserve((CALL,))
        assert 36 < (caught.value.retry_after or 0) <= 37
        assert StoredBudget(other, "acme", 0.2).room((CALL,))[0] == 0
    finally:
        other.dispose()
    assert row(database).refusals == 1


def test_only_the_refused_limit_is_held(database: Database) -> None:
    stored = StoredBudget(database, "acme", 0.2)
    stored.refuse(("exports",), 37.0)

    assert reserved(stored)
    assert not reserved(stored, Charge(bucket="exports"))


def test_seconds_that_several_wait_for_are_counted_once(database: Database) -> None:
    stored = StoredBudget(database, "acme", 0.2)
    stored.refuse(("account",), 30.0)
    for _ in range(5):
        reserved(stored)

    found = row(database)
    assert found.waits == 5
    assert 29 < found.waited <= 31


def test_what_the_helpdesk_says_is_left_comes_before_our_count(database: Database) -> None:
    stored = StoredBudget(database, "acme", 0.2)
    stored.learn((Figure(bucket="account", allowance=100, remaining=3, resets=20.0),))
    assert stored.room((CALL,))[0] == 2
    assert [reserved(stored) for _ in range(3)] == [True, True, False]


def test_an_answer_without_figures_leaves_our_count(database: Database) -> None:
    stored = StoredBudget(database, "acme", 0.2)
    stored.learn((Figure(bucket="account", allowance=10, remaining=0, resets=60.0),))
    stored.learn((Figure(bucket="account"),))

    assert stored.room((CALL,))[0] == 8


def test_an_allowance_by_the_hour_is_counted_over_an_hour(database: Database) -> None:
    stored = StoredBudget(database, "acme", 0.4)
    stored.learn((Figure(bucket="account", allowance=3000, remaining=3000, minutes=60),))
    stored.reserve((Charge(bucket="account", cost=1800),))

    times, wait = stored.room((CALL,))
    assert (times, 3590 < wait < 3720) == (0, True)


def test_a_shorter_minute_makes_every_window_shorter(database: Database) -> None:
    stored = StoredBudget(database, "acme", 0.2, minute_seconds=6.0)
    ten = Charge(bucket="x:1", allowance=1, minutes=10)
    stored.reserve((ten,))
    with pytest.raises(BudgetSpent) as caught:
        stored.reserve((ten,))

    assert 59 < (caught.value.retry_after or 0) < 63


def test_limits_of_single_things_are_forgotten_after_their_window(database: Database) -> None:
    stored = StoredBudget(database, "acme", 0.2)
    of = [Charge(bucket=f"one-ticket:{number}", allowance=30, minutes=10) for number in range(4)]
    for charge in of[:3]:
        stored.reserve((CALL, charge))
    with database.write() as conn:
        old = update(budget).where(budget.c.bucket.in_(["one-ticket:0", "one-ticket:1"]))
        conn.execute(old.values(updated_at=now(conn) - 1300))
        blocked = update(budget).where(budget.c.bucket == "one-ticket:1")
        conn.execute(blocked.values(blocked_until=now(conn) + 100))
        conn.execute(update(budget).where(budget.c.bucket == "account").values(updated_at=0))
        conn.execute(insert(budget).values(account="other", bucket="one-ticket:9"))
    stored.reserve((CALL, of[3]))

    kept = {"account", "one-ticket:1", "one-ticket:2", "one-ticket:3", "one-ticket:9"}
    assert buckets(database) == kept


def test_what_is_asked_beforehand_changes_nothing(database: Database) -> None:
    stored = StoredBudget(database, "acme", 0.2)
    assert stored.room((CALL, Charge(bucket="x:1", allowance=10))) == (8, 0.0)
    assert stored.room((CALL,)) == (UNLIMITED, 0.0)
    assert buckets(database) == set()


@pytest.mark.parametrize("figure", [10**9, 10**12])
def test_absurd_figures_are_stored(database: Database, figure: int) -> None:
    stored = StoredBudget(database, "acme", 0.2)
    told = Figure(bucket="account", allowance=figure, remaining=figure, resets=float(figure))
    stored.learn((told,))
    stored.reserve((CALL,))

    assert row(database).remaining == 10**9 - 1
