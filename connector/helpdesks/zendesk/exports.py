"""Zendesk's incremental exports, page after page: what changed, and what happened."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from connector.errors import HelpdeskUnreachable, OutcomeUnknown, RoleMissing
from connector.helpdesks.base import JSONObject
from connector.helpdesks.zendesk.refusals import reason_of
from connector.helpdesks.zendesk.values import DELETED
from connector.helpdesks.zendesk.webhook import TICKET_ID
from connector.http import Answer, Session
from mappings.written import instant

TICKETS = "/api/v2/incremental/tickets/cursor"
EVENTS = "/api/v2/incremental/ticket_events"
SIZES = (1000, 500, 250, 100)  # rows of a page; the next smaller when no answer comes in time
TRIES = 2  # page sizes that one call tries; the lease must outlive it
GROWS_AFTER = 20  # pages of a smaller size, then the next larger one is tried
WITHHELD = timedelta(seconds=61)  # Zendesk keeps the newest minute back, to the second
LATEST = 2**32  # Unix time, in the year 2106; what is later is nonsense
RECENT = 120  # seconds; a start that is younger is refused for its age, whatever the text says


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """One page of an export."""

    #: the rows, the oldest change first
    rows: tuple[JSONObject, ...]
    #: the whole answer, for what stands beside the rows
    document: JSONObject
    cursor: JSONObject
    end: bool
    #: all before this instant of Zendesk's clock was shown; None: not told
    position: datetime | None


class Exports:
    """One account's exports. A page that leads nowhere is an error, never a loop.

    `beside`: what is read with every ticket.
    """

    def __init__(self, session: Session, *, beside: str) -> None:
        self._session = session
        self._beside = beside
        self._sizes: dict[str, int] = {}
        #: cursors that led nowhere; the next call begins again where they stood
        self._stuck: set[str] = set()

    def tickets(self, cursor: JSONObject | None, since: datetime) -> Exported:
        """Tickets by `generated_timestamp`, by cursor."""
        kept = cursor or {}
        after, begun = self._begin(kept, since)
        where = {"start_time": str(begun)} if after is None else {"cursor": after}
        answer = self._fetch(TICKETS, {**where, "include": self._beside}, kept)
        if after is None and _is_too_recent(answer, begun):
            return _nothing({"since": begun}, answer)
        if not answer.ok and after is not None:
            self._stuck.add(after)
        document = _document(answer, TICKETS)
        rows = _rows(document, "tickets")
        following = _text(document.get("after_cursor")) or after
        end = _is_end(document, following == after)
        if not end and following == after:
            self._stuck.update({after} if after else ())
            raise HelpdeskUnreachable(
                f"GET {TICKETS}: the cursor does not advance; it is begun again at its position"
            )
        shown = max(map(_moved, rows), default=0) or _number(kept.get("position")) or 0
        follow: JSONObject = {"since": begun} if following is None else {"after": following}
        follow |= {"position": shown} if shown else {}
        return Exported(
            rows=rows,
            document=document,
            cursor=self._with_size(TICKETS, follow, kept, end=end),
            end=end,
            position=_position(answer, shown, end=end),
        )

    def events(self, cursor: JSONObject | None, since: datetime) -> Exported:
        """Updates of tickets by their time. Pages overlap by a second; no row is given twice."""
        kept = cursor or {}
        start = _number(kept.get("since")) or _seconds(since)
        seen = {str(one) for one in _list(kept.get("seen"))}
        params = {"start_time": str(start), "include": "comment_events"}
        answer = self._fetch(EVENTS, params, kept)
        if _is_too_recent(answer, start):
            return _nothing({"since": start, "seen": sorted(seen)}, answer)
        document = _document(answer, EVENTS)
        rows = _rows(document, "ticket_events")
        following = _following(document) or start
        full = len(rows) >= self._size(EVENTS, kept)
        end = _is_end(document, not full)
        if not end and following <= start:
            # a second that holds more than a page pins this export: it is stepped over, and the
            # histories that lack something are read ticket by ticket
            following, end = (start + 1, False) if full else (start, True)
        following = max(following, start)
        last = {str(row.get("id")) for row in rows if (when(row) or 0) >= following}
        last |= seen if following == start else set()
        follow: JSONObject = {"since": following, "seen": sorted(last)}
        return Exported(
            rows=tuple(row for row in rows if str(row.get("id")) not in seen),
            document=document,
            cursor=self._with_size(EVENTS, follow, kept, end=end),
            end=end,
            position=_position(answer, following, end=end),
        )

    def _begin(self, kept: JSONObject, since: datetime) -> tuple[str | None, int]:
        """The cursor to go on with, or None and the second to begin at."""
        after, begun = _text(kept.get("after")), _number(kept.get("since")) or _seconds(since)
        if after is None or after not in self._stuck:
            return after, begun
        self._stuck.discard(after)
        return None, _number(kept.get("position")) or begun

    def _fetch(self, path: str, params: Mapping[str, str], kept: JSONObject) -> Answer:
        """One page, a smaller one when none comes in time. Asking for the same again is no help."""
        for _ in range(TRIES):
            size = self._size(path, kept)
            asked = {**params, "per_page": str(size)}
            try:
                return self._session.call("GET", path, params=asked, repeatable=False)
            except RoleMissing as error:
                raise RoleMissing(f"GET {path}: {error}; the exports need an admin") from None
            except OutcomeUnknown as error:  # it was sent, and no answer came that can be used
                failed = error
                self._sizes[path] = next((one for one in SIZES if one < size), SIZES[-1])
        raise HelpdeskUnreachable(str(failed), retry_after=failed.retry_after)

    def _size(self, path: str, kept: JSONObject) -> int:
        sizes = (self._sizes.get(path), _number(kept.get("per_page")))
        return min(one for one in (SIZES[0], *sizes) if one)

    def _with_size(
        self, path: str, follow: JSONObject, kept: JSONObject, *, end: bool
    ) -> JSONObject:
        """A page that was made smaller stays so for a while, or until the export has caught up."""
        size = self._size(path, kept)
        if end or size == SIZES[0]:
            self._sizes.pop(path, None)
            return follow
        pages = 1 + (_number(kept.get("pages")) or 0 if kept.get("per_page") == size else 0)
        if pages >= GROWS_AFTER:
            pages, size = 0, min(one for one in SIZES if one > size)
            self._sizes[path] = size
        return {**follow, "per_page": size, "pages": pages}


def newest(rows: Iterable[JSONObject]) -> list[JSONObject]:
    """Each ticket once, as its largest `generated_timestamp` shows it; in the order of those."""
    found: dict[str, JSONObject] = {}
    for row in rows:
        ticket_id = str(row.get("id"))
        if not TICKET_ID.fullmatch(ticket_id):
            continue
        if ticket_id not in found or _moved(row) >= _moved(found[ticket_id]):
            found.pop(ticket_id, None)
            found[ticket_id] = _dated(row)
    return list(found.values())


def when(row: JSONObject) -> int | None:
    """The second of an update, Unix time; None when it does not say."""
    at = _number(row.get("timestamp"))
    if at is not None:
        return at
    try:
        return int(datetime.fromisoformat(str(row.get("created_at"))).timestamp())
    except (ValueError, OverflowError):
        return None


def _dated(row: JSONObject) -> JSONObject:
    """A deleted ticket may say little more than that it is; it is still to be recorded."""
    is_deleted = str(row.get("status")).lower() == DELETED
    if not is_deleted or instant(row.get("created_at")) is not None:
        return row
    at = instant(row.get("updated_at")) or datetime.fromtimestamp(_moved(row), UTC)
    return {**row, "created_at": at.isoformat()}


def _moved(row: JSONObject) -> int:
    moved = _number(row.get("generated_timestamp")) or 0
    return moved if moved < LATEST else 0


def _following(document: JSONObject) -> int | None:
    """Only the query of the next address is used, so that no answer can send us elsewhere."""
    address = document.get("next_page")
    query = parse_qs(urlsplit(address).query) if isinstance(address, str) else {}
    asked = query.get("start_time", [])
    return next(filter(None, map(_number, asked)), None) or _number(document.get("end_time"))


def _is_end(document: JSONObject, otherwise: bool) -> bool:
    told = document.get("end_of_stream")
    return told if isinstance(told, bool) else otherwise


def _is_too_recent(answer: Answer, start: int) -> bool:
    if answer.status not in (400, 422):
        return False
    shown = _shown_at(answer)
    young = shown is not None and shown.timestamp() - start < RECENT
    return young or "recent" in reason_of(answer).text.lower()


def _nothing(cursor: JSONObject, answer: Answer) -> Exported:
    """Zendesk keeps the newest minute back: nothing yet."""
    position = _position(answer, 0, end=True)
    return Exported(rows=(), document={}, cursor=cursor, end=True, position=position)


def _position(answer: Answer, shown: int, *, end: bool) -> datetime | None:
    """At the end everything but the newest minute has been shown, else what the last row tells."""
    found = [datetime.fromtimestamp(shown, UTC)] if 0 < shown < LATEST else []
    now = _shown_at(answer) if end else None
    return max([*found, *([now - WITHHELD] if now else [])], default=None)


def _shown_at(answer: Answer) -> datetime | None:
    try:
        return parsedate_to_datetime(answer.headers["Date"]).astimezone(UTC)
    except (KeyError, ValueError, TypeError, IndexError, OverflowError):
        return None


def _document(answer: Answer, path: str) -> JSONObject:
    if not answer.ok:
        why = reason_of(answer).message or "is the subdomain right?"
        raise HelpdeskUnreachable(f"GET {path}: answered {answer.status}: {why}")
    if not isinstance(answer.data, dict):
        raise HelpdeskUnreachable(f"GET {path}: answered with something other than an object")
    return answer.data


def _rows(document: JSONObject, key: str) -> tuple[JSONObject, ...]:
    if not isinstance(document.get(key), list):
        raise HelpdeskUnreachable(f"the answer holds no '{key}'")
    return tuple(one for one in document[key] if isinstance(one, dict))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _seconds(at: datetime) -> int:
    return max(int(at.timestamp()), 0)


def _number(value: Any) -> int | None:
    """A whole number, also where it is written as a text."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:18])
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and value >= 0 else None
