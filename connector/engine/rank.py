"""Ranks: what is looked at first."""

from enum import IntEnum


class Rank(IntEnum):
    """The order in which due tickets are looked at; lower goes first."""

    BREACH = -1  #: a timer at which a target is missed, so that this is said before all else
    HINT = 0  #: a hint, or an instant at which the answer changes
    RETRY = 1  #: a look that failed before
    BACKFILL = 2  #: backfill, re-evaluation, reconciliation
