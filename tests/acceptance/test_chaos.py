"""deskclock under `kill -9` and failing helpdesks, small; `make chaos` is the long one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.chaos.services import program
from benchmarks.running import BenchmarkError
from tests.acceptance.conftest import IN_CI

ROOT = Path(__file__).parents[2]
SMALL = "--accounts 2 --events 240 --kills 6 --seconds 20 --seed 7"
PATIENCE = 900  # seconds


@pytest.mark.parametrize(
    "database",
    [
        "--database sqlite",
        pytest.param("--database postgres --workers 2", marks=pytest.mark.postgres),
    ],
    ids=["sqlite", "postgres"],
)
def test_nothing_is_lost_and_nothing_is_done_twice(database: str) -> None:
    if "postgres" in database:
        try:
            program("initdb")
        except BenchmarkError as error:
            (pytest.fail if IN_CI else pytest.skip)(str(error))
    command = [sys.executable, "-m", "benchmarks.chaos", *database.split(), *SMALL.split()]
    ended = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip

    assert ended.returncode == 0, ended.stdout + ended.stderr
