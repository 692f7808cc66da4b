"""One limit of a helpdesk: what we have called, what it says is left, when to call next. Pure.

How a helpdesk's windows lie is not known: fixed from the first call on, aligned with the clock, or
sliding. So our own calls are counted over every window's length, which keeps to our share under
each of them; what the helpdesk says is left comes on top, since only that shows other tools.
"""

from dataclasses import dataclass, replace

from connector.http import MAX_RETRY_AFTER, Charge, Figure

UNLIMITED = 1_000_000  # calls; said where no limit is known
_MOST = 1_000_000_000  # calls; larger figures are nonsense that a column could not hold
_MARGIN = 0.01  # share of the allowance that is never taken
_JOINED = 1 / 120  # of a window; calls within it are counted together
_SLACK = 1 / 40  # of a window; a call may reach the helpdesk that much later than it was counted
_PROBE = 1 / 60  # of a window; after so long without an answer the next one may ask what is left
_SHORTEST_REFUSAL = 1.0  # seconds; a wait of none would be no wait


@dataclass(frozen=True, kw_only=True, slots=True)
class Meter:
    """What is known of one limit. Instants and lengths are in seconds."""

    #: length of the window
    length: float
    #: calls per window that the helpdesk allows; None: not known
    allowance: int | None = None
    #: calls left: the latest answer's figure less what was called since; None: not told
    remaining: int | None = None
    #: until then no more are expected to be left
    window_ends: float = 0.0
    #: our calls, oldest first: (instant of the first, how many)
    recent: tuple[tuple[float, int], ...] = ()
    blocked_until: float = 0.0

    def used(self, at: float) -> int:
        """Our calls that may still count for the helpdesk."""
        return sum(count for made, count in self.recent if self._counts(made, at))

    def share(self, charge: Charge, reserve: float) -> int | None:
        """The most calls per window that we make, at least one; None: as many as we like."""
        allowance = self.allowance or charge.allowance
        if allowance is None:
            return None
        return max(1, int(allowance * min(1.0 - reserve, charge.share) + 1e-9))

    def wait(self, charge: Charge, reserve: float, at: float) -> float:
        """Seconds until such a call may be made; 0: now."""
        blocked = _left(self.blocked_until - at, MAX_RETRY_AFTER)
        own = self._wait_for_own(charge, reserve, at)
        longest = max(self.length, MAX_RETRY_AFTER)
        empty = _left(self.window_ends - at, longest) if self._is_empty(charge) else 0.0
        return max(blocked, own, empty)

    def room(self, charge: Charge, reserve: float, at: float) -> tuple[int, float]:
        """How many such calls may be made now, and the seconds until there are more."""
        wait = self.wait(charge, reserve, at)
        if wait > 0:
            return 0, wait
        counts = [UNLIMITED]
        share = self.share(charge, reserve)
        if share is not None:
            counts.append((share - self.used(at)) // charge.cost)
        if self.remaining is not None:
            counts.append((self.remaining - self._margin()) // charge.cost)
        leaves = [self._leaves(made) - at for made in self._counted(at)]
        return max(1, min(counts)), min(leaves, default=0.0)

    def taken(self, charge: Charge, at: float) -> "Meter":
        """After a call was counted.

        What is left does not rise by itself when a window ends: until an answer tells, there is no
        more than there was, or a single call that asks.
        """
        kept = [one for one in self.recent if self._counts(one[0], at)]
        if kept and 0 <= at - kept[-1][0] < self.length * _JOINED:
            kept[-1] = (kept[-1][0], kept[-1][1] + charge.cost)
        else:
            kept.append((at, charge.cost))
        counted = replace(self, recent=tuple(kept))
        if self.remaining is None:
            return counted
        if self._is_empty(charge):
            asked_until = at + self.length * _PROBE
            return replace(counted, remaining=self._margin(), window_ends=asked_until)
        return replace(counted, remaining=self.remaining - charge.cost)

    def learned(self, figure: Figure, at: float) -> "Meter":
        """After an answer. The latest figure holds, but for the end of a refusal."""
        resets = self.length if figure.resets is None else min(figure.resets, self.length)
        allowance = self.allowance if figure.allowance is None else min(figure.allowance, _MOST)
        if _left(self.blocked_until - at, MAX_RETRY_AFTER) > 0:
            return replace(self, allowance=allowance)
        ends = at + max(0.0, resets)
        if figure.remaining:  # where windows slide, more is left as soon as a call of ours leaves
            ends = min([ends, *(self._leaves(made) for made in self._counted(at))])
        remaining = None if figure.remaining is None else min(figure.remaining, _MOST)
        return replace(self, allowance=allowance, remaining=remaining, window_ends=ends)

    def refused(self, seconds: float, at: float) -> "Meter":
        """After a 429: nothing is left for so long; then a single call asks."""
        wait = min(max(seconds, _SHORTEST_REFUSAL), MAX_RETRY_AFTER)
        until = max(self.blocked_until, at + wait)
        return replace(self, remaining=0, window_ends=until, blocked_until=until)

    def tells_otherwise_than(self, before: "Meter") -> bool:
        """Whether the difference is worth storing: an answer that told nothing is not."""
        told = (self.allowance, self.remaining)
        return self.remaining is not None or told != (before.allowance, before.remaining)

    def _wait_for_own(self, charge: Charge, reserve: float, at: float) -> float:
        """Seconds until enough of our own calls have left every window; 0: there is room."""
        share, used = self.share(charge, reserve), self.used(at)
        if share is None or not used or used + charge.cost <= share:
            return 0.0
        for made, count in self.recent:
            if self._counts(made, at):
                used -= count
                if not used or used + charge.cost <= share:
                    return self._leaves(made) - at
        return self.length

    def _is_empty(self, charge: Charge) -> bool:
        return self.remaining is not None and self.remaining - charge.cost < self._margin()

    def _margin(self) -> int:
        return max(1, int((self.allowance or 0) * _MARGIN))

    def _leaves(self, made: float) -> float:
        return made + self.length * (1 + _JOINED + _SLACK)

    def _counted(self, at: float) -> list[float]:
        return [made for made, _ in self.recent if self._counts(made, at)]

    def _counts(self, made: float, at: float) -> bool:
        """A call of the future was counted before the clock was put back; it must not stay."""
        return at < self._leaves(made) and made <= at + self.length


def _left(seconds: float, longest: float) -> float:
    """Seconds that are left; none when there cannot be so many: the clock was put back."""
    return seconds if 0 < seconds <= longest else 0.0
