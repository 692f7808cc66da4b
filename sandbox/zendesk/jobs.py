"""Zendesk's background jobs: bulk updates and merges, run by one thread, kept over a restart."""

import heapq
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.clock import epoch
from sandbox.core import Core
from sandbox.state import Doc, Row
from sandbox.zendesk.errors import ZendeskError
from sandbox.zendesk.quotas import JOBS_HEADER, endpoint_value
from sandbox.zendesk.switches import Switches

MOST_AT_ONCE = 30
_KEPT_SECONDS = 86_400
_OPEN = "open"
_ENDED = ("completed", "failed")
Runner = Callable[[Doc], list[Doc]]


class Jobs:
    """Queues jobs and runs each `job_seconds` after it was queued."""

    def __init__(self, core: Core, run: Runner, switches: Callable[[], Switches]) -> None:
        self._core = core
        self._run = run
        self._switches = switches
        self._wake = threading.Condition()
        self._closed = False
        self._waiting: list[tuple[float, str]] = []
        self._thread = threading.Thread(target=self._work, name="sandbox-jobs", daemon=True)
        for job in core.state.children("job", _OPEN):
            self._waiting.append((time.monotonic() + core.job_seconds, job["id"]))
        heapq.heapify(self._waiting)
        self._thread.start()

    def queue(self, job_type: str, work: Mapping[str, Any], total: int) -> Doc:
        """Queue a job. Raises ZendeskError when thirty are queued or running already."""
        core = self._core
        with core.state.writing():
            self.check_room()
            self._forget_old()
            job: Doc = {
                "id": secrets.token_hex(16), "job_type": job_type, "status": "queued",
                "total": total, "progress": None, "message": None, "results": None,
                "_work": dict(work), "_queued_at": core.clock.stamp(),
            }  # fmt: skip
            self._put(job)
        with self._wake:
            heapq.heappush(self._waiting, (time.monotonic() + core.job_seconds, job["id"]))
            self._wake.notify()
        return job

    def in_flight(self) -> int:
        """Jobs queued or running."""
        return self._core.state.count_children("job", _OPEN)

    def headers(self) -> dict[str, str]:
        """The header that tells how many more jobs are taken."""
        left = max(0, MOST_AT_ONCE - self.in_flight())
        return {JOBS_HEADER: endpoint_value(MOST_AT_ONCE, left, 60)}

    def check_room(self) -> None:
        """Raise ZendeskError when no further job is taken."""
        if self.in_flight() >= MOST_AT_ONCE:
            text = "The number of queued or running jobs is at its limit. Try again later."
            body = {"error": "TooManyJobs", "description": text}
            headers = {"Retry-After": "1", **self.headers()}
            raise ZendeskError(self._switches().too_many_jobs_status, body, headers=headers)

    def close(self) -> None:
        """Stop; what is queued goes on at the next start."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join(timeout=2)

    def _work(self) -> None:
        while (key := self._next()) is not None:
            self._carry_out(key)

    def _next(self) -> str | None:
        with self._wake:
            while not self._closed:
                wait = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._waiting)[1]
                self._wake.wait(wait)
        return None

    def _carry_out(self, key: str) -> None:
        job = self._core.state.get("job", key)
        if job is None:
            return
        self._put({**job, "status": "working", "progress": 0})
        at = self._core.clock.now().strftime("%Y-%m-%d %H:%M:%S +0000")
        try:
            results = self._run(job)
        except Exception as error:
            # Whatever a row holds, the next job must still run.
            told = {"status": "failed", "message": f"Failed at {at}: {type(error).__name__}"}
            self._put({**job, **told})
            return
        done = {"status": "completed", "progress": job["total"], "message": f"Completed at {at}"}
        self._put({**job, **done, "results": results})

    def _forget_old(self) -> None:
        """Jobs are known for a day; a few old ones go whenever a new one comes."""
        before = epoch(self._core.clock.stamp()) - _KEPT_SECONDS
        for _, job in self._core.state.moved_after("job", moved=0, key="", before=before, limit=10):
            if job["status"] in _ENDED:
                self._core.state.remove("job", job["id"])

    def _put(self, job: Doc) -> None:
        place = "ended" if job["status"] in _ENDED else _OPEN
        at = epoch(job["_queued_at"])
        row = Row(kind="job", id=job["id"], doc=job, parent=place, created=at, moved=at)
        self._core.state.put(row)


def shown(job: Doc, base: str) -> Doc:
    """A job as the API shows it."""
    doc = {key: value for key, value in job.items() if not key.startswith("_")}
    return {"url": f"{base}/api/v2/job_statuses/{job['id']}.json", **doc}
