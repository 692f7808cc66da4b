"""One run of the kill test, from the first process to the verdict."""

import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from benchmarks.chaos.killer import Killer
from benchmarks.chaos.processes import Blow, Mortals
from benchmarks.chaos.stage import SYNC_SECONDS, Account, Stage
from benchmarks.chaos.stream import People
from benchmarks.chaos.trial import Trial
from benchmarks.chaos.verdict import Judgement, broken_evidence, judge
from benchmarks.playing import CLOCKS_AGREE_SECONDS
from benchmarks.running import BenchmarkError
from connector.errors import StoreError

LOOK_SECONDS = 0.25
# Zendesk's export shows what is a minute old; and some promises shall end in the last moment
AFTERWARDS_SECONDS = 600.0
# how each helpdesk fails, as parts of the share of calls that fail
KINDS_OF_FAULTS = {
    "429": 0.2, "500": 0.15, "502": 0.1, "503": 0.1, "reset": 0.2, "truncate": 0.075,
    "garbage": 0.075, "slow": 0.1,
}  # fmt: skip
SLOW_SECONDS = 12.0  # longer than deskclock waits for an answer
STRIKES = ("restart", "flush")  # blows at services; without them no process may end by itself
FALL_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a run has come to."""

    trial: Trial
    judgements: Sequence[Judgement]
    acts: Mapping[str, int]
    blows: Sequence[Blow]
    #: API calls that the helpdesks answered, by status
    answers: Mapping[str, int]
    #: from the last event until everything had come to rest
    drained_seconds: float
    #: what else is wrong, a line each
    faults: Sequence[str]
    #: where files and logs of a run that failed are kept
    kept: Path | None = None

    @property
    def passed(self) -> bool:
        """Whether nothing was lost and nothing was done twice."""
        return not self.faults and not any(one.findings for one in self.judgements)


def carry_out(trial: Trial) -> Outcome:
    """Carry a trial out. Raises `BenchmarkError` when it cannot be judged."""
    with ExitStack() as stack:
        processes = stack.enter_context(Mortals())
        stage = Stage(trial, processes, stack)
        try:
            outcome = _act(trial, stage)
        except BenchmarkError as error:
            message = f"{error}\nits files: {_keep(stage)}\nagain: {trial.command}"
            raise BenchmarkError(message) from error
        return outcome if outcome.passed else replace(outcome, kept=_keep(stage))


def _act(trial: Trial, stage: Stage) -> Outcome:
    stage.start()
    _let_fail(stage, trial.faults)
    people, killer = People(trial, stage.accounts), Killer(trial, stage)
    people.work(killer.strike)
    answers = stage.answers()
    _let_fail(stage, 0.0)
    begun = time.monotonic()
    for one in stage.accounts:
        one.helpdesk.control("POST", "clock", {"advance_seconds": AFTERWARDS_SECONDS})
    _come_to_rest(stage, trial.patience)
    for one in stage.accounts:
        one.helpdesk.control("POST", "clock", {"freeze": True})
    _come_to_rest(stage, trial.patience)
    drained = time.monotonic() - begun
    return Outcome(
        trial=trial,
        judgements=[judge(stage, one, _instant(one)) for one in stage.accounts],
        acts=people.acts,
        blows=tuple(stage.processes.blows),
        answers=answers,
        drained_seconds=drained,
        faults=_faults(stage),
    )


def _let_fail(stage: Stage, share: float) -> None:
    spec = {name: part * share for name, part in KINDS_OF_FAULTS.items()}
    for one in stage.accounts:
        one.helpdesk.control("POST", "faults", {**spec, "slow-seconds": f"{SLOW_SECONDS:g}s"})


def _instant(one: Account) -> datetime:
    return datetime.fromisoformat(one.helpdesk.control("GET", "clock")["now"])


def _come_to_rest(stage: Stage, patience: float) -> None:
    """Wait until a sync that began later has ended, and nothing is on its way or to be done.

    Raises `BenchmarkError` when that takes too long.
    """
    until, since, restless = time.monotonic() + patience, dict[str, float](), ["all of them"]
    while restless:
        if time.monotonic() > until:
            told = "; ".join(restless)
            raise BenchmarkError(f"it does not come to rest within {patience:.0f} s: {told}")
        time.sleep(LOOK_SECONDS)
        stage.processes.revive()
        restless = [told for one in stage.accounts if (told := _restless(stage, one, since))]


def _restless(stage: Stage, one: Account, since: dict[str, float]) -> str:
    """What is still to come on an account; empty: nothing."""
    try:
        seen = stage.standing(one)
        offset = stage.clock_offset(one)
    except StoreError as error:
        return f"{one.name}: {error}"
    # a sync that ended two rounds later has begun after our first look
    begun = since.setdefault(one.name, seen.now)
    synced = seen.synced_at > begun + 2 * SYNC_SECONDS
    pending = int(one.helpdesk.control("GET", "deliveries?limit=1")["pending"])
    real = float(one.helpdesk.control("GET", "clock")["offset_seconds"])
    agree = abs(offset - real) <= CLOCKS_AGREE_SECONDS
    if synced and agree and not pending and not seen.busy and not seen.notes:
        return ""
    return (
        f"{one.name}: {seen.busy} tickets due of {seen.known}, {seen.notes} notes, "
        f"{pending} deliveries on their way, "
        f"the sync {'has' if synced else 'has not'} come to the end since, clock off by "
        f"{offset - real:.1f} s {seen.trouble}"
    )


def _faults(stage: Stage) -> list[str]:
    """What is wrong with deskclock as a whole."""
    found = [] if stage.is_ready() else ["/readyz is not green"]
    if broken := broken_evidence(stage):
        found.append(f"the evidence is broken: {broken}")
    struck = {blow.at for blow in stage.processes.blows if blow.what in STRIKES}
    for blow in stage.processes.blows:
        fell = blow.what.startswith("ended")
        if fell and not any(0 <= blow.at - at <= FALL_SECONDS for at in struck):
            found.append(f"{blow.name} {blow.what} though nothing was struck")
    return found


def _keep(stage: Stage) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="deskclock-chaos-"))
    shutil.copytree(stage.folder, folder, dirs_exist_ok=True)
    return folder
