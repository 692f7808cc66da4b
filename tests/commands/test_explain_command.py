"""The `explain` command: the answer of the running connector, read from the helpdesk itself."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner, Result
from ruamel.yaml import YAML
from sqlalchemy import func, select

from app import create_worker
from commands import deskclock
from connector.settings import Settings
from connector.store import tables
from connector.store.database import Database
from connector.store.documents import find_policy
from sandbox.application import Settings as Helpdesk
from sandbox.application import build
from sandbox.server import serving


class Office:
    """A local Freshdesk with a ticket, an account there, and a policy of our own."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.settings = Settings(data_dir=folder, config=folder / "deskclock.yaml")
        self.policies = folder / "policies"
        self.policies.mkdir()
        self.write("8h")
        account: dict[str, Any] = {
            "helpdesk": "freshdesk",
            "base_url": url,
            "sign_in": {"api_key": "sandbox"},
            "webhook": {"secrets": ["quiet"]},
            "policies": [
                {"when": {"priority": 4}, "policy": "user-support"},
                {"policy": "own"},
            ],
            "time_zone": "Europe/London",
            "mode": "own_fields",
        }
        YAML().dump({"accounts": {"acme": account}}, self.settings.config)
        body = {"subject": "Printer on fire", "channel": "web", "priority": "high"}
        with requests.Session() as session:
            session.trust_env = False
            made = session.post(f"{url}/_sandbox/tickets", json=body, timeout=10)
        self.ticket = str(made.json()["id"])

    def write(self, limit: str) -> None:
        source, _ = find_policy("user-support", self.folder, (), time_zone=None)
        text = source.text.replace("policy: user-support", "policy: own")
        (self.policies / "own.yaml").write_text(text.replace("limit: 8h", f"limit: {limit}"))

    def explain(self, *words: str) -> Result:
        where = ["--data-dir", str(self.folder), "--config", str(self.settings.config)]
        return CliRunner().invoke(deskclock, ["explain", "acme", self.ticket, *words, *where])


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with serving(build(Helpdesk(helpdesk="freshdesk", tickets=0))) as served:
        yield Office(tmp_path, served.url)


def test_the_dates_of_a_ticket_are_explained_in_sentences(office: Office) -> None:
    ran = office.explain()
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert "under User Support, in Europe/London" in ran.stdout
    assert "resolution (severity high) is promised within 8 hours" in ran.stdout
    assert "Tags: sla_sev_high" in ran.stdout


def test_a_changed_policy_judges_no_ticket_that_was_reported_before(office: Office) -> None:
    create_worker(office.settings)
    office.write("12h")
    answer = json.loads(office.explain("--json").stdout)
    lines = [one["text"] for one in answer["explanation"] if one["code"] == "promise"]
    assert answer["policy"]["id"] == "own"
    assert [line for line in lines if "8 hours" in line] != []
    database = Database(office.settings.database)
    with database.read() as conn:
        count = conn.scalar(select(func.count()).select_from(tables.policy_version))
    database.dispose()
    assert count == 2  # one of each policy: to ask stores nothing


def test_an_account_that_there_is_not_is_named(office: Office) -> None:
    where = ["--data-dir", str(office.folder), "--config", str(office.settings.config)]
    ran = CliRunner().invoke(deskclock, ["explain", "acne", "1", *where])
    assert (ran.exit_code, "known: acme" in ran.stderr) == (1, True)


def test_its_calls_count_in_the_budget_that_the_worker_shares(office: Office) -> None:
    assert office.explain().exit_code == 0
    database = Database(office.settings.database)
    with database.read() as conn:
        used = {row.bucket: row.used for row in conn.execute(select(tables.budget))}
    database.dispose()
    assert used["account"] >= 2  # the ticket fields and the ticket
