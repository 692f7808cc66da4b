"""Zendesk's OAuth: the token endpoint, what its answers hold, and the question for consent."""

import base64
import hashlib
import hmac
import math
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from connector.errors import (
    HelpdeskUnreachable,
    OutcomeUnknown,
    RoleMissing,
    SettingsError,
    SignInRefused,
)
from connector.http import Answer, Session
from connector.settings import AccountSettings, SignIn

TOKEN_PATH = "/oauth/tokens"  # noqa: S105 (a path, no password)
CONSENT_PATH = "/oauth/authorizations/new"
SCOPE = "read write"  # audits need the global `read`
SUFFICIENT = {"write": {"tickets:write"}}  # of the finer scopes, for what we do to tickets
LONGEST_LIFETIME = 7_776_000.0  # seconds; of any token
#: seconds that we ask for: what Zendesk gives anyway, and the 90 days that it gives at most
LIFETIMES: Mapping[str, int] = {"expires_in": 1800, "refresh_token_expires_in": 7_776_000}
CODE_SECONDS = 120
NAME = "oauth"  # of the pair in the vault
CLIENTS = "Admin Center > Apps and integrations > APIs > OAuth clients"

_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")
_GONE = re.compile(r"suspend|deactivat|inactive|downgrad|deleted", re.IGNORECASE)


class GrantRefused(SignInRefused):
    """A code or a refresh token is of no use any more, or the user behind a client is not."""


class Client:
    """An OAuth client at the token endpoint of one account."""

    def __init__(self, session: Session, client_id: str, client_secret: str | None) -> None:
        self.client_id = client_id
        self.address = session.base_url
        self._session = session
        self._secret = {} if client_secret is None else {"client_secret": client_secret}

    def grant(
        self, grant_type: str, more: Mapping[str, object], *, repeatable: bool = False
    ) -> dict[str, Any]:
        """The answer to a grant; it may hold no token. Raises an `AccountError`."""
        body = {"grant_type": grant_type, "client_id": self.client_id, **self._secret, **more}
        try:
            answer = self._session.call("POST", TOKEN_PATH, body=body, repeatable=repeatable)
        except OutcomeUnknown as error:  # that word is for writes to tickets
            raise HelpdeskUnreachable(str(error), retry_after=error.retry_after) from None
        if not answer.ok:
            raise token_refusal(answer) or SignInRefused(
                f"Zendesk grants no access token (status {answer.status}); is the subdomain right?"
            )
        return answer.data if isinstance(answer.data, dict) else {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Consent:
    """A question to a person whether we may sign in as them."""

    #: the page that they open
    url: str
    #: where their answer is sent
    redirect_uri: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)

    def code(self, answer: Mapping[str, str]) -> str:
        """The code in the query of the answer. Raises `SignInRefused`."""
        error = answer.get("error")
        if error == "access_denied":
            raise SignInRefused("the consent was denied; nothing was stored")
        if error is not None:
            name = error_name(error) or "an error"
            raise SignInRefused(f"Zendesk answers the question for consent with {name}")
        state = answer.get("state", "")
        if not hmac.compare_digest(state.encode(), self.state.encode()):
            raise SignInRefused(
                "the answer belongs to another sign-in (its state differs); nothing was stored. "
                "Begin anew and open the address that is shown then"
            )
        code = answer.get("code", "")
        if not _TOKEN.fullmatch(code):
            raise SignInRefused("the answer holds no code; copy the whole address of the page")
        return code


def ask(settings: SignIn, base_url: str, redirect_uri: str) -> Consent:
    """The question for an account's consent. Raises `SettingsError` where none is needed."""
    if settings.flow != "code" or settings.client_id is None:
        raise SettingsError(
            "this account signs in by itself; a person's consent is for sign_in: "
            "{client_id: …, flow: code}"
        )
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    digest = hashlib.sha256(verifier.encode()).digest()
    query = {
        "response_type": "code",
        "client_id": settings.client_id,
        "redirect_uri": redirect_uri,
        "scope": SCOPE,
        "state": state,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii"),
        "code_challenge_method": "S256",
    }
    url = f"{base_url.rstrip('/')}{CONSENT_PATH}?{urlencode(query)}"
    return Consent(url=url, redirect_uri=redirect_uri, state=state, verifier=verifier)


def exchange(
    settings: SignIn, tokens: Session, consent: Consent, code: str, now: float
) -> Mapping[str, Any]:
    """The pair for a code, to be stored in the vault under `NAME`; `now` is the vault's.

    Raises an `AccountError`.
    """
    client = client_of(settings, tokens)
    try:
        data = client.grant(
            "authorization_code",
            {
                "code": code,
                "redirect_uri": consent.redirect_uri,
                "code_verifier": consent.verifier,
                "scope": SCOPE,
                **LIFETIMES,
            },
        )
    except GrantRefused:
        raise SignInRefused(
            f"Zendesk refuses the code (invalid_grant): it lives for {CODE_SECONDS} seconds, works "
            "once, and only for the sign-in that asked for it; begin anew"
        ) from None
    if token_in(data, "access_token") is None:
        raise SignInRefused("Zendesk grants no access token: its answer holds none")
    refuse_narrow(data.get("scope"), client.client_id)
    return pair_of(client, data, now)


def base_url_of(account: AccountSettings) -> str:
    """Where an account's Zendesk is."""
    return account.base_url or f"https://{account.subdomain}.zendesk.com"


def token_session(
    base_url: str, sleep: Callable[[float], None] = time.sleep, account: str = ""
) -> Session:
    """A session for the token endpoint, which names what that refuses."""
    return Session(base_url, classify=token_refusal, sleep=sleep, account=account)


def token_refusal(answer: Answer) -> SignInRefused | None:
    """What a refusal of the token endpoint says; None where it names no error."""
    word, text = error_of(answer), str(_of(answer, "error_description"))
    if not 400 <= answer.status < 500 or word is None:
        return None
    if _GONE.search(text) or word == "access_denied":
        return GrantRefused(
            f"Zendesk grants no access token ({word}): the user of the OAuth client is suspended "
            "or no longer an agent; make them one again, or make a client as another user"
        )
    kind, remedy = _REMEDIES.get(word, (SignInRefused, "see the README of the Zendesk connector"))
    return kind(f"Zendesk grants no access token ({word}): {remedy}")


_REMEDIES: Mapping[str, tuple[type[SignInRefused], str]] = {
    "invalid_client": (
        SignInRefused,
        f"client_id or client_secret is wrong; compare them with {CLIENTS}",
    ),
    "invalid_grant": (
        GrantRefused,
        "the user of the OAuth client is no longer active; make a client as another user",
    ),
    "invalid_scope": (
        RoleMissing,
        f"the OAuth client may not have the scopes '{SCOPE}'; allow them at {CLIENTS}",
    ),
    "unauthorized_client": (
        RoleMissing,
        "the OAuth client may not do this; client credentials need a client of the kind "
        "'confidential', and sign_in: {client_id: …, flow: code} works with either kind",
    ),
}


def client_of(settings: SignIn, tokens: Session) -> Client:
    """The client that the settings name. Raises `SettingsError` when they name none."""
    if settings.client_id is None:
        raise SettingsError(
            "sign_in: Zendesk needs client_id and client_secret, or client_id and flow: code, or "
            "email and api_token"
        )
    secret = settings.client_secret
    return Client(tokens, settings.client_id, secret.get_secret_value() if secret else None)


def pair_of(
    client: Client, data: Mapping[str, Any], now: float, before: str | None = None
) -> dict[str, Any]:
    """The pair in an answer as the vault keeps it; without a new refresh token the old one."""
    return {
        "client_id": client.client_id,
        "address": client.address,
        "access_token": token_in(data, "access_token"),
        "refresh_token": token_in(data, "refresh_token") or before,
        "expires_at": now + lifetime_in(data, "expires_in"),
        "ends_at": now + lifetime_in(data, "refresh_token_expires_in"),
        "scope": scopes_in(data.get("scope")),
    }


def token_in(data: Mapping[str, Any], name: str) -> str | None:
    """A token that can stand in a header."""
    token = data.get(name)
    return token if isinstance(token, str) and _TOKEN.fullmatch(token) else None


def lifetime_in(data: Mapping[str, Any], name: str) -> float:
    """Seconds; where the answer says nothing of use, as many as we asked for."""
    seconds: Any = data.get(name)
    known = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if known and 1 <= seconds < math.inf:
        return float(min(seconds, LONGEST_LIFETIME))
    return float(LIFETIMES[name])


def scopes_in(granted: object) -> list[str]:
    """The scopes of an answer; none when it does not say, which means those that we asked for."""
    words = granted.split() if isinstance(granted, str) else granted
    return [one for one in words if isinstance(one, str)] if isinstance(words, list) else []


def refuse_narrow(granted: object, client_id: str, more: str = "") -> None:
    """Raise `RoleMissing` for a token that lacks a scope: every call with it would be refused."""
    scopes = set(scopes_in(granted))
    missing = [one for one in SCOPE.split() if not {one, *SUFFICIENT.get(one, ())} & scopes]
    if scopes and missing:
        shown = ", ".join(sorted(scopes))[:100]
        raise RoleMissing(
            f"the access token lacks the scope {' and '.join(missing)} (granted: {shown}); allow "
            f"it for the OAuth client '{client_id}' at {CLIENTS}{more}"
        )


def error_of(answer: Answer) -> str | None:
    """The name of the error in an answer, for showing; None where there is none."""
    return error_name(_of(answer, "error"))


def error_name(error: object) -> str | None:
    """An error's name; None for what is none, and could be anything."""
    return error if isinstance(error, str) and re.fullmatch(r"[a-z_]{1,40}", error) else None


def _of(answer: Answer, name: str) -> object:
    return answer.data.get(name) if isinstance(answer.data, dict) else None
