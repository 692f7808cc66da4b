"""The demo: two local helpdesks, and the accounts that connect deskclock to them."""

import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from connector.errors import SettingsError
from connector.runners.supervisor import Program

ACCOUNTS = {"zendesk": "demo-zendesk", "freshdesk": "demo-freshdesk"}
MODES = {"zendesk": "own_fields", "freshdesk": "native"}
SIGN_IN = {
    "zendesk": {"client_id": "sandbox", "client_secret": "sandbox"},
    "freshdesk": {"api_key": "sandbox"},
}
FILE = "demo.yaml"


def helpdesk_url(kind: str, port: int) -> str:
    """Where a demo helpdesk listens when deskclock itself is at `port`."""
    return f"http://127.0.0.1:{port + 1 + sorted(ACCOUNTS, reverse=True).index(kind)}"


def write_accounts(data_dir: Path, port: int) -> Path:
    """The accounts file of the demo; secrets are kept from one start to the next."""
    path = data_dir / FILE
    kept = _secrets(path)
    accounts = {
        name: {
            "helpdesk": kind,
            "base_url": helpdesk_url(kind, port),
            "sign_in": SIGN_IN[kind],
            "webhook": {"secrets": [kept.get(name) or secrets.token_urlsafe(32)]},
            "policy": "user-support",
            "time_zone": "Europe/London",
            "mode": MODES[kind],
        }
        for kind, name in ACCOUNTS.items()
    }
    _write(path, {"accounts": accounts})
    return path


def _write(path: Path, content: Mapping[str, Any]) -> None:
    """Replace the file as a whole: a full disk must not leave half of one, or none."""
    draft = path.with_suffix(".new")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            YAML().dump(content, file)
        draft.replace(path)
    except OSError as error:
        raise SettingsError(f"{path.absolute()} cannot be written: {error.strerror}") from None


def is_new(data_dir: Path) -> bool:
    """Whether the demo has never been started here."""
    return not (data_dir / FILE).exists()


def _secrets(path: Path) -> dict[str, str]:
    """The webhook secrets of an earlier start; none where the file cannot be read as ours."""
    try:
        found = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        rows = found["accounts"].items()
        return {name: str(row["webhook"]["secrets"][0]) for name, row in rows}
    except (
        OSError,
        YAMLError,
        UnicodeDecodeError,
        TypeError,
        KeyError,
        LookupError,
        AttributeError,
    ):
        return {}


def helpdesks(data_dir: Path, port: int, environment: Mapping[str, str]) -> list[Program]:
    """The two local helpdesks as processes."""
    kept = _secrets(data_dir / FILE)
    return [
        Program(
            name=f"sandbox {kind}",
            command=[*deskclock(), "sandbox", *_options(kind, account, data_dir, port)],
            environment={**environment, "DESKCLOCK_SANDBOX_WEBHOOK_SECRET": kept[account]},
        )
        for kind, account in ACCOUNTS.items()
    ]


def _options(kind: str, account: str, data_dir: Path, port: int) -> list[str]:
    options = {
        "--helpdesk": kind,
        "--data-dir": str(data_dir),
        "--port": helpdesk_url(kind, port).rsplit(":", 1)[1],
        "--webhook": f"http://127.0.0.1:{port}/webhooks/{account}",
    }
    return [word for pair in options.items() for word in pair]


def deskclock() -> list[str]:
    """The `deskclock` command of this very installation."""
    return [sys.executable, "-c", "from commands import main; main()"]
