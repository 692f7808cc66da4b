"""The door answers in the order that interfaces.md promises, and reads no more than it must."""

import io
from collections.abc import Mapping
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from connector.engine.intake import Intake
from connector.errors import StoreError, UnreadableWebhook, UnverifiedWebhook
from connector.helpdesks.base import Hint
from connector.store import tables
from connector.store.database import Database
from webhooks.receiver import blueprint

LIMIT = 1_000
SECRET = "open sesame"


class PasswordDoor:
    """A helpdesk whose deliveries are the secret, a space and a ticket id."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}

    def receive(self, headers: Mapping[str, str], body: bytes) -> Hint:
        self.headers = dict(headers)
        if headers.get("x-secret") != SECRET:
            raise UnverifiedWebhook("the header X-Secret is missing or wrong")
        if body == b"":
            raise UnreadableWebhook("the body names no ticket")
        ticket, _, delivery = body.decode().partition(" ")
        return Hint(ticket_id=None if ticket == "test" else ticket, delivery_id=delivery or None)


class Endless(io.RawIOBase):
    """A body that never ends, and counts what is read of it."""

    taken = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        assert size >= 0
        self.taken += size
        return b"x" * size


@pytest.fixture
def door() -> PasswordDoor:
    return PasswordDoor()


@pytest.fixture
def accepted() -> list[tuple[str, Hint]]:
    return []


@pytest.fixture
def client(door: PasswordDoor, accepted: list[tuple[str, Hint]]) -> FlaskClient:
    def accept(account: str, hint: Hint) -> None:
        if hint.ticket_id == "full":
            raise StoreError("the database refuses: the disk is full", retry_after=2.2)
        if hint.ticket_id == "busy":
            raise StoreError("the database refuses: busy")
        accepted.append((account, hint))

    app = Flask(__name__)
    app.register_blueprint(blueprint({"acme": door}, accept, LIMIT))
    return app.test_client()


def post(client: FlaskClient, body: bytes, account: str = "acme", **options: Any) -> Any:
    options.setdefault("headers", {"X-Secret": SECRET})
    return client.post(f"/webhooks/{account}", data=body, **options)


WRONG = {"X-Secret": "guessed"}


@pytest.mark.parametrize(
    ("account", "body", "headers", "expected"),
    [
        pytest.param("nobody", b"1" * 2_000, WRONG, 404, id="unknown-before-too-large"),
        pytest.param("acme", b"1" * 2_000, WRONG, 413, id="too-large-before-not-verified"),
        pytest.param("acme", b"", WRONG, 401, id="not-verified-before-unreadable"),
        pytest.param("acme", b"full", WRONG, 401, id="not-verified-before-store"),
        pytest.param("acme", b"", {"X-Secret": SECRET}, 400, id="unreadable"),
        pytest.param("acme", b"full", {"X-Secret": SECRET}, 503, id="store"),
        pytest.param("acme", b"1", {"X-Secret": SECRET}, 202, id="accepted"),
        pytest.param("acme", b"test", {"X-Secret": SECRET}, 202, id="not-about-a-ticket"),
        pytest.param("acme", b"1" * 1_000, {"X-Secret": SECRET}, 202, id="just-small-enough"),
        pytest.param("acme", b"1" * 1_001, {"X-Secret": SECRET}, 413, id="just-too-large"),
    ],
)
def test_the_first_reason_decides_the_answer(
    client: FlaskClient, account: str, body: bytes, headers: dict[str, str], expected: int
) -> None:
    answer = post(client, body, account, headers=headers)
    assert (expected, "application/json") == (answer.status_code, answer.mimetype)


def test_an_accepted_delivery_is_handed_on_with_its_account(
    client: FlaskClient, accepted: list[tuple[str, Hint]]
) -> None:
    post(client, b"1 d1")
    expected = [("acme", Hint(ticket_id="1", delivery_id="d1"))]
    assert expected == accepted


def test_header_names_arrive_in_lower_case(client: FlaskClient, door: PasswordDoor) -> None:
    post(client, b"1", headers={"X-SECRET": SECRET, "X-Zendesk-Account-Id": "5"})
    assert door.headers["x-zendesk-account-id"] == "5"


@pytest.mark.parametrize("size", [999, 1_000, 1_001, 50_000])
def test_a_body_without_a_length_is_read_whole_or_refused_never_cut(
    client: FlaskClient, accepted: list[tuple[str, Hint]], size: int
) -> None:
    environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    stream = io.BytesIO(b"7" * size)
    answer = post(
        client, b"", input_stream=stream, environ_overrides={**environ, "CONTENT_LENGTH": ""}
    )
    handed_on = [len(str(hint.ticket_id)) for _, hint in accepted]
    expected = (202, [size]) if size <= LIMIT else (413, [])
    assert expected == (answer.status_code, handed_on)


@pytest.mark.parametrize("length", ["", "10", "-1", "many"])
def test_an_endless_body_is_left_after_the_limit_whatever_its_length_says(
    client: FlaskClient, length: str
) -> None:
    endless = Endless()
    environ = {"wsgi.input": endless, "wsgi.input_terminated": True, "CONTENT_LENGTH": length}
    answer = post(client, b"", environ_overrides=environ)
    assert (answer.status_code, endless.taken) == (413, LIMIT + 1)


def test_a_body_whose_length_is_too_large_is_not_read_at_all(client: FlaskClient) -> None:
    endless = Endless()
    environ = {"wsgi.input": endless, "wsgi.input_terminated": True, "CONTENT_LENGTH": "5000"}
    answer = post(client, b"", environ_overrides=environ)
    assert (answer.status_code, endless.taken) == (413, 0)


@pytest.mark.parametrize(("body", "expected"), [(b"full", "3"), (b"busy", "5")])
def test_a_refusal_of_the_store_says_when_to_come_back(
    client: FlaskClient, body: bytes, expected: str
) -> None:
    assert expected == post(client, body).headers["Retry-After"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_not_allowed(client: FlaskClient, method: str) -> None:
    answer = client.open("/webhooks/acme", method=method)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("account", "body", "headers", "status", "delivery"),
    [
        pytest.param("nobody", b"1 d1", {"X-Secret": SECRET}, 404, None, id="unknown"),
        pytest.param("acme", b"1" * 2_000, {"X-Secret": SECRET}, 413, None, id="too-large"),
        pytest.param("acme", b"letter", WRONG, 401, None, id="not-verified"),
        pytest.param("acme", b"", {"X-Secret": SECRET}, 400, None, id="unreadable"),
        pytest.param("acme", b"full d1", {"X-Secret": SECRET}, 503, "d1", id="store"),
    ],
)
def test_each_refusal_leaves_one_line_without_body_or_secret(
    client: FlaskClient,
    account: str,
    body: bytes,
    headers: dict[str, str],
    status: int,
    delivery: str | None,
) -> None:
    with capture_logs() as lines:
        post(client, body, account, headers=headers)
    (line,) = lines
    expected = ("delivery refused", "warning", account, status, delivery)
    found = (line["event"], line["log_level"], line["account"], line["status"], line["delivery"])
    assert expected == found
    assert not any(word in repr(line) for word in (SECRET, "guessed", "letter"))


@pytest.mark.parametrize(
    ("account", "body", "headers", "advice"),
    [
        pytest.param("nobody", b"1", {}, "account name of deskclock.yaml", id="unknown"),
        pytest.param("acme", b"1" * 2_000, {}, "1000 bytes; send the ticket's id", id="too-large"),
        pytest.param("acme", b"1", {}, "check the webhook's secret", id="not-verified"),
        pytest.param("acme", b"", {"X-Secret": SECRET}, "check the body", id="unreadable"),
        pytest.param("acme", b"full", {"X-Secret": SECRET}, "send again", id="store"),
    ],
)
def test_each_refusal_says_in_one_line_what_to_do(
    client: FlaskClient, account: str, body: bytes, headers: dict[str, str], advice: str
) -> None:
    error = post(client, body, account, headers=headers).json["error"]
    assert (advice in error, len(error.splitlines())) == (True, 1)


def test_an_accepted_delivery_leaves_no_line(client: FlaskClient) -> None:
    with capture_logs() as lines:
        post(client, b"1")
    assert lines == []


def test_a_repeated_delivery_is_accepted_again_and_stored_once(
    door: PasswordDoor, database: Database
) -> None:
    app = Flask(__name__)
    app.register_blueprint(blueprint({"acme": door}, Intake(database).submit, LIMIT))
    answers = [post(app.test_client(), b"1 d1").status_code for _ in range(2)]
    with database.read() as conn:
        wanted = conn.scalar(tables.ticket.select().with_only_columns(tables.ticket.c.wanted))
    assert (answers, wanted) == ([202, 202], 1)
