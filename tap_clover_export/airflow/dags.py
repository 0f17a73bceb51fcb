"""The DAGs, one a region: a plan, the chunks, the asset, and a check that nothing is left."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Any

try:
    from airflow.sdk import (
        DAG,
        Asset,
        MultipleCronTriggerTimetable,
        Variable,
        get_current_context,
        task,
    )
except ImportError as error:
    raise ImportError(f"The DAGs need Airflow, from 3.2 on: {error}.") from error
from airflow.sdk.exceptions import AirflowFailException
from airflow.utils.types import DagRunType

from tap_clover_export.airflow import hours, meltano
from tap_clover_export.airflow.alert import LEFT_OUT, PLACES, PREFIX, Alert, last_words, missing
from tap_clover_export.airflow.chunks import divide
from tap_clover_export.airflow.export import ExportChunk
from tap_clover_export.airflow.setup import Setup

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.sdk import BaseNotifier

AFTER_CLOSING = dt.timedelta(hours=1)
"""A chunk that takes longer after its region closed hangs."""

SOON = dt.timedelta(minutes=15)
"""A task that exports nothing and takes longer hangs."""


def clover_export(
    project: str | Path,
    *,
    alert: BaseNotifier | None = None,
    pool: str | None = None,
    **setup: Any,
) -> list[DAG]:
    """Make a DAG for each region.

    Args:
        project: The folder of the Meltano project, on every worker.
        alert: Tells whose data is missing; its templates find the words as `alert`.
        pool: A pool that more than these DAGs share.
        setup: The other fields of a `Setup`.

    Raises:
        SetupError: An argument can't be used.
    """
    made = Setup(str(project), **setup)
    return [_dag(made, region, Alert(alert), pool) for region in made.regions]


@task
def plan(setup: dict[str, Any], region: str) -> list[dict[str, int]]:
    """Tell the region's chunks that have a merchant, in the order of the day."""
    ti: Any = get_current_context()["ti"]
    with last_words(ti):
        return _plan(ti, Setup(**setup), region)


def _plan(ti: Any, setup: Setup, region: str) -> list[dict[str, int]]:
    time = hours.now()
    if not hours.hours_left(setup.hours(region), time):
        raise AirflowFailException("The service is closed; all is left for the next run.")
    chunks = divide(setup, region)
    ids = meltano.states(setup)
    key = f"{PREFIX}{region}_chunks"
    last = Variable.get(key, default=None)
    meltano.check_chunks(setup, region, int(last) if last else None, ids)
    if last != str(setup.chunks):
        Variable.set(key, str(setup.chunks), "The number of chunks that the states are of.")
    order = hours.turns(list(chunks.merchants), time.toordinal())
    places = [
        {"chunk": chunk, "merchants": [merchant.id for merchant in chunks.merchants[chunk]]}
        for chunk in order
    ]
    ti.xcom_push(PLACES, places)
    # Told once, however many DAGs read the file.
    ti.xcom_push(LEFT_OUT, chunks.left_out if region == setup.teller else [])
    return [
        {"chunk": chunk, "rounds": hours.rounds_left(place, len(order), setup.at_once)}
        for place, chunk in enumerate(order)
    ]


@task(trigger_rule="all_done_min_one_success")
def loaded() -> None:
    """Update the asset, for what works on the tables: all chunks that could come have come."""


@task(trigger_rule="all_done", retries=0)
def check() -> None:
    """Fail, and with it the run, where something is missing."""
    if text := missing(get_current_context()["ti"]):
        raise AirflowFailException(text)


def _dag(setup: Setup, region: str, alert: Alert, pool: str | None) -> DAG:
    crons = hours.crons(setup.hours(region))
    longest = hours.longest(setup.hours(region))
    with DAG(
        f"{PREFIX}{region}",
        description=f"Orders and payments of the Clover merchants in region {region}",
        schedule=MultipleCronTriggerTimetable(*crons, timezone="UTC") if crons else None,
        catchup=False,
        max_active_runs=1,
        # A backfill would run one chunk many times at once; the tap fills gaps by itself.
        allowed_run_types=[kind for kind in DagRunType if kind != DagRunType.BACKFILL_JOB],
        dagrun_timeout=longest + 2 * AFTER_CLOSING,
        on_failure_callback=alert,
        default_args={
            "retries": setup.retries,
            "retry_delay": setup.retry_delay,
            "execution_timeout": SOON,
        },
        tags=["clover"],
    ) as dag:
        pooled = {"pool": pool, "pool_slots": setup.exports_each} if pool else {}
        exported = ExportChunk.partial(
            task_id="export",
            setup=dataclasses.asdict(setup),
            region=region,
            map_index_template="{{ task.region }}, chunk {{ task.chunk }}",
            max_active_tis_per_dag=setup.at_once,
            execution_timeout=longest + AFTER_CLOSING,
            **pooled,
        ).expand_kwargs(plan(dataclasses.asdict(setup), region))
        arrived = loaded.override(outlets=[Asset(f"{PREFIX}{region}")])()
        exported >> arrived
        [exported, arrived] >> check()
    return dag
