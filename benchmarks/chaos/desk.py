"""A local helpdesk that keeps a record of all that happens to its tickets, and by whose hand.

python -m benchmarks.chaos.desk --help
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click
from flask import g, has_request_context, request

from sandbox import deliveries, server
from sandbox.application import Settings
from sandbox.freshdesk.writer import Writer as FreshdeskWriter
from sandbox.state import Doc, State
from sandbox.zendesk.jobs import Jobs
from sandbox.zendesk.writer import Writer as ZendeskWriter

# what of a ticket deskclock writes, and the messages among which its notes are
OURS = ("_values", "custom_fields", "tags", "due_by", "fr_due_by")
MESSAGES = ("comment", "conversation")
DELIVERIES_KEPT = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Deed:
    """Something that was done to a ticket. Instants are epoch seconds of this machine."""

    ticket: int
    #: done through the API, and so by deskclock; otherwise people did it
    by_api: bool
    #: when the call came that asked for it, and when it stood in the ticket
    asked_at: float
    done_at: float
    #: whether the ticket was otherwise before, in what deskclock writes
    changed: bool
    #: whether the answer was spoilt or lost, so that who asked does not know the outcome
    spoilt: bool
    #: what deskclock writes, as it stood afterwards, and how many messages there were
    standing: str


class Record:
    """The file that holds all deeds, a line each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._jobs: dict[int, tuple[float, bool]] = {}

    def install(self) -> None:
        """Have every change of a ticket noted. To be called before the helpdesk is started."""
        for kind in (ZendeskWriter, FreshdeskWriter):
            kind.change = self._noting(kind.change)  # type: ignore[method-assign]
        FreshdeskWriter.add = self._noting(FreshdeskWriter.add)  # type: ignore[method-assign]
        queue = Jobs.queue

        @wraps(queue)
        def remember(jobs: Jobs, job_type: str, work: Mapping[str, Any], total: int) -> Doc:
            for row in work.get("rows", ()):
                self._jobs[int(row["id"])] = _call()
            return queue(jobs, job_type, work, total)

        Jobs.queue = remember  # type: ignore[assignment,method-assign]

    def _noting(self, change: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(change)
        def noted(writer: Any, ticket_id: int, *arguments: Any, **named: Any) -> Any:
            state = writer._core.state
            with state.writing():
                before = _standing(state, ticket_id)
                answer = change(writer, ticket_id, *arguments, **named)
                after = _standing(state, ticket_id)
                in_job = not has_request_context()
                asked_at, spoilt = self._jobs[ticket_id] if in_job else _call()
                deed = Deed(
                    ticket=ticket_id,
                    by_api=in_job or request.path.startswith("/api/"),
                    asked_at=asked_at,
                    done_at=time.time(),
                    changed=before != after,
                    spoilt=spoilt,
                    standing=after,
                )
                state.after_commit(lambda: self._write(deed))
            return answer

        return noted

    def _write(self, deed: Deed) -> None:
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(deed)) + "\n")


def read_record(path: Path) -> list[Deed]:
    """All deeds in the order in which they were done."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Deed(**json.loads(line)) for line in lines]


def _call() -> tuple[float, bool]:
    """When the call of this thread came, and whether its answer will be spoilt."""
    return time.time() - (time.monotonic() - g.started), g.get("strike") is not None


def _standing(state: State, ticket_id: int) -> str:
    ticket = state.get("ticket", ticket_id) or {}
    written: Doc = {name: ticket[name] for name in OURS if name in ticket}
    written |= {kind: state.count_children(kind, ticket_id) for kind in MESSAGES}
    return json.dumps(written, sort_keys=True)


@click.command()
@click.option("--helpdesk", type=click.Choice(["zendesk", "freshdesk"]), required=True)
@click.option("--port", type=int, required=True)
@click.option("--folder", type=click.Path(path_type=Path), required=True)
@click.option("--record", type=click.Path(path_type=Path), required=True)
@click.option("--seed", type=int, required=True)
@click.option("--minute", type=float, required=True, help="Length of a minute, seconds.")
@click.option("--webhook", required=True)
@click.option("--secret", envvar="CHAOS_SECRET", required=True)
def main(
    helpdesk: str, port: int, folder: Path, record: Path, seed: int, minute: float, webhook: str,
    secret: str,
) -> None:  # fmt: skip
    """Run a local helpdesk without limits and tickets."""
    Record(record).install()
    deliveries._KEPT = DELIVERIES_KEPT
    settings = Settings(
        helpdesk=helpdesk,
        data_dir=folder,
        seed=seed,
        tickets=0,
        minute_seconds=minute,
        webhooks=[{"url": webhook, "secret": secret}],
    )
    server.run(settings, port)


if __name__ == "__main__":
    main()
