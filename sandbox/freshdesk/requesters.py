"""Who asks in a ticket: the keys of a request that name a contact, known already or new."""

from collections.abc import Mapping
from typing import Any

from sandbox.freshdesk.errors import BLANK, Flaw
from sandbox.freshdesk.kinds import TEXT, address_flaws, kind_flaws
from sandbox.freshdesk.people import People
from sandbox.state import Doc

# What finds a contact beside its id, and is what a new one is reached by.
WAYS = ("email", "phone", "unique_external_id", "twitter_id", "facebook_id")
KEYS = ("name", *WAYS)


def requester_flaws(body: Mapping[str, Any], people: People, *, new: bool) -> list[Flaw]:
    """What is wrong with the keys; `requester_id` itself is checked with the other ids."""
    flaws = [*kind_flaws(body, dict.fromkeys(KEYS, TEXT)), *address_flaws(body)]
    if flaws or body.get("requester_id"):
        return flaws
    ways = [name for name in WAYS if body.get(name)]
    if not ways and (new or any(name in body for name in ("requester_id", *KEYS))):
        return [Flaw(field="requester_id", message=BLANK, code="missing_field")]
    needs_name = bool(ways) and ways[0] != "email" and not body.get("name")
    if needs_name and people.found(ways[0], body[ways[0]]) is None:
        return [Flaw(field="name", message=BLANK, code="missing_field")]
    return []


def requester_of(body: Mapping[str, Any], people: People) -> Doc | None:
    """The contact that a checked request names, made when missing; None when it names none."""
    if body.get("requester_id"):
        return people.contacts[body["requester_id"]]
    way = next((name for name in WAYS if body.get(name)), None)
    if way is None:
        return None
    known = people.found(way, body[way])
    if known is not None:
        return known
    wanted = {name: body[name] for name in KEYS if body.get(name)}
    return people.create_contact({"name": str(body.get("email", "")).split("@")[0]} | wanted)
