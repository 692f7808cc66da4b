"""A worker that is asked to end does so within 10 s, and leaves nothing that the next must mend."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from connector.engine.intake import request_look
from connector.engine.rank import Rank
from connector.store import tables
from connector.store.database import now
from connector.store.migrate import upgrade
from tests.runners.site import KINDS, Site, eventually, helpdesks

SLOW = {"latency": "4s"}  # each call to the helpdesk takes so long
QUICK: dict[str, str] = {}
STOP_SECONDS = 10.0  # then whoever stops us kills us
TICKETS = 3


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[Site]:
    with helpdesks(*KINDS) as urls:
        made = Site(tmp_path, urls, database_url=database_url, worker_metrics_port=0)
        yield made
        made.close()


def ask_for(site: Site, tickets: set[tuple[str, str]]) -> None:
    """Have the tickets looked at now."""
    with site.database.write() as conn:
        for name in KINDS:
            ids = [ticket for account, ticket in tickets if account == name]
            request_look(conn, name, ids, Rank.HINT)


def stop(worker: "subprocess.Popen[bytes]") -> int:
    worker.send_signal(signal.SIGTERM)
    return worker.wait(STOP_SECONDS)


def in_the_middle_of_a_call(site: Site, before: dict[str, int]) -> bool:
    """Whether every account is held and its helpdesk has been asked for something since."""
    return all(
        row["lease_holder"] and site.asked(row["name"], "") > before[row["name"]]
        for row in site.rows(tables.account)
    )


def test_a_worker_that_is_stopped_amid_slow_calls_ends_in_time_and_holds_nothing(
    site: Site,
) -> None:
    upgrade(site.database)
    worker = site.start("worker")
    try:
        eventually("the accounts are known", lambda: len(site.rows(tables.account)) == len(KINDS))
        tickets = {(name, site.create(name)) for name in KINDS for _ in range(TICKETS)}
        ask_for(site, tickets)
        eventually("every ticket is enriched", lambda: site.enriched() == tickets)
        eventually("nothing is due any more", site.at_rest)
        for name, ticket in tickets:
            change = {"priority": "low"}
            site.control(name, "POST", f"tickets/{ticket}", change)
            site.control(name, "POST", "faults", SLOW)
        before = {name: site.asked(name, "") for name in KINDS}
        ask_for(site, tickets)
        eventually("calls are under way", lambda: in_the_middle_of_a_call(site, before))
        code = stop(worker)
    finally:
        worker.kill()
        worker.wait()

    assert code == 0
    assert {row["lease_holder"] for row in site.rows(tables.account)} == {None}
    with site.database.read() as conn:
        at = now(conn)
        due = conn.scalars(select(tables.ticket.c.ticket_id).where(tables.ticket.c.look_at <= at))
        assert due.first() is not None  # there was more to do
    goes_on_where_it_stopped(site)


def goes_on_where_it_stopped(site: Site) -> None:
    """The next worker brings every ticket to its end, and then nothing is sent any more."""
    for name in KINDS:
        site.control(name, "POST", "faults", QUICK)
    worker = site.start("worker")
    try:
        eventually("nothing stands as it was", lambda: not site.enriched())
        eventually("nothing is due any more", site.at_rest)
        assert {row["parked"] for row in site.rows(tables.ticket)} == {None}
        assert site.rows(tables.intent) == []
    finally:
        code = stop(worker)
    assert code == 0
