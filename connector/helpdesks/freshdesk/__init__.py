"""Freshdesk as a `Helpdesk`."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import structlog

from connector.errors import TicketNotFound
from connector.helpdesks.base import (
    NOTHING_MORE,
    Capabilities,
    ClockSample,
    Desired,
    EventPage,
    Hint,
    History,
    Identity,
    Job,
    JSONObject,
    Page,
    Plan,
    Reading,
    Room,
    Wants,
)
from connector.helpdesks.freshdesk import limits, notes, translate, webhook
from connector.helpdesks.freshdesk import plan as planning
from connector.helpdesks.freshdesk.catalogue import Catalogue, read_catalogue
from connector.helpdesks.freshdesk.changes import Walk
from connector.helpdesks.freshdesk.client import INCLUDE, Client
from connector.helpdesks.freshdesk.companies import Companies
from connector.helpdesks.freshdesk.history import Nobody, calls_of, replies_of
from connector.helpdesks.freshdesk.refusals import refused_sign_in
from connector.helpdesks.freshdesk.signin import sign_in
from connector.http import Budget, Session, Vault
from connector.settings import AccountSettings
from mappings.errors import MappingError
from mappings.field_mapping import FieldMapping, Words
from mappings.ticket import DESCRIPTION

log = structlog.get_logger()

DEFAULT_RETRY_AFTER = 60.0  # seconds; limits are by the minute and the header can be missing

HIDDEN = (
    "output {name}: tickets come without its field, which a ticket form or the agent's role hides; "
    "show it there"
)
NO_COMPANIES = (
    "the agent of the API key may not read companies: contracts and plans that go by the "
    "customer's domains or fields are passed over; give it a role that may view companies"
)


class Freshdesk:
    """One Freshdesk account."""

    kind = "freshdesk"
    capabilities = Capabilities(
        read_batch=1,
        write_batch=0,
        safe_update=False,
        tag_verbs=False,
        delivery_ids=False,
    )

    def __init__(
        self,
        account: AccountSettings,
        mapping: FieldMapping,
        session: Session,
        *,
        wants: Wants = NOTHING_MORE,
        budget: Budget | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.session = session
        self._budget = budget
        self._client = Client(session)
        self._mapping = mapping
        self._takes_calls = wants.calls
        reads_companies = wants.organizations or bool(mapping.inputs_of(organization=True))
        self._companies = Companies(self._client, monotonic) if reads_companies else None
        self._is_native = account.mode == "native"
        is_mapped = any(one.field == DESCRIPTION for one in mapping.inputs.values())
        is_wanted = is_mapped or wants.description
        self._included = f"{INCLUDE},{DESCRIPTION}" if is_wanted else INCLUDE  # of lists
        self._prefix = account.prefix
        self._hidden: set[str] = set()  # outputs that tickets came without since the last prepare
        self._robots = frozenset(account.robots)
        self._secrets = [one.get_secret_value() for one in account.webhook.secrets]
        self._header = account.webhook.header
        self._catalogue: Catalogue | None = None
        self._own_user_id: str | None = None

    def identify(self) -> Identity:
        """Say who we are there."""
        agent = self._client.me()
        contact = agent.get("contact")
        name = contact.get("name") if isinstance(contact, dict) else None
        self._own_user_id = str(agent["id"])
        return Identity(user_id=self._own_user_id, name=str(name or ""))

    def prepare(self) -> tuple[str, ...]:
        """Read the ticket fields, and ask whether companies can be read where they are wanted."""
        fields = self._client.ticket_fields()
        self._catalogue, lines = read_catalogue(fields, self._mapping, self._prefix)
        hidden, self._hidden = sorted(self._hidden), set()
        lines += tuple(HIDDEN.format(name=name) for name in hidden)
        if self._companies is not None and not self._companies.may_read():
            lines += (NO_COMPANIES,)
        return tuple(line for line in lines if not (self._is_native and _is_replaced(line)))

    def receive(self, headers: Mapping[str, str], body: bytes) -> Hint:
        """Verify a delivery."""
        return webhook.receive(
            headers,
            body,
            secrets=self._secrets,
            header=self._header,
            mapping=self._mapping,
        )

    def read(self, ticket_id: str) -> Reading:
        """Look at one ticket."""
        return self._reading(self._client.ticket(_plain_id(ticket_id)), single=True)

    def _reading(self, raw: JSONObject, *, single: bool) -> Reading:
        fields = self._fields()
        reading = translate.reading(
            raw | self._company(raw),
            fields,
            Words(self._mapping),
            single=single,
            native=self._is_native,
            calls=self._takes_calls,
        )
        told = {*reading.fields, *reading.raw[translate.OWN]}
        self._hidden |= fields.outputs.keys() - told
        return reading

    def read_many(self, ticket_ids: Sequence[str]) -> Sequence[Reading]:
        """Look at each ticket singly: Freshdesk has no read by ids."""
        found = []
        for ticket_id in ticket_ids:
            try:
                found.append(self.read(ticket_id))
            except TicketNotFound:
                continue
        return found

    def refresh(self, reading: Reading) -> Reading:
        """Read the ticket without its figures; those are as they were if it was not updated."""
        ticket_id = reading.ticket.id
        raw = self._client.ticket(_plain_id(ticket_id), include=None)
        if translate.updated_at(raw) != reading.updated_at:
            return self.read(ticket_id)
        return self._reading(raw | {"stats": reading.raw[translate.STATS]}, single=True)

    def changes(self, cursor: JSONObject | None, since: datetime) -> Page:
        """One page of the list by `updated_at`; deleted tickets and spam come at times."""
        walk = Walk.from_instant(since) if cursor is None else Walk.of(cursor)
        walk.place.refuse_to_stall()
        listed = self._client.changed(
            walk.name, translate.text_of(walk.place.since), walk.place.page, self._included
        )
        after, is_end = walk.after(listed)
        readings, unread = [], []
        for raw in walk.place.fresh(listed.rows):
            try:
                readings.append(self._reading(raw, single=False))
            except MappingError as error:
                ticket_id = str(raw["id"])
                log.warning("listed ticket not understood", ticket=ticket_id, reason=str(error))
                unread.append(ticket_id)
        return Page(
            readings=tuple(readings),
            cursor=after.to_json(),
            end=is_end,
            position=after.position,
            unread=tuple(unread),
        )

    def events(self, cursor: JSONObject | None, since: datetime) -> EventPage:
        """Not there: Freshdesk keeps no history of values."""
        raise NotImplementedError("Freshdesk has no export of events; see capabilities")

    def oldest_open(self) -> None:
        """Not told: no list of Freshdesk's can be narrowed by status."""

    def count(self) -> int | None:
        """The newest ticket's number, which counts those that were deleted or merged too."""
        newest = self._client.newest()
        number = str(newest.get("id")) if newest else "0"
        return int(number) if _is_plain(number) else None

    def room(self) -> Room:
        """How many tickets can be read and written within the rate budget now."""
        return limits.room(self._budget)

    def history(self, reading: Reading, rows: Sequence[JSONObject] | None = None) -> History:  # noqa: ARG002
        """Read all conversations; Freshdesk tells nothing of earlier values, and no `rows`."""
        conversations = self._client.conversations(
            reading.ticket.id, archived=reading.read_only == translate.ARCHIVED
        )
        nobody = Nobody.of(self._user_id(), self._robots)
        return History(
            replies=replies_of(conversations, nobody),
            changes=(),
            known_since=None,
            calls=calls_of(conversations, nobody),
        )

    def plan(self, reading: Reading, desired: Desired) -> Plan | None:
        """Desired minus observed."""
        return planning.plan(reading, desired, self._fields(), native=self._is_native)

    def write(self, plan: Plan) -> None:
        """Write one ticket; nothing is sent when all there is to write are tags of an old read."""
        if plan.body:
            own = frozenset(one.name for one in self._fields().outputs.values())
            self._client.update(plan.ticket_id, plan.body, own)

    def write_many(self, plans: Sequence[Plan]) -> Job:
        """Not there: Freshdesk's bulk update writes the same values into every ticket."""
        raise NotImplementedError("Freshdesk writes tickets singly; capabilities.write_batch is 0")

    def jobs(self, job_ids: Sequence[str]) -> Sequence[Job]:  # noqa: ARG002
        """None: there are no bulk writes."""
        return ()

    def add_note(self, ticket_id: str, text: str) -> None:
        """Write a private note."""
        self._client.add_note(_plain_id(ticket_id), notes.note_of(text))

    def has_note(self, ticket_id: str, marker: str, since: datetime) -> bool:  # noqa: ARG002
        """Look through all conversations: Freshdesk lists the oldest first, and nothing else."""
        conversations = self._client.conversations(_plain_id(ticket_id))
        return any(notes.holds(one, marker) for one in conversations)

    def clock_samples(self) -> Sequence[ClockSample]:
        """The clock readings since the last call."""
        return [
            ClockSample(shown=shown, received=received)
            for shown, received in self.session.clock_samples()
        ]

    def _company(self, raw: JSONObject) -> JSONObject:
        """The key that a ticket's company stands under; nothing where it is of no use."""
        company_id = str(raw.get("company_id") or "")
        if self._companies is None or not _is_plain(company_id):
            return {}
        company = self._companies.company(company_id)
        return {} if company is None else {"company": company}

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
    now: Callable[[], datetime] | None = None,  # noqa: ARG001 - every helpdesk is connected alike
    wants: Wants = NOTHING_MORE,
    budget: Budget | None = None,
    vault: Vault | None = None,  # noqa: ARG001 - an API key is no secret that Freshdesk renews
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> Freshdesk:
    """The account that the settings describe. Raises `SettingsError`; makes no call.

    `now` is not needed here: Freshdesk signs no instant.
    """
    session = Session(
        account.base_url or f"https://{account.subdomain}.freshdesk.com",
        authorizer=sign_in(account.sign_in),
        budget=budget,
        limits=limits.FreshdeskLimits(),
        classify=refused_sign_in,
        default_retry_after=DEFAULT_RETRY_AFTER,
        sleep=sleep,
        account=account.name,
    )
    return Freshdesk(account, mapping, session, wants=wants, budget=budget, monotonic=monotonic)


def _is_replaced(line: str) -> bool:
    return any(line.startswith(f"output {name}:") for name in translate.REPLACED_BY_NATIVE)


def _plain_id(ticket_id: str) -> str:
    """Ids come from deliveries; nothing but digits may reach a path."""
    if not _is_plain(ticket_id):
        raise TicketNotFound(f"'{ticket_id[:40]}' is no id of a Freshdesk ticket")
    return ticket_id


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isdigit()
