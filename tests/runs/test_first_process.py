"""The tap as the first process of a container without an init, which the kernel shields.

A signal that such a process does not handle itself is discarded.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.harness import write_config
from tests.support.jobs import clover, piped
from tests.support.processes import full, until, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNALS = [signal.SIGTERM, signal.SIGINT]
LOADING = """
import gc, os, runpy
real = gc.disable
def said():
    real()
    os.write(1, b"loading\\n")
gc.disable = said
runpy.run_module("tap_clover_export", run_name="__main__", alter_sys=True)
"""
"""The command, saying when it begins to load."""


@functools.cache
def container() -> list[str]:
    """What starts a process as the first of its own; skips where nothing can."""
    for rights in ([], ["--user", "--map-root-user"]):
        words = ["unshare", *rights, "--pid", "--fork", "--kill-child"]
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            subprocess.run([*words, "true"], check=True, capture_output=True)
            return words
    pytest.skip("no process can be made the first one here")


@contextlib.contextmanager
def first(*arguments: str, **options: Any) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start Python as a first process; gives who waits for it, and its number seen from here."""
    words = [*container(), sys.executable, *arguments]
    with subprocess.Popen(words, text=True, stderr=subprocess.PIPE, **options) as waiter:
        try:
            children = Path(f"/proc/{waiter.pid}/task/{waiter.pid}/children")
            until(children.read_text, waiter)
            yield waiter, int(children.read_text())
        finally:
            waiter.kill()


@pytest.mark.parametrize("number", SIGNALS)
def test_while_it_loads(tmp_path: Path, number: signal.Signals) -> None:
    """It ends there and then, before it looks at its settings."""
    config = write_config(tmp_path, {})
    with first("-c", LOADING, "--config", config, stdout=subprocess.PIPE) as (waiter, pid):
        assert waiter.stdout
        assert waiter.stdout.readline() == "loading\n"
        os.kill(pid, number)
        _, log = waiter.communicate(timeout=60)
    assert waiter.returncode == 128 + number
    assert log == ""


@pytest.mark.parametrize("number", SIGNALS)
def test_a_second_signal(tmp_path: Path, number: signal.Signals) -> None:
    """While nobody reads, a second signal ends it."""
    with clover(orders_per_day=30) as simulator:
        here = piped(tmp_path, simulator)
        here.runs = 1
        config = write_json(tmp_path / "config.json", here.config)
        pipe = os.open(here.output, os.O_RDWR)
        command = ["-m", "tap_clover_export", "--config", config]
        with first(*command, stdout=pipe) as (waiter, pid):
            until(lambda: full(here.output), waiter)
            os.kill(pid, number)
            with pytest.raises(subprocess.TimeoutExpired):
                waiter.wait(1)
            os.kill(pid, number)
            assert waiter.wait(60) == 128 + number
        os.close(pipe)
