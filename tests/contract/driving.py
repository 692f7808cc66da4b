"""Requests as tables, and how they are sent one after the other."""

import time
from dataclasses import dataclass, field
from typing import Any

from tests.contract.recording import Driven

_PATIENCE = 5.0  # seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request; the method CONTROL uses the sandbox's controls.

    `{name}` in path and body is what an earlier call kept under that name.

    `keep`: name -> where in the answer, such as `ticket.id` or `rules.0.id`.
    """

    method: str
    path: str
    body: Any = None
    keep: dict[str, str] = field(default_factory=dict)
    named: dict[str, Any] = field(default_factory=dict)


def call(line: str, body: Any = None, **keep: str) -> Call:
    """A call from `GET /path`, its body, and what it keeps."""
    method, path = line.split(" ", 1)
    return Call(method=method, path=path, body=body, keep=keep)


class Driver:
    """Sends calls in order and remembers what they keep."""

    def __init__(self, desk: Driven) -> None:
        self._desk = desk
        self._kept: dict[str, Any] = {}

    def drive(self, calls: tuple[Call, ...]) -> None:
        """Send all calls."""
        for call in calls:
            end = time.monotonic() + _PATIENCE
            while not self._sent(call):
                assert time.monotonic() < end, f"{call.method} {call.path}: no {call.keep}"
                time.sleep(0.01)

    def _sent(self, call: Call) -> bool:
        """Whether the answer held what the call is to keep; some of it takes its time."""
        if call.method == "CONTROL":
            self._desk.control(call.path, call.body)
            return True
        answer = self._desk.call(
            call.method,
            self._filled(call.path),
            self._filled(call.body),
            **self._filled(call.named),
        )
        try:
            found = {name: _found(answer.json(), place) for name, place in call.keep.items()}
        except (LookupError, TypeError, ValueError):
            return False
        self._kept |= found
        return True

    def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._filled(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self._filled(one) for one in value]
        if not isinstance(value, str):
            return value
        if value.startswith("{") and value[1:-1] in self._kept and value.endswith("}"):
            return self._kept[value[1:-1]]
        for name, kept in self._kept.items():
            value = value.replace(f"{{{name}}}", str(kept))
        return value


def _found(document: Any, place: str) -> Any:
    for step in place.split("."):
        document = document[int(step) if step.isdigit() else step]
    return document
