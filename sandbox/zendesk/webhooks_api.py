"""Zendesk's API about webhooks: their registry, their secrets, and what became of deliveries."""

from typing import Any

import requests
from flask import Blueprint, Response, jsonify, request

from sandbox.deliveries import Delivery
from sandbox.state import Doc
from sandbox.zendesk import hooks
from sandbox.zendesk.account import Account
from sandbox.zendesk.errors import bad_request, forbidden, not_found
from sandbox.zendesk.parsing import envelope
from sandbox.zendesk.wire import json_body, json_body_if_any, paged, signed_in

_MOST_ON_TRIAL = 10
_LOGGED = 5000
_TEST_TIMEOUT = (3.05, 10)
_STATUSES = {"success": "success", "retrying": "accepted"}


class WebhooksApi:
    """The calls, as methods; `register` gives them their paths."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._hooks = account.hooks

    def register(self, api: Blueprint) -> None:
        """Add the calls to the API."""
        hook = "/api/v2/webhooks/<string:hook_id>"
        calls = hook + "/invocations"
        routes: tuple[tuple[str, str, Any], ...] = (
            ("GET", "/api/v2/webhooks", self.all),
            ("POST", "/api/v2/webhooks", self.create),
            ("POST", "/api/v2/webhooks/test", self.test),
            ("GET", hook, self.show),
            ("PUT", hook, self.change),
            ("PATCH", hook, self.change),
            ("DELETE", hook, self.delete),
            ("GET", hook + "/signing_secret", self.secret),
            ("POST", hook + "/signing_secret", self.reset_secret),
            ("GET", calls, self.invocations),
            ("GET", calls + "/<string:invocation_id>/attempts", self.attempts),
        )
        for method, rule, view in routes:
            api.add_url_rule(rule, f"{method} webhook {view.__name__}", view, methods=[method])

    def all(self) -> Response:
        """All webhooks."""
        page, rest = paged("webhooks", [hooks.shown(hook) for hook in self._hooks.all()])
        return jsonify({"webhooks": page, **rest})

    def create(self) -> tuple[Response, int]:
        """Register a webhook."""
        if self._account.core.plan == "trial" and len(self._hooks.all()) >= _MOST_ON_TRIAL:
            raise forbidden(f"A trial account has at most {_MOST_ON_TRIAL} webhooks")
        hook = self._hooks.create(_wanted(), created_by=signed_in()["id"])
        return jsonify({"webhook": hooks.shown(hook)}), 201

    def test(self) -> Response:
        """Send a request to an endpoint now, and tell what it answers.

        Before a webhook is saved its requests are signed with a secret that everybody knows.
        """
        known = request.args.get("webhook_id") or request.args.get("test_webhook_id")
        hook = self._hook(known) if known else None
        asked = json_body_if_any().get("request") or {}
        if not isinstance(asked, dict):
            raise bad_request("InvalidValue", "request: an object is needed")
        endpoint = asked.get("endpoint") or (hook["endpoint"] if hook else None)
        if not str(endpoint or "").startswith(("http://", "https://")):
            raise bad_request("InvalidValue", "request: an endpoint is needed")
        body = str(asked.get("payload") or "{}").encode()
        return jsonify({"response": _sent(self._hooks.test_request(hook, str(endpoint), body))})

    def show(self, hook_id: str) -> Response:
        """One webhook."""
        return jsonify({"webhook": hooks.shown(self._hook(hook_id))})

    def change(self, hook_id: str) -> tuple[str, int]:
        """Change a webhook."""
        self._hook(hook_id)
        self._hooks.change(hook_id, _wanted())
        return "", 204

    def delete(self, hook_id: str) -> tuple[str, int]:
        """Delete a webhook."""
        self._hook(hook_id)
        self._hooks.remove(hook_id)
        return "", 204

    def secret(self, hook_id: str) -> Response:
        """The secret that a webhook signs with."""
        return jsonify(_secret(self._hook(hook_id)))

    def reset_secret(self, hook_id: str) -> tuple[Response, int]:
        """Give a webhook a new secret."""
        self._hook(hook_id)
        return jsonify(_secret(self._hooks.reset_secret(hook_id))), 201

    def invocations(self, hook_id: str) -> Response:
        """What became of a webhook's deliveries, the latest first."""
        self._hook(hook_id)
        docs = [_invocation(entry) for entry in self._log(hook_id).values()]
        page, rest = paged("invocations", docs)
        return jsonify({"invocations": page, **rest})

    def attempts(self, hook_id: str, invocation_id: str) -> Response:
        """Each attempt of one delivery."""
        entry = self._log(hook_id).get(invocation_id)
        if entry is None:
            raise not_found()
        docs = [_attempt(entry, number) for number in range(len(entry["attempts"]))]
        return jsonify({"attempts": docs})

    def _hook(self, hook_id: str) -> Doc:
        hook = self._hooks.get(hook_id)
        if hook is None:
            raise not_found()
        return hook

    def _log(self, hook_id: str) -> dict[str, Doc]:
        """The deliveries of a webhook as they stand, by invocation, the latest first."""
        entries: dict[str, Doc] = {}
        for entry in self._account.core.sender.log(_LOGGED)["deliveries"]:
            if entry["webhook_id"] == hook_id:
                entries.setdefault(entry["id"], entry)
        return entries


def _wanted() -> Doc:
    wanted = envelope(json_body(), "webhook")
    return {key: value for key, value in wanted.items() if key not in ("secret", "template")}


def _secret(hook: Doc) -> Doc:
    return {"signing_secret": {"algorithm": "SHA256", "secret": hook["_secret"]}}


def _invocation(entry: Doc) -> Doc:
    latest = entry["attempts"][-1]
    return {
        "id": entry["id"],
        "latest_completed_at": latest["at"],
        "status": _status(entry["outcome"], latest),
        "status_code": latest["status"],
    }


def _status(outcome: str, attempt: Doc) -> str:
    if outcome in _STATUSES:
        return _STATUSES[outcome]
    status = attempt["status"]
    if status is None:
        return "timeout" if "Timeout" in str(attempt["error"]) else "failed"
    return "server error" if status >= 500 else "client error"


def _attempt(entry: Doc, number: int) -> Doc:
    attempt = entry["attempts"][number]
    last = number == len(entry["attempts"]) - 1
    status = attempt["status"]
    done = status is not None and 200 <= status < 300
    outcome = "success" if done else entry["outcome"] if last else "failed"
    headers = [{"key": key, "value": value} for key, value in entry["headers"].items()]
    return {
        "id": f"{entry['id']}-{number + 1}",
        "invocation_id": entry["id"],
        "completed_at": attempt["at"],
        "status": _status("success" if done else outcome, attempt),
        "status_code": status,
        "request": {"headers": headers, "payload": entry["body"]},
        "response": None if status is None else {"status": status},
    }


def _sent(test: Delivery) -> Doc:
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(
                test.url,
                data=test.body,
                headers=dict(test.headers),
                timeout=_TEST_TIMEOUT,
                allow_redirects=False,
            )
    except requests.RequestException as error:
        return {"status": None, "headers": [], "payload": type(error).__name__}
    headers = [{"key": key, "value": value} for key, value in answer.headers.items()]
    return {"status": answer.status_code, "headers": headers, "payload": answer.text[:10_000]}
