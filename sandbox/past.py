"""Tickets as they were before their latest change: what a read sees that lags behind."""

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

_KEPT = 2000


class Past:
    """Remembers one earlier version of the tickets that changed last.

    A thread that lags (between `begin` and `end`) sees the earlier version of what changed within
    the given seconds. Of what did not exist before, only messages in a ticket are hidden.
    """

    def __init__(self) -> None:
        self.keeping = False
        self._before: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        self._thread = threading.local()

    @property
    def lagging(self) -> bool:
        """Whether this thread sees the past."""
        return self._seconds > 0

    def keep(self, keeping: bool) -> None:
        """Begin to remember, or forget everything."""
        self.keeping = keeping
        self._before.clear()

    def note(self, key: Hashable, before: Any) -> None:
        """What `key` was until now; None: it was not there."""
        self._before[key] = (time.monotonic(), before)
        self._before.move_to_end(key)
        if len(self._before) > _KEPT:
            self._before.popitem(last=False)

    def begin(self, seconds: float) -> None:
        """Let this thread see what changed within `seconds` as it was before."""
        self._thread.seconds = seconds

    def end(self) -> None:
        """Let this thread see the present again."""
        self._thread.seconds = 0.0

    def seen(self, key: Hashable, present: Any) -> Any:
        """What this thread sees of `key`; None: nothing."""
        changed_at, before = self._before.get(key, (0.0, present))
        return before if time.monotonic() - changed_at < self._seconds else present

    @property
    def _seconds(self) -> float:
        return float(getattr(self._thread, "seconds", 0.0))
