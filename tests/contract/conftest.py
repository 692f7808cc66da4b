"""Both local helpdesks, driven once through all their routes, and the vendors' documents."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract import freshdesk_calls, zendesk_calls
from tests.contract.driving import Driver
from tests.contract.openapi import Description
from tests.contract.recording import Driven, driven

BESIDE = Path(__file__).parents[3] / "shared" / "vendor"
SPECS = Path(os.environ.get("DESKCLOCK_VENDOR_SPECS", BESIDE))
# fixture -> the file that it reads
DOCUMENTS = {
    "zendesk_document": "zendesk-openapi.yaml",
    "freshdesk_document": "freshdesk-openapi-unofficial.yaml",
}
REPORT = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def driven_zendesk() -> Iterator[Driven]:
    """A local Zendesk after sensible requests to every route."""
    with driven("zendesk", tickets=12, job_seconds=0.01) as desk:
        Driver(desk).drive(zendesk_calls.CALLS)
        yield desk


@pytest.fixture(scope="session")
def driven_freshdesk() -> Iterator[Driven]:
    """A local Freshdesk after sensible requests to every route."""
    with driven("freshdesk", tickets=12) as desk:
        Driver(desk).drive(freshdesk_calls.CALLS)
        yield desk


@pytest.fixture(scope="session")
def zendesk_document() -> Description:
    """Zendesk's own OpenAPI document."""
    return Description(SPECS / DOCUMENTS["zendesk_document"])


@pytest.fixture(scope="session")
def freshdesk_document() -> Description:
    """An unofficial OpenAPI document of Freshdesk: a hint."""
    return Description(SPECS / DOCUMENTS["freshdesk_document"], prefix="/api/v2")


@pytest.fixture
def told(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Puts a line into the report at the end of the run (shown with -v)."""
    return request.config.stash.setdefault(REPORT, []).append


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """With -v, show what the checks found but allow."""
    lines = config.stash.get(REPORT, [])
    if lines and config.get_verbosity() > 0:
        terminalreporter.section("differences from the vendors' documents")
        for line in lines:
            terminalreporter.line(line)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The vendors' documents are not ours to ship: what needs one that is not there is left out."""
    out = [
        item
        for item in items
        if any(
            fixture in getattr(item, "fixturenames", ()) and not (SPECS / name).is_file()
            for fixture, name in DOCUMENTS.items()
        )
    ]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]
