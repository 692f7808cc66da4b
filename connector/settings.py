"""Everything that can be configured: `DESKCLOCK_*` settings and the accounts of deskclock.yaml."""

import difflib
import ipaddress
import os
import re
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from connector.errors import SettingsError
from mappings.assignment import KNOWN_FACTS
from mappings.conditions import EVERY_TICKET, Condition, same_word
from mappings.document.condition_form import ConditionText
from mappings.document.policy import WORDS
from mappings.document.reading import (
    Document,
    DocumentError,
    Problem,
    locate,
    parse_yaml,
    validate,
)
from mappings.document.zones import zone_named
from mappings.policy import Metric
from mappings.severity import SEVERITY

ACCOUNT_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
MARKED = re.compile("\ue000([^\ue001]*)\ue001")
WHSEC = "whsec_"
PREFIX = re.compile(r"[a-z][a-z0-9]{0,15}_")


MINUTE = 60.0  # seconds
RESERVE = {"zendesk": 0.2, "freshdesk": 0.4}  # share of the limits that is left to others


DEFAULT_CONFIG = Path("deskclock.yaml")


class Settings(BaseSettings):
    """Every setting of a process. Lengths of time are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="DESKCLOCK_", env_file=".env", env_ignore_empty=True, extra="ignore"
    )

    #: where the database, the secret key and the locks live
    data_dir: Path = Path(".deskclock")
    #: SQLAlchemy address of the database; empty: SQLite under the data dir
    database_url: Annotated[str, Field(repr=False)] = ""
    #: keys that encrypt what a sign-in gave us, Fernet, the newest first, separated by commas;
    #: empty: the file secret.key in the data dir, which is made when it is first needed
    secret_key: SecretStr = SecretStr("")
    #: the file that holds the accounts
    config: Path = DEFAULT_CONFIG
    #: interface of the web process
    host: str = "127.0.0.1"
    #: port of the web process
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    #: what the vendors call; empty: the host and port above
    public_url: str = ""
    #: processes that receive webhooks side by side on the port; on SQLite one is enough
    web_processes: Annotated[int, Field(ge=1, le=64)] = 1
    #: threads of each web process
    web_threads: Annotated[int, Field(ge=1, le=256)] = 16
    #: the largest body that a webhook may have, in bytes
    webhook_max_bytes: Annotated[int, Field(ge=1024)] = 1_048_576
    #: accounts that one worker drains at the same time
    worker_threads: Annotated[int, Field(ge=1, le=64)] = 4
    #: broker of a fleet of workers, redis:// or amqp://; empty: workers find their work themselves
    broker_url: Annotated[str, Field(repr=False)] = ""
    #: pause between two looks for due tickets, in seconds
    poll_seconds: Annotated[float, Field(gt=0, le=10)] = 0.05
    #: how often an idle account's clock is compared with ours, in seconds
    clock_check_seconds: Annotated[float, Field(ge=0.5)] = 60.0
    #: port on which a worker shows its figures and whether it is ready; empty: none
    worker_metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0
    #: interface of that port
    worker_metrics_host: str = "127.0.0.1"
    #: days for which ids of deliveries are kept, so that a repeated one is known; 0: for ever
    keep_deliveries_days: Annotated[int, Field(ge=0, le=36_500)] = 14
    #: days for which what webhooks said of a ticket waits for its look; 0: for ever
    keep_observations_days: Annotated[int, Field(ge=0, le=36_500)] = 14
    #: days for which messages and notes are kept once they are done with; 0: for ever
    keep_notices_days: Annotated[int, Field(ge=0, le=36_500)] = 90
    #: days for which the evidence is kept; 0: for ever
    keep_evidence_days: Annotated[int, Field(ge=0, le=36_500)] = 400
    #: days for which tickets are kept that are over, since the last look; 0: for ever
    keep_tickets_days: Annotated[int, Field(ge=0, le=36_500)] = 400
    #: form of the log lines: console or json
    log_format: Literal["console", "json"] = "console"
    #: the least grave lines that are shown: debug, info, warning or error
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("data_dir", "config")
    @classmethod
    def _of_home(cls, value: Path) -> Path:
        if "?" in str(value):
            raise ValueError("a path with '?' cannot stand in a database address; choose another")
        return value.expanduser()

    @field_validator("broker_url")
    @classmethod
    def _is_broker(cls, value: str) -> str:
        if value and not value.startswith(("redis://", "rediss://", "amqp://", "amqps://")):
            raise ValueError(
                "give the address of a Redis or a RabbitMQ, such as redis://host:6379/0 or "
                "amqp://user:password@host:5672/deskclock"
            )
        return value

    @property
    def database(self) -> str:
        """The SQLAlchemy address that is used."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'deskclock.sqlite3'}"


class SignIn(Document):
    """How we sign in: exactly one of the ways in `WAYS`."""

    #: Zendesk OAuth client; with its secret alone: client credentials
    client_id: str | None = None
    client_secret: SecretStr | None = None
    #: code: a person lets us in by `deskclock sign-in`; a public client has no secret
    flow: Literal["code"] | None = None
    #: Zendesk API token; tokens stop working on 2027-04-30
    email: str | None = None
    api_token: SecretStr | None = None
    #: Freshdesk
    api_key: SecretStr | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "SignIn":
        given = {name for name in self.model_fields_set if getattr(self, name) is not None}
        if given not in WAYS:
            raise ValueError(
                "give client_id and client_secret, or client_id and flow: code, or email and "
                "api_token (Zendesk), or api_key (Freshdesk)"
            )
        return self


WAYS: tuple[set[str], ...] = (
    {"client_id", "client_secret"},
    {"client_id", "flow"},
    {"client_id", "client_secret", "flow"},
    {"email", "api_token"},
    {"api_key"},
)


class Webhook(Document):
    """How deliveries prove where they come from."""

    #: shared secrets; several are accepted while one is replaced by the next
    secrets: tuple[SecretStr, ...] = ()
    #: Freshdesk: the header that carries the secret; Basic with the secret as password always works
    header: str = "X-Webhook-Secret"
    #: Zendesk: how far the signed timestamp may lie from now, both ways; 0 accepts any
    window_seconds: Annotated[int, Field(ge=0)] = 0

    @field_validator("secrets")
    @classmethod
    def _no_empty_secret(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(not one.get_secret_value().strip() for one in value):
            raise ValueError("a secret is empty; every delivery would be refused")
        return value


class Notify(Document):
    """Who is told of steps of escalation ladders: a receiver of Standard Webhooks."""

    #: where messages are posted; https, or http on this machine
    url: SecretStr
    #: keys, each "whsec_" and base64; every message is signed with each of them
    secrets: Annotated[tuple[SecretStr, ...], Field(min_length=1)]

    @field_validator("url")
    @classmethod
    def _safe_url(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        parts = urlsplit(url)
        if parts.username or parts.password:
            raise ValueError("leave user and password out of the url; the signature is the proof")
        if not (parts.scheme == "https" and parts.hostname) and not _is_loopback(url):
            raise ValueError("give an address that begins with https://")
        return value

    @field_validator("secrets")
    @classmethod
    def _are_keys(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for one in value:
            if not 24 <= len(_key(one)) <= 64:
                raise ValueError(
                    "a secret is 'whsec_' and the base64 of 24 to 64 random bytes; make one: "
                    "echo whsec_$(openssl rand -base64 32)"
                )
        return value

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The secrets as the keys that sign."""
        return tuple(map(_key, self.secrets))


def _key(secret: SecretStr) -> bytes:
    """The key in a secret; nothing where it is none."""
    text = secret.get_secret_value().strip()
    if not text.startswith(WHSEC):
        return b""
    try:
        return b64decode(text.removeprefix(WHSEC), validate=True)
    except ValueError:
        return b""


class PolicyChoice(Document):
    """A policy, and the tickets that it is for."""

    #: None: for every ticket
    when: ConditionText | None = None
    policy: Annotated[str, Field(min_length=1)]
    _place: str = PrivateAttr(default="")

    @property
    def place(self) -> str:
        """File, line and column of the condition, or of the policy's name; empty: not from one."""
        return self._place

    @property
    def condition(self) -> Condition:
        """The condition; without one it always holds."""
        return self.when or EVERY_TICKET

    @field_validator("when")
    @classmethod
    def _possible(cls, value: Condition | None) -> Condition | None:
        tests = value.all_tests() if value is not None else ()
        for test in tests:
            if test.fact == SEVERITY:
                raise ValueError(
                    "the severity is decided by the policy, so it can choose none; "
                    "use the priority or a mapped input"
                )
            words = WORDS.get(test.fact, ())
            known = {same_word(word) for word in words} | {""}
            for given in test.values if test.fact in KNOWN_FACTS and words else ():
                if same_word(given) not in known:
                    raise ValueError(
                        f"{test.fact} '{given}' does not exist; known: {', '.join(sorted(words))}"
                    )
        return value

    def problem(self, inputs: Iterable[str]) -> str | None:
        """What in the condition no ticket can ever have; `inputs` are those that are mapped."""
        known = {*KNOWN_FACTS, *inputs} - {SEVERITY}
        unknown = sorted(self.condition.facts() - known)
        if not unknown:
            return None
        near = difflib.get_close_matches(unknown[0], sorted(known), 1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        return (
            f"{self.place}: E when: '{unknown[0]}' is not known before a policy is chosen; "
            f"{hint}known: {', '.join(sorted(known))}"
        )


class Limits(Document):
    """What deskclock may take of the helpdesk's rate limits."""

    #: the share that is left to the customer's other tools; None: 0.2 on Zendesk, 0.4 on Freshdesk
    reserve: Annotated[float, Field(ge=0, le=0.95)] | None = None
    #: length of a minute of the limits, in seconds; only a sandbox has another
    minute_seconds: Annotated[float, Field(gt=0, le=3600)] = MINUTE


class Following(Document):
    """How what changed is read, beside the webhooks."""

    #: seconds between two looks at what changed
    every_seconds: Annotated[float, Field(ge=1, le=86_400)] = 60.0
    #: hours after which an open ticket is looked at though nothing told of it; 0: never
    reconcile_hours: Annotated[float, Field(ge=0, le=8_760)] = 24.0


class Notes(Document):
    """Of what a private note is written into the ticket; of nothing by default."""

    #: that a target is at risk
    at_risk: bool = False
    #: that a target was missed
    breached: bool = False
    #: the metrics that are written about
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1)] = tuple(Metric)

    @property
    def wanted(self) -> frozenset[tuple[str, str]]:
        """Each cause and metric of which a note is written."""
        causes = {"at_risk": self.at_risk, "breached": self.breached}
        return frozenset(
            (cause, metric.value)
            for cause, is_on in causes.items()
            for metric in self.metrics
            if is_on
        )


class AccountSettings(Document):
    """One account on one helpdesk."""

    name: str = ""
    helpdesk: str
    subdomain: str | None = None
    #: address of a local sandbox, loopback only
    base_url: str | None = None
    sign_in: SignIn
    webhook: Webhook = Webhook()
    #: the policy of every ticket; or `policies`
    policy: Annotated[str, Field(min_length=1)] | None = None
    #: the first whose condition holds judges a ticket; the last has none
    policies: tuple[PolicyChoice, ...] = ()
    #: IANA zone for calendars whose document names none
    time_zone: str | None = None
    mode: Literal["shadow", "own_fields", "native"] = "shadow"
    prefix: str = "sla_"
    #: field mapping file; the helpdesk's default when empty
    fields: Path | None = None
    #: who is told of steps of escalation ladders; None: as the file says for all accounts
    notify: Notify | None = None
    #: Zendesk: tags of closed tickets are kept right as well; their fields can never be
    closed_tags: bool = False
    limits: Limits = Limits()
    sync: Following = Following()
    #: which private notes are written into tickets
    notes: Notes = Notes()
    #: ids of users that are robots: their replies are no responses
    robots: tuple[str, ...] = ()

    _place: str = PrivateAttr(default="")

    @property
    def place(self) -> str:
        """File, line and column of the account; empty when it was not read from a file."""
        return self._place

    @property
    def reserve(self) -> float:
        """The share of the helpdesk's limits that is left to the customer's other tools."""
        given = self.limits.reserve
        return RESERVE.get(self.helpdesk, max(RESERVE.values())) if given is None else given

    @property
    def choices(self) -> tuple[PolicyChoice, ...]:
        """The policies in the order in which they are tried."""
        return self.policies if self.policy is None else (self._only,)

    @property
    def _only(self) -> PolicyChoice:
        only = PolicyChoice(policy=self.policy or "")
        only._place = self._place
        return only

    @field_validator("policies")
    @classmethod
    def _last_is_for_all(cls, value: tuple[PolicyChoice, ...]) -> tuple[PolicyChoice, ...]:
        for number, one in enumerate(value, start=1):
            if number < len(value) and not one.condition.tests:
                raise ValueError(
                    f"entry {number} has no condition, so the ones after it never apply; "
                    "give it a 'when', or make it the last"
                )
        if value and value[-1].condition.tests:
            raise ValueError(
                "the last entry must have no 'when', so that every ticket has a policy"
            )
        return value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        if value is not None:
            zone_named(value)
        return value

    @field_validator("subdomain")
    @classmethod
    def _plain_subdomain(cls, value: str | None) -> str | None:
        if value is not None and not SUBDOMAIN.fullmatch(value):
            raise ValueError(
                f"'{value}' is no subdomain; of https://acme.zendesk.com it is 'acme' alone"
            )
        return value

    @field_validator("base_url")
    @classmethod
    def _loopback_only(cls, value: str | None) -> str | None:
        if value is not None and not _is_loopback(value):
            raise ValueError(
                "base_url is only for a sandbox on this machine, such as http://127.0.0.1:8081; "
                "for a real account give 'subdomain'"
            )
        return value

    @field_validator("prefix")
    @classmethod
    def _plain_prefix(cls, value: str) -> str:
        if not PREFIX.fullmatch(value):
            raise ValueError("a prefix is a-z and 0-9 and ends in an underscore, such as 'sla_'")
        return value

    @model_validator(mode="after")
    def _one_address(self) -> "AccountSettings":
        if (self.subdomain is None) == (self.base_url is None):
            raise ValueError("give 'subdomain', such as 'acme' (or 'base_url' for a sandbox)")
        if (self.policy is None) == (not self.policies):
            raise ValueError(
                "give 'policy', such as 'user-support', or 'policies', a list of which each has "
                "'when' and 'policy' and the last 'policy' alone"
            )
        if self.base_url is None and self.limits.minute_seconds != MINUTE:
            raise ValueError("limits.minute_seconds is for a sandbox; a helpdesk's minute has 60 s")
        if self.closed_tags and self.helpdesk != "zendesk":
            raise ValueError("closed_tags exists on Zendesk only; leave it out")
        if self.mode == "native" and self.helpdesk != "freshdesk":
            raise ValueError("mode 'native' exists on Freshdesk only; use 'own_fields'")
        return self


class Accounts(Document):
    """The file deskclock.yaml."""

    #: for the accounts that name none of their own
    notify: Notify | None = None
    accounts: dict[str, AccountSettings]

    @field_validator("accounts")
    @classmethod
    def _named(cls, value: dict[str, AccountSettings]) -> dict[str, AccountSettings]:
        for name in value:
            if not ACCOUNT_NAME.fullmatch(name):
                raise ValueError(
                    f"'{name}' is no account name; use a-z, 0-9 and -, such as 'acme-zendesk'"
                )
        return {name: one.model_copy(update={"name": name}) for name, one in value.items()}

    def complete(self) -> dict[str, AccountSettings]:
        """The accounts, each with what the file says for all of them."""
        return {
            name: one.model_copy(update={"notify": one.notify or self.notify})
            for name, one in self.accounts.items()
        }


def load_settings(**overrides: object) -> Settings:
    """The settings from arguments, environment and `.env`. Raises `SettingsError`."""
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [
            f"DESKCLOCK_{str(found['loc'][0]).upper()}: {found['msg']} "
            f"(looked for in the environment and in {Path('.env').absolute()}; "
            f"default: {Settings.model_fields[str(found['loc'][0])].default})"
            for found in error.errors(include_url=False, include_input=False)
        ]
        raise SettingsError("\n".join(lines)) from None


def load_accounts(path: Path) -> dict[str, AccountSettings]:
    """The accounts of a deskclock.yaml; none when there is no such file. Raises `SettingsError`."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if path == DEFAULT_CONFIG:
            return {}
        raise SettingsError(
            f"{path.absolute()} does not exist; --config and DESKCLOCK_CONFIG name the file that "
            "holds the accounts"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from None
    try:
        # braces mean something in YAML, so a variable is marked by other signs until it is parsed
        data = parse_yaml(VARIABLE.sub("\ue000\\1\ue001", text), str(path))
        problems = list(_expand(data, str(path)))
        try:
            accounts = validate(Accounts, data, str(path)).complete()
        except DocumentError as error:
            raise DocumentError([*problems, *error.problems]) from None
        if problems:
            raise DocumentError(problems)
        _place_all(accounts, data, str(path))
        return accounts
    except DocumentError as error:
        raise SettingsError(str(error)) from None


def _place_all(accounts: Mapping[str, AccountSettings], data: Any, file: str) -> None:
    """Tell each account and each choice where it stands, for what is found wrong later."""
    for name, one in accounts.items():
        one._place = _place(data, file, ("accounts", name, "policy"))
        for number, choice in enumerate(one.policies):
            choice._place = _place(data, file, ("accounts", name, "policies", number, "when"))


def _place(data: Any, file: str, path: tuple[str | int, ...]) -> str:
    line, column = locate(data, path)
    return f"{file}:{line}:{column}"


def _expand(data: Any, file: str) -> Iterator[Problem]:
    """Put environment variables in for `${NAME}`, so that secrets need not be in the file."""
    if not isinstance(data, dict | list):
        return
    places = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in list(places):
        if isinstance(value, dict | list):
            yield from _expand(value, file)
        elif isinstance(value, str):
            line, column = locate(data, [key])
            for name in MARKED.findall(value):
                if name not in os.environ:
                    message = (
                        f"the environment variable {name} is not set; "
                        f"set it, for example: export {name}=…"
                    )
                    yield Problem(file=file, line=line, column=column, grade="E", message=message)
            data[key] = MARKED.sub(lambda found: os.environ.get(found[1], ""), value)


def _is_loopback(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or parts.username or parts.hostname is None:
        return False
    if parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        return False
