"""SIGTERM and SIGINT at any moment: whole lines, STATE last, 143 and 130."""

from __future__ import annotations

import ctypes
import datetime as dt
import itertools
import math
import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import pytest

from tests.support import processes
from tests.support.harness import ONE, TOKENS, entry
from tests.support.jobs import MOST, Job, clover, job, pipe_end, piped
from tests.support.processes import Nursery, ended, full, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_clover_export.simulator import Simulator
    from tests.support.processes import Running

SIGNALS = [signal.SIGTERM, signal.SIGINT]
AT_ONCE = 30.0
"""Shorter than any pause that would end by itself: what needs longer waits for something."""


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """Forks taps."""
    with Nursery() as nursery:
        yield nursery


@pytest.fixture(scope="module")
def raw_nursery() -> Iterator[Nursery]:
    """Forks taps whose stdout takes only a part of a line at times."""
    with Nursery(PYTHONUNBUFFERED="1") as nursery:
        yield nursery


@pytest.mark.parametrize("number", SIGNALS)
def test_random_moments(
    nursery: Nursery, tmp_path: Path, long: bool, number: signal.Signals
) -> None:
    """Stopped at random moments, each time resumed: all is whole."""
    dice = random.Random(f"signals {number}")
    wanted = 50 if long else 4
    stops = syncs = 0
    with clover() as simulator:
        while stops < wanted:
            syncs += 1
            here = job(tmp_path / str(syncs), simulator)
            moments = itertools.chain((dice.uniform(0, 0.5) for _ in range(MOST)), [math.inf])
            while _run(here, nursery, simulator, number, next(moments)):
                stops += 1
            here.warehouse.expect_whole(here.end)


def _run(
    here: Job, nursery: Nursery, simulator: Simulator, number: signal.Signals, moment: float
) -> bool:
    """Run, and stop it at a moment after its first line; answers whether it was in time."""
    known = list(here.warehouse.pending())
    first = len(simulator.exports)
    with ended(here.start(nursery)) as process:
        until(here.written, process)
        moment += time.monotonic()
        until(lambda: time.monotonic() > moment, process)
        code = stop(process, number)
    assert code in (0, 128 + number), here.output.read_bytes()[-300:]
    messages = here.warehouse.load(here.output.read_bytes())
    assert messages[-1]["type"] == "STATE"
    here.expect_tidy()
    here.expect_no_request_twice(known, simulator.exports[first:])
    return code != 0


def stop(process: Running, number: signal.Signals) -> int:
    """Send a signal; it ends without waiting for anything."""
    process.send_signal(number)
    return processes.wait(process, AT_ONCE)


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("closed", [True, False])
def test_while_it_waits(
    nursery: Nursery, tmp_path: Path, number: signal.Signals, closed: bool
) -> None:
    """Where the region is closed or an export pending it ends at once, and knows what it asked."""
    with clover(**(shut() if closed else {"export_seconds": 1000})) as simulator:
        here = job(tmp_path, simulator)
        with ended(here.start(nursery)) as process:
            kind = "create" if closed else "poll"
            until(lambda: [r for r in simulator.requests if r.kind == kind and r.status], process)
            assert stop(process, number) == 128 + number
        messages = here.warehouse.load(here.output.read_bytes())
        assert [m["type"] for m in messages if m["type"] != "STATE"] == ["SCHEMA"] * 3
        assert messages[-1]["type"] == "STATE"
        ids = {export["id"] for _, _, export in here.warehouse.pending()}
        assert ids == {export.id for export in simulator.exports}


def shut() -> dict[str, Any]:
    """A Clover that opens in six hours, for a minute."""
    opening = (dt.datetime.now(dt.UTC).hour * 60 + 6 * 60) % 1440
    return {"hours": True, "timetable": ((opening, opening + 1),) * 7}


def test_that_comes_just_before_a_wait(nursery: Nursery, tmp_path: Path) -> None:
    """A signal that interrupts no call of the main thread ends its wait too.

    Sent to another thread it is such a one every time, not once in a thousand.
    """
    with clover(**shut()) as simulator:
        here = job(tmp_path, simulator)
        with ended(here.start(nursery)) as process:
            until(lambda: [r for r in simulator.requests if r.status], process)
            tasks = Path(f"/proc/{process.pid}/task")
            others = {int(task.name) for task in tasks.iterdir()} - {process.pid}
            other = max(others)
            time.sleep(0.2)
            assert ctypes.CDLL(None).tgkill(process.pid, other, signal.SIGTERM) == 0
            assert processes.wait(process, AT_ONCE) == 143


@pytest.mark.parametrize("slots", [1, 5])
def test_while_clover_hangs(nursery: Nursery, tmp_path: Path, slots: int) -> None:
    """Threads that hear nothing of Clover hold nobody up, as many as one app may ask at once."""
    with clover(max_concurrent=10, merchants=TOKENS) as simulator:
        simulator.faults.add("poll:hang=600")
        here = job(tmp_path, simulator, max_concurrent_exports=slots)
        with ended(here.start(nursery)) as process:
            until(lambda: sum(r.kind == "poll" for r in simulator.requests) == slots, process)
            assert stop(process, signal.SIGTERM) == 143
        messages = here.warehouse.load(here.output.read_bytes())
        assert messages[-1]["type"] == "STATE"
        assert len(list(here.warehouse.pending())) == slots


def test_second_signal(nursery: Nursery, tmp_path: Path) -> None:
    """While nobody reads, a first signal changes nothing, and a second ends it there and then."""
    with clover(orders_per_day=12) as simulator:
        here = piped(tmp_path, simulator)
        with ended(here.start(nursery)) as process, pipe_end(here):
            until(lambda: full(here.output), process)
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            until(here.heard, process)
            time.sleep(0.3)
            assert process.poll() is None
            assert stop(process, signal.SIGTERM) == -signal.SIGTERM


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("buffered", [True, False])
def test_amid_a_line(
    request: pytest.FixtureRequest, tmp_path: Path, number: signal.Signals, buffered: bool
) -> None:
    """A signal during a write that takes only a part: the line is whole, and STATE comes last."""
    nursery = request.getfixturevalue("nursery" if buffered else "raw_nursery")
    with clover(orders_per_day=12) as simulator:
        here = piped(tmp_path, simulator)
        with ended(here.start(nursery)) as process, pipe_end(here) as pipe:
            until(lambda: full(here.output), process)
            assert process.poll() is None
            process.send_signal(number)
            until(here.heard, process)
            output = pipe.read()
            assert processes.wait(process) == 128 + number
        messages = here.warehouse.load(output)
        assert messages[-1]["type"] == "STATE"
        assert messages[-2]["type"] == "RECORD"
        assert entry(here.warehouse.state, "orders", ONE)["pending_exports"]
        with ended(here.start(nursery)) as process:
            assert processes.wait(process) == 0
        here.warehouse.load(here.output.read_bytes())
        here.warehouse.expect_whole(here.end)


def test_slow_reader(raw_nursery: Nursery, tmp_path: Path) -> None:
    """A reader that takes little at a time gets whole lines."""
    with clover() as simulator:
        here = piped(tmp_path, simulator)
        parts: list[bytes] = []
        with ended(here.start(raw_nursery)) as process, pipe_end(here) as pipe:
            reader = threading.Thread(target=lambda: parts.extend(sips(pipe)))
            reader.start()
            assert processes.wait(process) == 0
            reader.join()
        here.warehouse.load(b"".join(parts))
        here.warehouse.expect_whole(here.end)


def test_the_command_itself(tmp_path: Path) -> None:
    """`python -m tap_clover_export` ends so too."""
    with clover(export_seconds=1000) as simulator:
        here = job(tmp_path, simulator)
        with ended(here.start(None)) as process:
            until(lambda: simulator.exports and here.written(), process)
            assert stop(process, signal.SIGTERM) == 143
        messages = here.warehouse.load(here.output.read_bytes())
        assert messages[-1]["type"] == "STATE"


def sips(pipe: BinaryIO) -> Iterator[bytes]:
    """What comes through a pipe, a little at a time."""
    while part := os.read(pipe.fileno(), 4096):
        time.sleep(0.0005)
        yield part
