"""What a DAG file says: how merchants become chunks and chunks become runs."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from tap_clover_export.airflow import hours
from tap_clover_export.planning.hours import TABLE
from tap_clover_export.settings.hosts import REGIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_clover_export.planning.hours import Hours


LEAST = {
    "chunks": 1,
    "at_once": 1,
    "exports_each": 1,
    "retries": 0,
    "retry_seconds": 0,
    "grace_seconds": 1,
}
"""The smallest value of each number."""


class SetupError(ValueError):
    """The DAG file can't be used; says which argument and what to do."""


@dataclasses.dataclass(frozen=True)
class Setup:
    """How merchants become chunks and chunks become runs; plain values, as Airflow keeps them.

    Attributes:
        project: The folder of the Meltano project, on every worker.
        merchants: Every merchant of every region with its token, JSON or CSV as the tap's
            `merchants_file`; a relative path begins at the project.
        regions: The regions that get a DAG; a merchant that names none is in the first.
        opening_hours: The hours of a region, in UTC, where the tap knows none or others are true:
            `{"la": "MON-FRI 11:00-16:00, SAT 12:00-16:00"}`.
        run: What `meltano run` runs.
        meltano: The command that starts Meltano.
        folder: Where a chunk keeps what is of one run only, on the worker; TMPDIR if None.
        chunks: Into how many chunks a region's merchants are divided.
        at_once: How many chunks of a region run at a time.
        exports_each: How many exports each of them has at Clover at a time.
        retries: How often a task that was cut off is tried again.
        retry_seconds: The pause before.
        grace_seconds: How long a run that is stopped may take to save its state.
    """

    project: str
    merchants: str = "merchants.csv"
    regions: Sequence[str] = ("us", "eu")
    opening_hours: Mapping[str, str] = dataclasses.field(default_factory=dict)
    run: str = "tap-clover-export target-postgres"
    meltano: str = "meltano"
    folder: str | None = None
    chunks: int = 16
    at_once: int = 3
    exports_each: int = 1
    retries: int = 3
    retry_seconds: int = 300
    grace_seconds: int = 120

    def __post_init__(self) -> None:
        """Refuse what can't be used."""
        for name, least in LEAST.items():
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise SetupError(f"{name} is not usable; give a whole number from {least} on.")
        regions = [] if isinstance(self.regions, str) else list(self.regions)
        unknown = [str(region) for region in regions if region not in REGIONS]
        if unknown or not regions or len(set(regions)) < len(regions):
            given = f"has {', '.join(unknown)}" if unknown else "is no list of different regions"
            raise SetupError(f"regions {given}; known are {', '.join(REGIONS)}.")
        if unknown := [str(region) for region in self.opening_hours if region not in REGIONS]:
            raise SetupError(
                f"opening_hours has {', '.join(unknown)}; known are {', '.join(REGIONS)}."
            )
        for text in self.opening_hours.values():
            try:
                hours.read(text)
            except ValueError as error:
                raise SetupError(f"opening_hours: {error}") from None
        if self.retry_seconds < self.grace_seconds:
            raise SetupError(
                f"retry_seconds is below grace_seconds ({self.grace_seconds}): a chunk would be "
                "tried again while its last try still saves its state; raise it."
            )

    def hours(self, region: str) -> Hours | None:
        """When a region is open; None where that is not known."""
        text = self.opening_hours.get(region)
        return hours.read(text) if text else TABLE.get(region)

    @property
    def teller(self) -> str:
        """The region whose run names the rows that can't be used: one that starts by itself."""
        return next(filter(self.hours, self.regions), self.regions[0])

    @property
    def merchants_file(self) -> Path:
        """Where the merchants file is."""
        return Path(self.project, self.merchants)

    @property
    def retry_delay(self) -> dt.timedelta:
        """The pause before a task is tried again."""
        return dt.timedelta(seconds=self.retry_seconds)
