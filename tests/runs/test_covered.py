"""What is covered: newest first, earlier starts filled in, holes that hold up no new day."""

from __future__ import annotations

import dataclasses
import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.harness import (
    ONE,
    TUESDAY_NOON,
    TWO,
    JumpingClock,
    assert_whole,
    clover,
    entry,
    iso,
    sync,
)

if TYPE_CHECKING:
    from tap_clover_export.simulator import Simulator
    from tests.support.harness import Outcome

DAY = 86_400.0


def _ago(days: float) -> str:
    return iso(TUESDAY_NOON - days * DAY)


def _windows(outcome: Outcome, stream: str = "orders", merchant: str = ONE) -> list[list[str]]:
    """Purpose and bounds of a partition's exports, in the order in which they were emitted."""
    return [
        [row["purpose"], row["window_start"], row["window_end"]]
        for row in outcome.records("exports", merchant)
        if row["stream"] == stream
    ]


def _both(first: Outcome, second: Outcome) -> Outcome:
    return dataclasses.replace(second, output=first.output + second.output)


@pytest.mark.parametrize(
    ("bounds", "field", "width"),
    [
        ("half-open", "createdTime", 30),
        ("closed", "modifiedTime", 30),
        ("open-closed", "createdTime", 7),
        ("half-open", "modifiedTime", 2.5),
    ],
)
def test_an_earlier_start_is_filled_in(bounds: str, field: str, width: float) -> None:
    """Each record once but for edges, newest window first; then only what is missing."""
    orders = 1 if width < 7 else 4
    with clover(days=190, orders_per_day=orders, bounds=bounds, window_field=field) as simulator:
        options: dict[str, Any] = {"window_days": width, "late_changes_days": 0}
        first = sync(simulator, start_date=_ago(95), step=60, **options)
        assert first.code == 0
        windows = _windows(first)
        assert windows[0] == ["new", _ago(width), _ago(0)]
        assert [end for _, _, end in windows[1:]] == [start for _, start, _ in windows[:-1]]
        assert first.entry("orders", ONE)["exported_from"] == windows[-1][1] == _ago(95)

        second = sync(simulator, state=first.state, start_date=_ago(191), step=60, **options)
        assert second.code == 0
        older = [window for window in _windows(second) if window[0] == "history"]
        assert [older[0][2], older[-1][1]] == [_ago(95), _ago(191)]
        assert len(older) == -(-96 // width)
        assert second.entry("orders", ONE)["exported_from"] == _ago(191)
        whole = _both(first, second)
        assert_whole(whole, simulator, twice=60)


def test_a_hole_in_the_history_holds_up_no_new_day() -> None:
    """Yesterday arrives tonight and tomorrow; the older windows once the hole can be exported."""
    with clover(merchants=(ONE, TWO), days=130, orders_per_day=2) as simulator:
        bad = [["history", _ago(60), _ago(30)]]
        _fail_after(simulator, 1)
        first = sync(simulator)
        assert first.code == 1
        assert _windows(first) == [["new", _ago(30), _ago(0)]]
        assert len(_windows(first, merchant=TWO)) == 5
        assert f"Missing: history of orders of merchant {ONE} before {_ago(30)}: " in first.sentence
        line = next(line for line in first.log.splitlines() if "INCOMPLETE: " in line)
        told = json.loads(line.split("INCOMPLETE: ")[1])
        assert (told["purpose"], told["to"]) == ("history", _ago(30))
        held = first.entry("orders", ONE)
        assert held["exported_from"] == _ago(30)
        assert held["holes"] == [{"start": _ago(60), "end": _ago(30)}]

        simulator.clock.advance(DAY)
        _fail_after(simulator, 1)
        second = sync(simulator, state=first.state)
        assert second.code == 1
        assert (second.bookmark("orders", ONE) or "") >= iso(TUESDAY_NOON + DAY)
        assert [purpose for purpose, *_ in _windows(second)] == ["new"]

        simulator.faults.clear()
        simulator.clock.advance(1)
        third = sync(simulator, state=second.state)
        assert third.code == 0
        assert _windows(third)[1:2] == bad
        assert "holes" not in third.entry("orders", ONE)
        assert_whole(_both(_both(first, second), third), simulator, twice=200)


def test_a_hole_in_new_days_is_tried_again() -> None:
    """What comes after it waits, its history too, and nothing is taken for covered."""
    with clover(days=100, orders_per_day=1) as simulator:
        first = sync(simulator, start_date=_ago(20))
        simulator.clock.advance(DAY)
        _fail_after(simulator, 0)
        second = sync(simulator, state=first.state)
        assert second.code == 1
        assert _windows(second) == []
        since = first.bookmark("orders", ONE)
        assert f"Missing: orders of merchant {ONE} from {since} on: " in second.sentence
        before, after = (one.entry("orders", ONE) for one in (first, second))
        assert after.pop("holes")
        assert {name: after[name] for name in before} == before


def test_a_hole_in_the_look_back_holds_up_nothing() -> None:
    """Neither what is new, alone or in one window with it, nor the history; it is told."""
    with clover(days=40, orders_per_day=1) as simulator:
        first = sync(simulator, start_date=_ago(20))
        for width in (30, 2):
            simulator.clock.advance(DAY)
            since = first.bookmark("orders", ONE)
            options: dict[str, Any] = {"window_days": width, "late_changes_days": 0}
            clock = Poisoned(simulator, TUESDAY_NOON - 3 * DAY)
            second = sync(simulator, state=first.state, clock=clock, **options)
            assert second.code == 1
            assert f"Missing: look-back of orders of merchant {ONE} from " in second.sentence
            assert f" to {since}: Clover ended" in second.sentence
            assert (second.bookmark("orders", ONE) or "") > (since or "")
            assert second.entry("orders", ONE)["exported_from"] == _ago(41)
            first = second


def test_bounded_nights_with_kills_grow_the_span_every_night() -> None:
    """New days first; of a night that is killed the last state counts; nothing comes twice."""
    with clover(days=150, orders_per_day=1, export_seconds=600) as simulator:
        short: dict[str, Any] = {"window_days": 7, "max_run_hours": 0.6, "step": 40}
        state: dict[str, Any] = {}
        output = b""
        spans = []
        for night in range(5):
            run = sync(simulator, state=state, **short)
            states = run.states
            state = states[len(states) * 2 // 3] if night % 2 else states[-1]
            output += run.output
            held = entry(state, "orders", ONE)
            spans.append((held["exported_from"], held["replication_key_value"]))
            simulator.clock.advance(DAY / 2)
        assert all(two[0] < one[0] or two[1] > one[1] for one, two in itertools.pairwise(spans))
        last = sync(simulator, state=state, step=60)
        assert last.code == 0
        assert "exported_at" not in last.entry("orders", ONE)
        whole = dataclasses.replace(last, output=output + last.output)
        assert_whole(whole, simulator, twice=60)


@pytest.mark.parametrize("field", ["createdTime", "modifiedTime"])
def test_a_refund_sixty_days_late_is_found(field: str) -> None:
    """Within `late_changes_every_days`, or the next night where windows hold modifiedTime."""
    with clover(days=100, orders_per_day=2, window_field=field) as simulator:
        run = sync(simulator, max_concurrent_exports=3)
        old = (simulator.clock.now() - 60 * DAY) * 1000
        order = max(
            (one for one in simulator.records(ONE, "ORDERS") if one["modifiedTime"] < old),
            key=lambda one: one["createdTime"],
        )
        simulator.touch(ONE, "ORDERS", order["id"], total=4711)
        purposes, found, nights = set(), 0, 0
        while not found:
            nights += 1
            simulator.clock.advance(DAY)
            run = sync(simulator, state=run.state, max_concurrent_exports=3)
            purposes |= {purpose for purpose, *_ in _windows(run)}
            found = [r["total"] for r in run.records("orders") if r["id"] == order["id"]].count(
                4711
            )
            assert run.code == 0
            assert nights < 32
        if field == "modifiedTime":
            assert (nights, purposes) == (1, {"new"})
            assert run.log.count("late changes come by themselves") == 1
        else:
            assert purposes == {"new", "late_changes"}
            assert run.entry("orders", ONE)["late_changes_at"] >= iso(TUESDAY_NOON + DAY)
            again = sync(simulator, state=run.state)
            assert {purpose for purpose, *_ in _windows(again)} == {"new"}


def test_a_search_for_late_changes_goes_on_where_a_night_stopped() -> None:
    """It moves no bound of what is covered."""
    with clover(
        days=100, orders_per_day=1, export_seconds=600, window_field="createdTime"
    ) as simulator:
        run = sync(simulator, step=60)
        simulator.clock.advance(31 * DAY)
        short: dict[str, Any] = {"window_days": 10, "max_run_hours": 0.6, "step": 40}
        late: list[list[str]] = []
        nights = 0
        while nights < 2 or "late_changes_from" in run.entry("orders", ONE):
            run = sync(simulator, state=run.state, max_concurrent_exports=2, **short)
            late += [window for window in _windows(run) if window[0] == "late_changes"]
            simulator.clock.advance(3600)
            nights += 1
        assert 2 < nights < 12
        assert [end for _, _, end in late[1:]] == [start for _, start, _ in late[:-1]]
        held = run.entry("orders", ONE)
        assert {"late_changes_begun_at", "late_changes_from"}.isdisjoint(held)
        assert held["late_changes_at"] > iso(TUESDAY_NOON + 31 * DAY)
        assert held["exported_from"] == _ago(101)


def test_an_end_in_the_past_loses_nothing_once_it_goes() -> None:
    """What comes after it is new then."""
    with clover(days=60, orders_per_day=2) as simulator:
        first = sync(simulator, end_date=_ago(20))
        assert _windows(first)[0] == ["new", _ago(50), _ago(20)]
        second = sync(simulator, state=first.state)
        assert second.code == 0
        assert_whole(_both(first, second), simulator, twice=20)


def test_nights_too_short_for_all_new_days_serve_all_in_turn() -> None:
    """Who got least comes first, so that the last merchants of the list don't wait for ever."""
    merchants = (ONE, TWO, "CCCC3333CCCC3")
    short: dict[str, Any] = {"max_run_hours": 0.6, "step": 60, "start_date": _ago(40)}
    with clover(merchants=merchants, days=40, orders_per_day=1, export_seconds=900) as simulator:
        state: dict[str, Any] = {}
        for _ in range(3):
            state = sync(simulator, state=state, **short).state
            simulator.clock.advance(DAY / 2)
        bookmarks = [entry(state, "orders", one).get("replication_key_value") for one in merchants]
        assert all(bookmarks)


def test_a_search_for_late_changes_ends_now_at_the_latest() -> None:
    """Also where the bookmark lies ahead: no window ends later than now, or than the end."""
    with clover(days=60, orders_per_day=1, window_field="createdTime") as simulator:
        held = {
            "context": {"merchant_id": ONE},
            "replication_key": "modifiedTime",
            "replication_key_value": iso(TUESDAY_NOON + DAY / 12),
            "exported_from": _ago(61),
            "late_changes_at": _ago(50),
        }
        state = {"bookmarks": {"orders": {"partitions": [held]}}}
        run = sync(simulator, state=state)
        late = [end for purpose, _, end in _windows(run) if purpose == "late_changes"]
        assert late[0] == _ago(0)


class Poisoned(JumpingClock):
    """A clock at which every export of orders that holds a moment fails."""

    def __init__(self, simulator: Simulator, moment: float) -> None:
        super().__init__(simulator.clock)
        self._simulator = simulator
        self._moment = moment * 1000

    def sleep(self, seconds: float) -> None:
        """Jump, after the harm is done."""
        for export in self._simulator.exports:
            if export.type == "ORDERS" and export.start <= self._moment < export.end:
                export.fate = "FAILED"
        super().sleep(seconds)


def _fail_after(simulator: Simulator, exports: int) -> None:
    """A number of exports of orders pass, the others end in FAILED."""
    simulator.faults.clear()
    simulator.faults.add(f"poll[{ONE}/ORDERS]:status=FAILED@{exports}")
