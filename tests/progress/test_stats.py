"""What a run counts: merchants, waits and what is left."""

from __future__ import annotations

import pytest

from tap_clover_export import times
from tap_clover_export.planning.plan import Partition
from tap_clover_export.progress.stats import MIN_EMITTED, RunStats
from tap_clover_export.settings.merchants import Merchant


class Time:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return self.now


def partition(merchant: str, stream: str = "orders", region: str = "us") -> Partition:
    """A merchant's stream."""
    return Partition(Merchant(merchant, region, "", times.from_seconds(0)), stream)


def test_a_merchant_is_done_with_both_streams() -> None:
    """Done is who has nothing left, failed who can't go on in a stream, whoever lacks nothing."""
    stats = RunStats(Time())
    for name, exports in (("A", 1), ("B", 1), ("C", 0)):
        for stream in ("orders", "payments"):
            stats.planned(partition(name, stream), exports)
    assert (stats.merchants, stats.merchants_done, stats.merchants_failed) == (3, 1, 0)
    stats.finished(partition("A", "orders"))
    assert stats.merchants_done == 1
    stats.finished(partition("A", "payments"))
    stats.failed(partition("B", "payments"))
    stats.finished(partition("B", "orders"))
    assert (stats.merchants_done, stats.merchants_failed) == (2, 1)


def test_waits_of_regions_are_not_summed_twice() -> None:
    """Two regions that refuse at the same time hold a stream up once; another region's not."""
    time = Time()
    stats = RunStats(time)
    for region in ("us", "eu"):
        stats.planned(partition(region, "orders", region), 1)
    stats.planned(partition("us", "payments", "us"), 1)
    stats.waiting("us", 100, "closed")
    time.now = 50
    stats.waiting("eu", 100, "closed")
    stats.waiting("us", 200, "closed")
    assert {name: wait.since for name, wait in stats.waits.items()} == {"us": 0, "eu": 50}
    time.now = 80
    stats.wait_ended("us")
    time.now = 120
    stats.close()
    assert stats.waits == {}
    assert {name: stream.waited for name, stream in stats.streams.items()} == {
        "orders": 120,
        "payments": 80,
    }


def test_the_rest_is_estimated_where_it_can_be() -> None:
    """At the pace so far, waits apart; not before three exports, nor while a region refuses."""
    time = Time()
    stats = RunStats(time)
    stats.planned(partition("A"), 10)
    stats.planned(partition("B"), 5)
    for number in range(1, 5):
        time.now += 10
        assert (stats.seconds_left() is None) == (number <= MIN_EMITTED)
        stats.emitted(partition("A"))
    assert stats.seconds_left() == pytest.approx(110)
    stats.waiting("us", 1000, "closed")
    assert stats.seconds_left() is None
    time.now = 1000
    stats.wait_ended("us")
    assert stats.seconds_left() == pytest.approx(110)
    stats.failed(partition("B"))
    assert stats.seconds_left() == pytest.approx(60)
    stats.split(partition("A"))
    assert stats.seconds_left() == pytest.approx(70)
