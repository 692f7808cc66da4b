"""The wiring: settings -> store -> helpdesks -> engine -> Flask. The only reader of the clock."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from time import monotonic

import structlog
from flask import Flask
from sqlalchemy import Connection

from connector.engine import accounts as engine_accounts
from connector.engine import policies
from connector.engine.context import Account
from connector.engine.intake import Intake
from connector.engine.messenger import Messenger, Receiver
from connector.engine.policies import Choice, as_written, refuse_inherited
from connector.engine.tending import Tending
from connector.engine.watch import Watch
from connector.errors import SettingsError
from connector.helpdesks import available, open_helpdesk, wants_of
from connector.helpdesks.base import Helpdesk, Hint
from connector.http import Budget, Poster, Vault
from connector.runners.embedded import Worker
from connector.runners.loop import Runner, Step
from connector.runners.pulse import HEARTBEAT, our_name
from connector.settings import AccountSettings, Settings, load_accounts
from connector.store.budget import StoredBudget
from connector.store.database import Database
from connector.store.documents import Contract, Source, find_contracts, find_policy, text_of
from connector.store.keys import Keys
from connector.store.migrate import upgrade
from connector.store.secrets import StoredVault
from mappings.assignment import Assignment
from mappings.document.fields import parse_fields
from mappings.document.reading import DocumentError, Problem
from mappings.errors import MappingError
from mappings.field_mapping import FieldMapping
from mappings.policy import Policy
from mappings.tags import own_tags
from operations import health, logs, metrics, requests, status
from operations.hidden import secrets_in
from operations.standing import Served
from webhooks import receiver

WATCH_SECONDS = 0.25  # between two looks for timers that nobody has judged
MESSAGES_SECONDS = 0.5  # between two looks for notices to send

log = structlog.get_logger()


def now() -> datetime:
    """The instant now, for what has no helpdesk to ask: webhooks and the command line."""
    return datetime.now(UTC)


def create_app(settings: Settings) -> Flask:
    """The web process: the vendors' door and the health pages. Raises `SettingsError`."""
    app = Flask("deskclock")
    requests.register(app)
    database = Database(settings.database)
    upgrade(database)
    served = open_accounts(settings, database)
    intake = Intake(database)
    ourselves = _Ourselves(database)
    wake = _waking(settings, database)

    def accept(account: str, hint: Hint) -> None:
        own_user_id = ourselves.user_id(account) if hint.actor_id is not None else None
        intake.submit(account, hint, own_user_id)
        wake(account)

    doors = {name: one.account.helpdesk for name, one in served.items()}
    app.register_blueprint(receiver.blueprint(doors, accept, settings.webhook_max_bytes))
    app.register_blueprint(health.blueprint(database, list(served)))
    shown = [
        Served(
            name=name,
            kind=one.account.kind,
            mode=one.account.mode,
            minute_seconds=one.minute_seconds,
        )
        for name, one in served.items()
    ]
    app.register_blueprint(metrics.blueprint(database, shown))
    app.register_blueprint(status.blueprint(database, shown))
    return app


def worker_pages(settings: Settings) -> Flask:
    """What a worker process shows on a port of its own: its figures, and whether it is ready."""
    app = Flask("deskclock-worker")
    app.register_blueprint(metrics.blueprint(None))
    ours = HEARTBEAT + our_name()
    app.register_blueprint(health.blueprint(Database(settings.database), worker=ours))
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


def _waking(settings: Settings, database: Database) -> Callable[[str], None]:
    """What tells a fleet of an account with something to do; workers without a broker just look."""
    if not settings.broker_url:
        return lambda _account: None
    _refuse_broker(settings)
    from connector.runners.broker import Waker, celery_app

    waker = Waker(database, celery_app(settings.broker_url))
    return lambda account: waker.wake([account])


def create_runner(settings: Settings) -> Runner:
    """The worker process that the settings ask for. Raises `SettingsError`."""
    if not settings.broker_url:
        return create_worker(settings)
    _refuse_broker(settings)
    from connector.runners import cluster

    database = Database(settings.database)
    opened, served = _served(settings, database)
    return cluster.Worker(
        database,
        served,
        broker=settings.broker_url,
        threads=settings.worker_threads,
        clock_check_seconds=settings.clock_check_seconds,
        beside=_beside(settings, database, opened, served),
    )


def create_worker(settings: Settings, *, only: str | None = None) -> Worker:
    """A worker that finds its work itself, for all accounts or for one. Raises `SettingsError`."""
    database = Database(settings.database)
    opened, served = _served(settings, database, only)
    if database.path is not None:  # SQLite: the lock on the data dir makes us the only worker
        database.run(engine_accounts.void_leases)
    return Worker(
        database,
        served,
        threads=settings.worker_threads,
        poll_seconds=settings.poll_seconds,
        clock_check_seconds=settings.clock_check_seconds,
        beside=_beside(settings, database, opened, served),
    )


def _refuse_broker(settings: Settings) -> None:
    """Raise `SettingsError` where messages would help nobody, or cannot be sent."""
    if Database(settings.database).path is not None:
        raise SettingsError(
            "DESKCLOCK_BROKER_URL is for workers that share a PostgreSQL, and the database is "
            "SQLite, which has one worker; leave it empty, or set DESKCLOCK_DATABASE_URL"
        )
    if find_spec("celery") is None:
        raise SettingsError(
            "DESKCLOCK_BROKER_URL needs Celery; run: pip install 'deskclock[cluster]'"
        )


def _served(
    settings: Settings, database: Database, only: str | None = None
) -> tuple[dict[str, "Opened"], dict[str, Account]]:
    """The accounts of a worker, as they are configured and as they are served from now on."""
    upgrade(database)
    opened = open_accounts(settings, database)
    if only is not None:
        opened = {name: one for name, one in opened.items() if name == only}

    def register(conn: Connection) -> None:
        for one in opened.values():
            engine_accounts.register(conn, one.account.name, one.account.kind)

    database.run(register)
    for one in opened.values():  # before anything of it is recorded
        refuse_inherited(policies.as_recorded(database, one.account, one.choices))
    served = {
        name: one.serving(policies.take_in(database, one.account, one.choices))
        for name, one in opened.items()
    }
    if not served:
        log.warning("no accounts", looked_for=str(settings.config.absolute()))
    return opened, served


def _beside(
    settings: Settings,
    database: Database,
    opened: Mapping[str, "Opened"],
    served: Mapping[str, Account],
) -> dict[str, Step]:
    """What a worker does beside its lanes, by the names of the threads."""
    watch = Watch(database, served)
    keys = Keys(settings.secret_key.get_secret_value(), settings.data_dir)
    steps: dict[str, Step] = {
        "watch": lambda: 0.0 if watch.step(monotonic()) else WATCH_SECONDS,
        "tending": Tending(database, served, keys, settings).tend,
    }
    receivers = {name: one.receiver for name, one in opened.items() if one.receiver is not None}
    if receivers:
        messenger = Messenger(database, receivers, Poster())
        steps["messages"] = lambda: 0.0 if messenger.deliver() else MESSAGES_SECONDS
    return steps


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """An account as its settings and files describe it today; it makes no call by itself."""

    account: Account
    choices: tuple[Choice, ...]
    #: who is told of its escalations; None: nobody
    receiver: Receiver | None
    #: length of a minute of its rate limits, in seconds
    minute_seconds: float
    #: its helpdesk, opened so that it reads what these policies need beyond the ticket
    connect: Callable[[Sequence[Assignment]], Helpdesk]

    def serving(self, account: Account) -> Account:
        """The account with all the versions it has had, and a helpdesk that fits them."""
        return replace(account, helpdesk=self.connect(account.assignments))


def open_accounts(settings: Settings, database: Database | None = None) -> dict[str, Opened]:
    """The accounts of the configuration, wired; with a `database` they share its rate budget.

    Raises `SettingsError` with everything that is wrong in any of their files.
    """
    opened: dict[str, Opened] = {}
    contracts, found = find_contracts(settings.data_dir)
    problems = dict.fromkeys(map(str, found))
    for name, account in load_accounts(settings.config).items():
        try:
            opened[name] = open_account(account, settings, contracts, database)
        except DocumentError as error:  # says itself where; several accounts may share the file
            problems.update(dict.fromkeys(map(str, error.problems)))
        except (SettingsError, MappingError) as error:
            problems[f"account {name}: {error}"] = None
    if problems:
        raise SettingsError("\n".join(problems))
    return opened


def open_one(settings: Settings, name: str, database: Database | None = None) -> Opened:
    """One account of the configuration by its name. Raises `SettingsError`, `MappingError`."""
    account = account_named(settings, name)
    contracts, problems = find_contracts(settings.data_dir)
    if problems:
        raise DocumentError(problems)
    return open_account(account, settings, contracts, database)


def account_named(settings: Settings, name: str) -> AccountSettings:
    """The settings of an account. Raises `SettingsError` for one that there is not."""
    known = load_accounts(settings.config)
    if name not in known:
        names = ", ".join(sorted(known)) or "none"
        raise SettingsError(f"account '{name}' is not in {settings.config}; known: {names}")
    return known[name]


def open_account(
    account: AccountSettings,
    settings: Settings,
    contracts: Sequence[Contract],
    database: Database | None = None,
) -> Opened:
    """One account, wired to its helpdesk and its policies.

    Raises `SettingsError` and `MappingError`.
    """
    logs.hide(secrets_in(account))
    mapping = field_mapping(account.helpdesk, account.fields)
    choices = _choices(account, settings.data_dir, contracts, mapping)
    for choice in choices:
        _refuse_never_open(choice.policy)
    if account.prefix.startswith(mapping.plan_tag_prefix or " "):
        raise SettingsError(
            f"prefix '{account.prefix}' begins with '{mapping.plan_tag_prefix}', by which tags "
            "name a customer's plan; choose another"
        )
    if not account.webhook.secrets:
        log.warning(
            "no webhook secret: every delivery will be refused", account=account.name,
            advice="add webhook: {secrets: [...]} to the account",
        )  # fmt: skip

    budget, vault = _shared(account, settings, database)

    def connect(assignments: Sequence[Assignment]) -> Helpdesk:
        return open_helpdesk(
            account, mapping, now=now, wants=wants_of(assignments), budget=budget, vault=vault
        )

    assignments = as_written(choices)
    wired = Account(
        name=account.name,
        kind=account.helpdesk,
        helpdesk=connect(assignments),
        assignments=assignments,
        mode=account.mode,
        own_tags=own_tags([one.policy for one in choices], account.prefix),
        prefix=account.prefix,
        notifies=account.notify is not None,
        notes=account.notes.wanted,
        sync_seconds=account.sync.every_seconds,
        reconcile_hours=account.sync.reconcile_hours,
    )
    refuse_inherited(wired)
    return Opened(
        account=wired,
        choices=choices,
        receiver=_receiver(account),
        minute_seconds=account.limits.minute_seconds,
        connect=connect,
    )


def _shared(
    account: AccountSettings, settings: Settings, database: Database | None
) -> tuple[Budget | None, Vault | None]:
    """What all processes that call for an account share; nothing for one without a database."""
    if database is None:
        return None, None
    minute = account.limits.minute_seconds
    budget = StoredBudget(database, account.name, account.reserve, minute)
    keys = Keys(settings.secret_key.get_secret_value(), settings.data_dir)
    return budget, StoredVault(database, account.name, keys)


def _refuse_never_open(policy: Policy) -> None:
    """Raise `MappingError` for a calendar on which nothing would ever be due."""
    for one in (policy, *policy.overlaid()):
        for calendar in one.calendars.values():
            try:
                calendar.next_open(now())
            except MappingError as error:
                raise SettingsError(f"policy '{policy.id}': {error}") from None


def _receiver(account: AccountSettings) -> Receiver | None:
    """Who is told of an account's escalations; nobody is of what is only computed."""
    if account.notify is None or account.mode == "shadow":
        return None
    return Receiver(url=account.notify.url.get_secret_value(), keys=account.notify.keys)


def _choices(
    account: AccountSettings,
    data_dir: Path,
    contracts: Sequence[Contract],
    mapping: FieldMapping,
) -> tuple[Choice, ...]:
    """The policies of an account in the order in which they are tried."""
    problems = dict.fromkeys(one.problem(mapping.inputs) for one in account.choices)
    wrong = [one for one in problems if one is not None]
    if wrong:
        raise SettingsError("\n".join(wrong))
    loaded: dict[str, tuple[Source, Policy]] = {}
    broken: list[Problem] = []
    for name in dict.fromkeys(one.policy for one in account.choices):
        try:
            loaded[name] = find_policy(
                name, data_dir, contracts, time_zone=account.time_zone, prefix=account.prefix
            )
        except DocumentError as error:
            broken.extend(error.problems)
    if broken:
        raise DocumentError(broken)
    _refuse_namesakes(loaded)
    return tuple(
        Choice(when=one.condition, policy=loaded[one.policy][1], source=loaded[one.policy][0])
        for one in account.choices
    )


def _refuse_namesakes(loaded: Mapping[str, tuple[Source, Policy]]) -> None:
    """Versions are kept by the policy's id, so that no two files may share one."""
    files_of: dict[str, str] = {}
    for source, policy in loaded.values():
        other = files_of.setdefault(policy.id, source.file)
        if other != source.file:
            raise SettingsError(
                f"{other} and {source.file} both say 'policy: {policy.id}'; give one another name"
            )


def field_mapping(kind: str, path: Path | None) -> FieldMapping:
    """The field mapping in a file, or the helpdesk's default one."""
    if kind not in available():
        known = ", ".join(available())
        raise SettingsError(f"helpdesk '{kind}' is unknown; known: {known}")
    if path is not None:
        mapping = parse_fields(text_of(path), str(path))
        if mapping.helpdesk != kind:
            raise SettingsError(f"{path}: is a mapping for {mapping.helpdesk}, not for {kind}")
        return mapping
    default = files("mappings") / "fields" / f"{kind}.yaml"
    return parse_fields(default.read_text(encoding="utf-8"), f"fields/{kind}.yaml")
