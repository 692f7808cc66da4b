"""Zendesk's error answers, in the envelopes that it uses for them."""

from typing import Any

from flask import Response, jsonify


class ZendeskError(Exception):
    """An answer other than success: its status, its body, and its text where it is no JSON."""

    def __init__(
        self,
        status: int,
        body: dict[str, Any],
        *,
        headers: dict[str, str] | None = None,
        text: str | None = None,
    ) -> None:
        super().__init__(str(body.get("error", body)))
        self.status = status
        self.body = body
        self.headers = headers or {}
        self._text = text

    @property
    def name(self) -> str:
        """The error's name, as job results show it."""
        details = self.body.get("error")
        return details if isinstance(details, str) else "Forbidden"

    @property
    def is_oauth(self) -> bool:
        """Whether the body is one that the OAuth standard prescribes."""
        return "error_description" in self.body

    @property
    def description(self) -> str:
        """The error in words."""
        for field in (self.body.get("details") or {}).values():
            return str(field[0]["description"])
        return str(self.body.get("description", self.name))

    def response(self) -> Response:
        """The answer as Flask sends it: plain text if it has one, else JSON."""
        return self._answer(self._text)

    def text_response(self) -> Response:
        """The answer as plain text."""
        return self._answer(self._text or f"{self.name}: {self.description}")

    def _answer(self, text: str | None) -> Response:
        if text is not None:
            answer = Response(text, content_type="text/plain; charset=utf-8")
        else:
            answer = jsonify(self.body)
        answer.status_code = self.status
        answer.headers.update(self.headers)
        return answer


def not_found() -> ZendeskError:
    """No object with this id."""
    return ZendeskError(404, {"error": "RecordNotFound", "description": "Not found"})


def invalid_endpoint() -> ZendeskError:
    """A path that the API does not have, or a feature that the account does not have."""
    return ZendeskError(404, {"error": "InvalidEndpoint", "description": "Not found"})


def forbidden(message: str) -> ZendeskError:
    """The plan, the role or the account's state forbids it."""
    return ZendeskError(403, {"error": {"title": "Forbidden", "message": message}})


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


def closed(shape: str) -> ZendeskError:
    """The ticket is closed for good; told `plain`, `named`, or under `base`, as all were seen."""
    field = "base" if shape == "base" else "status"
    name = "ClosedTicket" if shape == "named" else None
    return invalid(field, "Status: closed prevents ticket update", error=name)


def database_conflict() -> ZendeskError:
    """Two writes met in Zendesk's database; the same write again will do."""
    body = {"error": "DatabaseConflict", "description": "Database collision"}
    return ZendeskError(409, body)


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
