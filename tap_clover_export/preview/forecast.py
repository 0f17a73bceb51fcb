"""How far a run could get, and when it could end; pure."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from tap_clover_export.planning.hours import TABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pendulum import DateTime

    from tap_clover_export.planning.plan import Partition
    from tap_clover_export.planning.plan import PartitionPlan

EXPORT_SECONDS = 180.0
"""How long one export is taken to last; Clover gives no figure."""

_HALF_DAY = dt.timedelta(hours=12)


def left(
    work: Sequence[PartitionPlan], *, now: DateTime, places: int, max_run: float | None
) -> Counter[Partition]:
    """How many exports of each partition `max_run_hours` leaves for a later run.

    Args:
        work: What each partition lacks.
        now: The time.
        places: How many exports may be in progress at Clover at a time.
        max_run: After so many seconds no new export is asked for.
    """
    left: Counter[Partition] = Counter()
    if max_run is None:
        return left
    for region, mine in _by_region(work).items():
        hours = TABLE.get(region)
        until = now + dt.timedelta(seconds=max_run)
        seconds = hours.open_seconds(now, until) if hours else max_run
        taken_up = sum(len(item.pending) for item in mine)
        fit = max(0, math.ceil(seconds / EXPORT_SECONDS) * places - taken_up)
        asked = sorted(
            (turn, place, item.number, item.partition)
            for item, turn in ((item, item.turn) for item in mine)
            for place in _asked(item)
        )
        left.update(partition for *_, partition in asked[fit:])
    return left


def end(
    work: Sequence[PartitionPlan],
    exports: Mapping[Partition, int],
    *,
    now: DateTime,
    places: int,
) -> DateTime:
    """When the last export could be finished, each region working in its open hours.

    Args:
        work: What each partition lacks.
        exports: How many exports of each partition the run makes.
        now: The time.
        places: How many exports may be in progress at Clover at a time.
    """
    end = now
    for region, mine in _by_region(work).items():
        number = sum(exports[item.partition] for item in mine)
        needed = -(-number // places) * EXPORT_SECONDS
        time, hours = now, TABLE.get(region)
        while hours and needed > 0:
            time = hours.next_opening(time)
            today = hours.open_seconds(time, time + _HALF_DAY)
            if today >= needed:
                break
            needed -= today
            time += _HALF_DAY
        end = max(end, time + dt.timedelta(seconds=needed))
    return end


def _by_region(work: Sequence[PartitionPlan]) -> dict[str, list[PartitionPlan]]:
    regions: dict[str, list[PartitionPlan]] = defaultdict(list)
    for item in work:
        regions[item.partition.merchant.region].append(item)
    return regions


def _asked(item: PartitionPlan) -> list[int]:
    """The places of the windows that Clover was not asked for yet."""
    known = {pending.window for pending in item.pending}
    return [place for place, window in enumerate(item.windows()) if window not in known]
