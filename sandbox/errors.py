"""Errors that local helpdesks answer with, apart from the vendors' own."""


class SettingError(ValueError):
    """A setting of the sandbox that cannot be used; the text names what would be right."""
