"""Knows how a time zone is written, and takes its data from the pinned tzdata package."""

import re
from collections.abc import Callable
from datetime import UTC, timedelta, timezone, tzinfo
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

#: version of the zone data, as the IANA numbers it
ZONE_DATA = files("tzdata").joinpath("zoneinfo", "tzdata.zi").read_text("ascii").split()[2]
_OFFSET = re.compile(r"(?:UTC|GMT)?(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>[0-5]\d))?")
_FARTHEST = timedelta(hours=14)


class PinnedZone(ZoneInfo):
    """An IANA zone as the tzdata package has it, whatever the machine's own zone files say."""

    def __reduce__(self) -> tuple[Callable[[str], ZoneInfo], tuple[str]]:
        return (_iana_zone, (self.key,))


def zone_named(text: str) -> tzinfo:
    """The zone of an IANA name or a fixed offset (`UTC`, `+03:00`, `GMT-5`, `UTC+5:30`).

    Raises ValueError that suggests a name."""
    if text in {"UTC", "GMT", "Z"}:
        return UTC
    if text in zone_names():
        return _iana_zone(text)
    if offset := _OFFSET.fullmatch(text):
        return _fixed_zone(text, offset)
    raise ValueError(_unknown(text))


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """The IANA names that the tzdata package knows."""
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


@lru_cache(maxsize=1024)
def _iana_zone(key: str) -> ZoneInfo:
    with files("tzdata").joinpath("zoneinfo", *key.split("/")).open("rb") as data:
        return PinnedZone.from_file(data, key=key)


def _fixed_zone(text: str, offset: re.Match[str]) -> timezone:
    ahead = timedelta(hours=int(offset["hours"]), minutes=int(offset["minutes"] or 0))
    if ahead > _FARTHEST:
        raise ValueError(f"'{text}' is no offset; offsets reach from -14:00 to +14:00")
    return timezone(-ahead if offset["sign"] == "-" else ahead)


def _unknown(text: str) -> str:
    by_lower_case = {name.lower(): name for name in sorted(zone_names())}
    wanted = text.strip().lower().replace(" ", "_")
    by_city = [name for name in by_lower_case if name.rpartition("/")[2] == wanted]
    close = by_city or get_close_matches(wanted, by_lower_case, n=1)
    meant = f"did you mean '{by_lower_case[close[0]]}'? " if close else ""
    rule = "Write an IANA name such as Europe/London or an offset such as +03:00"
    return f"unknown time zone '{text}'; {meant}{rule}"
