"""A worker whose clock is set back while it runs goes on as if nothing had happened."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from connector.engine.intake import request_look
from connector.engine.rank import Rank
from connector.store import tables
from connector.store.migrate import upgrade
from tests.conftest import IN_CI
from tests.runners.site import Site, eventually, helpdesks

HOUR = 3600
LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with helpdesks("zendesk") as urls:
        made = Site(tmp_path, urls)
        yield made
        made.close()


def look(site: Site) -> tuple[str, str]:
    """A new ticket, and a hint by the clock of this process, which is right."""
    ticket = site.create("zendesk")
    with site.database.write() as conn:
        request_look(conn, "zendesk", [ticket], Rank.HINT)
    return "zendesk", ticket


def test_a_worker_goes_on_when_the_clock_goes_back_an_hour(site: Site, tmp_path: Path) -> None:
    if not LIBRARIES:
        (pytest.fail if IN_CI else pytest.skip)("faketime is not installed")
    clock = tmp_path / "clock"
    clock.write_text(f"+{HOUR}")
    upgrade(site.database)
    running = site.start(
        "worker",
        LD_PRELOAD=os.fspath(LIBRARIES[0]),
        FAKETIME_TIMESTAMP_FILE=os.fspath(clock),
        FAKETIME_NO_CACHE="1",
        FAKETIME_DONT_FAKE_MONOTONIC="1",
    )
    try:
        first = look(site)
        eventually("it is written by a clock an hour ahead", lambda: first in site.enriched())
        eventually("the timer is stored", site.at_rest)
        (before,) = site.rows(tables.ticket)
        with site.database.write() as conn:  # for a minute by that clock, and by no other
            ahead = site.rows(tables.heartbeat)[0]["at"]
            conn.execute(update(tables.account).values(held_until=ahead + 60))
        clock.write_text("+0")
        eventually(
            "the clock was followed",
            lambda: site.rows(tables.account)[0]["held_until"] < ahead - HOUR + 90,
        )
        with site.database.write() as conn:  # the minute is over
            conn.execute(update(tables.account).values(held_until=0))
        second = look(site)
        eventually("the next one is written", lambda: second in site.enriched())
        after = {row["ticket_id"]: row for row in site.rows(tables.ticket)}[first[1]]
        assert after["look_at"] == pytest.approx(before["look_at"] - HOUR, abs=30)
        assert abs(site.rows(tables.account)[0]["clock_offset"]) < 30
    finally:
        running.terminate()
        code = running.wait(30)
    assert code == 0
