"""Zendesk's OAuth: clients, authorization codes with PKCE, access and refresh tokens."""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from sandbox.clock import from_epoch, iso, wall_seconds
from sandbox.state import Doc, Row, State
from sandbox.zendesk.errors import ZendeskError

CODE_SECONDS = 120
_ACCESS = (300, 1800, 172_800)  # shortest, usual, longest life in seconds
_REFRESH = (604_800, 2_592_000, 7_776_000)
_CHALLENGES = ("S256", "plain")
_RESOURCES = (
    "tickets", "users", "organizations", "hc", "apps", "triggers", "automations", "targets",
    "webhooks", "macros", "requests", "satisfaction_ratings", "dynamic_content",
)  # fmt: skip
#: What a client may ask for unless a switch says otherwise.
ALL_SCOPES = frozenset(
    {"read", "write", "auditlogs:read", "any_channel:write", "web_widget:write"}
    | {f"{resource}:{way}" for resource in _RESOURCES for way in ("read", "write")}
)
_KNOWN_SCOPES = ALL_SCOPES | {"impersonate"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Client:
    """An OAuth client of the account; one without a secret is public and must use PKCE."""

    id: str
    secret: str | None
    number: int


CLIENTS: Mapping[str, Client] = {
    "sandbox": Client(id="sandbox", secret="sandbox", number=223_443),  # noqa: S106 - guards nothing
    "sandbox-public": Client(id="sandbox-public", secret=None, number=223_444),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request for consent as it stands in the address of the consent page."""

    client: Client
    redirect_uri: str
    scope: str
    state: str
    challenge: str
    method: str

    def back(self, **answer: str) -> str:
        """The address that the browser is sent back to."""
        joint = "&" if urlsplit(self.redirect_uri).query else "?"
        kept = {"state": self.state} if self.state else {}
        return f"{self.redirect_uri}{joint}{urlencode({**answer, **kept})}"


class OAuth:
    """Issues, renews and checks tokens, which live by the wall clock and not by the moved one."""

    def __init__(self, state: State) -> None:
        self._state = state

    def consent(self, asked: Mapping[str, str]) -> Request:
        """What the consent page is asked for. Raises ZendeskError 400 when it cannot be shown."""
        client = CLIENTS.get(asked.get("client_id", ""))
        if client is None:
            raise _refused(400, "invalid_client", "There is no such client")
        if urlsplit(asked.get("redirect_uri", "")).scheme not in ("http", "https"):
            raise _refused(400, "invalid_request", "The redirect_uri is not one of the client's")
        if asked.get("response_type") != "code":
            raise _refused(400, "unsupported_response_type", "response_type must be code")
        challenge, method = asked.get("code_challenge", ""), asked.get("code_challenge_method", "")
        if client.secret is None and not challenge:
            raise _refused(400, "invalid_request", "A public client must send a code_challenge")
        if challenge and (method or "plain") not in _CHALLENGES:
            raise _refused(400, "invalid_request", "code_challenge_method must be S256 or plain")
        return Request(
            client=client,
            redirect_uri=asked["redirect_uri"],
            scope=asked.get("scope") or "read",
            state=asked.get("state", ""),
            challenge=challenge,
            method=method or "plain",
        )

    def allow(self, request: Request, *, user_id: int, ceiling: str) -> str:
        """The user agrees: the address that the browser goes back to, with a code in it."""
        if _outside(request.scope, ceiling):
            return request.back(error="invalid_scope", error_description=_BAD_SCOPE)
        code = secrets.token_hex(32)
        doc = {
            "code": code,
            "client_id": request.client.id,
            "redirect_uri": request.redirect_uri,
            "scope": request.scope,
            "challenge": request.challenge,
            "method": request.method,
            "user_id": user_id,
            "expires_at": wall_seconds() + CODE_SECONDS,
        }
        self._state.put(Row(kind="oauth_code", id=code, doc=doc))
        return request.back(code=code)

    def issue(self, wanted: Mapping[str, Any], *, user_id: int, ceiling: str) -> Doc:
        """The answer of the token endpoint. Raises ZendeskError for what it refuses."""
        grants = {
            "authorization_code": self._by_code,
            "refresh_token": self._by_refresh,
            "client_credentials": self._by_credentials,
        }
        grant = grants.get(str(wanted.get("grant_type")))
        if grant is None:
            text = "The authorization grant type is not supported by the authorization server."
            raise _refused(400, "unsupported_grant_type", text)
        client = _client(wanted)
        with self._state.writing():
            return grant(wanted, client, user_id, ceiling)

    def token(self, access_token: str) -> Doc | None:
        """What is known about an access token that still works."""
        known = self._state.get("token", access_token)
        return known if known is not None and known["expires_at"] >= wall_seconds() else None

    def revoke_all(self) -> None:
        """Let all access tokens be expired; refresh tokens go on working."""
        for token in self._state.all("token"):
            self._state.remove("token", token["access_token"])

    def revoke(self, access_token: str) -> None:
        """Revoke one access token, and the refresh token issued with it."""
        known = self._state.get("token", access_token)
        if known is not None:
            self._forget_pair(known)

    def _by_credentials(
        self, wanted: Mapping[str, Any], client: Client, user_id: int, ceiling: str
    ) -> Doc:
        if client.secret is None:
            raise _refused(400, "unauthorized_client", "Only a confidential client may do this")
        scope = _scope(wanted, ceiling)
        return self._new_pair(wanted, client, scope, user_id, renewable=False)

    def _by_code(self, wanted: Mapping[str, Any], client: Client, _user: int, ceiling: str) -> Doc:
        code = self._state.get("oauth_code", str(wanted.get("code")))
        if code is None or not _fits(code, wanted, client):
            raise _bad_grant()
        self._state.remove("oauth_code", code["code"])
        if code["expires_at"] < wall_seconds() or _outside(code["scope"], ceiling):
            raise _bad_grant()
        return self._new_pair(wanted, client, code["scope"], code["user_id"], renewable=True)

    def _by_refresh(
        self, wanted: Mapping[str, Any], client: Client, _user: int, ceiling: str
    ) -> Doc:
        known = self._state.get("refresh_token", str(wanted.get("refresh_token")))
        usable = known is not None and known["expires_at"] >= wall_seconds()
        if known is None or not usable or known["client_id"] != client.id:
            raise _bad_grant()
        scope = _scope(wanted, ceiling) if wanted.get("scope") else known["scope"]
        pair = self._new_pair(wanted, client, scope, known["user_id"], renewable=True)
        self._state.remove("refresh_token", known["refresh_token"])
        self._state.remove("token", known["access_token"])
        return pair

    def _new_pair(
        self,
        wanted: Mapping[str, Any],
        client: Client,
        scope: str,
        user_id: int,
        *,
        renewable: bool,
    ) -> Doc:
        lifetime = _lifetime(wanted, "expires_in", _ACCESS)
        access, refresh = secrets.token_hex(32), secrets.token_hex(32)
        answer: Doc = {
            "access_token": access,
            "token_type": "bearer",
            "scope": scope,
            "expires_in": lifetime,
        }
        kept = {
            **answer,
            "number": self._state.next_id("token", start=33_000_001),
            "client_number": client.number,
            "client_id": client.id,
            "user_id": user_id,
            "created_at": wall_seconds(),
            "expires_at": wall_seconds() + lifetime,
        }
        if renewable:
            longer = _lifetime(wanted, "refresh_token_expires_in", _REFRESH)
            answer |= {"refresh_token": refresh, "refresh_token_expires_in": longer}
            kept["refresh_token"] = refresh
            doc = {**kept, "expires_at": wall_seconds() + longer}
            self._state.put(Row(kind="refresh_token", id=refresh, doc=doc))
        self._state.put(Row(kind="token", id=access, doc=kept))
        return answer

    def _forget_pair(self, known: Doc) -> None:
        self._state.remove("token", known["access_token"])
        if "refresh_token" in known:
            self._state.remove("refresh_token", known["refresh_token"])


def shown(token: Doc, base: str) -> Doc:
    """A token as the API shows it: never whole."""
    return {
        "id": token["number"],
        "url": f"{base}/api/v2/oauth/tokens/{token['number']}.json",
        "user_id": token["user_id"],
        "client_id": token["client_number"],
        "token": token["access_token"][:10],
        "scopes": token["scope"].split(),
        "created_at": iso(from_epoch(token["created_at"])),
        "expires_at": iso(from_epoch(token["expires_at"])),
        "used_at": None,
    }


def missing_scope(granted: str, needed: frozenset[str]) -> str | None:
    """The scope that a call needs and a token lacks; each of `needed` would do, the first is told.

    A name that Zendesk does not know makes the whole token useless.
    """
    names = set(granted.split())
    broad = next(name for name in ("read", "write") if name in needed)
    return None if names <= _KNOWN_SCOPES and names & needed else broad


def _scope(wanted: Mapping[str, Any], ceiling: str) -> str:
    scope = str(wanted.get("scope") or "read write")
    if _outside(scope, ceiling):
        raise _refused(400, "invalid_scope", _BAD_SCOPE)
    return scope


_BAD_SCOPE = "The requested scope is invalid, unknown, or malformed."


def _outside(scope: str, ceiling: str) -> bool:
    allowed = set(ceiling.split()) or ALL_SCOPES
    return bool(set(scope.split()) & _KNOWN_SCOPES - allowed)


def _client(wanted: Mapping[str, Any]) -> Client:
    client = CLIENTS.get(str(wanted.get("client_id")))
    secret = wanted.get("client_secret")
    if client is None or (client.secret is not None and secret != client.secret):
        text = (
            "Client authentication failed due to unknown client, no client authentication"
            " included, or unsupported authentication method."
        )
        raise _refused(401, "invalid_client", text)
    return client


def _fits(code: Doc, wanted: Mapping[str, Any], client: Client) -> bool:
    same_client = code["client_id"] == client.id
    same_address = code["redirect_uri"] == wanted.get("redirect_uri")
    verifier = str(wanted.get("code_verifier") or "")
    return same_client and same_address and _proves(code["challenge"], code["method"], verifier)


def _proves(challenge: str, method: str, verifier: str) -> bool:
    if not challenge:
        return True
    if method == "plain":
        return secrets.compare_digest(challenge.encode(), verifier.encode())
    digest = hashlib.sha256(verifier.encode()).digest()
    made = base64.urlsafe_b64encode(digest).rstrip(b"=")
    return secrets.compare_digest(challenge.rstrip("=").encode(), made)


def _lifetime(wanted: Mapping[str, Any], name: str, bounds: tuple[int, int, int]) -> int:
    shortest, usual, longest = bounds
    value = wanted.get(name)
    try:
        lifetime = usual if value is None else int(value)
    except (TypeError, ValueError):
        lifetime = -1
    if not shortest <= lifetime <= longest:
        text = f"{name} must be between {shortest} and {longest} seconds"
        raise _refused(400, "invalid_request", text)
    return lifetime


def _bad_grant() -> ZendeskError:
    text = (
        "The provided authorization grant is invalid, expired, revoked, does not match the"
        " redirection URI used in the authorization request, or was issued to another client."
    )
    return _refused(400, "invalid_grant", text)


def _refused(status: int, error: str, text: str) -> ZendeskError:
    return ZendeskError(status, {"error": error, "error_description": text})
