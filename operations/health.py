"""Tells a supervisor whether the process lives, and whether it can do its work."""

import structlog
from flask import Blueprint, Response, jsonify

from connector.errors import StoreError
from connector.store.database import Database, now
from connector.store.migrate import is_current
from operations.standing import HEARTBEAT_MAX_AGE, latest_heartbeat

_log = structlog.get_logger("health")


def blueprint(database: Database, heartbeat_max_age: float = HEARTBEAT_MAX_AGE) -> Blueprint:
    """The routes `/healthz` and `/readyz`; a worker is dead after `heartbeat_max_age` seconds."""
    made = Blueprint("health", __name__)

    @made.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="ok")

    @made.get("/readyz")
    def readyz() -> Response:
        reasons = _reasons(database, heartbeat_max_age)
        answer = jsonify(status="not ready" if reasons else "ready", reasons=reasons)
        answer.status_code = 503 if reasons else 200
        return answer

    return made


def _reasons(database: Database, heartbeat_max_age: float) -> list[str]:
    """Why it is not ready; nothing when it is. Who asks is not known, so details go to the log."""
    try:
        if not is_current(database):
            return ["the database's tables are of another version; start deskclock to migrate them"]
        age = _heartbeat_age(database)
    except StoreError as error:
        _log.warning("not ready", reason=str(error))
        return ["the database refuses; the log says why"]
    if age is None:
        return ["no worker has started yet; start one with: deskclock worker"]
    if age > heartbeat_max_age:
        return [f"the worker was last heard of {age:.0f} s ago; start it again"]
    return []


def _heartbeat_age(database: Database) -> float | None:
    """Seconds since the latest sign of life of any worker; None when there was none."""
    with database.read() as conn:
        latest = latest_heartbeat(conn)
        return None if latest is None else now(conn) - latest
