"""Windows that are refused or never finished as a whole come as halves."""

from __future__ import annotations

import pytest

from tests.support.harness import ONE, TYPES, assert_whole, clover, iso, sync

DAY = 86_400.0


def test_thirty_days_refused() -> None:
    """Where exactly 30 days are refused, two halves bring the same."""
    with clover(days=60, orders_per_day=2, refuse_exactly_max=True) as simulator:
        outcome = sync(simulator)
        assert outcome.code == 0, outcome.log
        assert_whole(outcome, simulator)
        assert "trying it as two halves" in outcome.log
        widths = {(export.end - export.start) / 1000 / DAY for export in simulator.exports}
        assert max(widths) < 30


def test_a_narrow_window_refused_with_400() -> None:
    """A 400 on a window of 29 days or less fails with Clover's words, without halves."""
    with clover(days=20, orders_per_day=2) as simulator:
        fault = simulator.faults.add(f"create[{ONE}/ORDERS]:400")
        outcome = sync(simulator)
        assert outcome.code == 1
        assert fault.fired == 1
        assert "400 Bad Request" in outcome.sentence


@pytest.mark.parametrize("stuck", [1, 2, 3])
def test_an_export_that_never_finishes(stuck: int) -> None:
    """Given up after export_timeout_minutes and asked for as halves, it comes whole."""
    with clover(days=20, orders_per_day=3, max_concurrent=50) as simulator:
        for kind in TYPES.values():
            simulator.faults.add(f"poll[{ONE}/{kind}]:stay-pending*{stuck}")
        start = simulator.clock.now()
        outcome = sync(simulator, step=60, export_timeout_minutes=30)
        assert outcome.code == 0, outcome.log
        held = {
            stream: [r for r in simulator.records(ONE, kind) if r["createdTime"] < start * 1000]  # type: ignore[arg-type]
            for stream, kind in TYPES.items()
        }
        for stream, records in held.items():
            due = {r["id"] for r in records if r["modifiedTime"] < start * 1000}
            assert {identity for _, identity in outcome.counts(stream)} >= due
        assert outcome.log.count("did not finish") == 2 * stuck
        assert simulator.clock.now() - start < 2 * stuck * 35 * 60


def test_halves_stay_in_order() -> None:
    """The bookmark moves half by half, and never past one that is missing."""
    with clover(days=20, orders_per_day=3, max_concurrent=50) as simulator:
        simulator.faults.add(f"poll[{ONE}/ORDERS]:stay-pending*1")
        simulator.faults.add(f"create[{ONE}/ORDERS]:403@2")
        outcome = sync(simulator, step=60)
        assert outcome.code == 1
        bookmark = outcome.bookmark("orders", ONE)
        assert bookmark
        assert f"Missing: orders of merchant {ONE} from {bookmark} on" in outcome.sentence
        first = simulator.exports[0]
        assert bookmark == iso((first.start + first.end) // 2 / 1000)


@pytest.mark.parametrize("where", ["create", "poll"])
@pytest.mark.parametrize("times", [1, 2])
def test_an_internal_error_that_passes(where: str, times: int) -> None:
    """Clover's word for too much is asked again: no failure, no halves, no second export."""
    with clover(days=20, orders_per_day=2) as simulator:
        fault = simulator.faults.add(f"{where}[{ONE}/ORDERS]:400-internal*{times}")
        outcome = sync(simulator)
        assert fault.fired == times
        assert outcome.code == 0, outcome.log
        assert_whole(outcome, simulator)
        assert len(simulator.exports) == 2
        assert "halves" not in outcome.log


@pytest.mark.parametrize("heavy", [1, 3, 12])
def test_windows_that_are_too_heavy(heavy: float) -> None:
    """Where Clover calls wider windows too much they are halved until it takes them."""
    with clover(days=20, orders_per_day=2, heavy_window_days=heavy) as simulator:
        outcome = sync(simulator)
        assert outcome.code == 0, outcome.log
        assert_whole(outcome, simulator)
        widths = [(export.end - export.start) / 1000 / DAY for export in simulator.exports]
        assert heavy / 2 < max(widths) <= heavy


def test_what_is_always_too_heavy() -> None:
    """Down to an hour, then it fails with Clover's words and its name for the request."""
    with clover(days=1, orders_per_day=8) as simulator:
        simulator.faults.add(f"create[{ONE}/ORDERS]:400-internal")
        outcome = sync(simulator)
        assert outcome.code == 1
        assert "Internal Error" in outcome.sentence
        assert ", request " in outcome.sentence
        assert outcome.bookmark("orders", ONE) is None
        assert outcome.records("payments")
        refused = [r for r in simulator.requests if r.kind == "create" and r.status == 400]
        assert len(refused) == 3 * 6
