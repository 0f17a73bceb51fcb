"""An export is emitted file by file as its files arrive, each checked as a whole before."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from tap_clover_export import run
from tests.support.harness import ONE, TWO, JumpingClock, Outcome, assert_whole, clover, sync

if TYPE_CHECKING:
    from pathlib import Path

    from tap_clover_export.simulator import Simulator

PAGES = {"days": 3, "orders_per_day": 20, "objects_per_file": 10}


@pytest.mark.parametrize("after", [0, 1, 3])
@pytest.mark.parametrize("kind", ["garbage", "no-elements", "cut", "empty", "html", "expired"])
def test_a_bad_file_is_fetched_again_and_only_that(kind: str, after: int) -> None:
    """The files around it are emitted once: what was taken is not taken again."""
    with clover(**PAGES) as simulator:
        board = simulator.faults.add(f"download[{ONE}/ORDERS]:{kind}*2@{after}")
        outcome = sync(simulator)
        assert board.fired == 2
        assert outcome.code == 0, outcome.log
        assert_whole(outcome, simulator)
        assert len(simulator.exports) == 2


def test_what_came_before_a_lasting_fault_is_emitted_and_the_bookmark_stays() -> None:
    """Files are emitted as they arrive; the bookmark waits for the last of them."""
    with clover(**PAGES) as simulator:
        fault = simulator.faults.add(f"download[{ONE}/ORDERS]:no-elements@2")
        outcome = sync(simulator)
        assert outcome.code == 1
        assert "a file of an export could not be had 6 times" in outcome.sentence
        assert fault.fired >= 6
        assert len(outcome.records("orders")) >= 20
        assert outcome.bookmark("orders", ONE) is None

        simulator.faults.clear()
        again = sync(simulator, state=outcome.state)
        assert again.code == 0
        assert_whole(again, simulator)


class Losing(JumpingClock):
    """Once the tap has two files of the first export, Clover loses it."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__(simulator.clock)
        self._simulator = simulator

    @override
    def sleep(self, seconds: float) -> None:
        if self._simulator.exports[0].downloads.total() == 2:
            self._simulator.exports[0].fate = "vanished"
        super().sleep(seconds)


def test_an_export_made_again_in_the_middle_is_emitted_from_its_beginning() -> None:
    """Clover lost it after the first files: all of it comes, those files twice."""
    with clover(**PAGES) as simulator:
        simulator.faults.add(f"download[{ONE}/ORDERS]:expired*1@2")
        outcome = sync(simulator, clock=Losing(simulator))
        assert outcome.code == 0, outcome.log
        assert_whole(outcome, simulator, twice=20)
        assert max(outcome.counts("orders").values()) == 2


def test_an_export_that_waits_for_a_file_lets_others_go_first() -> None:
    """A merchant's slow file holds up no export that is ready."""
    with clover(**PAGES, merchants=(ONE, TWO), max_concurrent=4) as simulator:
        simulator.faults.add(f"download[{ONE}/ORDERS]:500*5@2")
        outcome = sync(simulator, max_concurrent_exports=4)
        assert outcome.code == 0, outcome.log
        assert_whole(outcome, simulator)
        first, last = _places(outcome, "orders", ONE)
        assert first < min(_places(outcome, "orders", TWO))
        assert last > max(_places(outcome, "orders", TWO))


def test_an_export_takes_a_bounded_part_of_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is more fails at once, with what to do about it; narrower windows go through."""
    monkeypatch.setattr(run, "EXPORT_BYTES", 1 << 20)
    monkeypatch.setenv("TAP_CLOVER_EXPORT_MAX_FILE_MIB", "1")
    with clover(days=3, orders_per_day=250, objects_per_file=100) as simulator:
        outcome = sync(simulator)
        assert outcome.code == 1
        assert "an export takes more than 1 GiB" not in outcome.sentence
        assert "of the temporary directory; lower window_days." in outcome.sentence
        assert outcome.bookmark("orders", ONE) is None

        simulator.clock.advance(1)
        again = sync(simulator, state=outcome.state, window_days=0.5)
        assert again.code == 0, again.log
        assert_whole(again, simulator)


def test_a_temporary_directory_that_takes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is blamed, not Clover; what Clover has made is resumed once there is room."""
    with clover(**PAGES) as simulator:
        with monkeypatch.context() as full:
            full.setenv("TMPDIR", str(tmp_path / "none"))
            full.setattr(tempfile, "tempdir", str(tmp_path / "none"))
            outcome = sync(simulator)
        assert outcome.code == 1
        assert (
            "the temporary directory took no file for 20 minutes (No such file or directory); make "
            "room there, or set TMPDIR to a larger one, then run again"
        ) in outcome.sentence

        again = sync(simulator, state=outcome.state)
        assert again.code == 0, again.log
        assert_whole(again, simulator)
        assert again.log.count("1 resumed") == 2


def _places(outcome: Outcome, stream: str, merchant: str) -> tuple[int, int]:
    """Where a partition's first and last record stand in the output."""
    places = [
        place
        for place, message in enumerate(outcome.messages)
        if message.get("stream") == stream
        and message.get("record", {}).get("merchant_id") == merchant
    ]
    return places[0], places[-1]
