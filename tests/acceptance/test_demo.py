"""The promise of the README: `make run`, a ticket in the page, its dates and tags arrive."""

import json
import urllib.request

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.conftest import Demo

pytestmark = pytest.mark.browser
PATIENCE = 20_000  # milliseconds; generous, since nothing here is about speed


@pytest.fixture
def console(page: Page) -> list[str]:
    """What the browser complains about."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


def _create(page: Page, url: str, subject: str, priority: str) -> None:
    page.goto(f"{url}/")
    page.get_by_text("New ticket").first.click()
    page.get_by_label("Subject").fill(subject)
    page.get_by_label("Priority").select_option(label=priority)
    page.get_by_role("button", name="Create").click()


def _move_clock(url: str, seconds: int) -> None:
    body = json.dumps({"advance_seconds": seconds}).encode()
    request = urllib.request.Request(
        f"{url}/_sandbox/clock", data=body, headers={"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=5).close()


@pytest.mark.parametrize("helpdesk", ["zendesk", "freshdesk"])
def test_a_ticket_of_the_page_receives_its_dates_and_tags(
    demo: Demo, page: Page, console: list[str], helpdesk: str
) -> None:
    url = getattr(demo, helpdesk)
    subject = f"Exports stop halfway ({helpdesk})"
    _create(page, url, subject, "High")
    body, tags = page.locator("body"), page.locator("dt:text-is('Tags') + dd")
    expect(tags).to_contain_text("sla_sev_high", timeout=PATIENCE)
    expect(body).to_contain_text("first response due", timeout=PATIENCE)

    page.get_by_label("Priority").select_option(label="Urgent")
    page.get_by_role("button", name="Save").click()
    expect(tags).to_contain_text("sla_sev_critical", timeout=PATIENCE)
    expect(tags).not_to_contain_text("sla_sev_high", timeout=PATIENCE)

    page.locator("textarea").first.fill("We are looking into it.")
    page.get_by_role("button", name="Reply as agent").click()
    expect(body).to_contain_text("first response met", timeout=PATIENCE)

    _move_clock(url, 2 * 3600)
    expect(tags).to_contain_text("sla_next_update_breached", timeout=PATIENCE)

    assert console == []


def test_ctrl_c_stops_everything_and_a_new_start_goes_on(demo: Demo, page: Page) -> None:
    _create(page, demo.zendesk, "Still here after a restart", "Normal")
    expect(page.locator("body")).to_contain_text("sla_sev_medium", timeout=PATIENCE)

    assert demo.stop() == 0
    assert "Fatal" not in demo.output()
    assert "Traceback" not in demo.output()
    assert not any(map(demo.answers, (demo.zendesk, demo.freshdesk)))

    (demo.data_dir / "out.log").write_text("")
    demo.start()
    page.goto(f"{demo.zendesk}/")
    expect(page.locator("body")).to_contain_text("Still here after a restart", timeout=PATIENCE)
    _create(page, demo.zendesk, "And a new one", "Low")
    expect(page.locator("body")).to_contain_text("sla_sev_low", timeout=PATIENCE)
