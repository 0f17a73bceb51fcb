"""Closed and busy: whom the run waits for, how long, and what it says."""

from __future__ import annotations

import itertools
import re

import pytest

from tests.support.harness import (
    ONE,
    TUESDAY_NOON,
    TWO,
    TYPES,
    JumpingClock,
    assert_whole_to_bookmarks,
    clover,
    config_for,
    sync,
)

HOUR = 3600.0
NEXT_OPENING = "2026-03-04T10:00:00.000Z"


@pytest.mark.parametrize("words", ["vendor", "json", "plain", None])
def test_a_run_that_starts_just_before_closing(words: str | None) -> None:
    """A run that starts at 14:58 with 6 windows ends whole after the next opening."""
    with clover(
        days=85,
        orders_per_day=2,
        region="us",
        hours=True,
        hours_words=words,
        export_seconds=60,
        now=TUESDAY_NOON + 2 * HOUR + 58 * 60,
    ) as simulator:
        outcome = sync(simulator, step=2)
        assert outcome.code == 0, outcome.log
        assert len(simulator.exports) == 6
        assert_whole_to_bookmarks(outcome, simulator)
        asked = [r.time for r in simulator.requests if r.kind == "create" and r.status == 503]
        if words:
            assert len(asked) == 1
            assert f"Waiting for region us until {NEXT_OPENING}" in outcome.log
            assert "MON-SUN 10:00-15:00 UTC" in outcome.log
        else:
            pauses = [later - earlier for earlier, later in itertools.pairwise(asked)]
            assert max(pauses) <= HOUR / 2 + 1
        waits = re.findall(r"Waiting for region us", outcome.log)
        assert 30 <= len(waits) <= 45


@pytest.mark.parametrize("hours", [5, -5])
def test_a_clock_that_is_hours_wrong_misses_no_opening(hours: int) -> None:
    """Clover's hours go by its own clock, which its answers tell; it is asked as it opens."""
    with clover(
        days=3,
        region="us",
        hours=True,
        clock_skew_seconds=hours * HOUR,
        now=TUESDAY_NOON + 4 * HOUR - hours * HOUR,
    ) as simulator:
        outcome = sync(simulator)
        assert outcome.code == 0, outcome.log
        first = min(export.created for export in simulator.exports) / 1000
        assert 0 <= (first - 10 * HOUR) % (24 * HOUR) < 60


def test_polls_and_downloads_refused_while_closed() -> None:
    """Hours that close in the middle of a run, for everything, cost no export its time."""
    with clover(
        days=85,
        orders_per_day=2,
        region="us",
        hours=True,
        closed_refuses_all=True,
        export_seconds=300,
        max_concurrent=2,
        now=TUESDAY_NOON + 2 * HOUR + 58 * 60,
    ) as simulator:
        outcome = sync(simulator, max_concurrent_exports=2, export_timeout_minutes=30)
        assert outcome.code == 0, outcome.log
        assert_whole_to_bookmarks(outcome, simulator)
        assert len(simulator.exports) == 6


@pytest.mark.parametrize("hours", [0, 0.5, 3])
def test_max_wait_hours_is_honoured_to_the_minute(hours: float) -> None:
    """The run gives up after max_wait_hours; 0 ends at once, with the hours in the sentence."""
    with clover(days=3, region="us", hours=True, now=TUESDAY_NOON + 4 * HOUR) as simulator:
        start = simulator.clock.now()
        outcome = sync(simulator, max_wait_hours=hours)
        assert outcome.code == 1
        assert abs(simulator.clock.now() - start - hours * HOUR) < 60
        assert "it accepts exports MON-SUN 10:00-15:00 UTC" in outcome.sentence
        assert "raise max_wait_hours" in outcome.sentence
        assert outcome.log.count("Waiting for region us") == 2 * hours
        assert outcome.bookmark("orders", ONE) is None


def test_regions_are_refused_apart() -> None:
    """A closed region's merchants wait; another region's are exported meanwhile."""
    with clover(merchants=(ONE, TWO), days=3, orders_per_day=4) as simulator:
        fault = simulator.faults.add(f"create[{ONE}]:503-hours")
        start = simulator.clock.now()
        settings = config_for(simulator)
        for entry, region in zip(settings["merchants"], ("eu", "us"), strict=True):
            entry["region"] = region

        class Clock(JumpingClock):
            def sleep(self, seconds: float) -> None:
                super().sleep(seconds)
                if self.now() > start + 3 * HOUR:
                    simulator.faults.clear()

        outcome = sync(simulator, clock=Clock(simulator.clock), **settings)
        assert outcome.code == 0, outcome.log
        assert fault.fired >= 1
        first_two = [export.merchant for export in simulator.exports[:2]]
        assert first_two == [TWO, TWO]
        assert simulator.exports[1].created < (start + 60) * 1000
        for stream in TYPES:
            assert outcome.records(stream, ONE)


def test_words_that_say_open() -> None:
    """Where Clover's words say open and it still refuses, it is asked again in five minutes."""
    with clover(days=3, region="us") as simulator:
        fault = simulator.faults.add("create:503-hours*3")
        outcome = sync(simulator)
        assert outcome.code == 0
        times = [r.time for r in simulator.requests if r.kind == "create"][: fault.fired + 1]
        assert [round(b - a) for a, b in itertools.pairwise(times)] == [300, 300, 300]


def test_busy_with_others() -> None:
    """While others take all places Clover is asked with growing pauses; no attempt is burned."""
    with clover(days=3, export_seconds=30, foreign_exports=3) as simulator:
        start = simulator.clock.now()

        class Clock(JumpingClock):
            def sleep(self, seconds: float) -> None:
                super().sleep(seconds)
                if self.now() > start + 2 * HOUR:
                    simulator.foreign_exports = 0

        outcome = sync(simulator, clock=Clock(simulator.clock))
        assert outcome.code == 0, outcome.log
        assert_whole_to_bookmarks(outcome, simulator)
        refused = [r.time for r in simulator.requests if r.kind == "create" and r.status == 503]
        assert 20 <= len(refused) <= 70
        pauses = [b - a for a, b in itertools.pairwise(refused)]
        assert pauses[0] <= 2
        assert 100 <= max(pauses) <= 301


def test_busy_with_our_own() -> None:
    """Busy while our own exports run lowers the limit and is no wait, not even with 0."""
    with clover(days=85, orders_per_day=1, export_seconds=100, max_concurrent=2) as simulator:
        outcome = sync(simulator, max_concurrent_exports=5, max_wait_hours=0)
        assert outcome.code == 0, outcome.log
        assert_whole_to_bookmarks(outcome, simulator)
        refused = [r for r in simulator.requests if r.kind == "create" and r.status == 503]
        assert 1 <= len(refused) <= 12
        took = simulator.clock.now() - TUESDAY_NOON
        assert took < 6 / 2 * 100 * 1.5


def test_busy_for_one_merchant_holds_up_no_other() -> None:
    """A merchant that is refused as busy lets the others pass."""
    with clover(merchants=(ONE, TWO), days=3) as simulator:
        simulator.faults.add(f"create[{ONE}]:busy*40")
        outcome = sync(simulator)
        assert outcome.code == 0
        assert [export.merchant for export in simulator.exports[:2]] == [TWO, TWO]
        assert simulator.exports[1].created < (TUESDAY_NOON + 60) * 1000


def test_max_run_hours() -> None:
    """After max_run_hours nothing new is asked for; the end is clean and says what is left."""
    with clover(days=200, orders_per_day=1, export_seconds=600) as simulator:
        start = simulator.clock.now()
        first = sync(simulator, max_run_hours=0.5, step=30)
        assert first.code == 0
        assert "left for the next run, of 2 streams of merchants: history of 2." in first.log
        assert simulator.clock.now() - start < HOUR
        asked = len(simulator.exports)
        assert 2 <= asked <= 4
        assert "pending_exports" not in first.entry("orders", ONE)
        second = sync(simulator, state=first.state, lookback_days=0, step=30)
        assert second.code == 0
        assert len(simulator.exports) == 14 + 2  # and what is new since the first run
        first.output += second.output
        assert_whole_to_bookmarks(first, simulator, twice=3)


def test_a_region_that_accepts_nothing_all_run_is_named() -> None:
    """A run that max_run_hours ends while Clover refuses says so, as a warning."""
    with clover(days=3, region="us", hours=True, now=TUESDAY_NOON + 4 * HOUR) as simulator:
        outcome = sync(simulator, max_run_hours=0.5)
    assert outcome.code == 0
    assert "Region us accepted no export in this run: it accepts exports MON-SUN" in outcome.log
