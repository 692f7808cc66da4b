"""A call ends within its time, however slowly the bytes of an answer come."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from connector import http
from connector.errors import HelpdeskUnreachable, OutcomeUnknown

FULL_LENGTH = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n["
)


@contextmanager
def dripping(head: bytes, drip: bytes) -> Iterator[str]:
    """A server that goes on sending `drip` until the caller hangs up; gives its address."""
    listening, stop = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(65_536)
                connection.sendall(head)
                while not stop.wait(0.05):
                    connection.sendall(drip)
            except OSError:
                return

    def serve() -> None:
        while not stop.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        stop.set()
        listening.close()


@pytest.mark.parametrize(
    ("head", "drip"),
    [
        (FULL_LENGTH, b" "),
        (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"a"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
    ids=["body", "headers", "one header", "chunks"],
)
@pytest.mark.parametrize(
    ("method", "error"), [("POST", OutcomeUnknown), ("GET", HelpdeskUnreachable)]
)
def test_an_answer_that_drips_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, head: bytes, drip: bytes, method: str, error: type[Exception]
) -> None:
    monkeypatch.setattr(http, "TOTAL_TIMEOUT", 0.3)
    ended = threading.Event()

    def call(address: str) -> None:
        with pytest.raises(error):
            http.Session(address, sleep=lambda seconds: None).call(method, "/x")
        ended.set()

    with dripping(head, drip) as address:
        threading.Thread(target=call, args=(address,), daemon=True).start()
        assert ended.wait(30), "the call goes on for as long as bytes come"


def test_the_time_limit_of_one_call_ends_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TOTAL_TIMEOUT", 0.2)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    with dripping(head, b"") as address:
        session = http.Session(address, sleep=lambda seconds: None)
        for _ in range(3):
            assert session.call("GET", "/x").data == {}
            time.sleep(0.1)
