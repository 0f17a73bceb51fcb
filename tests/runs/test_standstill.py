"""Nothing that is next to be emitted is held back by what can only go on after it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.support.harness import (
    ONE,
    TUESDAY_NOON,
    TWO,
    TYPES,
    Outcome,
    assert_whole_to_bookmarks,
    clover,
    entry,
    iso,
    sync,
)

HOUR, DAY = 3600.0, 86_400.0
YEARS: dict[str, Any] = {
    "merchants": (ONE, TWO),
    "days": 365,
    "orders_per_day": 1,
    "export_seconds": 620,
    "max_concurrent": 1,
}
WINDOWS = 4 * 13


def test_years_begun_just_before_the_opening() -> None:
    """The first window is refused and still goes first: two nights bring all of it."""
    begin = TUESDAY_NOON - 2 * HOUR - 300
    with clover(**YEARS, region="us", hours=True, now=begin) as simulator:
        outcome = sync(simulator, step=62)
        assert outcome.code == 0, outcome.log
        assert_whole_to_bookmarks(outcome, simulator)
        assert len(simulator.exports) == WINDOWS
        assert simulator.clock.now() - begin < DAY + 300 + 1.1 * (WINDOWS * 620 - 5 * HOUR)


def test_years_in_bounded_nights() -> None:
    """Every night asks for as much as the first one, and each goes on where the last stopped."""
    begin = TUESDAY_NOON - 2 * HOUR - 300
    with clover(**YEARS, region="us", hours=True, now=begin) as simulator:
        state: Any = None
        output, asked = b"", [0]
        for night in range(5):
            simulator.clock.set(begin + night * DAY)
            outcome = sync(simulator, state=state, max_run_hours=3, step=62)
            assert outcome.code == 0, outcome.log
            state, output = outcome.state, output + outcome.output
            asked.append(len(simulator.exports))
        nights = [late - early for early, late in itertools.pairwise(asked)]
        assert all(exports > 15 for exports in nights[:3])
        whole = Outcome(0, output, "")
        assert_whole_to_bookmarks(whole, simulator, twice=100)


def test_more_places_of_ours_than_clover_has() -> None:
    """Three of ours against two of Clover's: its two are always in use."""
    with clover(**YEARS | {"max_concurrent": 2}) as simulator:
        begin = simulator.clock.now()
        outcome = sync(simulator, max_concurrent_exports=3, step=62)
        assert outcome.code == 0, outcome.log
        assert_whole_to_bookmarks(outcome, simulator)
        assert simulator.clock.now() - begin < 1.1 * WINDOWS / 2 * 620


@pytest.mark.parametrize("kind", ["busy", "503"])
def test_a_busy_merchant_with_new_days_holds_up_no_history(kind: str) -> None:
    """Its own new days are missing in the end; the other's history is all there."""
    with clover(merchants=(ONE, TWO), days=300, orders_per_day=1, export_seconds=20) as simulator:
        news = {
            stream: {
                "partitions": [
                    {
                        "context": {"merchant_id": ONE},
                        "replication_key": "modifiedTime",
                        "replication_key_value": iso(simulator.clock.now() - DAY),
                    }
                ]
            }
            for stream in TYPES
        }
        simulator.faults.add(f"create[{ONE}]:{kind}")
        begin = simulator.clock.now()
        outcome = sync(simulator, state={"bookmarks": news}, max_wait_hours=1)
        assert outcome.code == 1
        assert "did not accept an export within max_wait_hours" in outcome.sentence
        assert TWO not in outcome.sentence
        for stream, type_ in TYPES.items():
            assert entry(outcome.state, stream, ONE)["replication_key_value"] == iso(begin - DAY)
            held = {r["id"] for r in simulator.records(TWO, type_, end=int(begin * 1000))}  # type: ignore[arg-type]
            assert {identity for _, identity in outcome.counts(stream, TWO)} >= held
        assert simulator.clock.now() - begin < 22 * 20 * 2 + 1.5 * HOUR
