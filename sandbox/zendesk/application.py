"""Puts the local Zendesk's API into a Flask app."""

from typing import Any

from flask import Blueprint, Flask, Response, request
from werkzeug.routing import RequestRedirect

from sandbox.core import Core
from sandbox.zendesk.account import Account
from sandbox.zendesk.account_api import AccountApi
from sandbox.zendesk.desk import ZendeskDesk
from sandbox.zendesk.errors import ZendeskError, invalid_endpoint
from sandbox.zendesk.exporting import ExportApi
from sandbox.zendesk.hours_api import HoursApi
from sandbox.zendesk.oauth_api import OAuthApi
from sandbox.zendesk.people_api import PeopleApi
from sandbox.zendesk.search_api import SearchApi
from sandbox.zendesk.tickets_api import TicketsApi
from sandbox.zendesk.webhooks_api import WebhooksApi


def prepare(core: Core) -> None:
    """Give a new account its fields and its API user."""
    Account.prepare(core)


def install(app: Flask, core: Core) -> ZendeskDesk:
    """Register the API on `app` and return the desk behind it."""
    account = Account(core)
    api = Blueprint("zendesk", __name__)
    api.before_request(account.door.enter)
    app.before_request(lambda: _enter_nowhere(account))
    app.after_request(account.door.leave)
    app.register_error_handler(ZendeskError, lambda error: _answer(error, account))
    parts = (
        OAuthApi, TicketsApi, ExportApi, SearchApi, WebhooksApi, HoursApi, PeopleApi, AccountApi,
    )  # fmt: skip
    for part in parts:
        part(account).register(api)
    app.register_blueprint(api)
    return ZendeskDesk(account)


def unknown_endpoint() -> Response:
    """The answer for a path that the API does not have."""
    return invalid_endpoint().response()


def not_allowed(methods: str) -> Response:
    """The answer for a method that a path does not have; it has `methods`."""
    text = f"{request.method} is not allowed here, but {methods}"
    body = {"error": "MethodNotAllowed", "description": text}
    return ZendeskError(405, body, headers={"Allow": methods}).response()


class Paths:
    """Takes `.json` and a slash off the end of paths: Zendesk accepts them with and without."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ.get("PATH_INFO", "")
        if path.startswith(("/api/v2/", "/oauth/")):
            environ["PATH_INFO"] = path.rstrip("/").removesuffix(".json")
        return self._app(environ, start_response)


def _enter_nowhere(account: Account) -> None:
    """Calls that no path answers are signed in and counted all the same."""
    nowhere = request.routing_exception
    if nowhere is None or isinstance(nowhere, RequestRedirect):
        return
    if request.path.startswith("/api/v2/"):
        account.door.enter()


def _answer(error: ZendeskError, account: Account) -> Response:
    in_text = account.book.switches.error_bodies == "text" and not error.is_oauth
    return error.text_response() if in_text else error.response()
