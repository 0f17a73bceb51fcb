"""Late changes: what the look-back brings, what it can't, and how a span is exported again."""

from __future__ import annotations

import pytest

from tests.support.harness import ONE, clover, iso, sync

DAY = 86_400.0


@pytest.mark.parametrize("field", ["createdTime", "modifiedTime"])
def test_change_within_the_look_back(field: str) -> None:
    """A change of a three days old order comes with the next run, whatever Clover filters on."""
    with clover(days=10, window_field=field) as simulator:
        first = sync(simulator)
        old = simulator.clock.now() - 3 * DAY
        order = next(
            record
            for record in simulator.records(ONE, "ORDERS")
            if abs(record["createdTime"] / 1000 - old) < DAY
        )
        simulator.clock.advance(DAY)
        simulator.touch(ONE, "ORDERS", order["id"], total=4711)
        simulator.clock.advance(60)
        second = sync(simulator, state=first.state)
        assert [r["total"] for r in second.records("orders") if r["id"] == order["id"]] == [4711]


@pytest.mark.parametrize(("field", "seen"), [("createdTime", False), ("modifiedTime", True)])
def test_change_of_long_ago(field: str, *, seen: bool) -> None:
    """A change two months later is seen where the windows hold modifiedTime, else not."""
    with clover(days=90, orders_per_day=2, window_field=field) as simulator:
        first = sync(simulator)
        old = simulator.clock.now() - 60 * DAY
        order = next(
            record
            for record in simulator.records(ONE, "ORDERS")
            if record["createdTime"] / 1000 < old and record["modifiedTime"] / 1000 < old
        )
        simulator.clock.advance(DAY)
        simulator.touch(ONE, "ORDERS", order["id"], total=4711)
        simulator.clock.advance(60)
        second = sync(simulator, state=first.state)
        came = [record for record in second.records("orders") if record["id"] == order["id"]]
        assert bool(came) is seen
        deep = sync(simulator, state=first.state, lookback_days=90)
        came = [record for record in deep.records("orders") if record["id"] == order["id"]]
        assert came[-1]["total"] == 4711
        assert deep.bookmark("orders", ONE)


@pytest.mark.parametrize("field", ["createdTime", "modifiedTime"])
def test_the_field_is_said_once(field: str) -> None:
    """The log says once a run which time the windows hold, with the evidence."""
    with clover(days=80, orders_per_day=10, window_field=field) as simulator:
        outcome = sync(simulator, window_days=7)
        assert outcome.log.count(f"Clover's windows of orders hold {field}: ") == 1
        assert outcome.log.count(f"Clover's windows of payments hold {field}: ") == 1


def test_the_bookmark_never_moves_backwards() -> None:
    """Windows inside the look-back leave the bookmark where it is."""
    with clover(days=20, orders_per_day=3) as simulator:
        first = sync(simulator)
        simulator.clock.advance(DAY)
        second = sync(simulator, state=first.state, window_days=0.5)
        seen = [
            partition["replication_key_value"]
            for state in second.states
            for partition in state["bookmarks"]["orders"]["partitions"]
        ]
        assert seen == sorted(seen)
        assert seen[0] >= (first.bookmark("orders", ONE) or "")


def test_a_bookmark_ahead_plans_nothing() -> None:
    """A bookmark after the end asks Clover nothing and stays."""
    with clover(days=3) as simulator:
        ahead = iso(simulator.clock.now() + DAY)
        partition = {
            "context": {"merchant_id": ONE},
            "replication_key": "modifiedTime",
            "replication_key_value": ahead,
        }
        state = {
            "bookmarks": {s: {"partitions": [dict(partition)]} for s in ("orders", "payments")}
        }
        outcome = sync(simulator, state=state)
        assert outcome.code == 0
        assert simulator.exports == []
        assert outcome.bookmark("orders", ONE) == ahead
