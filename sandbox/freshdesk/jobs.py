"""Freshdesk's background jobs, which carry out bulk changes a little later."""

import secrets
import threading
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.core import Core
from sandbox.freshdesk.switches import Switches
from sandbox.state import Doc, Row

Runner = Callable[[Mapping[str, Any]], list[int]]


class Jobs:
    """Runs each job `job_seconds` after it was queued; one that a restart cut off begins anew."""

    def __init__(self, core: Core, run: Runner, switches: Callable[[], Switches]) -> None:
        self._core = core
        self._run = run
        self._switches = switches
        self._timers: set[threading.Timer] = set()
        self._lock = threading.Lock()
        for job in core.state.all("job", shelf="open"):
            self._start(job)

    def queue(self, work: Mapping[str, Any]) -> Doc:
        """Queue a bulk change; `run` names the tickets that it failed on."""
        job: Doc = {
            "id": secrets.token_hex(16),
            "status": self._switches().job_running,
            "_work": dict(work),
        }
        self._put(job, "open")
        self._start(job)
        return job

    def close(self) -> None:
        """Stop; what is queued goes on at the next start."""
        with self._lock:
            timers, self._timers = self._timers, set()
        for timer in timers:
            timer.cancel()
        for timer in timers:
            timer.join(timeout=2)

    def _start(self, job: Doc) -> None:
        timer = threading.Timer(self._core.job_seconds, self._carry_out, [job])
        timer.daemon = True
        with self._lock:
            self._timers = {one for one in self._timers if one.is_alive()} | {timer}
            timer.start()

    def _carry_out(self, job: Doc) -> None:
        switches, work = self._switches(), job["_work"]
        failed = self._run(work)
        all_failed = len(failed) == len(work["ids"])
        status = switches.job_failed if all_failed else switches.job_done
        self._put({**job, "status": status, "_failed": failed}, "")

    def _put(self, job: Doc, shelf: str) -> None:
        self._core.state.put(Row(kind="job", id=job["id"], doc=job, shelf=shelf))
