"""The vault: secrets that a helpdesk gave us, encrypted, with a lease for whoever renews one."""

import json
import os
import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Connection, and_, or_, select, update

from connector.errors import SettingsError, StoreError
from connector.http import Secret
from connector.store.database import Database, insert, now
from connector.store.tables import secret

KEY_FILE = "secret.key"
VARIABLE = "DESKCLOCK_SECRET_KEY"
_NEW_KEY = "make one: openssl rand -base64 32 | tr '+/' '-_'"


class Keys:
    """The keys that encrypt: the first does, and each of them decrypts.

    They come from the setting `secret_key`, or else from a file in the data directory, which is
    made with a new key when a first secret is stored.
    """

    def __init__(self, given: str, data_dir: Path) -> None:
        """`given` is one Fernet key or several, with commas between. Raises `SettingsError`."""
        self._path = data_dir.absolute() / KEY_FILE
        #: where the keys come from, for messages
        self.origin = VARIABLE if given.strip() else str(self._path)
        self._lock = threading.Lock()
        self._cipher = _cipher(given, self.origin) if given.strip() else None

    def cipher(self, *, make: bool = False) -> MultiFernet:
        """What encrypts and decrypts; `make`: a missing key file is made.

        Raises `SettingsError` for keys that are missing or malformed, and `StoreError` for a file
        that cannot be read or made.
        """
        with self._lock:
            if self._cipher is None:
                self._cipher = _cipher(self._file(make), self.origin)
            return self._cipher

    def _file(self, make: bool) -> str:
        try:
            if make and not self._path.exists():
                _make(self._path)
            return self._path.read_text(encoding="ascii")
        except FileNotFoundError:
            raise SettingsError(
                f"{self._path} is missing, the key of what is stored; put it back, or give the key "
                f"as {VARIABLE}"
            ) from None
        except UnicodeDecodeError:
            return "?"
        except OSError as error:
            raise StoreError(f"{self._path} cannot be used: {error.strerror}") from None


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


def _cipher(text: str, origin: str) -> MultiFernet:
    """Raises `SettingsError`, which shows nothing of the text."""
    found = [_fernet(one) for one in re.split(r"[,\s]+", text.strip())]
    keys = [one for one in found if one is not None]
    if len(keys) < len(found):
        number = found.index(None) + 1
        which = f"key {number} of {len(found)}" if len(found) > 1 else "what it holds"
        raise SettingsError(
            f"{origin}: {which} is no Fernet key, 32 random bytes in URL-safe base64; {_NEW_KEY}"
        )
    return MultiFernet(keys)


def _fernet(text: str) -> Fernet | None:
    try:
        return Fernet(text)
    except ValueError:
        return None


def _make(path: Path) -> None:
    """A file with a new key, for our eyes only; one that another process makes meanwhile stays."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        _write_durably(half, Fernet.generate_key() + b"\n")
        # a link appears with all its content or not at all, and never in the place of another file
        with suppress(FileExistsError):
            os.link(half, path)
    finally:
        half.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _write_durably(path: Path, content: bytes) -> None:
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(number, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)
