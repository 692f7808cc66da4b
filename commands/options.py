"""The options that several commands share, and the settings they lead to."""

from pathlib import Path

import click

from connector.settings import Settings, load_settings
from operations import logs

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


def process_settings(**given: object) -> Settings:
    """The settings of this process, with logging set up by them. Raises `SettingsError`."""
    settings = load_settings(**given)
    logs.configure(settings.log_format, settings.log_level)
    return settings
