"""The connector's errors. Each says whether trying again can help, and when."""

import re
import traceback
from typing import ClassVar

LEFT_OUT = "«…»"
SHOWN_FRAMES = 4  # of a traceback
_QUOTED = re.compile("«[^»]*»?")  # one that was cut has no end


def quoted(words: str) -> str:
    """What a helpdesk says in an answer, marked as such: it may hold what a customer wrote.

    People who look after one ticket shall read it; logs leave it out.
    """
    return f"«{words.replace('«', '').replace('»', '')}»" if words else ""


def unquoted(text: str) -> str:
    """A text without what was `quoted` in it."""
    return _QUOTED.sub(LEFT_OUT, text)


def loggable(error: BaseException) -> str:
    """An error as it may stand in a log: without a helpdesk's words.

    What the message of an error says that is none of ours, nobody knows: only its kind and its
    place are given.
    """
    kind = type(error).__name__
    if isinstance(error, ConnectorError):
        return f"{kind}: {unquoted(str(error))}"
    frames = traceback.extract_tb(error.__traceback__)[-SHOWN_FRAMES:]
    places = [f"{one.filename}:{one.lineno} {one.name}" for one in reversed(frames)]
    return " < ".join([kind, *places])


class ConnectorError(Exception):
    """Something between us and a helpdesk, or in our own set-up, went wrong."""

    #: whether the same call may succeed later without anybody changing anything
    retryable: ClassVar[bool] = False

    def __init__(self, message: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(message or self.__class__.__doc__)
        #: seconds to wait before the next try, where the helpdesk said so
        self.retry_after = retry_after


class SettingsError(ConnectorError):
    """A setting is missing or malformed; the message names it, its place and an example."""


class UnverifiedWebhook(ConnectorError):
    """The delivery does not prove that it comes from the helpdesk."""


class UnreadableWebhook(ConnectorError):
    """The delivery is genuine but names no ticket where one must be."""


class StoreError(ConnectorError):
    """The database refuses at the moment."""

    retryable = True


class AccountError(ConnectorError):
    """The account cannot be used at the moment; no ticket is to blame."""

    retryable = True


class HelpdeskUnreachable(AccountError):
    """No answer, or an answer of 5xx, from the helpdesk."""


class RateLimited(AccountError):
    """The helpdesk asks us to wait."""


class BudgetSpent(RateLimited):
    """Our share of the rate limit is used up; nothing was sent."""


class SignInRefused(AccountError):
    """The helpdesk refuses the credentials."""


class RoleMissing(SignInRefused):
    """The helpdesk knows us, but our user lacks a role, our client a scope, or the plan a part."""


class AccountSuspended(SignInRefused):
    """The helpdesk has suspended the account."""


class OutcomeUnknown(AccountError):
    """A write was sent and no answer came: it may or may not have happened. Look, never repeat."""


class TicketError(ConnectorError):
    """One ticket cannot be read or written; the account is fine."""


class TicketNotFound(TicketError):
    """The helpdesk does not know the ticket, or has deleted it."""


class TicketReadOnly(TicketError):
    """The ticket is closed, archived or deleted and takes no writes."""


class WriteRefused(TicketError):
    """The helpdesk refuses the values that were written; the message holds its reasons."""


class WriteBlocked(WriteRefused):
    """A rule of the helpdesk refuses every write, such as a mandatory field that is empty."""


class DatesRefused(WriteRefused):
    """The helpdesk refuses our due dates in its own fields (Freshdesk, native mode)."""


class WriteConflict(TicketError):
    """Somebody changed the ticket between our read and our write; look again."""

    retryable = True
