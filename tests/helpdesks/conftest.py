import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import responses

from connector.helpdesks import available, translator
from connector.helpdesks.base import NOTHING_MORE
from connector.helpdesks.freshdesk import connect as connect_freshdesk
from connector.helpdesks.zendesk import connect as connect_zendesk
from connector.settings import AccountSettings
from mappings.document.fields import parse_fields

ROOT = Path(__file__).parents[2]
BASE = "http://127.0.0.1:9"
STAMP = "2026-03-02T09:01:12Z"
SIGN_IN = {
    "zendesk": {"email": "bo@example.test", "api_token": "hush-token"},
    "freshdesk": {"api_key": "hush-key"},
}
CONNECT = {"zendesk": connect_zendesk, "freshdesk": connect_freshdesk}


@dataclass
class Desk:
    """A helpdesk with everything that a test needs of its vendor."""

    kind: str
    #: the text of the mapping file, to be changed by a test before `open`
    fields: str
    waits: list

    def open(self, *, secrets=("first", "second"), now=None, wants=NOTHING_MORE, **settings):
        account = AccountSettings.model_validate(
            {
                "helpdesk": self.kind,
                "base_url": BASE,
                "policy": "user-support",
                "sign_in": SIGN_IN[self.kind],
                "webhook": {"secrets": list(secrets)},
                "robots": ["666"],
            }
            | settings
        )
        return CONNECT[self.kind](
            account, self.mapping, now=now, wants=wants, sleep=self.waits.append
        )

    @property
    def mapping(self):
        return parse_fields(self.fields, f"{self.kind}.yaml")

    def with_inputs(self, inputs):
        line = f"inputs: {json.dumps(inputs)}"
        self.fields = re.sub(r"(?m)^inputs: .*$", lambda _: line, self.fields)
        return self

    def samples(self, pattern="*"):
        return sorted((self.folder / "samples").glob(f"{pattern}.json"))

    def sample(self, name):
        return json.loads((self.folder / "samples" / f"{name}.json").read_text(encoding="utf-8"))

    @property
    def folder(self):
        return ROOT / "connector" / "helpdesks" / self.kind

    def tickets(self, document, **more):
        return list(translator(self.kind)(document, self.mapping, **more))

    def deliver(self, body, secret="first"):
        """Headers of a genuine delivery."""
        if self.kind == "freshdesk":
            return {"x-webhook-secret": secret}
        digest = hmac.new(secret.encode(), STAMP.encode() + body, hashlib.sha256).digest()
        return {
            "x-zendesk-webhook-signature": base64.b64encode(digest).decode(),
            "x-zendesk-webhook-signature-timestamp": STAMP,
            "x-zendesk-webhook-invocation-id": "01INVOCATION",
        }

    def serve(self, wire, **failure):
        """The vendor's API with the samples, or failing at every ticket."""
        z = self.kind == "zendesk"
        wire.get(f"{BASE}/api/v2/ticket_fields", json=self.sample("ticket_fields"))
        user = {"id": 777, "name": "Desk Clock"}
        if z:
            wire.get(f"{BASE}/api/v2/users/me", json={"user": user})
        else:
            wire.get(f"{BASE}/api/v2/agents/me", json={"id": 777, "contact": user})
        answer = failure or {"json": self.sample("ticket")}
        wire.get(re.compile(f"{BASE}/api/v2/tickets/[0-9]+([?].*)?$"), **answer)
        wire.put(re.compile(f"{BASE}/api/v2/tickets/[0-9]+([?].*)?$"), **(failure or {"json": {}}))
        if z:
            wire.get(f"{BASE}/api/v2/tickets/35436/audits", json=self.sample("audits"))
        else:
            wire.get(f"{BASE}/api/v2/tickets/20/conversations", json=self.sample("conversations"))


@pytest.fixture
def wire():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as wire:
        yield wire


def _desk(kind):
    fields = ROOT / "mappings" / "fields" / f"{kind}.yaml"
    return Desk(kind=kind, fields=fields.read_text(encoding="utf-8"), waits=[])


@pytest.fixture(params=available())
def desk(request):
    return _desk(request.param)


@pytest.fixture
def zendesk():
    return _desk("zendesk")


@pytest.fixture
def freshdesk():
    return _desk("freshdesk")
