"""Storms: faults of all kinds on a part of all requests, run after run until all is whole."""

from __future__ import annotations

import dataclasses
import random
import time
from typing import TYPE_CHECKING, Any

import pytest

from tap_clover_export.exports.export import Export, Stage
from tap_clover_export.exports.outcomes import Accepted, Moved, Working
from tap_clover_export.scheduling.limits import Limits
from tap_clover_export.scheduling.queue import Queue
from tap_clover_export.scheduling.scheduler import Scheduler
from tap_clover_export.simulator import Clock, Options, Simulator
from tests.support.harness import (
    ONE,
    THREE,
    TOKENS,
    TUESDAY_NOON,
    TWO,
    JumpingClock,
    clover,
    iso,
    sync,
)
from tests.support.plans import NOW, work
from tests.support.warehouse import Warehouse

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_clover_export.exports.outcomes import Outcome
    from tap_clover_export.planning.plan import Partition

RUNS = 30
"""A storm that is not over after so many runs is not getting anywhere."""

RATE = 0.3


@pytest.fixture
def seeds(long: bool) -> range:
    """The storms."""
    return range(50 if long else 3)


def test_storms(seeds: range) -> None:
    """The union over the runs is whole; no bookmark ever passed what was emitted."""
    fired = runs = 0
    for seed in seeds:
        options: dict[str, Any] = {
            "merchants": (ONE, TWO, THREE),
            "days": 90,
            "orders_per_day": 2,
            "seed": f"storm {seed}",
            "export_seconds": 20,
            "objects_per_file": 60,
            "window_field": ("modifiedTime", "createdTime")[seed % 2],
        }
        random.seed(seed)
        with clover(**options) as simulator:
            simulator.faults.storm(RATE, seed)
            if seed % 3 == 2:
                simulator.faults.add(f"poll[{TWO}/ORDERS]:status=FAILED*9")
            runs += run_until_whole(simulator, max_concurrent_exports=1 + seed % 3)
            fired += simulator.faults.storm_fired
    assert fired > 20 * len(seeds)
    assert runs > len(seeds)


def run_until_whole(simulator: Simulator, **settings: Any) -> int:
    """Run again and again from the last state; answers how many runs it took."""
    start = simulator.clock.now() - (simulator.options.days + 1) * 86_400
    warehouse = Warehouse(simulator)
    for run in range(1, RUNS):
        begin = simulator.clock.now()
        outcome = sync(
            simulator,
            state=warehouse.state,
            start_date=iso(start),
            poll_interval_seconds=30,
            step=5,
            **settings,
        )
        warehouse.load(outcome.output)
        if outcome.code == 0:
            warehouse.expect_whole(begin)
            return run
        assert outcome.sentence.startswith("Missing: ")
        simulator.clock.advance(3600)
    raise AssertionError("the storm never ends")


class Wild(Clock):
    """A clock that runs much faster than the real one."""

    SPEED = 300.0

    def __init__(self, start: float) -> None:
        super().__init__(start)
        self._zero = time.monotonic()

    def now(self) -> float:
        """Tell the time in epoch seconds."""
        return super().now() + (time.monotonic() - self._zero) * self.SPEED

    def monotonic(self) -> float:
        """Tell the time that has passed, in seconds."""
        return (time.monotonic() - self._zero) * self.SPEED

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds / self.SPEED)


def test_storms_with_threads(long: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As above, with threads and a clock that does not wait for them."""
    pause = Scheduler.seconds_until_next_step
    monkeypatch.setattr(
        Scheduler, "seconds_until_next_step", lambda scheduler: pause(scheduler) / Wild.SPEED
    )
    for seed in range(12 if long else 2):
        options = Options(
            merchants=TOKENS, days=100, orders_per_day=3, seed=f"threads {seed}", export_seconds=20
        )
        with Simulator(options, clock=Wild(TUESDAY_NOON)) as simulator:
            simulator.faults.storm(RATE, f"threads {seed}")
            run_until_whole(
                simulator, workers=None, clock=simulator.clock, max_concurrent_exports=3
            )
            assert simulator.faults.storm_fired > 20


@dataclasses.dataclass
class Interfering:
    """Stands for Clover, and lets a partition fail while one of its steps is under way.

    Attributes:
        step: The step that is interfered with.
        fail: Lets it fail.
    """

    step: Stage
    fail: Callable[[Partition], None] = lambda _: None

    def advance(self, export: Export) -> Outcome:
        """Take every step at once."""
        if export.partition.merchant.id == ONE and export.stage is self.step:
            self.fail(export.partition)
            if export.stage is Stage.POLL:
                return Working(1.0)
        if export.stage is Stage.CREATE:
            return Accepted("X", NOW)
        return Moved(Stage.READY)


@pytest.mark.parametrize("step", [Stage.CREATE, Stage.POLL])
def test_a_failure_amid_a_step_gives_its_place_back(step: Stage) -> None:
    """What fails while Clover is asked for more of it does not hold up the others."""
    items = [
        work(merchant, days=70, lookback=0, number=number)
        for number, merchant in enumerate((ONE, TWO))
    ]
    clock = JumpingClock(Clock(TUESDAY_NOON, frozen=True))
    exporter = Interfering(step)
    changes: list[object] = []
    with Queue(
        items,
        exporter,
        Limits(slots=1, max_wait=0),
        clock=clock,
        workers=0,
        on_change=lambda: changes.extend(queue.changes()),
    ) as queue:
        exporter.fail = lambda partition: queue.fail(partition, "it is odd")
        emitted = []
        while export := queue.next():
            emitted.append(export)
            queue.emitted(export)
            assert len(clock.slept) < 1000
    assert [export.partition.merchant.id for export in emitted] == [TWO] * 3
