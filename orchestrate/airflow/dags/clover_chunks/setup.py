"""What the environment says about the DAGs."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from clover_chunks.hours import REGIONS

if TYPE_CHECKING:
    from collections.abc import Mapping


class SetupError(Exception):
    """The environment can't be used; says which variable and what to do."""


@dataclasses.dataclass(frozen=True)
class Setup:
    """How merchants become chunks and chunks become runs.

    Attributes:
        project: The Meltano project.
        command: What starts Meltano.
        run: What `meltano run` runs.
        merchants_file: Every merchant with its token, as the tap takes it.
        region: The region of a merchant that names none.
        regions: The regions that have a DAG.
        chunks: Into how many chunks a region's merchants are divided.
        pool: Airflow's pool that holds Clover's limit.
        places: The slots of the pool: exports in progress at Clover at a time.
        slots: Those that a chunk takes, the tap's `max_concurrent_exports`.
        retries: How often a chunk that was cut off is tried again.
        retry_seconds: The pause before.
    """

    project: Path
    command: tuple[str, ...]
    run: tuple[str, ...]
    merchants_file: Path
    region: str
    regions: tuple[str, ...]
    chunks: int
    pool: str
    places: int
    slots: int
    retries: int
    retry_seconds: int

    @classmethod
    def read(cls, environment: Mapping[str, str], folder: Path) -> Setup:
        """Read the environment.

        Args:
            environment: As in `os.environ`.
            folder: Where the DAG lies: in a Meltano project, unless the environment names one.

        Raises:
            SetupError: A value can't be used.
        """

        def text(name: str, default: str) -> str:
            return environment.get(name, "").strip() or default

        def number(name: str, default: int, least: int = 1) -> int:
            value = text(name, str(default))
            if not (value.isascii() and value.isdigit() and int(value) >= least):
                raise SetupError(f"{name} is not usable; give a whole number from {least} on.")
            return int(value)

        around = (at for at in (folder, *folder.parents) if (at / "meltano.yml").exists())
        project = Path(text("CLOVER_EXPORT_PROJECT", "") or next(around, folder))
        setup = cls(
            project=project,
            command=tuple(shlex.split(text("CLOVER_EXPORT_MELTANO", "meltano"))),
            run=tuple(text("CLOVER_EXPORT_RUN", "tap-clover-export target-postgres").split()),
            merchants_file=project / text("TAP_CLOVER_EXPORT_MERCHANTS_FILE", "merchants.csv"),
            region=text("TAP_CLOVER_EXPORT_REGION", "us"),
            regions=tuple(text("CLOVER_EXPORT_REGIONS", "us,eu").replace(",", " ").split()),
            chunks=number("CLOVER_EXPORT_CHUNKS", 16),
            pool=text("CLOVER_EXPORT_POOL", "clover_export"),
            places=number("CLOVER_EXPORT_PLACES", 3),
            slots=number("TAP_CLOVER_EXPORT_MAX_CONCURRENT_EXPORTS", 1),
            retries=number("CLOVER_EXPORT_RETRIES", 3, least=0),
            retry_seconds=number("CLOVER_EXPORT_RETRY_SECONDS", 300, least=0),
        )
        unknown = set(setup.regions) - set(REGIONS)
        if unknown:
            raise SetupError(
                f"CLOVER_EXPORT_REGIONS has {', '.join(sorted(unknown))}; known are "
                f"{', '.join(REGIONS)}."
            )
        if setup.slots > setup.places:
            raise SetupError(
                "TAP_CLOVER_EXPORT_MAX_CONCURRENT_EXPORTS is above CLOVER_EXPORT_PLACES, so that "
                "no chunk would ever start; lower it."
            )
        return setup
