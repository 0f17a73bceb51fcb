"""Who may be asked when: the one place that says "not before", for each scope, and why.

Fed by the answers of the API alone; a file host's 503 is that file's matter.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from typing import TYPE_CHECKING

from tap_clover_export import times
from tap_clover_export.exports.backoff import (
    LONGEST_BUSY,
    LONGEST_PAUSE,
    OUTAGE_SECONDS,
    Backoff,
    unreachable,
)
from tap_clover_export.exports.export import Stage
from tap_clover_export.exports.outcomes import Accepted, Moved, RateLimited, Refused, Working

if TYPE_CHECKING:
    from tap_clover_export.clock import Clock
    from tap_clover_export.exports.export import Export
    from tap_clover_export.exports.outcomes import Outcome
    from tap_clover_export.planning.hours import Hours
    from tap_clover_export.scheduling.limits import Limits

logger = logging.getLogger("tap-clover-export.exports")

PROBE_SECONDS = 60.0
REMIND_SECONDS = 1800.0
LOOK_AGAIN_SECONDS = 1800.0

TOKEN_BUDGET = (8.0, 2)
APP_BUDGET = (25.0, 5)
"""Requests a second and at once: half of what Clover allows, so that others have room.

Source: https://docs.clover.com/docs/api-usage-rate-limits
"""

BURST_SECONDS = 0.5
"""Requests of this much time may come ahead of their rate."""

UNANSWERED = 8
"""After this number of requests in a row without an answer a region is asked less often."""

LIMITED_SECONDS = 3600.0
"""How long, at least, a token or an app may be answered with 429 alone."""

SHORT_SECONDS = 60.0
"""A busy Clover is not worth a line before it has been so for this long."""


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
        self.not_before = max(self.not_before, now + (grown if pause is None else pause))

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
    """

    name: str
    limit: int
    at_clover: set[Export] = dataclasses.field(default_factory=set)
    not_before: float = 0.0
    polls_not_before: float = 0.0
    since: float | None = None
    turns: int = 0
    ever: bool = False
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


class Admission:
    """Says who may be asked, and takes in what Clover answers."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        """Begin without a refusal.

        Args:
            clock: The time.
            limits: What the run keeps to.
        """
        self._clock = clock
        self._limits = limits
        self._tokens: dict[str, Budget] = {}
        self._apps: dict[str, Budget] = {}
        self.regions: dict[str, Region] = {}

    def region(self, export: Export) -> Region:
        """The region of an export."""
        name = export.partition.merchant.region
        if name not in self.regions:
            self.regions[name] = Region(name, self._limits.slots)
        return self.regions[name]

    @property
    def running(self) -> int:
        """Exports that take a place at Clover, over all regions."""
        return sum(len(region.at_clover) for region in self.regions.values())

    def token_free_at(self, export: Export) -> float:
        """When a request may go out by its token; infinity where that waits for an answer."""
        return self._token(export).free_at()

    def app_free_at(self, export: Export) -> float:
        """When a request may go out by its app; infinity where that waits for an answer."""
        return self._app(export).free_at()

    def _token(self, export: Export) -> Budget:
        return self._tokens.setdefault(export.partition.merchant.id, Budget(*TOKEN_BUDGET))

    def _app(self, export: Export) -> Budget:
        return self._apps.setdefault(export.partition.merchant.api_url, Budget(*APP_BUDGET))

    def slot_at(self, region: Region) -> float:
        """When a region may be asked for another export; infinity where one has to end first."""
        # Refused as busy, a region's own limit is lowered, and slowly probes up again.
        taken = len(region.at_clover)
        if self.running >= self._limits.slots:
            return math.inf
        if taken < region.limit:
            return region.not_before
        return max(region.not_before, region.probe_at) if taken < self._limits.slots else math.inf

    def start(self, export: Export, *, creating: bool) -> None:
        """A request goes out."""
        now = self._clock.monotonic()
        for budget in (self._token(export), self._app(export)):
            budget.start(now)
        if creating:
            region = self.region(export)
            if len(region.at_clover) >= region.limit:
                region.limit, region.probe_at = len(region.at_clover) + 1, now + PROBE_SECONDS
            region.at_clover.add(export)
            region.turns += 1

    def answer(self, export: Export, outcome: Outcome, *, creating: bool) -> None:
        """Take in what a request to the API came to."""
        # Rule 5: whoever asks next, of whatever export, keeps to what any answer of a scope said.
        now, region = self._clock.monotonic(), self.region(export)
        for scope, budget in (("token", self._token(export)), ("app", self._app(export))):
            budget.under_way -= 1
            if isinstance(outcome, RateLimited) and outcome.scope == scope:
                budget.limit(now, outcome.pause)
            elif not isinstance(outcome, RateLimited):
                budget.answered()
        if not self._takes_a_place(outcome, creating=creating):
            region.at_clover.discard(export)
        if isinstance(outcome, Moved) and outcome.unanswered:
            region.requested_in_vain |= creating
            self._unanswered(region, outcome, now)
            return
        region.unanswered, region.lost, region.requested_in_vain = 0, None, False
        region.outage_backoff.reset()
        if isinstance(outcome, Refused):
            self._refused(region, outcome, now, creating=creating)
        elif isinstance(outcome, Accepted):
            self._accepted(region)
        elif not isinstance(outcome, RateLimited):
            region.poll_backoff.reset()

    def lost(self, region: Region) -> str | None:
        """Why a region is given up, if it has refused, or not answered, for too long."""
        now = self._clock.monotonic()
        self.remind(region)
        if region.since is not None and now - region.since >= self._limits.max_wait:
            return (
                f"region {region.name} did not accept an export within max_wait_hours "
                f"({region.why()}); run again when it does, or raise max_wait_hours"
            )
        words = region.lost_since(now - OUTAGE_SECONDS)
        return unreachable(words) if words else None

    def limited_for_long(self, export: Export) -> str | None:
        """Why an export is given up to which nothing but 429 has come for too long."""
        since = [
            budget.limited_since
            for budget in (self._token(export), self._app(export))
            if budget.limited_since is not None
        ]
        seconds = self._clock.monotonic() - min(since) if since else 0.0
        if seconds < max(self._limits.max_wait, LIMITED_SECONDS):
            return None
        return (
            f"Clover answered 429 Too Many Requests alone for {seconds / 3600:.0f} hours; "
            "look at what else uses this app's tokens, then run again"
        )

    def times(self) -> list[float]:
        """When a region that refuses is given up, or spoken of."""
        waiting = [region for region in self.regions.values() if region.since is not None]
        ends = [(region.since or 0.0) + self._limits.max_wait for region in waiting]
        return ends + [region.remind_at for region in waiting]

    def remind(self, region: Region) -> None:
        """Say every half hour that a region still refuses."""
        now = self._clock.monotonic()
        if region.since is not None and now >= region.remind_at:
            region.remind_at, region.said = now + REMIND_SECONDS, True
            logger.info(
                "Waiting for region %s until %s: %s.",
                region.name,
                times.to_text(times.from_seconds(self.wall_time(region.not_before))),
                region.why(),
            )

    def wall_time(self, monotonic: float) -> float:
        """A moment of the monotonic clock, in seconds since the epoch."""
        return self._clock.now() + monotonic - self._clock.monotonic()

    @staticmethod
    def _takes_a_place(outcome: Outcome, *, creating: bool) -> bool:
        if creating:
            return isinstance(outcome, Accepted)
        if isinstance(outcome, Working):
            return not outcome.finished
        if isinstance(outcome, Moved):
            return outcome.unanswered or outcome.stage is Stage.POLL
        return isinstance(outcome, (Refused, RateLimited))

    @staticmethod
    def _unanswered(region: Region, outcome: Moved, now: float) -> None:
        """Nobody answered, or with a fault that passes: spare the region, whoever asks next."""
        region.unanswered += 1
        region.lost = (region.lost[0] if region.lost else now, outcome.reason)
        if region.unanswered > UNANSWERED:
            until = now + region.outage_backoff.next()
            region.not_before = max(region.not_before, until)
            region.polls_not_before = max(region.polls_not_before, until)

    def _refused(self, region: Region, refused: Refused, now: float, *, creating: bool) -> None:
        """Take in a 503; says once that the region waits, until when and why."""
        if not creating:
            pause = region.poll_backoff.next() if refused.pause is None else refused.pause
            region.polls_not_before = now + min(pause, LOOK_AGAIN_SECONDS)
            return
        if not refused.closed:
            region.limit = max(1, min(len(region.at_clover), self._limits.slots))
            region.probe_at = now + PROBE_SECONDS
            if region.at_clover:  # busy while our own exports run is no wait
                region.not_before = max(region.not_before, now + (refused.pause or 0.0))
                return
        first = region.since is None or refused.closed != region.closed
        region.since = now if region.since is None else region.since
        region.closed, region.hours = refused.closed, refused.hours or region.hours
        pause = region.backoff.next() if refused.pause is None else refused.pause
        region.not_before = max(region.not_before, now + pause)
        if first:
            short = not region.closed and region.not_before - now < SHORT_SECONDS
            region.remind_at = now + SHORT_SECONDS if short else now
        self.remind(region)

    @staticmethod
    def _accepted(region: Region) -> None:
        region.ever = True
        if region.said:
            logger.info("Region %s accepts exports again.", region.name)
        region.since, region.remind_at, region.said = None, 0.0, False
        region.not_before = 0.0
        region.backoff.reset()
