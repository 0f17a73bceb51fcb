"""A night: the tap piped into a loader, each a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_clover_export.demo.processes import process
from tap_clover_export.demo.project import FOREIGN, SOURCE
from tests.support.harness import Outcome
from tests.support.processes import write_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PATIENCE = 120


@dataclass(frozen=True)
class Night:
    """What a run left behind.

    Attributes:
        tap: The tap's end and what it wrote.
        code: The loader's return code.
        states: The states that the loader printed, the last one is the one to keep.
        log: What the loader said on stderr.
    """

    tap: Outcome
    code: int
    states: list[dict[str, Any]]
    log: str


def pipe(
    folder: Path,
    loader: Sequence[str],
    config: Mapping[str, Any],
    state: Mapping[str, Any] | None = None,
) -> Night:
    """Run `tap | tee messages | loader`.

    Args:
        folder: An empty one for files.
        loader: Its command.
        config: The tap's settings.
        state: What the loader printed the night before.
    """
    folder.mkdir(parents=True)
    tap = [sys.executable, "-m", "tap_clover_export"]
    tap += ["--config", write_json(folder / "tap.json", config)]
    if state:
        tap += ["--state", write_json(folder / "state.json", state)]
    tee = ["tee", str(folder / "messages")]
    pipe: dict[str, Any] = {"stdout": subprocess.PIPE, "env": _environment()}
    with (
        (folder / "tap.log").open("wb") as tap_log,
        (folder / "loader.log").open("wb") as loader_log,
        process(tap, stdin=subprocess.DEVNULL, stderr=tap_log, cwd=SOURCE, **pipe) as first,
        process(tee, stdin=first.stdout, **pipe) as middle,
        process(
            loader,
            stdin=middle.stdout,
            stderr=loader_log,
            cwd=folder,
            stdout=subprocess.PIPE,
            env=_environment(),
        ) as last,
    ):
        for running in (first, middle):
            if running.stdout:
                running.stdout.close()
        printed = last.communicate(timeout=PATIENCE)[0]
        code = first.wait(PATIENCE)
    written = (folder / "messages").read_bytes()
    return Night(
        Outcome(code, written, (folder / "tap.log").read_text()),
        last.returncode,
        [json.loads(line) for line in printed.splitlines()],
        (folder / "loader.log").read_text(),
    )


def _environment() -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    local = ",".join(filter(None, [own.get("NO_PROXY"), "127.0.0.1"]))
    return own | {"NO_PROXY": local, "no_proxy": local, "PYTHONUTF8": "1", "TZ": "UTC"}
