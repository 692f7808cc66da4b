"""The helpdesks that deskclock knows: one folder each, found and not registered."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from datetime import datetime
from types import ModuleType
from typing import Any, Protocol, cast

from connector.errors import SettingsError
from connector.helpdesks.base import Helpdesk
from connector.settings import AccountSettings
from mappings.field_mapping import FieldMapping
from mappings.ticket import Ticket


class Translator(Protocol):
    """Reads the vendor's JSON without network; each ticket that is none raises `MappingError`."""

    def __call__(
        self,
        document: Any,
        mapping: FieldMapping,
        *,
        own_user_id: str | None = None,
        robots: frozenset[str] = frozenset(),
    ) -> Iterator[Ticket]: ...


def available() -> tuple[str, ...]:
    """The kinds of helpdesk there are, sorted."""
    return tuple(sorted(found.name for found in pkgutil.iter_modules(__path__) if found.ispkg))


def open_helpdesk(
    account: AccountSettings,
    mapping: FieldMapping,
    *,
    now: Callable[[], datetime] | None = None,
) -> Helpdesk:
    """The helpdesk of an account; makes no call. Raises `SettingsError`.

    `now` is the wall clock, for the age of deliveries and for what they observe.
    """
    return cast(Helpdesk, _folder(account.helpdesk).connect(account, mapping, now=now))


def translator(kind: str) -> Translator:
    """What reads the JSON of a kind of helpdesk. Raises `SettingsError`."""
    folder = _folder(kind)
    return cast(Translator, importlib.import_module(f"{folder.__name__}.translate").tickets)


def _folder(kind: str) -> ModuleType:
    if kind not in available():
        raise SettingsError(
            f"there is no helpdesk '{kind}'; available are {', '.join(available())}"
        )
    return importlib.import_module(f"{__name__}.{kind}")
