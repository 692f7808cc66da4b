"""Sets up logging: one line per event, for a console or as JSON, without secrets."""

import logging
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TextIO

import structlog
from structlog.types import EventDict, Processor

from operations import requests
from operations.hidden import forms

HIDDEN = "[hidden]"
_SECRET = re.compile(
    r"secret|token|passw|authorization|signature|cookie|credential|api_?key|^(body|key)$", re.I
)
_IN_URL = re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+(?=@)")
_IN_QUERY = re.compile(
    r"([?&][^=&\s\"']*(?:secret|token|passw|signature|key|code|auth)[^=&\s\"']*=)[^&\s\"'#]+", re.I
)
_PROOF = re.compile(  # "Basic support" is no proof
    r"\b((?i:Bearer)|(?i:Basic)(?=\s+\S*[A-Z0-9=]))\s+[A-Za-z0-9._~+/-]{6,}=*"
)

_secrets: set[str] = set()
_hidden: tuple[str, ...] = ()


def hide(secrets: Iterable[str]) -> None:
    """From now on no line of this process shows any of these values."""
    global _hidden
    _secrets.update(secrets)
    _hidden = forms(_secrets)


def configure(form: Literal["console", "json"], level: str, stream: TextIO | None = None) -> None:
    """Send all log lines, also those of libraries, to `stream` (standard error when None).

    `level` is debug, info, warning or error.
    """
    shared: list[Processor] = [
        requests.named,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    target = stream or sys.stderr
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=_finish(form, target.isatty())
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells each step of each start
    logging.getLogger("urllib3").setLevel(logging.WARNING)  # it tells whole addresses: secrets


def _finish(form: Literal["console", "json"], colors: bool) -> list[Processor]:
    """From an event to its text. Tracebacks show no local variables: they may hold secrets."""
    render: list[Processor] = [structlog.processors.JSONRenderer(ensure_ascii=False)]
    if form == "console":
        render = [structlog.dev.ConsoleRenderer(colors=colors)]
    return [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        redact,
        *render,
        _without_secrets,
    ]


def _without_secrets(_logger: object, _method: str, line: Any) -> str:
    """The last step: whatever wrote the line, a secret of the settings does not leave with it."""
    text = str(line)
    for one in _hidden:
        if one in text:
            text = text.replace(one, HIDDEN)
    return text


def redact(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Hide what looks like a secret: by its key, at any depth, and in addresses and headers."""
    return {name: _clean(name, value) for name, value in event.items()}


def _without_proofs(text: str) -> str:
    text = _IN_URL.sub(r"\1:" + HIDDEN, text)
    return _PROOF.sub(r"\1 " + HIDDEN, _IN_QUERY.sub(r"\1" + HIDDEN, text))


def _clean(name: str, value: Any) -> Any:
    if _SECRET.search(name) and value is not None:
        return HIDDEN
    if isinstance(value, str):
        return _without_proofs(value)
    if isinstance(value, Mapping):
        return {key: _clean(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean("", inner) for inner in value]
    return value
