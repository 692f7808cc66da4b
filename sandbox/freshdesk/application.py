"""Puts the local Freshdesk's API into a Flask app."""

from flask import Blueprint, Flask, Response

from sandbox.core import Core
from sandbox.freshdesk.account import Account
from sandbox.freshdesk.account_api import AccountApi
from sandbox.freshdesk.admin_api import AdminApi
from sandbox.freshdesk.beside_api import BesideApi
from sandbox.freshdesk.desk import FreshdeskDesk
from sandbox.freshdesk.errors import FreshdeskError, not_found
from sandbox.freshdesk.people_api import PeopleApi
from sandbox.freshdesk.tickets_api import TicketsApi


def prepare(core: Core) -> None:
    """Give a new account its fields and its agents."""
    Account.prepare(core)


def install(app: Flask, core: Core) -> FreshdeskDesk:
    """Register the API on `app` and return the desk behind it."""
    account = Account(core)
    api = Blueprint("freshdesk", __name__)
    api.before_request(account.door.enter)
    api.after_request(account.door.leave)
    app.before_request(account.door.enter_nowhere)
    app.after_request(account.door.leave_nowhere)
    app.register_error_handler(FreshdeskError, _answer)
    for part in (TicketsApi, AccountApi, PeopleApi, AdminApi, BesideApi):
        part(account).register(api)
    app.register_blueprint(api)
    return FreshdeskDesk(account)


def unknown_endpoint() -> Response:
    """The answer for a path that the API does not have."""
    return not_found().response()


def _answer(error: FreshdeskError) -> Response:
    return error.response()
