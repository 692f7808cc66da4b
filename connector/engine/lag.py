"""How late things are: from a hint to its write, from a timer to its evaluation."""

from collections.abc import Iterable

from connector import telemetry
from connector.engine.schedule import Claim


def hinted(claim: Claim) -> float | None:
    """When the webhook came that led to this look, epoch seconds; None where none did."""
    told = claim.hinted_at
    return told if told is not None and claim.due_since <= told else None


def note_written(account: str, hinted_at: Iterable[float | None], at: float) -> None:
    """Tickets were written; their hints came at these instants. `at`: the commit after it."""
    lags = telemetry.HINT_TO_WRITTEN.labels(account)
    for since in hinted_at:
        if since is not None:
            lags.observe(max(0.0, at - since))


def note_timers(account: str, due: Iterable[float | None], at: float) -> None:
    """Tickets are evaluated `at`; those whose answer was to change before that are noted."""
    late = telemetry.TIMER_LATE.labels(account)
    for one in due:
        if one is not None and one <= at:
            late.observe(at - one)
