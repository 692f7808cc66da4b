"""Receives a helpdesk's delivery: checks it, hands it to the intake, answers. Computes nothing."""

import math
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO, Protocol

import structlog
from flask import Blueprint, Response, jsonify, request
from werkzeug.wsgi import get_input_stream

from connector import telemetry
from connector.errors import StoreError, UnreadableWebhook, UnverifiedWebhook
from connector.helpdesks.base import Hint

RETRY_AFTER = 5  # seconds, where the store names none
LONGEST_NAME = 63  # characters of an account name; a longer one is not worth a longer log line

_ACCEPTED = b'{"status":"accepted"}\n'  # made once: this is the answer that is given all day

_log = structlog.get_logger("webhooks")


class Door(Protocol):
    """What the receiver needs of a helpdesk; a `Helpdesk` fits."""

    def receive(self, headers: Mapping[str, str], body: bytes) -> Hint:
        """Verify a delivery; header names are lower case.

        Raises `UnverifiedWebhook`, or `UnreadableWebhook` when it is genuine but names no ticket.
        """


class _Broken(Exception):
    """The connection ended, fell silent or broke the rules of HTTP before the body was whole."""


class _TooLarge(Exception):
    """The body has more bytes than a delivery may have."""


def blueprint(
    accounts: Mapping[str, Door], accept: Callable[[str, Hint], None], max_bytes: int
) -> Blueprint:
    """The route `POST /webhooks/<account>`.

    `accept` returns when the hint is stored durably, and raises `StoreError` when it cannot be.
    """
    made = Blueprint("webhooks", __name__)

    def receive(account: str) -> Response:
        door = accounts.get(account)
        if door is None:
            message = "no such account; the address ends in an account name of deskclock.yaml"
            return _refuse(404, account, "unknown account", message, counted=telemetry.UNKNOWN)
        try:
            body = _body(max_bytes)
        except _TooLarge:
            message = f"the body may have {max_bytes} bytes; send the ticket's id and no texts"
            return _refuse(413, account, "too large", message)
        except _Broken as error:
            _hang_up()
            return _refuse(400, account, f"broken off: {error}", "the body could not be read")
        return _pass_on(account, door, body, accept)

    made.add_url_rule(
        "/webhooks/<account>",
        view_func=receive,
        methods=["POST"],
        provide_automatic_options=False,
    )
    return made


def _pass_on(
    account: str, door: Door, body: bytes, accept: Callable[[str, Hint], None]
) -> Response:
    delivery = None
    try:
        hint = door.receive({name.lower(): value for name, value in request.headers}, body)
        delivery = hint.delivery_id
        accept(account, hint)
    except UnverifiedWebhook as error:
        message = "not verified; check the webhook's secret in the helpdesk and in deskclock.yaml"
        return _refuse(401, account, f"not verified: {error}", message)
    except UnreadableWebhook as error:
        message = f"{error}; check the body that the helpdesk is set up to send"
        return _refuse(400, account, f"unreadable: {error}", message, delivery)
    except StoreError as error:
        answer = _refuse(503, account, str(error), "cannot be stored now; send again", delivery)
        answer.headers["Retry-After"] = str(math.ceil(error.retry_after or RETRY_AFTER))
        return answer
    return Response(_ACCEPTED, 202, mimetype="application/json")


def _body(max_bytes: int) -> bytes:
    """The whole body. Raises `_TooLarge` without reading on, and `_Broken`.

    Werkzeug's own limit would hand over the cut body of a chunked delivery as if it were whole.
    """
    if (request.content_length or 0) > max_bytes:
        raise _TooLarge
    stream = get_input_stream(request.environ)
    parts, left = [], max_bytes
    while left and (part := _read(stream, left)):
        parts.append(part)
        left -= len(part)
    if not left and _read(stream, 1):
        raise _TooLarge
    return b"".join(parts)


def _hang_up() -> None:
    """Read no more from this client: the server would wait for the rest of the body once again."""
    connection = request.environ.get("gunicorn.socket")
    if connection is not None:
        with suppress(OSError):  # it may be gone already
            connection.shutdown(socket.SHUT_RD)


def _read(stream: IO[bytes], size: int) -> bytes:
    try:
        return stream.read(size)
    except Exception as error:  # each server has its own errors here, and all are the client's
        raise _Broken(type(error).__name__) from error


def _refuse(
    status: int,
    account: str,
    reason: str,
    message: str,
    delivery: str | None = None,
    counted: str | None = None,
) -> Response:
    """Say no; `counted` stands for the account in the figures where strangers chose its name."""
    telemetry.DELIVERIES.labels(counted or account, "refused", status).inc()
    _log.warning(
        "delivery refused",
        account=account[:LONGEST_NAME],
        status=status,
        reason=reason,
        delivery=delivery,
    )
    return _answer(status, error=message)


def _answer(status: int, /, **body: str) -> Response:
    answer = jsonify(body)
    answer.status_code = status
    return answer
