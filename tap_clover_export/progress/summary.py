"""What a run did not emit: what is missing, and what is left for the next run."""

from __future__ import annotations

import dataclasses
import json
import logging
from typing import TYPE_CHECKING

from tap_clover_export import times
from tap_clover_export.planning.plan import Purpose

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pendulum import DateTime

    from tap_clover_export.planning.plan import Partition
    from tap_clover_export.planning.windows import Window

logger = logging.getLogger("tap-clover-export.run")

NAMED = 5
"""How many failures the last line names beside the first."""

_LEFT = {
    Purpose.NEW: "new days",
    Purpose.HISTORY: "history",
    Purpose.LATE_CHANGES: "late changes",
}


@dataclasses.dataclass(frozen=True)
class Failure:
    """What a merchant's stream can't go on with.

    Attributes:
        partition: The merchant's stream.
        reason: Why, and what to do.
        purpose: What is missing: the new days, the history or the late changes.
        window: The first window that is missing.
        bookmark: Up to where the run found its stream covered, if it did.
        is_hole: Whether it is this window that fails, and not all that is asked for.
    """

    partition: Partition
    reason: str
    purpose: Purpose
    window: Window
    bookmark: DateTime | None = None
    is_hole: bool = True

    @property
    def is_lookback(self) -> bool:
        """Whether it was covered before."""
        new = self.purpose is Purpose.NEW
        return new and self.bookmark is not None and self.window.end <= self.bookmark

    @property
    def missing(self) -> tuple[DateTime | None, DateTime | None]:
        """From when to when something is missing; None where it has no bound."""
        if self.is_lookback:
            return self.window.start, self.bookmark
        if self.purpose is Purpose.NEW:
            known = self.bookmark and max(self.window.start, self.bookmark)
            return known or self.partition.merchant.start, None
        start = self.partition.merchant.start if self.purpose is Purpose.HISTORY else None
        return start, self.window.end

    @property
    def what(self) -> str:
        """Which part of which stream is missing."""
        if self.is_lookback:
            return f"look-back of {self.partition}"
        new = self.purpose is Purpose.NEW
        return str(self.partition) if new else f"{_LEFT[self.purpose]} of {self.partition}"

    def __str__(self) -> str:
        start, end = self.missing
        if start and self.purpose is Purpose.NEW:
            until = f" to {times.to_text(end)}" if end else " on"
            return f"{self.what} from {times.to_text(start)}{until}"
        return f"{self.what} before {times.to_text(self.window.end)}"

    def fields(self, said: Collection[str] = ()) -> dict[str, str | None]:
        """For programs; without the advice where that is said elsewhere."""
        start, end = self.missing
        return {
            "merchant_id": self.partition.merchant.id,
            "stream": self.partition.stream,
            "region": self.partition.merchant.region,
            "purpose": str(self.purpose),
            "from": times.to_text(start) if start else None,
            "to": times.to_text(end) if end else None,
            "reason": in_brief(self.reason) if advice(self.reason) in said else self.reason,
        }


def in_brief(reason: str) -> str:
    """A reason without its advice."""
    return reason.rpartition("; ")[0] or reason


def advice(reason: str) -> str:
    """What a reason says to do."""
    return reason.rpartition("; ")[2]


def missing(failures: Sequence[Failure]) -> str | None:
    """What is missing and what to do, in one sentence; None where nothing is.

    The log has one structured line for each failure before it; each advice is given once.
    """
    if not failures:
        return None
    first, others = failures[0], failures[1:]
    said = {advice(first.reason)}
    for failure in failures:
        logger.error("INCOMPLETE: %s", json.dumps(failure.fields(said)))
        said.add(advice(failure.reason))
    sentence = f"Missing: {first}: {first.reason}"
    if others:
        names = ", ".join(failure.what for failure in others[:NAMED])
        more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
        sentence += f"; also missing: {names}{more} (each said above)"
    return sentence + "."


def leftover(
    next_up: Sequence[tuple[Purpose, Window]], partitions: int, shut: Sequence[tuple[str, str]]
) -> str | None:
    """What `max_run_hours` left for the next run, in a sentence or two; None where nothing.

    Args:
        next_up: What comes next of each partition of which something is left, and its window.
        partitions: How many partitions the run has.
        shut: The regions that accepted no export, and why.
    """
    if not next_up:
        return None
    parts = []
    for purpose, words in _LEFT.items():
        found = [window for one, window in next_up if one is purpose]
        if purpose is Purpose.NEW and found:
            earliest = times.to_text(min(window.start for window in found))
            parts.append(f"{words} of {len(found)}, the earliest from {earliest}")
        elif found:
            parts.append(f"{words} of {len(found)}")
    sentence = (
        f"max_run_hours is over; left for the next run, of {partitions} streams of merchants: "
        f"{'; '.join(parts)}."
    )
    regions = [f"Region {name} accepted no export in this run: {why}." for name, why in shut]
    return " ".join([sentence, *regions])
