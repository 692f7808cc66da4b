"""Zendesk as a `Helpdesk`."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from connector.errors import SettingsError, TicketNotFound
from connector.helpdesks.base import (
    NOTHING_MORE,
    Capabilities,
    ClockSample,
    Desired,
    Hint,
    History,
    Identity,
    Job,
    JSONObject,
    Plan,
    Reading,
    Wants,
)
from connector.helpdesks.zendesk import plan as planning
from connector.helpdesks.zendesk import translate, webhook
from connector.helpdesks.zendesk.catalogue import Catalogue, read_catalogue
from connector.helpdesks.zendesk.client import Client
from connector.helpdesks.zendesk.history import Authors, Nobody, authors_of, history_of
from connector.helpdesks.zendesk.signin import sign_in
from connector.http import Budget, Session, Vault
from connector.settings import AccountSettings
from mappings.field_mapping import FieldMapping, Words

READ_BATCH = 100
USERS_BATCH = 100


class Zendesk:
    """One Zendesk account."""

    kind = "zendesk"
    capabilities = Capabilities(
        read_batch=READ_BATCH,
        write_batch=100,
        safe_update=True,
        tag_verbs=True,
        delivery_ids=True,
    )

    def __init__(
        self,
        account: AccountSettings,
        mapping: FieldMapping,
        session: Session,
        *,
        now: Callable[[], datetime] | None = None,
        wants: Wants = NOTHING_MORE,
    ) -> None:
        self.session = session
        self._client = Client(session, beside=_sideloads(mapping, wants))
        self._mapping = mapping
        self._takes_calls = wants.calls
        self._prefix = account.prefix
        self._robots = frozenset(account.robots)
        self._secrets = [one.get_secret_value() for one in account.webhook.secrets]
        seconds = account.webhook.window_seconds
        self._window = timedelta(seconds=seconds) if seconds else None
        self._now = now
        self._catalogue: Catalogue | None = None
        self._own_user_id: str | None = None

    def identify(self) -> Identity:
        """Say who we are there."""
        user = self._client.me()
        self._own_user_id = str(user["id"])
        return Identity(user_id=self._own_user_id, name=str(user.get("name") or ""))

    def prepare(self) -> tuple[str, ...]:
        """Read the ticket fields; a line for each mapped field that cannot be used."""
        self._catalogue, lines = read_catalogue(self._client.ticket_fields(), self._mapping)
        return lines

    def receive(self, headers: Mapping[str, str], body: bytes) -> Hint:
        """Verify a delivery."""
        return webhook.receive(
            headers,
            body,
            secrets=self._secrets,
            mapping=self._mapping,
            window=self._window,
            now=self._now() if self._now and self._window else None,
        )

    def read(self, ticket_id: str) -> Reading:
        """Look at one ticket."""
        document = self._client.ticket(_plain_id(ticket_id))
        found = self._readings([document.get("ticket")], document)
        if not found:
            raise TicketNotFound(f"ticket {ticket_id}: Zendesk's answer holds no ticket")
        return found[0]

    def read_many(self, ticket_ids: Sequence[str]) -> Sequence[Reading]:
        """Look at up to 100 tickets."""
        document = self._client.tickets([_plain_id(one) for one in ticket_ids])
        return self._readings(document.get("tickets"), document)

    def history(self, reading: Reading) -> History:
        """Read all audits, and the authors whose role does not come with them."""
        document = self._client.audits(reading.ticket.id)
        users = {str(user["id"]): user for user in document["users"] if user.get("id")}
        wanted = sorted(
            author
            for author in authors_of(document["audits"])
            if author.isdigit() and not users.get(author, {}).get("role")
        )
        for start in range(0, len(wanted), USERS_BATCH):
            batch = self._client.users(wanted[start : start + USERS_BATCH])
            users |= {str(user["id"]): user for user in batch if user.get("id")}
        return history_of(
            reading.ticket,
            reading.raw["state"],
            document["audits"],
            self._fields(),
            Words(self._mapping),
            Authors(users=users, nobody=Nobody.of(self._user_id(), self._robots)),
        )

    def plan(self, reading: Reading, desired: Desired) -> Plan | None:
        """Desired minus observed."""
        return planning.plan(reading, desired, self._fields(), self._prefix)

    def write(self, plan: Plan) -> None:
        """Write one ticket; nobody's change since the read stands in the way of our own fields."""
        if custom_fields := plan.body.get("custom_fields"):
            self._client.update(plan.ticket_id, {"custom_fields": custom_fields})
        if plan.add_tags:
            self._client.add_tags(plan.ticket_id, sorted(plan.add_tags))
        if plan.remove_tags:
            self._client.remove_tags(plan.ticket_id, sorted(plan.remove_tags))

    def write_many(self, plans: Sequence[Plan]) -> Job:
        """Start a bulk write of up to 100 tickets."""
        return planning.job_of(self._client.update_many([plan.body for plan in plans]))

    def jobs(self, job_ids: Sequence[str]) -> Sequence[Job]:
        """How bulk writes stand."""
        statuses = self._client.job_statuses(job_ids) if job_ids else []
        return [planning.job_of(status) for status in statuses if status.get("id")]

    def clock_samples(self) -> Sequence[ClockSample]:
        """The clock readings since the last call."""
        return [
            ClockSample(shown=shown, received=received)
            for shown, received in self.session.clock_samples()
        ]

    def _readings(self, tickets: object, document: JSONObject) -> list[Reading]:
        beside, catalogue = translate.Sideloads.of(document), self._fields()
        return [
            translate.reading(raw, beside, catalogue, Words(self._mapping), calls=self._takes_calls)
            for raw in (tickets if isinstance(tickets, list) else [])
            if isinstance(raw, dict) and raw.get("id")
        ]

    def _fields(self) -> Catalogue:
        if self._catalogue is None:
            self.prepare()
        return self._catalogue or Catalogue()

    def _user_id(self) -> str:
        return self._own_user_id or self.identify().user_id


def connect(
    account: AccountSettings,
    mapping: FieldMapping,
    *,
    now: Callable[[], datetime] | None = None,
    wants: Wants = NOTHING_MORE,
    budget: Budget | None = None,  # noqa: ARG001
    vault: Vault | None = None,  # noqa: ARG001
    sleep: Callable[[float], None] = time.sleep,
) -> Zendesk:
    """The account that the settings describe. Raises `SettingsError`; makes no call.

    `now` is needed where `webhook.window_seconds` limits the age of deliveries.
    """
    if account.webhook.window_seconds and now is None:
        raise SettingsError("webhook.window_seconds needs a clock; give 'now' to connect()")
    base_url = account.base_url or f"https://{account.subdomain}.zendesk.com"
    authorizer = sign_in(account.sign_in, Session(base_url, sleep=sleep))
    session = Session(base_url, authorizer=authorizer, sleep=sleep)
    return Zendesk(account, mapping, session, now=now, wants=wants)


def _sideloads(mapping: FieldMapping, wants: Wants) -> tuple[str, ...]:
    """What comes with every read: no more calls, but a larger answer."""
    organizations = wants.organizations or bool(mapping.inputs_of(organization=True))
    return (
        "metric_sets",
        "users",
        *(("organizations",) if organizations else ()),
        *(("slas",) if wants.own_dues else ()),
    )


def _plain_id(ticket_id: str) -> str:
    """Ids come from deliveries; nothing but digits may reach a path."""
    if not webhook.TICKET_ID.fullmatch(ticket_id):
        raise TicketNotFound(f"'{ticket_id[:40]}' is no id of a Zendesk ticket")
    return ticket_id
