"""Growth: a night of many merchants costs each of them what one of few costs."""

from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING

import pytest

from tap_clover_export.exports.export import Stage
from tap_clover_export.exports.outcomes import Accepted, Moved, Refused
from tap_clover_export.progress.stats import RunStats
from tap_clover_export.scheduling.limits import Limits
from tap_clover_export.scheduling.scheduler import Scheduler
from tests.scheduling.test_admission import CREATED, Clock
from tests.scheduling.test_brakes import drive
from tests.scheduling.worlds import DAY
from tests.support.plans import work

if TYPE_CHECKING:
    from tap_clover_export.exports.export import Export
    from tap_clover_export.exports.outcomes import Outcome

FEW, MANY = 40, 640
SPREAD = 1.15
"""Chance, and the sorting of a few more."""


def calls(merchants: int, trouble: Outcome | None, pending: tuple[float, float] | None) -> float:
    """How many functions are called for each merchant, those of generators at each step."""
    clock, chance, found = Clock(), random.Random(1), 0
    stats = RunStats(clock.now)
    scheduler = Scheduler(clock, stats, Limits(4, max_wait=DAY), on_retry=lambda _: None)

    def step(export: Export) -> Outcome:
        if trouble and chance.random() < 0.5:
            return trouble
        if export.stage is Stage.CREATE:
            return Accepted(f"E{export.partition.merchant.id}", CREATED, 1.0)
        return Moved(Stage.READY)

    def count(_: object, event: str, __: object) -> None:
        nonlocal found
        found += event.endswith("call")

    plans = [
        work(f"M{number:05}", behind=1, pending=pending, number=number)
        for number in range(merchants)
    ]
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        for plan in plans:
            stats.planned(plan.partition, plan.count())
            scheduler.add(plan)
        emitted = drive(scheduler, clock, step, 10 * DAY)
    finally:
        sys.setprofile(before)
    assert len(emitted) == merchants * plans[0].count()
    return found / merchants


@pytest.mark.parametrize(
    ("trouble", "pending"),
    [(None, (8, 0.5)), (Refused(closed=False), None)],
    ids=["resumed", "busy"],
)
def test_a_merchant_costs_no_more_among_many(
    trouble: Outcome | None, pending: tuple[float, float] | None
) -> None:
    """Nothing looks at all the others at each step, though all are at Clover or refused."""
    assert calls(MANY, trouble, pending) < SPREAD * calls(FEW, trouble, pending)
