"""Reading settings one by one, with a sentence for each that can't be used."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_clover_export import times
from tap_clover_export.settings.hosts import REGIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pendulum import DateTime

PROJECT_ROOT = "MELTANO_PROJECT_ROOT"
"""The variable in which Meltano says where its project lies."""


def from_project(given: str) -> Path:
    """A path that begins at Meltano's project, where there is one.

    Raises:
        RuntimeError: It begins at a home that is unknown.
    """
    # Meltano runs the tap where the user stands, not where the project lies.
    return Path(os.environ.get(PROJECT_ROOT, ""), Path(given).expanduser())


class Fields:
    """Reads values of a config without empty ones, and collects why some can't be used."""

    def __init__(self, config: Mapping[str, Any], reasons: list[str]) -> None:
        self.config = config
        self.reasons = reasons

    def add_once(self, reason: str) -> None:
        """Add a reason, unless it is there already."""
        if reason not in self.reasons:
            self.reasons.append(reason)

    def text(self, name: str) -> str | None:
        """A setting's text, without the space around it."""
        value = self.config.get(name)
        if value is not None and not isinstance(value, str):
            self.reasons.append(f"{name} is not text; put it in quotes.")
            return None
        return value.strip() if value is not None else None

    def region(self, where: str, value: object) -> str:
        """A region's name."""
        if isinstance(value, str) and value.strip().lower() in REGIONS:
            return value.strip().lower()
        self.reasons.append(f"{where} is not one of {', '.join(REGIONS)}; give one of these.")
        return REGIONS[0]

    def time(self, where: str, value: object) -> DateTime | None:
        """A time, in UTC."""
        if value is None:
            return None
        try:
            if isinstance(value, (dt.date, dt.datetime)):
                value = value.isoformat()
            return times.parse(str(value))
        except ValueError:
            self.reasons.append(
                f"{where} is not a date or date-time; write it like 2026-01-31 "
                "or 2026-01-31T09:00:00Z."
            )
            return None

    def path(self, name: str, given: str) -> Path:
        """A path, with the user's home for `~`."""
        try:
            return from_project(given)
        except RuntimeError:
            self.reasons.append(f"{name} names a home that is unknown; give a full path.")
            return Path(given)
