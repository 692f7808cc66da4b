"""How requests to Zendesk are signed in: OAuth by a client or a person, or an API token."""

import base64
import json
import math
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connector.errors import (
    AccountError,
    HelpdeskUnreachable,
    SettingsError,
    SignInRefused,
    StoreError,
)
from connector.helpdesks.zendesk.oauth import (
    CLIENTS,
    LIFETIMES,
    NAME,
    SCOPE,
    Client,
    GrantRefused,
    client_of,
    lifetime_in,
    pair_of,
    refuse_narrow,
    token_in,
)
from connector.http import Answer, Authorizer, Secret, Session, Vault
from connector.settings import SignIn

MARGIN = 60.0  # seconds before its end at which a token is no longer used
LEASE_SECONDS = 45.0  # longer than a call to the token endpoint can take
POLLS, POLL_SECONDS = 50, 0.1  # while somebody else renews
TOKENS = "Admin Center > Apps and integrations > APIs > API tokens"

_USER_GONE = re.compile(r"\buser\b.{0,40}(suspend|deactivat|inactive)", re.IGNORECASE)
_ACCOUNT_GONE = re.compile(r"account.{0,40}suspend", re.IGNORECASE)


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

    def __init__(self, client: Client) -> None:
        self._client = client
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
        began = time.monotonic()
        # one token more does no harm
        data = self._client.grant("client_credentials", {"scope": SCOPE}, repeatable=True)
        token = token_in(data, "access_token")
        if token is None:
            raise SignInRefused("Zendesk grants no access token: its answer holds none")
        refuse_narrow(data.get("scope"), self._client.client_id)
        self._value = f"Bearer {token}"
        self._good_until = began + lifetime_in(data, "expires_in") - MARGIN


@dataclass(frozen=True, kw_only=True, slots=True)
class _Held:
    """A pair of tokens of the vault. Instants by the vault's clock."""

    generation: int
    header: str = field(repr=False)
    #: None: Zendesk gave none, and the access token serves for as long as it does
    refresh: str | None = field(repr=False)
    expires_at: float
    ends_at: float
    #: those that were granted, with spaces between
    scope: str

    def fresh(self, now: float, refused: str | None) -> bool:
        ends = now >= self.expires_at - MARGIN and self.refresh is not None
        return self.header != refused and not ends


class Code:
    """An access token that a person let us have, renewed with a refresh token of single use.

    The pair lives in the vault: whoever holds its lease renews it, and all others wait for what
    comes of it. A new pair is stored before it is used.
    """

    def __init__(
        self, client: Client, vault: Vault, account: str, sleep: Callable[[float], None]
    ) -> None:
        self._client = client
        self._vault = vault
        self._sleep = sleep
        self._remedy = f"run `deskclock sign-in {account}`"
        self._lock = threading.Lock()
        self._held: _Held | None = None
        self._good_until = 0.0  # by time.monotonic()
        # a pair that the vault did not take, and the generation that it replaces
        self._unsaved: tuple[int, dict[str, Any]] | None = None

    def authorization(self) -> str:
        """The header's value. Raises an `AccountError`, or `StoreError`."""
        with self._lock:
            if self._held is not None and time.monotonic() < self._good_until:
                return self._held.header
        return self._fresh(None)

    def renew(self, refused: str, /) -> bool:
        """Get another token than the refused one, from the vault or from Zendesk."""
        self._fresh(refused)
        return True

    def _fresh(self, refused: str | None) -> str:
        try:
            for turn in range(POLLS + 1):
                if turn:
                    self._sleep(POLL_SECONDS)
                self._save()
                held, now = self._read(), self._vault.now()
                if held.fresh(now, refused):
                    return self._hold(held, now)
                lease = self._vault.take(NAME, held.generation, LEASE_SECONDS)
                if lease is not None:
                    self._replace(held, lease)
        except SettingsError as error:  # of the key; the account waits, and the others go on
            raise SignInRefused(str(error)) from None
        raise HelpdeskUnreachable("the access token is being renewed by another worker")

    def _read(self) -> _Held:
        found = self._vault.read(NAME)
        if found is None:
            raise SignInRefused(f"nobody has signed in to Zendesk yet; {self._remedy}")
        given = (found.value.get("client_id"), found.value.get("address"))
        if given != (self._client.client_id, self._client.address):
            raise SignInRefused(
                "the sign-in that is stored was for another client_id or address than the settings "
                f"name; {self._remedy}"
            )
        refuse_narrow(found.value.get("scope"), self._client.client_id, f", and {self._remedy}")
        return _held(found)

    def _hold(self, held: _Held, now: float) -> str:
        left = math.inf if held.refresh is None else held.expires_at - MARGIN - now
        with self._lock:
            if self._held is None or held.generation >= self._held.generation:
                self._held, self._good_until = held, time.monotonic() + left
        return held.header

    def _replace(self, held: _Held, lease: str) -> None:
        """Renew a generation under its lease; raises unless the vault holds a newer one then."""
        try:
            value = self._refresh(held)
        except (AccountError, StoreError) as error:
            with suppress(StoreError):
                self._vault.release(NAME, lease)
            if not isinstance(error, SignInRefused) or self._read().generation == held.generation:
                raise
        else:
            with self._lock:
                self._unsaved = held.generation, value
            self._save()

    def _refresh(self, held: _Held) -> dict[str, Any]:
        now = self._vault.now()
        if held.refresh is None:
            raise SignInRefused(
                f"Zendesk refuses the access token and gave nothing to renew it; {self._remedy}"
            )
        try:
            more = {"refresh_token": held.refresh, "scope": held.scope, **LIFETIMES}
            data = self._client.grant("refresh_token", more)
        except GrantRefused:
            ended = datetime.fromtimestamp(held.ends_at, UTC)
            why = (
                f"it lapsed on {ended:%Y-%m-%d} after no use"
                if held.ends_at <= now
                else "it was revoked, its user is no longer active, or the answer to an earlier "
                "renewal was lost"
            )
            raise SignInRefused(
                f"Zendesk does not renew the sign-in (invalid_grant): {why}; {self._remedy}"
            ) from None
        if token_in(data, "access_token") is None:
            raise HelpdeskUnreachable("the answer to the renewal of the sign-in holds no token")
        return pair_of(self._client, data, now, before=held.refresh)

    def _save(self) -> None:
        """Store what could not be stored before; what somebody else stored meanwhile stands."""
        with self._lock:
            if self._unsaved is not None:
                generation, value = self._unsaved
                self._vault.write(NAME, value, replacing=generation)
                self._unsaved = None


class NoVault:
    """Where tokens should come from a vault, and there is none: no call can be made."""

    def authorization(self) -> str:
        """Raises `SignInRefused`."""
        raise SignInRefused("sign_in: flow 'code' needs the database that keeps its tokens")

    def renew(self, _refused: str, /) -> bool:
        """There is nothing to renew."""
        return False


def sign_in(
    settings: SignIn,
    tokens: Session,
    vault: Vault | None = None,
    *,
    account: str = "ACCOUNT",
    sleep: Callable[[float], None] = time.sleep,
) -> Authorizer:
    """The way that the settings describe; `tokens` is a session without sign-in.

    `vault` and the name of the `account` are for the flow `code`; without a vault its account can
    be described but not called.
    """
    if settings.email is not None and settings.api_token is not None:
        return ApiToken(settings.email, settings.api_token.get_secret_value())
    client = client_of(settings, tokens)
    if settings.flow is None:
        return ClientCredentials(client)
    return NoVault() if vault is None else Code(client, vault, account, sleep)


def advice(settings: SignIn) -> tuple[str, ...]:
    """What an admin should change in how we sign in, a line each."""
    if settings.api_token is None:
        return ()
    return (
        "sign_in: Zendesk ends API tokens: since 2026-10-27 none can be created, and on 2027-04-30 "
        "all stop working. Change to OAuth before: make a confidential client "
        f"({CLIENTS}) as the user of deskclock, and give client_id and client_secret",
    )


def refusal_by(settings: SignIn) -> Callable[[Answer], SignInRefused | None]:
    """What names a refusal of this way of signing in by a call's answer; None for any other."""
    if settings.api_token is not None:
        told = (
            "the e-mail or the API token is wrong, the token was deleted or lay unused for 30 days,"
            f" or the user is suspended; compare them with {TOKENS}"
        )
    else:  # a token that was renewed just now
        told = (
            "even a new access token; the user that it acts as is suspended or no longer an agent: "
            "make them one again, or sign in as somebody else"
        )

    def named(answer: Answer) -> SignInRefused | None:
        text = json.dumps(answer.data) + answer.text
        if answer.status == 403 and _USER_GONE.search(text):
            return SignInRefused(
                "Zendesk refuses our user (403), who is suspended or no longer active: make them "
                "an agent again, or sign in as somebody else"
            )
        if answer.status != 401 or _ACCOUNT_GONE.search(text):
            return None
        return SignInRefused(f"Zendesk refuses the sign-in (401): {told}")

    return named


def _held(found: Secret) -> _Held:
    value = found.value
    return _Held(
        generation=found.generation,
        header=f"Bearer {value['access_token']}",
        refresh=value["refresh_token"],
        expires_at=value["expires_at"],
        ends_at=value["ends_at"],
        scope=" ".join(value["scope"]) or SCOPE,
    )
