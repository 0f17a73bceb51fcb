"""What goes wrong in a night, before a Meltano that fails as it is told."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.airflow.conftest import CLOSES
from tests.airflow.scheduler import parent_of, until

if TYPE_CHECKING:
    from tests.airflow.conftest import Night

pytestmark = pytest.mark.timeout(900)

LA, EU = "clover_export_la", "clover_export_eu"
SHOPS = "".join(f"SHOP{number},token,la\n" for number in range(1, 7))

FAIL_AND_CLOSE = f"""
pathlib.Path("now").write_text({CLOSES.isoformat()!r})
sys.exit("No database.")
"""

HANG = """
import time
pathlib.Path("pid.new").write_text(str(os.getppid()))
os.rename("pid.new", "pid")
time.sleep(600)
"""


def test_nothing_that_is_left_is_left_in_silence(night: Night) -> None:
    """A retry after closing fails, a chunk without a turn is named, bad rows are named."""
    night.prepare(f"{SHOPS}BAD1,token,mars\nBAD2,,la\n", FAIL_AND_CLOSE)
    run = night.airflow.trigger(LA)
    states = night.states(LA, run)
    chunks = [states.pop(f"la, chunk {number}") for number in (0, 1)]
    assert sorted(chunks) == ["failed", "skipped"]
    assert states == {"plan": "success", "loaded": "skipped", "check": "failed"}
    assert night.airflow.state(LA, run) == "failed"
    alert = night.alert()
    failed = chunks.index("failed")
    assert f"region la: Chunk {failed}: The service closed before it could be tried" in alert
    cut_off, _, left = alert.partition("Left for the next run, as they had no turn")
    for shop in (f"SHOP{number}" for number in range(1, 7)):
        assert (shop in cut_off) != (shop in left)
    assert "region of merchant BAD1 is not one of" in left
    assert "Merchant BAD2 has neither access_token" in left


def test_a_bad_row_holds_nobody_up(night: Night) -> None:
    """The others arrive and the asset is updated; the run is red and names the row."""
    night.prepare(f"{SHOPS}BAD1,token,mars\n", "")
    updates = night.airflow.updates(LA)
    run = night.airflow.trigger(LA)
    states = night.states(LA, run)
    assert states.pop("check") == "failed"
    assert set(states.values()) == {"success"}
    assert night.airflow.updates(LA) == updates + 1
    alert = night.alert()
    assert "BAD1" in alert
    assert "SHOP" not in alert


def test_another_number_of_chunks_is_refused(night: Night) -> None:
    """Where the last run's was another one; tried again, then told, and nothing is begun."""
    night.prepare(SHOPS, "sys.exit('Not to be run.')")
    night.airflow.set_variable(f"{LA}_chunks", "3")
    run = night.airflow.trigger(LA)
    assert night.states(LA, run) == {
        "plan": "failed",
        "export": "upstream_failed",
        "loaded": "upstream_failed",
        "check": "failed",
    }
    night.airflow.set_variable(f"{LA}_chunks", "2")
    assert "region la: Nothing was exported. chunks is 2, and was 3" in night.alert()


def test_a_task_that_is_killed_is_told_without_the_merchants_file(night: Night) -> None:
    """At its last try, where Airflow knows neither the error nor the task as it ran."""
    night.prepare("SHOP1,token,la\n", HANG)
    run = night.airflow.trigger(LA)
    pid = night.folder / "pid"
    for last in (False, True):
        until(pid.exists)
        guard = int(pid.read_text())
        pid.unlink()
        if last:
            (night.folder / "merchants.csv").unlink()
        os.kill(parent_of(guard), signal.SIGKILL)
        gone(guard)
    assert night.airflow.finish(LA, run) == "failed"
    alert = night.alert()
    assert "region la: Chunk 1: The task was killed" in alert
    assert "SHOP1" in alert


def gone(pid: int) -> None:
    """Wait until a process is over."""
    until(lambda: not Path(f"/proc/{pid}").exists())


def test_a_pool_that_is_missing_hangs_no_night(night: Night) -> None:
    """The run ends in time and says where to look."""
    night.prepare("SHOP1,token,eu\n", "")
    run = night.airflow.trigger(EU)
    assert night.airflow.finish(EU, run) == "failed"
    alert = night.alert()
    assert "region eu: The run took too long and was ended" in alert
    assert "look whether its pool exists" in alert
    assert "SHOP1" in alert


def test_a_backfill_is_refused(night: Night) -> None:
    """It would run a chunk many times at once."""
    days = {"from_date": "2026-11-01T00:00:00Z", "to_date": "2026-11-05T00:00:00Z"}
    told = night.airflow.refused("POST", "backfills", {"dag_id": EU, **days})
    assert "backfill" in told
