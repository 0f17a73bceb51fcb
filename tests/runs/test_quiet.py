"""Exports without files: they cost no place at Clover and hold up no other."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.harness import ONE, TWO, TYPES, assert_whole, clover, iso, sync

DAY = 86_400.0
LOOKS = 2 + 6 + 12


@pytest.mark.parametrize("empty_without_key", [True, False])
def test_quiet_windows_take_clover_s_own_time(*, empty_without_key: bool) -> None:
    """Thirty windows without a sale, two at a time, and one more look at the last of them."""
    options: dict[str, Any] = {
        "days": 0.01,
        "orders_per_day": 0,
        "export_seconds": 5,
        "max_concurrent": 2,
        "empty_without_key": empty_without_key,
    }
    with clover(**options) as simulator:
        begin = simulator.clock.now()
        start = iso(begin - 450 * DAY)
        outcome = sync(simulator, start_date=start, max_concurrent_exports=2)
        assert outcome.code == 0, outcome.log
        assert len(simulator.exports) == 30
        assert simulator.clock.now() - begin < 1.1 * 30 / 2 * 5 + LOOKS
        for stream in TYPES:
            assert outcome.bookmark(stream, ONE) == iso(begin)
        assert outcome.log.count("Clover names no files for") == empty_without_key


def test_who_waits_for_links_holds_up_no_other() -> None:
    """While one export's links are late, others are requested and emitted, with one place."""
    with clover(merchants=(ONE, TWO), max_concurrent=1) as simulator:
        simulator.faults.add(f"poll[{ONE}/ORDERS]:no-urls*3")
        outcome = sync(simulator)
        assert outcome.code == 0, outcome.log
        assert_whole(outcome, simulator)
        kept = [request.time for request in simulator.requests if request.kind == "create"]
        assert len(kept) == 4
        assert max(kept) - min(kept) < 2
        assert "taken for empty" not in outcome.log
