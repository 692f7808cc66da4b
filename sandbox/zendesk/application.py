"""Puts the local Zendesk's API into a Flask app."""

from flask import Blueprint, Flask, Response

from sandbox.core import Core
from sandbox.zendesk.account import Account
from sandbox.zendesk.account_api import AccountApi
from sandbox.zendesk.desk import ZendeskDesk
from sandbox.zendesk.errors import ZendeskError, invalid_endpoint
from sandbox.zendesk.exporting import ExportApi
from sandbox.zendesk.hours_api import HoursApi
from sandbox.zendesk.oauth_api import OAuthApi
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
    api.after_request(account.door.leave)
    api.register_error_handler(ZendeskError, lambda error: _answer(error, account))
    for part in (OAuthApi, TicketsApi, ExportApi, SearchApi, WebhooksApi, HoursApi, AccountApi):
        part(account).register(api)
    app.register_blueprint(api)
    return ZendeskDesk(account)


def unknown_endpoint() -> Response:
    """The answer for a path that the API does not have."""
    return invalid_endpoint().response()


def _answer(error: ZendeskError, account: Account) -> Response:
    in_text = account.book.switches.error_bodies == "text" and not error.is_oauth
    return error.text_response() if in_text else error.response()
