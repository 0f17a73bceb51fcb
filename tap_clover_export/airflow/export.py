"""The task that exports a chunk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.sdk.log import mask_secret

from tap_clover_export.airflow import hours, words
from tap_clover_export.airflow.alert import NO_TURN, MerchantsMissing, last_words
from tap_clover_export.airflow.chunks import divide, settings_of
from tap_clover_export.airflow.meltano import Meltano
from tap_clover_export.airflow.setup import Setup

if TYPE_CHECKING:
    from airflow.sdk import Context

    from tap_clover_export.settings.merchants import Merchant

SHORTEST_HOURS = 0.001


class ExportChunk(BaseOperator):
    """Runs Meltano for one chunk of a region's merchants.

    Args:
        setup: The fields of a `Setup`.
        region: The region.
        chunk: The chunk's number.
        rounds: The number of rounds from the chunk's own on that share what is left of the day.
        options: Airflow's own.
    """

    def __init__(
        self,
        *,
        setup: dict[str, Any],
        region: str,
        chunk: int = 0,
        rounds: int = 1,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.setup = setup
        self.region = region
        self.chunk = chunk
        self.rounds = rounds
        self._meltano: Meltano | None = None

    def execute(self, context: Context) -> None:
        """Export the chunk; a state of its own remembers how far it came."""
        setup = Setup(**self.setup)
        ti: Any = context["ti"]
        with last_words(ti):
            chunk = divide(setup, self.region).merchants.get(self.chunk, [])
            began = context["dag_run"].start_date
            left = hours.hours_left(setup.hours(self.region), hours.now(), began)
            if not left and ti.try_number > 1:
                raise AirflowFailException("The service closed before it could be tried again.")
            if not left:
                raise AirflowSkipException("The service closed before the chunk's turn.")
            if chunk:
                self._export(setup, chunk, left)
            if self._meltano and self._meltano.left:
                ti.xcom_push(NO_TURN, self._meltano.left)

    def _export(self, setup: Setup, chunk: list[Merchant], left: float) -> None:
        for merchant in map(settings_of, chunk):
            for name in ("access_token", "refresh_token"):
                mask_secret(merchant.get(name))
        self._meltano = Meltano(
            setup,
            f"{self.region}-{self.chunk}",
            chunk,
            {
                "TAP_CLOVER_EXPORT_MAX_CONCURRENT_EXPORTS": str(setup.exports_each),
                "TAP_CLOVER_EXPORT_MAX_RUN_HOURS": _text(left / self.rounds),
                "TAP_CLOVER_EXPORT_MAX_WAIT_HOURS": _text(left),
            },
        )
        code, failures = self._meltano.finish(self.log.info)
        if not code:
            return
        if failures:
            raise MerchantsMissing(words.missing(failures))
        raise AirflowException(f"Meltano ended with exit code {code}.")

    def on_kill(self) -> None:
        """Ask Meltano to end; the task goes on until it has."""
        if self._meltano:
            self._meltano.stop()


def _text(hours_: float) -> str:
    return f"{max(hours_, SHORTEST_HOURS):.4f}"
