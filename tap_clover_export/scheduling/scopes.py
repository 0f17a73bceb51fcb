"""What was heard of a scope: a token's or an app's budget of requests, and a region."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from tap_clover_export.exports.backoff import LONGEST_BUSY, LONGEST_PAUSE, Backoff
from tap_clover_export.scheduling.at_clover import AtClover

if TYPE_CHECKING:
    from tap_clover_export.planning.hours import Hours

BURST_SECONDS = 0.5
"""Requests of this much time may come ahead of their rate."""

UNANSWERED = 8
"""After this number of requests in a row without an answer a region is asked less often."""


@dataclasses.dataclass
class Budget:
    """Requests with a token or an app: a leaky bucket, of which each takes `1 / rate` seconds.

    Attributes:
        rate: Requests a second.
        at_once: Requests at a time.
        not_before: Clover asked to wait until then.
        limited_since: Since when nothing but 429 has come.
        under_way: Requests that are not answered.
    """

    rate: float
    at_once: int
    not_before: float = 0.0
    limited_since: float | None = None
    under_way: int = 0
    _taken_until: float = 0.0
    _backoff: Backoff = dataclasses.field(default_factory=lambda: Backoff(LONGEST_BUSY))

    def free_at(self) -> float:
        """When the next request may go out, as far as can be told before another is answered."""
        if self.under_way >= self.at_once:
            return math.inf
        return max(self.not_before, self._taken_until - BURST_SECONDS)

    def start(self, now: float) -> None:
        """A request goes out."""
        self.under_way += 1
        self._taken_until = max(self._taken_until, now) + 1 / self.rate

    def limit(self, now: float, pause: float | None) -> None:
        """429: nothing of this scope before the pause is over."""
        grown = self._backoff.next()
        self.limited_since = now if self.limited_since is None else self.limited_since
        self.not_before = max(self.not_before, now + (pause or grown))

    def answered(self) -> None:
        """A request was not limited."""
        self.limited_since = None
        self._backoff.reset()


@dataclasses.dataclass(eq=False)
class Region:
    """Whether a region accepts exports and answers, by what it said last.

    Attributes:
        name: Its name.
        limit: How many exports it seems to take at a time.
        at_clover: The exports of this run that take a place there.
        not_before: No export is requested before this time.
        polls_not_before: No export is polled before this time.
        since: The first refusal since the last accepted export, if it refuses.
        turns: How many exports were requested so far.
        ever: Whether it accepted an export at all.
        closes: Whether it was closed at a time in this run, which may go on after it closes again.
    """

    name: str
    limit: int
    at_clover: AtClover = dataclasses.field(default_factory=AtClover)
    not_before: float = 0.0
    polls_not_before: float = 0.0
    since: float | None = None
    turns: int = 0
    ever: bool = False
    closes: bool = False
    hours: Hours | None = None
    closed: bool = False
    probe_at: float = 0.0
    remind_at: float = 0.0
    said: bool = False
    unanswered: int = 0
    lost: tuple[float, str] | None = None
    requested_in_vain: bool = False
    backoff: Backoff = dataclasses.field(default_factory=lambda: Backoff(LONGEST_BUSY))
    poll_backoff: Backoff = dataclasses.field(default_factory=lambda: Backoff(LONGEST_BUSY))
    outage_backoff: Backoff = dataclasses.field(default_factory=lambda: Backoff(LONGEST_PAUSE))

    def why(self) -> str:
        """What keeps it from accepting exports."""
        if not self.closed:
            return "Clover is busy with other exports"
        return f"it accepts exports {self.hours} UTC" if self.hours else "it is closed"

    def lost_since(self, time: float) -> str | None:
        """What went wrong last, if no answer has come since a time, not to a new request either."""
        if not self.requested_in_vain:  # what fails may be an export that holds the last place
            return None
        if self.lost and self.lost[0] < time and self.unanswered > UNANSWERED:
            return self.lost[1]
        return None
