"""Knows how an aware datetime becomes a whole UTC second since 1970, and back."""

from datetime import UTC, datetime, timedelta

from mappings.errors import OutOfRange

DAY = 86_400
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = EPOCH.toordinal()
_SECOND = timedelta(seconds=1)
_FIRST = (datetime(1900, 1, 1, tzinfo=UTC) - EPOCH) // _SECOND
_LAST = (datetime(2200, 1, 1, tzinfo=UTC) - EPOCH) // _SECOND


def second_of(at: datetime) -> int:
    """Seconds since 1970-01-01T00:00Z, cut to the whole second.

    Raises ValueError for a naive datetime, OutOfRange outside the years 1900 to 2199."""
    try:
        elapsed = at - EPOCH
    except TypeError:
        raise ValueError(f"{at.isoformat()} has no UTC offset; give an aware datetime") from None
    # Asked for every instant of every question: elapsed // _SECOND takes twice the time.
    second = elapsed.days * DAY + elapsed.seconds
    return second if _FIRST <= second < _LAST else checked(second)


def instant_of(second: int) -> datetime:
    """The UTC datetime of a second since 1970. Raises OutOfRange outside 1900 to 2199."""
    return datetime.fromtimestamp(checked(second), UTC)


def checked(second: int) -> int:
    """The same second. Raises OutOfRange outside the years 1900 to 2199."""
    if not _FIRST <= second < _LAST:
        raise OutOfRange("calendars are computed for the years 1900 to 2199, this lies outside")
    return second


def text_of(second: int) -> str:
    """The second as YYYY-MM-DDTHH:MM:SSZ."""
    return (EPOCH + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")
