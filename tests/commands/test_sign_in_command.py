"""The `sign-in` command: who consents is signed in, and whatever else happens is told."""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner, Result
from sqlalchemy import insert, select

from commands import deskclock
from connector.store import tables
from connector.store.database import Database
from connector.store.keys import KEY_FILE
from connector.store.migrate import upgrade
from sandbox.application import create_sandbox
from sandbox.server import serving

ROOT = Path(__file__).parents[2]
CONFIG = """
accounts:
  acme:
    helpdesk: zendesk
    base_url: {url}
    sign_in: {{client_id: {client}, flow: code}}
    policy: user-support
  plain:
    helpdesk: zendesk
    base_url: {url}
    sign_in: {{client_id: sandbox, client_secret: hush}}
    policy: user-support
  fresh:
    helpdesk: freshdesk
    subdomain: acme
    sign_in: {{api_key: hush}}
    policy: user-support
"""


@dataclass
class Ended:
    code: int
    out: str
    err: str


class Office:
    """A folder with a configuration, a terminal, and the browser of a person."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self.data = folder / "data"
        self.config = folder / "deskclock.yaml"
        self.configure("sandbox-public")
        self.database = Database(f"sqlite:///{self.data}/deskclock.sqlite3")
        self.browser = requests.Session()
        self.browser.trust_env = False
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def configure(self, client: str) -> None:
        self.config.write_text(CONFIG.format(url=self.url, client=client))

    def words(self, *words: str) -> list[str]:
        where = ["--data-dir", str(self.data), "--config", str(self.config)]
        return ["sign-in", *words, "--port", str(self.port), *where]

    def run(self, *words: str, pasted: str | None = None) -> Result:
        """The command where what a person does rests on nothing that it shows."""
        return CliRunner().invoke(deskclock, self.words(*words), input=pasted)

    def listening(self, act: Callable[[str], Any], *more: str) -> Ended:
        """The command in a process of its own; `act` does what a person does with the address."""
        return self._process(["acme", *more], lambda url: act(url) and None)

    def pasting(self, answer: Callable[[str], str], *more: str) -> Ended:
        """The command with --paste; `answer` makes what is pasted of the address to open."""
        return self._process(["acme", "--paste", *more], answer)

    def _process(self, words: list[str], act: Callable[[str], str | None]) -> Ended:
        command = [sys.executable, "-c", "from commands import main; main()", *self.words(*words)]
        with subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if "/oauth/authorizations/new" in line:
                    break
            pasted = act(lines[-1].strip())
            out, err = process.communicate(None if pasted is None else f"{pasted}\n", timeout=60)
        return Ended(process.returncode, "".join(lines) + out, err)

    def back(self, url: str, word: str = "approve") -> str:
        """Where the browser is sent to from the consent page."""
        page = self.browser.get(f"{url}&_sandbox={word}", allow_redirects=False, timeout=10)
        assert page.status_code == 302, page.text
        return page.headers["Location"]

    def go(self, url: str) -> requests.Response:
        return self.browser.get(url, timeout=10)

    def stored(self) -> list[str]:
        with self.database.read() as conn:
            return list(conn.scalars(select(tables.secret.c.account)))


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving(create_sandbox("zendesk", tickets=0)) as served:
        yield served.url


@pytest.fixture
def office(tmp_path: Path, server: str) -> Iterator[Office]:
    office = Office(tmp_path, server)
    yield office
    office.browser.close()
    office.database.dispose()


def test_who_consents_in_a_browser_is_signed_in_and_the_account_goes_on(office: Office) -> None:
    upgrade(office.database)
    waiting = {"state": "sign_in_needed", "held_until": time.time() + 300, "failures": 9}
    with office.database.write() as conn:
        conn.execute(insert(tables.account).values(name="acme", kind="zendesk", **waiting))

    pages: list[requests.Response] = []

    def act(url: str) -> None:
        assert office.go(f"http://127.0.0.1:{office.port}/favicon.ico").status_code == 404
        pages.append(office.go(office.back(url)))

    ended = office.listening(act)

    assert (ended.code, ended.err) == (0, "")
    assert f"http://127.0.0.1:{office.port}/signed-in\n" in ended.out
    assert "Signed in to acme." in ended.out
    assert "go back to its terminal" in pages[0].text
    with office.database.read() as conn:
        columns = tables.account.c
        row = conn.execute(select(columns.state, columns.held_until, columns.failures)).one()
    assert (office.stored(), tuple(row)) == (["acme"], ("ok", 0, 0))


def test_the_address_may_be_pasted_and_nothing_secret_is_shown(office: Office) -> None:
    ended = office.pasting(office.back)
    assert (ended.code, ended.err, office.stored()) == (0, "", ["acme"])
    assert "verifier" not in ended.out
    assert re.findall(r"[0-9a-f]{64}", ended.out) == []  # the form of the sandbox's tokens


@pytest.mark.parametrize("text", ["http://127.0.0.1:8765/signed-in?code=x&state=y", "code=x", "?"])
def test_what_was_pasted_of_elsewhere_is_told(office: Office, text: str) -> None:
    ran = office.run("acme", "--paste", pasted=text)
    assert (ran.exit_code, office.stored()) == (1, [])
    assert "its state differs" in ran.stderr


def test_a_code_that_is_none_is_told(office: Office) -> None:
    ended = office.pasting(lambda url: re.sub("code=[^&]*", "code=x", office.back(url)))
    assert (ended.code, office.stored()) == (1, [])
    assert "refuses the code (invalid_grant)" in ended.err
    assert "Traceback" not in ended.err


def test_an_answer_to_another_question_is_told(office: Office) -> None:
    other = "http://127.0.0.1:{}/signed-in?code=x&state=y"
    ended = office.listening(lambda _url: office.go(other.format(office.port)))
    assert (ended.code, office.stored()) == (1, [])
    assert "its state differs" in ended.err


def test_a_code_for_another_verifier_is_told(office: Office) -> None:
    def swapped(url: str) -> str:
        return office.back(re.sub("code_challenge=[^&]*", "code_challenge=" + "A" * 43, url))

    ended = office.pasting(swapped)
    assert (ended.code, office.stored()) == (1, [])
    assert "refuses the code (invalid_grant)" in ended.err
    assert "only for the sign-in that asked for it" in ended.err


def test_a_denied_consent_is_told(office: Office) -> None:
    ended = office.listening(lambda url: office.go(office.back(url, "deny")))
    assert (ended.code, office.stored()) == (1, [])
    assert "consent was denied" in ended.err


def test_a_browser_that_never_comes_is_told(office: Office) -> None:
    ended = office.listening(lambda _url: None, "--wait", "0.05")
    assert (ended.code, office.stored()) == (1, [])
    assert "nobody consented within 0.05 seconds" in ended.err
    assert "--paste" in ended.err


def test_a_port_that_is_taken_is_told(office: Office) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", office.port))
        taken.listen()
        ran = office.run("acme")
    assert ran.exit_code == 1
    assert f"port {office.port} cannot be used" in ran.stderr


@pytest.mark.parametrize(
    ("account", "message"),
    [
        pytest.param("plain", "signs in by itself", id="client-credentials"),
        pytest.param("fresh", "for Zendesk", id="freshdesk"),
        pytest.param("nobody", "account 'nobody' is not in", id="unknown"),
    ],
)
def test_an_account_that_needs_no_consent_is_told(
    office: Office, account: str, message: str
) -> None:
    ran = office.run(account)
    assert ran.exit_code == 1
    assert message in ran.stderr


def test_a_key_that_is_lost_is_told_before_anybody_consents(office: Office) -> None:
    office.pasting(office.back)
    (office.data / KEY_FILE).unlink()
    ran = office.run("acme")
    assert ran.exit_code == 1
    assert f"{KEY_FILE} is missing" in ran.stderr
    assert "--key-lost" in ran.stderr
    assert office.stored() == ["acme"]

    assert office.pasting(office.back, "--key-lost").code == 0
    assert office.stored() == ["acme"]
