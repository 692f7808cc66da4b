"""Zendesk's OAuth endpoints: the consent page, the token endpoint, the caller's own token."""

from html import escape
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, g, jsonify, redirect, request

from sandbox.zendesk import oauth
from sandbox.zendesk.account import Account
from sandbox.zendesk.errors import ZendeskError, not_found
from sandbox.zendesk.wire import base_url, json_body_if_any

CONSENT = "/oauth/authorizations/new"
TOKENS = "/oauth/tokens"
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Allow access?</title></head>
<body><h1>Allow {client} to access the local Zendesk?</h1>
<p>It asks for: {scope}</p>
<p><a id="allow" href="{allow}">Allow</a> <a id="deny" href="{deny}">Deny</a></p>
</body></html>
"""


class OAuthApi:
    """The calls, as methods; `register` gives them their paths."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def register(self, api: Blueprint) -> None:
        """Add the calls to the API."""
        current = "/api/v2/oauth/tokens/current"
        routes: tuple[tuple[str, str, Any], ...] = (
            ("GET", CONSENT, self.consent),
            ("POST", TOKENS, self.issue_token),
            ("GET", current, self.current_token),
            ("DELETE", current, self.revoke_token),
        )
        for method, rule, view in routes:
            api.add_url_rule(rule, f"oauth {view.__name__}", view, methods=[method])

    def consent(self) -> Any:
        """The page that asks the user; `_sandbox=approve` or `deny` answers in their place."""
        asked = request.args.to_dict()
        try:
            wanted = self._account.oauth.consent(asked)
        except ZendeskError as error:
            text = escape(str(error.body["error_description"]))
            page = f"<!DOCTYPE html>\n<title>Invalid request</title><h1>{text}</h1>\n"
            return Response(page, status=error.status, content_type="text/html; charset=utf-8")
        answer = asked.pop("_sandbox", None)
        if answer == "approve":
            user, ceiling = self._account.people.api_user["id"], self._ceiling
            return redirect(self._account.oauth.allow(wanted, user_id=user, ceiling=ceiling), 302)
        if answer == "deny":
            text = "The end-user or authorization server denied the request."
            return redirect(wanted.back(error="access_denied", error_description=text), 302)
        links = {
            name: escape(f"{CONSENT}?{urlencode({**asked, '_sandbox': word})}")
            for name, word in (("allow", "approve"), ("deny", "deny"))
        }
        page = _PAGE.format(client=escape(wanted.client.id), scope=escape(wanted.scope), **links)
        return Response(page, content_type="text/html; charset=utf-8")

    def issue_token(self) -> Response:
        """Tokens for client credentials, for a code, or for a refresh token."""
        wanted = json_body_if_any() or request.form
        user = self._account.people.api_user["id"]
        answer = self._account.oauth.issue(wanted, user_id=user, ceiling=self._ceiling)
        return jsonify(answer)

    def current_token(self) -> Response:
        """The token of this very call."""
        if g.token is None:
            raise not_found()
        return jsonify({"token": oauth.shown(g.token, base_url())})

    def revoke_token(self) -> tuple[str, int]:
        """Revoke the token of this very call."""
        if g.token is None:
            raise not_found()
        self._account.oauth.revoke(g.token["access_token"])
        return "", 204

    @property
    def _ceiling(self) -> str:
        return self._account.book.switches.client_scopes
