"""Our notes among Freshdesk's conversations: how one is written, and how it is known again."""

import html

from connector.helpdesks.base import JSONObject

TEXTS = ("body_text", "body")


def note_of(text: str) -> JSONObject:
    """A note that agents alone see; its body is HTML."""
    return {"body": html.escape(text).replace("\n", "<br>"), "private": True}


def holds(conversation: JSONObject, marker: str) -> bool:
    """Whether a conversation is the note with the marker, as HTML or as plain text."""
    return any(marker in text for name in TEXTS if isinstance(text := conversation.get(name), str))
