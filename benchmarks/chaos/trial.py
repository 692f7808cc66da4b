"""What one run of the kill test is: its size, its seed, and what takes part."""

from dataclasses import dataclass

DATABASES = ("sqlite", "postgres")
RUNNERS = ("embedded", "cluster")


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One run. The same seed has people do the same, and the same killed between the same acts."""

    database: str
    runner: str
    workers: int
    accounts: int
    events: int
    kills: int
    seed: int
    #: how long people work, but for pauses until a victim is back; seconds
    seconds: float
    #: share of the helpdesks' answers that go wrong
    faults: float
    #: within this after the last event everything must have come to rest, seconds
    patience: float = 480.0

    @property
    def command(self) -> str:
        """How to run it again."""
        return (
            f"python -m benchmarks.chaos --database {self.database} --runner {self.runner} "
            f"--workers {self.workers} --accounts {self.accounts} --events {self.events} "
            f"--kills {self.kills} --seconds {self.seconds:g} --faults {self.faults:g} "
            f"--seed {self.seed}"
        )
