"""When an export is polled."""

from __future__ import annotations

import pytest

from tests.support.harness import clover, sync


@pytest.mark.parametrize("seconds", [4, 100, 3000])
def test_exports_that_take_the_same_time_are_not_seen_later_each(seconds: float) -> None:
    """What earlier ones took says when to look."""
    with clover(days=60, orders_per_day=1, export_seconds=seconds) as simulator:
        outcome = sync(simulator, window_days=20)
        assert outcome.code == 0, outcome.log
        asked = [one for one in simulator.requests if one.kind in ("create", "poll")]
    begins = [place for place, one in enumerate(asked) if one.kind == "create"]
    ends = [place - 1 for place in [*begins[1:], len(asked)]]
    first, *others = (
        asked[end].time - asked[begin].time for begin, end in zip(begins, ends, strict=True)
    )
    assert len(others) > 4
    assert seconds <= first <= 1.05 * seconds
    assert all(seconds <= taken <= first + 0.001 for taken in others)
