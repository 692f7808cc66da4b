"""Freshdesk's ticket search: `"priority:4 AND (status:2 OR tag:'vip')"`."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from sandbox.freshdesk.errors import Flaw, flawed
from sandbox.state import Doc

_TOKEN = re.compile(r"\s*(\(|\)|AND\b|OR\b|[\w.]+:[<>]?(?:'[^']*'|[^\s()]+))")
_KEYS = {"agent_id": "responder_id"}
_STANDARD = {
    "agent_id", "group_id", "priority", "status", "tag", "type", "due_by", "fr_due_by",
    "created_at", "updated_at",
}  # fmt: skip
_ANY_TEXT = "custom_string"
_DAYS = {"created_at", "updated_at", "due_by", "fr_due_by"}
_LONGEST = 512
_DEEPEST = 30  # brackets
Test = Callable[[Doc], bool]


def find(tickets: Sequence[Doc], query: str, custom: Sequence[str]) -> list[Doc]:
    """The tickets that match; `custom` names the custom fields.

    Raises FreshdeskError 400 for a query that cannot be read, or that asks for another field.
    """
    if len(query) < 3 or query[0] != '"' or query[-1] != '"' or len(query) > _LONGEST:
        raise _wrong()
    if query.count("(") > _DEEPEST:
        raise _wrong()
    test = _Reader(query[1:-1], custom).read()
    return [ticket for ticket in tickets if test(ticket)]


class _Reader:
    def __init__(self, text: str, custom: Sequence[str]) -> None:
        self._custom = custom
        self._tokens = _TOKEN.findall(text)
        if "".join(self._tokens) != re.sub(r"\s+(?=(?:[^']*'[^']*')*[^']*$)", "", text):
            raise _wrong()

    def read(self) -> Test:
        test = self._either()
        if self._tokens:
            raise _wrong()
        return test

    def _either(self) -> Test:
        tests = [self._both()]
        while self._tokens and self._tokens[0] == "OR":
            self._tokens.pop(0)
            tests.append(self._both())
        return lambda ticket: any(test(ticket) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._tokens and self._tokens[0] == "AND":
            self._tokens.pop(0)
            tests.append(self._one())
        return lambda ticket: all(test(ticket) for test in tests)

    def _one(self) -> Test:
        if not self._tokens or self._tokens[0] in (")", "AND", "OR"):
            raise _wrong()
        piece = self._tokens.pop(0)
        if piece != "(":
            return _comparison(piece, self._custom)
        test = self._either()
        if not self._tokens or self._tokens.pop(0) != ")":
            raise _wrong()
        return test


def _comparison(piece: str, custom: Sequence[str]) -> Test:
    name, _, wanted = piece.partition(":")
    if name not in _STANDARD and name not in custom and name != _ANY_TEXT:
        text = "Unexpected/invalid field in request"
        raise flawed([Flaw(field=name, message=text, code="invalid_field")])
    way = wanted[0] if wanted[0] in "<>" else "="
    text = wanted.lstrip("<>").strip("'")
    key = _KEYS.get(name, name)

    def test(ticket: Doc) -> bool:
        if key == "tag":
            return text.lower() in [tag.lower() for tag in ticket["tags"]]
        values = ticket["custom_fields"]
        if key == _ANY_TEXT:
            return text.lower() in [str(value).lower() for value in values.values()]
        return _compares(ticket[key] if key in ticket else values.get(key), key, way, text)

    return test


def _compares(value: Any, key: str, way: str, text: str) -> bool:
    if text == "null" or value is None:
        return value is None and text == "null"
    shown = str(value)[:10] if key in _DAYS else str(value)
    if way == "=":
        return shown.lower() == text.lower()
    found, wanted = _ordered(shown, text)
    return bool(found >= wanted if way == ">" else found <= wanted)


def _ordered(value: str, text: str) -> tuple[Any, Any]:
    """Both as numbers if they are, else as texts."""
    try:
        return float(value), float(text)
    except ValueError:
        return value, text


def _wrong() -> Exception:
    text = 'The query is not valid; put it in double quotes, like "priority:4 AND status:2"'
    return flawed([Flaw(field="query", message=text)])
