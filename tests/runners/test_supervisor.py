"""Processes are kept running, restarted when they die, and stopped together."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from connector.runners import supervisor as supervising
from connector.runners.supervisor import Program, Supervisor

PATIENCE = 30.0  # seconds; only a failure takes that long
NOTE = "import os, sys, time; open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); "
WAIT = NOTE + "time.sleep(600)"
DEAF = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "import os, sys, time; open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); time.sleep(600)"
)
LAST_WORDS = (
    "import signal, sys; note = lambda line: open(sys.argv[1], 'a').write(line + chr(10)); "
    "signal.signal(signal.SIGTERM, lambda *_: (note('bye'), sys.exit())); "
    "import os, time; note(str(os.getpid())); time.sleep(600)"
)


def program(name: str, code: str, file: Path, *, fatal: bool = True) -> Program:
    return Program(
        name=name,
        command=[sys.executable, "-c", code, str(file)],
        environment=dict(os.environ),
        fatal_at_start=fatal,
    )


def eventually(found: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not found():
        assert time.monotonic() < end, "did not come"
        time.sleep(0.02)


def lines(file: Path) -> list[str]:
    return file.read_text().split() if file.exists() else []


def lives(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def running(supervisor: Supervisor, codes: list[int]) -> Iterator[None]:
    thread = threading.Thread(target=lambda: codes.append(supervisor.run()))
    thread.start()
    try:
        yield
    finally:
        supervisor.stop()
        thread.join(PATIENCE)


def test_all_programs_run_until_the_stop_and_end_with_it(tmp_path: Path) -> None:
    files, codes = [tmp_path / "a", tmp_path / "b"], list[int]()
    supervisor = Supervisor([program(file.name, LAST_WORDS, file) for file in files])
    with running(supervisor, codes):
        eventually(lambda: all(len(lines(file)) == 1 for file in files))
        pids = [lines(file)[0] for file in files]
        assert all(lives(pid) for pid in pids)
    assert codes == [0]
    assert [lines(file)[1:] for file in files] == [["bye"], ["bye"]]
    assert not any(lives(pid) for pid in pids)


def test_a_killed_program_is_started_again_and_the_others_stay(tmp_path: Path) -> None:
    victim, other, codes = tmp_path / "victim", tmp_path / "other", list[int]()
    programs = [program(file.name, WAIT, file) for file in (victim, other)]
    with running(Supervisor(programs), codes):
        eventually(lambda: lines(victim) and lines(other))
        os.kill(int(lines(victim)[0]), signal.SIGKILL)
        eventually(lambda: len(lines(victim)) == 2)
        assert len(lines(other)) == 1
    assert codes == [0]
    assert not any(lives(pid) for pid in (*lines(victim), *lines(other)))


def test_a_program_that_cannot_start_ends_all_with_its_code(tmp_path: Path) -> None:
    fine, broken = tmp_path / "fine", tmp_path / "broken"
    programs = [program("fine", WAIT, fine), program("broken", NOTE + "sys.exit(3)", broken)]
    expected = 3
    assert expected == Supervisor(programs).run()
    assert len(lines(broken)) == 1
    assert not any(lives(pid) for pid in lines(fine))


def test_a_program_that_is_not_needed_at_the_start_is_tried_again(tmp_path: Path) -> None:
    broken, codes = tmp_path / "broken", list[int]()
    programs = [program("broken", NOTE + "sys.exit(3)", broken, fatal=False)]
    with running(Supervisor(programs), codes):
        eventually(lambda: len(lines(broken)) >= 2)
    assert codes == [0]


def test_a_program_that_fails_after_a_steady_life_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "STEADY_SECONDS", 0.0)
    broken, codes = tmp_path / "broken", list[int]()
    programs = [program("broken", NOTE + "sys.exit(3)", broken)]
    with running(Supervisor(programs), codes):
        eventually(lambda: len(lines(broken)) >= 2)
    assert codes == [0]


def test_a_program_that_does_not_listen_is_killed_after_the_grace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "GRACE_SECONDS", 0.2)
    deaf, codes = tmp_path / "deaf", list[int]()
    with running(Supervisor([program("deaf", DEAF, deaf)]), codes):
        eventually(lambda: lines(deaf))
    assert codes == [0]
    assert not lives(lines(deaf)[0])


def test_what_is_to_be_done_meanwhile_is_done_between_the_looks(tmp_path: Path) -> None:
    done: list[int] = []
    supervisor = Supervisor([program("fine", WAIT, tmp_path / "fine")])

    def meanwhile() -> None:
        done.append(1)
        if len(done) == 3:
            supervisor.stop()

    assert supervisor.run(meanwhile) == 0
    assert len(done) == 3


def test_an_error_in_what_is_done_meanwhile_leaves_no_process_behind(tmp_path: Path) -> None:
    file = tmp_path / "fine"

    def fail() -> None:
        if lines(file):
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        Supervisor([program("fine", WAIT, file)]).run(fail)
    assert not lives(lines(file)[0])


def test_the_environment_is_not_shown(tmp_path: Path) -> None:
    secret = Program(name="a", command=["true"], environment={"TOKEN": "hush"})
    assert "hush" not in repr(secret)


def test_a_killed_supervisor_takes_its_processes_with_it(tmp_path: Path) -> None:
    """A child that watches its standard input ends with us even when nobody could tell it to."""
    said = tmp_path / "pid"
    child = (
        "import os, time; from commands.supervised import end_with_parent; end_with_parent(); "
        f"open({str(said)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    )
    parent = (
        "import os, sys; from connector.runners.supervisor import Program, Supervisor; "
        f"child = Program(name='child', command=[sys.executable, '-c', {child!r}], "
        "environment={**os.environ, 'DESKCLOCK_SUPERVISED': '1'}); Supervisor([child]).run()"
    )
    started = subprocess.Popen([sys.executable, "-c", parent], cwd=Path(__file__).parents[2])
    eventually(lambda: lines(said))
    orphan = psutil.Process(int(lines(said)[0]))
    started.kill()
    started.wait()

    # what nobody waits for may stay as a zombie
    eventually(lambda: not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE)
