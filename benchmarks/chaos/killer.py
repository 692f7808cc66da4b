"""Kills what a run consists of at random moments."""

import random
import time

import requests

from benchmarks.chaos.stage import Stage
from benchmarks.chaos.trial import Trial

SERVICE_SHARE = 0.15  # of the blows strike the database or the broker, where there are any
# Of the blows so many wait until their victim is at work again, but not for ever, and then up to
# so long: one that is always killed while it starts shows nothing. The others come when they come.
PATIENT_SHARE = 0.8
BACK_SECONDS = 30.0
AT_WORK_SECONDS = 2.0
CALLS_AT_WORK = 4  # that the helpdesks receive meanwhile
LOOK_SECONDS = 0.05


class Killer:
    """Deals the blows of a trial between people's acts; the same seed plans the same ones."""

    def __init__(self, trial: Trial, stage: Stage) -> None:
        self._stage = stage
        self._random = random.Random(trial.seed + 1)
        moments = [self._random.randrange(trial.events) for _ in range(trial.kills)]
        self._moments = sorted(moments, reverse=True)
        self._struck: dict[str, int] = {}

    def strike(self, number: int) -> None:
        """Deal the blows that are due before the act of this number."""
        self._stage.processes.revive()
        while self._moments and self._moments[-1] <= number:
            self._moments.pop()
            name, blow = self._victim()
            if self._random.random() < PATIENT_SHARE:
                self._await(name)
                time.sleep(self._random.uniform(0, AT_WORK_SECONDS))
            self._deal(name, blow)

    def _victim(self) -> tuple[str, str]:
        services = self._stage.services
        if services and self._random.random() < SERVICE_SHARE:
            service = self._random.choice(services)
            return service.name, self._random.choice(service.blows)
        return self._random.choice(self._stage.victims), "kill"

    def _await(self, name: str) -> None:
        until = time.monotonic() + BACK_SECONDS
        while name in self._struck and not self._is_at_work(name) and time.monotonic() < until:
            self._stage.processes.revive()
            time.sleep(LOOK_SECONDS)

    def _is_at_work(self, name: str) -> bool:
        """Whether it answers, or the helpdesks were called since it was struck."""
        if name != "web":
            return self._stage.calls() >= self._struck[name] + CALLS_AT_WORK
        try:
            return requests.get(f"{self._stage.web}/healthz", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def _deal(self, name: str, blow: str) -> None:
        for service in self._stage.services:
            if service.name == name:
                self._stage.processes.note(name, blow)
                service.strike(blow)
                return
        self._stage.processes.kill(name)
        self._struck[name] = self._stage.calls()
