"""Faults that a local helpdesk shows on demand: slowness, refusals, and broken answers."""

import math
import random
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(ms|s)$")
_LONGEST = 3600.0


class Fault(StrEnum):
    """What can go wrong with a call, by the attribute of `Faults` that says how often."""

    REFUSED = "refused"
    REFUSED_BARE = "refused_bare"
    SIGNED_OUT = "signed_out"
    FORBIDDEN = "forbidden"
    ERROR = "error"
    GATEWAY = "gateway"
    MAINTENANCE = "maintenance"
    RESET = "reset"
    TRUNCATE = "truncate"
    GARBAGE = "garbage"
    SLOW = "slow"
    STALE = "stale"


_NAMES = {
    "429": "refused", "429-bare": "refused_bare", "401": "signed_out", "403": "forbidden",
    "500": "error", "502": "gateway", "503": "maintenance", "retry-after": "retry_after_seconds",
    "slow-seconds": "slow_seconds", "stale-seconds": "stale_seconds",
}  # fmt: skip
_SECONDS = ("latency", "slow_seconds", "stale_seconds", "retry_after_seconds")
# The rest is always early (a refusal) or always late (an answer that is spoilt).
_EITHER = (Fault.ERROR, Fault.GATEWAY, Fault.MAINTENANCE, Fault.RESET, Fault.GARBAGE)
_ALWAYS_LATE = (Fault.TRUNCATE, Fault.SLOW)


@dataclass(frozen=True, kw_only=True, slots=True)
class Faults:
    """What goes wrong: times in seconds, everything else a share of the calls (0 to 1).

    `slow_seconds` is how long a slow body takes, `stale_seconds` for how long a change may stay
    unseen, `retry_after_seconds` what a fault's Retry-After says. `late` is the share of errors,
    resets and garbage that come only after the call took effect.
    """

    latency: float = 0.0
    refused: float = 0.0
    refused_bare: float = 0.0
    signed_out: float = 0.0
    forbidden: float = 0.0
    error: float = 0.0
    gateway: float = 0.0
    maintenance: float = 0.0
    reset: float = 0.0
    truncate: float = 0.0
    garbage: float = 0.0
    slow: float = 0.0
    slow_seconds: float = 2.0
    stale: float = 0.0
    stale_seconds: float = 30.0
    late: float = 0.5
    retry_after_seconds: float = 1.0

    def __post_init__(self) -> None:
        """A call has one fault at most. Raises ValueError when the shares leave no room."""
        if sum(getattr(self, fault) for fault in Fault) > 1 + 1e-9:
            raise ValueError("the shares of the faults add up to more than 1")

    def as_json(self) -> dict[str, float]:
        """The faults by the names that a spec uses."""
        return {_spec_name(f.name): getattr(self, f.name) for f in fields(self)}


def parse_faults(spec: str) -> Faults:
    """Read `latency=50ms,429=0.05,slow=0.1,slow-seconds=5`.

    Raises ValueError for an unknown name, a duration that is none, or a share outside 0 to 1.
    """
    wanted: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in spec.split(","))):
        name, _, value = part.partition("=")
        wanted[name.strip()] = value.strip()
    return _faults(wanted)


def faults_from_json(document: Mapping[str, Any]) -> Faults:
    """Faults from `{"spec": …}` or `{"latency": "50ms", "429": 0.05}`; what is absent is off.

    Raises ValueError as `parse_faults` does.
    """
    if "spec" in document:
        return parse_faults(str(document["spec"]))
    return _faults({name: str(value) for name, value in document.items()})


def _faults(wanted: Mapping[str, str]) -> Faults:
    given = [(name, _attribute(name), value) for name, value in wanted.items()]
    return replace(Faults(), **{attr: _amount(name, attr, value) for name, attr, value in given})


def _spec_name(attribute: str) -> str:
    return next((name for name, known in _NAMES.items() if known == attribute), attribute)


def _attribute(name: str) -> str:
    known = {_spec_name(field.name): field.name for field in fields(Faults)}
    if name not in known:
        message = f"unknown fault {name!r}; known faults are {', '.join(known)}"
        raise ValueError(message)
    return known[name]


def _amount(name: str, attribute: str, value: str) -> float:
    return _seconds(name, value) if attribute in _SECONDS else _share(name, value)


def _seconds(name: str, value: str) -> float:
    match = _DURATION.match(value)
    seconds = float(match[1]) / (1000 if match[2] == "ms" else 1) if match else _number(value)
    bare = match is None and name == "latency" and seconds != 0
    if bare or not 0 <= seconds <= _LONGEST:
        message = f"{name} is a duration such as 50ms or 0.2s, at most an hour, not {value!r}"
        raise ValueError(message)
    return seconds


def _share(name: str, value: str) -> float:
    share = _number(value)
    if not 0 <= share <= 1:
        message = f"{name} is a share of the calls between 0 and 1, not {value!r}"
        raise ValueError(message)
    return share


def _number(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        return -1.0
    return number if math.isfinite(number) else -1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Strike:
    """What happens to one call. `late` faults strike after the call took effect.

    `pick` is a number from 0 to 1 that chooses among the ways in which the fault can show.
    """

    faults: Faults
    fault: Fault | None
    late: bool
    pick: float


class FaultBox:
    """Decides the fate of each call: the n-th after `set` is the same for the same seed."""

    def __init__(self, faults: Faults, *, seed: int, save: Callable[[Faults], None]) -> None:
        self._lock = threading.Lock()
        self._seed = seed
        self._random = random.Random(seed)  # noqa: S311
        self._save = save
        self.faults = faults

    def set(self, faults: Faults) -> None:
        """From now on show these faults."""
        with self._lock:
            self._random = random.Random(self._seed)  # noqa: S311
            self.faults = faults
        self._save(faults)

    def strike(self) -> Strike:
        """Draw the fate of the next call."""
        with self._lock:
            faults = self.faults
            draw, lateness, pick = (self._random.random() for _ in range(3))
        fault = _drawn(faults, draw)
        late = fault in _ALWAYS_LATE or (fault in _EITHER and lateness < faults.late)
        return Strike(faults=faults, fault=fault, late=late, pick=pick)


def _drawn(faults: Faults, draw: float) -> Fault | None:
    for fault in Fault:
        share: float = getattr(faults, fault)
        if draw < share:
            return fault
        draw -= share
    return None
