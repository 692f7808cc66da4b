"""A real database by the clock of a test, which sees each statement and each commit."""

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, event

from connector.store.database import Database
from tests.engine.in_memory import Clock

T = TypeVar("T")

CLOCKS = ("SELECT julianday('now')", "SELECT extract(epoch FROM clock_timestamp())")


class Watched(Database):
    """A real database by the test's clock; `meet` may raise at each statement and commit."""

    def __init__(self, url: str, clock: Clock) -> None:
        super().__init__(url)
        self.meet: Callable[[str], None] = lambda point: None
        self._clock = clock
        event.listen(self._engine, "before_cursor_execute", self._statement, retval=True)
        event.listen(self._engine, "commit", lambda conn: self.meet("commit"))

    def _statement(
        self, _conn: Connection, _cursor: Any, statement: str, parameters: Any, *_: Any
    ) -> tuple[str, Any]:
        self.meet("statement")
        if statement == CLOCKS[0]:
            statement = f"SELECT {self._clock.at / 86400 + 2440587.5!r}"
        elif statement == CLOCKS[1]:
            statement = f"SELECT {self._clock.at!r}::float8"
        return statement, parameters

    def _once(self, work: Callable[[Connection], T]) -> T:
        result = super()._once(work)
        self.meet("committed")
        return result
