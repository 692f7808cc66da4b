"""Which tickets `GET /tickets` shows: filters, order, and the window of thirty days."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from flask import g, request

from sandbox.clock import epoch, iso
from sandbox.freshdesk.account import Account
from sandbox.freshdesk.changes import OPEN
from sandbox.freshdesk.errors import Flaw, flawed
from sandbox.freshdesk.wire import id_argument, instant_argument
from sandbox.state import Doc

_WINDOW = timedelta(days=30)
_SORTS = {"created_at": "created", "updated_at": "moved"}
_ORDERS = (*_SORTS, "due_by", "status")
_SHELVES = {"deleted": "deleted", "spam": "spam"}
_FILTERS = ("new_and_my_open", "watching", *_SHELVES)
_WAYS = ("asc", "desc")


def listed(account: Account, limit: int, offset: int) -> list[Doc]:
    """The tickets that the request asks for. Raises FreshdeskError 400 for what is unknown."""
    state = account.core.state
    order, shelf = _order(), _SHELVES.get(_filter(), "")
    descending = request.args.get("order_type", "desc") != "asc"
    since, created = _since(account)
    wanted = _wanted(account)
    if order in _SORTS and wanted is None:
        return state.page(
            "ticket", sort=_SORTS[order], shelf=shelf, descending=descending,
            moved_from=since, created_from=created, limit=limit, offset=offset,
        )  # fmt: skip
    docs = state.page(
        "ticket", sort="created", shelf=shelf, moved_from=since, created_from=created, limit=10**9
    )
    docs = [doc for doc in docs if wanted is None or wanted(doc)]
    docs.sort(key=lambda doc: (str(doc[order] or ""), doc["id"]), reverse=descending)
    return docs[offset : offset + limit]


def _order() -> str:
    order = _one_of("order_by", _ORDERS, "created_at")
    _one_of("order_type", _WAYS, "desc")
    return order


def _filter() -> str:
    return _one_of("filter", _FILTERS, "")


def _one_of(name: str, known: tuple[str, ...], usual: str) -> str:
    given = request.args.get(name, usual)
    if given != usual and given not in known:
        text = f"It should be one of these values: '{','.join(known)}'"
        raise flawed([Flaw(field=name, message=text)])
    return given


def _since(account: Account) -> tuple[int | None, int | None]:
    text = instant_argument("updated_since")
    if not text:
        return None, epoch(iso(account.core.clock.now() - _WINDOW))
    return epoch(text) + (not account.switches.updated_since_inclusive), None


def _wanted(account: Account) -> Callable[[Doc], bool] | None:
    tests = list(_tests(account))
    if _filter() == "new_and_my_open":
        mine = (None, g.user["id"])
        tests.append(lambda doc: doc["status"] == OPEN and doc["responder_id"] in mine)
    if _filter() == "watching":  # nobody watches a ticket here
        tests.append(lambda _doc: False)
    return (lambda doc: all(test(doc) for test in tests)) if tests else None


def _tests(account: Account) -> list[Callable[[Doc], bool]]:
    asked = {
        name: id_argument(name) for name in ("requester_id", "company_id") if name in request.args
    }
    people = account.people
    if "email" in request.args:
        contact = people.by_email(request.args["email"])
        asked["requester_id"] = contact["id"] if contact else -1
    if "unique_external_id" in request.args:
        key = request.args["unique_external_id"]
        found = (c["id"] for c in people.contacts.values() if c["unique_external_id"] == key)
        asked["requester_id"] = next(found, -1)
    return [partial(_has, name, value) for name, value in asked.items()]


def _has(name: str, value: int | None, doc: Doc) -> bool:
    return bool(doc[name] == value)
