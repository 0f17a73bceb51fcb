"""What a run counts: merchants, waits and what is left."""

from __future__ import annotations

import pytest

from tap_clover_export import times
from tap_clover_export.planning.plan import Partition
from tap_clover_export.progress.stats import ENOUGH, Tally
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
    tally = Tally(Time())
    for name, exports in (("A", 1), ("B", 1), ("C", 0)):
        for stream in ("orders", "payments"):
            tally.plan(partition(name, stream), exports)
    assert (tally.merchants, tally.merchants_done, tally.merchants_failed) == (3, 1, 0)
    tally.finished(partition("A", "orders"))
    assert tally.merchants_done == 1
    tally.finished(partition("A", "payments"))
    tally.failed(partition("B", "payments"))
    tally.finished(partition("B", "orders"))
    assert (tally.merchants_done, tally.merchants_failed) == (2, 1)


def test_waits_of_regions_are_not_summed_twice() -> None:
    """Two regions that refuse at the same time hold a stream up once; another region's not."""
    time = Time()
    tally = Tally(time)
    for region in ("us", "eu"):
        tally.plan(partition(region, "orders", region), 1)
    tally.plan(partition("us", "payments", "us"), 1)
    tally.waiting("us", 100, "closed")
    time.now = 50
    tally.waiting("eu", 100, "closed")
    tally.waiting("us", 200, "closed")
    assert {name: wait.since for name, wait in tally.waits.items()} == {"us": 0, "eu": 50}
    time.now = 80
    tally.waits_no_more("us")
    time.now = 120
    tally.close()
    assert tally.waits == {}
    assert {name: count.waited for name, count in tally.streams.items()} == {
        "orders": 120,
        "payments": 80,
    }


def test_the_rest_is_estimated_where_it_can_be() -> None:
    """At the pace so far, waits apart; not before three exports, nor while a region refuses."""
    time = Time()
    tally = Tally(time)
    tally.plan(partition("A"), 10)
    tally.plan(partition("B"), 5)
    for number in range(1, 5):
        time.now += 10
        assert (tally.seconds_left() is None) == (number <= ENOUGH)
        tally.emitted(partition("A"))
    assert tally.seconds_left() == pytest.approx(110)
    tally.waiting("us", 1000, "closed")
    assert tally.seconds_left() is None
    time.now = 1000
    tally.waits_no_more("us")
    assert tally.seconds_left() == pytest.approx(110)
    tally.failed(partition("B"))
    assert tally.seconds_left() == pytest.approx(60)
    tally.split(partition("A"))
    assert tally.seconds_left() == pytest.approx(70)
