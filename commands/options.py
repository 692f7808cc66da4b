"""The options that several commands share, and the settings they lead to."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import click

from connector.settings import Settings, load_settings
from operations import logs
from operations.hidden import secrets_in

LAST_YEAR = 2100  # of those for which calendars are computed


class _TextId(click.ParamType[str]):
    """A name or an id as the database can hold it: UTF-8, and not blank."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value.strip():
            self.fail("it is empty", param, ctx)
        return as_utf8(value)


TEXT_ID = _TextId()

DATA_DIR = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the database, keys and locks live (default: .deskclock).",
)
CONFIG = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file that holds the accounts (default: deskclock.yaml).",
)
PORT = click.option("--port", type=click.IntRange(1, 65535), help="Port of the web process.")


def as_utf8(value: str) -> str:
    """The text of an argument. Raises `click.BadParameter` where its bytes are no UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise click.BadParameter(f"{value!a} is no UTF-8 text; type it again") from None
    return value


def process_settings(**given: object) -> Settings:
    """The settings of this process, with logging set up by them. Raises `SettingsError`."""
    settings = load_settings(**given)
    logs.hide(secrets_in(settings))
    logs.configure(settings.log_format, settings.log_level)
    return settings


def instant(_context: object, _parameter: object, value: str | None) -> datetime | None:
    """The instant of an option, UTC; for click."""
    if value is None:
        return None
    with suppress(ValueError, OverflowError):
        found = datetime.fromisoformat(value)
        if found.tzinfo is not None and 1970 <= (at := found.astimezone(UTC)).year <= LAST_YEAR:
            return at
    raise click.BadParameter(
        f"'{value}' is no instant from 1970 to {LAST_YEAR}; write it with its offset, such as "
        "2026-03-06T17:45:00Z"
    )
