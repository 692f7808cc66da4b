"""A running `deskclock web`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.runners.site import eventually
from tests.webhooks.posting import Web

WebOpener = Callable[..., Web]


@pytest.fixture
def open_web(tmp_path: Path) -> Iterator[WebOpener]:
    """Starts it on a database, by default SQLite, and waits until it answers."""
    with ExitStack() as stack:

        def start(database_url: str = "", **environment: str) -> Web:
            web = Web(tmp_path, database_url, **environment)
            stack.callback(web.end)
            eventually("the web process answers", web.answers)
            return web

        yield start
