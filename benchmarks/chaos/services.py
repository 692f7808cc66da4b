"""The databases and the broker of a run: its own, in folders and on ports of its own."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Protocol

from benchmarks.running import START_SECONDS, BenchmarkError, free_ports

NO_ROOT = ("postgres", "nobody")  # PostgreSQL refuses to run as root
DATABASE = "deskclock"


class Service(Protocol):
    """Something beside deskclock that a run may strike."""

    name: str
    #: what can be done to it: the word, in the order in which it is done in turns
    blows: tuple[str, ...]

    def strike(self, blow: str) -> None:
        """Do one of its blows. It answers again when this returns."""

    def close(self) -> None:
        """End it, and remove what it has stored."""


class Postgres:
    """A PostgreSQL cluster made for one run."""

    name = "postgres"
    blows: tuple[str, ...] = ("restart",)

    def __init__(self) -> None:
        """Make the cluster and start it. Raises `BenchmarkError`."""
        self._user = next(filter(_exists, NO_ROOT)) if os.geteuid() == 0 else None
        self._folder = Path(tempfile.mkdtemp(prefix="deskclock-postgres-"))
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        (self._port,) = free_ports(1)
        self.url = f"postgresql://postgres@127.0.0.1:{self._port}/{DATABASE}"
        self._process: subprocess.Popen[bytes] | None = None
        options = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C")
        self._run("initdb", "-D", str(self._data), *options)
        self._start()
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self._port), "-U", "postgres", DATABASE)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def strike(self, blow: str) -> None:  # noqa: ARG002 - there is one
        """Restart it without a checkpoint, so that it has to recover."""
        self._stop(signal.SIGQUIT)
        self._start()

    def close(self) -> None:
        """End it, and remove the cluster."""
        self._stop(signal.SIGINT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> None:
        command = [program("postgres"), "-D", str(self._data), "-p", str(self._port)]
        command += ["-k", str(self._folder), "-c", "listen_addresses=127.0.0.1"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, user=self._user, cwd=self._folder, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        until = time.monotonic() + START_SECONDS
        ready = [program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        while subprocess.run(ready, check=False).returncode != 0:
            if time.monotonic() > until:
                log_text = (self._folder / "log").read_text(encoding="utf-8", errors="replace")
                raise BenchmarkError(f"PostgreSQL does not start:\n{log_text[-2000:]}")
            time.sleep(0.05)

    def _stop(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()

    def _run(self, name: str, *arguments: str) -> None:
        ended = subprocess.run(
            [program(name), *arguments], user=self._user, cwd=self._folder,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if ended.returncode != 0:
            raise BenchmarkError(f"{name} failed: {ended.stderr}")


class Redis:
    """A broker made for one run; it stores nothing on disk, so a kill empties it too."""

    name = "redis"
    blows: tuple[str, ...] = ("kill", "flush")

    def __init__(self) -> None:
        """Start it. Raises `BenchmarkError`."""
        self._folder = Path(tempfile.mkdtemp(prefix="deskclock-redis-"))
        (self._port,) = free_ports(1)
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._start()

    def strike(self, blow: str) -> None:
        """Kill it and start an empty one, or forget everything that it holds."""
        if blow == "kill":
            self._process.kill()
            self._process.wait()
            self._start()
        else:
            self._say("FLUSHALL")

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> None:
        command = [program("redis-server"), "--port", str(self._port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self._folder)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True
            )
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > until:
                raise BenchmarkError("redis-server does not start")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            self._say("PING")
        except OSError:
            return False
        return True

    def _say(self, word: str) -> None:
        with closing(socket.create_connection(("127.0.0.1", self._port), timeout=5)) as line:
            line.sendall(f"{word}\r\n".encode())
            answer = line.recv(100)
        if not answer.startswith(b"+"):
            raise OSError(f"redis answers {answer!r} to {word}")


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def program(name: str) -> str:
    """Where a program lies. Raises `BenchmarkError`."""
    installed = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    places = [str(one) for one in sorted(installed, key=lambda path: int(path.parts[4]))]
    found = shutil.which(name) or (places[-1] if places else None)
    if found is None:
        raise BenchmarkError(f"{name} is not installed")
    return found
