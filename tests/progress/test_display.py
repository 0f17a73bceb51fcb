"""The live display on a real pseudo-terminal: what a person sees while it runs and afterwards."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tap_clover_export.simulator import Options, Simulator
from tests.support.harness import ONE, TOKENS, TWO, TYPES, config_for, iso, write_config
from tests.support.processes import full
from tests.support.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

COLOUR = re.compile(rb"\x1b\[[0-9;]*(?:3[0-9]|4[0-9]|38;)[0-9;]*m")


def clover(**options: Any) -> Simulator:
    """A local Clover of two merchants, on the machine's own clock."""
    usual: dict[str, Any] = {"days": 40, "orders_per_day": 5, "export_seconds": 0.4}
    merchants = {merchant: TOKENS[merchant] for merchant in (ONE, TWO)}
    return Simulator(Options(merchants=merchants, unknown_fields=False, **(usual | options)))


def terminal(path: Path, simulator: Simulator, **options: Any) -> Terminal:
    """The tap on a terminal, its records in a file."""
    settings = config_for(simulator, poll_interval_seconds=0.2) | options.pop("settings", {})
    options = {"output": path / "output"} | options
    return Terminal("--config", write_config(path, settings), **options)


def messages(path: Path) -> list[dict[str, Any]]:
    """What went to stdout; a torn line fails here."""
    return [json.loads(line) for line in (path / "output").read_bytes().splitlines()]


@pytest.mark.parametrize("width", [60, 120])
def test_a_run_is_shown(width: int, tmp_path: Path) -> None:
    """Counts are seen while it runs; at the end they are gone, and the summary stands there."""
    now = int(time.time())  # the shops sell on while it runs
    options: dict[str, Any] = {"width": width, "settings": {"end_date": iso(now)}}
    with (
        clover(window_field="createdTime") as simulator,
        terminal(tmp_path, simulator, **options) as seen,
    ):
        for place in (f"{ONE}/PAYMENTS", f"{TWO}/ORDERS"):
            simulator.faults.add(f"poll[{place}]:stay-pending*1")
        seen.until(lambda: re.search(r"orders .*[1-3] of 4 exports .*\d records", seen.text))
        assert "merchants: 0 of 2 done" in seen.text
        assert re.search(r"at Clover: \d+ requested, \d running; .* records/s", seen.text)
        assert ("━━━" in seen.text) == (width == 120)
        simulator.faults.clear()
        for export in simulator.exports:
            export.fate = None
        assert seen.wait() == 0
        kinds: dict[str, Any] = TYPES
        held = dict.fromkeys(kinds, 0)
        for merchant, stream in itertools.product((ONE, TWO), held):
            held[stream] += len(simulator.records(merchant, kinds[stream], end=now * 1000))
    assert "at Clover" not in seen.text
    assert f"{sum(held.values())} records, 2 of 2 merchants done." in seen.running
    if width == 120:
        for stream, number in held.items():
            row = rf"{stream} +4/4 +4 +{number} +0 s +0 +nothing"
            assert re.search(row, seen.text), seen.text
    assert not seen.screen.cursor.hidden
    assert seen.screen.cursor.x == 0
    written = [m["stream"] for m in messages(tmp_path) if m["type"] == "RECORD"]
    assert {stream: written.count(stream) for stream in held} == held


def test_log_lines_stand_whole_above_the_display(tmp_path: Path) -> None:
    """A line of the log is not torn by the display, however long it is; and they are few."""
    with clover() as simulator, terminal(tmp_path, simulator, width=60, height=100) as seen:
        assert seen.wait() == 0
    planned = "Planned: 8 exports of 2 merchants (orders 4, payments 4), 1 at a time."
    assert seen.running.count(planned) == 1
    assert "Emitted " not in seen.running


def test_what_fails_does_not_keep_a_bar_from_its_end(tmp_path: Path) -> None:
    """The bar is of what can be had; what can't is counted behind it."""
    settings = {"max_concurrent_exports": 2}
    with clover() as simulator, terminal(tmp_path, simulator, settings=settings) as seen:
        simulator.faults.add(f"create[{ONE}/PAYMENTS]:403")
        simulator.faults.add(f"poll[{TWO}/ORDERS]:stay-pending*1")
        seen.until(lambda: re.search(r"payments +━+ +2 of 4 exports, 2 failed", seen.text))
        simulator.faults.clear()
        for export in simulator.exports:
            export.fate = None
        assert seen.wait() == 1


def test_a_wait_is_shown_until_when(tmp_path: Path) -> None:
    """Where Clover refuses, the display says which region, until when and why."""
    waiting = r"region sandbox: waiting until \w{3} \d\d:\d\d:\d\d UTC, Clover is busy"
    full = {"max_concurrent": 1, "foreign_exports": 1}
    with clover(**full) as simulator, terminal(tmp_path, simulator) as seen:
        seen.until(lambda: re.search(waiting, seen.text))
        seen.press(b"\x03")
        assert seen.wait() == 130


ENDS = {
    "Ctrl-C": (130, "Stopped by signal 2; run again to go on."),
    "SIGTERM": (143, "Stopped by signal 15; run again to go on."),
    "failure": (1, "(each said above)."),
}


@pytest.mark.parametrize("end", ENDS)
def test_the_last_line_is_the_contract_s(end: str, tmp_path: Path) -> None:
    """However it ends, the display goes away, the cursor stays, and the sentence comes last."""
    code, sentence = ENDS[end]
    settings: dict[str, Any] = {}
    if end == "failure":
        settings["merchants"] = [
            {"merchant_id": ONE, "access_token": "wrong"},
            {"merchant_id": TWO, "access_token": TOKENS[TWO]},
        ]
    options = {} if end == "failure" else {"export_seconds": 1000}
    with clover(**options) as simulator, terminal(tmp_path, simulator, settings=settings) as seen:
        seen.until(lambda: "at Clover:" in seen.text)
        if end == "Ctrl-C":
            seen.press(b"\x03")
        elif end == "SIGTERM":
            seen.process.send_signal(signal.SIGTERM)
        assert seen.wait() == code
    assert "at Clover:" not in seen.text
    assert seen.text.endswith(sentence)
    assert not seen.screen.cursor.hidden
    assert seen.screen.cursor.x == 0
    assert messages(tmp_path)[-1]["type"] == "STATE"


def test_a_kill_leaves_the_cursor(tmp_path: Path) -> None:
    """Not even a process that is killed leaves a terminal without cursor."""
    with clover(export_seconds=1000) as simulator, terminal(tmp_path, simulator) as seen:
        seen.until(lambda: "at Clover:" in seen.text)
        seen.process.send_signal(signal.SIGKILL)
        assert seen.wait() == -signal.SIGKILL
    assert not seen.screen.cursor.hidden


def test_a_second_signal_leaves_a_line_of_its_own(tmp_path: Path) -> None:
    """Ended there and then, while nobody takes its output: what the shell says stands below."""
    pipe, heard = tmp_path / "pipe", tmp_path / "heard"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    options = {"output": pipe, "HEARD": str(heard)}
    with clover(orders_per_day=60) as simulator, terminal(tmp_path, simulator, **options) as seen:
        seen.until(lambda: re.search("at Clover:.*records/s", seen.text) and full(pipe))
        seen.process.send_signal(signal.SIGTERM)
        seen.until(heard.exists)
        time.sleep(0.3)
        assert seen.process.poll() is None
        seen.process.send_signal(signal.SIGTERM)
        assert seen.wait() == -signal.SIGTERM
    os.close(reader)
    assert seen.screen.cursor.x == 0
    assert not seen.screen.cursor.hidden


@pytest.mark.parametrize("term", ["dumb", "", "unknown"])
def test_a_terminal_that_cannot_draw_gets_lines(term: str, tmp_path: Path) -> None:
    """With TERM=dumb the log is as it is without a terminal: not one control character."""
    with clover() as simulator, terminal(tmp_path, simulator, TERM=term) as seen:
        assert seen.wait() == 0
    assert b"\x1b" not in seen.written
    assert b"Summary of orders" in seen.written


def test_no_color(tmp_path: Path) -> None:
    """NO_COLOR leaves the display, without colours."""
    for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        with clover() as simulator, terminal(tmp_path, simulator, **environment) as seen:
            assert seen.wait() == 0
        assert b"at Clover:" in seen.written
        assert bool(COLOUR.search(seen.written)) == coloured


def test_records_on_the_terminal_leave_no_room(tmp_path: Path) -> None:
    """Where the records go to the terminal too, nothing is drawn between them."""
    with clover() as simulator, terminal(tmp_path, simulator, output=None) as seen:
        assert seen.wait() == 0
    assert b"at Clover:" not in seen.written
    assert b'"type":"RECORD"' in seen.written


def test_nothing_is_loaded_without_a_terminal() -> None:
    """The display's library costs a run without a terminal nothing."""
    code = "import sys, tap_clover_export.tap; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
