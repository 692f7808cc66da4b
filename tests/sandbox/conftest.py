"""Local helpdesks served over real HTTP, callers for their APIs, and a receiver of webhooks."""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from sandbox.application import create_sandbox
from sandbox.server import serving

ZENDESK_LOGIN = ("agent@sandbox.test/token", "sandbox")
FRESHDESK_LOGIN = ("sandbox", "X")


class Caller:
    """Calls one helpdesk: `api` signed in under /api/v2, `control` under /_sandbox."""

    def __init__(self, url: str, login: tuple[str, str], app: Any) -> None:
        self.url = url
        self.app = app
        self.login = login
        self.session = requests.Session()
        self.session.trust_env = False

    def raw(self, method: str, path: str, **named: Any) -> requests.Response:
        return self.session.request(method, self.url + path, timeout=10, **named)

    def api(self, method: str, path: str, json: Any = None, **named: Any) -> requests.Response:
        return self.raw(method, f"/api/v2{path}", json=json, auth=self.login, **named)

    def control(self, method: str, path: str, json: Any = None, **named: Any) -> Any:
        return self.raw(method, f"/_sandbox/{path}", json=json, **named).json()

    def ticket(self, **named: Any) -> int:
        wanted = {"subject": "Printer on fire", "description": "It burns."} | named
        return int(self.control("POST", "tickets", wanted)["id"])

    def get(self, ticket_id: int, query: str = "") -> dict[str, Any]:
        answer = self.api("GET", f"/tickets/{ticket_id}{query}").json()
        return dict(answer.get("ticket", answer))

    def job(self, answer: requests.Response) -> dict[str, Any]:
        key = answer.json()["job_status"]["id"]
        return wait_for(
            lambda: self.api("GET", f"/job_statuses/{key}").json()["job_status"],
            lambda job: job["status"] == "completed",
        )


def wait_for(read: Callable[[], Any], enough: Callable[[Any], bool]) -> Any:
    """What `read` gives once it is enough; fails after five seconds."""
    end = time.monotonic() + 5
    while not enough(seen := read()):
        assert time.monotonic() < end, f"still not there: {seen!r}"
        time.sleep(0.01)
    return seen


@pytest.fixture
def eventually() -> Callable[[Callable[[], Any], Callable[[Any], bool]], Any]:
    return wait_for


@pytest.fixture
def zendesk() -> Iterator[Caller]:
    with serving(create_sandbox("zendesk", tickets=3, job_seconds=0.02)) as served:
        yield Caller(served.url, ZENDESK_LOGIN, served.app)


@pytest.fixture
def freshdesk() -> Iterator[Caller]:
    with serving(create_sandbox("freshdesk", tickets=3)) as served:
        caller = Caller(served.url, FRESHDESK_LOGIN, served.app)
        caller.control("POST", "switches", {"native_seconds": 0})
        yield caller


@pytest.fixture(params=["zendesk", "freshdesk"])
def desk(request: pytest.FixtureRequest) -> Caller:
    return request.getfixturevalue(request.param)


@pytest.fixture
def served_with() -> Callable[..., Any]:
    """A context manager that serves a helpdesk with other settings and yields its caller."""
    from contextlib import contextmanager

    @contextmanager
    def serve(helpdesk: str, **settings: Any) -> Iterator[Caller]:
        login = ZENDESK_LOGIN if helpdesk == "zendesk" else FRESHDESK_LOGIN
        with serving(create_sandbox(helpdesk, **({"tickets": 0} | settings))) as served:
            yield Caller(served.url, login, served.app)

    return serve


class Receiver:
    """A real little server that keeps what it is sent; `answers` are used up first.

    An answer is a status, or a status and a Retry-After.
    """

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int | tuple[int, str]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((dict(self.headers.items()), body))
                answer = receiver.answers.pop(0) if receiver.answers else 200
                status, retry_after = answer if isinstance(answer, tuple) else (answer, None)
                self.send_response(status)
                if retry_after is not None:
                    self.send_header("Retry-After", retry_after)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def wait(self, count: int) -> list[tuple[dict[str, str], bytes]]:
        return wait_for(lambda: list(self.got), lambda got: len(got) >= count)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
