"""The keys that encrypt what is stored and sign what was deleted."""

import hashlib
import hmac
import os
import re
import threading
from base64 import urlsafe_b64decode
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from connector.errors import SettingsError, StoreError

KEY_FILE = "secret.key"
VARIABLE = "DESKCLOCK_SECRET_KEY"
_NEW_KEY = "make one: openssl rand -base64 32 | tr '+/' '-_'"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ring:
    """The keys as they are used."""

    cipher: MultiFernet
    #: the keys themselves, the newest first
    raw: tuple[bytes, ...]


class Keys:
    """The keys that encrypt and sign: the first does, and each of them decrypts and checks.

    They come from the setting `secret_key`, or else from a file in the data directory, which is
    made with a new key when a first secret is stored.
    """

    def __init__(self, given: str, data_dir: Path) -> None:
        """`given` is one Fernet key or several, with commas between. Raises `SettingsError`."""
        self._path = data_dir.absolute() / KEY_FILE
        #: where the keys come from, for messages
        self.origin = VARIABLE if given.strip() else str(self._path)
        self._lock = threading.Lock()
        self._ring = _ring(given, self.origin) if given.strip() else None

    def cipher(self, *, make: bool = False) -> MultiFernet:
        """What encrypts and decrypts; `make`: a missing key file is made.

        Raises `SettingsError` for keys that are missing or malformed, and `StoreError` for a file
        that cannot be read or made.
        """
        return self._keys(make).cipher

    def sign(self, purpose: str, text: str, *, make: bool = False) -> str:
        """A signature that only our keys can make, good for this purpose; raises as `cipher`."""
        return _signature(self._keys(make).raw[0], purpose, text)

    def has_signed(self, purpose: str, text: str, signature: str) -> bool:
        """Whether one of our keys made the signature; raises as `cipher`."""
        made = [_signature(key, purpose, text) for key in self._keys(make=False).raw]
        return any(hmac.compare_digest(one.encode(), signature.encode()) for one in made)

    def _keys(self, make: bool) -> _Ring:
        with self._lock:
            if self._ring is None:
                self._ring = _ring(self._file(make), self.origin)
            return self._ring

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


def _signature(key: bytes, purpose: str, text: str) -> str:
    """HMAC-SHA256 with a key of its own for each purpose, so that none serves for another."""
    of_purpose = HKDF(
        algorithm=SHA256(), length=32, salt=None, info=f"deskclock {purpose}".encode()
    ).derive(key)
    return hmac.new(of_purpose, text.encode(), hashlib.sha256).hexdigest()


def _ring(text: str, origin: str) -> _Ring:
    """Raises `SettingsError`, which shows nothing of the text."""
    given = re.split(r"[,\s]+", text.strip())
    found = [_fernet(one) for one in given]
    keys = [one for one in found if one is not None]
    if len(keys) < len(found):
        number = found.index(None) + 1
        which = f"key {number} of {len(found)}" if len(found) > 1 else "what it holds"
        raise SettingsError(
            f"{origin}: {which} is no Fernet key, 32 random bytes in URL-safe base64; {_NEW_KEY}"
        )
    return _Ring(cipher=MultiFernet(keys), raw=tuple(map(urlsafe_b64decode, given)))


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
