"""How many exports Clover takes at a time, and when a region takes any at all."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

from tap_clover_export import times
from tap_clover_export.exports.retry import LONGEST_BUSY, Pauses

if TYPE_CHECKING:
    from tap_clover_export.clover.unavailable import Hours, Refusal

logger = logging.getLogger("tap-clover-export.exports")

PROBE_SECONDS = 60.0
REMIND_SECONDS = 1800.0

STUMBLES = 8
"""After so many attempts in a row that failed in passing a region is asked less often, at least"""
LONGEST_STUMBLE = 60.0
"""every so many seconds."""

SHORT_SECONDS = 60.0
"""A busy Clover is not worth a line before it has been so for so long."""


@dataclasses.dataclass
class Places:
    """The places for exports in progress, over all streams, merchants and regions.

    Attributes:
        most: The setting `max_concurrent_exports`.
        limit: What Clover seems to take just now.
        taken: Exports that are in progress at Clover or being asked for.
    """

    most: int
    limit: int = 0
    taken: int = 0
    probe_at: float = 0.0

    def __post_init__(self) -> None:
        self.limit = self.most

    def free(self, now: float) -> bool:
        """Whether another export may be asked for; raises the limit slowly after a refusal."""
        if self.taken < self.limit:
            return True
        if self.limit < self.most and now >= self.probe_at:
            self.limit += 1
            self.probe_at = now + PROBE_SECONDS
            return self.taken < self.limit
        return False

    def refused(self, now: float) -> None:
        """Clover was busy: what is in progress now is what it takes."""
        self.limit = max(1, min(self.taken, self.most))
        self.probe_at = now + PROBE_SECONDS


@dataclasses.dataclass
class Door:
    """Whether a region accepts exports, by what it last answered.

    Attributes:
        region: Its name.
        until: It is not asked before this time.
        since: The first refusal since the last accepted export, if it refuses.
        hours: Its opening hours, if it named any.
        closed: Closed by its hours, otherwise busy.
        said: Whether the log says that it waits.
        stumbles: Attempts to ask it that failed in passing since its last answer.
        lost: When the first of them was, and what the last one said.
        ever: Whether it accepted an export at all.
    """

    region: str
    until: float = 0.0
    since: float | None = None
    hours: Hours | None = None
    closed: bool = False
    remind_at: float = 0.0
    said: bool = False
    stumbles: int = 0
    lost: tuple[float, str] | None = None
    ever: bool = False
    pauses: Pauses = dataclasses.field(default_factory=lambda: Pauses(LONGEST_BUSY))
    stumble_pauses: Pauses = dataclasses.field(default_factory=lambda: Pauses(LONGEST_STUMBLE))

    def stumbled(self, now: float, words: str) -> None:
        """Nobody answered, or with a fault that passes: spare it, whoever would ask next."""
        self.stumbles += 1
        self.lost = (self.lost[0] if self.lost else now, words)
        if self.stumbles > STUMBLES:
            self.until = max(self.until, now + self.stumble_pauses.next())

    def lost_since(self, time: float) -> str | None:
        """What went wrong last, if nothing but that has come since a time."""
        if self.lost and self.lost[0] < time and self.stumbles > STUMBLES:
            return self.lost[1]
        return None

    def answered(self) -> None:
        """It is there."""
        self.stumbles, self.lost = 0, None
        self.stumble_pauses.reset()

    def refused(self, refusal: Refusal, now: float) -> None:
        """Take in a 503; says once that it waits, until when and why."""
        self.answered()
        first = self.since is None or refusal.closed != self.closed
        self.since = now if self.since is None else self.since
        self.closed, self.hours = refusal.closed, refusal.hours or self.hours
        until = times.to_ms(refusal.until) / 1000 if refusal.until else now
        if not refusal.closed:
            until = max(until, now + self.pauses.next())
        self.until = max(self.until, until)
        if first:
            short = not self.closed and self.until - now < SHORT_SECONDS
            self.remind_at = now + SHORT_SECONDS if short else now
        self.remind(now)

    def accepted(self) -> None:
        """An export was accepted."""
        self.answered()
        self.ever = True
        if self.said:
            logger.info("Region %s accepts exports again.", self.region)
        self.since, self.until, self.remind_at, self.said = None, 0.0, 0.0, False
        self.pauses.reset()

    def remind(self, now: float) -> None:
        """Say every half hour that it still waits."""
        if self.since is not None and now >= self.remind_at:
            self.remind_at, self.said = now + REMIND_SECONDS, True
            logger.info(
                "Waiting for region %s until %s: %s.",
                self.region,
                times.to_text(times.from_seconds(self.until)),
                self.why(),
            )

    def why(self) -> str:
        """What keeps it from accepting exports."""
        if not self.closed:
            return "Clover is busy with other exports"
        return f"it accepts exports {self.hours} UTC" if self.hours else "it is closed"
