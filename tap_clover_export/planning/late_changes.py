"""When late changes are looked for; pure."""

from __future__ import annotations

import dataclasses
import datetime as dt
import zlib
from typing import TYPE_CHECKING

from tap_clover_export.times import to_ms

if TYPE_CHECKING:
    from pendulum import DateTime

_HASHES = 1 << 32


@dataclasses.dataclass(frozen=True)
class LateChanges:
    """How far the search for a partition's late changes is.

    Attributes:
        at: Whatever was changed late before this was found.
        begun: When the search that is under way began, if one is.
        reached: What it has exported again: everything from here on.
    """

    at: DateTime | None = None
    begun: DateTime | None = None
    reached: DateTime | None = None


@dataclasses.dataclass(frozen=True)
class Search:
    """The search that a run makes.

    Attributes:
        since: The earliest time that it exports again.
        begun: When it began, in this run or an earlier one.
        reached: Where an earlier run stopped, if one began it.
    """

    since: DateTime
    begun: DateTime
    reached: DateTime | None = None


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How far back late changes are looked for, and how often."""

    reach: dt.timedelta
    every: dt.timedelta

    def search(
        self,
        merchant_id: str,
        known: LateChanges,
        now: DateTime,
        *,
        earliest: DateTime,
        failed: bool = False,
    ) -> Search | None:
        """The search that is due, or that goes on; None where neither is.

        One that takes long goes on to its end. Where it failed, or nothing of it is left, it
        begins again once the next is due.

        Args:
            merchant_id: The merchant.
            known: How far it is.
            now: The time.
            earliest: The earliest time to look at.
            failed: Whether the last run failed where it has to go on.
        """
        last = known.at
        if known.begun and known.reached:
            last, since = known.begun, max(earliest, known.begun - self.reach)
            if since < known.reached and not (failed and self._is_due(merchant_id, last, now)):
                return Search(since, known.begun, known.reached)
        if last and self._is_due(merchant_id, last, now):
            return Search(max(earliest, now - self.reach), now)
        return None

    def _is_due(self, merchant_id: str, last: DateTime, now: DateTime) -> bool:
        """Whether a merchant's turn, of which each period has one, came between two times."""
        period = max(1, self.every // dt.timedelta(milliseconds=1))
        offset = period * zlib.crc32(merchant_id.encode()) // _HASHES
        return (to_ms(last) + offset) // period < (to_ms(now) + offset) // period
