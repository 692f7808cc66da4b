"""Knows the companies of an account that tickets of the last minutes belong to."""

import time
from collections.abc import Callable

from connector.errors import RoleMissing
from connector.helpdesks.base import JSONObject
from connector.helpdesks.freshdesk.client import Client

# A plan or a domain changes a few times a year, and a wave of tickets of one company costs one
# call; an admin who has changed a company waits no longer than this to see it count.
KEPT_SECONDS = 300.0
MOST = 10_000  # companies at hand; a few kilobytes each
KEPT_KEYS = ("id", "domains", "custom_fields")


class Companies:
    """Companies by their ids, each read at most once in `KEPT_SECONDS`.

    Threads share it without a lock: that two of them now and then read the same company at the
    same time is cheaper than to let all wait for one.
    """

    def __init__(self, client: Client, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._monotonic = monotonic
        self._known: dict[str, tuple[float, JSONObject | None]] = {}
        self._may_read = True

    def may_read(self) -> bool:
        """Ask whether the key's agent may read companies; if not, none is asked for again."""
        self._may_read = self._client.may_read_companies()
        return self._may_read

    def company(self, company_id: str) -> JSONObject | None:
        """The company; None when Freshdesk does not know it, or the agent may not read it.

        Raises `connector.errors`.
        """
        if not self._may_read:
            return None
        now = self._monotonic()
        read_at, found = self._known.get(company_id, (None, None))
        if read_at is not None and now - read_at < KEPT_SECONDS:
            return found
        try:
            whole = self._client.company(company_id)
        except RoleMissing:  # tickets can be judged without; `may_read` tells the admin
            self._may_read = False
            return None
        found = whole and {key: whole[key] for key in KEPT_KEYS if key in whole}
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[company_id] = now, found
        return found
