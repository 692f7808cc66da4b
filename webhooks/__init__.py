"""The vendors' door."""
