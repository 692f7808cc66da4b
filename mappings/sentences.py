"""The sentences that reasons become when somebody reads them."""

from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Any

Values = Mapping[str, Any]
Sentence = Callable[[Values, tzinfo], str]


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@lru_cache(maxsize=4096)  # each instant of an explanation stands in several of its lines
def moment(at: datetime, zone: tzinfo) -> str:
    """An instant as people in `zone` say it, such as "Fri 2026-03-06 18:45"."""
    wall = at.astimezone(zone)
    return f"{_DAYS[wall.weekday()]} {wall.date()} {_time_of_day(wall)}"


def _time_of_day(wall: datetime) -> str:
    # a line of explanation has several of these, and strftime takes five times as long
    seconds = f":{wall.second:02}" if wall.second else ""
    return f"{wall.hour:02}:{wall.minute:02}{seconds}"


def length(seconds: int) -> str:
    """A length of time, such as "4 h 30 min"."""
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [(hours, "h"), (minutes, "min"), (seconds, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 min"


def named(word: str) -> str:
    """One of our identifiers as a person writes it."""
    return word.replace("_", " ")


def _promise(values: Values, zone: tzinfo) -> str:
    amount = values["amount"]
    start = f", from {moment(values['start'], zone)}" if values["start"] else ""
    subject = f"The {named(values['metric'])} ({values['governed_by']})"
    commitment = values["commitment"]
    if commitment == "none":
        bound = f"aimed for in {values['aim']}, which is no promise"
    elif amount is None:
        return f"{subject} is due at the instant that was promised{start}."
    else:
        word = "in under" if values["under"] else "within"
        aim = f"aimed for within {values['aim']} and " if values["aim"] else ""
        bound = f"{aim}{_FIRMLY[commitment]} {word} {amount}"
    elapsed = values["clock"] == "elapsed"
    clock = "every hour of the day counts" if elapsed else f"counted in {values['clock']} hours"
    regime = {None: "", True: "; reported while support was open", False: "; reported while closed"}
    return (
        f"{subject} is {bound}, {clock}{regime[values['was_open']]}{start} "
        f"(by the {_by_layer(values['layer'])})."
    )


_FIRMLY = {
    "guaranteed": "guaranteed",
    "target": "promised",
    "best_effort": "promised as best effort",
}


def _by_layer(layer: str) -> str:
    return layer if layer == "policy" else f"contract {layer}"


def _counted(values: Values, zone: tzinfo) -> str:
    shown = [
        f"{moment(start, zone)} to {_end(start, end, zone)} ({length(seconds)})"
        for start, end, seconds in values["segments"]
    ]
    more = f" and {values['more']} more" if values["more"] else ""
    total = f", {length(values['seconds'])} in all" if len(shown) > 1 else ""
    return f"Open hours counted for the {named(values['metric'])}: {', '.join(shown)}{more}{total}."


def _end(start: datetime, end: datetime, zone: tzinfo) -> str:
    """An end on the same day needs no date, and the next midnight is 24:00."""
    first, last = start.astimezone(zone), end.astimezone(zone)
    if first.date() == last.date():
        return _time_of_day(last)
    is_midnight = (last.hour, last.minute, last.second) == (0, 0, 0)
    next_day = last.toordinal() - first.toordinal() == 1
    return "24:00" if is_midnight and next_day else moment(end, zone)


def _business_days(values: Values, zone: tzinfo) -> str:
    days = values["days"]
    how = {
        "wall_clock": "the same time of day, so many business days later",
        "end_of_day": "the end of that business day",
        "business_hours": "as many hours as a business day has, each",
    }[values["mode"]]
    count = f"{days} business day{'s' if days > 1 else ''}"
    opening, due = values["opening"], moment(values["due"], zone)
    if opening is not None and values["mode"] == "wall_clock":
        how = "an opening counts as the close of the day before, so it is a close again"
        return f"{count} from the opening {moment(opening, zone)} ({how}): {due}."
    return f"{count} from {moment(values['start'], zone)} ({how}): {due}."


def _stands(values: Values, zone: tzinfo) -> str:
    parts = [f"The {named(values['metric'])} is {named(values['state'])}"]
    words = {
        "aim": "aimed for",
        "at_risk": "at risk from",
        "due": "due",
        "fulfilled": "fulfilled",
    }
    more = {"at_risk": f" ({values['share']} of its time)"}
    parts += [
        f"{word} {moment(values[name], zone)}{more.get(name, '')}"
        for name, word in words.items()
        if values[name]
    ]
    if values["excused"]:
        parts.append(f"excused: {named(values['excused'])}")
    return f"{', '.join(parts)}."


def _wait(what: str) -> Sentence:
    def sentence(values: Values, zone: tzinfo) -> str:
        since = moment(values["start"], zone)
        end = f"until {moment(values['end'], zone)}" if values["end"] else "still"
        seconds = values["seconds"]
        size = "" if seconds is None else f" ({length(seconds)} on its clock)"
        cause, metric = named(values["cause"]), named(values["metric"])
        return f"Waiting ({cause}) from {since} {end}: {what} {metric}{size}."

    return sentence


def _contract(what: str) -> Sentence:
    def sentence(values: Values, zone: tzinfo) -> str:
        begins = f" from {moment(values['begins'], zone)}" if values["begins"] else ""
        ends = f" until {moment(values['ends'], zone)}" if values["ends"] else ""
        return f"Contract {values['id']}{begins}{ends} {what}."

    return sentence


def _layer(values: Values, _zone: tzinfo) -> str:
    given = ", ".join(named(key.replace(".", " ")) for key in values["gives"])
    return f"The contract {values['id']} changes: {given}."


def _duty(values: Values, zone: tzinfo) -> str:
    missing = f"; missing: {values['missing']}" if values["missing"] else ""
    return f"{values['text']} (since {moment(values['since'], zone)}{missing})."


def _step(values: Values, zone: tzinfo) -> str:
    does = [f"group {values['group']}"] if values["group"] else []
    does += [f"tier {values['tier']}"] if values["tier"] else []
    tail = f": {', '.join(does)}" if does else ""
    metric, at = named(values["metric"]), moment(values["at"], zone)
    return f"The escalation step {values['id']} of the {metric} was reached {at}{tail}."


def _priority(values: Values, _zone: tzinfo) -> str:
    tail = "" if values["governs"] else "; no target hangs on it"
    return f"The helpdesk's priority is of rank {values['rank']}, 1 the most severe{tail}."


_ASSUMED = {
    "history_missing": "the history does not reach back; what stands counts as having stood then",
    "minute_precision": "an instant is known to the minute only",
    "time zone assumed": "the hours are those of {value}",
}


def _assumption(values: Values, _zone: tzinfo) -> str:
    gap, value = values["gap"], values["value"]
    assumed = _ASSUMED.get(gap, "{value}").replace("{value}", value)
    return f"Assumed ({named(gap)}): {assumed}."


def _plain(template: str) -> Sentence:
    def sentence(values: Values, zone: tzinfo) -> str:
        shown = {name: _shown(name, value, zone) for name, value in values.items()}
        return template.format(**shown)

    return sentence


def _shown(name: str, value: Any, zone: tzinfo) -> Any:
    if isinstance(value, datetime):
        return moment(value, zone)
    if value is None:
        return "without a limit"
    return named(value) if name in ("metric", "field") else value


SENTENCES: Mapping[str, Sentence] = {
    "class": _plain("The request counts as: {value}."),
    "plan": _plain("The customer's plan: {plans}."),
    "plan_default": _plain("Nobody says which plan the customer has; {plans} is assumed."),
    "plan_unknown": _plain("The plan '{value}' is described by no contract and was passed over."),
    "contract": _contract("covers the customer"),
    "contract_passed_over": _contract("does not hold for this ticket"),
    "layer": _layer,
    "exempt": _plain("No service level applies ({reason}): {why}."),
    "severity": _plain("The severity is {level} by {by}."),
    "severity_unknown": _plain(
        "The {about} '{value}' names no severity of this policy and was passed over."
    ),
    "severity_refused": _plain("The assessment '{value}' was passed over: {why}."),
    "severity_grace": _plain(
        "The severity changed {at}; the {metric} is due no earlier than the new target from then."
    ),
    "severity_restart": _plain("The severity changed {at}; the clock of the {metric} began anew."),
    "priority": _priority,
    "outbound": _plain("Support wrote first, so no first response is owed."),
    "silent": _plain("Nothing names a target for the {metric}, so none is computed."),
    "promise": _promise,
    "inherited": _plain(
        "The {metric} is taken from the helpdesk's own due date as it stands: {due}."
    ),
    "not_started": _plain("The clock of the {metric} waits until this is supplied: {missing}."),
    "fulfilled_early": _plain("The {metric} was fulfilled before its clock had to start."),
    "started_late": _plain(
        "The clock of the {metric} started when the information was complete, {at}; reported "
        "{reported}."
    ),
    "exception": _plain("By exception in writing ({reference}) the {metric} is due {until}."),
    "business_days": _business_days,
    "counted": _counted,
    "also": _plain(
        "Another promise for the {metric} ({by}), due {due}, is later or equal; "
        "the earliest governs."
    ),
    "wait_run": _wait("this policy lets the clock run for the"),
    "wait_pause": _wait("the time is taken out of the"),
    "wait_excuse": _wait("the clock runs, a miss is excused for the"),
    "moved": _plain("The waits moved the due of the {metric} from {before} to {after}."),
    "stands": _stands,
    "solved_without_reply": _plain(
        "No public reply by a person was made before the solve at {at}; the solve fulfils the "
        "first response."
    ),
    "fulfilled_by_call": _plain("A phone conversation at {at} fulfils the {metric}."),
    "fulfilled_by_field": _plain("The {metric} is fulfilled by the field '{field}', {at}."),
    "tier": _plain("Tier {tier} because of: {why}."),
    "step": _step,
    "information_missing": _plain("The request does not say yet: {missing}."),
    "duty": _duty,
    "cancelled": _plain("The ticket was {reason}; its open clocks are cancelled."),
    "channel_other": _plain("The channel is not known to the mapping and is treated as portal."),
    "unknown_value": _plain(
        "The {about} '{value}' is not in the field mapping; it is not guessed."
    ),
    "author_unknown": _plain(
        "Who user {value} is, the helpdesk did not say; what they wrote is not counted as an "
        "agent's {about}."
    ),
    "undated": _plain(
        "The {about} {value} of the ticket's history says not when it was; it was passed over."
    ),
    "field_missing": _plain(
        "The mapping takes {about} from the field '{value}', which the helpdesk does not have."
    ),
    "assumption": _assumption,
    "zone_data": _plain("Local times are of {zone}, by the zone data {value}."),
}
