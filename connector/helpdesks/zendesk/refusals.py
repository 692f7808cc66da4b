"""What Zendesk's refusals mean: its four error envelopes, and the errors of ours they become."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from connector.errors import (
    AccountSuspended,
    ConnectorError,
    HelpdeskUnreachable,
    RateLimited,
    RoleMissing,
    TicketNotFound,
    TicketReadOnly,
    WriteBlocked,
    WriteConflict,
    WriteRefused,
    quoted,
)
from connector.helpdesks.base import JSONObject
from connector.http import Answer

MAX_REASON = 300  # characters of a vendor's message that we repeat
NO_SUCH_CALL = "InvalidEndpoint"  # 404 too, but no ticket is to blame
TOO_MANY_JOBS = 10.0  # seconds until one of the 30 jobs has probably ended
# What a rule of the account asks for, in the words of Zendesk's own messages.
_BLOCKING = ("is required", "cannot be blank", "can't be blank", "must be filled")
_TOKEN = re.compile(r"[A-Za-z_]{1,60}")
_CODE = re.compile(r"([A-Z][A-Za-z]+):")  # with which a plain text can begin
_CLOSED = ("closed prevents", "closedticket", "ticket is closed", "ticket closed")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """Why Zendesk refused something."""

    #: its own code, such as `RecordInvalid`; "" where the envelope has none
    code: str
    #: code and texts in one line
    text: str
    #: ids of the ticket fields that it names
    fields: frozenset[str] = frozenset()

    @property
    def message(self) -> str:
        """All of it for a message of ours, its words quoted; "" where there is nothing."""
        words = quoted(self.text.removeprefix(self.code).removeprefix(": "))
        code = self.code if _TOKEN.fullmatch(self.code) else quoted(self.code)
        where = f"field {', '.join(sorted(self.fields))}" if self.fields else ""
        return ": ".join(one for one in (code, where, words) if one)


def reason_of(answer: Answer) -> Reason:
    """What a refusal says: in one of four envelopes, or as plain text."""
    if answer.data is not None:
        return _read(answer.data)
    text = " ".join(answer.text.split())
    if text.startswith("<"):  # a page of HTML is of no use to anybody
        return Reason(code="", text="")
    found = _CODE.match(text)
    return Reason(code=found[1] if found else "", text=text[:MAX_REASON])


def refusal(answer: Answer, about: str, *, sent: frozenset[str] = frozenset()) -> ConnectorError:
    """The error of a 4xx answer to a write; `sent` are the ids of the fields that it wrote."""
    reason = reason_of(answer)
    message = f"{about}: {reason.message or f'refused with status {answer.status}'}"
    if reason.code == "TooManyJobs":
        return RateLimited(message, retry_after=TOO_MANY_JOBS)
    return _of_ticket(reason, message, answer.status, sent)


def row_refusal(ticket_id: str, result: JSONObject) -> ConnectorError:
    """The error of a failed row of a bulk write."""
    code, details = str(result.get("error") or ""), result.get("details")
    text = details if isinstance(details, str) else _read({"details": details}).text
    reason = Reason(code=code, text=_short(code, text))
    return _of_ticket(
        reason,
        f"ticket {ticket_id}: {reason.message or 'refused without a reason'}",
        422,
        frozenset(),
    )


def classify(answer: Answer) -> ConnectorError | None:
    """What a refusal of a whole call means for the account; None: nothing more than its status."""
    if answer.status not in (401, 402, 403, 404, 423):
        return None
    found = reason_of(answer)
    reason, text = found.message, found.text.lower()
    if "suspended" in text and ("account" in text or "help desk" in text):
        return AccountSuspended(f"Zendesk has suspended the account: {reason}")
    if answer.status == 403 and "required scope" in text:
        return RoleMissing(
            f"{reason}; give the OAuth client that scope and sign in again (deskclock asks "
            "for 'read write')"
        )
    if answer.status == 403:
        why = reason or "no reason given"
        return RoleMissing(
            f"Zendesk refuses it ({why}): our user needs a larger role, or the plan lacks this part"
        )
    return None


def _read(data: Any) -> Reason:
    found = data if isinstance(data, dict) else {}
    error = found.get("error")
    if isinstance(error, dict):
        return Reason(code="", text=_short(error.get("title"), error.get("message")))
    if isinstance(found.get("errors"), list):
        parts = [one for one in found["errors"] if isinstance(one, dict)]
        texts = [one.get(key) for one in parts for key in ("code", "title", "detail")]
        codes = [one["code"] for one in parts if isinstance(one.get("code"), str)]
        return Reason(code=codes[0] if codes else "", text=_short(*texts))
    lines = list(_lines(found.get("details")))
    texts = [line.get(key) for line in lines for key in ("error", "description")]
    code = error if isinstance(error, str) else ""
    description = found.get("description") or found.get("error_description")
    fields = (one.get("ticket_field_id") for one in lines)
    return Reason(
        code=code,
        text=_short(code, description, *texts),
        fields=frozenset(str(one) for one in fields if one),
    )


def _of_ticket(reason: Reason, message: str, status: int, sent: frozenset[str]) -> ConnectorError:
    text = reason.text.lower()
    if "conflict" in reason.code.lower() or status == 409:
        return WriteConflict(message)
    if reason.code == NO_SUCH_CALL:
        return HelpdeskUnreachable(f"{message}; the account does not offer this call")
    if status == 404 or "NotFound" in reason.text:
        return TicketNotFound(message)
    if any(one in text for one in _CLOSED):
        return TicketReadOnly(message)
    if reason.fields - sent or any(one in text for one in _BLOCKING):
        return WriteBlocked(
            f"{message}; a rule of the account refuses every change of this ticket until that is "
            "put right there"
        )
    return WriteRefused(message)


def _lines(details: Any) -> Iterator[JSONObject]:
    """The lines below `details`; some of Zendesk's answers leave out a level."""
    groups = details.values() if isinstance(details, dict) else [details]
    for group in groups:
        for line in group if isinstance(group, list) else [group]:
            if isinstance(line, dict):
                yield line
            elif isinstance(line, str):
                yield {"description": line}


def _short(*parts: Any) -> str:
    """The texts in one line, each once; other values can stand among them."""
    texts = dict.fromkeys(part for part in parts if isinstance(part, str) and part)
    return ": ".join(texts)[:MAX_REASON]
