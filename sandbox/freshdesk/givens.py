"""What a new account has and its API cannot change: one product and one mailbox."""

from sandbox.state import Doc

PRODUCT_ID = 43_000_001_201
MAILBOX_ID = 43_000_001_101
_SUPPORT = "support@sandbox.test"
_FORWARD = "sandboxhelpdesk@sandbox.test"


def product(at: str) -> Doc:
    """The product, as made at an instant."""
    return {
        "id": PRODUCT_ID, "name": "Sandbox", "description": None, "default": True,
        "primary_email": _SUPPORT, "created_at": at, "updated_at": at,
    }  # fmt: skip


def email_config(at: str) -> Doc:
    """The mailbox as the old call shows it."""
    return {
        "id": MAILBOX_ID, "name": "Sandbox", "product_id": None, "active": True,
        "to_email": _FORWARD, "primary_role": True, "reply_email": _SUPPORT, "group_id": None,
        "created_at": at, "updated_at": at,
    }  # fmt: skip


def mailbox(at: str) -> Doc:
    """The mailbox as the present call shows it."""
    return {
        "id": MAILBOX_ID, "name": "Sandbox", "support_email": _SUPPORT, "product_id": None,
        "group_id": None, "default_reply_email": True, "active": True,
        "mailbox_type": "freshdesk_mailbox", "created_at": at, "updated_at": at,
        "freshdesk_mailbox": {"forward_email": _FORWARD},
    }  # fmt: skip
