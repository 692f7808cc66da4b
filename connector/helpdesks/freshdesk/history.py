"""What Freshdesk's conversations tell of a ticket's past. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from connector.helpdesks.base import JSONObject
from mappings.field_mapping import instant, plain
from mappings.ticket import Reply

REPLY = 0  # source of a conversation; 2 is a note, 8 a forward, the others are social or surveys


@dataclass(frozen=True, kw_only=True, slots=True)
class Nobody:
    """Users whose replies are no responses."""

    user_ids: frozenset[str] = frozenset()

    @classmethod
    def of(cls, own_user_id: str | None, robots: Iterable[str]) -> "Nobody":
        """Our own user and the robots."""
        return cls(user_ids=frozenset(robots) | ({own_user_id} if own_user_id else set()))


def replies_of(conversations: Sequence[JSONObject], nobody: Nobody) -> tuple[Reply, ...]:
    """The responses. The opening is the ticket's description and stands in no conversation."""
    return tuple(
        Reply(at=at, sequence=place)
        for place, one in enumerate(conversations)
        if _is_response(one, nobody) and (at := instant(one.get("created_at"))) is not None
    )


def _is_response(conversation: JSONObject, nobody: Nobody) -> bool:
    return (
        conversation.get("incoming") is False
        and conversation.get("private") is False
        and conversation.get("source") == REPLY
        and plain(conversation.get("user_id")) not in nobody.user_ids
    )
