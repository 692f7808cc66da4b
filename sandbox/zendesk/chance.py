"""Shares of calls that something happens to, spread evenly and the same in every run."""

import threading


class Chance:
    """Says yes to a share of the questions: to every second one at 0.5, to none at 0."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owed = 0.0

    def takes(self, share: float) -> bool:
        """Whether it happens this time; `share` is between 0 and 1."""
        with self._lock:
            self._owed += share
            # Shares such as 0.1 add up to a little less than 1.
            if self._owed < 1 - 1e-9:
                return False
            self._owed -= 1
            return True
