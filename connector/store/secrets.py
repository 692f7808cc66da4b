"""The vault: secrets that a helpdesk gave us, encrypted, with a lease for whoever renews one."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from cryptography.fernet import InvalidToken
from sqlalchemy import Connection, and_, or_, select, update

from connector.errors import SettingsError
from connector.http import Secret
from connector.store.database import Database, insert, now
from connector.store.keys import VARIABLE, Keys
from connector.store.tables import secret


class StoredVault:
    """One account's secrets in the database, shared by all processes."""

    def __init__(self, database: Database, account: str, keys: Keys) -> None:
        self._database = database
        self._account = account
        self._keys = keys

    def read(self, name: str, /) -> Secret | None:
        """A secret; None when there is none. Raises `SettingsError` when no key fits."""
        query = select(secret.c.value, secret.c.generation).where(self._is(name))
        with self._database.read() as conn:
            row = conn.execute(query).first()
        if row is None or not row.value:
            return None
        return Secret(value=self._opened(row.value), generation=row.generation)

    def write(
        self, name: str, value: Mapping[str, Any], /, *, replacing: int | None = None
    ) -> bool:
        """Keep a secret and end its lease; False when it was not `replacing` that stood there.

        What no key fits is not overwritten; `forget` it first. Raises `SettingsError`.
        """
        known = self.read(name)
        cipher = self._keys.cipher(make=known is None)
        text = cipher.encrypt(json.dumps(dict(value)).encode()).decode("ascii")
        return self._database.run(lambda conn: self._write(conn, name, text, replacing))

    def forget(self, name: str) -> None:
        """Leave nothing of a secret but its generation, by which others see that it changed."""
        free = {"value": "", "generation": secret.c.generation + 1, "lease_holder": None}
        gone = update(secret).where(self._is(name)).values(**free, lease_until=0)
        self._database.run(lambda conn: conn.execute(gone))

    def take(self, name: str, generation: int, seconds: float, /) -> str | None:
        """The lease by which we alone may renew that generation; None: there is none to have."""
        holder = uuid4().hex

        def work(conn: Connection) -> bool:
            at = now(conn)
            free = or_(secret.c.lease_holder.is_(None), secret.c.lease_until <= at)
            taken = conn.execute(
                update(secret)
                .where(self._is(name), secret.c.generation == generation, free)
                .values(lease_holder=holder, lease_until=at + seconds)
            )
            return bool(taken.rowcount)

        return holder if self._database.run(work) else None

    def release(self, name: str, lease: str, /) -> None:
        """Give the lease back; nothing happens when it is not ours any more."""
        ours = and_(self._is(name), secret.c.lease_holder == lease)
        back = update(secret).where(ours).values(lease_holder=None, lease_until=0)
        self._database.run(lambda conn: conn.execute(back))

    def now(self) -> float:
        """The database's clock, epoch seconds."""
        with self._database.read() as conn:
            return now(conn)

    def _is(self, name: str) -> Any:
        return and_(secret.c.account == self._account, secret.c.name == name)

    def _write(self, conn: Connection, name: str, text: str, replacing: int | None) -> bool:
        free = {"value": text, "lease_holder": None, "lease_until": 0, "updated_at": now(conn)}
        if replacing is not None:
            standing = and_(self._is(name), secret.c.generation == replacing)
            new = update(secret).where(standing).values(generation=replacing + 1, **free)
            return bool(conn.execute(new).rowcount)
        row = insert(conn, secret).values(account=self._account, name=name, generation=1, **free)
        conn.execute(
            row.on_conflict_do_update(
                index_elements=["account", "name"],
                set_={**free, "generation": secret.c.generation + 1},
            )
        )
        return True

    def _opened(self, text: str) -> dict[str, Any]:
        try:
            value = json.loads(self._keys.cipher().decrypt(text.encode()))
        except (InvalidToken, ValueError):
            value = None
        if not isinstance(value, dict):
            raise SettingsError(
                f"what is stored for account {self._account} cannot be decrypted with the key of "
                f"{self._keys.origin}; all processes need the key that encrypted it, and "
                f"{VARIABLE} may hold several, separated by commas, the newest first"
            )
        return value
