"""The people's view of a local helpdesk: the list of tickets, one ticket, and the clock."""

from flask import Blueprint, Response, make_response, render_template, request
from markupsafe import Markup

from sandbox.clock import Clock, parse_instant
from sandbox.desk import Desk, NoSuchTicketError

_STEPS = ((300, "+5 min"), (900, "+15 min"), (3600, "+1 h"), (86_400, "+1 day"))
_SHOWN = 100
_STATE_WORDS = ("breached", "overdue", "at_risk", "paused", "running", "not_started", "met")


def when(text: str | None) -> str:
    """An instant for people, in UTC; what is no instant stays as it is."""
    if not text:
        return ""
    try:
        return parse_instant(text).strftime("%a %d %b %Y, %H:%M")
    except ValueError:
        return text


def short(text: str) -> str:
    """An instant in a list, in UTC: no year, for what is near; what is no instant stays."""
    try:
        return parse_instant(text).strftime("%a %d %b %H:%M")
    except ValueError:
        return text


def breakable(tag: str) -> Markup:
    """A tag that may wrap after its underscores; everything in it is escaped."""
    return Markup("_<wbr>").join(tag.split("_"))


def tone(tag: str) -> str:
    """The style class of a tag: by SLA state where it names one."""
    if not tag.startswith("sla_"):
        return "tag"
    state = next((word for word in _STATE_WORDS if tag.endswith(word)), "other")
    return f"tag sla {state}"


def state_tone(value: str) -> str:
    """The style class of an SLA state, given as words or as a drop-down's value."""
    word = value.lower().replace(" ", "_").partition("state_")
    return f"state {word[2] or word[0]}"


def blueprint(desk: Desk, clock: Clock) -> Blueprint:
    """The pages of one helpdesk."""
    pages = Blueprint("page", __name__)
    pages.add_app_template_filter(when)
    pages.add_app_template_filter(short)
    pages.add_app_template_filter(breakable)
    pages.add_app_template_filter(tone)
    pages.add_app_template_filter(state_tone)
    pages.app_context_processor(
        lambda: {"desk": desk, "clock": clock, "steps": _STEPS, "here": request.path}
    )

    @pages.get("/")
    def home() -> str:
        """The list of tickets, and the form for a new one."""
        return render_template("list.html", rows=desk.rows(_limit()), new="new" in request.args)

    @pages.get("/rows")
    def rows() -> Response:
        """Only what moves on the list: its rows and the clock."""
        return _fresh(render_template("rows.html", rows=desk.rows(_limit())))

    @pages.get("/tickets/<int:ticket_id>")
    def ticket(ticket_id: int) -> str | tuple[str, int]:
        """One ticket."""
        try:
            return render_template("ticket.html", card=desk.card(ticket_id))
        except NoSuchTicketError:
            return render_template("gone.html", ticket_id=ticket_id), 404

    @pages.get("/tickets/<int:ticket_id>/live")
    def live(ticket_id: int) -> Response:
        """Only what moves on a ticket's page."""
        try:
            return _fresh(render_template("live.html", card=desk.card(ticket_id)))
        except NoSuchTicketError:
            return Response(status=404)

    return pages


def _limit() -> int:
    return max(1, min(1000, request.args.get("limit", _SHOWN, int)))


def _fresh(text: str) -> Response:
    answer = make_response(text)
    answer.headers["Cache-Control"] = "no-store"
    return answer
