"""Reasons: codes and figures while stored, sentences to be checked by hand when read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from mappings.clock import Course, Wait

SHOWN_SEGMENTS = 6  # enough to follow a week by hand; more would hide the line that matters


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """One step of the explanation."""

    code: str
    values: Mapping[str, Any]
    #: document and heading that the rule comes from; None for what is not in the document
    source: str | None = None


def text(reason: Reason, zone: tzinfo) -> str:
    """The sentence for a reason, with its instants in `zone`."""
    sentence = SENTENCES.get(reason.code)
    if sentence is None:  # a remark of a helpdesk that was added later
        return f"{named(reason.code)}: {', '.join(map(str, reason.values.values()))}."
    return sentence(reason.values, zone)


def moment(at: datetime, zone: tzinfo) -> str:
    """An instant as people in `zone` say it, such as "Fri 2026-03-06 18:45"."""
    local = at.astimezone(zone)
    return local.strftime("%a %Y-%m-%d %H:%M" + (":%S" if local.second else ""))


def length(seconds: int) -> str:
    """A length of time, such as "4 h 30 min"."""
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [(hours, "h"), (minutes, "min"), (seconds, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 min"


def named(word: str) -> str:
    """One of our identifiers as a person writes it."""
    return word.replace("_", " ")


def _promise(values: Mapping[str, Any], zone: tzinfo) -> str:
    amount, start = values["amount"], moment(values["start"], zone)
    subject = f"The {named(values['metric'])} ({values['governed_by']})"
    if amount is None:
        return f"{subject} is due at the instant that was promised, counted from {start}."
    bound = f"{values['aim']}, at most {amount}" if values["aim"] else str(amount)
    elapsed = values["clock"] == "elapsed"
    clock = "every hour of the day counts" if elapsed else f"in {values['clock']} hours"
    regime = {None: "", True: "; reported while support was open", False: "; reported while closed"}
    return f"{subject} is promised in {bound}, {clock}{regime[values['was_open']]}, from {start}."


def _counted(values: Mapping[str, Any], zone: tzinfo) -> str:
    course: Course = values["course"]
    if course.due_at is None:
        return ""
    segments = course.schedule.segments(course.start, course.due_at)
    shown = [
        f"{moment(start, zone)} to {end.astimezone(zone):%H:%M} "
        f"({length(int((end - start).total_seconds()))})"
        for start, end in segments[:SHOWN_SEGMENTS]
    ]
    more = len(segments) - len(shown)
    rest = f" and {more} more" if more > 0 else ""
    return f"Open hours counted for the {named(values['metric'])}: {', '.join(shown)}{rest}."


def _stands(values: Mapping[str, Any], zone: tzinfo) -> str:
    subject, state = f"The {named(values['metric'])}", named(values["state"])
    parts = [f"{subject} is {state}"]
    if values["aim"] is not None:
        parts.append(f"aimed for {moment(values['aim'], zone)}")
    if values["due"] is not None:
        parts.append(f"due {moment(values['due'], zone)}")
    if values["fulfilled"] is not None:
        parts.append(f"fulfilled {moment(values['fulfilled'], zone)}")
    if values["excused"]:
        parts.append(f"excused: {named(values['excused'])}")
    return f"{', '.join(parts)}."


def _wait(what: str) -> Callable[[Mapping[str, Any], tzinfo], str]:
    def sentence(values: Mapping[str, Any], zone: tzinfo) -> str:
        wait: Wait = values["wait"]
        end = f"until {moment(wait.end, zone)}" if wait.end else "still"
        since = moment(wait.start, zone)
        return (
            f"Waiting ({named(wait.cause)}) from {since} {end}: {what} {named(values['metric'])}."
        )

    return sentence


def _plain(template: str) -> Callable[[Mapping[str, Any], tzinfo], str]:
    def sentence(values: Mapping[str, Any], zone: tzinfo) -> str:
        shown = {
            name: moment(value, zone) if isinstance(value, datetime) else value
            for name, value in values.items()
        }
        return template.format(**shown)

    return sentence


SENTENCES: dict[str, Callable[[Mapping[str, Any], tzinfo], str]] = {
    "class": _plain("The request counts as: {value}."),
    "exempt": _plain("No service level applies ({reason}): {why}."),
    "severity": _plain("The severity is {level} by {by}."),
    "severity_unknown": _plain("'{value}' is no severity of this policy and was passed over."),
    "outbound": _plain("Support wrote first, so no first response is owed."),
    "promise": _promise,
    "counted": _counted,
    "also": _plain(
        "Another promise for the {metric} ({governed_by}), due {due}, is later or equal; "
        "the earliest governs."
    ),
    "wait_run": _wait("this policy lets the clock run for the"),
    "wait_pause": _wait("the time is taken out of the"),
    "wait_excuse": _wait("the clock runs, a miss is excused for the"),
    "stands": _stands,
    "solved_without_reply": _plain(
        "No public reply by a person was made before the solve at {at}; the solve fulfils the "
        "first response."
    ),
    "tier": _plain("Tier {tier} because of: {why}."),
    "duty": _plain("{text} (since {since})."),
    "cancelled": _plain("The ticket was {reason}; its open clocks are cancelled."),
    "channel_other": _plain("The channel is not known to the mapping and is treated as portal."),
    "unknown_value": _plain(
        "The {about} '{value}' is not in the field mapping; it is not guessed."
    ),
    "author_unknown": _plain(
        "Who user {value} is, the helpdesk did not say; what they wrote is not counted as an "
        "agent's {about}."
    ),
    "field_missing": _plain(
        "The mapping takes {about} from the field '{value}', which the helpdesk does not have."
    ),
}


def utc(at: datetime) -> str:
    """An instant as it stands in JSON and in fields: YYYY-MM-DDTHH:MM:SSZ."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
