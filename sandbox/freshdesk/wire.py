"""How Freshdesk's API reads requests: bodies, pages, and the link to the next page."""

from urllib.parse import urlencode

from flask import Response, request

from sandbox.freshdesk.errors import Flaw, FreshdeskError, flawed
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


def paging(*, most_pages: int) -> tuple[int, int]:
    """The page asked for and its length. Raises FreshdeskError 400 beyond the limits."""
    page, per_page = _positive("page", 1), _positive("per_page", _USUAL)
    if page > most_pages:
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
    """The answer with a link to the next page, if there is one."""
    if more:
        query = request.args.to_dict() | {"page": str(page + 1)}
        answer.headers["Link"] = f'<{request.base_url}?{urlencode(query)}>; rel="next"'
    return answer


def _positive(name: str, usual: int) -> int:
    text = request.args.get(name, str(usual))
    if not text.isdigit() or int(text) < 1:
        wrong = "It should be a/an Positive Integer"
        raise flawed([Flaw(field=name, message=wrong, code="datatype_mismatch")])
    return int(text)
