"""Tending: what has to be done now and then, a little at a time, beside the lanes."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from sqlalchemy import Connection

from connector.engine import reconcile
from connector.engine.context import Account
from connector.errors import SettingsError
from connector.settings import Settings
from connector.store import chain
from connector.store.database import Database
from connector.store.keys import Keys
from connector.store.retention import LIMIT, Chore, Terms, chores

log = structlog.get_logger()

ROUND_SECONDS = 60.0
BUSY_SECONDS = 0.25  # between two batches; whoever stores webhooks comes in between
RETENTION_SECONDS = 3600.0


class Tending:
    """Deletes what is old, links old evidence, and asks for forgotten tickets. For one thread.

    Several workers may each have one: none does what another has just done.
    """

    def __init__(
        self,
        database: Database,
        served: Mapping[str, Account],
        keys: Keys,
        settings: Settings,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._served = served
        self._keys = keys
        self._terms = terms_of(settings)
        self._monotonic = monotonic
        self._chores: list[Chore] = []
        self._deleted: dict[str, int] = {}
        self._retention_at = monotonic() + ROUND_SECONDS  # a start has enough to do
        self._reconcile_at = monotonic()

    def tend(self) -> float:
        """One small round; returns the seconds until the next. Raises `StoreError`."""
        if self._link() or self._delete():
            return BUSY_SECONDS
        if self._monotonic() >= self._reconcile_at:
            self._reconcile_at = self._monotonic() + ROUND_SECONDS
            self._reconcile()
        return ROUND_SECONDS

    def _link(self) -> bool:
        """Link evidence that an older deskclock writes beside us; False when there is none."""
        with self._database.read() as conn:
            names = chain.unlinked(conn)

        def adopt(conn: Connection) -> int:
            return sum(chain.adopt(conn, name, LIMIT) for name in names[:1])

        return bool(names) and self._database.run(adopt) > 0

    def _delete(self) -> bool:
        """A batch of what is old; False when nothing is left of it for now."""
        if not self._chores and self._monotonic() >= self._retention_at:
            self._retention_at = self._monotonic() + RETENTION_SECONDS
            self._chores = list(chores(self._database, self._terms, self._keys))
        if not self._chores:
            return False
        chore = self._chores.pop(0)  # one that fails has its next turn with the next retention
        try:
            count = self._database.run(chore.work)
        except SettingsError as error:  # a key that is not there
            log.error("evidence is not deleted, though it is old", reason=str(error))
            count = 0
        self._deleted[chore.name] = self._deleted.get(chore.name, 0) + count
        if count >= LIMIT:
            self._chores.insert(0, chore)
        if not self._chores:
            self._tell()
        return True

    def _tell(self) -> None:
        deleted: dict[str, Any] = {name: count for name, count in self._deleted.items() if count}
        self._deleted = {}
        if deleted:
            log.info("old rows deleted", **deleted)

    def _reconcile(self) -> None:
        for name, account in self._served.items():
            if not account.reconcile_hours:
                continue
            hours = account.reconcile_hours

            def work(conn: Connection, name: str = name, hours: float = hours) -> int:
                return reconcile.request(conn, name, hours)

            count = self._database.run(work)
            if count:
                log.debug("forgotten tickets are looked at", account=name, tickets=count)


def terms_of(settings: Settings) -> Terms:
    """For how many days things are kept."""
    return Terms(
        deliveries=settings.keep_deliveries_days,
        observations=settings.keep_observations_days,
        notices=settings.keep_notices_days,
        evidence=settings.keep_evidence_days,
        tickets=settings.keep_tickets_days,
    )
