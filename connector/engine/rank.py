"""Ranks: what is looked at first."""

from enum import IntEnum


class Rank(IntEnum):
    """The order in which due tickets are looked at; lower goes first."""

    HINT = 0  #: a hint, or an instant at which the answer changes
    RETRY = 1  #: a look that failed before
    BACKFILL = 2  #: backfill, re-evaluation, reconciliation
