"""A lane that hangs is found while its process goes on beating, and is over when it goes on."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app import open_accounts
from connector.engine import accounts
from connector.engine.intake import accept
from connector.helpdesks.base import Hint
from connector.runners.embedded import Worker
from connector.store.migrate import upgrade
from operations import health, status
from operations.standing import Served
from tests.runners.site import Site, eventually, helpdesks


class Hanging:
    """A real helpdesk whose next read hangs until it is let go."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.began, self.let_go = threading.Event(), threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def read_many(self, *asked: Any) -> Any:
        self.began.set()
        self.let_go.wait(90)
        return self._real.read_many(*asked)


class Clock:
    """Our own monotonic clock, which a test moves on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with helpdesks("zendesk") as urls:
        made = Site(tmp_path, urls)
        yield made
        made.close()


def test_a_lane_that_hangs_turns_readiness_red_until_it_goes_on(site: Site) -> None:
    opened = open_accounts(site.settings)["zendesk"].account
    database, clock = site.database, Clock()
    upgrade(database)
    database.run(lambda conn: accounts.register(conn, "zendesk", "zendesk"))
    hanging = Hanging(opened.helpdesk)
    worker = Worker(
        database, {"zendesk": replace(opened, helpdesk=hanging)},
        threads=1, poll_seconds=0.01, clock_check_seconds=1e9, monotonic=clock,
    )  # fmt: skip
    pages = Flask("pages")
    pages.register_blueprint(health.blueprint(database, ["zendesk"]))
    served = [Served(name="zendesk", kind="zendesk", mode="own_fields")]
    pages.register_blueprint(status.blueprint(database, served))

    def look(seconds: float) -> tuple[int, list[str]]:
        """What is said after so long; the worker's loop goes on."""
        clock.ahead += seconds
        worker.tick()
        ready = pages.test_client().get("/readyz")
        facts = pages.test_client().get("/status.json").json
        told = [one["what"] for one in facts["attention"] if "stood still" in one["what"]]
        return ready.status_code, [one.split(" for ")[0] for one in told]

    eventually("it has proved itself", lambda: worker.tick() and not worker.turns.waiting())
    eventually("it is at rest", lambda: worker.tick() and worker.turns.waiting())
    ticket = site.create("zendesk")
    database.run(lambda conn: accept(conn, "zendesk", Hint(ticket_id=ticket)))
    eventually("the lane hangs", lambda: worker.tick() and hanging.began.is_set())
    assert look(3) == (200, [])
    assert look(40) == (200, [])
    assert look(20) == (503, ["A worker has stood still at this account"])
    hanging.let_go.set()
    eventually("it is written", site.enriched)
    eventually("it is at rest", worker.turns.waiting)
    assert look(3) == (200, [])
    worker.stop()
    assert worker.run()
