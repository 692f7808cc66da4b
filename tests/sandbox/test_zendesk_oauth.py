"""The local Zendesk's OAuth: grants, PKCE, single-use refresh, scopes, roles, lost access."""

import base64
import hashlib
import secrets
from urllib.parse import parse_qs, urlsplit

import pytest

CONFIDENTIAL = {"client_id": "sandbox", "client_secret": "sandbox"}
PUBLIC = {"client_id": "sandbox-public"}
BACK = "http://127.0.0.1:9/back"


def challenge_of(verifier):
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def consent(zendesk, client, verifier=None, **asked):
    wanted = {
        "response_type": "code",
        "client_id": client["client_id"],
        "redirect_uri": BACK,
        "scope": "read tickets:write",
        "state": "s1",
        "_sandbox": "approve",
    } | asked
    if verifier is not None:
        wanted |= {"code_challenge": challenge_of(verifier), "code_challenge_method": "S256"}
    return zendesk.raw("GET", "/oauth/authorizations/new", params=wanted, allow_redirects=False)


def code_of(answer):
    return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]


def grant(zendesk, kind, client=CONFIDENTIAL, **named):
    body = {"grant_type": kind, **client, **named}
    return zendesk.raw("POST", "/oauth/tokens", json=body)


def exchange(zendesk, client, verifier=None, code=None, **named):
    code = code or code_of(consent(zendesk, client, verifier))
    wanted = {"code": code, "redirect_uri": BACK, **named}
    if verifier is not None:
        wanted["code_verifier"] = verifier
    return grant(zendesk, "authorization_code", client, **wanted)


def call(zendesk, token, path="/users/me", method="GET", **named):
    headers = {"Authorization": f"Bearer {token}"}
    return zendesk.raw(method, f"/api/v2{path}", headers=headers, **named)


def test_a_public_client_signs_in_with_pkce(zendesk):
    verifier = secrets.token_urlsafe(48)
    answer = exchange(zendesk, PUBLIC, verifier).json()
    assert (answer["expires_in"], answer["refresh_token_expires_in"]) == (1800, 2_592_000)
    assert answer["scope"] == "read tickets:write"
    assert call(zendesk, answer["access_token"]).json()["user"]["email"] == "agent@sandbox.test"


def test_the_consent_page_offers_both_answers(zendesk):
    page = consent(zendesk, PUBLIC, "v" * 43, _sandbox="")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "_sandbox=approve" in page.text
    assert "_sandbox=deny" in page.text


def test_a_denied_consent_comes_back_with_the_state(zendesk):
    answer = consent(zendesk, PUBLIC, "v" * 43, _sandbox="deny")
    back = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert (back["error"], back["state"]) == (["access_denied"], ["s1"])


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"client_id": "nobody"}, id="an unknown client"),
        pytest.param({"response_type": "token"}, id="the implicit flow"),
        pytest.param({"redirect_uri": "javascript:1"}, id="no web address"),
        pytest.param({}, id="a public client without PKCE"),
    ],
)
def test_consent_is_not_shown_for(zendesk, asked):
    assert consent(zendesk, PUBLIC, **asked).status_code == 400


@pytest.mark.parametrize(
    "named",
    [
        pytest.param({"code_verifier": "w" * 43}, id="another verifier"),
        pytest.param({"code_verifier": ""}, id="no verifier"),
        pytest.param({"redirect_uri": BACK + "/else"}, id="another address"),
    ],
)
def test_a_code_is_refused_with(zendesk, named):
    code = code_of(consent(zendesk, PUBLIC, "v" * 43))
    wanted = {"code": code, "redirect_uri": BACK, "code_verifier": "v" * 43} | named
    answer = grant(zendesk, "authorization_code", PUBLIC, **wanted)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_a_code_works_once(zendesk):
    code = code_of(consent(zendesk, CONFIDENTIAL))
    answers = [exchange(zendesk, CONFIDENTIAL, code=code).status_code for _ in range(2)]
    assert answers == [200, 400]


def test_a_code_lives_two_minutes(zendesk, monkeypatch):
    from sandbox.zendesk import oauth

    code = code_of(consent(zendesk, CONFIDENTIAL))
    late = oauth.wall_seconds() + 121
    monkeypatch.setattr(oauth, "wall_seconds", lambda: late)
    assert exchange(zendesk, CONFIDENTIAL, code=code).json()["error"] == "invalid_grant"


def test_a_refresh_gives_a_new_pair_and_ends_the_old_one(zendesk):
    old = exchange(zendesk, CONFIDENTIAL).json()
    new = grant(zendesk, "refresh_token", refresh_token=old["refresh_token"]).json()
    again = grant(zendesk, "refresh_token", refresh_token=old["refresh_token"])
    assert again.json()["error"] == "invalid_grant"
    assert call(zendesk, old["access_token"]).json()["error"] == "invalid_token"
    assert call(zendesk, new["access_token"]).status_code == 200
    assert new["scope"] == old["scope"]


def test_a_refresh_token_belongs_to_its_client(zendesk):
    old = exchange(zendesk, PUBLIC, "v" * 43).json()
    answer = grant(zendesk, "refresh_token", CONFIDENTIAL, refresh_token=old["refresh_token"])
    assert answer.json()["error"] == "invalid_grant"


def test_client_credentials_bring_no_refresh_token(zendesk):
    assert "refresh_token" not in grant(zendesk, "client_credentials").json()


def test_a_public_client_gets_nothing_for_its_name_alone(zendesk):
    answer = grant(zendesk, "client_credentials", PUBLIC)
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")


@pytest.mark.parametrize("life", [299, 172_801, "soon"])
def test_lifetimes_have_bounds(zendesk, life):
    answer = grant(zendesk, "client_credentials", expires_in=life)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_a_token_ends_by_the_wall_clock_not_by_the_moved_one(zendesk, monkeypatch):
    from sandbox.zendesk import oauth

    token = grant(zendesk, "client_credentials", expires_in=300).json()["access_token"]
    zendesk.control("POST", "clock", {"advance_seconds": 900})
    assert call(zendesk, token).status_code == 200
    late = oauth.wall_seconds() + 301
    monkeypatch.setattr(oauth, "wall_seconds", lambda: late)
    assert call(zendesk, token).json()["error"] == "invalid_token"


def test_the_current_token_shows_scopes_and_expiry_and_not_itself(zendesk):
    token = grant(zendesk, "client_credentials", scope="tickets:read").json()["access_token"]
    shown = call(zendesk, token, "/oauth/tokens/current").json()["token"]
    assert shown["scopes"] == ["tickets:read"]
    assert shown["expires_at"] > shown["created_at"]
    assert token not in str(shown)


def test_a_scope_outside_the_clients_is_refused(zendesk):
    zendesk.control("POST", "switches", {"client_scopes": "read tickets:write"})
    answer = grant(zendesk, "client_credentials", scope="read write")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
    assert grant(zendesk, "client_credentials", scope="read").status_code == 200


def test_an_unknown_scope_gives_a_token_that_may_do_nothing(zendesk):
    token = grant(zendesk, "client_credentials", scope="read tickets:wrte").json()["access_token"]
    answer = call(zendesk, token, "/tickets")
    assert (answer.status_code, answer.json()["description"]) == (
        403,
        "You are missing the following required scopes: read",
    )


@pytest.mark.parametrize(
    ("scope", "method", "path", "allowed"),
    [
        ("tickets:read", "GET", "/tickets/1001", True),
        ("tickets:read", "GET", "/tickets/1001/audits", False),
        ("tickets:read auditlogs:read", "GET", "/tickets/1001/audits", False),
        ("read", "GET", "/tickets/1001/audits", True),
        ("read", "PUT", "/tickets/1001", False),
        ("read tickets:write", "PUT", "/tickets/1001", True),
        ("read tickets:write", "PUT", "/tickets/1001/tags", True),
        ("read tickets:write", "POST", "/ticket_fields", False),
        ("read tickets:write", "POST", "/webhooks", False),
        ("tickets:read", "GET", "/incremental/tickets/cursor?start_time=1", True),
        ("tickets:read", "GET", "/ticket_fields", False),
    ],
)
def test_scopes_decide(zendesk, scope, method, path, allowed):
    token = grant(zendesk, "client_credentials", scope=scope).json()["access_token"]
    body = {"ticket": {"priority": "low"}, "tags": ["a"]} if method != "GET" else None
    answer = call(zendesk, token, path, method, json=body)
    assert (answer.status_code != 403) is allowed


def test_an_agent_may_not_do_what_admins_do(zendesk):
    audits = zendesk.api("GET", "/tickets/1001/audits?include=users").json()
    agent = next(u["email"] for u in audits["users"] if u["role"] == "agent")
    login = (f"{agent}/token", "sandbox")
    read = zendesk.raw("GET", "/api/v2/tickets/1001", auth=login)
    export = zendesk.raw("GET", "/api/v2/incremental/tickets/cursor?start_time=1", auth=login)
    assert (read.status_code, export.status_code) == (200, 403)
    assert export.json()["error"]["title"] == "Forbidden"
