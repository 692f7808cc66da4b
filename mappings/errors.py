"""Knows what can go wrong in the pure core."""


class MappingError(Exception):
    """Root of the errors of the pure core; the message says what would be right."""


class NeverOpen(MappingError):
    """A calendar has no open time in the 400 days that follow the instant in question."""

    def __init__(self, calendar: str, after: str) -> None:
        super().__init__(f"calendar '{calendar}' has no open time in the 400 days after {after}")
        self.calendar = calendar
        self.after = after

    def __reduce__(self) -> tuple[type["NeverOpen"], tuple[str, str]]:
        return (NeverOpen, (self.calendar, self.after))


class OutOfRange(MappingError):
    """An instant lies outside the years that calendars are computed for."""
