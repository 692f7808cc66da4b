"""What the README says is what happens."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from commands import deskclock
from connector.settings import Settings
from connector.store.tables import metadata
from mappings.document import policy_form
from mappings.document.contract import ContractDocument
from mappings.document.policy_form import CalendarDocument, PolicyDocument
from mappings.document.reading import Document

ROOT = Path(__file__).parents[1]
PARTS = [
    one
    for one in vars(policy_form).values()
    if isinstance(one, type) and issubclass(one, Document) and one is not Document
]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("connector/helpdesks/*/README.md"),
    ]
)


def _worked_command() -> list[str]:
    block = re.search(r"    deskclock (evaluate (?:.*\\\n)*.*)\n", README)
    assert block is not None
    words = block[1].replace("\\\n", " ").split()
    return [str(ROOT / word) if word.startswith("docs/") else word for word in words]


def _shown() -> list[str]:
    text = README.split("held equal by a test -->")[1].split("<!-- end of the explanation -->")[0]
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def test_the_worked_ticket_of_the_readme_is_what_the_command_prints() -> None:
    ran = CliRunner().invoke(deskclock, _worked_command())
    answer = json.loads(ran.stdout)
    expected = [f"{one['metric']} {one['state']} due {one['due_at']}" for one in answer["metrics"]]
    expected += [one["text"] for one in answer["explanation"]]

    assert _shown() == expected


EXPLAINED = (
    (ROOT / "docs/policies.md").read_text(encoding="utf-8").split("<!-- explanations -->")[1]
)
EXPLANATIONS = re.findall(
    r"^    deskclock ((?:.*\\\n)*.*)\n\n```text\n([\s\S]*?)\n```", EXPLAINED, re.MULTILINE
)


def test_three_explanations_are_shown() -> None:
    assert len(EXPLANATIONS) == 3


@pytest.mark.parametrize(("command", "shown"), EXPLANATIONS, ids=range(len(EXPLANATIONS)))
def test_the_explanations_of_the_page_are_what_the_command_prints(command: str, shown: str) -> None:
    words = command.replace("\\\n", " ").split()
    ran = CliRunner().invoke(
        deskclock, [str(ROOT / w) if w.startswith("docs/") else w for w in words]
    )
    answer = json.loads(ran.stdout)
    expected = [f"{one['metric']} {one['state']} due {one['due_at']}" for one in answer["metrics"]]
    expected += [one["text"] for one in answer["explanation"]]

    assert [" ".join(line.split()) for line in shown.splitlines() if line] == expected


def test_every_key_of_a_policy_and_of_a_contract_is_documented() -> None:
    page = (ROOT / "docs/policies.md").read_text(encoding="utf-8")
    forms = [PolicyDocument, ContractDocument, CalendarDocument, *PARTS]
    names = {(field.alias or name) for form in forms for name, field in form.model_fields.items()}

    assert sorted(name for name in names if name not in page) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]

    assert [link for link in local if not (page.parent / link).exists()] == []


def test_every_table_and_every_setting_of_retention_is_on_the_page_about_data() -> None:
    page = (ROOT / "docs/data.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z_]+)` \| \S.* \| \S.* \|$", page, re.MULTILINE)
    settings = {f"DESKCLOCK_{name.upper()}" for name in Settings.model_fields if "keep_" in name}

    assert sorted(rows) == sorted(metadata.tables)
    assert set(re.findall(r"DESKCLOCK_KEEP_[A-Z_]+", page)) == settings


def test_every_command_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"`deskclock ([a-z-]+)", README))

    assert named - set(deskclock.commands) == set()


def test_every_make_target_that_a_page_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"make ([a-z]+)\b", page.read_text())}

    assert {name for name in named if f"`make {name}" in README} - targets == set()
