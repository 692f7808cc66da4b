"""Zendesk's API about everything but tickets and people: fields, forms, statuses, jobs."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from sandbox.bodies import object_id
from sandbox.state import Doc
from sandbox.zendesk import jobs
from sandbox.zendesk.account import Account
from sandbox.zendesk.errors import bad_request, invalid_endpoint, not_found
from sandbox.zendesk.parsing import envelope
from sandbox.zendesk.people import FORM_ID, custom_statuses
from sandbox.zendesk.render import (
    shown_field,
    shown_group,
)
from sandbox.zendesk.wire import base_url, ids_asked, json_body, paged, signed_in

_MOST_ROWS = 100


class AccountApi:
    """The calls, as methods; `register` gives them their paths."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def register(self, api: Blueprint) -> None:
        """Add the calls to the API."""
        field = "/api/v2/ticket_fields/<int:field_id>"
        form = "/api/v2/ticket_forms/<int:form_id>"
        routes: tuple[tuple[str, str, Any], ...] = (
            ("GET", "/api/v2/custom_statuses", self.statuses),
            ("GET", "/api/v2/ticket_fields", self.fields),
            ("POST", "/api/v2/ticket_fields", self.create_field),
            ("GET", field, self.field),
            ("PUT", field, self.update_field),
            ("DELETE", field, self.delete_field),
            ("GET", field + "/options", self.options),
            ("POST", field + "/options", self.put_option),
            ("GET", "/api/v2/ticket_forms", self.forms),
            ("GET", form, self.form),
            ("PUT", form, self.update_form),
            ("GET", "/api/v2/groups", self.groups),
            ("POST", "/api/v2/tickets/create_many", self.create_many),
            ("PUT", "/api/v2/tickets/update_many", self.update_many),
            ("DELETE", "/api/v2/tickets/destroy_many", self.destroy_many),
            ("POST", "/api/v2/tickets/<int:ticket_id>/merge", self.merge),
            ("GET", "/api/v2/job_statuses", self.jobs),
            ("GET", "/api/v2/job_statuses/show_many", self.some_jobs),
            ("GET", "/api/v2/job_statuses/<string:job_id>", self.job),
        )
        for method, rule, view in routes:
            api.add_url_rule(rule, f"{method} {view.__name__}", view, methods=[method])

    def statuses(self) -> Response:
        """The account's ticket statuses; without the feature there is no such endpoint."""
        if not self._account.book.switches.custom_statuses:
            raise invalid_endpoint()
        return jsonify({"custom_statuses": custom_statuses()})

    def fields(self) -> Response:
        """All ticket fields."""
        docs = [shown_field(field, base_url()) for field in self._account.fields.by_id.values()]
        page, rest = paged("ticket_fields", docs)
        return jsonify({"ticket_fields": page, **rest})

    def create_field(self) -> tuple[Response, int]:
        """Create a ticket field."""
        field = self._account.fields.create(envelope(json_body(), "ticket_field"))
        if not self._account.book.switches.new_fields_on_form:
            self._account.form.hide(field["id"], True)
        return jsonify({"ticket_field": shown_field(field, base_url())}), 201

    def field(self, field_id: int) -> Response:
        """One ticket field."""
        found = _known(self._account.fields.by_id.get(field_id))
        return jsonify({"ticket_field": shown_field(found, base_url())})

    def update_field(self, field_id: int) -> Response:
        """Change a ticket field."""
        _known(self._account.fields.by_id.get(field_id))
        wanted = envelope(json_body(), "ticket_field")
        field = self._account.fields.update(field_id, wanted)
        return jsonify({"ticket_field": shown_field(field, base_url())})

    def delete_field(self, field_id: int) -> tuple[str, int]:
        """Delete a custom ticket field."""
        _known(self._account.fields.by_id.get(field_id))
        self._account.fields.remove(field_id)
        return "", 204

    def options(self, field_id: int) -> Response:
        """The options of a drop-down field."""
        field = _known(self._account.fields.by_id.get(field_id))
        page, rest = paged("custom_field_options", field.get("custom_field_options") or [])
        return jsonify({"custom_field_options": page, **rest})

    def put_option(self, field_id: int) -> tuple[Response, int]:
        """Add an option to a drop-down field, or change one."""
        _known(self._account.fields.by_id.get(field_id))
        wanted = envelope(json_body(), "custom_field_option")
        option, new = self._account.fields.put_option(field_id, wanted)
        return jsonify({"custom_field_option": option}), 201 if new else 200

    def forms(self) -> Response:
        """The ticket forms: the one of the account."""
        page, rest = paged("ticket_forms", [self._account.form.shown(base_url())])
        return jsonify({"ticket_forms": page, **rest})

    def form(self, form_id: int) -> Response:
        """One ticket form."""
        _known({"id": form_id} if form_id == FORM_ID else None)
        return jsonify({"ticket_form": self._account.form.shown(base_url())})

    def update_form(self, form_id: int) -> Response:
        """Set the fields of a ticket form."""
        _known({"id": form_id} if form_id == FORM_ID else None)
        ids = envelope(json_body(), "ticket_form").get("ticket_field_ids")
        if ids is not None:
            self._account.form.set_fields(ids)
        return self.form(form_id)

    def groups(self) -> Response:
        """The groups of agents: the one of the account."""
        page, rest = paged("groups", [shown_group(base_url())])
        return jsonify({"groups": page, **rest})

    def create_many(self) -> Response:
        """Queue the creation of up to 100 tickets."""
        rows: Any = json_body().get("tickets")
        if not _are_objects(rows):
            raise bad_request("InvalidValue", "tickets: a list of objects is needed")
        if len(rows) > _MOST_ROWS:
            raise bad_request("TooManyValues", f"tickets: at most {_MOST_ROWS} at once")
        work = {"kind": "create", "rows": rows, "author_id": signed_in()["id"]}
        return self._queued(self._account.jobs.queue("Bulk Create Ticket", work, len(rows)))

    def destroy_many(self) -> Response:
        """Queue the soft deletion of up to 100 tickets."""
        ids = ids_asked()
        work = {"kind": "delete", "ids": ids, "author_id": signed_in()["id"]}
        return self._queued(self._account.jobs.queue("Bulk Delete Ticket", work, len(ids)))

    def update_many(self) -> Response:
        """Queue an update of up to 100 tickets: one change for all, or one change each."""
        body = json_body()
        if "tickets" in body:
            rows = body["tickets"]
        else:
            change = envelope(body, "ticket")
            rows = [{**change, "id": ticket_id} for ticket_id in ids_asked()]
        self._check_rows(rows)
        self._count_rows(len(rows))
        work = {"kind": "update", "rows": rows, "author_id": signed_in()["id"]}
        job = self._account.jobs.queue("Bulk Update Ticket", work, len(rows))
        return self._queued(job)

    def merge(self, ticket_id: int) -> Response:
        """Queue the merging of other tickets into this one."""
        body = json_body()
        self._account.writer.require(ticket_id)
        wanted = body.get("ids")
        ids = [object_id(one) for one in wanted] if isinstance(wanted, list) else []
        sources = [one for one in ids if one is not None]
        if not sources:
            raise bad_request("MissingParameter", "ids: a list of ticket ids is required")
        work = {
            "kind": "merge",
            "target": ticket_id,
            "sources": sources,
            "author_id": signed_in()["id"],
            "source_comment": body.get("source_comment"),
            "target_comment": body.get("target_comment"),
        }
        job = self._account.jobs.queue("Bulk Ticket Merge", work, len(sources))
        return self._queued(job)

    def jobs(self) -> Response:
        """All jobs."""
        docs = [jobs.shown(job, base_url()) for job in self._account.core.state.all("job")]
        page, rest = paged("job_statuses", docs)
        return jsonify({"job_statuses": page, **rest})

    def some_jobs(self) -> Response:
        """Jobs by id."""
        keys = [key for key in request.args.get("ids", "").split(",") if key]
        if not keys or len(keys) > _MOST_ROWS:
            raise bad_request("InvalidValue", "ids: between 1 and 100 are needed")
        found = self._account.core.state.get_many("job", keys)
        docs = [jobs.shown(job, base_url()) for job in found.values()]
        return jsonify({"job_statuses": docs, "count": len(docs), "next_page": None})

    def job(self, job_id: str) -> Response:
        """One job."""
        if self._account.book.switches.single_job_status == "missing":
            raise not_found()
        job = _known(self._account.core.state.get("job", job_id))
        return jsonify({"job_status": jobs.shown(job, base_url())})

    def _queued(self, job: Doc) -> Response:
        answer = jsonify({"job_status": jobs.shown(job, base_url())})
        answer.headers.update(self._account.jobs.headers())
        return answer

    def _check_rows(self, rows: Any) -> None:
        if not _are_objects(rows) or any("id" not in row for row in rows):
            raise bad_request("InvalidValue", "tickets: a list of objects with an id is needed")
        if len(rows) > _MOST_ROWS:
            raise bad_request("TooManyValues", f"tickets: at most {_MOST_ROWS} at once")
        if any("safe_update" in row and not row.get("updated_stamp") for row in rows):
            raise bad_request("MissingParameter", "updated_stamp is required with safe_update")

    def _count_rows(self, rows: int) -> None:
        how = self._account.book.switches.update_many_bucket
        if how != "none":
            self._account.door.count_updates(rows if how == "row" else 1)


def _are_objects(rows: Any) -> bool:
    return isinstance(rows, list) and bool(rows) and all(isinstance(row, dict) for row in rows)


def _known(doc: Doc | None) -> Doc:
    if doc is None:
        raise not_found()
    return doc
