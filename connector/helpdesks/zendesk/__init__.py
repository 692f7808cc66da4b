"""Zendesk as a `Helpdesk`."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from connector.errors import HelpdeskUnreachable, RoleMissing, SettingsError, TicketNotFound
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
from connector.helpdesks.zendesk import events, limits, notes, translate, webhook
from connector.helpdesks.zendesk import plan as planning
from connector.helpdesks.zendesk.catalogue import (
    Catalogue,
    hidden_lines,
    names_custom_statuses,
    read_catalogue,
)
from connector.helpdesks.zendesk.client import Client
from connector.helpdesks.zendesk.exports import Exports, newest
from connector.helpdesks.zendesk.history import Authors, Nobody, authors_of, history_of
from connector.helpdesks.zendesk.limits import ZendeskLimits
from connector.helpdesks.zendesk.oauth import token_session
from connector.helpdesks.zendesk.people import People
from connector.helpdesks.zendesk.refusals import classify
from connector.helpdesks.zendesk.signin import advice, refusal_by, sign_in
from connector.http import Budget, Session, Vault
from connector.settings import AccountSettings
from mappings.errors import MappingError
from mappings.field_mapping import FieldMapping, Words
from mappings.written import instant

log = structlog.get_logger()

READ_BATCH = 100


class Zendesk:
    """One Zendesk account."""

    kind = "zendesk"
    capabilities = Capabilities(
        read_batch=READ_BATCH,
        write_batch=100,
        safe_update=True,
        tag_verbs=True,
        delivery_ids=True,
        event_export=True,
        keeps_changes=True,
    )

    def __init__(
        self,
        account: AccountSettings,
        mapping: FieldMapping,
        session: Session,
        *,
        now: Callable[[], datetime] | None = None,
        wants: Wants = NOTHING_MORE,
        budget: Budget | None = None,
    ) -> None:
        self.session = session
        beside = ",".join(_sideloads(mapping, wants))
        self._client = Client(session, beside=beside)
        self._exports = Exports(session, beside=beside)
        self._people = People(self._client.users)
        self._budget = budget
        self._advice = advice(account.sign_in)
        self._mapping = mapping
        self._takes_calls = wants.calls
        self._prefix = account.prefix
        self._robots = frozenset(account.robots)
        self._closed_tags = account.closed_tags
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
        """Read the ticket fields; a line for what cannot be used, or is to be done soon."""
        catalogue, lines = self._read_catalogue()
        try:
            hidden = hidden_lines(catalogue, self._mapping, self._client.ticket_forms())
        except (RoleMissing, HelpdeskUnreachable):  # not on every plan, and no more than advice
            hidden = ()
        return (*self._advice, *lines, *hidden)

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

    def refresh(self, reading: Reading) -> Reading:
        """The same ticket, read this moment."""
        return self.read(reading.ticket.id)

    def changes(self, cursor: JSONObject | None, since: datetime) -> Page:
        """One page of the incremental export; the newest minute comes with a later one."""
        page = self._exports.tickets(cursor, since)
        beside, readings, unread = self._beside(page.document), [], []
        for raw in newest(page.rows):
            try:
                readings.append(self._reading(raw, beside))
            except MappingError as error:
                ticket_id = str(raw["id"])
                log.warning("exported ticket not understood", ticket=ticket_id, reason=str(error))
                unread.append(ticket_id)
        return Page(
            readings=tuple(readings),
            cursor=page.cursor,
            end=page.end,
            position=page.position,
            unread=tuple(unread),
        )

    def oldest_open(self) -> datetime | None:
        """By one search, which lags behind by minutes."""
        found = self._client.oldest_unsolved()
        return instant(found.get("created_at")) if found else None

    def count(self) -> int | None:
        """Zendesk's own estimate; above 100,000 it is a day old."""
        count = (self._client.count() or {}).get("count")
        value = count.get("value") if isinstance(count, dict) else count
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def room(self) -> Room:
        """How many tickets can be read and written within the rate budget now."""
        return limits.room(self._budget)

    def events(self, cursor: JSONObject | None, since: datetime) -> EventPage:
        """One page of the export of ticket events, without any text."""
        page = self._exports.events(cursor, since)
        return EventPage(
            rows=events.rows_of(page.rows, self._fields()),
            cursor=page.cursor,
            end=page.end,
            position=page.position,
        )

    def history(self, reading: Reading, rows: Sequence[JSONObject] | None = None) -> History:
        """From `rows` where they tell everything, else from all audits of the ticket."""
        told = events.unique(rows or ())
        if events.are_whole(told, reading.raw["state"], reading.raw["comments"]):
            users = self._people.of(authors_of(told) | events.doers_of(told))
        else:
            document = self._client.audits(reading.ticket.id)
            told = document["audits"]
            self._people.note(document["users"])
            users = {str(user["id"]): user for user in document["users"] if user.get("id")}
            users |= self._people.of(authors_of(told))
        return history_of(
            reading.ticket,
            reading.raw["state"],
            told,
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

    def add_note(self, ticket_id: str, text: str) -> None:
        """Write an internal note."""
        self._client.add_comment(_plain_id(ticket_id), notes.comment_of(text))

    def has_note(self, ticket_id: str, marker: str, since: datetime) -> bool:
        """Look through the comments, the newest first, as far back as `since`."""
        pages = self._client.comments(_plain_id(ticket_id))
        return any(notes.holds(row, marker) for row in notes.written_since(pages, since))

    def clock_samples(self) -> Sequence[ClockSample]:
        """The clock readings since the last call."""
        return [
            ClockSample(shown=shown, received=received)
            for shown, received in self.session.clock_samples()
        ]

    def _read_catalogue(self) -> tuple[Catalogue, tuple[str, ...]]:
        statuses = None
        if names_custom_statuses(self._mapping):
            with suppress(RoleMissing):
                statuses = self._client.custom_statuses()
        fields = self._client.ticket_fields()
        self._catalogue, lines = read_catalogue(fields, self._mapping, statuses)
        return self._catalogue, lines

    def _readings(self, tickets: object, document: JSONObject) -> list[Reading]:
        beside = self._beside(document)
        return [
            self._reading(raw, beside)
            for raw in (tickets if isinstance(tickets, list) else [])
            if isinstance(raw, dict) and webhook.TICKET_ID.fullmatch(str(raw.get("id")))
        ]

    def _beside(self, document: JSONObject) -> translate.Sideloads:
        self._people.note(document.get("users"))
        return translate.Sideloads.of(document)

    def _reading(self, raw: JSONObject, beside: translate.Sideloads) -> Reading:
        return translate.reading(
            raw,
            beside,
            self._fields(),
            Words(self._mapping),
            calls=self._takes_calls,
            robots=bool(self._robots),
            closed_tags=self._closed_tags,
        )

    def _fields(self) -> Catalogue:
        return self._catalogue or self._read_catalogue()[0]

    def _user_id(self) -> str:
        return self._own_user_id or self.identify().user_id


def connect(
    account: AccountSettings,
    mapping: FieldMapping,
    *,
    now: Callable[[], datetime] | None = None,
    wants: Wants = NOTHING_MORE,
    budget: Budget | None = None,
    vault: Vault | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Zendesk:
    """The account that the settings describe. Raises `SettingsError`; makes no call.

    `now` is needed where `webhook.window_seconds` limits the age of deliveries.
    """
    if account.webhook.window_seconds and now is None:
        raise SettingsError("webhook.window_seconds needs a clock; give 'now' to connect()")
    base_url = account.base_url or f"https://{account.subdomain}.zendesk.com"
    tokens = token_session(base_url, sleep, account.name)
    authorizer = sign_in(
        account.sign_in, tokens, vault, account=account.name or "ACCOUNT", sleep=sleep
    )
    of_sign_in = refusal_by(account.sign_in)
    session = Session(
        base_url,
        authorizer=authorizer,
        budget=budget,
        limits=ZendeskLimits(),
        classify=lambda answer: of_sign_in(answer) or classify(answer),
        sleep=sleep,
        account=account.name,
    )
    return Zendesk(account, mapping, session, now=now, wants=wants, budget=budget)


def _sideloads(mapping: FieldMapping, wants: Wants) -> tuple[str, ...]:
    """What comes with every read: no more calls, but a larger answer."""
    organizations = wants.organizations or bool(mapping.inputs_of(organization=True))
    return (
        "metric_sets",
        "users",
        "comment_count",
        *(("organizations",) if organizations else ()),
        *(("slas",) if wants.own_dues else ()),
    )


def _plain_id(ticket_id: str) -> str:
    """Ids come from deliveries; nothing but digits may reach a path."""
    if not webhook.TICKET_ID.fullmatch(ticket_id):
        raise TicketNotFound(f"'{ticket_id[:40]}' is no id of a Zendesk ticket")
    return ticket_id
