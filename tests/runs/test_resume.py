"""What a run left at Clover is resumed by the next, or asked for again, and never misread."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.harness import (
    ONE,
    TUESDAY_NOON,
    TYPES,
    JumpingClock,
    Outcome,
    assert_whole_to_bookmarks,
    clover,
    entry,
    iso,
    sync,
)

if TYPE_CHECKING:
    from tap_clover_export.simulator import Simulator

HOUR = 3600.0
DAY = 86_400.0


def interrupted(simulator: Simulator, after: float, step: float = 1.0, **settings: Any) -> Outcome:
    """A run that is stopped while it waits, this number of seconds after its start."""
    start = simulator.clock.now()
    run: list[Any] = []

    class Clock(JumpingClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if self.now() >= start + after:
                run[0].stop(15)

    from tests.support import harness  # noqa: PLC0415

    class Tap(harness.Tap):
        def sync_in_turns(self) -> int:
            run.append(self.run)
            return super().sync_in_turns()

    original, harness.Tap = harness.Tap, Tap  # type: ignore[misc]
    try:
        return sync(simulator, clock=Clock(simulator.clock, step=step), **settings)
    finally:
        harness.Tap = original  # type: ignore[misc]


def pending(outcome: Outcome, stream: str = "orders") -> list[dict[str, str]]:
    """The pending exports in the last state."""
    found = outcome.entry(stream, ONE).get("pending_exports", [])
    assert isinstance(found, list)
    return found


def test_pending_exports_are_in_state_as_soon_as_they_are_asked_for() -> None:
    """The first STATE after a create holds its id, window and Clover's time of creation."""
    with clover(days=3, export_seconds=600) as simulator:
        outcome = interrupted(simulator, 60)
        assert outcome.code == 128 + 15
        export = simulator.exports[0]
        assert pending(outcome) == [
            {
                "id": export.id,
                "start": iso(export.start / 1000),
                "end": iso(export.end / 1000),
                "created": iso(export.created / 1000),
            }
        ]
        written = [state for state in outcome.states if export.id in json.dumps(state)]
        assert len(written) >= 1
        assert outcome.bookmark("orders", ONE) is None


def test_pending_export_is_resumed() -> None:
    """The next run polls it first, takes its files, and asks nothing again for its window."""
    with clover(days=3, export_seconds=600) as simulator:
        first = interrupted(simulator, 60)
        simulator.requests.clear()
        second = sync(simulator, state=first.state, max_wait_hours=1, step=30)
        assert second.code == 0, second.log
        orders = [export for export in simulator.exports if export.type == "ORDERS"]
        assert len(orders) == 2
        assert orders[1].start == orders[0].end
        assert simulator.requests[0].kind == "poll"
        assert orders[0].id in simulator.requests[0].path
        held = {record["id"] for record in simulator.records(ONE, "ORDERS")}
        assert {identity for _, identity in second.counts("orders")} <= held
        assert orders[0].downloads


@pytest.mark.parametrize("days", [30, 7, 1, 0.3])
def test_another_window_days(days: float) -> None:
    """Pending exports keep their bounds when window_days changes; the rest is cut again."""
    with clover(days=12, orders_per_day=3, export_seconds=60) as simulator:
        first = interrupted(simulator, 150, window_days=3, max_concurrent_exports=2)
        kept = pending(first)
        assert kept
        asked = {(export.type, export.start, export.end) for export in simulator.exports}
        now = simulator.clock.now()
        simulator.options = dataclasses.replace(simulator.options, export_seconds=0)
        second = sync(simulator, state=first.state, lookback_days=0, window_days=days)
        assert second.code == 0, second.log
        again = [(e.type, e.start, e.end) for e in simulator.exports[len(asked) :]]
        assert not asked & set(again)
        union = Outcome(0, first.output + second.output, "")
        for stream, kind in TYPES.items():
            held = simulator.records(ONE, kind, end=int(now * 1000))  # type: ignore[arg-type]
            assert {i for _, i in union.counts(stream)} >= {record["id"] for record in held}


def test_pending_export_of_a_day_ago_is_asked_for_again() -> None:
    """Clover keeps exports for 24 hours; an older one is not even polled."""
    with clover(days=3, export_seconds=600) as simulator:
        first = interrupted(simulator, 60)
        stale = pending(first)[0]["id"]
        simulator.clock.advance(25 * HOUR)
        simulator.requests.clear()
        second = sync(simulator, state=first.state, step=30)
        assert second.code == 0
        assert not any(stale in request.path for request in simulator.requests)
        assert_whole_to_bookmarks(second, simulator)


def test_pending_export_that_is_gone_is_asked_for_again() -> None:
    """A 404 for a pending export is no failure and no empty window."""
    with clover(days=3, export_seconds=600, file_hours=1) as simulator:
        first = interrupted(simulator, 60)
        simulator.clock.advance(2 * HOUR)
        second = sync(simulator, state=first.state, step=30)
        assert second.code == 0
        assert "is gone; creating it again" in second.log
        assert_whole_to_bookmarks(second, simulator)


def test_what_changed_after_a_pending_export_is_not_undone() -> None:
    """Where windows go by `modifiedTime`, new days bring the change; no older version follows."""
    with clover(days=50, orders_per_day=3, export_seconds=600) as simulator:
        start = iso(simulator.clock.now() - 51 * DAY)
        settings: dict[str, Any] = {"start_date": start, "lookback_days": 0}
        first = interrupted(simulator, 60, max_concurrent_exports=4, **settings)
        history, new = pending(first)
        top = new["start"]
        assert history["end"] == top
        old = next(
            order
            for order in simulator.records(ONE, "ORDERS")
            if iso(order["modifiedTime"] / 1000) < top and not order.get("refunds")
        )
        simulator.touch(ONE, "ORDERS", old["id"], note="changed")
        simulator.clock.advance(60)
        second = sync(simulator, state=first.state, step=30, **settings)
        assert second.code == 0, second.log
        versions = [row["note"] for row in second.records("orders") if row["id"] == old["id"]]
        assert versions[-1] == "changed"


@pytest.mark.parametrize("emitted", [True, False])
def test_what_a_run_between_two_brought_is_not_undone(emitted: bool) -> None:
    """Of three runs the second brought a change, or asked for it; no older version follows it."""
    with clover(days=50, orders_per_day=3, export_seconds=600, max_concurrent=8) as simulator:
        start = iso(simulator.clock.now() - 51 * DAY)
        settings: dict[str, Any] = {"start_date": start, "max_concurrent_exports": 4}
        settings["lookback_days"] = 0
        first = interrupted(simulator, 60, **settings)
        top = pending(first)[-1]["start"]
        slow = next(one for one in simulator.exports if iso(one.end / 1000) == top)
        slow.fate = "pending"
        old = next(
            order
            for order in simulator.records(ONE, "ORDERS")
            if iso(order["modifiedTime"] / 1000) < top and not order.get("refunds")
        )
        simulator.clock.advance(600)
        simulator.touch(ONE, "ORDERS", old["id"], note="changed")
        simulator.clock.advance(60)
        seconds, step = (1800, 10) if emitted else (60, 1)
        second = interrupted(simulator, seconds, step, state=first.state, **settings)
        assert pending(second)[0] == pending(first)[0]
        slow.fate = None
        simulator.clock.advance(HOUR)
        third = sync(simulator, state=second.state, step=30, **settings)
        assert third.code == 0, third.log
        union = second.records("orders") + third.records("orders")
        versions = [row.get("note") for row in union if row["id"] == old["id"]]
        assert versions[-1] == "changed"


@pytest.mark.parametrize("wrong", ["another stream's", "another window's"])
def test_foreign_pending_export(wrong: str) -> None:
    """An id that leads to another stream's or window's export is asked for again, never misread."""
    with clover(days=20, orders_per_day=3, export_seconds=600) as simulator:
        first = interrupted(simulator, 60, max_concurrent_exports=3, window_days=7)
        state = first.state
        one = entry(state, "orders", ONE)["pending_exports"][0]
        stream = "payments" if wrong == "another stream's" else "orders"
        other = entry(state, stream, ONE)["pending_exports"][-1]
        one["id"], other["id"] = other["id"], one["id"]
        second = sync(simulator, state=state, window_days=7, step=30)
        assert second.code == 0, second.log
        assert second.log.count("; creating it again") == 2
        assert_whole_to_bookmarks(second, simulator)
        for stream, kind in TYPES.items():
            held = {record["id"] for record in simulator.records(ONE, kind)}  # type: ignore[arg-type]
            assert {identity for _, identity in second.counts(stream)} <= held


def test_pending_exports_outside_the_span_are_dropped() -> None:
    """A pending window that begins before start_date is left alone."""
    with clover(days=6, orders_per_day=5, export_seconds=600) as simulator:
        first = interrupted(simulator, 60, window_days=1)
        late = simulator.clock.now() - 2 * DAY
        simulator.requests.clear()
        second = sync(simulator, state=first.state, start_date=iso(late), step=30)
        assert second.code == 0
        assert all(record["modifiedTime"] >= iso(late) for record in second.records("orders"))
        assert "pending_exports" not in second.entry("orders", ONE)


def test_a_failed_stream_keeps_what_clover_has() -> None:
    """After an outage what was asked for stays pending, and the next run resumes it."""
    with clover(days=3, export_seconds=600) as simulator:
        simulator.faults.add(f"poll[{ONE}/ORDERS]:502@2")
        first = sync(simulator)
        assert first.code == 1
        assert pending(first)
        simulator.faults.clear()
        asked = len([export for export in simulator.exports if export.type == "ORDERS"])
        second = sync(simulator, state=first.state, step=30)
        assert second.code == 0
        orders = [export for export in simulator.exports if export.type == "ORDERS"][asked:]
        assert [export.start for export in orders] == [simulator.exports[0].end]


BAD_STATES: dict[str, dict[str, Any]] = {
    "no time": {"replication_key": "modifiedTime", "replication_key_value": "yesterday"},
    "a number": {"replication_key": "modifiedTime", "replication_key_value": 17},
    "another key": {"replication_key": "id", "replication_key_value": "2026-01-01"},
    "pending without window": {"pending_exports": [{"id": "ABC"}]},
    "pending upside down": {
        "pending_exports": [
            {"id": "ABC", "start": iso(9), "end": iso(5), "created": iso(TUESDAY_NOON)}
        ]
    },
    "pending with a path for an id": {
        "pending_exports": [
            {"id": "../x", "start": iso(5), "end": iso(9), "created": iso(TUESDAY_NOON)}
        ]
    },
    "pending no list": {"pending_exports": 5},
}


@pytest.mark.parametrize("name", BAD_STATES)
def test_hand_edited_state(name: str, simulator: Simulator) -> None:
    """A state that can't be read is refused before the first request, in a sentence."""
    from tap_clover_export.errors import StateError  # noqa: PLC0415

    partition = {"context": {"merchant_id": ONE}, **BAD_STATES[name]}
    state = {"bookmarks": {"orders": {"partitions": [partition]}}}
    with pytest.raises(StateError, match=f"The state of orders of merchant {ONE} .*; .*\\.$"):
        sync(simulator, state=state)
    assert simulator.requests == []


@pytest.mark.parametrize(
    "bookmarks",
    [
        {"orders": {"replication_key_value": "2026-01-01T00:00:00Z"}},
        {"orders": {"partitions": [{"context": {}}]}},
        {"orders": {"partitions": [{"context": {"merchant_id": ONE}}] * 2}},
        {"orders": {"partitions": [5]}},
    ],
)
def test_state_of_another_shape(bookmarks: dict[str, Any], simulator: Simulator) -> None:
    """A state of another tap or shape is refused in a sentence."""
    from tap_clover_export.errors import StateError  # noqa: PLC0415

    with pytest.raises(StateError, match=r"^The state .*\.$"):
        sync(simulator, state={"bookmarks": bookmarks})
    assert simulator.requests == []


def test_state_of_other_merchants_is_kept() -> None:
    """A merchant that is not exported this time keeps its place in the state."""
    with clover(days=3) as simulator:
        other = {
            "context": {"merchant_id": "ZZZZ9999ZZZZ9"},
            "replication_key": "modifiedTime",
            "replication_key_value": "2026-01-01T00:00:00.000Z",
        }
        outcome = sync(simulator, state={"bookmarks": {"orders": {"partitions": [other]}}})
        assert entry(outcome.state, "orders", "ZZZZ9999ZZZZ9") == other
