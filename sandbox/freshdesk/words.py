"""Common words for statuses, priorities, types and channels, and Freshdesk's numbers for them."""

from typing import Any

from sandbox.desk import DeskError
from sandbox.freshdesk.fields import PRIORITIES, SOURCES, STATUSES, TYPES

STATUS_WORDS = {
    2: "open", 3: "pending", 4: "resolved", 5: "closed", 6: "waiting-customer", 7: "waiting",
}  # fmt: skip
PRIORITY_WORDS = {1: "low", 2: "medium", 3: "high", 4: "urgent"}
CHANNEL_WORDS = {1: "email", 2: "portal", 3: "phone", 7: "chat", 9: "web", 15: "webchat"}
_OTHER_STATUS = {"new": 2, "hold": 7, "on hold": 7, "on-hold": 7, "solved": 4}
_OTHER_PRIORITY = {"normal": 2}
_OTHER_CHANNEL = {"api": 2, "voice": 3}


def status_number(word: Any, labels: dict[int, str] = STATUSES) -> int:
    """A status by word, label or number. Raises DeskError for an unknown one."""
    return _number(word, STATUS_WORDS, labels, _OTHER_STATUS, "status")


def priority_number(word: Any) -> int:
    """A priority by word or number; none is Low, as Freshdesk has no other default."""
    if word is None or word == "":
        return 1
    return _number(word, PRIORITY_WORDS, PRIORITIES, _OTHER_PRIORITY, "priority")


def channel_number(word: Any) -> int:
    """A source by word or number; an unknown word counts as e-mail."""
    try:
        return _number(word, CHANNEL_WORDS, SOURCES, _OTHER_CHANNEL, "channel")
    except DeskError:
        return 1


def type_label(word: Any) -> str | None:
    """A type as the drop-down writes it. Raises DeskError for an unknown one."""
    if word is None or word == "":
        return None
    found = next((label for label in TYPES if label.lower() == str(word).lower()), None)
    if found is None:
        message = f"type is one of {', '.join(TYPES)}, not {word!r}"
        raise DeskError(message)
    return found


def _number(
    word: Any, words: dict[int, str], labels: dict[int, str], others: dict[str, int], what: str
) -> int:
    text = str(word).strip().lower()
    if text.isascii() and text.isdigit() and int(text) in labels:
        return int(text)
    known = {label.lower(): number for number, label in labels.items()} | others
    known |= {name: number for number, name in words.items()}
    if text not in known:
        message = f"{what} is one of {', '.join(words.values())}, not {word!r}"
        raise DeskError(message)
    return known[text]
