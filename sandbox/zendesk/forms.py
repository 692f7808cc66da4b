"""Zendesk's ticket form: which fields stand on it. The account has the one form."""

import threading
from typing import Any

from sandbox.bodies import object_id
from sandbox.state import Doc, State
from sandbox.zendesk.errors import invalid
from sandbox.zendesk.fields import FieldBook
from sandbox.zendesk.people import BRAND_ID, FORM_ID

_SETTING = "off_form"
_MADE_AT = "2026-01-05T09:00:00Z"


class Form:
    """The account's default form, kept as the fields that are not on it."""

    def __init__(self, state: State, fields: FieldBook) -> None:
        self._state = state
        self._fields = fields
        self._lock = threading.Lock()
        self._off: frozenset[int] = frozenset(state.setting(_SETTING) or ())

    def holds(self, field_id: int) -> bool:
        """Whether a field is on the form."""
        return field_id not in self._off

    def hide(self, field_id: int, hidden: bool) -> None:
        """Take a field off the form, or put it back."""
        with self._lock:
            self._keep(self._off | {field_id} if hidden else self._off - {field_id})

    def set_fields(self, field_ids: Any) -> None:
        """Let exactly these fields be on the form. Raises ZendeskError for no list of ids."""
        ids = set(map(object_id, field_ids)) if isinstance(field_ids, list) else {None}
        if None in ids:
            raise invalid("ticket_field_ids", "Ticket fields: a list of ids is needed")
        with self._lock:
            self._keep(frozenset(self._fields.by_id) - ids)

    def shown(self, base: str) -> Doc:
        """The form as the API shows it."""
        ids = [field_id for field_id in self._fields.by_id if self.holds(field_id)]
        return {
            "id": FORM_ID, "url": f"{base}/api/v2/ticket_forms/{FORM_ID}.json",
            "name": "Default Ticket Form", "raw_name": "Default Ticket Form",
            "display_name": "Default Ticket Form", "raw_display_name": "Default Ticket Form",
            "end_user_visible": True, "position": 1, "active": True, "default": True,
            "in_all_brands": True, "restricted_brand_ids": [BRAND_ID], "ticket_field_ids": ids,
            "agent_conditions": [], "end_user_conditions": [],
            "created_at": _MADE_AT, "updated_at": _MADE_AT,
        }  # fmt: skip

    def _keep(self, off: frozenset[int]) -> None:
        self._off = off
        self._state.remember(_SETTING, sorted(off))
