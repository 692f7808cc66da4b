"""The local helpdesks and our own requests, held against the vendors' descriptions."""
