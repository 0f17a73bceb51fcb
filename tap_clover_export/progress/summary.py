"""What a run did not emit: what is missing, and what is left for the next run."""

from __future__ import annotations

import dataclasses
import json
import logging
from typing import TYPE_CHECKING

from tap_clover_export import times

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pendulum import DateTime

    from tap_clover_export.planning.plan import Partition
    from tap_clover_export.planning.windows import Window

logger = logging.getLogger("tap-clover-export.run")

NAMED = 5
"""How many failures the last line names beside the first."""


@dataclasses.dataclass(frozen=True)
class Failure:
    """A merchant's stream that can't go on.

    Attributes:
        partition: The merchant's stream.
        reason: Why, and what to do.
        window: The first window that is missing, where it is known.
    """

    partition: Partition
    reason: str
    window: Window | None

    def __str__(self) -> str:
        since = f" from {times.to_text(self.window.start)} on" if self.window else ""
        return f"{self.partition}{since}"

    def fields(self) -> dict[str, str | None]:
        """For programs."""
        return {
            "merchant_id": self.partition.merchant.id,
            "stream": self.partition.stream,
            "region": self.partition.merchant.region,
            "from": times.to_text(self.window.start) if self.window else None,
            "reason": self.reason,
        }


def missing(failures: Sequence[Failure]) -> str | None:
    """What is missing and what to do, in one sentence; None where nothing is.

    The log has one structured line for each failure before it.
    """
    for failure in failures:
        logger.error("INCOMPLETE: %s", json.dumps(failure.fields()))
    if not failures:
        return None
    first, others = failures[0], failures[1:]
    sentence = f"Missing: {first}: {first.reason}"
    if others:
        names = ", ".join(str(failure.partition) for failure in others[:NAMED])
        more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
        sentence += f"; also missing: {names}{more} (each said above)"
    return sentence + "."


def leftover(
    starts: Sequence[DateTime], partitions: int, shut: Sequence[tuple[str, str]]
) -> str | None:
    """What `max_run_hours` left for the next run, in a sentence or two; None where nothing.

    Args:
        starts: From when on, for each partition of which something is left.
        partitions: How many partitions the run has.
        shut: The regions that accepted no export, and why.
    """
    if not starts:
        return None
    sentence = (
        f"max_run_hours is over; left for the next run: {len(starts)} of {partitions} "
        f"streams of merchants, the earliest from {times.to_text(min(starts))}."
    )
    regions = [f"Region {name} accepted no export in this run: {why}." for name, why in shut]
    return " ".join([sentence, *regions])
