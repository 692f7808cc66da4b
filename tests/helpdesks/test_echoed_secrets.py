"""A helpdesk, or a proxy before it, may repeat our request in its answer: no secret comes of it."""

import base64
import re
from datetime import UTC, datetime

import pytest

from connector.errors import ConnectorError

SECRETS = {"zendesk": "hush-token", "freshdesk": "hush-key"}
PROOFS = {"zendesk": b"bo@example.test/token:hush-token", "freshdesk": b"hush-key:X"}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_an_error_that_repeats_our_sign_in_is_told_without_it(desk, wire, status):
    secret = SECRETS[desk.kind]
    proof = base64.b64encode(PROOFS[desk.kind]).decode()
    said = f"Basic {proof} {secret} is wrong"
    body = {
        "error": {"title": said, "message": said},
        "description": said,
        "message": said,
        "code": said,
        "errors": [{"field": "x", "code": "y", "message": said}],
    }
    wire.get(re.compile(".*"), json=body, status=status)
    helpdesk = desk.open()
    since = datetime(2020, 1, 1, tzinfo=UTC)
    for ask in (
        helpdesk.identify,
        helpdesk.prepare,
        lambda: helpdesk.read("5"),
        lambda: helpdesk.changes(None, since),
    ):
        with pytest.raises(ConnectorError) as refused:
            ask()
        assert secret not in str(refused.value)
        assert proof not in str(refused.value)
