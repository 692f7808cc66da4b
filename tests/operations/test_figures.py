"""What processes count while they work is what happened, and several processes count as one."""

import os
import re
import signal
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest
import requests
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from app import create_app, create_worker
from connector import telemetry
from connector.engine.intake import Intake
from connector.errors import SettingsError
from connector.helpdesks.base import Hint
from connector.store import tables
from connector.store.database import now
from operations import port, sharing
from operations.metrics import blueprint
from tests.operations.conftest import Stage
from tests.runners.site import KINDS, Site, eventually, helpdesks

Labels = tuple[tuple[str, str], ...]
Figures = Mapping[tuple[str, Labels], float]


def read(text: str) -> Figures:
    return {
        (one.name.removeprefix("deskclock_"), tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def total(figures: Figures, name: str, **labels: str) -> float:
    wanted = set(labels.items())
    return sum(it for (found, has), it in figures.items() if found == name and wanted <= set(has))


def scrape(number: int) -> Figures:
    answer = requests.get(f"http://127.0.0.1:{number}/metrics", timeout=10)
    assert answer.status_code == 200
    return read(answer.text)


def of_the_database(figures: Figures) -> set[str]:
    return {name for name, _ in figures} & {"database_up", "workers", "due_tickets"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with helpdesks(*KINDS) as urls:
        made = Site(tmp_path, urls)
        yield made
        made.close()


def test_web_and_worker_count_as_one_and_a_killed_process_takes_nothing_away(site: Site) -> None:
    shared = sharing.prepare(site.settings.data_dir, "run")
    own = free_port()
    more = {sharing.VARIABLE: str(shared), "DESKCLOCK_WORKER_METRICS_PORT": str(own)}
    running = {name: site.start(name, **more) for name in ("web", "worker")}
    try:
        eventually("web and worker are ready", site.is_ready)
        site.connect_webhooks()
        tickets = {(kind, site.create(kind)) for kind in KINDS for _ in range(2)}
        eventually("the tickets are written", lambda: site.enriched() == tickets)
        found = eventually("the writes are counted", lambda: _counted(site, 2.0))
        for kind in KINDS:
            assert total(found, "deliveries_total", account=kind, result="accepted") >= 2
            assert total(found, "hint_to_written_seconds_count", account=kind) == 2
            assert total(found, "batch_tickets_sum", account=kind, kind="look") >= 2
            assert total(found, "pass_seconds_count", account=kind) >= 1
        endpoints = {dict(has)["endpoint"] for name, has in found if name == "vendor_calls_total"}
        assert endpoints
        ids = {ticket for _, ticket in tickets}
        assert not [one for one in endpoints if ids & set(re.split(r"\W", one))]

        ready = requests.get(f"http://127.0.0.1:{own}/readyz", timeout=10)
        assert (ready.status_code, ready.json()["reasons"]) == (200, [])
        assert not of_the_database(scrape(own))

        received = total(scrape(site.port), "deliveries_total", result="accepted")
        (child,) = psutil.Process(running["web"].pid).children()
        os.kill(child.pid, signal.SIGKILL)
        eventually("what it counted is kept", (shared / "counter_ended.db").exists)
        eventually("another took its place", site.is_ready)
        assert not list(shared.glob(f"*_{child.pid}.db"))
        assert total(scrape(site.port), "deliveries_total", result="accepted") >= received
    finally:
        for process in running.values():
            process.terminate()
        codes = [process.wait(30) for process in running.values()]
    assert codes == [0, 0]


def test_whichever_of_several_web_processes_is_asked_tells_of_all(site: Site) -> None:
    running = site.start("web", DESKCLOCK_WEB_PROCESSES="2")
    url = f"http://127.0.0.1:{site.port}"
    try:
        eventually("web answers", lambda: answers(f"{url}/healthz"))
        shared = site.settings.data_dir / "metrics" / f"web-{site.port}"
        sent = 0
        while len(list(shared.glob("counter_*.db"))) < 2:  # until each of the two has answered
            assert requests.post(f"{url}/webhooks/nobody", timeout=10).status_code == 404
            sent += 1
            assert sent < 500
        told = {total(scrape(site.port), "deliveries_total", status="404") for _ in range(10)}
        assert told == {float(sent)}
    finally:
        running.terminate()
        assert running.wait(30) == 0


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False


def _counted(site: Site, written: float) -> Figures | None:
    """What the web process tells, once all writes and calls stand in it."""
    found = scrape(site.port)
    is_whole = all(
        total(found, "tickets_written_total", account=kind) == written
        and total(found, "vendor_calls_total", account=kind)
        == sum(site.control(kind, "GET", "requests")["counts"].values())
        for kind in KINDS
    )
    return found if is_whole else None


def test_a_delivery_is_accepted_a_duplicate_ignored_or_refused(stage: Stage, site: Site) -> None:
    def counted() -> dict[str, float]:
        found = read(stage.get("/metrics").text)
        return {
            one: total(found, "deliveries_total", account="twice", result=one, status="202")
            for one in ("accepted", "duplicate", "ignored")
        }

    assert set(counted().values()) == {0.0}
    intake = Intake(stage.database)
    for hint in (Hint(ticket_id="1", delivery_id="a"),) * 2 + (Hint(ticket_id=None),):
        intake.submit("twice", hint)
    assert counted() == {"accepted": 1, "duplicate": 1, "ignored": 1}
    web = create_app(site.settings).test_client()
    assert web.post("/webhooks/nobody-knows-it", data=b"{}").status_code == 404
    assert web.post("/webhooks/freshdesk", data=b"{}").status_code == 401
    found = read(web.get("/metrics").text)
    refused = {has for name, has in found if name == "deliveries_total" and "404" in str(has)}
    assert {dict(has)["account"] for has in refused} == {telemetry.UNKNOWN}
    assert total(found, "deliveries_total", account="freshdesk", status="401") >= 1


def test_a_timer_that_comes_late_is_counted_by_how_much(site: Site) -> None:
    def late() -> Figures:
        return read(create_app(site.settings).test_client().get("/metrics").text)

    worker = create_worker(site.settings)
    Intake(site.database).submit("zendesk", Hint(ticket_id=site.create("zendesk")))
    eventually("it is written", lambda: worker.tick() and site.enriched())
    eventually("it has a timer", lambda: worker.tick() and site.at_rest())
    before = late()
    with site.database.write() as conn:
        ago = now(conn) - 90
        conn.execute(update(tables.ticket).values(look_at=ago, timer_at=ago))
    eventually(
        "the timer is judged",
        lambda: worker.tick() and site.rows(tables.ticket)[0]["timer_at"] > ago,
    )
    worker.stop()
    worker.run()
    after = late()
    count, summed = (
        total(after, f"timer_late_seconds_{one}", account="zendesk")
        - total(before, f"timer_late_seconds_{one}", account="zendesk")
        for one in ("count", "sum")
    )
    assert count == 1
    assert 90 <= summed < 200


def test_a_port_that_is_taken_is_said_by_its_setting() -> None:
    app = Flask("worker")
    app.register_blueprint(blueprint(None))
    number = free_port()
    with port.served(app, "127.0.0.1", number):
        assert not of_the_database(scrape(number))
        with (
            pytest.raises(SettingsError, match=f"WORKER_METRICS_PORT: port {number} of 127.0.0.1"),
            port.served(app, "127.0.0.1", number),
        ):
            pytest.fail("it was taken")
    with port.served(app, "127.0.0.1", 0):  # none is asked for
        pass
