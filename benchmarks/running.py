"""Starts real processes in a folder of their own, on free ports, and stops every one of them."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import requests

DESKCLOCK = (sys.executable, "-c", "import commands; commands.main()")
GRACE_SECONDS = 12.0
START_SECONDS = 60.0
LINES_SHOWN = 25  # of a log, when a process has failed


class BenchmarkError(Exception):
    """The benchmark itself cannot go on; the text says why."""


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 on which nothing listens at the moment."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in held]
    finally:
        for one in held:
            one.close()


def end_on_sigterm() -> None:
    """Let SIGTERM unwind the program as Ctrl-C does, so that what it started is stopped."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


class Workshop:
    """A temporary folder and the processes that work in it; leaving it ends and removes both."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="deskclock-bench-")
        self.folder = Path(self._folder.name)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._folder.cleanup()

    def start(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start a process whose output goes to a log in the folder."""
        own = {key: value for key, value in os.environ.items() if not key.startswith("DESKCLOCK_")}
        with self._log(name).open("ab") as log:
            # a session of its own: Ctrl-C reaches only us, and we end the others in order
            self._running[name] = subprocess.Popen(
                list(command),
                env={**own, **(environment or {})},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def await_answer(self, name: str, url: str) -> None:
        """Wait until `url` answers 200. Raises `BenchmarkError` when the process ends instead."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            self.check()
            try:
                if requests.get(url, timeout=5).status_code == 200:
                    return
            except requests.RequestException:
                pass
            time.sleep(0.05)
        raise BenchmarkError(
            f"{url} did not answer within {START_SECONDS:.0f} s\n{self.tail(name)}"
        )

    def lives(self, name: str) -> bool:
        """Whether a process runs. One that has ended well is forgotten.

        Raises `BenchmarkError` when it has failed.
        """
        code = self._running[name].poll()
        if code == 0:
            del self._running[name]
        elif code is not None:
            raise BenchmarkError(f"{name} ended with code {code}:\n{self.tail(name)}")
        return code is None

    def check(self) -> None:
        """Raise `BenchmarkError` when a process has ended by itself."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise BenchmarkError(
                    f"{name} ended with code {process.returncode}:\n{self.tail(name)}"
                )

    def tail(self, name: str) -> str:
        """The latest lines that a process wrote."""
        text = self._log(name).read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-LINES_SHOWN:])

    def complaints(self, name: str) -> list[str]:
        """The lines of a process's log that are warnings or graver."""
        text = self._log(name).read_text(encoding="utf-8", errors="replace")
        grave = ('"level": "warning"', '"level": "error"', '"level": "critical"', "Traceback")
        return [line for line in text.splitlines() if any(word in line for word in grave)]

    def resident_bytes(self, name: str) -> int:
        """The resident memory of a process and its children now."""
        total = 0
        try:
            parent = psutil.Process(self._running[name].pid)
            for process in (parent, *parent.children(recursive=True)):
                total += int(process.memory_info().rss)
        except psutil.NoSuchProcess:
            pass
        return total

    def stop(self, *names: str) -> None:
        """End these processes, or all of them, the latest first."""
        ending = [name for name in reversed(self._running) if not names or name in names]
        for name in ending:
            if self._running[name].poll() is None:
                self._running[name].send_signal(signal.SIGTERM)
        until = time.monotonic() + GRACE_SECONDS
        for name in ending:
            process = self._running.pop(name)
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _log(self, name: str) -> Path:
        return self.folder / f"{name.replace(' ', '-')}.log"
