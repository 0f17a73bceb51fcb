"""The DAG file as Airflow's DAG processor reads it."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from clover_chunks.hours import REGIONS

from tests.airflow.scheduler import BIN, DAGS

pytestmark = pytest.mark.timeout(300)


def parse(home: Path, **settings: str) -> Any:
    """Parse the DAGs folder; tells errors, warnings and a week's runs of each DAG."""
    told = subprocess.run(
        [BIN / "python", Path(__file__).with_name("parse.py"), DAGS],
        env={"AIRFLOW_HOME": str(home), **settings},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(told.stdout.splitlines()[-1])


def test_a_dag_a_region_starts_inside_its_hours(tmp_path: Path) -> None:
    """Once a day, in the first half hour; not by itself where no hours are known."""
    errors, warnings, runs = parse(tmp_path, CLOVER_EXPORT_REGIONS="us,eu,la,sandbox")
    assert (errors, warnings) == ({}, {})
    assert runs.keys() == {f"clover_export_{region}" for region in REGIONS}
    for region, hours in REGIONS.items():
        starts = [dt.datetime.fromisoformat(start) for start in runs[f"clover_export_{region}"]]
        assert [start.weekday() for start in starts] == (list(range(7)) if hours.week else [])
        for start in starts:
            begin, end = hours.week[start.weekday()]
            assert end - begin - 0.5 < hours.left(start) < end - begin


def test_a_setting_that_can_not_be_used_is_told_as_the_dags_error(tmp_path: Path) -> None:
    """In a sentence that the list of import errors ends with."""
    errors, _, runs = parse(tmp_path, CLOVER_EXPORT_CHUNKS="many")
    (error,) = errors.values()
    assert error.strip().endswith("CHUNKS is not usable; give a whole number from 1 on.")
    assert runs == {}
