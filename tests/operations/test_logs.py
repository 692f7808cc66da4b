"""Log lines are one form for all libraries, and hold no secrets."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from operations.logs import HIDDEN, configure, redact


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_our_lines_and_those_of_libraries_are_json_of_the_same_form() -> None:
    out = io.StringIO()
    configure("json", "info", out)
    structlog.get_logger("ours").info("written", ticket="1")
    logging.getLogger("theirs").warning("slow: %s", "1 s")
    found = [(line["logger"], line["level"], line["event"]) for line in lines(out)]
    expected = [("ours", "info", "written"), ("theirs", "warning", "slow: 1 s")]
    assert expected == found
    assert all(line["timestamp"].endswith("Z") for line in lines(out))


def test_a_console_line_is_readable() -> None:
    out = io.StringIO()
    configure("console", "info", out)
    structlog.get_logger("ours").info("written", ticket="1")
    assert all(part in out.getvalue() for part in ("info", "written", "ticket=1"))


def test_lines_below_the_level_are_left_out() -> None:
    out = io.StringIO()
    configure("json", "warning", out)
    structlog.get_logger("ours").info("written")
    logging.getLogger("theirs").info("written")
    assert out.getvalue() == ""


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_shows_no_local_variables(form: Any) -> None:
    out = io.StringIO()
    configure(form, "info", out)
    try:
        hidden = "sesame"
        raise ValueError(len(hidden))
    except ValueError:
        structlog.get_logger("ours").exception("failed")
    assert ("ValueError: 6" in out.getvalue(), "'sesame'" in out.getvalue()) == (True, False)


@pytest.mark.parametrize(
    "name",
    [
        "api_key",
        "apiKey",
        "client_secret",
        "access_token",
        "Authorization",
        "password",
        "x-zendesk-webhook-signature",
        "set_cookie",
        "body",
    ],
)
def test_what_looks_like_a_secret_is_hidden(name: str) -> None:
    assert {name: HIDDEN} == redact(None, "info", {name: "sesame"})


def test_secrets_are_hidden_at_any_depth_and_in_addresses() -> None:
    event = {
        "request": {"headers": [{"Authorization": "sesame"}, {"Accept": "json"}]},
        "url": "cannot reach postgresql://us:sesame@host/name?x=1",
        "ticket": "35436",
        "secret": None,
    }
    expected = {
        "request": {"headers": [{"Authorization": HIDDEN}, {"Accept": "json"}]},
        "url": f"cannot reach postgresql://us:{HIDDEN}@host/name?x=1",
        "ticket": "35436",
        "secret": None,
    }
    assert expected == redact(None, "info", event)
