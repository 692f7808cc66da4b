"""What somebody should look at, in words: what is wrong, and what to do about it. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from operations.standing import HEARTBEAT_MAX_AGE, AccountStanding, Feed, LeftAlone, Standing

CLOCK_WARNING_SECONDS = 300.0
FOUGHT_SECONDS = 86_400.0  # what was replaced a day ago and not since is over
START_A_WORKER = "Start one: deskclock run, or deskclock worker."
RESTART = "Restart the worker; nothing is lost by it. Its log may say what it was at."


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One thing to look at."""

    #: bad: promises are not kept up; warn: something is not as it should be
    tone: Literal["bad", "warn"]
    #: None: it is about deskclock as a whole
    account: str | None
    what: str
    #: what to do about it; empty where `what` says it
    advice: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """The state of an account, in words."""

    tone: Literal["good", "bad", "warn"]
    name: str
    says: str
    advice: str = ""


_STATES = {
    "ok": Words(tone="good", name="working", says="The helpdesk answers."),
    "held": Words(
        tone="bad",
        name="held",
        says="The helpdesk cannot be used at the moment. Its tickets stay due, none is lost.",
        advice="deskclock tries again by itself. If it lasts, look at the network and at the "
        "helpdesk's own status page.",
    ),
    "sign_in_needed": Words(
        tone="bad",
        name="sign-in needed",
        says="The helpdesk refuses our sign-in. Its tickets wait.",
        advice="Check sign_in of the account in deskclock.yaml against the helpdesk and restart "
        "deskclock; with flow: code run deskclock sign-in {account}.",
    ),
    "role_needed": Words(
        tone="bad",
        name="role needed",
        says="The helpdesk knows us, but our user, our client or the plan may not do what is "
        "needed. Its tickets wait.",
        advice="Grant what the error names; the page of the helpdesk in connector/helpdesks lists "
        "all that is needed. deskclock tries again by itself.",
    ),
    "suspended": Words(
        tone="bad",
        name="suspended",
        says="The helpdesk has suspended the account. Its tickets wait.",
        advice="Ask whoever pays for the helpdesk. deskclock tries again by itself.",
    ),
    "contested": Words(
        tone="warn",
        name="contested",
        says="Somebody else changes what deskclock writes, again and again; the fields named "
        "below are not written for an hour, and then tried again.",
        advice="Find the rule, app or person that writes them and stop it. On Freshdesk, where "
        "its own SLA policies overwrite the dates, choose mode: own_fields.",
    ),
}


def words(state: str | None, account: str) -> Words:
    """The state of an account, in words; None: no worker has seen it yet."""
    if state is None:
        return Words(
            tone="warn",
            name="not seen yet",
            says="No worker has looked at this account yet.",
            advice="A worker does so within a second of its start; if it runs, look at its log.",
        )
    known = _STATES.get(state)
    if known is None:
        return Words(tone="warn", name=state, says=f"Its state is {state}.")
    return replace(known, advice=known.advice.format(account=account))


def attention(now: Standing) -> tuple[Item, ...]:
    """What to look at, the worst first."""
    found = [*_worker(now), *_standing_still(now)]
    for account in now.accounts:
        for ask in _QUESTIONS:
            found += ask(account, now.at)
    return tuple(sorted(found, key=lambda one: one.tone != "bad"))


def worker_is_silent(now: Standing) -> bool:
    """Whether no worker was heard of for so long that none lives."""
    heard = now.worker_heard_at
    return heard is None or (now.at - heard).total_seconds() > HEARTBEAT_MAX_AGE


def _worker(now: Standing) -> Iterator[Item]:
    if not worker_is_silent(now):
        return
    heard = now.worker_heard_at
    what = "No worker has started yet: no ticket is looked at."
    if heard is not None:
        gone = span((now.at - heard).total_seconds())
        what = f"No worker has been heard of for {gone}: no ticket is looked at."
    yield Item(tone="bad", account=None, what=what, advice=START_A_WORKER)


def _standing_still(now: Standing) -> Iterator[Item]:
    for name, seconds in now.stuck.items():
        yield Item(
            tone="bad",
            account=name,
            what=f"A worker has stood still at this account for {span(seconds)}.",
            advice=RESTART,
        )
    for name in now.starved if not worker_is_silent(now) else ():
        yield Item(
            tone="bad",
            account=name,
            what="Its tickets have been due for minutes, and no worker calls the helpdesk.",
            advice=RESTART,
        )


def _state(account: AccountStanding, _at: datetime) -> Iterator[Item]:
    said = words(account.state, account.name)
    if said.tone != "good":
        what = f"{said.name.capitalize()}. {said.says}"
        yield Item(tone=said.tone, account=account.name, what=what, advice=said.advice)


def _silence(account: AccountStanding, at: datetime) -> Iterator[Item]:
    since = account.webhooks_silent_since
    if since is not None:
        yield Item(
            tone="bad",
            account=account.name,
            what=f"Webhooks have been silent for {span((at - since).total_seconds())}, though "
            "tickets change. What changed is found by the sync, later than it should be.",
            advice=f"In the helpdesk, see whether the webhook is active, calls …/webhooks/"
            f"{account.name} and signs with the secret of deskclock.yaml.",
        )


def _overwritten(account: AccountStanding, at: datetime) -> Iterator[Item]:
    latest = account.overwritten_at
    if latest is not None and (at - latest).total_seconds() < FOUGHT_SECONDS:
        times = "once" if account.overwritten == 1 else f"{account.overwritten:,} times"
        advice = "See which rule, app or person writes the same fields, and stop it."
        if account.mode == "native":
            advice = (
                "Freshdesk's own SLA engine may compute its dates anew: switch its SLA policies "
                "off for these tickets, or choose mode: own_fields."
            )
        yield Item(
            tone="warn",
            account=account.name,
            what=f"What deskclock wrote was replaced by something else {times} so far, the last "
            f"time {span((at - latest).total_seconds())} ago; {account.conceded:,} fields of "
            "single tickets were given up.",
            advice=advice,
        )


def _clock(account: AccountStanding, _at: datetime) -> Iterator[Item]:
    offset = account.clock_offset_seconds
    if abs(offset) > CLOCK_WARNING_SECONDS:
        way = "ahead of" if offset > 0 else "behind"
        yield Item(
            tone="warn",
            account=account.name,
            what=f"The helpdesk's clock is {span(abs(offset))} {way} ours. "
            "Dates follow the helpdesk's.",
            advice="Set the clock of this machine, or of the database's, by NTP.",
        )


def _feeds(account: AccountStanding, _at: datetime) -> Iterator[Item]:
    for one in account.feeds:
        if one.last_error is not None and one.state != "waiting":
            yield Item(
                tone="warn",
                account=account.name,
                what=f"{feed_name(one)}: the latest page could not be read: {one.last_error}",
                advice="deskclock tries the same page again by itself.",
            )


def _tickets(account: AccountStanding, _at: datetime) -> Iterator[Item]:
    parked, blocked = account.tickets.parked, account.tickets.write_blocked
    if parked:
        yield Item(
            tone="warn",
            account=account.name,
            what=f"{_counted(parked)} left alone, because looking at them failed again and again.",
            advice="The reasons stand below. A change of the ticket makes deskclock look again.",
        )
    if blocked:
        yield Item(
            tone="warn",
            account=account.name,
            what=f"{_counted(blocked)} not written, because the helpdesk refuses every write.",
            advice="The reasons stand below; most often a mandatory field is empty. "
            "Fill it, and deskclock writes at once.",
        )


def _counted(count: int) -> str:
    return "1 ticket is" if count == 1 else f"{count:,} tickets are"


def _advice(account: AccountStanding, _at: datetime) -> Iterator[Item]:
    for line in account.advice:
        yield Item(tone="warn", account=account.name, what=line, advice="")


def grouped(left_alone: Sequence[LeftAlone]) -> tuple[tuple[str, str, str], ...]:
    """Tickets that are left alone for the same reason, together: kind, reason, their numbers."""
    groups: dict[tuple[str, str], list[str]] = {}
    for one in left_alone:
        groups.setdefault((one.kind, one.reason), []).append(one.ticket_id)
    return tuple((kind, reason, ", ".join(ids)) for (kind, reason), ids in groups.items())


_QUESTIONS: tuple[Callable[[AccountStanding, datetime], Iterator[Item]], ...] = (
    _state,
    _silence,
    _overwritten,
    _clock,
    _feeds,
    _tickets,
    _advice,
)


def feed_name(feed: Feed) -> str:
    """A feed as people call it."""
    names = {"changes": "Changes", "full": "Backfill", "events": "Ticket history"}
    return names.get(feed.name, feed.name)


def span(seconds: float) -> str:
    """A length of time for people: its two largest units."""
    left = round(max(0.0, seconds))
    parts = []
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
        if parts and (len(parts) == 2 or not count):
            break
    return " ".join(parts) or "0 s"
