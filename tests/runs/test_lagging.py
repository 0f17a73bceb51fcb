"""An export that Clover has just made may not be known yet to all of Clover."""

from __future__ import annotations

import pytest

from tests.support.harness import ONE, assert_whole, clover, sync


@pytest.mark.parametrize("seconds", [0.4, 5, 100])
def test_a_404_right_after_a_create_makes_no_orphan(seconds: float) -> None:
    """It is asked for again with pauses; no second export is made."""
    with clover(visible_after_seconds=seconds) as simulator:
        begin = simulator.clock.now()
        outcome = sync(simulator)
        assert outcome.code == 0, outcome.log
        assert_whole(outcome, simulator)
        assert len(simulator.exports) == 2
        assert all(export.downloads for export in simulator.exports)
        asked = [r for r in simulator.requests if r.kind == "poll" and r.status == 404]
        assert 1 <= len(asked) <= 30
        assert simulator.clock.now() - begin < 2 * (1.6 * seconds + 3)


def test_an_export_that_stays_unknown_is_created_again() -> None:
    """After two minutes of 404 it is gone."""
    with clover() as simulator:
        simulator.faults.add(f"poll[{ONE}/ORDERS]:lag:3600*1")
        begin = simulator.clock.now()
        outcome = sync(simulator)
        assert outcome.code == 0, outcome.log
        assert_whole(outcome, simulator)
        assert [export.type for export in simulator.exports].count("ORDERS") == 2
        assert "is gone; creating it again" in outcome.log
        assert 120 <= simulator.clock.now() - begin < 240
