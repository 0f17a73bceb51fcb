"""Brakes: each is released by something that it does not hold back itself."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from tap_clover_export.errors import ServiceUnavailableError
from tap_clover_export.exports.export import Stage
from tap_clover_export.exports.outcomes import (
    Accepted,
    Failed,
    Finished,
    Moved,
    NoSpace,
    Outcome,
    RateLimited,
    Refused,
    Working,
)
from tap_clover_export.exports.spool import Spool
from tap_clover_export.progress.stats import RunStats
from tap_clover_export.scheduling.limits import Limits
from tap_clover_export.scheduling.scheduler import Scheduler
from tests.scheduling.test_admission import CREATED, Clock
from tests.scheduling.worlds import DAY, HOUR, WORDS, Clover, Time, World
from tests.support.harness import ONE, TWO, assert_whole, clover, entry, sync
from tests.support.plans import work

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_clover_export.clover.responses import ExportAnswer
    from tap_clover_export.exports.export import Export
    from tap_clover_export.settings.merchants import Merchant


def scheduler(
    clock: Clock, slots: int, *merchants: str, days: float = 60, max_run: float | None = None
) -> Scheduler:
    """A scheduler of some merchants' orders."""
    limits = Limits(slots, max_wait=DAY, max_run=max_run)
    found = Scheduler(clock, RunStats(clock.now), limits, on_retry=lambda _: None)
    for number, merchant in enumerate(merchants):
        found.add(work(merchant, days=days, lookback=0, region="us", number=number))
    return found


def drive(
    found: Scheduler, clock: Clock, step: Callable[[Export], Outcome], most: float
) -> list[Export]:
    """Take steps and emit until all is done; answers what was emitted, in order."""
    end, emitted = clock.monotonic() + most, []
    while not found.exhausted:
        assert clock.monotonic() < end, "it stands still"
        while export := found.pick():
            while export.spool and export.spool.take():
                pass
            if not export.emitted:
                break
            found.emitted(export)
            emitted.append(export)
        if export := found.next_step():
            clock.sleep(0.1)
            found.record_outcome(export, step(export))
        else:
            clock.sleep(found.seconds_until_next_step())
    return emitted


def test_a_window_that_is_lost_while_the_next_one_fails_is_asked_for_again() -> None:
    """Its offer is not forgotten because its partition was just asking for another window."""
    clock = Clock()
    found = scheduler(clock, 3, ONE)
    first = found.next_step()
    assert first
    found.record_outcome(first, Accepted("A", CREATED, 1.0))
    clock.sleep(1.5)
    second = found.next_step()
    assert second
    assert found.next_step() is first
    found.record_outcome(first, Moved(Stage.CREATE, reason="gone"))
    found.record_outcome(second, Failed("400 something", keep=True))
    assert found.next_step() is first


def test_a_full_disk_keeps_room_for_what_is_emitted_next() -> None:
    """Where the disk holds one file, a later window does not keep the first one from it."""
    clock = Clock()
    found = scheduler(clock, 4, ONE, TWO)

    def step(export: Export) -> Outcome:
        name = f"{export.partition.merchant.id}{export.priority[1]}"
        if export.stage is Stage.CREATE:
            return Accepted(name, CREATED, 1.0)
        if export.stage is Stage.POLL:
            slow = name == f"{ONE}0" and clock.monotonic() < 600
            return Working(5.0) if slow else Finished((f"https://files/{name}",), CREATED)
        others = [one for one in found._downloads.spooled if one is not export and one.spool]
        if others:
            return NoSpace(5.0, "No space left on device")
        export.spool = Spool()
        export.spool.add("file", lambda into: into.write(b"x"))
        export.urls = ()
        return Moved(Stage.READY)

    assert len(drive(found, clock, step, HOUR)) == 4


def test_a_region_that_closes_over_a_full_disk_stops_no_other() -> None:
    """What lies on a full disk, and is not told of before an opening, gives way to what goes on."""
    clock = Clock()
    found = scheduler(clock, 4, ONE, days=20)
    found.add(work(TWO, days=20, lookback=0, region="eu", number=1))

    def step(export: Export) -> Outcome:
        merchant = export.partition.merchant.id
        if export.stage is Stage.CREATE:
            return Accepted(merchant, CREATED, 1.0)
        if export.stage is Stage.POLL:
            until = 10 * HOUR - clock.monotonic()
            if merchant == ONE and export.named and until > 0:
                return Refused(closed=True, pause=until)
            links = tuple(f"https://files/{merchant}/{number}" for number in range(2))
            export.link(links, clock.monotonic())
            return Finished(export.urls, CREATED)
        if any(one.spool for one in found._downloads.spooled if one is not export):
            return NoSpace(5.0, "No space left on device")
        if merchant == ONE and export.spool and clock.monotonic() < HOUR:
            return Moved(Stage.POLL, 1.0, "the connection failed")
        export.spool = export.spool or Spool()
        export.spool.add(export.urls[0][-1], lambda into: into.write(b"x"))
        export.urls = export.urls[1:]
        return Moved(Stage.DOWNLOAD if export.urls else Stage.READY)

    emitted = drive(found, clock, step, 11 * HOUR)
    assert [export.partition.merchant.id for export in emitted] == [TWO, ONE]


@pytest.mark.parametrize("max_run", [None, 4 * HOUR])
def test_a_region_that_closes_is_asked_first_while_it_is_open(max_run: float | None) -> None:
    """One place over all: an always open region waits for the one that is open for an hour.

    Where the run ends by `max_run_hours` it may not get its turn later: the merchants take turns.
    """
    clock = Clock()
    found = scheduler(clock, 1, max_run=max_run)
    for number, region in enumerate(("sandbox", "eu", "sandbox")):
        found.add(
            work(f"{region}{number}", behind=50, lookback=0, days=50, region=region, number=number)
        )
    accepted = []

    def step(export: Export) -> Outcome:
        region, now = export.partition.merchant.region, clock.monotonic()
        if export.stage is Stage.POLL:
            return Moved(Stage.READY)
        if region == "eu" and not 2000 < now < 2000 + HOUR:
            return Refused(closed=True, pause=2000 - now if now < 2000 else DAY - now)
        accepted.append(region)
        return Accepted(f"{region}{len(accepted)}", CREATED, 1500.0)

    drive(found, clock, step, HOUR * 4)
    first, others = ("eu", ["sandbox"]) if max_run is None else ("sandbox", [])
    assert accepted == ["sandbox", "sandbox", "eu", first, "sandbox", *others]


@pytest.mark.parametrize("trouble", [RateLimited("token", 60.0), Refused(closed=True, pause=60.0)])
@pytest.mark.parametrize("slots", [1, 2])
def test_a_place_is_given_back_where_polls_are_held_back(trouble: Outcome, slots: int) -> None:
    """One merchant whose exports can't be asked for holds no place for longer than minutes."""
    clock = Clock()
    found = scheduler(clock, slots, ONE, TWO, days=20)
    asked: dict[str, float] = {}

    def step(export: Export) -> Outcome:
        merchant = export.partition.merchant.id
        if export.stage is Stage.CREATE:
            asked.setdefault(merchant, clock.monotonic())
            return Accepted(merchant, CREATED, 1.0)
        stuck = merchant == ONE and clock.monotonic() < 3 * HOUR
        return trouble if stuck else Moved(Stage.READY)

    drive(found, clock, step, 4 * HOUR)
    assert asked[TWO] < 600


def test_a_clock_of_clovers_that_is_hours_ahead_makes_nothing_empty() -> None:
    """How old an export is is measured by our own clock: one whose files are gone is made again."""
    hours = tuple((600, 900) for _ in range(7))
    closed = tuple(
        (600, 725) if day == 1 else (840, 900) if day == 2 else span
        for day, span in enumerate(hours)
    )
    options: dict[str, Any] = {
        "export_seconds": 600,
        "clock_skew_seconds": 4 * HOUR,
        "gone_as": "empty-list",
        "region": "us",
        "hours": True,
        "timetable": closed,
        "closed_refuses_all": True,
    }
    with clover(**options) as simulator:
        simulator.clock.advance(-4 * HOUR)
        outcome = sync(simulator, max_wait_hours=96, max_concurrent_exports=2)
        assert outcome.code == 0, outcome.log
        bookmark = outcome.bookmark("orders", ONE)
        assert bookmark
        held = {
            row["id"]
            for row in simulator.records(ONE, "ORDERS")
            if row["createdTime"] / 1000 < simulator.clock.now() - 2 * DAY
        }
        assert held <= {identity for _, identity in outcome.counts("orders", ONE)}


def test_a_young_export_of_a_former_run_is_asked_for_again_before_it_is_gone() -> None:
    """Resumed seconds after it was made, it may not be known to all of Clover yet."""
    with clover(visible_after_seconds=20, export_seconds=5) as simulator:
        first = sync(simulator, max_run_hours=1 / 3600)
        begun = next(state for state in first.states if _pending(state))
        simulator.clock.advance(simulator.exports[0].created / 1000 - simulator.clock.now() + 2)
        again = sync(simulator, state=begun)
        assert again.code == 0, again.log
        assert_whole(again, simulator)
        assert "is gone" not in again.log
        assert len({(e.merchant, e.type, e.start) for e in simulator.exports}) == len(
            simulator.exports
        )


def _pending(state: dict[str, Any]) -> list[dict[str, Any]]:
    """The pending exports of orders in a state."""
    found: list[dict[str, Any]] = entry(state, "orders", ONE).get("pending_exports", [])
    return found


class Closing(Clover):
    """Refuses polls too while a region is closed."""

    def poll(self, merchant: Merchant, export_id: str) -> ExportAnswer:
        """Say how an export is, in the region's hours."""
        if not self.is_open(merchant.region):
            self._arrive(merchant)
            raise ServiceUnavailableError(f"Exports are accepted {WORDS[merchant.region]}", None)
        return super().poll(merchant, export_id)


@pytest.mark.parametrize("slots", [1, 2])
def test_a_region_that_closes_over_its_exports_stops_no_other(slots: int) -> None:
    """The EU closes while its exports run: the US gets its places in its own hours all the same."""
    world = next(w for w in (World(seed, calm=True) for seed in range(500)) if _us_and_eu(w))
    world.mood = dataclasses.replace(
        world.mood,
        slots={"us": 3, "eu": 3},
        foreign={"us": [0], "eu": [0]},
        words=True,
        seconds=(1800.0, 1801.0),
        faults=0.0,
        limits=0.0,
        always_open=False,
        lag=0.0,
        narrows=False,
        too_much=1e9,
    )
    world.settings = dataclasses.replace(
        world.settings, max_concurrent_exports=slots, max_wait=48 * HOUR
    )
    world.loader_seconds, world.disk = 0.0, 1 << 30
    world.time = Time(seconds=19 * HOUR + 2400)  # Tuesday 04:40: the EU closes at five
    world.clover = Closing(world)
    assert world.night() == 0
    first = min(job.created for job in world.clover.jobs.values() if job.merchant.region == "us")
    assert (
        first
        < min(job.created for job in world.clover.jobs.values() if job.merchant.region == "eu")
        + 6 * HOUR
    )


def _us_and_eu(world: World) -> bool:
    return set(world.mood.slots) == {"us", "eu"}
