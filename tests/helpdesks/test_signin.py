"""Signing in: what is asked for, what each refusal says, and a session that nobody loses."""

import base64
import hashlib
import json
import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from connector.errors import (
    HelpdeskUnreachable,
    RateLimited,
    RoleMissing,
    SettingsError,
    SignInRefused,
    StoreError,
)
from connector.helpdesks.freshdesk import signin as freshdesk_signin
from connector.helpdesks.zendesk import connect, oauth, signin
from connector.helpdesks.zendesk.oauth import ask, exchange, token_session
from connector.helpdesks.zendesk.signin import refusal_by, sign_in
from connector.http import Answer, Session
from connector.settings import AccountSettings, SignIn
from connector.store.database import Database
from connector.store.keys import Keys
from connector.store.migrate import upgrade
from connector.store.secrets import StoredVault
from connector.store.tables import secret
from sandbox.application import create_sandbox
from sandbox.server import serving

BASE = "http://127.0.0.1:9"
BACK = "http://127.0.0.1:8765/signed-in"
PUBLIC = SignIn.model_validate({"client_id": "sandbox-public", "flow": "code"})
BY_SECRET = {"client_id": "sandbox", "client_secret": "sandbox"}
CONFIDENTIAL = SignIn.model_validate(BY_SECRET | {"flow": "code"})
CREDENTIALS = SignIn.model_validate(BY_SECRET)
API_TOKEN = SignIn.model_validate({"email": "agent@sandbox.test", "api_token": "sandbox"})
REMEDY = "run `deskclock sign-in acme`"


@dataclass
class Live:
    """A local Zendesk over HTTP, and the vault of our account there."""

    url: str
    http: requests.Session
    vault: StoredVault

    def control(self, path, body=None):
        return self.http.post(f"{self.url}/_sandbox/{path}", json=body or {}, timeout=10)

    def answer(self, consent, word="approve"):
        """What the browser brings back when the user approves or denies."""
        page = self.http.get(f"{consent.url}&_sandbox={word}", allow_redirects=False, timeout=10)
        assert page.status_code == 302, page.text
        assert page.headers["Location"].startswith(f"{BACK}?")
        found = parse_qs(urlsplit(page.headers["Location"]).query)
        return {name: values[0] for name, values in found.items()}

    def consent(self, settings=PUBLIC):
        """A person signs in; the pair is in the vault then."""
        tokens = token_session(self.url)
        asked = ask(settings, self.url, BACK)
        code = asked.code(self.answer(asked))
        self.vault.write(oauth.NAME, exchange(settings, tokens, asked, code, self.vault.now()))

    def signer(self, settings=PUBLIC, **more):
        return sign_in(settings, token_session(self.url), self.vault, account="acme", **more)

    def session(self, settings=PUBLIC):
        said = refusal_by(settings)
        return Session(
            self.url, authorizer=self.signer(settings), classify=said, sleep=lambda _: None
        )

    def accepts(self, header):
        """Whether an access token works."""
        return self._me(header).status_code == 200

    def _me(self, header):
        headers = {"Authorization": header}
        return self.http.get(f"{self.url}/api/v2/tickets/count", headers=headers, timeout=10)

    def grants(self):
        counts = self.http.get(f"{self.url}/_sandbox/requests", timeout=10).json()["counts"]
        return counts.get("POST /oauth/tokens", 0)

    def end_lease(self):
        with self.vault._database.write() as conn:
            conn.execute(update(secret).values(lease_until=self.vault.now()))

    def expire(self):
        """Let the access token be so old that it is renewed."""
        value = dict(self.vault.read(oauth.NAME).value)
        self.vault.write(oauth.NAME, value | {"expires_at": self.vault.now() + 59.0})


@pytest.fixture(scope="module")
def server():
    with serving(create_sandbox("zendesk", tickets=1)) as served:
        yield served.url


@pytest.fixture
def live(server, tmp_path):
    """On SQLite."""
    database = Database(f"sqlite:///{tmp_path / 'deskclock.sqlite3'}")
    upgrade(database)
    yield from _live(server, database, tmp_path)
    database.dispose()


@pytest.fixture
def on_both(server, database, tmp_path):
    """On SQLite and on PostgreSQL."""
    yield from _live(server, database, tmp_path)


def _live(server, database, tmp_path):
    http = requests.Session()
    http.trust_env = False
    live = Live(server, http, StoredVault(database, "acme", Keys("", tmp_path)))
    http.delete(f"{server}/_sandbox/requests", timeout=10)
    yield live
    live.control("account", {"suspended": False, "deactivated": False})
    live.control("switches", {"client_scopes": "", "deactivated_status": 401})
    http.close()


# --- consent -------------------------------------------------------------------------------------


def test_the_question_names_everything_and_proves_nothing_away():
    asked = ask(PUBLIC, "https://acme.zendesk.com", BACK)
    parts = urlsplit(asked.url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    digest = hashlib.sha256(asked.verifier.encode()).digest()

    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == (
        "https://acme.zendesk.com/oauth/authorizations/new"
    )
    assert query == {
        "response_type": "code",
        "client_id": "sandbox-public",
        "redirect_uri": BACK,
        "scope": "read write",
        "state": asked.state,
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    assert 43 <= len(asked.verifier) <= 128
    assert asked.verifier not in asked.url + repr(asked)


def test_two_questions_share_nothing():
    first, second = (ask(PUBLIC, BASE, BACK) for _ in range(2))
    assert first.state != second.state
    assert first.verifier != second.verifier


@pytest.mark.parametrize("settings", [PUBLIC, CONFIDENTIAL], ids=["public", "confidential"])
def test_who_consented_is_signed_in(live, settings):
    live.consent(settings)
    assert live.session(settings).call("GET", "/api/v2/users/me").data["user"]["id"]
    value = live.vault.read(oauth.NAME).value
    assert 1790 < value["expires_at"] - live.vault.now() <= 1800
    assert value["ends_at"] - live.vault.now() > 89 * 86_400


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"error": "access_denied", "state": "s"}, "consent was denied"),
        ({"error": "invalid_scope"}, "answers .* with invalid_scope"),
        ({"error": "<b>hush</b>"}, "with an error$"),
        ({"code": "c", "state": "hush"}, "belongs to another sign-in"),
        ({"code": "c", "state": "ä"}, "belongs to another sign-in"),
        ({"code": "c"}, "belongs to another sign-in"),
        ({}, "belongs to another sign-in"),
        ({"state": "own"}, "holds no code"),
        ({"state": "own", "code": "a b"}, "holds no code"),
    ],
)
def test_an_answer_of_no_use_is_told(answer, message):
    asked = ask(PUBLIC, BASE, BACK)
    if answer.get("state") == "own":
        answer = answer | {"state": asked.state}
    with pytest.raises(SignInRefused, match=message) as caught:
        asked.code(answer)
    assert "hush" not in str(caught.value)


def test_a_denied_consent_is_told(live):
    asked = ask(PUBLIC, live.url, BACK)
    with pytest.raises(SignInRefused, match="consent was denied"):
        asked.code(live.answer(asked, "deny"))


def test_a_code_works_once(live):
    asked = ask(PUBLIC, live.url, BACK)
    code = asked.code(live.answer(asked))
    exchange(PUBLIC, token_session(live.url), asked, code, 0.0)
    with pytest.raises(SignInRefused, match=r"code \(invalid_grant\).*120 seconds.*begin anew"):
        exchange(PUBLIC, token_session(live.url), asked, code, 0.0)


@pytest.mark.parametrize("other", ["verifier", "address"])
def test_a_code_works_only_for_the_question_that_it_answers(live, other):
    asked = ask(PUBLIC, live.url, BACK)
    code = asked.code(live.answer(asked))
    wrong = ask(PUBLIC, live.url, BACK if other == "verifier" else BACK + "/x")
    with pytest.raises(SignInRefused, match="only for the sign-in that asked for it"):
        exchange(PUBLIC, token_session(live.url), wrong, code, 0.0)


def test_accounts_that_sign_in_by_themselves_ask_nobody():
    for settings in (CREDENTIALS, API_TOKEN):
        with pytest.raises(SettingsError, match="flow: code"):
            ask(settings, BASE, BACK)


def test_without_a_vault_an_account_can_be_described_but_not_called():
    signer = sign_in(PUBLIC, token_session(BASE))
    with pytest.raises(SignInRefused, match="needs the database"):
        signer.authorization()


# --- the pair is renewed -------------------------------------------------------------------------


def test_nobody_signed_in_yet(live):
    with pytest.raises(SignInRefused, match=f"nobody has signed in.*{REMEDY}"):
        live.signer().authorization()


def test_a_token_that_is_good_is_asked_for_once(live):
    live.consent()
    signer = live.signer()
    assert signer.authorization() == signer.authorization()
    assert live.accepts(signer.authorization())
    assert live.grants() == 1  # that of the code


def test_a_token_near_its_end_is_renewed_and_the_old_pair_is_dead(on_both):
    live = on_both
    live.consent()
    before = live.signer().authorization()
    live.expire()
    after = live.signer().authorization()
    assert (live.accepts(before), live.accepts(after)) == (False, True)
    assert f"Bearer {live.vault.read(oauth.NAME).value['access_token']}" == after


def test_a_refused_token_is_renewed_once_within_the_call(live):
    live.consent()
    session = live.session()
    session.call("GET", "/api/v2/users/me")
    live.control("tokens/revoke")
    assert session.call("GET", "/api/v2/tickets/count").ok
    assert live.grants() == 2


def test_who_holds_an_old_token_takes_the_new_one_from_the_vault(live):
    live.consent()
    first, second = live.session(), live.session()
    for one in (first, second):
        one.call("GET", "/api/v2/tickets/count")
    live.control("tokens/revoke")
    for one in (first, second, first):
        assert one.call("GET", "/api/v2/tickets/count").ok
    assert live.grants() == 2


def test_threads_that_need_a_new_token_at_once_renew_it_once(on_both):
    live = on_both
    live.consent()
    signer = live.signer()
    refused = signer.authorization()
    live.control("tokens/revoke")
    meet, got = threading.Barrier(6), []

    def renew():
        meet.wait(10)
        signer.renew(refused)
        got.append(signer.authorization())

    threads = [threading.Thread(target=renew) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(got) == 6
    assert len(set(got)) == 1
    assert live.accepts(got[0])
    assert live.grants() == 2


def test_while_somebody_else_renews_we_wait_and_then_ask_to_be_called_again(live):
    live.consent()
    waits = []
    live.vault.take(oauth.NAME, 1, 60.0)
    signer = live.signer(sleep=waits.append)
    refused = f"Bearer {live.vault.read(oauth.NAME).value['access_token']}"
    with pytest.raises(HelpdeskUnreachable, match="being renewed") as caught:
        signer.renew(refused)
    assert caught.value.retryable
    assert (live.grants(), sum(waits)) == (1, pytest.approx(5.0))


def test_who_waits_takes_what_the_other_one_got(live):
    live.consent()
    old = live.vault.read(oauth.NAME).value
    live.vault.take(oauth.NAME, 1, 60.0)
    new = old | {"access_token": "other"}
    signer = live.signer(sleep=lambda _: live.vault.write(oauth.NAME, new, replacing=1))
    signer.renew(f"Bearer {old['access_token']}")
    assert signer.authorization() == "Bearer other"


@pytest.mark.parametrize(
    ("stored", "settings"),
    [
        pytest.param({"client_id": "other"}, PUBLIC, id="client"),
        pytest.param({"address": "http://127.0.0.1:7"}, PUBLIC, id="address"),
    ],
)
def test_a_pair_of_another_client_or_address_is_sent_nowhere(live, stored, settings):
    live.consent()
    live.vault.write(oauth.NAME, dict(live.vault.read(oauth.NAME).value) | stored)
    live.expire()
    with pytest.raises(SignInRefused, match=f"another client_id or address.*{REMEDY}"):
        live.signer(settings).authorization()
    assert live.grants() == 1


def test_a_key_that_does_not_fit_is_a_refusal_of_this_account(live, tmp_path):
    live.consent()
    database = live.vault._database
    other = StoredVault(database, "acme", Keys("", tmp_path / "other"))
    signer = sign_in(PUBLIC, token_session(live.url), other, account="acme")
    with pytest.raises(SignInRefused, match=r"secret\.key is missing"):
        signer.authorization()


def test_a_helpdesk_signs_in_by_the_vault_and_survives_the_end_of_its_token(live, zendesk):
    live.consent()
    account = AccountSettings.model_validate(
        {
            "name": "acme", "helpdesk": "zendesk", "base_url": live.url, "policy": "user-support",
            "sign_in": {"client_id": "sandbox-public", "flow": "code"},
        }
    )  # fmt: skip
    helpdesk = connect(account, zendesk.mapping, vault=live.vault)
    before = helpdesk.identify()
    live.control("tokens/revoke")
    assert helpdesk.identify() == before
    live.vault.forget(oauth.NAME)
    live.control("tokens/revoke")
    with pytest.raises(SignInRefused, match=REMEDY):
        helpdesk.identify()
    live.consent()
    assert helpdesk.identify() == before


# --- what the token endpoint answers, with `responses` -------------------------------------------

OLD = {
    "client_id": "sandbox-public",
    "address": BASE,
    "access_token": "hush-access",
    "refresh_token": "hush-refresh",
    "expires_at": 0.0,
    "ends_at": 4_000_000_000.0,
    "scope": ["read", "write"],
}


@pytest.fixture
def stored(tmp_path):
    """The vault with a pair that has to be renewed."""
    database = Database(f"sqlite:///{tmp_path / 'deskclock.sqlite3'}")
    upgrade(database)
    vault = StoredVault(database, "acme", Keys("", tmp_path))
    vault.write(oauth.NAME, OLD)
    yield vault
    database.dispose()


def _signer(vault, settings=PUBLIC):
    tokens = token_session(BASE, sleep=lambda _: None)
    return sign_in(settings, tokens, vault, account="acme", sleep=lambda _: None)


NEW = {"access_token": "a2", "refresh_token": "r2", "expires_in": 1800, "scope": "read write"}


def test_a_renewal_asks_for_what_was_granted(stored, wire):
    wire.post(f"{BASE}/oauth/tokens", json=NEW)
    assert _signer(stored).authorization() == "Bearer a2"
    assert json.loads(wire.calls[0].request.body) == {
        "grant_type": "refresh_token",
        "client_id": "sandbox-public",
        "refresh_token": "hush-refresh",
        "scope": "read write",
        "expires_in": 1800,
        "refresh_token_expires_in": 7_776_000,
    }


def test_a_new_pair_is_stored_before_it_is_used(stored, wire, monkeypatch):
    wire.post(f"{BASE}/oauth/tokens", json=NEW)
    write, full = stored.write, [True]

    def refuses(*args, **named):
        if full:
            raise StoreError("disk full")
        return write(*args, **named)

    monkeypatch.setattr(stored, "write", refuses)
    signer = _signer(stored)
    for _ in range(2):
        with pytest.raises(StoreError):
            signer.authorization()
    full.clear()
    assert signer.authorization() == "Bearer a2"
    assert len(wire.calls) == 1
    assert stored.read(oauth.NAME).value["refresh_token"] == "r2"


def test_a_pair_that_came_too_late_is_not_used(stored, wire):
    def answer(_request):
        stored.write(oauth.NAME, OLD | {"access_token": "newer", "expires_at": 4e9})
        return 200, {}, json.dumps(NEW)

    wire.add_callback("POST", f"{BASE}/oauth/tokens", answer)
    assert _signer(stored).authorization() == "Bearer newer"


def test_a_refusal_that_came_too_late_is_none(stored, wire):
    def answer(_request):
        stored.write(oauth.NAME, OLD | {"access_token": "newer", "expires_at": 4e9})
        return 400, {}, json.dumps({"error": "invalid_grant"})

    wire.add_callback("POST", f"{BASE}/oauth/tokens", answer)
    assert _signer(stored).authorization() == "Bearer newer"


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        pytest.param({"body": requests.ConnectionError("hush")}, HelpdeskUnreachable, id="reset"),
        pytest.param({"body": requests.ReadTimeout("hush")}, HelpdeskUnreachable, id="timeout"),
        pytest.param({"status": 500}, HelpdeskUnreachable, id="500"),
        pytest.param({"status": 502, "body": "<html>hush"}, HelpdeskUnreachable, id="502"),
        pytest.param({"status": 429, "headers": {"Retry-After": "60"}}, RateLimited, id="429"),
        pytest.param({"status": 200, "body": "<html>hush"}, HelpdeskUnreachable, id="html"),
        pytest.param({"status": 200, "json": {"hush": 1}}, HelpdeskUnreachable, id="no-token"),
        pytest.param({"status": 302}, HelpdeskUnreachable, id="redirect"),
    ],
)
def test_a_renewal_without_an_answer_keeps_the_old_pair_for_the_next_try(
    stored, wire, failure, error
):
    wire.post(f"{BASE}/oauth/tokens", **failure)
    signer = _signer(stored)
    with pytest.raises(error) as caught:
        signer.authorization()
    assert caught.value.retryable
    assert "hush" not in str(caught.value)
    assert stored.read(oauth.NAME).value == OLD
    wire.reset()
    wire.post(f"{BASE}/oauth/tokens", json=NEW)
    assert signer.authorization() == "Bearer a2"


@pytest.mark.parametrize(
    ("change", "status", "body", "kind", "message"),
    [
        pytest.param(
            {}, 400, {"error": "invalid_grant"}, SignInRefused, f"was revoked.*{REMEDY}", id="grant"
        ),
        pytest.param(
            {}, 401, {"error": "invalid_grant"}, SignInRefused, f"was revoked.*{REMEDY}", id="401"
        ),
        pytest.param(
            {"ends_at": 1.0}, 400, {"error": "invalid_grant"}, SignInRefused,
            f"lapsed on 1970-01-01.*{REMEDY}", id="lapsed",
        ),
        pytest.param(
            {}, 401, {"error": "invalid_client"}, SignInRefused,
            "client_id or client_secret is wrong", id="client",
        ),
        pytest.param(
            {}, 400, {"error": "invalid_scope"}, RoleMissing, "may not have the scopes", id="scope"
        ),
        pytest.param({}, 404, {}, SignInRefused, "status 404.*subdomain", id="404"),
        pytest.param({}, 400, {"error": "hush hush"}, SignInRefused, "status 400", id="odd"),
        pytest.param({}, 400, ["hush"], SignInRefused, "status 400", id="list"),
        pytest.param({"refresh_token": None, "access_token": "used"}, 0, {}, SignInRefused,
            f"gave nothing to renew it.*{REMEDY}", id="no-refresh-token"),
    ],
)  # fmt: skip
def test_a_refused_renewal_says_what_to_do(stored, wire, change, status, body, kind, message):
    stored.write(oauth.NAME, OLD | change)
    wire.post(f"{BASE}/oauth/tokens", status=status or 500, json=body)
    signer = _signer(stored)
    with pytest.raises(kind, match=message) as caught:
        signer.renew("Bearer used")
    assert "hush" not in str(caught.value)
    assert stored.read(oauth.NAME).value == OLD | change
    assert stored.take(oauth.NAME, 2, 1.0) is not None  # nobody waits for a lease


def test_a_session_without_a_refresh_token_serves_until_it_is_refused(stored, wire):
    stored.write(oauth.NAME, OLD | {"refresh_token": None})
    assert _signer(stored).authorization() == "Bearer hush-access"
    assert len(wire.calls) == 0


@pytest.mark.parametrize(
    ("scope", "missing"),
    [
        ("read write", None),
        ("write read extra", None),
        ("read tickets:write", None),
        (None, None),
        ("", None),
        (7, None),
        (["read", "write"], None),
        ("read", "lacks the scope write"),
        ("tickets:read tickets:write", "lacks the scope read "),
        ("reed wright", "lacks the scope read and write"),
    ],
)
@pytest.mark.parametrize("settings", [PUBLIC, CREDENTIALS], ids=["code", "credentials"])
def test_what_was_granted_is_compared_with_what_is_needed(stored, wire, settings, scope, missing):
    wire.post(f"{BASE}/oauth/tokens", json=NEW | {"scope": scope})
    signer = _signer(stored, settings)
    if missing is None:
        assert signer.authorization() == "Bearer a2"
        return
    for _ in range(2):
        with pytest.raises(RoleMissing, match=missing):
            signer.authorization()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
NAMES = ("access_token", "refresh_token", "expires_in", "refresh_token_expires_in")


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, json_values)))
def test_a_pair_can_always_be_kept_and_used(data):
    client = oauth.Client(token_session(BASE), "us", None)
    pair = oauth.pair_of(client, data, 1000.0, before="old")
    assert json.loads(json.dumps(pair)) == pair
    assert 1000.0 < pair["expires_at"] <= 1000.0 + oauth.LONGEST_LIFETIME
    assert 1000.0 < pair["ends_at"] <= 1000.0 + oauth.LONGEST_LIFETIME
    assert pair["refresh_token"]
    token = pair["access_token"]
    assert token is None or (token.isascii() and token.isprintable() and " " not in token)


@pytest.mark.parametrize("lifetime", [None, 0, -5, "60", True, float("nan"), float("inf"), []])
def test_a_lifetime_of_no_use_is_the_one_that_we_asked_for(stored, wire, lifetime):
    wire.post(f"{BASE}/oauth/tokens", body=json.dumps(NEW | {"expires_in": lifetime}))
    _signer(stored).authorization()
    left = stored.read(oauth.NAME).value["expires_at"] - stored.now()
    assert left == pytest.approx(1800, abs=5)


# --- client credentials, API tokens, and the users behind ----------------------------------------


def test_client_credentials_sign_in(live):
    assert live.session(CREDENTIALS).call("GET", "/api/v2/tickets/count").ok


def test_client_credentials_are_renewed_once_within_the_call(live):
    session = live.session(CREDENTIALS)
    session.call("GET", "/api/v2/tickets/count")
    live.control("tokens/revoke")
    assert session.call("GET", "/api/v2/tickets/count").ok


def _settings(**changes):
    return SignIn.model_validate(BY_SECRET | changes)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param(_settings(client_secret="hush"), "client_secret is wrong", id="secret"),
        pytest.param(_settings(client_id="nobody"), "client_id or client_secret", id="client"),
        pytest.param(
            _settings(client_id="sandbox-public"), "kind 'confidential'.*flow: code", id="public"
        ),
        pytest.param(
            SignIn.model_validate({"email": "agent@sandbox.test", "api_token": "hush"}),
            "API token is wrong.*unused for 30 days", id="api-token",
        ),
    ],
)  # fmt: skip
def test_wrong_credentials_say_what_to_compare(live, settings, message):
    with pytest.raises(SignInRefused, match=message) as caught:
        live.session(settings).call("GET", "/api/v2/tickets/count")
    assert "hush" not in str(caught.value)


def test_a_client_that_may_not_have_the_scopes_is_told(live):
    live.control("switches", {"client_scopes": "read"})
    with pytest.raises(RoleMissing, match="may not have the scopes 'read write'"):
        live.session(CREDENTIALS).call("GET", "/api/v2/tickets/count")


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("settings", [PUBLIC, CREDENTIALS, API_TOKEN], ids=["code", "own", "token"])
def test_a_user_who_is_no_agent_any_more_is_told_and_recovers(live, settings, status):
    live.consent()
    session = live.session(settings)
    session.call("GET", "/api/v2/tickets/count")
    live.control("switches", {"deactivated_status": status})
    live.control("account", {"deactivated": True})
    with pytest.raises(SignInRefused, match="suspended"):
        session.call("GET", "/api/v2/tickets/count")
    live.control("account", {"deactivated": False})
    assert session.call("GET", "/api/v2/tickets/count").ok


@pytest.mark.parametrize("word", ["suspended", "deactivated", "downgraded to end user"])
def test_a_token_endpoint_that_names_the_user_is_repeated_in_our_words(wire, word):
    text = f"hush: the user was {word}"
    wire.post(
        f"{BASE}/oauth/tokens", status=403, json={"error": "forbidden", "error_description": text}
    )
    with pytest.raises(SignInRefused, match="user of the OAuth client is suspended") as caught:
        _signer(None, CREDENTIALS).authorization()
    assert "hush" not in str(caught.value)


def test_a_suspended_account_is_left_to_be_named_elsewhere():
    body = {"error": {"title": "Forbidden", "message": "This account has been suspended"}}
    for status in (401, 403):
        answer = Answer(status=status, headers={}, data=body)
        assert refusal_by(CREDENTIALS)(answer) is None


def test_who_uses_an_api_token_is_warned_of_its_end():
    (line,) = signin.advice(API_TOKEN)
    assert "2026-10-27" in line
    assert "2027-04-30" in line
    assert "sandbox" not in line
    assert signin.advice(CREDENTIALS) == signin.advice(PUBLIC) == ()


def test_a_freshdesk_key_that_is_refused_says_what_to_do():
    found = freshdesk_signin.refusal(Answer(status=401, headers={}, data=None))
    assert isinstance(found, SignInRefused)
    assert "wrong, was reset or disabled, or its agent is deactivated" in str(found)
    assert freshdesk_signin.refusal(Answer(status=403, headers={}, data=None)) is None


# --- processes -----------------------------------------------------------------------------------


class DyingVault(StoredVault):
    """Is killed when a new pair is about to be stored."""

    def write(self, *_args, **_named):
        os.kill(os.getpid(), signal.SIGKILL)


class DyingSession(Session):
    """Is killed when a renewal is about to be asked for."""

    def call(self, *_args, **_named):
        os.kill(os.getpid(), signal.SIGKILL)


def _renew(url, database_url, folder, refused, ready, got):
    database = Database(database_url)
    vault = StoredVault(database, "acme", Keys("", Path(folder)))
    signer = sign_in(PUBLIC, token_session(url), vault, account="acme")
    ready.wait(60)
    signer.renew(refused)
    got.put(signer.authorization())
    database.dispose()


def _die(url, database_url, folder, refused, vault_kind, session_kind):
    vault = vault_kind(Database(database_url), "acme", Keys("", Path(folder)))
    sign_in(PUBLIC, session_kind(url), vault, account="acme").renew(refused)


def test_processes_that_renew_at_once_lose_nothing(on_both, database_url, tmp_path):
    live = on_both
    live.consent()
    refused = live.signer().authorization()
    live.control("tokens/revoke")
    spawn = multiprocessing.get_context("spawn")
    ready, got = spawn.Barrier(2), spawn.Queue()
    arguments = (live.url, database_url, str(tmp_path), refused, ready, got)
    processes = [spawn.Process(target=_renew, args=arguments) for _ in range(2)]
    for one in processes:
        one.start()
    headers = [got.get(timeout=60) for _ in processes]
    for one in processes:
        one.join(60)
    assert [one.exitcode for one in processes] == [0, 0]
    assert len(set(headers)) == 1
    assert live.accepts(headers[0])
    assert live.grants() == 2
    live.expire()
    assert live.accepts(live.signer().authorization())


@pytest.mark.parametrize("when", ["before the call", "before the pair is stored"])
def test_a_worker_that_is_killed_while_it_renews_leaves_one_session_or_none(
    on_both, database_url, tmp_path, when
):
    live = on_both
    live.consent()
    refused = live.signer().authorization()
    live.control("tokens/revoke")
    kinds = (StoredVault, DyingSession) if when == "before the call" else (DyingVault, Session)
    spawn = multiprocessing.get_context("spawn")
    child = spawn.Process(
        target=_die, args=(live.url, database_url, str(tmp_path), refused, *kinds)
    )
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL

    other = live.signer(sleep=lambda _: None)
    with pytest.raises(HelpdeskUnreachable, match="being renewed"):
        other.renew(refused)
    live.end_lease()
    if when == "before the call":
        other.renew(refused)
        assert live.accepts(other.authorization())
        assert not live.accepts(refused)
        return
    for _ in range(2):
        with pytest.raises(SignInRefused, match=f"earlier renewal was lost; {REMEDY}"):
            other.renew(refused)
    live.consent()
    assert live.accepts(other.authorization())


def test_the_lease_is_not_held_after_the_end_of_a_renewal(live):
    live.consent()
    live.expire()
    live.signer().authorization()
    with live.vault._database.read() as conn:
        assert conn.execute(select(secret.c.lease_holder)).one() == (None,)
