"""What both local helpdesks are built on, in one value."""

from dataclasses import dataclass

from sandbox.clock import Clock
from sandbox.deliveries import Sender
from sandbox.limits import Limiter
from sandbox.state import State


@dataclass(frozen=True, kw_only=True, slots=True)
class Core:
    """The shared parts. `plan` names the vendor's rate limits, `job_seconds` how long jobs take."""

    state: State
    clock: Clock
    sender: Sender
    limiter: Limiter
    plan: str
    job_seconds: float
