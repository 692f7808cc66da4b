"""Zendesk's ticket search: the query language, as far as tickets are searched with it here."""

import heapq
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sandbox.bodies import object_id
from sandbox.clock import epoch, iso, parse_instant
from sandbox.state import Doc, State
from sandbox.zendesk.changes import PRIORITIES, STATUSES, TYPES
from sandbox.zendesk.errors import ZendeskError
from sandbox.zendesk.people import People

MOST_RESULTS = 1000
_BATCH = 1000
_FEW = 5000
_TERM = re.compile(r"(-?)([a-z_0-9]+)(<=|>=|[:<>])(.*)", re.IGNORECASE | re.DOTALL)
_SPAN = re.compile(r"(\d{1,9})(minutes?|hours?|days?|weeks?|months?|years?)")
_SPAN_SECONDS = {
    "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 2_592_000,
    "year": 31_536_000,
}  # fmt: skip
_INSTANTS = {"created": "created_at", "updated": "updated_at", "solved": "solved_at"}
_ORDERS: dict[str, Sequence[str]] = {"status": STATUSES, "priority": PRIORITIES}
_WORDS = {"ticket_type": "type", "subject": "subject", "description": "description"}
_PEOPLE = {
    "requester": "requester_id",
    "assignee": "assignee_id",
    "submitter": "submitter_id",
}
_NUMBERS = {
    "group": "group_id", "brand": "brand_id", "form": "ticket_form_id", "id": "id",
    "external_id": "external_id", "custom_status_id": "custom_status_id",
}  # fmt: skip
_SORTS: dict[str, Callable[[Doc], Any]] = {
    "created_at": lambda ticket: ticket["created_at"],
    "updated_at": lambda ticket: ticket["updated_at"],
    "priority": lambda ticket: _rank(PRIORITIES, ticket["priority"]),
    "status": lambda ticket: _rank(STATUSES, ticket["status"]),
    "ticket_type": lambda ticket: _rank(TYPES, ticket["type"]),
}
Test = Callable[[Doc], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """A search: what a ticket must fulfil, which statuses it can have, and the order."""

    tests: Sequence[Test]
    statuses: Sequence[str]
    sort_by: str
    descending: bool

    def matches(self, ticket: Doc) -> bool:
        """Whether a ticket is found."""
        return all(test(ticket) for test in self.tests)

    @property
    def everything(self) -> bool:
        """Whether nothing but the status decides."""
        return not self.tests


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The number of all results, and the first of them in their order."""

    count: int
    tickets: Sequence[Doc]


class Search:
    """Finds tickets; of more than `few` it reads no more than it shows, where that can be."""

    def __init__(self, state: State, people: People, *, few: int = _FEW) -> None:
        self._state = state
        self._people = people
        self._few = few

    def read(
        self, text: str, *, now: datetime, lag: int, sort_by: str | None, sort_order: str | None
    ) -> Query:
        """A query as it is written; tickets younger than `lag` seconds are not found yet.

        Raises ZendeskError 422 for a query that cannot be understood.
        """
        reader = _Reader(self._people, now)
        for word in _split(text):
            reader.take(word)
        if lag:
            newest = iso(now - timedelta(seconds=lag))
            reader.tests.append(lambda ticket: ticket["created_at"] <= newest)
        order = sort_by or reader.order.get("order_by", "updated_at")
        if order not in _SORTS:
            raise invalid_search(f"sort_by: {order} is not one of {', '.join(_SORTS)}")
        way = sort_order or reader.order.get("sort", "desc")
        return Query(
            tests=reader.tests,
            statuses=reader.statuses,
            sort_by=order,
            descending=way != "asc",
        )

    def count(self, query: Query) -> int:
        """How many tickets are found."""
        if query.everything:
            return sum(self._state.count_children("ticket", one) for one in query.statuses)
        return sum(1 for ticket in self._candidates(query) if query.matches(ticket))

    def find(self, query: Query, most: int = MOST_RESULTS) -> Found:
        """The first `most` results."""
        if query.everything and query.sort_by == "created_at":
            total = self.count(query)
            if total > self._few:
                return Found(count=total, tickets=self._by_creation(query, most))
        total = 0

        def counted() -> Iterator[Doc]:
            nonlocal total
            for ticket in self._candidates(query):
                if query.matches(ticket):
                    total += 1
                    yield ticket

        tickets = _best(counted(), query, most)
        return Found(count=total, tickets=tickets)

    def _by_creation(self, query: Query, most: int) -> list[Doc]:
        """The first results among very many, without reading them all."""
        found: list[Doc] = []
        batches = self._newest_first() if query.descending else self._oldest_first()
        for batch in batches:
            found += [ticket for ticket in batch if ticket["status"] in query.statuses]
            if len(found) >= most:
                break
        return found[:most]

    def _oldest_first(self) -> Iterator[list[Doc]]:
        second = skip = 0
        while batch := self._state.page(
            "ticket", sort="created", created_from=second, limit=_BATCH, offset=skip
        ):
            yield batch
            last = epoch(batch[-1]["created_at"])
            same = sum(1 for ticket in batch if epoch(ticket["created_at"]) == last)
            second, skip = last, same + (skip if last == second else 0)

    def _newest_first(self) -> Iterator[list[Doc]]:
        offset = 0
        while batch := self._state.page(
            "ticket", sort="created", descending=True, limit=_BATCH, offset=offset
        ):
            yield batch
            offset += _BATCH

    def _candidates(self, query: Query) -> Iterator[Doc]:
        if "closed" not in query.statuses and "solved" not in query.statuses:
            for status in query.statuses:
                yield from self._state.children("ticket", status)
            return
        wanted, moved, key = set(query.statuses), 0, -1
        while rows := self._state.moved_after(
            "ticket", moved=moved, key=key, before=2**62, limit=_BATCH
        ):
            yield from (ticket for _, ticket in rows if ticket["status"] in wanted)
            moved, key = rows[-1][0], rows[-1][1]["id"]


class _Reader:
    """Reads one query, word by word."""

    def __init__(self, people: People, now: datetime) -> None:
        self._people = people
        self._now = now
        self.tests: list[Test] = []
        self.statuses: list[str] = list(STATUSES)
        self.order: dict[str, str] = {}

    def take(self, word: str) -> None:
        term = _TERM.fullmatch(word)
        if term is None:
            self._text(word)
            return
        negated, name, how, value = term[1] == "-", term[2].lower(), term[3], term[4]
        if name in ("order_by", "sort"):
            self.order[name] = value.lower()
        elif name == "status":
            self._status(negated, how, value)
        elif name != "type":
            test = self._test(name, how, value)
            self.tests.append((lambda ticket: not test(ticket)) if negated else test)
        elif value.lower() != "ticket":
            raise invalid_search(f"only tickets can be searched here, not type:{value}")

    def _text(self, word: str) -> None:
        wanted, negated = word.removeprefix("-").lower(), word.startswith("-")

        def test(ticket: Doc) -> bool:
            text = f"{ticket['subject']} {ticket['description']} {' '.join(ticket['tags'])}".lower()
            return (wanted in text) != negated

        self.tests.append(test)

    def _status(self, negated: bool, how: str, value: str) -> None:
        words = [word.lower() for word in value.split(",")]
        unknown = [word for word in words if word not in STATUSES]
        if unknown:
            raise invalid_search(f"status: {unknown[0]} is not known")
        fits = _comparison(how)
        kept = {s for s in STATUSES for w in words if fits(STATUSES.index(s), STATUSES.index(w))}
        self.statuses = [one for one in self.statuses if (one in kept) != negated]

    def _test(self, name: str, how: str, value: str) -> Test:
        if name in _INSTANTS:
            return self._instant(_INSTANTS[name], how, value)
        if name == "priority":
            fits, rank = _comparison(how), _rank(PRIORITIES, value.lower())
            return lambda ticket: fits(_rank(PRIORITIES, ticket["priority"]), rank)
        if name in ("tags", "tag"):
            return _tags(value)
        if name in _PEOPLE:
            return self._person(_PEOPLE[name], value)
        if name.startswith("custom_field_"):
            return _custom_field(name.removeprefix("custom_field_"), value)
        if name == "organization":
            return self._organization(value)
        return _plain(name, value)

    def _instant(self, name: str, how: str, value: str) -> Test:
        start, end = self._interval(value)
        metric = name == "solved_at"

        def test(ticket: Doc) -> bool:
            text = ticket["_metrics"]["solved_at"] if metric else ticket[name]
            if text is None:
                return False
            at = epoch(text)
            by_operator = {
                ":": start <= at < end,
                ">": at >= end if end - start > 1 else at > start,
                ">=": at >= start,
                "<": at < start,
                "<=": at < end,
            }
            return by_operator[how]

        return test

    def _interval(self, value: str) -> tuple[int, int]:
        span = _SPAN.fullmatch(value.lower())
        if span is not None:
            seconds = int(span[1]) * _SPAN_SECONDS[span[2].removesuffix("s")]
            at = int(self._now.timestamp()) - seconds
            return at, at + 1
        try:
            if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
                day = datetime.combine(date.fromisoformat(value), datetime.min.time(), UTC)
                return int(day.timestamp()), int(day.timestamp()) + 86_400
            at = int(parse_instant(value).timestamp())
        except ValueError as error:
            raise invalid_search(f"{value} is no date") from error
        return at, at + 1

    def _person(self, name: str, value: str) -> Test:
        if value.lower() == "none":
            return lambda ticket: ticket[name] is None
        user = self._people.by_email(value)
        wanted = user["id"] if user else object_id(value) or -1
        return lambda ticket: ticket[name] == wanted

    def _organization(self, value: str) -> Test:
        if value.lower() == "none":
            return lambda ticket: ticket["organization_id"] is None
        people = self._people
        return lambda ticket: (
            value in (str(ticket["organization_id"]),)
            or people.organization_name(ticket["organization_id"]).lower() == value.lower()
        )


def _plain(name: str, value: str) -> Test:
    wanted = value.lower()
    if name in _WORDS:
        key = _WORDS[name]
        if key == "type":
            return lambda ticket: (ticket["type"] or "none") == wanted
        return lambda ticket: wanted in str(ticket[key]).lower()
    if name in _NUMBERS:
        return lambda ticket: str(ticket[_NUMBERS[name]]).lower() == wanted
    if name == "via":
        return lambda ticket: ticket["via"]["channel"] == wanted
    raise invalid_search(f"{name} cannot be searched for here")


def _tags(value: str) -> Test:
    wanted = set(value.lower().split(","))
    if wanted == {"none"}:
        return lambda ticket: not ticket["tags"]
    return lambda ticket: bool(wanted & set(ticket["tags"]))


def _custom_field(field_id: str, value: str) -> Test:
    def test(ticket: Doc) -> bool:
        held = ticket["_values"].get(field_id)
        values = held if isinstance(held, list) else [held]
        if value == "*":
            return held is not None
        return value.lower() in [str(one).lower() for one in values]

    return test


def _comparison(how: str) -> Callable[[int, int], bool]:
    return {
        ":": lambda a, b: a == b,
        "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b,
        ">": lambda a, b: a > b,
        ">=": lambda a, b: a >= b,
    }[how]


def _rank(words: Sequence[str], word: str | None) -> int:
    return words.index(word) if word in words else -1


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _best(tickets: Iterable[Doc], query: Query, most: int) -> list[Doc]:
    key = _SORTS[query.sort_by]
    choose = heapq.nlargest if query.descending else heapq.nsmallest
    return choose(most, tickets, key=lambda ticket: (key(ticket), ticket["id"]))


def invalid_search(text: str) -> ZendeskError:
    """A search that is refused."""
    return ZendeskError(422, {"error": "invalid", "description": f"Invalid search: {text}"})


def too_deep() -> ZendeskError:
    """A page beyond the thousandth result."""
    return invalid_search("Requested response size was greater than Search Response Limits")
