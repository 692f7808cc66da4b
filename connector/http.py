"""The way out to a helpdesk: sign-in, time-outs, short repeats, and errors that say what to do."""

import base64
import json
import math
import socket
import ssl
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

import requests
import tenacity
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from connector import telemetry, tracing
from connector.errors import (
    BudgetSpent,
    ConnectorError,
    HelpdeskUnreachable,
    OutcomeUnknown,
    RateLimited,
    RoleMissing,
    SignInRefused,
    StoreError,
    WriteConflict,
)

CONNECT_TIMEOUT = 3.05  # seconds; just above a multiple of TCP's first retransmission
TOTAL_TIMEOUT = 10.0  # seconds that one request may take; a lease must outlive it
READ_TIMEOUT = TOTAL_TIMEOUT - CONNECT_TIMEOUT
MAX_BODY = 32 * 1024 * 1024  # bytes, unpacked; a page of 100 tickets with audits stays far below
HIDDEN = b"[hidden]"
SHORTEST_SECRET = 6  # characters; shorter ones stand in innocent words
SECRET_NAMES = ("client_secret", "refresh_token", "code", "code_verifier")
MAX_REPEATS = 2
MAX_WAIT = 3.0  # seconds of waiting between the tries of one call, in all
MAX_RETRY_AFTER = 3600.0  # seconds; absurd values have been seen in the wild
MIN_BUDGET_WAIT = 0.05  # seconds; the shortest wait for the budget
MAX_TEXT = 300  # characters of a body that is no JSON
MAX_CLOCK_SAMPLES = 100
POOL = 8  # connections kept per host

_NEVER_SENT = (NewConnectionError, ConnectTimeoutError, ssl.SSLCertVerificationError)
_SLOW = requests.ConnectTimeout
_backoff = tenacity.wait_exponential_jitter(multiplier=0.25, max=1.0, jitter=0.25)


class Authorizer(Protocol):
    """How requests prove who we are."""

    def authorization(self) -> str:
        """The value of the `Authorization` header. May raise an `AccountError`."""

    def renew(self, refused: str, /) -> bool:
        """Whether a value other than `refused` can be had now."""


ACCOUNT = "account"  # the bucket in which every call counts


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    """What a call costs in one of the helpdesk's limits."""

    #: the limit, by the name that the helpdesk's folder gives it; "account" for the general one
    bucket: str
    cost: int = 1
    #: calls per window, for as long as no answer has told; None: not known
    allowance: int | None = None
    #: the most of the allowance that we take, 0 to 1, where that is less than the account's share
    share: float = 1.0
    #: length of the window
    minutes: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """What one answer says of one limit. None: it does not say."""

    bucket: str
    allowance: int | None = None
    remaining: int | None = None
    #: seconds until the window is full again
    resets: float | None = None
    #: length of the window
    minutes: int | None = None


class Budget(Protocol):
    """What an account may still call. One for all processes; the store implements it."""

    def reserve(self, charges: Sequence[Charge], /) -> None:
        """Count a call before it is made. Raises `BudgetSpent` when it must not be made now."""

    def learn(self, figures: Sequence[Figure], /) -> None:
        """Take in what an answer's headers tell."""

    def refuse(self, buckets: Sequence[str], seconds: float, /) -> None:
        """The helpdesk answered 429: no call that counts in these buckets for so long."""

    def room(self, charges: Sequence[Charge], /) -> tuple[int, float]:
        """How many such calls may be made now, and the seconds until there are more."""


class Limits(Protocol):
    """A helpdesk's limits: which calls count where, and what its answers say. Pure."""

    def charges(
        self, method: str, path: str, template: str, params: Mapping[str, str], body: Any, /
    ) -> tuple[Charge, ...]:
        """What a call costs, in every limit that it is known to count in."""

    def figures(
        self, headers: Mapping[str, str], charges: Sequence[Charge], /
    ) -> tuple[Figure, ...]:
        """What the headers of an answer to such a call say; names in any case."""

    def refused(self, answer: "Answer", charges: Sequence[Charge], /) -> tuple[str, ...]:
        """The buckets that an answer of 429 is about."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Secret:
    """A secret as it was written."""

    value: Mapping[str, Any] = field(repr=False)
    #: rises with every write
    generation: int


class Vault(Protocol):
    """One account's secrets that the helpdesk gave us; the store encrypts them.

    Each call raises `StoreError`, and `SettingsError` when the key that encrypts is of no use.
    """

    def read(self, name: str, /) -> Secret | None:
        """A secret; None when there is none."""

    def write(
        self, name: str, value: Mapping[str, Any], /, *, replacing: int | None = None
    ) -> bool:
        """Keep a secret and end its lease; it is on disk when this returns True.

        False: nothing was written, since another generation than `replacing` stands there.
        """

    def take(self, name: str, generation: int, seconds: float, /) -> str | None:
        """The lease by which we alone may renew that generation; None: there is none to have."""

    def release(self, name: str, lease: str, /) -> None:
        """Give the lease back; nothing happens when it is not ours any more."""

    def now(self) -> float:
        """The clock by which leases count, epoch seconds: the same for all processes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A response that is the vendor client's to judge: 2xx, or a 4xx about what was asked."""

    status: int
    #: names in any case
    headers: Mapping[str, str]
    #: the JSON value; None when the body is empty or is no JSON
    data: Any
    #: the beginning of a body that is no JSON; may hold what somebody wrote
    text: str = field(default="", repr=False)

    @property
    def ok(self) -> bool:
        """Whether the helpdesk did what it was asked."""
        return 200 <= self.status < 300


def _nobody(_answer: Answer) -> bool:
    return False


@dataclass(frozen=True, kw_only=True, slots=True)
class _Call:
    method: str
    path: str
    #: the path without ids, for counts and messages
    template: str
    params: Mapping[str, str] | None
    body: Any
    repeatable: bool
    did_nothing: Callable[[Answer], bool]

    def __str__(self) -> str:
        return f"{self.method} {self.template}"


class _Failed(Exception):
    """One try failed: with which error, and whether the next may follow at once."""

    def __init__(
        self, error: ConnectorError, *, repeat: bool = False, wait: float | None = None
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.repeat = repeat and (wait is None or wait <= MAX_WAIT)
        self.wait = wait


class _Patience:
    """The seconds that one call may still wait for the budget."""

    def __init__(self) -> None:
        self.waited = 0.0

    def takes(self, seconds: float) -> bool:
        if self.waited + seconds > MAX_WAIT:
            return False
        self.waited += seconds
        return True


class _Gate:
    """Holds back calls of this process from the moment that a 429 arrives until it is stored."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._storing = 0
        self._refusals = 0

    def opened(self) -> int:
        """Wait until every refusal is stored; how many there have been."""
        with self._changed:
            self._changed.wait_for(lambda: self._storing == 0)
            return self._refusals

    def passes(self, refusals: int) -> bool:
        """Whether there has been none since."""
        with self._changed:
            return self._refusals == refusals

    @contextmanager
    def closed(self) -> Iterator[None]:
        with self._changed:
            self._storing += 1
            self._refusals += 1
        try:
            yield
        finally:
            with self._changed:
                self._storing -= 1
                self._changed.notify_all()


class Session:
    """One account's connection to one address. Safe to use from several threads.

    A call raises `HelpdeskUnreachable`, `RateLimited`, `SignInRefused`, `StoreError` (nothing was
    sent) and, for a write, `OutcomeUnknown`; everything else comes back as an `Answer`. With a
    `budget` no call is made that it does not allow. `classify` names a refusal from its body, or
    leaves it with None; it is asked about every answer of 3xx and 4xx but 408 and 429. `account`
    is the name under which its calls are counted.
    """

    def __init__(
        self,
        base_url: str,
        *,
        authorizer: Authorizer | None = None,
        budget: Budget | None = None,
        limits: Limits | None = None,
        classify: Callable[[Answer], ConnectorError | None] | None = None,
        default_retry_after: float = 10.0,
        sleep: Callable[[float], None] = time.sleep,
        account: str = "",
    ) -> None:
        self.base_url = base_url.rstrip("/")
        #: (method, path without ids, status; 0 without an answer) -> number of requests
        self.calls: Counter[tuple[str, str, int]] = Counter()
        self._authorizer = authorizer
        self._budget = budget
        self._limits = limits
        self._classify = classify
        self._gate = _Gate()
        # (method, path without ids) -> limits that answers have named and `limits` does not charge
        self._named: dict[tuple[str, str], frozenset[str]] = {}
        self._default_retry_after = default_retry_after
        self._sleep = sleep
        self._account = account
        self._lock = threading.Lock()
        self._clock: deque[tuple[datetime, float]] = deque(maxlen=MAX_CLOCK_SAMPLES)
        self._http = _new_http()

    def call(
        self,
        method: str,
        path: str,
        *,
        template: str | None = None,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        repeatable: bool | None = None,
        did_nothing: Callable[[Answer], bool] = _nobody,
    ) -> Answer:
        """Send one request and, where that is harmless, repeat it.

        `repeatable`: doing it twice is no different from once (default: GET only).
        `did_nothing`: recognises an answer that says that the write certainly did not happen.
        """
        call = _Call(
            method=method,
            path=path,
            template=template or path,
            params=params,
            body=body,
            repeatable=method == "GET" if repeatable is None else repeatable,
            did_nothing=did_nothing,
        )
        patience = _Patience()
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_may_repeat),
            wait=_wait,
            stop=lambda state: _enough(state, patience),
            sleep=self._sleep,
            before_sleep=lambda _: telemetry.repeated(self._account, str(call)),
            reraise=True,
        )
        try:
            return retrying(self._try, call, patience)
        except _Failed as failed:
            raise failed.error from None

    def clock_samples(self) -> list[tuple[datetime, float]]:
        """Each `Date` header since the last call, with `time.monotonic()` when it arrived."""
        with self._lock:
            samples = list(self._clock)
            self._clock.clear()
        return samples

    def _try(self, call: _Call, patience: _Patience) -> Answer:
        authorization = self._authorizer.authorization() if self._authorizer else None
        answer = self._send(call, patience, authorization)
        refused = answer.status == 401 and authorization is not None
        if refused and self._authorizer and self._authorizer.renew(authorization or ""):
            answer = self._send(call, patience, self._authorizer.authorization())
        self._judge(call, answer)
        return answer

    def _send(self, call: _Call, patience: _Patience, authorization: str | None) -> Answer:
        charges = self._charges(call)
        self._admit(charges, patience)
        status, begun = 0, time.monotonic()
        headers: Mapping[str, str] = {}
        try:
            with (
                tracing.span(str(call), "client", account=self._account) as span,
                _time_limit(TOTAL_TIMEOUT),
                self._http.request(
                    call.method,
                    self.base_url + call.path,
                    params=call.params,
                    json=call.body,
                    auth=_Header(authorization),
                    timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                status = response.status_code
                span.set_attribute("http.response.status_code", status)
                self._note_clock(response)
                hide = _secrets(call, authorization)
                if status == 429:
                    with self._gate.closed():
                        return self._refused(call, response, charges, hide)
                headers = response.headers
                return _answer(call, response, hide)
        except requests.RequestException as error:
            raise _no_answer(call, error) from None
        finally:
            with self._lock:
                self.calls[call.method, call.template, status] += 1
            telemetry.called(self._account, str(call), status, time.monotonic() - begun)
            if status != 429:
                self._learn(call, charges, headers)

    def _charges(self, call: _Call) -> tuple[Charge, ...]:
        if self._limits is None:
            return (Charge(bucket=ACCOUNT),)
        known = self._limits.charges(
            call.method, call.path, call.template, call.params or {}, call.body
        )
        named = self._named.get((call.method, call.template), frozenset())
        return (*known, *(Charge(bucket=one) for one in sorted(named)))

    def _admit(self, charges: Sequence[Charge], patience: _Patience) -> None:
        """Count a call with the budget, after a short wait if it must be."""
        while self._budget is not None:
            refusals = self._gate.opened()
            try:
                self._budget.reserve(charges)
            except BudgetSpent as spent:
                wait = max(spent.retry_after or 0.0, MIN_BUDGET_WAIT)
                if not patience.takes(wait):
                    raise _Failed(spent) from None
                self._sleep(wait)
                continue
            if self._gate.passes(refusals):
                return

    def _refused(
        self,
        call: _Call,
        response: requests.Response,
        charges: Sequence[Charge],
        hide: Sequence[bytes],
    ) -> Answer:
        """Store a 429 for all processes. Its body is no more than a hint at what it is about."""
        try:
            answer = _answer(call, response, hide)
        except (requests.RequestException, _Failed):
            answer = Answer(status=429, headers=response.headers, data=None)
        if self._budget is not None:
            buckets = self._limits.refused(answer, charges) if self._limits else (ACCOUNT,)
            # the caller is told to wait in any case, and nobody can reserve without the database
            with suppress(StoreError):
                self._budget.refuse(buckets, self._wait_asked_for(answer))
        self._learn(call, charges, response.headers)
        return answer

    def _learn(self, call: _Call, charges: Sequence[Charge], headers: Mapping[str, str]) -> None:
        if self._budget is None:
            return
        told = self._limits.figures(headers, charges) if self._limits else ()
        names = {one.bucket for one in told}
        charged = {one.bucket for one in charges}
        if names - charged:
            key = call.method, call.template
            with self._lock:
                self._named[key] = self._named.get(key, frozenset()) | (names - charged)
        untold = [Figure(bucket=one) for one in sorted(charged - names)]
        # the answer is worth more than its figures, and the next one brings them again
        with suppress(StoreError):
            self._budget.learn((*told, *untold))

    def _wait_asked_for(self, answer: Answer) -> float:
        wait = _retry_after(answer.headers)
        return self._default_retry_after if wait is None else wait

    def _note_clock(self, response: requests.Response) -> None:
        shown = _http_date(response.headers.get("Date"))
        if shown is not None:
            with self._lock:
                self._clock.append((shown, time.monotonic()))

    def _judge(self, call: _Call, answer: Answer) -> None:
        """Raise `_Failed` unless the answer is the vendor client's to judge."""
        status = answer.status
        if status == 429:
            wait = self._wait_asked_for(answer)
            limited = RateLimited(f"{call}: too many requests", retry_after=wait)
            raise _Failed(limited, repeat=True, wait=wait)
        if status >= 500 or status == 408:
            raise _server_failed(call, answer)
        named = self._classify(answer) if self._classify and status >= 300 else None
        if named is not None:
            raise _Failed(named)
        if status in _REFUSED:
            kind, text = _REFUSED[status]
            raise _Failed(kind(text.format(call=call)))
        if status < 200 or 300 <= status < 400:
            message = f"{call}: answered {status}, a redirect; is the subdomain right?"
            raise _Failed(HelpdeskUnreachable(message))
        if call.did_nothing(answer):
            message = f"{call}: the helpdesk's database was busy ({status})"
            raise _Failed(WriteConflict(message), repeat=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Posted:
    """How a message to a receiver that is no helpdesk was answered."""

    #: None: no answer
    status: int | None
    #: seconds to wait, where the receiver said so
    retry_after: float | None
    #: how it ended, in words that hold no address: it may be a secret
    reason: str


POST_TIMEOUT = 15.0  # seconds for a whole call, whatever the receiver does
MOST_HANGING = 8  # calls that were left behind; more are not begun


class Poster:
    """Posts messages that are signed as they are. Nothing is repeated, no redirect is followed."""

    def __init__(self, timeout_seconds: float = POST_TIMEOUT) -> None:
        self._http = _new_http()
        self._timeout_seconds = timeout_seconds
        self._hanging: list[threading.Thread] = []

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> Posted:
        """Send one message; every failure is an answer too.

        A time-out of the socket ends no answer that comes byte by byte, so the whole call has its
        own; what hangs is left behind, and the receiver with it until it lets go.
        """
        if sum(one.is_alive() for one in self._hanging) >= MOST_HANGING:
            return Posted(status=None, retry_after=None, reason="earlier calls still hang")
        answers: list[Posted] = []
        call = threading.Thread(
            target=lambda: answers.append(self._post(url, body, headers)), daemon=True
        )
        call.start()
        call.join(self._timeout_seconds)
        if answers:
            return answers[0]
        self._hanging = [one for one in (*self._hanging, call) if one.is_alive()]
        return Posted(
            status=None, retry_after=None, reason=f"no answer in {self._timeout_seconds:g} s"
        )

    def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Posted:
        try:
            with self._http.post(
                url,
                data=body,
                headers=dict(headers),
                auth=_Header(None),
                timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
                allow_redirects=False,
                stream=True,  # what it answers beside its status is not read
            ) as response:
                return _posted(response)
        except (requests.RequestException, ValueError) as error:  # ValueError: no usable address
            reason = f"no answer ({type(error).__name__})"
            return Posted(status=None, retry_after=None, reason=reason)


def _posted(response: requests.Response) -> Posted:
    redirect = ", a redirect, which is not followed" if response.is_redirect else ""
    return Posted(
        status=response.status_code,
        retry_after=_retry_after(response.headers),
        reason=f"answered {response.status_code}{redirect}",
    )


_REFUSED: Mapping[int, tuple[type[SignInRefused], str]] = {
    401: (SignInRefused, "{call}: the credentials are refused (401)"),
    403: (RoleMissing, "{call}: refused (403); the user lacks a role or the client a scope"),
}


class _Header(requests.auth.AuthBase):
    """Sets `Authorization` and nothing else; its presence keeps requests from reading .netrc."""

    def __init__(self, value: str | None) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._value is not None:
            request.headers["Authorization"] = self._value
        return request


class _Watch(threading.local):
    """The socket of the call that this thread makes."""

    holder: "_Socket | None" = None


class _Socket:
    def __init__(self) -> None:
        self.opened: Any = None
        self.is_over = False

    def close(self) -> None:
        """Whoever waits for bytes of it gets none any more."""
        self.is_over = True
        if self.opened is not None:
            with suppress(OSError, ValueError):
                self.opened.shutdown(socket.SHUT_RDWR)


_watch = _Watch()


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """End this thread's call after so long: a socket's own time-out ends no slow drip."""
    holder = _watch.holder = _Socket()
    timer = threading.Timer(seconds, holder.close)
    timer.daemon = True
    timer.start()
    try:
        yield
    except requests.RequestException:
        if not holder.is_over:
            raise
    finally:
        timer.cancel()
        _watch.holder = None
    if holder.is_over:  # the end of a cut stream can look like the end of an answer
        raise requests.ReadTimeout


class _Watched:
    """Lets the time limit know the socket; before each request, since connections are reused."""

    def request(self, *arguments: Any, **named: Any) -> None:
        super().request(*arguments, **named)  # type: ignore[misc]
        if _watch.holder is not None:
            _watch.holder.opened = self.sock  # type: ignore[attr-defined]


class _Connection(_Watched, HTTPConnection):
    pass


class _TlsConnection(_Watched, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


def _new_http() -> requests.Session:
    http = requests.Session()
    http.headers.update({"Accept": "application/json", "User-Agent": f"deskclock/{_version()}"})
    # a cookie could sign us in as somebody, and keeps state that no other process has
    http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("https://", "http://"):
        http.mount(scheme, _Adapter(pool_maxsize=POOL, max_retries=0))
    return http


def _version() -> str:
    try:
        return version("deskclock")
    except PackageNotFoundError:  # run from a bare checkout
        return "0"


def _answer(call: _Call, response: requests.Response, hide: Sequence[bytes]) -> Answer:
    raw = _body(call, response)
    if response.status_code >= 300:  # its words may stand in messages, and it may repeat ours
        for secret in hide:
            raw = raw.replace(secret, HIDDEN)
    try:
        data = json.loads(raw) if raw.strip() else None
    except (ValueError, RecursionError):
        if 200 <= response.status_code < 300:
            raise _unusable(call, "something other than JSON") from None
        text = raw[: 4 * MAX_TEXT].decode(errors="replace")[:MAX_TEXT]
        return Answer(status=response.status_code, headers=response.headers, data=None, text=text)
    return Answer(status=response.status_code, headers=response.headers, data=data)


def _secrets(call: _Call, authorization: str | None) -> list[bytes]:
    """What proves who we are in a request, in the forms in which an answer may repeat it."""
    found = [call.body.get(name) for name in SECRET_NAMES] if isinstance(call.body, dict) else []
    found.append(authorization)
    scheme, _, proof = (authorization or "").partition(" ")
    found.append(proof)
    if scheme == "Basic":
        with suppress(ValueError):
            user, _, password = base64.b64decode(proof).decode().partition(":")
            found += [f"{user}:{password}", password, user]
    known = {one for one in found if isinstance(one, str) and len(one) >= SHORTEST_SECRET}
    return [one.encode() for one in sorted(known, key=len, reverse=True)]


def _body(call: _Call, response: requests.Response) -> bytes:
    parts, size = [], 0
    for part in response.iter_content(65_536):
        parts.append(part)
        size += len(part)
        if size > MAX_BODY:
            raise _unusable(call, f"more than {MAX_BODY} bytes")
    return b"".join(parts)


def _unusable(call: _Call, what: str) -> _Failed:
    message = f"{call}: answered with {what}"
    if call.repeatable:
        return _Failed(HelpdeskUnreachable(message))
    return _Failed(OutcomeUnknown(message))


def _no_answer(call: _Call, error: requests.RequestException) -> _Failed:
    """The exception's own text is not shown: it may hold an address with a password of a proxy."""
    reason = f"{call}: no answer ({type(error).__name__})"
    never_sent = any(isinstance(cause, _NEVER_SENT) for cause in _causes(error))
    if never_sent or isinstance(error, _SLOW):
        # a write's lease does not last for several connect time-outs
        repeat = call.repeatable or not isinstance(error, _SLOW)
        return _Failed(HelpdeskUnreachable(reason), repeat=repeat)
    if call.repeatable:
        return _Failed(HelpdeskUnreachable(reason), repeat=True)
    return _Failed(OutcomeUnknown(reason))


def _causes(error: BaseException) -> Iterator[object]:
    """What an exception of requests wraps: its arguments and their `reason`, all the way down."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        found = waiting.pop()
        if id(found) in seen or not isinstance(found, BaseException):
            continue
        seen.add(id(found))
        yield found
        waiting += [*found.args, getattr(found, "reason", None), found.__cause__]


def _server_failed(call: _Call, answer: Answer) -> _Failed:
    wait = _retry_after(answer.headers)
    message = f"{call}: answered {answer.status}"
    if call.repeatable:
        return _Failed(HelpdeskUnreachable(message, retry_after=wait), repeat=True, wait=wait)
    if answer.status == 503 and wait is not None:  # maintenance: turned away at the door
        return _Failed(HelpdeskUnreachable(message, retry_after=wait))
    return _Failed(OutcomeUnknown(message, retry_after=wait))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from either form of `Retry-After`; None when there is none that can be read."""
    text = headers.get("Retry-After")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        until, now = _http_date(text), _http_date(headers.get("Date"))
        if until is None or now is None:
            return None
        seconds = (until - now).total_seconds()
    return min(max(seconds, 0.0), MAX_RETRY_AFTER) if math.isfinite(seconds) else None


def _http_date(text: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(text) if text else None
        if found is None:
            return None
        # "-0000" means UTC of unknown origin and is parsed as naive
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _may_repeat(error: BaseException) -> bool:
    return isinstance(error, _Failed) and error.repeat


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, _Failed) and error.wait is not None:
        return error.wait
    return _backoff(state)


def _enough(state: tenacity.RetryCallState, patience: _Patience) -> bool:
    waits = state.idle_for + state.upcoming_sleep + patience.waited
    return state.attempt_number > MAX_REPEATS or waits > MAX_WAIT
