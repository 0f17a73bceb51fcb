"""Memory holds one file, however many there are."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tap_clover_export.simulator import Options, Simulator
from tests.support.harness import ONE, TOKENS, config_for, iso, write_config
from tests.support.memory import LAUNCHER

if TYPE_CHECKING:
    from pathlib import Path

MEGABYTE = 1 << 20


def test_peak_memory_of_sixty_thousand_orders(tmp_path: Path) -> None:
    """The whole process stays under 150 MB on 60,000 orders and as many payments."""
    with Simulator(Options({ONE: TOKENS[ONE]}, days=30, orders_per_day=2150)) as simulator:
        start = iso(simulator.clock.now() - 31 * 86_400)
        config = write_config(tmp_path, config_for(simulator, start_date=start))
        output = tmp_path / "output"
        tap = ["-m", "tap_clover_export", "--config", config]
        with output.open("wb") as file:
            done = subprocess.run(
                [sys.executable, "-c", LAUNCHER, *tap],
                stdout=file,
                stderr=subprocess.PIPE,
                text=True,
                check=True,
            )
        assert output.read_bytes().count(b'{"type":"RECORD","stream":"orders"') >= 60_000
        peak = int(done.stderr.splitlines()[-1]) * (1 if sys.platform == "darwin" else 1024)
        assert 30 * MEGABYTE < peak < 150 * MEGABYTE
