"""What a process counts while it works, for Prometheus; and the signs that its lanes go on.

Labels are accounts of the configuration and endpoints without ids: their number is bounded.
"""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

disable_created_metrics()  # they would double the number of series, and nothing here asks for it

REGISTRY = CollectorRegistry()
UNKNOWN = "?"  #: in the place of an account that is not in the configuration; no name looks so

_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
_CALL_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 300)


def _counter(name: str, says: str, *labels: str) -> Counter:
    return Counter(f"deskclock_{name}", says, labels, registry=REGISTRY)


def _histogram(name: str, says: str, buckets: Sequence[float], *labels: str) -> Histogram:
    return Histogram(f"deskclock_{name}", says, labels, buckets=buckets, registry=REGISTRY)


#: result: accepted, duplicate, ignored (names no ticket) or refused
DELIVERIES = _counter(
    "deliveries", "Deliveries of webhooks by what became of them.", "account", "result", "status"
)
HINT_TO_WRITTEN = _histogram(
    "hint_to_written_seconds",
    "From a webhook's arrival to the commit after the write that it led to.",
    _SECONDS,
    "account",
)
PASS_SECONDS = _histogram("pass_seconds", "What a lane took for a batch.", _SECONDS, "account")
#: kind: look or write
BATCH_TICKETS = _histogram("batch_tickets", "Tickets in one batch.", _SIZES, "account", "kind")
TIMER_LATE = _histogram(
    "timer_late_seconds",
    "From the instant at which an answer was to change to its evaluation.",
    _SECONDS,
    "account",
)
VENDOR_CALLS = _counter(
    "vendor_calls", "Requests to helpdesks; status 0: no answer.", "account", "endpoint", "status"
)
VENDOR_CALL_SECONDS = _histogram(
    "vendor_call_seconds", "What requests to helpdesks took.", _CALL_SECONDS, "account"
)
VENDOR_RETRIES = _counter(
    "vendor_retries", "Requests that were made once more at once.", "account", "endpoint"
)
WRITTEN = _counter("tickets_written", "Tickets that were written.", "account")
#: outcome: again, parked, blocked, read_only, gone, missing or conflict
TICKET_FAILURES = _counter(
    "ticket_failures", "Looks that failed because of their ticket.", "account", "outcome"
)
#: result: sent, failed or given_up
NOTICES = _counter("notices", "Tries to tell of steps of escalations.", "account", "result")

_steps: dict[str, int] = {}


def called(account: str, endpoint: str, status: int, seconds: float) -> None:
    """A request to a helpdesk has ended; `endpoint` holds no id, status 0 means no answer."""
    VENDOR_CALLS.labels(account, endpoint, status).inc()
    VENDOR_CALL_SECONDS.labels(account).observe(seconds)
    went_on(account)


def repeated(account: str, endpoint: str) -> None:
    """A request to a helpdesk is about to be made once more."""
    VENDOR_RETRIES.labels(account, endpoint).inc()


def went_on(account: str) -> None:
    """The account's lane has got on with something."""
    _steps[account] = _steps.get(account, 0) + 1  # threads may lose one; that it moves is enough


def steps(account: str) -> int:
    """A figure that moves for as long as the account's lane gets on, in this process."""
    return _steps.get(account, 0)
