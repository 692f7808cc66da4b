"""Writes whole ticket histories into the local Zendesk, with their own instants."""

from collections.abc import Sequence
from typing import Any

from sandbox.clock import epoch, iso
from sandbox.histories import Actor, Event, EventKind, History
from sandbox.state import Doc, Row
from sandbox.zendesk.account import Account
from sandbox.zendesk.audits import Stamp
from sandbox.zendesk.changes import NewComment, Update
from sandbox.zendesk.writer import Draft

_WORDS = {"resolved": "solved", "on-hold": "hold", "on hold": "hold", "medium": "normal"}
_CHANNELS = {"phone": "voice", "portal": "web"}
_VALUE_OF = {
    EventKind.STATUS: "status",
    EventKind.PRIORITY: "priority",
    EventKind.TYPE: "type",
    EventKind.SUBJECT: "subject",
}


class Loader:
    """Loads histories in one transaction each call."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def load(self, histories: Sequence[History], *, webhooks: bool, moved_now: bool) -> list[int]:
        """Store histories; `moved_now` puts them at the end of the export, as a real import."""
        core = self._account.core
        now = epoch(core.clock.stamp())
        with core.state.writing():
            tickets, rows = [], []
            for history in histories:
                ticket, beside = self._history(history)
                generated = now if moved_now else epoch(ticket["updated_at"])
                rows += [*beside, self._account.writer.ticket_row(ticket, generated=generated)]
                tickets.append(ticket)
            core.state.put_all(rows)
            if webhooks:
                for ticket in tickets:
                    self._account.writer.announce(ticket, actor=ticket["requester_id"])
        return [ticket["id"] for ticket in tickets]

    def _history(self, history: History) -> tuple[Doc, list[Row]]:
        people, person = self._account.people, history.person
        requester = people.ensure_user(
            person.name,
            email=person.email,
            organization=history.organization,
            locale=person.locale,
        )
        channel = _CHANNELS.get(history.channel, history.channel)
        opening = history.opening
        by_agent = opening is not None and opening.by is Actor.AGENT and opening.author is not None
        submitter = self._agent(opening) if by_agent and opening else requester
        draft = Draft(
            subject=history.subject,
            requester_id=requester["id"],
            submitter_id=submitter["id"],
            organization_id=requester["organization_id"],
            channel=channel,
            comment=_comment(history.body, submitter, public=True, by_agent=bool(by_agent)),
            external_id=history.external_id,
        )
        stamp = _stamp(submitter, iso(history.created_at), channel)
        first = Update(
            values={"priority": _word(history.priority), "type": _word(history.type)},
            tags=history.tags,
        )
        ticket, _, rows = self._account.writer.plan_creation(draft, first, stamp)
        for event in history.later:
            rows += self._event(ticket, event, channel)
        return ticket, rows

    def _event(self, ticket: Doc, event: Event, channel: str) -> list[Row]:
        people = self._account.people
        by_agent = event.by is Actor.AGENT
        author = self._agent(event) if by_agent else people.users[ticket["requester_id"]]
        at = iso(event.at)
        if event.kind is EventKind.DELETED:
            ticket |= {"status": "deleted", "updated_at": at}
            return []
        stamp = _stamp(author, at, "web" if by_agent else channel)
        update = self._update(ticket, event, author)
        _, _, rows = self._account.writer.plan_change(ticket, update, stamp)
        return rows

    def _update(self, ticket: Doc, event: Event, author: Doc) -> Update:
        if event.kind is EventKind.COMMENT:
            by_agent = event.by is Actor.AGENT
            text = str(event.value or "…")
            public = event.public or not by_agent
            comment = _comment(text, author, public=public, by_agent=by_agent)
            takes_it = by_agent and public and event.author and ticket["assignee_id"] is None
            return Update(values={"assignee_id": author["id"]} if takes_it else {}, comment=comment)
        if event.kind is EventKind.TAGS:
            return Update(tags=list(event.value or []))
        values: dict[str, Any] = {_VALUE_OF[event.kind]: _word(event.value)}
        if event.kind is EventKind.SUBJECT:
            values["subject"] = str(event.value)
        return Update(values=values)

    def _agent(self, event: Event) -> Doc:
        people = self._account.people
        return people.ensure_agent(event.author) if event.author else people.agents[0]


def _comment(text: str, author: Doc, *, public: bool, by_agent: bool) -> NewComment:
    return NewComment(
        body=text, html_body=None, public=public, author_id=author["id"], by_agent=by_agent
    )


def _stamp(author: Doc, at: str, channel: str) -> Stamp:
    return Stamp(author_id=author["id"], at=at, channel=channel, metadata={})


def _word(value: Any) -> str | None:
    if value is None or value == "":
        return None
    word = str(value).strip().lower()
    return _WORDS.get(word, word)
