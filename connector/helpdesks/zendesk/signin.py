"""How requests to Zendesk are signed in: OAuth client credentials, or an API token."""

import base64
import threading
import time
from typing import Any

from connector.errors import SettingsError, SignInRefused
from connector.http import Authorizer, Session
from connector.settings import SignIn

TOKEN_PATH = "/oauth/tokens"  # noqa: S105 (a path, no password)
SCOPE = "read write"  # audits need the global `read`
DEFAULT_LIFETIME = 1800.0  # seconds, Zendesk's own default
MARGIN = 60.0  # seconds before its end at which a token is no longer used


class ApiToken:
    """Basic sign-in with an API token; Zendesk ends these on 2027-04-30."""

    def __init__(self, email: str, token: str) -> None:
        pair = f"{email}/token:{token}".encode()
        self._value = "Basic " + base64.b64encode(pair).decode("ascii")

    def authorization(self) -> str:
        """The header's value."""
        return self._value

    def renew(self, _refused: str, /) -> bool:
        """A token is what it is."""
        return False


class ClientCredentials:
    """An access token that is fetched when needed, by one thread at a time."""

    def __init__(self, session: Session, client_id: str, client_secret: str) -> None:
        self._session = session
        self._client_id = client_id
        self._client_secret = client_secret
        self._lock = threading.Lock()
        self._value: str | None = None
        self._good_until = 0.0  # by time.monotonic()

    def authorization(self) -> str:
        """The header's value. Raises an `AccountError` when no token can be had."""
        with self._lock:
            if self._value is None or time.monotonic() >= self._good_until:
                self._fetch()
            return self._value or ""

    def renew(self, refused: str, /) -> bool:
        """Forget the refused token, unless another thread has replaced it already."""
        with self._lock:
            if self._value == refused:
                self._value = None
        return True

    def _fetch(self) -> None:
        answer = self._session.call(
            "POST",
            TOKEN_PATH,
            body={
                "grant_type": "client_credentials",
                "client_id": self._client_id,
                "client_secret": self._client_secret,
                "scope": SCOPE,
            },
            repeatable=True,  # one token more does no harm
        )
        data = answer.data if isinstance(answer.data, dict) else {}
        token = data.get("access_token")
        if not answer.ok or not isinstance(token, str) or not token:
            raise SignInRefused(f"Zendesk grants no access token: {_reason(answer.status, data)}")
        self._value = f"Bearer {token}"
        self._good_until = time.monotonic() + _lifetime(data) - MARGIN


def sign_in(settings: SignIn, tokens: Session) -> Authorizer:
    """The way that the settings describe; `tokens` is a session without sign-in."""
    if settings.client_id is not None and settings.client_secret is not None:
        secret = settings.client_secret.get_secret_value()
        return ClientCredentials(tokens, settings.client_id, secret)
    if settings.email is not None and settings.api_token is not None:
        return ApiToken(settings.email, settings.api_token.get_secret_value())
    raise SettingsError(
        "sign_in: Zendesk needs client_id and client_secret, or email and api_token"
    )


def _lifetime(data: dict[str, Any]) -> float:
    seconds = data.get("expires_in")
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds <= 0:
        return DEFAULT_LIFETIME
    return float(seconds)


def _reason(status: int, data: dict[str, Any]) -> str:
    error = data.get("error")
    return error if isinstance(error, str) and len(error) <= 60 else f"status {status}"
