"""The time zones that Zendesk knows, by the names that Rails gives them: the usual ones."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

from sandbox.state import Doc

_ZONES: Mapping[str, str] = {
    "Hawaii": "Pacific/Honolulu", "Alaska": "America/Juneau",
    "Pacific Time (US & Canada)": "America/Los_Angeles", "Arizona": "America/Phoenix",
    "Mountain Time (US & Canada)": "America/Denver",
    "Central Time (US & Canada)": "America/Chicago", "Mexico City": "America/Mexico_City",
    "Bogota": "America/Bogota", "Eastern Time (US & Canada)": "America/New_York",
    "Atlantic Time (Canada)": "America/Halifax", "Santiago": "America/Santiago",
    "Brasilia": "America/Sao_Paulo", "Buenos Aires": "America/Argentina/Buenos_Aires",
    "UTC": "Etc/UTC", "London": "Europe/London", "Edinburgh": "Europe/London",
    "Dublin": "Europe/Dublin", "Lisbon": "Europe/Lisbon", "Amsterdam": "Europe/Amsterdam",
    "Berlin": "Europe/Berlin", "Madrid": "Europe/Madrid", "Paris": "Europe/Paris",
    "Rome": "Europe/Rome", "Stockholm": "Europe/Stockholm", "Vienna": "Europe/Vienna",
    "Athens": "Europe/Athens", "Cairo": "Africa/Cairo", "Helsinki": "Europe/Helsinki",
    "Jerusalem": "Asia/Jerusalem", "Pretoria": "Africa/Johannesburg",
    "Istanbul": "Europe/Istanbul", "Nairobi": "Africa/Nairobi", "Riyadh": "Asia/Riyadh",
    "Abu Dhabi": "Asia/Muscat", "Karachi": "Asia/Karachi", "Mumbai": "Asia/Kolkata",
    "New Delhi": "Asia/Kolkata", "Kathmandu": "Asia/Kathmandu", "Bangkok": "Asia/Bangkok",
    "Jakarta": "Asia/Jakarta", "Hong Kong": "Asia/Hong_Kong", "Perth": "Australia/Perth",
    "Singapore": "Asia/Singapore", "Seoul": "Asia/Seoul", "Tokyo": "Asia/Tokyo",
    "Adelaide": "Australia/Adelaide", "Brisbane": "Australia/Brisbane",
    "Sydney": "Australia/Sydney", "Auckland": "Pacific/Auckland",
}  # fmt: skip
_WINTER, _SUMMER = datetime(2026, 1, 1), datetime(2026, 7, 1)  # noqa: DTZ001 - in the zone's time


@cache
def time_zones() -> list[Doc]:
    """Each with its offset from UTC in minutes, without summer time."""
    return [_shown(name, iana) for name, iana in _ZONES.items()]


def _shown(name: str, iana: str) -> Doc:
    zone = ZoneInfo(iana)
    offsets = [zone.utcoffset(day) for day in (_WINTER, _SUMMER)]
    minutes = min(int(offset.total_seconds()) // 60 for offset in offsets if offset is not None)
    hours, rest = divmod(abs(minutes), 60)
    formatted = f"GMT{'-' if minutes < 0 else '+'}{hours:02d}:{rest:02d}"
    return {
        "name": name,
        "translated_name": f"({formatted}) {name}",
        "iana_name": iana,
        "offset": minutes,
        "formatted_offset": formatted,
    }
