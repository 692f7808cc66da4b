"""`deskclock sandbox`: one local helpdesk."""

import re
from pathlib import Path
from typing import Any

import click

from commands.options import DATA_DIR
from commands.supervised import end_with_parent
from connector.settings import load_settings
from sandbox.application import Settings
from sandbox.errors import SettingError
from sandbox.server import run

PORTS = {"zendesk": 8081, "freshdesk": 8082}


def _seconds(_context: object, _parameter: object, value: str) -> float:
    """A length of time such as 2s, 200ms or 1m, in seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m)?", value.strip())
    if found is None:
        raise click.BadParameter(f"'{value}' is no length of time; write 200ms, 2s or 1m")
    return float(found[1]) * {"ms": 0.001, "m": 60.0}.get(found[2] or "s", 1.0)


@click.command()
@click.option("--helpdesk", type=click.Choice(sorted(PORTS)), required=True)
@click.option("--port", type=click.IntRange(1, 65535), help="Default: 8081 or 8082.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the ready-made data.")
@click.option("--tickets", type=click.IntRange(0), default=24, show_default=True)
@click.option("--faults", default="", help='Such as "latency=50ms,429=0.05,slow=0.02".')
@click.option("--plan", default="unlimited", show_default=True, help="The vendor's rate limits.")
@click.option("--minute", default="60s", callback=_seconds, help="Length of a limit's minute.")
@click.option(
    "--windows",
    type=click.Choice(["fixed", "aligned", "sliding"]),
    default="fixed",
    show_default=True,
    help="How that minute is counted.",
)
@click.option("--job", default="200ms", callback=_seconds, help="How long a bulk job takes.")
@click.option("--fresh", is_flag=True, help="Forget the tickets of earlier runs.")
@click.option("--webhook", help="Address that is told of every change.")
@click.option(
    "--webhook-secret",
    envvar="DESKCLOCK_SANDBOX_WEBHOOK_SECRET",
    help="What signs those deliveries; better given in the environment.",
)
@DATA_DIR
def sandbox(
    helpdesk: str, port: int | None, webhook: str | None, webhook_secret: str | None,
    minute: float, job: float, data_dir: Path | None, **rest: Any,
) -> None:  # fmt: skip
    """Run a local Zendesk or Freshdesk, to try deskclock without an account."""
    end_with_parent()
    told: list[dict[str, str]] = []
    if webhook:
        told.append({"url": webhook, "secret": webhook_secret or ""})
    try:
        settings = Settings(
            helpdesk=helpdesk,
            data_dir=data_dir or load_settings().data_dir,
            minute_seconds=minute,
            job_seconds=job,
            webhooks=told,
            **rest,
        )
    except SettingError as error:
        raise click.UsageError(str(error)) from None
    run(settings, port or PORTS[helpdesk])
