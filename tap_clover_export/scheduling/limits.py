"""What a run keeps to, by its settings."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_clover_export.clock import Clock


@dataclasses.dataclass(frozen=True)
class Limits:
    """The limits of a run; times in seconds.

    Attributes:
        slots: How many exports may be in progress at Clover at a time.
        max_wait: How long a region may refuse before its work is given up.
        max_run: After this long no new export is requested.
        patience: How long, after that, what was requested is waited for.
    """

    slots: int
    max_wait: float
    max_run: float | None = None
    patience: float = 3 * 3600.0


class Deadline:
    """The time after which no new export is requested, and the end of what was.

    Attributes:
        requests: No new export is requested from then on, on the monotonic clock.
        end: What was requested and is not here by then is left to the next run.
    """

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self.requests = clock.monotonic() + (limits.max_run or math.inf)
        self.end = self.requests + limits.patience

    @property
    def passed(self) -> bool:
        """Whether enough was requested."""
        return self._clock.monotonic() >= self.requests

    @property
    def ended(self) -> bool:
        """Whether enough was waited for."""
        return self._clock.monotonic() > self.end
