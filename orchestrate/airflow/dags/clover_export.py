"""Every order and payment of many Clover merchants: docs/many-merchants.md says how."""

from pathlib import Path

from tap_clover_export.airflow.dags import clover_export

clover_export(project=Path(__file__).parents[3])
