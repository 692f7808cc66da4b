"""Keeps a few processes of this machine running: starts, restarts and stops them together."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

log = structlog.get_logger()

LOOK_SECONDS = 0.2
GRACE_SECONDS = 10.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 10.0  # a process that lived this long did not die of its start


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """One process to keep running."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    #: the end of this process ends all of them: a mistake in the settings helps no restart
    fatal_at_start: bool = True


class Supervisor:
    """Runs programs until it is told to stop, or until one cannot even start."""

    def __init__(
        self,
        programs: Sequence[Program],
        monotonic: Callable[[], float] = time.monotonic,
        ended: Callable[[int], None] = lambda _pid: None,
    ) -> None:
        """`ended` is called with the id of each process that has ended and is started again."""
        self._programs = programs
        self._ended = ended
        self._monotonic = monotonic
        self._stop = threading.Event()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._started: dict[str, float] = {}
        self._deaths: dict[str, int] = {}
        self._resting: dict[str, float] = {}

    def stop(self) -> None:
        """Ask everything to end."""
        self._stop.set()

    def run(self, while_running: Callable[[], None] = lambda: None) -> int:
        """Run until stopped; returns the exit code. `while_running` is called between looks."""
        try:
            for program in self._programs:
                self._start(program)
            code = 0
            while not self._stop.is_set() and code == 0:
                while_running()
                code = self._look()
                self._stop.wait(LOOK_SECONDS)
            return code
        finally:
            self._end()

    def _start(self, program: Program) -> None:
        # a process group of its own: Ctrl-C reaches only us, and we end the others in order
        self._running[program.name] = subprocess.Popen(  # noqa: S603 - our own commands
            list(program.command),
            env=dict(program.environment),
            stdin=subprocess.PIPE,  # closed by our end, however it comes; a child may watch it
            start_new_session=True,
        )
        self._started[program.name] = self._monotonic()

    def _look(self) -> int:
        for program in self._programs:
            process = self._running.get(program.name)
            if process is None:
                if self._monotonic() >= self._resting[program.name]:
                    self._start(program)
            elif process.poll() is not None:
                code = self._died(program, process.returncode)
                if code:
                    return code
        return 0

    def _died(self, program: Program, code: int) -> int:
        """Plan the restart; returns a code where a restart cannot help."""
        lived = self._monotonic() - self._started[program.name]
        steady = lived >= STEADY_SECONDS
        if code > 0 and not steady and program.name not in self._deaths and program.fatal_at_start:
            return code  # it has said itself what is wrong
        deaths = 1 if steady else self._deaths.get(program.name, 0) + 1
        self._deaths[program.name] = deaths
        pause = min(FIRST_PAUSE_SECONDS * 2.0 ** (deaths - 1), LONGEST_PAUSE_SECONDS)
        log.error("process ended", name=program.name, code=code, again_in_seconds=pause)
        process = self._running.pop(program.name)
        process.communicate()  # closes the pipe
        self._ended(process.pid)
        self._resting[program.name] = self._monotonic() + pause
        return 0

    def _end(self) -> None:
        """End the processes in the reverse order of their start."""
        until = self._monotonic() + GRACE_SECONDS
        for process in reversed(self._running.values()):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            try:
                process.wait(max(0.1, until - self._monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
            process.communicate()
