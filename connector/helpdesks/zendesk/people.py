"""Who has which role on Zendesk, remembered from call to call."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from connector.helpdesks.base import JSONObject
from mappings.field_mapping import plain

BATCH = 100  # users that one call asks for
MOST = 10_000  # users that are remembered


class People:
    """The roles of one account's users. Safe to use from several threads.

    A role that changes is seen when the user next comes with a ticket or with its audits.
    """

    def __init__(self, ask: Callable[[Sequence[str]], Iterable[JSONObject]]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        #: id -> role, the longest unused first; None: Zendesk does not tell
        self._roles: OrderedDict[str, str | None] = OrderedDict()

    def note(self, users: Any) -> None:
        """Take in users that came beside something else."""
        rows = users if isinstance(users, list) else []
        self._keep(one for one in rows if isinstance(one, dict) and plain(one.get("role")))

    def of(self, user_ids: Iterable[str]) -> dict[str, JSONObject]:
        """These users as far as Zendesk tells them, with their roles; asks for those not known."""
        wanted = sorted(one for one in set(user_ids) if one.isascii() and one.isdigit())
        with self._lock:
            unknown = [one for one in wanted if one not in self._roles]
        for start in range(0, len(unknown), BATCH):
            batch = unknown[start : start + BATCH]
            found = [one for one in self._ask(batch) if isinstance(one, dict)]
            told = {plain(one.get("id")) for one in found}
            self._keep([*found, *({"id": one} for one in batch if one not in told)])
        with self._lock:
            for one in wanted:
                if one in self._roles:
                    self._roles.move_to_end(one)
            roles = {one: self._roles.get(one) for one in wanted}
        return {one: {"id": one, "role": role} for one, role in roles.items() if role is not None}

    def _keep(self, users: Iterable[JSONObject]) -> None:
        with self._lock:
            for one in users:
                user_id = plain(one.get("id"))
                if user_id is not None:
                    self._roles[user_id] = plain(one.get("role"))
                    self._roles.move_to_end(user_id)
            while len(self._roles) > MOST:
                self._roles.popitem(last=False)
