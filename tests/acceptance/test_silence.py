"""The web process under clients that fall silent, as it is really served."""

import socket
import time
from contextlib import ExitStack

from tests.acceptance.conftest import Demo

CLIENTS = 20  # more than the web process has threads
PATIENCE = 60.0  # seconds


def test_clients_that_fall_silent_do_not_shut_the_door(demo: Demo) -> None:
    request = b"POST /webhooks/demo-zendesk HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\n\r\n{"
    with ExitStack() as stack:
        for _ in range(CLIENTS):
            client = socket.create_connection(("127.0.0.1", demo.port))
            stack.enter_context(client)
            client.sendall(request)
        end = time.monotonic() + PATIENCE
        while not demo.answers(f"http://127.0.0.1:{demo.port}/healthz"):
            assert time.monotonic() < end, "the door stays shut"


def test_a_broken_chunk_is_refused_in_one_line(demo: Demo) -> None:
    request = (
        b"POST /webhooks/demo-zendesk HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"ZZ\r\nabc\r\n"
    )
    with socket.create_connection(("127.0.0.1", demo.port), timeout=30) as client:
        client.sendall(request)
        answer = client.recv(4096)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert "Traceback" not in demo.output()
