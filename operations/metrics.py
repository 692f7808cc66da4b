"""The figures for Prometheus: what the database says at each scrape, and what processes count."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import structlog
from flask import Blueprint, Response
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from connector.errors import StoreError
from connector.store.database import Database
from operations import sharing, standing
from operations.standing import AccountStanding, Served, Standing

STATES = ("ok", "held", "sign_in_needed", "role_needed", "suspended", "contested")

_log = structlog.get_logger("metrics")


def blueprint(database: Database | None, served: Sequence[Served] = ()) -> Blueprint:
    """The route `/metrics`; without a database only what processes count.

    While the database refuses, the same, and `deskclock_database_up` is 0.
    """
    made = Blueprint("metrics", __name__)
    figures = _Figures(database, served)

    @made.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(figures), content_type=CONTENT_TYPE_PLAIN_0_0_4)

    return made


class _Figures(Collector):
    """What Prometheus asks at each scrape."""

    def __init__(self, database: Database | None, served: Sequence[Served]) -> None:
        self._database = database
        self._served = served

    def collect(self) -> Iterator[Metric]:
        """All figures of one moment."""
        yield from sharing.counted()
        if self._database is not None:
            yield from self._stored(self._database)

    def _stored(self, database: Database) -> Iterator[Metric]:
        up = _gauge("database_up", "1 while the database answers.")
        try:
            now = standing.read(database, self._served)
        except StoreError as error:
            _log.warning("no figures of the database", reason=str(error))
            up.add_metric([], 0.0)
            yield up
            return
        up.add_metric([], 1.0)
        yield up
        yield from _worker(now)
        yield from _accounts(now)
        yield from _budget(now)
        yield from _tickets(now)
        yield from _sync(now)


def _gauge(name: str, says: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"deskclock_{name}", says, labels=labels)


def _counter(name: str, says: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"deskclock_{name}", says, labels=labels)


def _worker(now: Standing) -> Iterator[Metric]:
    age = _gauge("worker_heartbeat_age_seconds", "Since the latest sign of life of any worker.")
    if now.worker_heard_at is not None:
        age.add_metric([], _seconds(now.worker_heard_at, now.at))
    workers = _gauge("workers", "Workers that were heard of lately.")
    workers.add_metric([], now.workers)
    stuck = _gauge(
        "lane_stuck_seconds", "Since a lane got on that stands still in a living worker.", "account"
    )
    starved = _gauge(
        "account_starved", "1 while tickets are due for minutes and nobody calls.", "account"
    )
    for one in now.accounts:
        stuck.add_metric([one.name], now.stuck.get(one.name, 0.0))
        starved.add_metric([one.name], float(one.name in now.starved))
    yield from (age, workers, stuck, starved)


def _accounts(now: Standing) -> Iterator[Metric]:
    state = _gauge("account_state", "1 for the state that the account is in.", "account", "state")
    offset = _gauge("clock_offset_seconds", "The helpdesk's clock minus ours.", "account")
    silent = _gauge(
        "webhooks_silent", "1 while tickets change and no webhook tells of them.", "account"
    )
    overwritten = _counter(
        "overwritten", "Writes of ours that something else had replaced.", "account"
    )
    conceded = _counter("conceded", "Fields of single tickets that were given up.", "account")
    for one in now.accounts:
        overwritten.add_metric([one.name], one.overwritten)
        conceded.add_metric([one.name], one.conceded)
        for name in _states(one):
            state.add_metric([one.name, name], float(one.state == name))
        offset.add_metric([one.name], one.clock_offset_seconds)
        silent.add_metric([one.name], float(one.webhooks_silent_since is not None))
    yield from (state, offset, silent, overwritten, conceded)


def _states(one: AccountStanding) -> Sequence[str]:
    """The states that are told: those that we know, and the one it is in."""
    return tuple(dict.fromkeys((*STATES, one.state))) if one.state is not None else ()


def _budget(now: Standing) -> Iterator[Metric]:
    labels = ("account", "bucket")
    allowance = _gauge("budget_allowance", "Calls that the helpdesk allows per window.", *labels)
    used = _gauge("budget_used", "Calls of ours that still count.", *labels)
    remaining = _gauge("budget_remaining", "Calls left to all tools.", *labels)
    blocked = _gauge(
        "budget_blocked_seconds", "Until calls may be made again after a refusal.", *labels
    )
    refusals = _counter("budget_refusals", "Answers of 429.", *labels)
    waits = _counter("budget_waits", "Calls that had to wait for our share.", *labels)
    waited = _counter("budget_waited_seconds", "Seconds that were waited for our share.", *labels)
    for account in now.accounts:
        for one in (limit for limit in account.limits if ":" not in limit.name):
            where = [account.name, one.name]
            if one.allowance is not None:
                allowance.add_metric(where, one.allowance)
            if one.remaining is not None:
                remaining.add_metric(where, one.remaining)
            used.add_metric(where, one.used)
            blocked.add_metric(where, _seconds(now.at, one.blocked_until or now.at))
            refusals.add_metric(where, one.refusals)
            waits.add_metric(where, one.waits)
            waited.add_metric(where, one.waited_seconds)
    yield from (allowance, used, remaining, blocked, refusals, waits, waited)


def _tickets(now: Standing) -> Iterator[Metric]:
    due = _gauge("due_tickets", "Tickets that are to be looked at now.", "account")
    oldest = _gauge(
        "oldest_due_seconds",
        "How long the oldest ticket is due that a webhook or a timer asks for.",
        "account",
    )
    parked = _gauge("parked_tickets", "Tickets left alone until somebody asks.", "account")
    blocked = _gauge(
        "write_blocked_tickets", "Tickets whose every write the helpdesk refuses.", "account"
    )
    for one in now.accounts:
        due.add_metric([one.name], one.tickets.due)
        oldest.add_metric([one.name], one.tickets.oldest_due_seconds)
        parked.add_metric([one.name], one.tickets.parked)
        blocked.add_metric([one.name], one.tickets.write_blocked)
    yield from (due, oldest, parked, blocked)


def _sync(now: Standing) -> Iterator[Metric]:
    labels = ("account", "feed")
    age = _gauge("sync_position_age_seconds", "How far reading is behind the present.", *labels)
    pages = _counter("sync_pages", "Pages that were read.", *labels)
    missed = _counter("sync_missed", "Changed answers of which no webhook told.", *labels)
    for account in now.accounts:
        for one in account.feeds:
            where = [account.name, one.name]
            if one.behind_seconds is not None:
                age.add_metric(where, one.behind_seconds)
            pages.add_metric(where, one.figures.get("pages", 0))
            missed.add_metric(where, one.figures.get("missed", 0))
    yield from (age, pages, missed)


def _seconds(begin: datetime, end: datetime) -> float:
    return (end - begin).total_seconds()
