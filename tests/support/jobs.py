"""A sync of six windows in processes of its own, against a Clover on the machine's clock."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

from tap_clover_export.simulator import Options, Simulator
from tests.support.harness import ONE, TOKENS, config_for, iso
from tests.support.processes import write_json
from tests.support.warehouse import Warehouse

if TYPE_CHECKING:
    from pathlib import Path

    from tap_clover_export.simulator.service.exports import Export
    from tests.support.processes import Nursery, Running

    Known = tuple[str, str, dict[str, str]]

DAYS = 89.5
WINDOWS = 6
"""Of 30 days, over both streams."""

MOST = 25
"""So often a sync is ended at random moments, then let be; a slow machine never came to its end."""


@dataclasses.dataclass
class Job:
    """A sync of six windows, resumed as often as it takes.

    Attributes:
        path: Where its files lie.
        config: Its settings.
        warehouse: What came of it so far.
        end: The time to which it exports.
        runs: How often it was started.
    """

    path: Path
    config: dict[str, Any]
    warehouse: Warehouse
    end: float
    runs: int = 0

    @property
    def output(self) -> Path:
        """What the last run wrote."""
        return self.path / f"output-{self.runs}"

    def written(self) -> int:
        """How much the last run wrote so far."""
        return self.output.stat().st_size if self.output.exists() else 0

    def heard(self) -> bool:
        """Whether the last run heard of a signal."""
        return (self.path / f"log-{self.runs}.heard").exists()

    def start(self, nursery: Nursery | None) -> Running:
        """Start the next run, from the last state."""
        self.runs += 1
        (self.path / "tmp").mkdir(exist_ok=True)
        arguments = ["--config", write_json(self.path / "config.json", self.config)]
        if self.warehouse.state:
            arguments += ["--state", write_json(self.path / "state.json", self.warehouse.state)]
        log = self.path / f"log-{self.runs}"
        if nursery:
            tmp = self.path / "tmp"
            return nursery.start(arguments, stdout=self.output, stderr=log, tmp=tmp)
        with self.output.open("wb") as stdout, log.open("wb") as stderr:
            return subprocess.Popen(
                [sys.executable, "-m", "tap_clover_export", *arguments],
                stdout=stdout,
                stderr=stderr,
                env=os.environ | {"TMPDIR": str(self.path / "tmp")},
            )

    def load(self, output: bytes | None = None) -> None:
        """Take in what a killed run wrote: what came through a pipe, or what is in its file."""
        self.warehouse.load(self.output.read_bytes() if output is None else output, torn=True)

    def expect_no_request_twice(self, known: list[Known], since: list[Export]) -> None:
        """What a state held as asked for was not asked for again.

        Args:
            known: What the state held.
            since: What Clover was asked for since.
        """
        asked = {(e.type, iso(e.start / 1000), iso(e.end / 1000)) for e in since}
        for stream, _, export in known:
            assert (stream.upper(), export["start"], export["end"]) not in asked

    def expect_tidy(self) -> None:
        """No file outlived the run."""
        assert list((self.path / "tmp").iterdir()) == []


def job(path: Path, simulator: Simulator, **settings: Any) -> Job:
    """A new sync of six windows."""
    path.mkdir(exist_ok=True)
    end = int(simulator.clock.now())
    settings = {
        "start_date": iso(end - DAYS * 86_400),
        "end_date": iso(end),
        "lookback_days": 0,
        "max_concurrent_exports": 3,
    } | settings
    return Job(
        path, config_for(simulator, **settings), Warehouse(simulator, end - DAYS * 86_400), end
    )


def clover(**options: Any) -> Simulator:
    """A local Clover on the machine's own clock."""
    usual: dict[str, Any] = {"merchants": {ONE: TOKENS[ONE]}, "unknown_fields": False}
    usual |= {"days": 100, "orders_per_day": 5, "export_seconds": 0.3}
    return Simulator(Options(**(usual | options)))


def piped(path: Path, simulator: Simulator) -> Job:
    """A sync whose first run writes to a pipe."""
    here = job(path, simulator)
    os.mkfifo(path / "output-1")
    return here


def pipe_end(here: Job) -> BinaryIO:
    """The other end of the pipe that a run writes to."""
    return here.output.open("rb")
