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


class NoWeek(MappingError):
    """A calendar has no weekly hours, so that nobody can say how long a business day is."""

    def __init__(self, calendar: str) -> None:
        super().__init__(
            f"calendar '{calendar}' has no weekly hours, so a business day has no length in hours; "
            "write its week, or use the mode wall_clock or end_of_day"
        )
        self.calendar = calendar

    def __reduce__(self) -> tuple[type["NoWeek"], tuple[str]]:
        return (NoWeek, (self.calendar,))


class OutOfRange(MappingError):
    """An instant lies outside the years that calendars are computed for."""
