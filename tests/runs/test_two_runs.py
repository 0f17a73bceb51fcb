"""Two runs at once over the same state."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.support.harness import ONE, TYPES, Outcome, clover, config_for, sync, write_config

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400


def test_two_runs_at_once(tmp_path: Path) -> None:
    """Neither loses, neither disturbs the other; whoever's state is kept, the next run goes on."""
    with clover(days=40, orders_per_day=6, export_seconds=0.2) as simulator:
        simulator.clock.frozen = False
        state = tmp_path / "state.json"
        state.write_text(json.dumps(sync(simulator, end_date="2026-02-10").state))
        config = write_config(tmp_path, config_for(simulator, end_date="2026-03-03T12:00:00Z"))
        command = [sys.executable, "-m", "tap_clover_export", "--config", config]
        runs = [
            subprocess.Popen([*command, "--state", str(state)], stdout=-1, stderr=-1)
            for _ in range(2)
        ]
        done = [(run, *run.communicate(timeout=100)) for run in runs]
        outcomes = [Outcome(run.returncode, out, err.decode()) for run, out, err in done]
        for outcome in outcomes:
            assert outcome.code == 0, outcome.log
            for stream, kind in TYPES.items():
                held = simulator.records(ONE, kind, 1_770_681_600_000)  # type: ignore[arg-type]
                wanted = {r["id"] for r in held if r["modifiedTime"] < 1_772_539_200_000}
                assert {identity for _, identity in outcome.counts(stream)} >= wanted
        one, two = (
            {stream: outcome.entry(stream, ONE) | {"exported_at": "then"} for stream in TYPES}
            for outcome in outcomes
        )
        assert one == two
