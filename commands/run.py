"""`deskclock run`: web and worker in one go; without accounts, two local helpdesks as well."""

import os
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from app import open_accounts
from commands import demo as demo_helpdesks
from commands.options import CONFIG, DATA_DIR, PORT, process_settings
from commands.supervised import SUPERVISED
from connector.errors import SettingsError
from connector.runners.embedded import only_one
from connector.runners.supervisor import Program, Supervisor
from connector.settings import Settings, load_accounts
from operations import sharing

DEMO_CLOCK_CHECK_SECONDS = "1"  # a person who moves a sandbox's clock watches the page


@click.command()
@PORT
@DATA_DIR
@CONFIG
@click.option("--demo", is_flag=True, help="Use two local helpdesks, whatever is configured.")
@click.pass_context
def run(
    context: click.Context,
    port: int | None,
    data_dir: Path | None,
    config: Path | None,
    demo: bool,
) -> None:
    """Run deskclock: receive webhooks, look at tickets, write what is promised.

    Without accounts in deskclock.yaml a local Zendesk and a local Freshdesk are started too, on
    the two ports after this one.
    """
    settings = process_settings(port=port, data_dir=data_dir, config=config)
    demo = demo or not load_accounts(settings.config)
    lock = only_one("run", settings.data_dir)  # before anything is written or started there
    first = demo and demo_helpdesks.is_new(settings.data_dir)
    shared = sharing.prepare(settings.data_dir, "run")
    programs = _programs(settings, demo, shared)
    supervisor = Supervisor(programs, ended=partial(sharing.keep, shared))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: supervisor.stop())
    code = supervisor.run(_Announcement(settings, demo, first))
    lock.release()
    context.exit(code)


def _programs(settings: Settings, demo: bool, shared: Path) -> list[Program]:
    environment = {
        **os.environ,
        SUPERVISED: "1",
        "DESKCLOCK_DATA_DIR": str(settings.data_dir.absolute()),
        "DESKCLOCK_PORT": str(settings.port),
        sharing.VARIABLE: str(shared),
    }
    if settings.config.exists():
        environment["DESKCLOCK_CONFIG"] = str(settings.config.absolute())
    started: list[Program] = []
    ports = [settings.port]
    if demo:
        path = demo_helpdesks.write_accounts(settings.data_dir, settings.port)
        environment["DESKCLOCK_CONFIG"] = str(path.absolute())
        environment.setdefault("DESKCLOCK_CLOCK_CHECK_SECONDS", DEMO_CLOCK_CHECK_SECONDS)
        # the addresses shall stay in sight; what is written is seen in the pages
        environment.setdefault("DESKCLOCK_LOG_LEVEL", "warning")
        started = demo_helpdesks.helpdesks(settings.data_dir, settings.port, environment)
        ports += [settings.port + 1, settings.port + 2]
    else:
        open_accounts(settings)  # a mistake is told once and here, not by each process
    _refuse_taken(settings.host, ports)
    command = demo_helpdesks.deskclock()
    return [
        *started,
        Program(name="worker", command=[*command, "worker"], environment=environment),
        Program(name="web", command=[*command, "web"], environment=environment),
    ]


def _refuse_taken(host: str, ports: Sequence[int]) -> None:
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except socket.gaierror as error:
                raise SettingsError(
                    f"DESKCLOCK_HOST: '{host}' is no address of this machine ({error})"
                ) from None
            except (OSError, OverflowError) as error:
                raise SettingsError(
                    f"port {port} cannot be used ({error}); choose another, such as --port 9080"
                ) from None


class _Announcement:
    """Says once, as soon as everything answers, where to look.

    The ready-made tickets of a new demo existed before deskclock did; they are announced to it.
    """

    def __init__(self, settings: Settings, demo: bool, first: bool) -> None:
        self._settings = settings
        self._demo = demo
        self._first = first
        self._said = False

    def __call__(self) -> None:
        address = f"http://{self._settings.host}:{self._settings.port}"
        if self._said or not _answers(f"{address}/readyz"):
            return
        pages: dict[str, str] = {}
        if self._demo:
            pages = {
                kind: demo_helpdesks.helpdesk_url(kind, self._settings.port)
                for kind in demo_helpdesks.ACCOUNTS
            }
            if not all(_answers(f"{url}/_sandbox/") for url in pages.values()):
                return
        self._said = True
        for url in pages.values() if self._first else ():
            _answers(f"{url}/_sandbox/announce", post=True)
        click.echo(_text(address, self._settings.public_url or address, pages))


def _text(address: str, public: str, pages: dict[str, str]) -> str:
    lines = ["", "deskclock is running."]
    if pages:
        lines += [
            "",
            "  Create a ticket, change its priority, reply; its due dates and tags arrive by",
            "  themselves, as the policy user-support promises them (Europe/London).",
            "",
            *(f"  Local {kind.capitalize():<10} {url}/" for kind, url in pages.items()),
        ]
    lines += ["", f"  Webhooks         {public}/webhooks/<account>"]
    lines += [
        f"  Status           {address}/status",
        f"  Health           {address}/readyz",
        "",
        "Ctrl-C stops everything.",
        "",
    ]
    return "\n".join(lines)


def _answers(url: str, *, post: bool = False) -> bool:
    asked = urllib.request.Request(url, data=b"" if post else None)  # noqa: S310 - our own address
    try:
        with urllib.request.urlopen(asked, timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
