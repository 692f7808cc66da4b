"""Builds the Flask app of one local helpdesk out of its settings."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from sandbox import controls, page
from sandbox.clock import Clock
from sandbox.core import Core
from sandbox.deliveries import PlainManners, Sender
from sandbox.desk import Desk
from sandbox.errors import SettingError
from sandbox.faults import FaultBox, Faults, parse_faults
from sandbox.freshdesk import application as freshdesk
from sandbox.freshdesk import gate as freshdesk_gate
from sandbox.gate import Gate, Refusals
from sandbox.limits import Limiter, Windows
from sandbox.seed import seeded_histories
from sandbox.state import State
from sandbox.traffic import Traffic
from sandbox.zendesk import application as zendesk
from sandbox.zendesk import gate as zendesk_gate


class Kind(StrEnum):
    """Which vendor a local helpdesk plays."""

    ZENDESK = "zendesk"
    FRESHDESK = "freshdesk"


_PLANS = {Kind.ZENDESK: zendesk_gate.PLANS, Kind.FRESHDESK: freshdesk_gate.PLANS}
_REFUSALS = {
    Kind.ZENDESK: Refusals(
        too_many=zendesk_gate.refuse,
        bodies={
            401: {"error": "Couldn't authenticate you"},
            403: {"error": {"title": "Forbidden", "message": "You do not have access to this"}},
        },
    ),
    Kind.FRESHDESK: Refusals(
        too_many=freshdesk_gate.refuse,
        bodies={
            401: {
                "code": "invalid_credentials",
                "message": "You have to be logged in to perform this action.",
            },
            403: {
                "code": "access_denied",
                "message": "You are not authorized to perform this action.",
            },
        },
    ),
}
# Seconds until a failed delivery is tried again, in minutes of the limits' length.
_RETRIES = {Kind.ZENDESK: (1 / 60, 5 / 60, 30 / 60), Kind.FRESHDESK: (5.0, 30.0, 60.0)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How a local helpdesk is set up. Raises SettingError for what cannot be used.

    `data_dir` None keeps everything in memory. `minute_seconds` is the length of a rate limit's
    minute, `windows` how it is counted, `job_seconds` how long a Zendesk job takes. Each webhook
    has a `url`, and may have `secret`, `headers`, `kind` and `template`.
    """

    helpdesk: str
    data_dir: Path | None = None
    seed: int = 1
    tickets: int = 24
    fresh: bool = False
    plan: str = "unlimited"
    minute_seconds: float = 60.0
    windows: str = Windows.FIXED
    job_seconds: float = 0.2
    faults: str = ""
    webhooks: Sequence[Mapping[str, Any]] = ()

    def __post_init__(self) -> None:
        """Check everything before anything is opened."""
        if self.helpdesk not in list(Kind):
            message = f"helpdesk is one of {', '.join(Kind)}, not {self.helpdesk!r}"
            raise SettingError(message)
        plans = _PLANS[self.kind]
        if self.plan not in plans:
            message = f"plan is one of {', '.join(plans)}, not {self.plan!r}"
            raise SettingError(message)
        if self.windows not in list(Windows):
            message = f"windows is one of {', '.join(Windows)}, not {self.windows!r}"
            raise SettingError(message)
        if self.minute_seconds <= 0 or self.job_seconds < 0 or self.tickets < 0:
            message = "minute_seconds must be above 0, job_seconds and tickets at least 0"
            raise SettingError(message)
        try:
            parse_faults(self.faults)
        except ValueError as error:
            raise SettingError(str(error)) from error

    @property
    def kind(self) -> Kind:
        """The vendor played."""
        return Kind(self.helpdesk)

    @property
    def file(self) -> Path | None:
        """The SQLite file, or None."""
        return self.data_dir / f"sandbox-{self.helpdesk}.sqlite3" if self.data_dir else None

    def forget(self) -> None:
        """Delete the file, so that the next start begins anew."""
        for suffix in ("", "-wal", "-shm"):
            if self.file is not None:
                self.file.with_name(self.file.name + suffix).unlink(missing_ok=True)


class Sandbox:
    """A running local helpdesk; `close` stops its threads and its file."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        if settings.data_dir is not None:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
        self.state = state = State(settings.file)
        self.clock = Clock(state.setting("clock"), lambda saved: state.remember("clock", saved))
        delays = [share * settings.minute_seconds for share in _RETRIES[settings.kind]]
        manners = PlainManners(delays)
        self.sender = Sender(state, self.clock, manners=manners, seed=settings.seed)
        self.traffic = Traffic()
        self.limiter = Limiter(settings.minute_seconds, Windows(settings.windows))
        self.faults = self._fault_box()
        self.desk: Desk

    def install(self, app: Flask) -> None:
        """Put the API of the vendor into the app, and seed a new account."""
        kind = self.settings.kind
        vendor = zendesk if kind is Kind.ZENDESK else freshdesk
        past = self.state.past
        Gate(self.clock, self.faults, self.traffic, past, _REFUSALS[kind]).install(app)
        core = Core(
            state=self.state,
            clock=self.clock,
            sender=self.sender,
            limiter=self.limiter,
            plan=self.settings.plan,
            job_seconds=self.settings.job_seconds,
        )
        new = self.state.setting("born_at") is None
        if new:
            vendor.prepare(core)
        self.desk = vendor.install(app, core)
        if new:
            self._seed()
        for config in self.settings.webhooks:
            self.desk.add_webhook(config)

    def close(self) -> None:
        """Stop."""
        self.desk.close()
        self.sender.close()
        self.state.close()

    def _seed(self) -> None:
        settings = self.settings
        histories = seeded_histories(settings.seed, settings.tickets, self.clock.now())
        with self.state.writing():
            if histories:
                self.desk.load(histories)
            self.state.remember("born_at", self.clock.stamp())

    def _fault_box(self) -> FaultBox:
        saved = self.state.setting("faults")
        faults = Faults(**saved) if saved else Faults()
        if self.settings.faults:
            faults = parse_faults(self.settings.faults)
        self.state.past.keep(faults.stale > 0)
        return FaultBox(faults, seed=self.settings.seed, save=self._keep_faults)

    def _keep_faults(self, faults: Faults) -> None:
        self.state.past.keep(faults.stale > 0)
        self.state.remember("faults", asdict(faults))


def build(settings: Settings) -> Flask:
    """The app of a local helpdesk; `app.extensions["sandbox"]` is its Sandbox."""
    if settings.fresh:
        settings.forget()
    app = Flask("sandbox", static_folder="static", root_path=str(Path(__file__).parent))
    app.json.sort_keys = False  # type: ignore[attr-defined]
    sandbox = Sandbox(settings)
    sandbox.install(app)
    app.extensions["sandbox"] = sandbox
    app.register_blueprint(page.blueprint(sandbox.desk, sandbox.clock))
    app.register_blueprint(controls.blueprint(sandbox))
    unknown = zendesk if settings.kind is Kind.ZENDESK else freshdesk
    app.register_error_handler(HTTPException, lambda error: _plain_error(error, unknown))
    if settings.kind is Kind.ZENDESK:
        app.wsgi_app = zendesk.Paths(app.wsgi_app)  # type: ignore[method-assign]
    return app


def create_sandbox(helpdesk: str, **settings: Any) -> Flask:
    """A local `zendesk` or `freshdesk`; the settings are those of `Settings`."""
    return build(Settings(helpdesk=helpdesk, **settings))


def _plain_error(error: HTTPException, vendor: Any) -> Response | HTTPException:
    if request.path.startswith("/api/") and error.code in (404, 405):
        answer: Response = vendor.unknown_endpoint()
        return answer if error.code == 404 else _not_allowed(error, vendor)
    if request.path.startswith("/_sandbox/"):
        body = json.dumps({"error": error.name, "description": error.description})
        return Response(body, status=error.code, content_type="application/json")
    return error


def _not_allowed(error: HTTPException, vendor: Any) -> Response:
    allowed = ", ".join(sorted(set(getattr(error, "valid_methods", None) or ()) - {"OPTIONS"}))
    if vendor is zendesk:
        return zendesk.not_allowed(allowed)
    text = f"{request.method} method is not allowed. It should be one of these method(s): {allowed}"
    body = json.dumps({"message": text})
    return Response(body, status=405, content_type="application/json", headers={"Allow": allowed})
