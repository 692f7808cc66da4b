"""Lanes that are stuck: the process lives, and an account that it drains gets on with nothing."""

import time
from collections.abc import Callable, Iterable

from connector import telemetry

STUCK_SECONDS = 60.0  # far more than one call may take with its repeats


class Progress:
    """Watches the accounts that this process drains. For one thread, which asks again and again."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seen: dict[str, tuple[int, float]] = {}

    def stuck(self, draining: Iterable[str]) -> dict[str, float]:
        """The accounts whose lane has been standing still too long: name -> seconds so far."""
        now = self._monotonic()
        seen: dict[str, tuple[int, float]] = {}
        for name in draining:
            steps = telemetry.steps(name)
            before = self._seen.get(name)
            seen[name] = before if before is not None and before[0] == steps else (steps, now)
        self._seen = seen
        silent = {name: now - since for name, (_, since) in seen.items()}
        return {name: round(it, 1) for name, it in silent.items() if it > STUCK_SECONDS}
