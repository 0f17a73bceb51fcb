"""Parses a DAGs folder in Airflow's own Python; tells errors, warnings and a week's runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pendulum
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import TimeRestriction

MONDAY = pendulum.datetime(2026, 11, 23)

folder = Path(sys.argv[1])
bag = BundleDagBag(folder, bundle_path=folder, bundle_name="dags")
runs: dict[str, list[str]] = {}
for name, dag in bag.dags.items():
    timetable = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag)).timetable
    restriction = TimeRestriction(MONDAY, MONDAY.add(days=7), catchup=True)
    runs[name] = []
    info = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    while info:
        runs[name].append(info.run_after.isoformat())
        info = timetable.next_dagrun_info(
            last_automated_data_interval=info.data_interval, restriction=restriction
        )
sys.stdout.write(json.dumps([bag.import_errors, bag.captured_warnings, runs]))
