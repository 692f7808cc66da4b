"""The sandbox's own controls under `/_sandbox/`: JSON for tests and tools, forms for its page."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify, redirect, request

from sandbox.bodies import strict_json
from sandbox.bulk import Bulk, read_wish
from sandbox.clock import parse_instant
from sandbox.deliveries import read_disturbance
from sandbox.desk import Customer, DeskError, Message, NewTicket, NoSuchTicketError, Troubles
from sandbox.faults import faults_from_json
from sandbox.histories import Actor, HistoryError, parse_histories
from sandbox.limits import Windows

if TYPE_CHECKING:
    from sandbox.application import Sandbox

_MENU = {
    "POST tickets": "{subject, description, requester, organization, channel, priority, type}",
    "GET tickets": "all tickets as the vendor's API shows them (?limit=)",
    "POST tickets/<id>": "set status, priority, type, subject, tags, fields {name: value}",
    "POST tickets/<id>/reply": "{as: agent|customer, body, public}",
    "POST tickets/<id>/note": "{body}: a private note of an agent",
    "POST tickets/<id>/call": "{as: agent|customer, body, public}: the note of a phone call",
    "DELETE tickets/<id>": "delete softly",
    "POST organizations": "{name, domains, tags, fields {name: value}}: create it or change it",
    "POST load": "a list of histories; ?webhooks=1 announces them, ?moved=now ends the export",
    "POST announce": "tell the webhooks of every ticket, as if each were new",
    "POST bulk": "{count, share_open, share_closed, share_history, since, seed}: very many tickets",
    "GET POST clock": "{offset_seconds | advance_seconds | set: ISO | freeze: bool}",
    "GET POST faults": "{spec: 'latency=50ms,429=0.05'} or {'429': 0.05}; {} is none",
    "GET POST limits": "{windows: fixed|aligned|sliding, minute_seconds}: how calls are counted",
    "GET POST switches": "behaviours of the vendor that are not known for certain",
    "GET POST webhooks": "{url, secret, headers, kind, template}",
    "DELETE webhooks/<id>": "forget a webhook",
    "GET deliveries": "what was sent (?limit=)",
    "GET POST deliveries/faults": "{off: bool, duplicate, reorder (shares), reorder_seconds}",
    "GET requests": "API calls by endpoint, refusals, and calls after one; DELETE begins at zero",
    "POST tokens/revoke": "let all access tokens be expired",
    "POST account": "{suspended: bool, deactivated: bool}: the account; the user of the API",
    "DELETE fields/<name>": "delete a ticket field, by id, name or title",
    "POST fields/<name>": "{type: the vendor's word} or {hidden: bool} (from the ticket form)",
}
_TEXTS = ("subject", "description", "requester", "organization", "channel", "priority", "type")
_CHANGEABLE = ("status", "priority", "type", "subject", "tags", "fields")
Answer = Response | tuple[Response, int]


def blueprint(sandbox: "Sandbox") -> Blueprint:
    """The controls of one helpdesk."""
    api = Blueprint("controls", __name__, url_prefix="/_sandbox")
    calls = Controls(sandbox)
    routes: tuple[tuple[str, str, Callable[..., Any]], ...] = (
        ("GET", "/", calls.menu),
        ("GET", "/tickets", calls.tickets),
        ("POST", "/tickets", calls.create),
        ("POST", "/tickets/<int:ticket_id>", calls.edit),
        ("DELETE", "/tickets/<int:ticket_id>", calls.delete),
        ("POST", "/tickets/<int:ticket_id>/reply", calls.reply),
        ("POST", "/tickets/<int:ticket_id>/note", calls.note),
        ("POST", "/tickets/<int:ticket_id>/call", calls.call),
        ("POST", "/organizations", calls.put_organization),
        ("POST", "/load", calls.load),
        ("POST", "/bulk", calls.bulk),
        ("POST", "/announce", calls.announce),
        ("GET", "/clock", calls.clock),
        ("POST", "/clock", calls.move_clock),
        ("GET", "/faults", calls.faults),
        ("POST", "/faults", calls.set_faults),
        ("GET", "/limits", calls.limits),
        ("POST", "/limits", calls.set_limits),
        ("GET", "/switches", calls.switches),
        ("POST", "/switches", calls.set_switches),
        ("GET", "/webhooks", calls.webhooks),
        ("POST", "/webhooks", calls.add_webhook),
        ("DELETE", "/webhooks/<string:key>", calls.remove_webhook),
        ("GET", "/deliveries", calls.deliveries),
        ("GET", "/deliveries/faults", calls.delivery_faults),
        ("POST", "/deliveries/faults", calls.set_delivery_faults),
        ("GET", "/requests", calls.requests),
        ("DELETE", "/requests", calls.forget_requests),
        ("POST", "/requests/reset", calls.forget_requests),
        ("POST", "/tokens/revoke", calls.revoke_tokens),
        ("POST", "/account", calls.set_account),
        ("POST", "/fields/<string:name>", calls.change_field),
        ("DELETE", "/fields/<string:name>", calls.delete_field),
    )
    for method, rule, view in routes:
        api.add_url_rule(rule, f"{method} {rule}", view, methods=[method])
    api.register_error_handler(NoSuchTicketError, _no_ticket)
    for refused in (DeskError, HistoryError, ValueError):
        api.register_error_handler(refused, _refused)
    return api


class Controls:
    """The calls. A form's answer leads back to the page, a JSON caller's answer is JSON."""

    def __init__(self, sandbox: "Sandbox") -> None:
        self._sandbox = sandbox
        self._desk = sandbox.desk

    def menu(self) -> Answer:
        """What there is."""
        return jsonify({"helpdesk": self._desk.name, "controls": _MENU})

    def tickets(self) -> Answer:
        """All tickets."""
        return jsonify({"tickets": self._desk.documents(request.args.get("limit", 10**6, int))})

    def create(self) -> Any:
        """Create a ticket."""
        wanted = _wanted()
        given = {name: str(wanted[name]) for name in _TEXTS if wanted.get(name)}
        if not given.get("subject", "").strip():
            message = "a ticket needs a subject"
            raise DeskError(message)
        new = NewTicket(**{"description": "", **given}, tags=_tags(wanted.get("tags")))
        ticket_id = self._desk.create(new)
        return self._done(f"/tickets/{ticket_id}", {"id": ticket_id}, 201)

    def edit(self, ticket_id: int) -> Any:
        """Change values."""
        wanted = _wanted()
        changes = {name: wanted[name] for name in _CHANGEABLE if name in wanted}
        if "tags" in changes:
            changes["tags"] = _tags(changes["tags"])
        _check_shapes(changes, fields=Mapping)
        self._desk.edit(ticket_id, changes)
        return self._done(f"/tickets/{ticket_id}", {"id": ticket_id})

    def delete(self, ticket_id: int) -> Any:
        """Delete a ticket."""
        self._desk.delete(ticket_id)
        return self._done("/", {"id": ticket_id})

    def reply(self, ticket_id: int) -> Any:
        """Reply as agent or customer."""
        wanted = _wanted()
        return self._say(ticket_id, _actor(wanted), _public(wanted, True), wanted)

    def note(self, ticket_id: int) -> Any:
        """Add a private note."""
        return self._say(ticket_id, Actor.AGENT, False, _wanted())

    def call(self, ticket_id: int) -> Any:
        """Log a phone conversation; the note is private unless asked otherwise."""
        wanted = _wanted()
        return self._say(ticket_id, _actor(wanted), _public(wanted, False), wanted, phone=True)

    def put_organization(self) -> Any:
        """Create or change an organization."""
        wanted = _wanted()
        if not str(wanted.get("name") or "").strip():
            message = "an organization needs a name"
            raise DeskError(message)
        names = ("name", "domains", "tags", "fields")
        known: dict[str, Any] = {name: wanted[name] for name in names if name in wanted}
        _check_shapes(known, name=str, domains=list, tags=list, fields=Mapping)
        return jsonify({"id": self._desk.put_customer(Customer(**known))}), 201

    def load(self) -> Any:
        """Store whole histories."""
        histories = parse_histories(strict_json(request.get_data()))
        ids = self._desk.load(
            histories,
            webhooks=request.args.get("webhooks") == "1",
            moved_now=request.args.get("moved") == "now",
        )
        return jsonify({"ids": ids}), 201

    def bulk(self) -> Any:
        """Store very many made-up tickets; answers when all of them are there."""
        wish = read_wish(_wanted())
        sandbox = self._sandbox
        return jsonify(Bulk(sandbox.state, sandbox.clock, self._desk, wish).load()), 201

    def announce(self) -> Answer:
        """Tell the webhooks of every ticket."""
        return jsonify({"announced": self._desk.announce()})

    def clock(self) -> Answer:
        """The clock."""
        return jsonify(self._sandbox.clock.as_json())

    def move_clock(self) -> Any:
        """Move the clock, or let it stand still."""
        clock, wanted = self._sandbox.clock, _wanted()
        moves: dict[str, Callable[[Any], None]] = {
            "offset_seconds": lambda value: clock.set_offset(float(str(value))),
            "advance_seconds": lambda value: clock.advance(float(str(value))),
            "set": lambda value: clock.move_to(parse_instant(value)),
            "freeze": lambda value: clock.freeze(_truth(value)),
        }
        known = [name for name in moves if name in wanted]
        if not known:
            message = f"the clock takes one of {', '.join(moves)}"
            raise DeskError(message)
        for name in known:
            moves[name](wanted[name])
        return self._done("/", clock.as_json())

    def faults(self) -> Answer:
        """What goes wrong."""
        return jsonify(self._sandbox.faults.faults.as_json())

    def set_faults(self) -> Any:
        """Let things go wrong."""
        self._sandbox.faults.set(faults_from_json(_wanted()))
        return self._done("/", self._sandbox.faults.faults.as_json())

    def limits(self) -> Answer:
        """How calls are counted."""
        limiter = self._sandbox.limiter
        return jsonify({"windows": limiter.windows, "minute_seconds": limiter.minute_seconds})

    def set_limits(self) -> Any:
        """Count calls in other windows; all buckets are empty then."""
        wanted = _only(_wanted(), ("windows", "minute_seconds"))
        self._sandbox.limiter.change(
            windows=Windows(wanted["windows"]) if "windows" in wanted else None,
            minute_seconds=float(str(wanted["minute_seconds"]))
            if "minute_seconds" in wanted
            else None,
        )
        return self.limits()

    def switches(self) -> Answer:
        """The unconfirmed behaviours."""
        return jsonify(dict(self._desk.switches()))

    def set_switches(self) -> Answer:
        """Set unconfirmed behaviours."""
        self._desk.set_switches(_wanted())
        return self.switches()

    def webhooks(self) -> Answer:
        """The registered webhooks."""
        return jsonify({"webhooks": self._desk.webhooks()})

    def add_webhook(self) -> Any:
        """Register a webhook."""
        config = _wanted()
        if not str(config.get("url") or config.get("endpoint") or "").startswith("http"):
            message = "a webhook needs a url that begins with http"
            raise DeskError(message)
        hook = self._desk.add_webhook(config)
        return self._done("/", {"id": hook["id"]}, 201)

    def remove_webhook(self, key: str) -> Any:
        """Forget a webhook."""
        self._desk.remove_webhook(int(key) if key.isascii() and key.isdigit() else key)
        return jsonify({"id": key})

    def deliveries(self) -> Answer:
        """What was sent."""
        return jsonify(self._sandbox.sender.log(request.args.get("limit", 200, int)))

    def delivery_faults(self) -> Answer:
        """What goes wrong with webhooks."""
        return jsonify(self._sandbox.sender.disturbance.as_json())

    def set_delivery_faults(self) -> Answer:
        """Let webhooks go wrong."""
        self._sandbox.sender.disturbance = read_disturbance(_wanted())
        return self.delivery_faults()

    def requests(self) -> Answer:
        """API calls."""
        return jsonify(self._sandbox.traffic.as_json())

    def forget_requests(self) -> Answer:
        """Count from zero."""
        self._sandbox.traffic.reset()
        return self.requests()

    def revoke_tokens(self) -> Answer:
        """Let tokens expire."""
        self._desk.revoke_tokens()
        return jsonify({})

    def set_account(self) -> Answer:
        """Suspend the account, deactivate the user of the API, or take that back."""
        wanted = _only(_wanted(), ("suspended", "deactivated"))
        for name, change in (("suspended", "suspend"), ("deactivated", "deactivate")):
            if name in wanted:
                getattr(self._troubles, change)(_truth(wanted[name]))
        return jsonify(wanted)

    def change_field(self, name: str) -> Answer:
        """Give a ticket field another type, or take it off the form."""
        wanted = _only(_wanted(), ("type", "hidden"))
        if "type" in wanted:
            self._troubles.retype_field(name, str(wanted["type"]))
        if "hidden" in wanted:
            self._troubles.hide_field(name, _truth(wanted["hidden"]))
        return jsonify(wanted)

    def delete_field(self, name: str) -> Answer:
        """Delete a ticket field."""
        self._troubles.delete_field(name)
        return jsonify({"deleted": name})

    @property
    def _troubles(self) -> Troubles:
        return self._desk if isinstance(self._desk, Troubles) else Troubles()

    def _say(
        self,
        ticket_id: int,
        by: Actor,
        public: bool,
        wanted: Mapping[str, Any],
        *,
        phone: bool = False,
    ) -> Any:
        body = str(wanted.get("body") or "").strip()
        if not body:
            message = "a message needs a body"
            raise DeskError(message)
        self._desk.say(ticket_id, Message(by=by, public=public, body=body, phone=phone))
        return self._done(f"/tickets/{ticket_id}", {"id": ticket_id})

    def _done(self, page: str, answer: Mapping[str, Any], status: int = 200) -> Any:
        if request.is_json or request.mimetype == "" or not request.form:
            return jsonify(answer), status
        back = request.form.get("back", page)
        return redirect(back if back.startswith("/") and not back.startswith("//") else page, 303)


def _wanted() -> dict[str, Any]:
    if request.form:
        return {name: value for name, value in request.form.items() if name != "back"}
    body = strict_json(request.data) if request.data else {}
    if not isinstance(body, dict):
        message = "the body must be a JSON object"
        raise DeskError(message)
    return body


def _only(wanted: dict[str, Any], known: Sequence[str]) -> dict[str, Any]:
    unknown = sorted(set(wanted) - set(known))
    if unknown or not wanted:
        message = f"this takes {' and '.join(known)}, not {', '.join(unknown) or 'nothing'}"
        raise DeskError(message)
    return wanted


def _truth(value: Any) -> bool:
    return value not in (False, "false", "0", "")


def _actor(wanted: Mapping[str, Any]) -> Actor:
    words = list(Actor)
    if wanted.get("as") not in words:
        message = f"as must be one of {', '.join(words)}"
        raise DeskError(message)
    return Actor(wanted["as"])


def _public(wanted: Mapping[str, Any], otherwise: bool) -> bool:
    return wanted.get("public", otherwise) not in (False, "false", "0")


def _tags(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.replace(",", " ").split()
    _check_shapes({"tags": value or []}, tags=list)
    return [str(one) for one in value or []]


def _check_shapes(given: Mapping[str, Any], **shapes: type) -> None:
    for name, shape in shapes.items():
        if name in given and not isinstance(given[name], shape):
            message = f"{name} must be a {shape.__name__.lower()}"
            raise DeskError(message)


def _no_ticket(_error: NoSuchTicketError) -> Response:
    return _problem("there is no such ticket", 404)


def _refused(error: Exception) -> Response:
    return _problem(str(error), 422 if isinstance(error, DeskError) else 400)


def _problem(text: str, status: int) -> Response:
    if request.form:
        return Response(text, status=status, content_type="text/plain; charset=utf-8")
    body = json.dumps({"error": text})
    return Response(body, status=status, content_type="application/json")
