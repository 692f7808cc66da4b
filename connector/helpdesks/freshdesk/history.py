"""What Freshdesk's conversations tell of a ticket's past. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from connector.helpdesks.base import JSONObject
from mappings.field_mapping import plain
from mappings.ticket import Reply
from mappings.written import instant

# Sources of a conversation; 2 is a note, 8 a forward, the others are social networks or surveys.
REPLY = 0
PHONE = 9  # "Phone" in the reference: the log of a call that an agent had


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
    return _spoken(
        conversations, REPLY, nobody, lambda conversation: conversation.get("private") is False
    )


def calls_of(conversations: Sequence[JSONObject], nobody: Nobody) -> tuple[Reply, ...]:
    """The phone conversations that agents logged.

    Each was held with the customer, whoever may read its log; one that came in says nothing of an
    agent who answered, and may be a message on the machine.
    """
    return _spoken(conversations, PHONE, nobody, lambda _: True)


def _spoken(
    conversations: Sequence[JSONObject],
    source: int,
    nobody: Nobody,
    is_for_the_customer: Callable[[JSONObject], bool],
) -> tuple[Reply, ...]:
    return tuple(
        # an edit later on moves `last_edited_at`, never the instant at which it was said
        Reply(at=at, sequence=place)
        for place, one in enumerate(conversations)
        if one.get("incoming") is False
        and plain(one.get("source")) == str(source)
        and is_for_the_customer(one)
        and not _is_automatic(one)
        and plain(one.get("user_id")) not in nobody.user_ids
        and (at := instant(one.get("created_at"))) is not None
    )


def _is_automatic(conversation: JSONObject) -> bool:
    """Whether a rule of Freshdesk's sent it; undocumented, and missing on older accounts."""
    return conversation.get("auto_response") is True or bool(conversation.get("automation_id"))
