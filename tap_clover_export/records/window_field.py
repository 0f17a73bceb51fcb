"""Which time Clover's windows filter on, as the records tell."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_clover_export.records.decoder import Record

MAX_OBSERVED = 10_000
"""How many records of an export are looked at, to the end of a batch."""


@dataclasses.dataclass
class Observed:
    """What was seen of the times of a window's records, or of many windows'.

    Rule 11: whether windows go by `createdTime` or `modifiedTime` is documented nowhere.

    Attributes:
        records: How many were looked at.
        created: How many of them have a `createdTime` outside their window.
        modified: How many of them have a `modifiedTime` outside their window.
    """

    records: int = 0
    created: int = 0
    modified: int = 0

    def __add__(self, other: Observed) -> Observed:
        return Observed(
            self.records + other.records,
            self.created + other.created,
            self.modified + other.modified,
        )

    def add(self, records: Iterable[Record], start: int, end: int) -> None:
        """Look at a batch of records of one window, unless enough of them were seen.

        Args:
            records: Records whose times are still in milliseconds.
            start: The window's start, in milliseconds since the epoch.
            end: The window's end; a record on the edge lies inside.
        """
        if self.records >= MAX_OBSERVED:
            return
        for record in records:
            created, modified = record.createdTime, record.modifiedTime
            if isinstance(created, int) and isinstance(modified, int):
                self.records += 1
                self.created += not start <= created <= end
                self.modified += not start <= modified <= end

    @property
    def field(self) -> str | None:
        """The time that the windows hold, where the records tell."""
        if self.contradicts or not (self.created or self.modified):
            return None
        return "modifiedTime" if self.created else "createdTime"

    @property
    def contradicts(self) -> bool:
        """Whether the windows hold neither of the two times."""
        return bool(self.created and self.modified)
