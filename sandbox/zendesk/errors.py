"""Zendesk's error answers, in the envelopes that it uses for them."""

from typing import Any

from flask import Response, jsonify


class ZendeskError(Exception):
    """An answer other than success: its status and its body."""

    def __init__(
        self, status: int, body: dict[str, Any], *, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(str(body.get("error", body)))
        self.status = status
        self.body = body
        self.headers = headers or {}

    @property
    def name(self) -> str:
        """The error's name, as job results show it."""
        details = self.body.get("error")
        return details if isinstance(details, str) else "TicketUpdateFailed"

    @property
    def description(self) -> str:
        """The error in words."""
        for field in (self.body.get("details") or {}).values():
            return str(field[0]["description"])
        return str(self.body.get("description", self.name))

    def response(self) -> Response:
        """The answer as Flask sends it."""
        answer = jsonify(self.body)
        answer.status_code = self.status
        answer.headers.update(self.headers)
        return answer


def not_found() -> ZendeskError:
    """No object with this id."""
    return ZendeskError(404, {"error": "RecordNotFound", "description": "Not found"})


def invalid(field: str, text: str, *, error: str | None = None) -> ZendeskError:
    """A value that Zendesk refuses to store."""
    entry = {"description": text} | ({"error": error} if error else {})
    return ZendeskError(
        422,
        {
            "error": "RecordInvalid",
            "description": "Record validation errors",
            "details": {field: [entry]},
        },
    )


def closed() -> ZendeskError:
    """The ticket is closed for good."""
    return invalid("status", "Status: closed prevents ticket update")


def update_conflict() -> ZendeskError:
    """Somebody changed the ticket after the caller read it."""
    text = (
        "Safe Update prevented the update due to outdated ticket data. "
        "Please fetch the latest ticket data and try again."
    )
    return ZendeskError(409, {"error": "UpdateConflict", "description": text})


def bad_request(name: str, description: str) -> ZendeskError:
    """A request that cannot be understood."""
    return ZendeskError(400, {"error": name, "description": description})


def bad_page(code: str, detail: str) -> ZendeskError:
    """A pagination that is not offered."""
    return ZendeskError(400, {"errors": [{"code": code, "title": code, "detail": detail}]})
