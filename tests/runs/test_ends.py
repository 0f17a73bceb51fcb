"""Ends: of runs that an error of ours ends, of waits, of machines whose clocks are odd."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from tap_clover_export.run import Run
from tap_clover_export.scheduling.scheduler import Scheduler
from tap_clover_export.singer import messages
from tests.support.harness import (
    ONE,
    TWO,
    JumpingClock,
    assert_whole,
    clover,
    entry,
    iso,
    sync,
)

if TYPE_CHECKING:
    from tap_clover_export.exports.export import Export

HOUR = 3600.0


class SetBack(JumpingClock):
    """The machine's own clock is set back two hours once some time has passed."""

    def __init__(self, clock: Any, after: float) -> None:
        super().__init__(clock)
        self._after = clock.now() + after

    def now(self) -> float:
        """Seconds since the epoch, as the machine has it."""
        return super().now() - (2 * HOUR if super().now() > self._after else 0.0)


def test_a_clock_that_is_set_back_stalls_nothing() -> None:
    """Durations are measured on a clock that nobody sets back."""
    with clover(export_seconds=100) as simulator:
        clock = SetBack(simulator.clock, 20)
        begin = simulator.clock.now()
        outcome = sync(simulator, clock=clock)
        assert outcome.code == 0, outcome.log
        assert_whole(outcome, simulator)
        assert simulator.clock.now() - begin < 1000


def test_an_error_of_ours_ends_with_a_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was finished before a fault of the scheduler stands in a last STATE."""
    finished: list[Export] = []
    finish = Run.finish

    def finish_one(run: Run, export: Export) -> None:
        finish(run, export)
        finished.append(export)

    def next_step(_: Scheduler) -> None:
        if finished:
            raise LookupError("a fault of ours")
        return original(_)  # type: ignore[return-value]

    for name in ("SMALL_STATE", "STATE_SHARE", "STATE_BYTES_PER_SECOND"):
        monkeypatch.setattr(messages, name, -1)
    original = Scheduler.next_step
    monkeypatch.setattr(Run, "finish", finish_one)
    monkeypatch.setattr(Scheduler, "next_step", next_step)
    raw = io.BytesIO()
    with clover(days=70) as simulator, pytest.raises(LookupError):
        sync(simulator, raw=raw, max_concurrent_exports=1)
    last = json.loads(raw.getvalue().splitlines()[-1])
    assert last["type"] == "STATE"
    partition = finished[0].partition
    known = entry(last["value"], partition.stream, partition.merchant.id)
    assert known["replication_key_value"] == iso_of(finished[0])


def iso_of(export: Export) -> str:
    """The end of an export's window, as the state has it."""
    return iso(export.window.end.timestamp())


@pytest.mark.parametrize("ahead", [HOUR, 23 * HOUR])
def test_a_bookmark_ahead_is_told(ahead: float) -> None:
    """A bookmark in the future exports nothing, and the log says why."""
    with clover() as simulator:
        state = sync(simulator).state
        known = entry(state, "orders", ONE)
        known["replication_key_value"] = iso(simulator.clock.now() + ahead)
        again = sync(simulator, state=state)
        assert again.code == 0
        assert f"The bookmark of orders of merchant {ONE} lies in the future" in again.log


def test_polls_that_are_refused_do_not_outlast_max_run_hours() -> None:
    """After max_run_hours nobody waits a night for an export whose polls are refused."""
    options: dict[str, Any] = {
        "region": "us",
        "hours": True,
        "closed_refuses_all": True,
        "export_seconds": 4 * HOUR,
        "days": 3,
    }
    with clover(**options) as simulator:
        begin = simulator.clock.now()
        outcome = sync(simulator, max_run_hours=2)
        assert outcome.code == 0, outcome.log
        assert simulator.clock.now() - begin < 6 * HOUR
        assert entry(outcome.state, "orders", ONE)["pending_exports"]
        assert "max_run_hours is over; left for the next run" in outcome.log


def test_an_old_table_takes_nothing_off_a_time_out() -> None:
    """An export that Clover accepted outside the table's hours times out by the clock alone."""
    always = ((0, 24 * 60),) * 7
    with clover(region="us", hours=True, timetable=always, days=0.2) as simulator:
        simulator.clock.advance(6 * HOUR)  # the table says closed from now on
        simulator.faults.add("poll:stay-pending")
        begin = simulator.clock.now()
        start = iso(simulator.clock.now() - 1.5 * HOUR)
        outcome = sync(simulator, start_date=start, export_timeout_minutes=180)
        assert outcome.code == 1
        assert "Clover did not finish an export in 180 minutes" in outcome.log
        assert simulator.clock.now() - begin < 7 * HOUR


def test_a_file_host_that_refuses_is_a_matter_of_its_file() -> None:
    """Its 503 shuts no region: another merchant's exports are accepted and emitted meanwhile."""
    with clover(merchants=(ONE, TWO), region="us") as simulator:
        simulator.clock.advance(8 * HOUR)  # 20:00 UTC: the table says closed
        simulator.faults.add(f"download[{ONE}/ORDERS]:503*3")
        outcome = sync(simulator, max_wait_hours=0)
        assert outcome.code == 0, outcome.log
        assert_whole(outcome, simulator)
        assert "Waiting for region" not in outcome.log


@pytest.mark.parametrize("nonsense", ["seconds", "true", "year-2100", "digits", "text", "missing"])
def test_a_creation_time_of_nonsense_is_not_believed(nonsense: str) -> None:
    """Our own clock counts then; what can't be Clover's clock is said."""
    with clover(created_time=nonsense) as simulator:
        begin = simulator.clock.now()
        outcome = sync(simulator)
        assert outcome.code == 0, outcome.log
        assert_whole(outcome, simulator)
        bookmark = outcome.bookmark("orders", ONE)
        assert bookmark is not None
        assert iso(begin - 1) <= bookmark <= iso(simulator.clock.now())
        said = "own clock counts instead" in outcome.log
        assert said is (nonsense in ("seconds", "true", "year-2100"))


def test_no_run_lasts_for_centuries() -> None:
    """max_run_hours has a bound, so that no forecast runs over."""
    with clover() as simulator, pytest.raises(ConfigValidationError, match="max_run_hours is not"):
        sync(simulator, max_run_hours=1e8)
