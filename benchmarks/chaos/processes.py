"""Processes that may be killed at any moment, and are started again at once."""

import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.running import Workshop


@dataclass(frozen=True, kw_only=True, slots=True)
class Blow:
    """Something that was done to a process. `at` is in epoch seconds of this machine."""

    at: float
    name: str
    #: kill, restart or flush; or how it ended by itself
    what: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plan:
    command: Sequence[str]
    environment: Mapping[str, str]


class Mortals(Workshop):
    """A workshop whose processes can be killed."""

    def __init__(self) -> None:
        super().__init__()
        self._plans: dict[str, _Plan] = {}
        self.blows: list[Blow] = []

    def employ(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a process that is to be started again whenever it ends."""
        self._plans[name] = _Plan(command=command, environment=environment)
        self.start(name, command, environment)

    def kill(self, name: str) -> None:
        """End a process and all that it started at once, as `kill -9` does, and start it again."""
        process = self._running.pop(name)
        self.blows.append(Blow(at=time.time(), name=name, what="kill"))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self._again(name)

    def revive(self) -> None:
        """Start again what has ended by itself, as a supervisor would, and remember that it did."""
        for name in self._plans:
            code = self._running[name].poll()
            if code is not None:
                self.blows.append(Blow(at=time.time(), name=name, what=f"ended with {code}"))
                self._again(name)

    def note(self, name: str, what: str) -> None:
        """Remember a blow that something else has dealt."""
        self.blows.append(Blow(at=time.time(), name=name, what=what))

    def _again(self, name: str) -> None:
        plan = self._plans[name]
        self.start(name, plan.command, plan.environment)
