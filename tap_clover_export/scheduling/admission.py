"""Who may be asked when: the one place that says "not before", for each scope, and why.

Fed by the answers of the API alone; a file host's 503 is that file's matter.
"""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from typing import TYPE_CHECKING

from tap_clover_export import times
from tap_clover_export.clover.unavailable import LOOK_AGAIN
from tap_clover_export.exports.backoff import (
    OUTAGE_SECONDS,
    unreachable,
)
from tap_clover_export.exports.export import Stage
from tap_clover_export.exports.outcomes import Accepted, Moved, RateLimited, Refused, Working
from tap_clover_export.scheduling.scopes import UNANSWERED, Budget, Region

if TYPE_CHECKING:
    from tap_clover_export.clock import Clock
    from tap_clover_export.exports.export import Export
    from tap_clover_export.exports.outcomes import Outcome
    from tap_clover_export.scheduling.limits import Limits

logger = logging.getLogger("tap-clover-export.exports")

PROBE_SECONDS = 60.0
REMIND_SECONDS = 1800.0

TOKEN_BUDGET = (8.0, 2)
APP_BUDGET = (25.0, 5)
"""Requests a second and at once: half of what Clover allows, so that others have room.

Source: https://docs.clover.com/docs/api-usage-rate-limits
"""

LIMITED_SECONDS = 3600.0
"""How long, at least, a token or an app may be answered with 429 alone."""

BUSY_SECONDS = 3600.0
"""The longest time that a busy region may ask to wait: it may be free long before."""

HANG_SECONDS = 960.0
"""How long the answer to a request for an export may take."""

OPENING_SECONDS = 3 * 3600.0
"""The shortest opening of a region: the EU's on a Saturday."""

SHORT_SECONDS = 60.0
"""A busy Clover is not worth a line before it has been so for this long."""


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
        self._tokens = defaultdict[str, Budget](lambda: Budget(*TOKEN_BUDGET))
        self._apps = defaultdict[str, Budget](lambda: Budget(*APP_BUDGET))
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
        return sum(self.taken(region) for region in self.regions.values())

    def taken(self, region: Region) -> int:
        """Exports that take a place in a region, as far as was heard of them lately."""
        return region.at_clover.count(self._clock.monotonic())

    def _released_at(self) -> float:
        """When the next place is released because nothing was heard of its export."""
        now = self._clock.monotonic()
        regions = self.regions.values()
        return min((r.at_clover.released_at(now) for r in regions), default=math.inf)

    def token_free_at(self, export: Export) -> float:
        """When a request may go out by its token; infinity where that waits for an answer."""
        return self._token(export).free_at()

    def app_free_at(self, export: Export) -> float:
        """When a request may go out by its app; infinity where that waits for an answer."""
        return self._app(export).free_at()

    def _token(self, export: Export) -> Budget:
        return self._tokens[export.partition.merchant.id]

    def _app(self, export: Export) -> Budget:
        return self._apps[export.partition.merchant.api_url]

    def slot_at(self, region: Region) -> float:
        """When a region may be asked for another export; infinity where one has to end first."""
        # Refused as busy, a region's own limit is lowered, and slowly probes up again.
        taken = self.taken(region)
        if self.running >= self._limits.slots:
            return self._released_at()
        if taken < region.limit:
            return region.not_before
        probe = region.probe_at if taken < self._limits.slots else math.inf
        return max(region.not_before, min(probe, self._released_at()))

    def start(self, export: Export, *, creating: bool) -> None:
        """A request goes out."""
        now = self._clock.monotonic()
        for budget in (self._token(export), self._app(export)):
            budget.start(now)
        if creating:
            region = self.region(export)
            if self.taken(region) >= region.limit:
                region.limit, region.probe_at = self.taken(region) + 1, now + PROBE_SECONDS
            region.at_clover.hold(export, now + HANG_SECONDS)
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
            region.at_clover.release(export)
        elif isinstance(outcome, (Accepted, Working)) and export in region.at_clover:
            region.at_clover.hold(export, now + outcome.pause)
        if isinstance(outcome, Moved) and outcome.unanswered:
            region.requested_in_vain |= creating
            self._unanswered(region, outcome, now)
            return
        region.unanswered, region.lost, region.requested_in_vain = 0, None, False
        region.outage_backoff.reset()
        if isinstance(outcome, Refused):
            self._refused(export, outcome, now, creating=creating)
        elif isinstance(outcome, Accepted):
            self._accepted(region)
        elif not isinstance(outcome, RateLimited):
            region.poll_backoff.reset()

    def lost(self, region: Region) -> str | None:
        """Why a region is given up, if it has refused, or not answered, for too long."""
        now = self._clock.monotonic()
        self.remind(region)
        waited = region.since is not None and now - region.since >= self._limits.max_wait
        if waited and region.not_before > now:  # else it has to be asked first
            return (
                f"region {region.name} did not accept an export within max_wait_hours "
                f"({region.why()}); run again when it does, or raise max_wait_hours"
            )
        words = region.lost_since(now - OUTAGE_SECONDS)
        return unreachable(words) if words else None

    def limited_for_long(self, export: Export) -> str | None:
        """Why an export is given up to which nothing but 429 comes for too long."""
        budgets = (self._token(export), self._app(export))
        limited = [one for one in budgets if one.limited_since is not None]
        until = max((one.not_before for one in limited), default=0.0)
        since = min((one.limited_since or 0.0 for one in limited), default=until)
        seconds = max(until, self._clock.monotonic()) - since if limited else 0.0
        if seconds < max(self._limits.max_wait, LIMITED_SECONDS):
            return None
        return (
            f"Clover answers 429 Too Many Requests alone for {seconds / 3600:.0f} hours; "
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
            region.remind_at = now + REMIND_SECONDS
            if now >= region.since + self._limits.max_wait:
                return  # it is given up
            region.said = True
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

    def _refused(self, export: Export, refused: Refused, now: float, *, creating: bool) -> None:
        """Take in a 503; says once that the region waits, until when and why."""
        region = self.region(export)
        if not creating:
            pause = refused.pause or region.poll_backoff.next()
            until = now + min(pause, LOOK_AGAIN.total_seconds())
            region.polls_not_before = max(region.polls_not_before, until)
            return
        if not refused.closed:
            region.limit = max(1, min(self.taken(region), self._limits.slots))
            region.probe_at = now + PROBE_SECONDS
            if self.taken(region):  # busy while our own exports run is no wait
                pause = min(refused.pause or 0.0, BUSY_SECONDS)
                region.not_before = max(region.not_before, now + pause)
                return
        first = region.since is None or refused.closed != region.closed
        region.since = self._waiting_since(region, export, now)
        region.closed, region.hours = refused.closed, refused.hours or region.hours
        region.closes |= refused.closed and self._limits.max_run is None
        pause = refused.pause or region.backoff.next()
        pause = pause if refused.closed else min(pause, BUSY_SECONDS)
        region.not_before = max(region.not_before, now + pause)
        if first:
            short = not region.closed and region.not_before - now < SHORT_SECONDS
            region.remind_at = now + SHORT_SECONDS if short else now
        self.remind(region)

    def _waiting_since(self, region: Region, export: Export, now: float) -> float:
        """Since when a region is waited for that refuses now."""
        # While our own work kept it from being asked, it was not waited for; where that lasted as
        # long as it may be open, it may have opened and closed again, and the wait begins again.
        limited_until = max(self._token(export).not_before, self._app(export).not_before)
        unasked = max(0.0, now - max(region.not_before, limited_until))
        if region.since is None or unasked > OPENING_SECONDS:
            return now
        return region.since + unasked

    @staticmethod
    def _accepted(region: Region) -> None:
        region.ever = True
        if region.said:
            logger.info("Region %s accepts exports again.", region.name)
        region.since, region.remind_at, region.said = None, 0.0, False
        if region.closed:  # by hours that this disproves; what a busy region asked for stays
            region.not_before = 0.0
        region.backoff.reset()
