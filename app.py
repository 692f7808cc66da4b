"""The wiring: settings -> store -> helpdesks -> engine -> Flask. The only reader of the clock."""

from contextlib import suppress
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from time import monotonic

import structlog
from flask import Flask
from sqlalchemy import Connection

from connector.engine import accounts as engine_accounts
from connector.engine.context import Account
from connector.engine.intake import Intake
from connector.errors import SettingsError
from connector.helpdesks import available, open_helpdesk
from connector.helpdesks.base import Hint
from connector.runners.embedded import Worker
from connector.settings import AccountSettings, Settings, load_accounts
from connector.store.database import Database
from connector.store.migrate import upgrade
from mappings.document.fields import parse_fields
from mappings.document.policy import load_policy
from mappings.errors import MappingError
from mappings.field_mapping import FieldMapping
from mappings.policy import Policy
from mappings.tags import own_tags
from operations import health
from webhooks import receiver

log = structlog.get_logger()


def now() -> datetime:
    """The instant now, for what has no helpdesk to ask: webhooks and the command line."""
    return datetime.now(UTC)


def create_app(settings: Settings) -> Flask:
    """The web process: the vendors' door and the health pages. Raises `SettingsError`."""
    app = Flask("deskclock")
    database = Database(settings.database)
    upgrade(database)
    served = open_accounts(settings)
    intake = Intake(database)
    ourselves = _Ourselves(database)

    def accept(account: str, hint: Hint) -> None:
        own_user_id = ourselves.user_id(account) if hint.actor_id is not None else None
        intake.submit(account, hint, own_user_id)

    doors = {name: one.helpdesk for name, one in served.items()}
    app.register_blueprint(receiver.blueprint(doors, accept, settings.webhook_max_bytes))
    app.register_blueprint(health.blueprint(database))
    return app


class _Ourselves:
    """Who we are on each helpdesk: the worker learns it at its first call, for the echoes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, str | None] = {}
        self._asked: dict[str, float] = {}

    def user_id(self, account: str) -> str | None:
        """Our user there; None while nobody knows it, which is asked again once a second."""
        known = self._known.get(account)
        if known is None and monotonic() - self._asked.get(account, float("-inf")) >= 1.0:
            self._asked[account] = monotonic()
            with self._database.read() as conn:
                known = self._known[account] = engine_accounts.own_user_id(conn, account)
        return known


def create_worker(settings: Settings) -> Worker:
    """The worker process on this machine. Raises `SettingsError`."""
    database = Database(settings.database)
    upgrade(database)
    served = open_accounts(settings)

    def register(conn: Connection) -> None:
        for one in served.values():
            engine_accounts.register(conn, one.name, one.kind)

    database.run(register)
    if not served:
        log.warning("no accounts", looked_for=str(settings.config.absolute()))
    if database.path is not None:  # SQLite: the lock on the data dir makes us the only worker
        database.run(engine_accounts.void_leases)
    return Worker(
        database,
        served,
        threads=settings.worker_threads,
        poll_seconds=settings.poll_seconds,
        clock_check_seconds=settings.clock_check_seconds,
    )


def open_accounts(settings: Settings) -> dict[str, Account]:
    """The accounts of the configuration, wired. Raises `SettingsError` naming what is wrong."""
    opened, problems = {}, []
    for name, account in load_accounts(settings.config).items():
        try:
            opened[name] = open_account(account, settings)
        except (SettingsError, MappingError) as error:
            problems.append(f"account {name}: {error}")
    if problems:
        raise SettingsError("\n".join(problems))
    return opened


def open_account(account: AccountSettings, settings: Settings) -> Account:
    """One account, wired to its helpdesk and its policy. Raises `SettingsError`, `MappingError`."""
    mapping = field_mapping(account.helpdesk, account.fields)
    policy = named_policy(
        account.policy, settings.data_dir, time_zone=account.time_zone, prefix=account.prefix
    )
    if not account.webhook.secrets:
        log.warning(
            "no webhook secret: every delivery will be refused", account=account.name,
            advice="add webhook: {secrets: [...]} to the account",
        )  # fmt: skip
    return Account(
        name=account.name,
        kind=account.helpdesk,
        helpdesk=open_helpdesk(account, mapping, now=now),
        policy=policy,
        mode=account.mode,
        own_tags=own_tags([policy], account.prefix),
    )


def field_mapping(kind: str, path: Path | None) -> FieldMapping:
    """The field mapping in a file, or the helpdesk's default one."""
    if kind not in available():
        known = ", ".join(available())
        raise SettingsError(f"helpdesk '{kind}' is unknown; known: {known}")
    if path is not None:
        mapping = parse_fields(_text(path), str(path))
        if mapping.helpdesk != kind:
            raise SettingsError(f"{path}: is a mapping for {mapping.helpdesk}, not for {kind}")
        return mapping
    default = files("mappings") / "fields" / f"{kind}.yaml"
    return parse_fields(default.read_text(encoding="utf-8"), f"fields/{kind}.yaml")


def named_policy(
    name: str, data_dir: Path, *, time_zone: str | None, prefix: str = "sla_"
) -> Policy:
    """A policy by its name (the data dir comes before what is shipped) or by its file."""
    text, file = _policy_text(name, data_dir)
    return load_policy(text, file, time_zone=time_zone, prefix=prefix)


def _policy_text(name: str, data_dir: Path) -> tuple[str, str]:
    if name.endswith((".yaml", ".yml")) or "/" in name:
        return _text(Path(name)), name
    own = data_dir / "policies" / f"{name}.yaml"
    if own.is_file():
        return _text(own), str(own)
    shipped = files("mappings") / "policies" / f"{name}.yaml"
    with suppress(FileNotFoundError):
        return shipped.read_text(encoding="utf-8"), f"policies/{name}.yaml"
    known = sorted(
        one.name.removesuffix(".yaml") for one in (files("mappings") / "policies").iterdir()
    )
    raise SettingsError(
        f"policy '{name}' was not found; looked for {own} and among the shipped ones: "
        f"{', '.join(known)}"
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from None
