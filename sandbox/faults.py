"""Faults that a local helpdesk shows on demand: slowness, refusals, and broken answers."""

import random
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(ms|s)$")
_NAMES = {"429": "refused", "429-bare": "refused_bare", "500": "error", "502": "gateway"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Faults:
    """What goes wrong: `latency` in seconds, everything else a share of the calls (0 to 1)."""

    latency: float = 0.0
    refused: float = 0.0
    refused_bare: float = 0.0
    error: float = 0.0
    gateway: float = 0.0
    reset: float = 0.0
    truncate: float = 0.0

    def as_json(self) -> dict[str, float]:
        """The faults by the names that a spec uses."""
        spec_names = {attribute: name for name, attribute in _NAMES.items()}
        return {spec_names.get(f.name, f.name): getattr(self, f.name) for f in fields(self)}


def parse_faults(spec: str) -> Faults:
    """Read `latency=50ms,429=0.05,500=0.02,reset=0.01`.

    Raises ValueError for an unknown name, a duration without a unit, or a share outside 0 to 1.
    """
    faults = Faults()
    for part in filter(None, (piece.strip() for piece in spec.split(","))):
        name, _, value = part.partition("=")
        faults = replace(faults, **{_attribute(name): _amount(name, value)})
    return faults


def faults_from_json(document: dict[str, Any]) -> Faults:
    """Faults from `{"spec": …}` or `{"latency": "50ms", "429": 0.05}`; what is absent is off.

    Raises ValueError as `parse_faults` does.
    """
    if "spec" in document:
        return parse_faults(str(document["spec"]))
    return parse_faults(",".join(f"{name}={value}" for name, value in document.items()))


def _attribute(name: str) -> str:
    attribute = _NAMES.get(name, name)
    known = {field.name for field in fields(Faults)}
    if attribute not in known or (attribute == name and name in _NAMES.values()):
        names = ["latency", *_NAMES, "reset", "truncate"]
        message = f"unknown fault {name!r}; known faults are {', '.join(names)}"
        raise ValueError(message)
    return attribute


def _amount(name: str, value: str) -> float:
    return _seconds(value) if name == "latency" else _share(name, value)


def _seconds(value: str) -> float:
    match = _DURATION.match(value)
    if match is None and value not in ("0", "0.0"):
        message = f"latency is a duration such as 50ms or 0.2s, not {value!r}"
        raise ValueError(message)
    if match is None:
        return 0.0
    return float(match[1]) / (1000 if match[2] == "ms" else 1)


def _share(name: str, value: str) -> float:
    try:
        share = float(value)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        message = f"{name} is a share of the calls between 0 and 1, not {value!r}"
        raise ValueError(message)
    return share


@dataclass(frozen=True, kw_only=True, slots=True)
class Strike:
    """What happens to one call. `late` faults strike after the call took effect."""

    latency: float
    fault: str | None
    late: bool


class FaultBox:
    """Decides the fate of each call, in the same order for the same seed."""

    def __init__(self, faults: Faults, *, seed: int, save: Callable[[Faults], None]) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(seed)  # noqa: S311
        self._save = save
        self.faults = faults

    def set(self, faults: Faults) -> None:
        """From now on show these faults."""
        self.faults = faults
        self._save(faults)

    def strike(self) -> Strike:
        """Draw the fate of the next call."""
        with self._lock:
            draw, late = self._random.random(), self._random.random() < 0.5
        for name in ("refused", "refused_bare", "error", "gateway", "reset", "truncate"):
            share = getattr(self.faults, name)
            if draw < share:
                happens_late = name == "truncate" or (name in ("gateway", "reset") and late)
                return Strike(latency=self.faults.latency, fault=name, late=happens_late)
            draw -= share
        return Strike(latency=self.faults.latency, fault=None, late=False)
