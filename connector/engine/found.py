"""Why a ticket is looked at, where a page of changes showed it."""

from dataclasses import dataclass

from connector.helpdesks.base import JSONObject


@dataclass(kw_only=True, slots=True)
class Tally:
    """What the tickets of a page came to."""

    #: answers that were new
    changed: int = 0
    #: tickets that were written
    written: int = 0
    #: answers that were new though no webhook had told of the change
    missed: int = 0
    #: changes that a webhook had told of
    told: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A ticket that a page of changes showed."""

    feed: str
    #: where the figures of the page are counted
    tally: Tally
    #: whether a webhook had told of its change; None: none was to be expected
    told: bool | None = None
    #: what the helpdesk's export told of its past; None: nothing, or not all
    rows: tuple[JSONObject, ...] | None = None
