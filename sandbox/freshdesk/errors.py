"""Freshdesk's error answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, jsonify

BLANK = "It should not be blank as this is a mandatory field"


@dataclass(frozen=True, kw_only=True, slots=True)
class Flaw:
    """One wrong field of a request."""

    field: str
    message: str
    code: str = "invalid_value"


class FreshdeskError(Exception):
    """An answer other than success; a body of None is an empty one."""

    def __init__(self, status: int, body: Any, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(str(body))
        self.status = status
        self.body = body
        self.headers = headers or {}

    @property
    def text(self) -> str:
        """What is wrong, in words."""
        if isinstance(self.body, dict) and "errors" in self.body:
            return "; ".join(f"{e['field']}: {e['message']}" for e in self.body["errors"])
        return str((self.body or {}).get("message", f"status {self.status}"))

    def response(self) -> Response:
        """The answer as Flask sends it."""
        answer = Response(status=self.status) if self.body is None else jsonify(self.body)
        answer.status_code = self.status
        answer.headers.update(self.headers)
        return answer


def flawed(flaws: Sequence[Flaw]) -> FreshdeskError:
    """400 with one entry per wrong field."""
    errors = [{"field": f.field, "message": f.message, "code": f.code} for f in flaws]
    return FreshdeskError(400, {"description": "Validation failed", "errors": errors})


def not_found() -> FreshdeskError:
    """404 has no body."""
    return FreshdeskError(404, None)


def not_allowed(method: str, allowed: str) -> FreshdeskError:
    """405, also for deleted tickets and spam."""
    text = f"{method} method is not allowed. It should be one of these method(s): {allowed}"
    return FreshdeskError(405, {"message": text}, headers={"Allow": allowed})


def not_signed_in() -> FreshdeskError:
    """401."""
    text = "You have to be logged in to perform this action."
    return FreshdeskError(401, {"code": "invalid_credentials", "message": text})


def denied(
    code: str = "access_denied", text: str = "You are not authorized to perform this action."
) -> FreshdeskError:
    """403."""
    return FreshdeskError(403, {"code": code, "message": text})


def duplicate(name: str, **known: Any) -> FreshdeskError:
    """409: a value that must be unique is taken; `known` says by whom."""
    entry: dict[str, Any] = {
        "field": name,
        "message": "It should be a unique value",
        "code": "duplicate_value",
    }
    if known:
        entry["additional_info"] = known
    return FreshdeskError(409, {"description": "Validation failed", "errors": [entry]})


def refused(retry_after: int | None, *, has_body: bool) -> FreshdeskError:
    """429; `retry_after` in seconds."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    text = "You have exceeded the limit of requests per minute"
    body = {"message": text} if has_body else None
    return FreshdeskError(429, body, headers=headers)


def broken() -> FreshdeskError:
    """500, which Freshdesk also answers to a webhook action that lacks a key."""
    text = "We're sorry, but something went wrong."
    return FreshdeskError(500, {"code": "internal_error", "message": text})
