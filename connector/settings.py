"""Everything that can be configured: `DESKCLOCK_*` settings and the accounts of deskclock.yaml."""

import ipaddress
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from connector.errors import SettingsError
from mappings.document.reading import (
    Document,
    DocumentError,
    Problem,
    locate,
    parse_yaml,
    validate,
)
from mappings.document.zones import zone_named

ACCOUNT_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
MARKED = re.compile("\ue000([^\ue001]*)\ue001")
PREFIX = re.compile(r"[a-z][a-z0-9]{0,15}_")


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
    #: the file that holds the accounts
    config: Path = DEFAULT_CONFIG
    #: interface of the web process
    host: str = "127.0.0.1"
    #: port of the web process
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    #: what the vendors call; empty: the host and port above
    public_url: str = ""
    #: threads of the web process
    web_threads: Annotated[int, Field(ge=1, le=256)] = 16
    #: the largest body that a webhook may have, in bytes
    webhook_max_bytes: Annotated[int, Field(ge=1024)] = 1_048_576
    #: accounts that one worker drains at the same time
    worker_threads: Annotated[int, Field(ge=1, le=64)] = 4
    #: pause between two looks for due tickets, in seconds
    poll_seconds: Annotated[float, Field(gt=0, le=10)] = 0.05
    #: how often an idle account's clock is compared with ours, in seconds
    clock_check_seconds: Annotated[float, Field(ge=0.5)] = 60.0
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

    @property
    def database(self) -> str:
        """The SQLAlchemy address that is used."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'deskclock.sqlite3'}"


class SignIn(Document):
    """How we sign in: exactly one of the three ways."""

    #: Zendesk OAuth client (client credentials)
    client_id: str | None = None
    client_secret: SecretStr | None = None
    #: Zendesk API token; tokens stop working on 2027-04-30
    email: str | None = None
    api_token: SecretStr | None = None
    #: Freshdesk
    api_key: SecretStr | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "SignIn":
        ways = [
            self.client_id is not None and self.client_secret is not None,
            self.email is not None and self.api_token is not None,
            self.api_key is not None,
        ]
        given = self.model_fields_set
        if sum(ways) != 1 or len(given) != (1 if self.api_key else 2):
            raise ValueError(
                "give client_id and client_secret, or email and api_token (Zendesk), "
                "or api_key (Freshdesk)"
            )
        return self


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


class AccountSettings(Document):
    """One account on one helpdesk."""

    name: str = ""
    helpdesk: str
    subdomain: str | None = None
    #: address of a local sandbox, loopback only
    base_url: str | None = None
    sign_in: SignIn
    webhook: Webhook = Webhook()
    policy: str
    #: IANA zone for calendars whose document names none
    time_zone: str | None = None
    mode: Literal["shadow", "own_fields", "native"] = "shadow"
    prefix: str = "sla_"
    #: field mapping file; the helpdesk's default when empty
    fields: Path | None = None
    #: ids of users that are robots: their replies are no responses
    robots: tuple[str, ...] = ()

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
        if self.mode == "native" and self.helpdesk != "freshdesk":
            raise ValueError("mode 'native' exists on Freshdesk only; use 'own_fields'")
        return self


class Accounts(Document):
    """The file deskclock.yaml."""

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
            accounts = validate(Accounts, data, str(path)).accounts
        except DocumentError as error:
            raise DocumentError([*problems, *error.problems]) from None
        if problems:
            raise DocumentError(problems)
        return accounts
    except DocumentError as error:
        raise SettingsError(str(error)) from None


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
