"""What receiving webhooks is compared with: Flask routes that store nothing, served alike.

python -m benchmarks.peers PORT
"""

import base64
import hashlib
import hmac
import json
import sys

from flask import Flask, Response, jsonify, request
from gunicorn.app.base import BaseApplication

from benchmarks.stage import SECRET
from commands.serve import gunicorn_options
from connector.settings import Settings


def create_peers() -> Flask:
    """`GET /hello` answers; `POST /check` reads the body, checks the signature, parses the JSON."""
    app = Flask("peers")

    @app.get("/hello")
    def hello() -> str:
        return "hello"

    @app.post("/check")
    def check() -> tuple[Response, int]:
        body = request.get_data()
        stamp = request.headers["X-Zendesk-Webhook-Signature-Timestamp"].encode()
        digest = hmac.new(SECRET.encode(), stamp + body, hashlib.sha256).digest()
        given = request.headers["X-Zendesk-Webhook-Signature"].encode()
        if not hmac.compare_digest(base64.b64encode(digest), given):
            return jsonify(error="not verified"), 401
        event = json.loads(body)
        return jsonify(status="accepted", about=event["detail"]["id"]), 202

    return app


class _Gunicorn(BaseApplication):  # type: ignore[misc]
    """gunicorn with exactly the settings of the web process."""

    def __init__(self, port: int) -> None:
        self._port = port
        super().__init__()

    def load_config(self) -> None:
        for name, value in gunicorn_options(Settings(port=self._port)).items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return create_peers()


if __name__ == "__main__":
    _Gunicorn(int(sys.argv[1])).run()
