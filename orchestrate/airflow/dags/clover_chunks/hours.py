"""When each region's export service is open; all in UTC."""

from __future__ import annotations

import dataclasses
import datetime as dt

ANYTIME_HOURS = 4.0
"""How long a run may ask for exports where no hours are known."""


@dataclasses.dataclass(frozen=True)
class Hours:
    """A region's opening hours and when its DAG starts in them.

    Attributes:
        week: For each day from Monday, the hours `[from, to)`; empty where none are known.
        crons: When the DAG starts; none leaves it to the user.
    """

    week: tuple[tuple[int, int], ...] = ()
    crons: tuple[str, ...] = ()

    def left(self, now: dt.datetime) -> float:
        """How many hours the service stays open; 0 while it is closed."""
        if not self.week:
            return ANYTIME_HOURS
        begin, end = self.week[now.weekday()]
        hour = (now - now.replace(hour=0, minute=0, second=0, microsecond=0)) / dt.timedelta(
            hours=1
        )
        return end - hour if begin <= hour < end else 0.0


REGIONS = {
    "us": Hours(((10, 15),) * 7, ("10 10 * * *",)),
    "eu": Hours(((1, 5),) * 5 + ((2, 5), (2, 6)), ("10 1 * * MON-FRI", "10 2 * * SAT,SUN")),
    "la": Hours(),
    "sandbox": Hours(),
}
"""As Clover documents them: https://docs.clover.com/docs/exporting-merchant-data"""


def share(left: float, at_once: int, chunks: int) -> float:
    """How many hours each chunk may ask for exports, so that all get their turn before closing.

    Args:
        left: Hours until the service closes.
        at_once: How many chunks run at a time.
        chunks: How many chunks there are.
    """
    return left * min(1.0, at_once / chunks)
