"""What Freshdesk means when it refuses: its 4xx answers as errors that say what to do. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connector.errors import (
    AccountSuspended,
    ConnectorError,
    DatesRefused,
    RoleMissing,
    SignInRefused,
    TicketNotFound,
    TicketReadOnly,
    WriteBlocked,
    WriteConflict,
    WriteRefused,
    quoted,
)
from connector.helpdesks.base import JSONObject
from connector.helpdesks.freshdesk.signin import refusal
from connector.http import Answer

MAX_REASON = 300  # characters of a vendor's messages that we repeat
DATES = frozenset({"fr_due_by", "due_by"})
TAGS = "tags"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}")
PREFIX = re.compile(r"^(?:ticket\.)?(?:custom_fields?)(?:\.|\[)(?P<name>[^\]]+)\]?$")

BLOCKED = (
    "Freshdesk takes no update of this ticket before {fields} is put right; fill it in there, or "
    "let the field not be required of agents. deskclock never writes it"
)
DATES_ADVICE = "its own due dates stay as they are; own fields are written instead"
ADVICE: Mapping[str, str] = {
    "invalid_field": "Freshdesk no longer has the field; create it again or change the mapping",
    "inaccessible_field": "the agent's role or the ticket's form hides the field; show it there",
    "datatype_mismatch": "the field is of another type; make it one that the mapping needs",
    "missing_field": "the field is mandatory and deskclock empties it; let it be optional",
    "readonly_field": "the field cannot be written; map another one",
}
CHOICE_ADVICE = "add the choice to the field, or let the field be optional text"

_ROLE = (
    "the agent of the API key may not do this ({code}); give it a role that may view and edit "
    "tickets and see ticket fields and companies, with global ticket scope"
)
# code of a 401 or 403 -> what it means
_REFUSED: Mapping[str, tuple[type[SignInRefused], str]] = {
    "account_suspended": (
        AccountSuspended,
        "Freshdesk has suspended the account; an admin has to settle that there",
    ),
    "password_lockout": (
        SignInRefused,
        "Freshdesk has locked the sign-in after too many wrong ones; check the API key, then wait",
    ),
    "password_expired": (
        SignInRefused,
        "the password of the key's agent has expired; sign in as that agent and change it",
    ),
    "require_feature": (
        RoleMissing,
        "the account's plan lacks what is asked for; the API needs a paid plan",
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Flaw:
    """One entry of a 400: the field without what stands before its name, and what is wrong."""

    field: str
    code: str
    message: str

    def __str__(self) -> str:
        """What is wrong with which field; Freshdesk's words are quoted."""
        said = [one for one in (_name(self.code), quoted(self.message)) if one]
        return f"{_name(self.field)}: {' '.join(said)}"


def refused_sign_in(answer: Answer) -> ConnectorError | None:
    """What a 401 or 403 answer means; None for any other. The message lacks the call."""
    if answer.status not in (401, 403):
        return None
    code = _text(answer.data, "code")
    if code in _REFUSED:
        kind, message = _REFUSED[code]
        return kind(message)
    if answer.status == 401:
        return refusal(answer)
    flaws = list(_flaws(answer.data))
    if flaws or code in ADVICE:  # a field, not the call
        advice = dict.fromkeys([_advice(flaw) for flaw in flaws] or [ADVICE[code]])
        return WriteRefused(". ".join([reason(answer.data) or code, *advice]))
    return RoleMissing(_ROLE.format(code=code or "403"))


def refused_write(
    answer: Answer, about: str, *, sent: JSONObject, own: frozenset[str]
) -> ConnectorError:
    """The error of a 4xx answer to a write of `sent`; `own`: names of our custom fields."""
    status = answer.status
    message = f"{about}: {reason(answer.data) or f'refused with status {status}'}"
    if status == 404:  # without a body
        return TicketNotFound(message)
    if status == 405:  # deleted, spam or blocked
        return TicketReadOnly(message)
    if status == 409:
        return WriteConflict(message)
    return _refused_values(message, list(_flaws(answer.data)), sent, own)


def _refused_values(
    message: str, flaws: list[Flaw], sent: JSONObject, own: frozenset[str]
) -> WriteRefused:
    ours = {_bare(name) for name in (*own, *({TAGS, *DATES} & sent.keys()))}
    foreign = sorted({_name(flaw.field) for flaw in flaws if _bare(flaw.field) not in ours})
    if foreign:
        return WriteBlocked(f"{message}. {BLOCKED.format(fields=', '.join(foreign))}")
    if any(flaw.field in DATES for flaw in flaws):
        return DatesRefused(f"{message}. {DATES_ADVICE}")
    advice = dict.fromkeys(_advice(flaw) for flaw in flaws)
    return WriteRefused(". ".join([message, *advice]))


def _name(text: str) -> str:
    """A field's name or a code; whatever else stands in its place is Freshdesk's words."""
    return text if _NAME.fullmatch(text) else quoted(text)


def _bare(name: str) -> str:
    """Accounts of long standing have names without `cf_`."""
    return name.removeprefix("cf_")


def _advice(flaw: Flaw) -> str:
    if flaw.field == TAGS:
        return "Freshdesk does not take one of the tags; see the account's tag prefix"
    is_choice = flaw.code == "invalid_value" and "one of these" in flaw.message
    return CHOICE_ADVICE if is_choice else ADVICE.get(flaw.code, "see the field and the mapping")


def reason(data: Any) -> str:
    """What Freshdesk says, field by field; never the values that were sent."""
    lines = "; ".join(map(str, _flaws(data)))
    head = quoted(_text(data, "description") or _text(data, "message"))
    return ": ".join(part for part in (head, lines) if part)[:MAX_REASON]


def _flaws(data: Any) -> Iterator[Flaw]:
    errors = data.get("errors") if isinstance(data, dict) else None
    for one in errors if isinstance(errors, list) else []:
        name = _text(one, "field")
        if name:
            nested = PREFIX.match(name)
            yield Flaw(
                field=nested["name"] if nested else name,
                code=_text(one, "code"),
                message=_text(one, "message"),
            )


def _text(data: Any, key: str) -> str:
    value = data.get(key) if isinstance(data, dict) else None
    return value if isinstance(value, str) else ""
