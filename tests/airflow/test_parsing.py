"""What needs Airflow's packages but none of its processes; DAG files in the oldest one too."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tap_clover_export.airflow.hours import hours_left, longest
from tap_clover_export.planning.hours import TABLE
from tap_clover_export.times import parse as time_of
from tests.airflow.scheduler import BIN, OLDEST_BIN

pytestmark = pytest.mark.timeout(300)

SHIPPED = Path(__file__).parents[2] / "orchestrate/airflow/dags/clover_export.py"
ALL = 'clover_export("/opt/clover", regions=["us", "eu", "la", "sandbox"])'


def python(home: Path, script: str, *arguments: Path, folder: Path = BIN) -> list[str]:
    """Run a script in Airflow's own Python; tells what it prints."""
    told = subprocess.run(
        [folder / "python", Path(__file__).with_name(script), *arguments],
        env={"AIRFLOW_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return told.stdout.splitlines()


def parse(home: Path, text: str, folder: Path = BIN) -> Any:
    """Parse a DAG file; tells errors, warnings and a week's runs of each DAG."""
    (home / "dags").mkdir()
    (home / "dags/clover_export.py").write_text(text, encoding="utf-8")
    return json.loads(python(home, "parse.py", home / "dags", folder=folder)[-1])


@pytest.mark.parametrize("folder", [BIN, OLDEST_BIN], ids=["newest", "oldest"])
def test_a_dag_a_region_starts_inside_its_hours(tmp_path: Path, folder: Path) -> None:
    """Once a day, soon after the opening; not by itself where no hours are known."""
    text = SHIPPED.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 10
    head, _, _ = text.partition("clover_export(project")
    errors, warnings, runs = parse(tmp_path, head + ALL, folder)
    assert (errors, warnings) == ({}, {})
    assert runs.keys() == {f"clover_export_{region}" for region in ("us", "eu", "la", "sandbox")}
    for name, starts in runs.items():
        hours = TABLE.get(name.removeprefix("clover_export_"))
        times = [time_of(start) for start in starts]
        assert [start.weekday() for start in times] == (list(range(7)) if hours else [])
        for start in times:
            left = dt.timedelta(hours=hours_left(hours, start))
            assert dt.timedelta(hours=2.5) < left < longest(hours)


def test_an_argument_that_can_not_be_used_is_told_as_the_dags_error(tmp_path: Path) -> None:
    """In a sentence that the list of import errors ends with."""
    errors, _, runs = parse(
        tmp_path, SHIPPED.read_text(encoding="utf-8").replace("project=", "chunks='many', project=")
    )
    (error,) = errors.values()
    assert error.strip().endswith("chunks is not usable; give a whole number from 1 on.")
    assert runs == {}


def test_an_alert_raises_nothing(tmp_path: Path) -> None:
    """It says what it can where Airflow says little, and where its notifier fails."""
    lines = python(tmp_path, "alerts.py")
    assert lines[-1] == "done"
    told = [line for line in lines if line.startswith("told: ")]
    head = "told: Clover export, region :"
    assert [told[0], told[2]] == [f"{head} The run failed; its tasks say more."] * 2
    assert told[1].startswith(f"{head} The run took too long and was ended.")
    assert sum("The alert could not be sent." in line for line in lines) == 6
