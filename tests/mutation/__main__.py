"""Knows how to ask whether the tests notice a change of the calendar arithmetic or of the clock.

Needs `pip install mutmut==3.8.1` besides the tools for development. Works on a copy of the tree."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import click

ROOT = Path(__file__).parents[2]

#: What is changed, and the tests that are expected to notice it.
AREAS = {
    "hours": (
        ["hours", "open_time", "business_days", "local_hours", "wall_clock", "instants"],
        ["test_hours", "test_hours_laws"],
    ),
    "clock": (["clock"], ["test_clock"]),
}
# mutmut leaves decorated functions alone; and what is remembered from another test hides a change.
REMEMBERED = re.compile(r"^@(?:lru_cache|cache)\b.*\n", re.MULTILINE)
MUTMUT = (sys.executable, "-m", "mutmut")
NOTICED = "killed"  # a timeout is an endless loop, or a busy machine: somebody has to read it


@click.command()
@click.argument("area", type=click.Choice(sorted(AREAS)), default="hours")
@click.option("--processes", default=2, show_default=True, help="Mutants tested at a time.")
@click.option("--into", type=click.Path(path_type=Path), help="Work, and stay, in this folder.")
def main(area: str, processes: int, into: Path | None) -> None:
    """Change AREA in every way that mutmut knows; print what no test noticed (or did not in
    good time), and the score."""
    with tempfile.TemporaryDirectory() as temporary:
        tree = into or Path(temporary)
        _copy(tree, *AREAS[area])
        subprocess.run([*MUTMUT, "run", "--max-children", str(processes)], cwd=tree, check=True)
        _report(tree)


def _copy(tree: Path, modules: list[str], tests: list[str]) -> None:
    shutil.copytree(ROOT / "mappings", tree / "mappings", dirs_exist_ok=True)
    (tree / "tests").mkdir(parents=True, exist_ok=True)
    for name in ("__init__.py", "builders.py"):
        shutil.copy(ROOT / "tests" / name, tree / "tests")
    shutil.copy(Path(__file__).with_name("profile.py"), tree / "tests" / "conftest.py")
    for test in tests:
        shutil.copy(ROOT / "tests" / "mappings" / f"{test}.py", tree / "tests")
    changed = [f"mappings/{module}.py" for module in modules]
    for path in changed:
        written = (tree / path).read_text(encoding="utf-8")
        (tree / path).write_text(REMEMBERED.sub("", written), encoding="utf-8")
    (tree / "pyproject.toml").write_text(_settings(changed, tests), encoding="utf-8")


def _settings(changed: list[str], tests: list[str]) -> str:
    return f"""
[tool.pytest.ini_options]
pythonpath = ["."]
addopts = ["--import-mode=importlib", "-p", "no:playwright", "-p", "no:base_url"]

[tool.mutmut]
source_paths = ["mappings"]
only_mutate = {json.dumps(changed)}
pytest_add_cli_args_test_selection = {json.dumps([f"tests/{test}.py" for test in tests])}
timeout_multiplier = 4.0
timeout_constant = 3.0
"""


def _report(tree: Path) -> None:
    lines = _answer(tree, "results", "--all", "true").splitlines()
    results = dict(line.strip().rsplit(": ", 1) for line in lines if ": " in line)
    for name in (name for name, status in results.items() if status != NOTICED):
        click.echo(_changed_lines(_answer(tree, "show", name)))
    for module in sorted({_module_of(name) for name in results}):
        counted = Counter(status for name, status in results.items() if _module_of(name) == module)
        click.echo(f"{module}: {counted[NOTICED]} of {counted.total()} noticed; {dict(counted)}")


def _module_of(mutant: str) -> str:
    return mutant.rpartition(".")[0]


def _answer(tree: Path, *arguments: str) -> str:
    asked = [*MUTMUT, *arguments]
    return subprocess.run(asked, cwd=tree, capture_output=True, text=True, check=True).stdout


def _changed_lines(difference: str) -> str:
    lines = difference.splitlines()
    return "\n".join(line for line in lines if re.match(r"#|-(?!--)|\+(?!\+\+)", line))


if __name__ == "__main__":
    main()
