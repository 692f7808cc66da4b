"""Webhooks over real HTTP: what got a 202 is stored, whatever happens to processes and store."""

import signal
import threading

import requests
from sqlalchemy import text

from tests.runners.site import eventually
from tests.webhooks.conftest import WebOpener
from tests.webhooks.posting import Web, at_once

CLIENTS = 8


class Stream:
    """Clients that send on and on, each delivery until it is accepted, as helpdesks do."""

    def __init__(self, web: Web) -> None:
        self.accepted: set[str] = set()
        self._web = web
        self._ending = threading.Event()
        self._thread = threading.Thread(target=at_once, args=(CLIENTS, self._send))
        self._thread.start()

    def end(self) -> None:
        self._ending.set()
        self._thread.join()

    def _send(self, client: int) -> None:
        number = 0
        with requests.Session() as session:
            while not self._ending.is_set():
                delivery = f"{client}-{number}"
                try:
                    answer = self._web.post(delivery, session)
                except requests.RequestException:
                    continue  # the process was killed, or has not begun yet
                assert answer.status_code == 202, answer.text
                self.accepted.add(delivery)
                number += 1


def test_of_two_processes_one_is_killed_and_then_all_are_stopped_and_no_202_is_lost(
    open_web: WebOpener, database_url: str
) -> None:
    web = open_web(database_url, DESKCLOCK_WEB_PROCESSES="2")
    eventually("both processes run", lambda: len(web.workers()) == 2)
    stream = Stream(web)
    try:
        eventually("100 are accepted", lambda: len(stream.accepted) >= 100)
        killed = web.workers()[0]
        killed.kill()
        eventually("another takes its place", lambda: len(set(web.workers()) - {killed}) == 2)
        before = len(stream.accepted)
        eventually("200 more are accepted", lambda: len(stream.accepted) >= before + 200)
        web.process.send_signal(signal.SIGTERM)
        code = web.process.wait(20)  # gunicorn's own limit is 8 s
    finally:
        stream.end()
    stored, wanted = web.stored()
    assert code == 0
    assert stream.accepted - stored == set()
    assert wanted == len(stored)


def test_while_the_store_is_blocked_helpdesks_are_told_to_come_back(
    open_web: WebOpener, database_url: str
) -> None:
    web = open_web(database_url)
    answers: list[tuple[int, str | None]] = []

    def post(number: int) -> None:
        answer = web.post(f"d-{number}")
        answers.append((answer.status_code, answer.headers.get("Retry-After")))

    with web.site.database.write() as conn:  # on SQLite that alone keeps all others from writing
        if conn.dialect.name == "postgresql":
            conn.execute(text("LOCK TABLE ticket IN ACCESS EXCLUSIVE MODE"))
        at_once(CLIENTS, post)
    assert answers == [(503, "5")] * CLIENTS
    assert web.stored() == (set(), 0)
    answers.clear()
    at_once(CLIENTS, post)
    assert answers == [(202, None)] * CLIENTS
    assert web.stored() == ({f"d-{number}" for number in range(CLIENTS)}, CLIENTS)
