"""A running demo and a browser in front of it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

IN_CI = os.environ.get("CI", "").lower() == "true"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
START_SECONDS = 60


@dataclass
class Demo:
    """`deskclock run --demo` as a person starts it."""

    data_dir: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def zendesk(self) -> str:
        return f"http://127.0.0.1:{self.port + 1}"

    @property
    def freshdesk(self) -> str:
        return f"http://127.0.0.1:{self.port + 2}"

    def start(self) -> None:
        command = [sys.executable, "-c", "from commands import main; main()", "run", "--demo"]
        command += ["--port", str(self.port), "--data-dir", str(self.data_dir)]
        with (self.data_dir / "out.log").open("a") as log:
            self.process = subprocess.Popen(
                command, cwd=Path(__file__).parents[2], stdout=log, stderr=subprocess.STDOUT
            )
        until = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > until:
                self.stop()
                pytest.fail(f"the demo did not start:\n{self.output()}")
            time.sleep(0.1)

    def is_ready(self) -> bool:
        return "deskclock is running." in self.output()

    def stop(self) -> int | None:
        """Ctrl-C; the exit code."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()

    def output(self) -> str:
        return (self.data_dir / "out.log").read_text()

    def answers(self, url: str) -> bool:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = Demo(data_dir=tmp_path_factory.mktemp("demo"), port=_three_ports())
    running.start()
    yield running
    running.stop()


def _three_ports() -> int:
    for port in range(20000 + os.getpid() % 5000, 60000, 7):
        try:
            for one in range(port, port + 3):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", one))
        except OSError:
            continue
        return port
    pytest.fail("no three free ports in a row")


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, object]) -> dict[str, object]:
    """The system's own Chromium; flags keep it from calling home."""
    if CHROMIUM is None:
        (pytest.fail if IN_CI else pytest.skip)("Chromium is not installed: apt install chromium")
    flags = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run
    --disable-background-networking --disable-component-update --disable-sync"""
    return {
        **browser_type_launch_args,
        "executable_path": CHROMIUM,
        "args": re.split(r"\s+", flags),
    }
