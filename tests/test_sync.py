"""The main job, against the local Clover over real HTTP."""

from __future__ import annotations

from tests.harness import ONE, TWO, assert_whole, clover, iso, sync


def test_first_run_is_whole() -> None:
    """Every object of both streams comes exactly once, and the bookmark is the run's end."""
    with clover(merchants=(ONE, TWO), days=40) as simulator:
        now = simulator.clock.now()
        outcome = sync(simulator)
        assert outcome.code == 0
        assert_whole(outcome, simulator)
        assert outcome.bookmark("orders", ONE) == outcome.bookmark("payments", TWO) == iso(now)
        assert outcome.messages[-1]["type"] == "STATE"
        assert "pending_exports" not in outcome.entry("orders", ONE)
