"""SIGKILL at any moment: the next run goes on from the last STATE, and asks for nothing twice."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import math
import os
import random
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import harness, processes
from tests.support.harness import ONE, JumpingClock, assert_whole, entry, iso, sync
from tests.support.interruptions import Deadly, Killed
from tests.support.jobs import MOST, WINDOWS, Job, clover, job, pipe_end, piped
from tests.support.processes import Nursery, ended, full, until
from tests.support.warehouse import Warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_clover_export.simulator import Simulator
    from tests.support.harness import Outcome


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """Forks taps."""
    with Nursery() as nursery:
        yield nursery


def test_kills(nursery: Nursery, tmp_path: Path, long: bool) -> None:
    """Killed at random moments: all is whole, and what Clover has is not asked for again."""
    dice = random.Random("kills")
    wanted = 200 if long else 20
    kills = further = syncs = 0
    with clover() as simulator:
        while kills < wanted:
            syncs += 1
            here = job(tmp_path / str(syncs), simulator)
            first = len(simulator.exports)
            moments = itertools.chain((dice.uniform(0, 0.3) for _ in range(MOST)), [math.inf])
            while not _run(here, nursery, simulator, next(moments)):
                kills += 1
            here.warehouse.expect_whole(here.end)
            further += len(simulator.exports) - first - WINDOWS
    if long:  # a few kills, or a slow machine's, say little of how often they lose a request
        assert further < 0.3 * kills, f"{further} further exports for {kills} kills"
    assert kills > 2 * syncs, "the kills come too late to tell anything"


def _run(here: Job, nursery: Nursery, simulator: Simulator, moment: float) -> bool:
    """Run, and kill it at a moment after its first line; answers whether it came to its end."""
    known = list(here.warehouse.pending())
    first = len(simulator.exports)
    with ended(here.start(nursery)) as process:
        until(here.written, process)
        moment += time.monotonic()
        until(lambda: time.monotonic() > moment, process)
        over = process.poll()
    assert over in (None, 0)
    here.load()
    here.expect_tidy()
    here.expect_no_request_twice(known, simulator.exports[first:])
    return over is not None


def test_the_command_itself(tmp_path: Path) -> None:
    """As above with `python -m tap_clover_export`, killed once in the middle of its output."""
    with clover(orders_per_day=12) as simulator:
        here = piped(tmp_path, simulator)
        with (
            os.fdopen(os.open(tmp_path / "output-1", os.O_RDONLY | os.O_NONBLOCK), "rb") as pipe,
            ended(here.start(None)) as process,
        ):
            until(lambda: full(here.output), process)
            process.send_signal(signal.SIGKILL)
            assert processes.wait(process) == -signal.SIGKILL
            output = pipe.read()
        here.load(output)
        here.expect_tidy()
        assert here.warehouse.rows
        known, first = list(here.warehouse.pending()), len(simulator.exports)
        assert known
        with ended(here.start(None)) as process:
            assert processes.wait(process) == 0
        here.load()
        here.expect_tidy()
        here.warehouse.expect_whole(here.end)
        here.expect_no_request_twice(known, simulator.exports[first:])


def test_what_clover_was_asked_for_is_told_before_anything_else_happens(
    nursery: Nursery, tmp_path: Path
) -> None:
    """Exports stand in a STATE once they are accepted, so a kill soon after loses none of them."""
    with clover(export_seconds=1000) as simulator:
        here = job(tmp_path, simulator)

        def told() -> set[str]:
            read = Warehouse(simulator, here.warehouse.since)
            read.load(here.output.read_bytes() if here.written() else b"", torn=True)
            return {export["id"] for _, _, export in read.pending()}

        with ended(here.start(nursery)) as process:
            until(lambda: len(told()) == here.config["max_concurrent_exports"], process)
            assert process.poll() is None
        assert told() == {export.id for export in simulator.exports}


def test_kills_with_look_back(nursery: Nursery, tmp_path: Path, long: bool) -> None:
    """With the settings' own end and look-back too, all is whole."""
    dice = random.Random("look-back")
    with clover(window_field="createdTime") as simulator:
        here = job(tmp_path, simulator, lookback_days=7)
        del here.config["end_date"]
        for _ in range(30 if long else 5):
            with ended(here.start(nursery)) as process:
                until(here.written, process)
                moment = time.monotonic() + dice.uniform(0, 0.4)
                until(lambda moment=moment: time.monotonic() > moment, process)  # type: ignore[misc]
            here.load()
        begin = simulator.clock.now() // 1  # windows end at whole seconds
        with ended(here.start(nursery)) as process:
            assert processes.wait(process) == 0
        here.load()
        for merchant in here.warehouse.merchants:
            for stream in ("orders", "payments"):
                assert here.warehouse.bookmark(stream, merchant) >= iso(begin)
                here.warehouse.expect_until(stream, merchant, begin)


def test_kill_in_the_second_window(nursery: Nursery, tmp_path: Path) -> None:
    """Killed while the second window is emitted: only the first one, the newest, is covered."""
    with clover(orders_per_day=40) as simulator:
        here = job(tmp_path, simulator, max_concurrent_exports=1)
        here.warehouse.since = here.end - 60 * 86_400
        here.config["start_date"] = iso(here.warehouse.since)
        middle = iso(here.end - 30 * 86_400)
        here.runs = 1
        os.mkfifo(here.output)
        first = False
        here.runs = 0
        with ended(here.start(nursery)) as process, pipe_end(here) as pipe:
            lines = []
            for line in pipe:
                lines.append(line)
                first = first or (b'"STATE"' in line and orders_at(line, middle))
                if first and b'"RECORD","stream":"orders"' in line:
                    break
            process.send_signal(signal.SIGKILL)
            assert processes.wait(process) == -signal.SIGKILL
            rest = pipe.read()
        here.warehouse.load(b"".join(lines) + rest, torn=not rest.endswith(b"\n"))
        assert here.warehouse.covered("orders", ONE) == (middle, iso(here.end))
        windows = [export["end"] for _, _, export in here.warehouse.pending()]
        assert middle in windows
        here.expect_tidy()
        with ended(here.start(nursery)) as process:
            assert processes.wait(process) == 0
        here.load()
        here.warehouse.expect_whole(here.end)
        assert len(simulator.exports) <= 5


def orders_at(line: bytes, time: str) -> bool:
    """Whether a STATE line's orders are covered from a time on."""
    return entry(json.loads(line)["value"], "orders", ONE).get("exported_from") == time


def killed(
    simulator: Simulator, seconds: float, before: Outcome | None = None, **settings: Any
) -> dict[str, Any]:
    """Run after another run, end it after a time; answers the last state that it wrote."""
    raw = io.BytesIO()
    settings["state"] = before.state if before else None
    with pytest.raises(Killed):
        sync(simulator, clock=Deadly(simulator.clock, seconds), raw=raw, **settings)
    warehouse = Warehouse(simulator)
    warehouse.load((before.output if before else b"") + raw.getvalue())
    return warehouse.state


@pytest.mark.parametrize("hours", [0, 2])
def test_an_export_still_pending_is_resumed(hours: int) -> None:
    """What Clover still works on when the next run comes is waited for, not asked for again."""
    with harness.clover(days=70, orders_per_day=2, export_seconds=hours * 7200 + 60) as simulator:
        start = iso(simulator.clock.now() - 71 * 86_400)
        settings: dict[str, Any] = {
            "start_date": start,
            "end_date": iso(simulator.clock.now()),
            "max_concurrent_exports": 3,
            "lookback_days": 0,
            "poll_interval_seconds": 60,
        }
        state = killed(simulator, 30, **settings)
        assert len(simulator.exports) == 3
        simulator.clock.advance(hours * 3600)
        simulator.options = dataclasses.replace(simulator.options, export_seconds=60)
        outcome = sync(simulator, state=state, step=30, **settings)
        assert outcome.code == 0, outcome.log
        assert len(simulator.exports) == 6
        assert_whole(outcome, simulator)


def pending_history(simulator: Simulator) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Settings, a state of which a window of the history was requested, and that window's start."""
    now, day = simulator.clock.now(), 86_400
    settings: dict[str, Any] = {"start_date": iso(now - 71 * day), "late_changes_days": 0}
    covered = sync(simulator, step=30, **settings | {"start_date": iso(now - 11 * day)})
    state = killed(simulator, 60, covered, **settings | {"max_concurrent_exports": 4})
    held = entry(state, "orders", ONE)
    held["pending_exports"] = held["pending_exports"][:1]  # in order of time
    assert held["pending_exports"][0]["end"] == held["exported_from"]
    return settings, state, held["pending_exports"][0]["start"]


def test_an_export_resumed_ahead_of_its_turn_never_finishes() -> None:
    """It is halved, although the new days before it were not yet asked for; the rest is whole."""
    with harness.clover(days=70, orders_per_day=2, export_seconds=600) as simulator:
        settings, state, start = pending_history(simulator)
        for export in simulator.exports:
            if iso(export.start / 1000) == start:
                export.fate = "pending"
        outcome = sync(simulator, state=state, step=30, **settings)
        assert outcome.code == 0, outcome.log
        assert "trying it as two halves" in outcome.log
        halves = [row for row in outcome.records("exports") if row["purpose"] == "history"]
        assert halves[0]["window_start"] == halves[1]["window_end"]
        assert outcome.entry("orders", ONE)["exported_from"] == settings["start_date"]


def test_an_export_resumed_ahead_of_its_turn_fails() -> None:
    """The new days before it are whole all the same, and the sentence names the hole."""
    with harness.clover(days=70, orders_per_day=2, export_seconds=600) as simulator:
        settings, state, hole = pending_history(simulator)
        top = entry(state, "orders", ONE)["exported_from"]
        now = iso(simulator.clock.now())

        class Clock(JumpingClock):
            """A clock at which the exports of one window fail."""

            def sleep(self, seconds: float) -> None:
                super().sleep(seconds)
                for export in simulator.exports:
                    if export.type == "ORDERS" and iso(export.start / 1000) == hole:
                        export.fate = "FAILED"

        outcome = sync(simulator, state=state, clock=Clock(simulator.clock, step=30), **settings)
        assert outcome.code == 1
        missing = f"Missing: history of orders of merchant {ONE} before {top}: Clover ended"
        assert missing in outcome.sentence
        assert (outcome.bookmark("orders", ONE) or "") >= now
        assert outcome.entry("orders", ONE)["exported_from"] == top
        again = sync(simulator, state=outcome.state, step=30, **settings)
        assert again.code == 0
        assert again.entry("orders", ONE)["exported_from"] == settings["start_date"]
