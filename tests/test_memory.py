"""Memory holds one file, however many there are."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from tap_clover_export.simulator import Options, Simulator
from tests.harness import ONE, TOKENS, config_for, iso, write_config

if TYPE_CHECKING:
    from pathlib import Path

MEGABYTE = 1 << 20


def test_peak_memory_of_sixty_thousand_orders(tmp_path: Path) -> None:
    """The whole process stays under 150 MB on 60,000 orders and as many payments."""
    with Simulator(Options({ONE: TOKENS[ONE]}, days=30, orders_per_day=2150)) as simulator:
        start = iso(simulator.clock.now() - 31 * 86_400)
        config = write_config(tmp_path, config_for(simulator, start_date=start))
        output = tmp_path / "output"
        with output.open("wb") as file:
            pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-m", "tap_clover_export", "--config", config],
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, file.fileno(), 1),
                    (
                        os.POSIX_SPAWN_OPEN,
                        2,
                        str(tmp_path / "log"),
                        os.O_WRONLY | os.O_CREAT,
                        0o600,
                    ),
                ],
            )
        _, status, usage = os.wait4(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        records = output.read_bytes().count(b'{"type":"RECORD","stream":"orders"')
        assert records >= 60_000
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        assert peak < 150 * MEGABYTE
