"""What the work at hand is about: fields of every log line of it, and a span where that is on."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from typing import Literal, ParamSpec, Protocol, TypeVar

from structlog.contextvars import bound_contextvars

P = ParamSpec("P")
T = TypeVar("T")

Kind = Literal["server", "client", "internal"]
Value = str | int


class Span(Protocol):
    """A piece of work in a trace."""

    def set_attribute(self, key: str, value: Value, /) -> None:
        """Say something of it. Never a ticket's id, nor what anybody wrote."""


class Opener(Protocol):
    """What begins spans; operations/traces.py has one for OpenTelemetry."""

    def __call__(
        self, name: str, kind: Kind, parent: str | None, attributes: Mapping[str, Value], /
    ) -> AbstractContextManager[Span]:
        """A span for as long as the context lasts; `parent` as W3C's `traceparent` has it."""


class _Nothing:
    def set_attribute(self, _key: str, _value: Value, /) -> None:
        return


_nothing: AbstractContextManager[Span] = nullcontext(_Nothing())
_open: Opener | None = None


def switch(opener: Opener | None) -> None:
    """Let `opener` begin the spans of this process; None: there are none."""
    global _open
    _open = opener


def is_on() -> bool:
    """Whether there are spans."""
    return _open is not None


def span(
    name: str, kind: Kind = "internal", *, parent: str | None = None, **attributes: Value
) -> AbstractContextManager[Span]:
    """A span while the context lasts; costs next to nothing where tracing is off."""
    if _open is None:
        return _nothing
    return _open(name, kind, parent, {key.replace("__", "."): it for key, it in attributes.items()})


def about(**fields: str) -> AbstractContextManager[None]:
    """Every log line of this context and of the `Threads` it uses carries these fields."""
    return bound_contextvars(**fields)


class Threads(ThreadPoolExecutor):
    """A pool whose threads go on with the log fields and the span of whoever asked them."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """As in the base class; `map` comes here too."""
        context = copy_context()
        return super().submit(lambda: context.run(fn, *args, **kwargs))
