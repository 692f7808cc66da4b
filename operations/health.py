"""Tells a supervisor whether the process lives, and whether it can do its work."""

from collections.abc import Iterator, Sequence

import structlog
from flask import Blueprint, Response, jsonify
from sqlalchemy import Connection

from connector.errors import StoreError
from connector.store.database import Database, now
from connector.store.migrate import is_served
from operations.standing import HEARTBEAT_MAX_AGE, latest_heartbeat, starved, stuck

_log = structlog.get_logger("health")


def blueprint(
    database: Database, names: Sequence[str] = (), *, worker: str | None = None
) -> Blueprint:
    """The routes `/healthz` and `/readyz`. `names`: the accounts of the configuration.

    `worker`: the heartbeat of the one process that is asked about; None: some worker must live.
    """
    made = Blueprint("health", __name__)

    @made.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="ok")

    @made.get("/readyz")
    def readyz() -> Response:
        reasons = _reasons(database, names, worker)
        answer = jsonify(status="not ready" if reasons else "ready", reasons=reasons)
        answer.status_code = 503 if reasons else 200
        return answer

    return made


def _reasons(database: Database, names: Sequence[str], worker: str | None) -> list[str]:
    """Why it is not ready; nothing when it is. Who asks is not known, so details go to the log."""
    try:
        if not is_served(database):
            return ["the database's tables are of an older version; run: deskclock db upgrade"]
        with database.read() as conn:
            return list(_of_workers(conn, names, worker))
    except StoreError as error:
        _log.warning("not ready", reason=str(error))
        return ["the database refuses; the log says why"]


def _of_workers(conn: Connection, names: Sequence[str], worker: str | None) -> Iterator[str]:
    latest = latest_heartbeat(conn, worker)
    if latest is None:
        yield "no worker has started yet; start one with: deskclock worker"
        return
    age = now(conn) - latest
    if age > HEARTBEAT_MAX_AGE:
        yield f"the worker was last heard of {age:.0f} s ago; start it again"
        return
    still = stuck(conn, worker)
    if still:
        _log.error("not ready: a lane stands still", stuck_seconds=still)
        yield "a worker stands still, the log says where; restart it"
    waiting = starved(conn, names)
    if waiting:
        _log.error("not ready: tickets are due and nobody calls the helpdesk", accounts=waiting)
        yield "tickets are due and nobody looks at them, the log says of which account"
