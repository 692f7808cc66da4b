"""Puts the local Zendesk's API into a Flask app."""

from flask import Blueprint, Flask, Response

from sandbox.core import Core
from sandbox.zendesk.account import Account
from sandbox.zendesk.account_api import AccountApi
from sandbox.zendesk.desk import ZendeskDesk
from sandbox.zendesk.errors import ZendeskError
from sandbox.zendesk.tickets_api import TicketsApi


def prepare(core: Core) -> None:
    """Give a new account its fields and its API user."""
    Account.prepare(core)


def install(app: Flask, core: Core) -> ZendeskDesk:
    """Register the API on `app` and return the desk behind it."""
    account = Account(core)
    api = Blueprint("zendesk", __name__)
    api.before_request(account.door.enter)
    api.after_request(account.door.leave)
    api.register_error_handler(ZendeskError, _answer)
    TicketsApi(account).register(api)
    AccountApi(account).register(api)
    app.register_blueprint(api)
    return ZendeskDesk(account)


def unknown_endpoint() -> Response:
    """The answer for a path that the API does not have."""
    return ZendeskError(404, {"error": "InvalidEndpoint", "description": "Not found"}).response()


def _answer(error: ZendeskError) -> Response:
    return error.response()
