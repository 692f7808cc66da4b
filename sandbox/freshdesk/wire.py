"""How Freshdesk's API reads requests: bodies, pages, and the link to the next page."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from flask import Response, g, jsonify, request

from sandbox.bodies import strict_json
from sandbox.clock import iso, parse_instant
from sandbox.freshdesk.errors import Flaw, FreshdeskError, flawed, not_found
from sandbox.freshdesk.kinds import ID, mismatch, too_large
from sandbox.state import Doc

_MOST = 100
_USUAL = 30
_MOST_DIGITS = 18


def json_body() -> Doc:
    """The request's JSON object. Raises FreshdeskError 415 or 400 for anything else."""
    if not request.is_json:
        text = "Content-Type header is set incorrectly; it must be application/json"
        raise FreshdeskError(415, {"code": "invalid_content_type", "message": text})
    try:
        body = strict_json(request.get_data())
    except ValueError as error:
        raise _invalid_json() from error
    if not isinstance(body, dict):
        raise _invalid_json()
    flaws = too_large(body)
    if flaws:
        raise flawed(flaws)
    return body


def paging(*, most_pages: int | None = None) -> tuple[int, int]:
    """The page asked for and its length. Raises FreshdeskError 400 beyond the limits."""
    page, per_page = _positive("page", 1), _positive("per_page", _USUAL)
    if most_pages is not None and page > most_pages:
        text = (
            f"You cannot access tickets beyond the {most_pages}th page."
            " Please provide a smaller page number."
        )
        raise flawed([Flaw(field="page", message=text)])
    if per_page > _MOST:
        text = f"It should be a Positive Integer less than or equal to {_MOST}"
        raise flawed([Flaw(field="per_page", message=text)])
    return page, per_page


def linked(answer: Response, page: int, *, more: bool) -> Response:
    """The answer with a link to the next page, if there is one, written as `g.link` says."""
    if more:
        query = request.args.to_dict() | {"page": str(page + 1)}
        url = f"{request.base_url}?{urlencode(query)}"
        plain = g.get("link") == "plain"
        answer.headers["Link"] = f'<{url}>; rel="next"' if plain else f'< {url}>;rel="next"'
    return answer


def paged(docs: Sequence[Doc]) -> Response:
    """The page of a list that was asked for."""
    page, per_page = paging()
    start = (page - 1) * per_page
    answer = jsonify(list(docs[start : start + per_page]))
    return linked(answer, page, more=len(docs) > start + per_page)


def created(doc: Doc) -> tuple[Response, int]:
    """201 with the place of what was created."""
    answer = jsonify(doc)
    answer.headers["Location"] = f"{request.base_url}/{doc['id']}"
    return answer, 201


def known(doc: Doc | None) -> Doc:
    """The object. Raises FreshdeskError 404 when there is none."""
    if doc is None:
        raise not_found()
    return doc


def read_instant(value: Any) -> str:
    """An instant as it is stored. Raises ValueError for what is none, or none in UTC."""
    try:
        # a year before 1000 is written without its zeros
        return iso(parse_instant(value)).zfill(20)
    except OverflowError as error:
        message = f"{value!r} is no instant in UTC"
        raise ValueError(message) from error


def instant_argument(name: str) -> str:
    """An instant of the query string; the earliest when absent. Raises FreshdeskError 400."""
    text = request.args.get(name)
    if text is None:
        return ""
    try:
        return read_instant(text.replace(" ", "+"))
    except ValueError as error:
        wrong = "It should be in the 'combined date and time ISO8601' format"
        raise flawed([Flaw(field=name, message=wrong)]) from error


def id_argument(name: str) -> int:
    """A number of the query string. Raises FreshdeskError 400 for what is none."""
    return _positive(name, 0)


def _positive(name: str, usual: int) -> int:
    text = request.args.get(name, str(usual))
    is_number = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    if not is_number or int(text) < 1:
        raise flawed([mismatch(name, ID)])
    return int(text)


def _invalid_json() -> FreshdeskError:
    text = "Request body has invalid json format"
    return FreshdeskError(400, {"code": "invalid_json", "message": text})
