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

    from tap_clover_export.planning.plan import Partition, PartitionPlan

EXPORT_SECONDS = 180.0
"""How long one export is taken to last; Clover gives no figure."""

_HALF_DAY = dt.timedelta(hours=12)


def deferred(
    work: Sequence[PartitionPlan], *, now: DateTime, slots: int, max_run: float | None
) -> Counter[Partition]:
    """How many exports of each partition `max_run_hours` leaves for a later run.

    Args:
        work: What each partition lacks.
        now: The time.
        slots: How many exports may be in progress at Clover at a time.
        max_run: After this many seconds no new export is requested.
    """
    found: Counter[Partition] = Counter()
    if max_run is None:
        return found
    for region, mine in _by_region(work).items():
        hours = TABLE.get(region)
        until = now + dt.timedelta(seconds=max_run)
        seconds = hours.open_seconds(now, until) if hours else max_run
        resumed = sum(len(item.pending) for item in mine)
        fitting = max(0, math.ceil(seconds / EXPORT_SECONDS) * slots - resumed)
        requests = sorted(
            (turn, index, item.number, item.partition)
            for item, turn in ((item, item.turn) for item in mine)
            for index in _to_request(item)
        )
        found.update(partition for *_, partition in requests[fitting:])
    return found


def end_of_run(
    work: Sequence[PartitionPlan],
    exports: Mapping[Partition, int],
    *,
    now: DateTime,
    slots: int,
) -> DateTime:
    """When the last export could be finished, each region working in its open hours.

    Args:
        work: What each partition lacks.
        exports: How many exports of each partition the run makes.
        now: The time.
        slots: How many exports may be in progress at Clover at a time.
    """
    latest = now
    for region, mine in _by_region(work).items():
        number = sum(exports[item.partition] for item in mine)
        needed = -(-number // slots) * EXPORT_SECONDS
        time, hours = now, TABLE.get(region)
        while hours and needed > 0:
            time = hours.next_opening(time)
            today = hours.open_seconds(time, time + _HALF_DAY)
            if today >= needed:
                break
            needed -= today
            time += _HALF_DAY
        latest = max(latest, time + dt.timedelta(seconds=needed))
    return latest


def _by_region(work: Sequence[PartitionPlan]) -> dict[str, list[PartitionPlan]]:
    regions: dict[str, list[PartitionPlan]] = defaultdict(list)
    for item in work:
        regions[item.partition.merchant.region].append(item)
    return regions


def _to_request(item: PartitionPlan) -> list[int]:
    """Which of its windows Clover has not been asked for yet, by index."""
    known = {pending.window for pending in item.pending}
    return [index for index, window in enumerate(item.windows()) if window not in known]
