"""Freshdesk's ticket search: `"priority:4 AND (status:2 OR tag:'vip')"`."""

import re
from collections.abc import Callable, Sequence

from sandbox.freshdesk.errors import Flaw, flawed
from sandbox.state import Doc

_TOKEN = re.compile(r"\s*(\(|\)|AND\b|OR\b|[\w.]+:[<>]?(?:'[^']*'|[^\s()]+))")
_KEYS = {"agent_id": "responder_id"}
_DAYS = {"created_at", "updated_at", "due_by", "fr_due_by"}
_LONGEST = 512
Test = Callable[[Doc], bool]


def find(tickets: Sequence[Doc], query: str) -> list[Doc]:
    """The tickets that match. Raises FreshdeskError 400 for a query that cannot be read."""
    if len(query) < 3 or query[0] != '"' or query[-1] != '"' or len(query) > _LONGEST:
        raise _wrong()
    test = _Reader(query[1:-1]).read()
    return [ticket for ticket in tickets if test(ticket)]


class _Reader:
    def __init__(self, text: str) -> None:
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
            return _comparison(piece)
        test = self._either()
        if not self._tokens or self._tokens.pop(0) != ")":
            raise _wrong()
        return test


def _comparison(piece: str) -> Test:
    name, _, wanted = piece.partition(":")
    way = wanted[0] if wanted[0] in "<>" else "="
    text = wanted.lstrip("<>").strip("'")
    key = _KEYS.get(name, name)

    def test(ticket: Doc) -> bool:
        if key == "tag":
            return text.lower() in [tag.lower() for tag in ticket["tags"]]
        value = ticket["custom_fields"].get(key) if key.startswith("cf_") else ticket.get(key)
        if text == "null" or value is None:
            return value is None and text == "null"
        shown = str(value)[:10] if key in _DAYS else str(value)
        if way == "=":
            return shown.lower() == text.lower()
        return shown >= text if way == ">" else shown <= text

    return test


def _wrong() -> Exception:
    text = 'The query is not valid; put it in double quotes, like "priority:4 AND status:2"'
    return flawed([Flaw(field="query", message=text)])
