"""`deskclock sign-in`: a person lets deskclock into a helpdesk account."""

import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import click
from sqlalchemy import Connection

from app import account_named
from commands.options import CONFIG, DATA_DIR, process_settings
from connector.engine import accounts
from connector.errors import SettingsError, SignInRefused
from connector.helpdesks.zendesk.oauth import NAME, ask, base_url_of, exchange, token_session
from connector.settings import AccountSettings, Settings
from connector.store.database import Database
from connector.store.keys import Keys
from connector.store.migrate import upgrade
from connector.store.secrets import StoredVault

HOST = "127.0.0.1"  # and not "localhost", which may be another address (RFC 8252, 8.3)
PORT = 8765
PATH = "/signed-in"
REQUEST_SECONDS = 5.0  # that a browser may take to send its request
MOST_SECONDS = 3600


@click.command("sign-in")
@click.argument("account")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=PORT,
    show_default=True,
    help="Port on 127.0.0.1 that the browser is sent back to; it is part of the redirect URL.",
)
@click.option("--paste", is_flag=True, help="Paste the address that the browser ended at instead.")
@click.option(
    "--wait",
    "seconds",
    type=click.FloatRange(0, MOST_SECONDS, min_open=True),
    default=600.0,
    show_default=True,
    help="Seconds to wait for the browser.",
)
@click.option("--key-lost", is_flag=True, help="Give up what a key encrypted that is lost.")
@DATA_DIR
@CONFIG
def sign_in(
    account: str,
    port: int,
    paste: bool,
    seconds: float,
    key_lost: bool,
    data_dir: Path | None,
    config: Path | None,
) -> None:
    """Let deskclock into ACCOUNT as the person who consents in a browser.

    For Zendesk accounts with sign_in: {client_id: …, flow: code}. The OAuth client must have the
    redirect URL http://127.0.0.1:PORT/signed-in.
    """
    settings = process_settings(data_dir=data_dir, config=config)
    named = account_named(settings, account)
    if named.helpdesk != "zendesk":
        raise SettingsError(
            f"account '{account}' signs in to {named.helpdesk} with what its settings hold; "
            "a person's consent is for Zendesk"
        )
    database = Database(settings.database)
    upgrade(database)
    vault = _vault(database, settings, account, key_lost)
    redirect_uri = f"http://{HOST}:{port}{PATH}"
    tokens = token_session(base_url_of(named))
    consent = ask(named.sign_in, tokens.base_url, redirect_uri)
    listener = None if paste else _listener(port)
    click.echo(f"Redirect URL that the OAuth client must have: {redirect_uri}")
    click.echo(f"\nOpen this address in a browser, as the user of deskclock:\n\n{consent.url}\n")
    answer = _pasted() if listener is None else _heard(listener, seconds)
    code = consent.code(answer)
    vault.write(NAME, exchange(named.sign_in, tokens, consent, code, vault.now()))
    database.run(lambda conn: _let_go(conn, named))
    click.echo(f"Signed in to {account}. A running worker takes it up by itself.")


def _vault(database: Database, settings: Settings, account: str, key_lost: bool) -> StoredVault:
    """The account's vault, ready to be written to: that shall not fail after the consent."""
    keys = Keys(settings.secret_key.get_secret_value(), settings.data_dir)
    vault = StoredVault(database, account, keys)
    try:
        known = vault.read(NAME)
    except SettingsError as error:
        if not key_lost:
            raise SettingsError(f"{error}. If that key is lost, add --key-lost") from None
        vault.forget(NAME)
        known = None
    keys.cipher(make=known is None)
    return vault


def _let_go(conn: Connection, account: AccountSettings) -> None:
    """What waited for a sign-in goes on at once."""
    accounts.register(conn, account.name, account.helpdesk)
    accounts.succeeded(conn, account.name)


class _Listener(HTTPServer):
    """Hears the one request by which the browser brings the answer back."""

    allow_reuse_address = True
    query: str | None = None


class _Handler(BaseHTTPRequestHandler):
    timeout = REQUEST_SECONDS

    def do_GET(self) -> None:
        parts, text = urlsplit(self.path), b"Not here.\n"
        found = parts.path == PATH
        if found and isinstance(self.server, _Listener):
            self.server.query = parts.query
            text = b"deskclock has the answer; go back to its terminal. This page can be closed.\n"
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Nothing: the address holds the code."""


def _listener(port: int) -> _Listener:
    try:
        return _Listener((HOST, port), _Handler)
    except OSError as error:
        raise SettingsError(
            f"port {port} cannot be used ({error.strerror}); choose another with --port and add "
            "its redirect URL to the OAuth client, or use --paste"
        ) from None


def _heard(listener: _Listener, seconds: float) -> dict[str, str]:
    end = time.monotonic() + seconds
    with listener:
        while listener.query is None:
            listener.timeout = end - time.monotonic()
            if listener.timeout <= 0:
                raise SignInRefused(
                    f"nobody consented within {seconds:g} seconds; nothing was stored. A browser "
                    "on another machine cannot reach this one: use --paste there"
                )
            listener.handle_request()
        return _query(listener.query)


def _pasted() -> dict[str, str]:
    click.echo("The browser ends at a page that it cannot show; copy the address of that page.")
    text = str(click.prompt("Address")).strip()
    return _query(urlsplit(text).query or text.lstrip("?"))


def _query(text: str) -> dict[str, str]:
    return dict(parse_qsl(text))
