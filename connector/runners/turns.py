"""Turns: the threads of one process that visit accounts, each account in its turn."""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from connector.engine.context import Account
from connector.runners.visits import Need

Visit = Callable[[Account, Need], object]


class Turns:
    """Gives accounts their turns; the one that was served longest ago goes first.

    For one thread, which gives them out.
    """

    def __init__(
        self,
        served: Mapping[str, Account],
        visit: Visit,
        *,
        threads: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._served = served
        self._visit = visit
        self._threads = threads
        self._monotonic = monotonic
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="lane")
        self._served_at: dict[str, float] = {}
        #: account -> the visit that is under way
        self.running: dict[str, Future[object]] = {}

    def waiting(self) -> list[str]:
        """The accounts that are not visited at the moment."""
        self.running = {name: one for name, one in self.running.items() if not one.done()}
        return [name for name in self._served if name not in self.running]

    def give(self, needs: Mapping[str, Need], *, elsewhere: Iterable[str] = ()) -> None:
        """A turn to as many of these accounts as there are threads.

        `elsewhere` are accounts that this process visits by other threads, which count as well.
        """
        room = self._threads - len(self.running.keys() | set(elsewhere))
        for name in sorted(needs, key=self._last_served)[: max(0, room)]:
            self._served_at[name] = self._monotonic()
            self.running[name] = self._pool.submit(self._visit, self._served[name], needs[name])

    def close(self) -> None:
        """Begin no visit any more; those under way go on."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _last_served(self, name: str) -> float:
        return self._served_at.get(name, float("-inf"))
