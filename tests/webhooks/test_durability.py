"""What the kernel saw: no 202 leaves before the commit that holds its delivery is on the disk."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from tests.webhooks.conftest import WebOpener
from tests.webhooks.posting import Web, at_once

IN_CI = os.environ.get("CI", "").lower() == "true"
STRACE = shutil.which("strace")
CLIENTS, EACH = 8, 15
FRAME_HEADER = 24  # bytes before each page in SQLite's write-ahead log

_BEGUN = re.compile(r'(?P<call>\w+)\(\d+<(?P<file>[^>]*)>(?:, "(?P<data>[^"]*)")?')
_RESULT = re.compile(r"\) += (-?\d+)[^\"]*$")
_DELIVERY = re.compile(rb"delivery-[0-9]+-[0-9]+-")


@dataclass(frozen=True, slots=True)
class Call:
    """A system call."""

    thread: str
    name: str
    file: str
    data: bytes


def calls(trace: str) -> Iterator[tuple[Call, int | None]]:
    """The calls of a trace as they began (None) and as they ended (their result), in order."""
    open_calls: dict[str, Call] = {}
    for line in trace.splitlines():
        thread, _, rest = line.partition(" ")
        begun = _BEGUN.match(rest.lstrip())
        if begun is not None:
            file = _bytes(begun["file"]).decode()
            open_calls[thread] = Call(thread, begun["call"], file, _bytes(begun["data"] or ""))
            yield open_calls[thread], None
        result = _RESULT.search(rest)
        if result is not None and thread in open_calls:
            yield open_calls.pop(thread), int(result[1])


def _bytes(hexadecimal: str) -> bytes:
    return bytes.fromhex(hexadecimal.replace("\\x", ""))


@dataclass
class Disk:
    """Follows a trace: which deliveries are on the disk when each 202 leaves."""

    durable: set[bytes] = field(default_factory=set)
    #: deliveries whose 202 left, each with whether it was on the disk then
    answered: dict[bytes, bool] = field(default_factory=dict)
    #: how many deliveries each sync brought to the disk
    brought: list[int] = field(default_factory=list)
    _open: set[bytes] = field(default_factory=set)
    _committed: set[bytes] = field(default_factory=set)
    _syncing: dict[str, set[bytes]] = field(default_factory=dict)
    _commits: bool = False

    def see(self, call: Call, result: int | None) -> None:
        is_log = call.file.endswith("-wal")
        if call.name == "pwrite64" and is_log and result == len(call.data):
            self._written(call.data)
        elif call.name in ("fdatasync", "fsync") and is_log:
            self._synced(call.thread, result)
        elif call.name == "sendto" and b" 202 " in call.data[:20] and result is None:
            for delivery in _DELIVERY.findall(call.data):
                self.answered[delivery] = delivery in self.durable

    def _written(self, data: bytes) -> None:
        if len(data) == FRAME_HEADER:  # it names the size of the database where it ends a commit
            self._commits = any(data[4:8])
            return
        known = self.durable | self._committed
        self._open |= set(_DELIVERY.findall(data)) - known
        if self._commits:
            self._committed |= self._open
            self._open = set()

    def _synced(self, thread: str, result: int | None) -> None:
        if result is None:  # what is written from here on may come too late for it
            self._syncing[thread] = set(self._committed)
        elif result == 0:
            new = self._syncing.pop(thread) - self.durable
            self.durable |= new
            self._committed -= new
            self.brought.append(len(new))


def trace_of(web: Web, path: Path) -> "subprocess.Popen[bytes]":
    """strace on the process that serves; skips, or fails in CI, where it is not to be had."""
    missing = pytest.fail if IN_CI else pytest.skip
    if STRACE is None:
        missing("strace is not installed: apt install strace")
    (serving,) = web.workers()
    which = "trace=pwrite64,fdatasync,fsync,sendto"
    tracer = subprocess.Popen(
        [STRACE, "-f", "-y", "-xx", "-s", "5000", "-e", which, "-o", path, "-p", str(serving.pid)],
        stderr=subprocess.PIPE,
    )
    assert tracer.stderr is not None
    if b"attached" not in (said := tracer.stderr.readline()):
        tracer.wait()
        missing(f"strace may not trace here: {said.decode().strip()}")
    return tracer


def test_no_202_leaves_before_its_own_commit_is_on_the_disk(
    open_web: WebOpener, tmp_path: Path
) -> None:
    web = open_web()
    trace = tmp_path / "trace"
    tracer = trace_of(web, trace)

    def send(client: int) -> None:
        with requests.Session() as session:
            for number in range(EACH):
                answer = web.post(f"delivery-{client}-{number}-", session)
                assert answer.status_code == 202

    at_once(CLIENTS, send)
    tracer.send_signal(signal.SIGINT)
    tracer.wait(60)
    assert tracer.stderr is not None
    tracer.stderr.close()
    disk = Disk()
    for call, result in calls(trace.read_text()):
        disk.see(call, result)
    assert len(disk.answered) == CLIENTS * EACH
    assert [one for one, was_durable in disk.answered.items() if not was_durable] == []
    assert max(disk.brought) > 1  # one sync served several
