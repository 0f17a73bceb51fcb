"""Forty merchants in eight chunks: two nights, two killed workers, one refused token."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tap_clover_export.airflow.chunks import chunk_of
from tests.airflow.conftest import (
    AT_ONCE,
    CHUNKS,
    DAG,
    EXPORT_SECONDS,
    MERCHANTS,
    SECOND,
    SLOTS,
    World,
)
from tests.airflow.scheduler import parent_of, processes_of, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.timeout(900)

REFUSED = "SHOP000000007"


def test_two_workers_are_killed_and_nothing_is_lost(world: World) -> None:
    """Every order and payment of all merchants arrives once, within Clover's limit."""
    world.hand_over(MERCHANTS)
    before = world.books()
    run = world.run()
    until(lambda: any(task["state"] == "success" for task in world.airflow.chunks(DAG, run)))
    # These may have failed already: they wanted to make the same tables at once.
    early = {chunk for _, chunk in meltanos(world)}
    alone = kill(world, run, early, lambda meltano: [parent_of(meltano)])
    done = {*early, alone}
    whole = kill(world, run, done, lambda meltano: [parent_of(meltano), *session_of(meltano)])

    assert world.airflow.finish(DAG, run) == "success"
    assert world.books() == before
    assert world.loaded() == before
    tries = {task["rendered_map_index"]: task for task in world.airflow.chunks(DAG, run)}
    for chunk in (alone, whole):
        assert tries[f"sandbox, chunk {chunk}"]["try_number"] > 1
    again = world.airflow.log(DAG, run, tries[f"sandbox, chunk {alone}"]["map_index"], 2)
    assert "Reading state" in again
    assert "No state was found" not in again
    assert world.airflow.updates(DAG) == 1
    assert world.alerts == []
    assert at_once(world.clover.exports()) <= AT_ONCE * SLOTS
    assert tasks_at_once(world.airflow.chunks(DAG, run)) == AT_ONCE


def test_a_refused_token_is_told_by_name_and_holds_nobody_up(world: World) -> None:
    """The next night brings the others' new days, asks once, and one alert names the merchant."""
    asked = len(world.clover.exports())
    before = world.loaded()
    world.hand_over(MERCHANTS | {REFUSED: "token-of-nobody"})
    world.clover.move_to(SECOND)
    books = world.books()
    run = world.run()

    assert world.airflow.finish(DAG, run) == "failed"
    assert {task["try_number"] for task in world.airflow.chunks(DAG, run)} == {1}
    assert {task["state"] for task in world.airflow.tasks(DAG, run)} == {"success", "failed"}
    assert world.airflow.updates(DAG) == 2
    states = Counter(task["state"] for task in world.airflow.chunks(DAG, run))
    assert states == {"success": CHUNKS - 1, "failed": 1}
    assert world.loaded() == books | {REFUSED: before[REFUSED]}
    assert books != before
    until(lambda: world.alerts)
    (alert,) = world.alerts
    assert {name for name in MERCHANTS if name in alert} == {REFUSED}
    assert "orders, payments" in alert
    exports = world.clover.exports()[asked:]
    assert len(exports) == 2 * (len(MERCHANTS) - 1)
    assert at_once(exports) <= AT_ONCE * SLOTS


def test_each_chunk_has_a_state_of_its_own(world: World) -> None:
    """A merchant's bookmarks stand in its chunk's state, and in no other."""
    text = world.project.meltano("state", "list")
    for name in MERCHANTS:
        assert f":sandbox-{chunk_of(name, CHUNKS)}" in text
    for chunk in {chunk_of(name, CHUNKS) for name in MERCHANTS}:
        state = world.project.meltano(
            "state", "get", f"dev:tap-clover-export-to-target-postgres:sandbox-{chunk}"
        )
        held = {name for name in MERCHANTS if name in state}
        assert held == {name for name in MERCHANTS if chunk_of(name, CHUNKS) == chunk}


def test_no_token_stands_in_anything_that_airflow_keeps(world: World) -> None:
    """Logs, database and rendered templates are free of tokens."""
    kept = list(world.airflow.written())
    assert any(b"INCOMPLETE" in content for _, content in kept)
    for token in [*MERCHANTS.values(), "token-of-nobody"]:
        mark = f"{token}".encode()
        assert not [path for path, content in kept if mark in content], token


def kill(world: World, run: str, done: set[int], victims: Callable[[int], list[int]]) -> int:
    """Kill a chunk's task in the middle of its exports, at once; tells the chunk."""
    found: list[tuple[int, int]] = []

    def at_work() -> bool:
        assert world.airflow.state(DAG, run) not in ("success", "failed")
        asked = Counter(chunk_of(export["merchant"], CHUNKS) for export in world.clover.exports())
        found[:] = [
            (chunk, pid)
            for pid, chunk in meltanos(world)
            if asked[chunk] > SLOTS and chunk not in done
        ]
        return bool(found)

    while True:
        until(at_work)
        chunk, meltano = found[-1]
        killed = []
        with contextlib.suppress(OSError):  # it came to its end by itself
            for victim in victims(meltano):
                os.kill(victim, signal.SIGKILL)
                killed.append(victim)
        if killed:
            return chunk


def meltanos(world: World) -> Iterator[tuple[int, int]]:
    """The guard of each chunk that is at work, and the chunk."""
    for pid in processes_of(world.airflow.home):
        with contextlib.suppress(OSError):  # it is over
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            for word in words:
                if word.startswith("--state-id-suffix=sandbox-") and os.getsid(pid) == pid:
                    yield pid, int(word.rpartition("-")[2])


def session_of(pid: int) -> list[int]:
    """A process with all that it started."""
    everyone = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    found = []
    for other in everyone:
        with contextlib.suppress(ProcessLookupError):
            if os.getsid(other) == pid:
                found.append(other)
    return found


def at_once(exports: list[dict[str, Any]]) -> int:
    """How many exports were in progress at Clover at a time, at most."""
    took = EXPORT_SECONDS * 1000
    steps = [(export["created"], 1) for export in exports]
    steps += [(export["created"] + took, -1) for export in exports]
    return max(itertools.accumulate(step for _, step in sorted(steps)))


def tasks_at_once(tasks: list[dict[str, Any]]) -> int:
    """How many tasks ran at a time, at most; a killed try is not counted."""
    steps = [(task["start_date"], 1) for task in tasks] + [(task["end_date"], -1) for task in tasks]
    return max(itertools.accumulate(step for _, step in sorted(steps)))
