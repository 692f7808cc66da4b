"""A `deskclock web` of real processes, and deliveries to it as Zendesk signs and sends them."""

import json
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import requests

from connector.store import tables
from sandbox.zendesk.hooks import sign
from tests.runners.site import SECRET, Site

ACCOUNT = "zendesk"
STAMP = "2026-03-02T09:00:00Z"
VENDOR_SECONDS = 10.0  # a helpdesk waits no longer for an answer
TICKETS = 20


class Web:
    """The processes of one `deskclock web` on a database."""

    def __init__(self, folder: Path, database_url: str = "", **environment: str) -> None:
        # nothing is read from the helpdesk: only the door is open
        self.site = Site(folder, {ACCOUNT: "http://127.0.0.1:9"}, database_url=database_url)
        self.url = f"http://127.0.0.1:{self.site.port}"
        self.process: subprocess.Popen[bytes] = self.site.start("web", **environment)

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/healthz", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def workers(self) -> list[psutil.Process]:
        """The processes that serve."""
        return psutil.Process(self.process.pid).children()

    def post(self, delivery: str, session: requests.Session | None = None) -> requests.Response:
        """Send a delivery about one of the tickets; its id is also that of the request."""
        body = json.dumps({"ticket_id": str(1 + hash(delivery) % TICKETS)}).encode()
        headers = {
            "X-Zendesk-Webhook-Invocation-Id": delivery,
            "X-Zendesk-Webhook-Signature": sign(SECRET, STAMP, body),
            "X-Zendesk-Webhook-Signature-Timestamp": STAMP,
            "X-Request-Id": delivery,
        }
        return (session or requests).post(
            f"{self.url}/webhooks/{ACCOUNT}", data=body, headers=headers, timeout=VENDOR_SECONDS
        )

    def stored(self) -> tuple[set[str], int]:
        """The deliveries in the store, and how often a ticket was wanted."""
        deliveries = {row["delivery_id"] for row in self.site.rows(tables.delivery)}
        return deliveries, sum(row["wanted"] for row in self.site.rows(tables.ticket))

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()  # its workers see that and end
        self.process.wait()
        self.site.session.close()
        self.site.database.dispose()


def at_once(count: int, work: Callable[[int], None]) -> None:
    """`work` in so many threads, which begin together."""
    meet = threading.Barrier(count)

    def run(number: int) -> None:
        meet.wait(60)
        work(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
