"""How Freshdesk's API reads requests: bodies, pages, and the link to the next page."""

from collections.abc import Sequence
from urllib.parse import urlencode

from flask import Response, g, jsonify, request

from sandbox.clock import iso, parse_instant
from sandbox.freshdesk.errors import Flaw, FreshdeskError, flawed, not_found
from sandbox.state import Doc

_MOST = 100
_USUAL = 30


def json_body() -> Doc:
    """The request's JSON object. Raises FreshdeskError 415 or 400 for anything else."""
    if not request.is_json:
        text = "Content-Type header is set incorrectly; it must be application/json"
        raise FreshdeskError(415, {"code": "invalid_content_type", "message": text})
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        text = "Request body has invalid json format"
        raise FreshdeskError(400, {"code": "invalid_json", "message": text})
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


def instant_argument(name: str) -> str:
    """An instant of the query string; the earliest when absent. Raises FreshdeskError 400."""
    text = request.args.get(name)
    if text is None:
        return ""
    try:
        return iso(parse_instant(text.replace(" ", "+")))
    except ValueError as error:
        wrong = "It should be in the 'combined date and time ISO8601' format"
        raise flawed([Flaw(field=name, message=wrong)]) from error


def _positive(name: str, usual: int) -> int:
    text = request.args.get(name, str(usual))
    if not text.isdigit() or int(text) < 1:
        wrong = "It should be a/an Positive Integer"
        raise flawed([Flaw(field=name, message=wrong, code="datatype_mismatch")])
    return int(text)
