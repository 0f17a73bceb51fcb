"""How far a run could get, and when it could end; pure."""

from __future__ import annotations

import bisect
import datetime as dt
import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from tap_clover_export.planning.hours import TABLE
from tap_clover_export.planning.plan import Purpose

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
        for purpose in Purpose:
            # A window each in turn, in the order of their numbers: so the plan's priorities say.
            in_turn = sorted(mine, key=lambda item: item.number)
            waiting = [(item, _to_request(item, purpose)) for item in in_turn]
            most = max((len(places) and places[-1] + 1 for _, places in waiting), default=0)
            rounds = bisect.bisect_right(
                range(1, most + 1), fitting, key=lambda place: _before(waiting, place)
            )
            fitting -= _before(waiting, rounds)
            for item, places in waiting:
                number = bisect.bisect_left(places, rounds)
                if fitting and number < len(places) and places[number] == rounds:
                    number, fitting = number + 1, fitting - 1
                found[item.partition] += len(places) - number
    return +found


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


def _to_request(item: PartitionPlan, purpose: Purpose) -> Sequence[int]:
    """The places of the windows of a purpose that Clover has not been asked for yet."""
    span = item.span(purpose)
    known = {pending.window for pending in item.pending if span and span.holds(pending.window)}
    if not known:
        return range(item.count(purpose))
    return [place for place, window in enumerate(item.windows(purpose)) if window not in known]


def _before(waiting: Sequence[tuple[PartitionPlan, Sequence[int]]], place: int) -> int:
    """How many windows come before a place."""
    return sum(bisect.bisect_left(places, place) for _, places in waiting)
