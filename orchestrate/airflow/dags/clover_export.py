"""Every order and payment of many Clover merchants: a DAG a region, a task a chunk of merchants.

docs/many-merchants.md says how to set it up.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, BaseOperator, MultipleCronTriggerTimetable, Variable, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.sdk.log import mask_secret
from clover_chunks import merchants, words
from clover_chunks.hours import REGIONS, share
from clover_chunks.meltano import Meltano, prepare
from clover_chunks.setup import Setup

if TYPE_CHECKING:
    from airflow.sdk import Context

logger = logging.getLogger(__name__)

SETUP = Setup.read(os.environ, Path(__file__).resolve().parent)

LAST_RESORT = dt.timedelta(hours=8)
"""A task that takes longer hangs."""

ALERT_SECONDS = 30
SHORTEST_HOURS = 0.001


class MerchantsMissing(AirflowFailException):
    """The tap came to its end without some merchants; it has tried all of it again already."""


class ExportChunk(BaseOperator):
    """Runs Meltano for one chunk of a region's merchants.

    Args:
        region: The region.
        chunk: The chunk's number.
        share_hours: How long it may ask for exports.
        options: Airflow's own.
    """

    def __init__(
        self, *, region: str, chunk: int = 0, share_hours: float = 0.0, **options: Any
    ) -> None:
        super().__init__(**options)
        self.region = region
        self.chunk = chunk
        self.share_hours = share_hours
        self._meltano: Meltano | None = None

    def execute(self, context: Context) -> None:  # noqa: ARG002
        """Export the chunk; a state of its own remembers how far it came."""
        left = _hours_left(self.region)
        chunk = merchants.divide(SETUP, self.region).get(self.chunk, [])
        if not chunk:
            raise AirflowSkipException("Its last merchant was removed.")
        for merchant in chunk:
            for name in ("access_token", "refresh_token"):
                if merchant.get(name):
                    mask_secret(merchant[name])
        self._meltano = Meltano(
            SETUP,
            f"{self.region}-{self.chunk}",
            chunk,
            {
                "TAP_CLOVER_EXPORT_REGION": self.region,
                "TAP_CLOVER_EXPORT_MAX_CONCURRENT_EXPORTS": str(SETUP.slots),
                "TAP_CLOVER_EXPORT_MAX_RUN_HOURS": _hours(min(left, self.share_hours)),
                "TAP_CLOVER_EXPORT_MAX_WAIT_HOURS": _hours(left),
            },
        )
        code, failures = self._meltano.finish(self.log.info)
        if not code:
            return
        if failures:
            raise MerchantsMissing(words.missing(self.region, self.chunk, failures))
        raise AirflowException(f"Meltano ended with exit code {code}.")

    def on_kill(self) -> None:
        """End Meltano with the task."""
        if self._meltano:
            self._meltano.stop()


@task
def chunks(region: str) -> list[dict[str, float]]:
    """The region's chunks that have a merchant, each with its share of the open hours."""
    left = _hours_left(region)
    numbers = list(merchants.divide(SETUP, region))
    prepare(SETUP)
    hours = share(left, SETUP.places // SETUP.slots, len(numbers) or 1)
    return [{"chunk": number, "share_hours": hours} for number in numbers]


def alert(context: Context) -> None:
    """Tell whose data is missing: in the log, and to the address in `clover_export_alert_url`."""
    error, chunk = context.get("exception"), context["task"]
    text = str(error)
    if not isinstance(error, MerchantsMissing):
        held = merchants.divide(SETUP, chunk.region).get(chunk.chunk, [])
        names = [merchant["merchant_id"] for merchant in held]
        text = words.cut_off(chunk.region, chunk.chunk, text, names)
    logger.error(text)
    address = Variable.get("clover_export_alert_url", default=None)
    if address:
        request = urllib.request.Request(
            address, json.dumps({"text": text}).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=ALERT_SECONDS):
            pass


def _hours(hours: float) -> str:
    return f"{max(hours, SHORTEST_HOURS):.4f}"


def _hours_left(region: str) -> float:
    left = REGIONS[region].left(dt.datetime.now(dt.UTC))
    if not left:
        raise AirflowSkipException(
            f"Clover's export service is closed in region {region}; left for the next run."
        )
    return left


for name in SETUP.regions:
    crons = REGIONS[name].crons
    with DAG(
        f"clover_export_{name}",
        description=f"Orders and payments of the Clover merchants in region {name}",
        schedule=MultipleCronTriggerTimetable(*crons, timezone="UTC") if crons else None,
        start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        catchup=False,
        max_active_runs=1,
        tags=["clover"],
        doc_md=__doc__,
    ):
        ExportChunk.partial(
            task_id="export",
            region=name,
            pool=SETUP.pool,
            pool_slots=SETUP.slots,
            retries=SETUP.retries,
            retry_delay=dt.timedelta(seconds=SETUP.retry_seconds),
            execution_timeout=LAST_RESORT,
            on_failure_callback=alert,
        ).expand_kwargs(chunks(name))
