"""What a served app was asked and what it answered, kept for the checks."""

import io
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests

from sandbox.application import create_sandbox
from sandbox.server import serving

LOGINS = {"zendesk": ("agent@sandbox.test/token", "sandbox"), "freshdesk": ("sandbox", "X")}


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    """One request and its answer. `rule` is the route with `{}` for each part that varies.

    Bodies are JSON where they can be read as such, else text; empty ones are None.
    """

    method: str
    rule: str
    query: str
    asked: Any
    status: int
    content_type: str
    answered: Any

    @property
    def name(self) -> str:
        """Method and route without the part that all have in common."""
        return f"{self.method} {self.rule.removeprefix('/api/v2')}"


class Recorder:
    """Stands before a Flask app and keeps what passes through."""

    def __init__(self, app: Any) -> None:
        self.exchanges: list[Exchange] = []
        self._routes = app.url_map.bind("")
        self._inner = app.wsgi_app
        app.wsgi_app = self

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        asked = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(asked)
        seen: dict[str, Any] = {}

        def note(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            seen["status"], seen["headers"] = int(status[:3]), dict(headers)
            return start(status, headers, *rest)

        path = environ["PATH_INFO"]
        answer = self._inner(environ, note)
        body = b"".join(answer)
        getattr(answer, "close", lambda: None)()
        if path.startswith(("/api/", "/oauth/")):
            self.exchanges.append(
                Exchange(
                    method=environ["REQUEST_METHOD"],
                    rule=self._rule(path, environ["REQUEST_METHOD"]),
                    query=environ.get("QUERY_STRING", ""),
                    asked=_read(asked),
                    status=seen["status"],
                    content_type=seen["headers"].get("Content-Type", ""),
                    answered=_read(body),
                )
            )
        return [body]

    def _rule(self, path: str, method: str) -> str:
        try:
            rule, _ = self._routes.match(path.removesuffix(".json"), method, return_rule=True)
        except Exception:
            return "(none)"
        return general(rule.rule)


def general(path: str) -> str:
    """A route or a path of an OpenAPI document with `{}` for each part that varies."""
    parts = path.split("/")
    return "/".join("{}" if part[:1] in ("<", "{") else part for part in parts)


def _read(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body.decode(errors="replace")


class Driven:
    """A local helpdesk that is called over HTTP while everything is recorded."""

    def __init__(self, kind: str, url: str, app: Any) -> None:
        self.kind, self.url, self.app = kind, url, app
        self.recorder = Recorder(app)
        self.session = requests.Session()
        self.session.trust_env = False

    def call(self, method: str, path: str, body: Any = None, **named: Any) -> requests.Response:
        """Ask the API, signed in unless told otherwise."""
        options = {"auth": LOGINS[self.kind], "allow_redirects": False} | named
        return self.session.request(method, self.url + path, json=body, timeout=30, **options)

    def control(self, path: str, body: Any) -> Any:
        """Use the sandbox's controls."""
        answer = self.session.post(f"{self.url}/_sandbox/{path}", json=body, timeout=30)
        assert answer.status_code < 300, answer.text
        return answer.json()


@contextmanager
def driven(kind: str, **settings: Any) -> Iterator[Driven]:
    """A local helpdesk that is served and recorded."""
    with serving(create_sandbox(kind, **settings)) as served:
        one = Driven(kind, served.url, served.app)
        yield one
        one.session.close()
