"""Singer metrics of a stream over all its merchants: METRIC lines once a minute and at the end.

The SDK writes two a partition and sync, which a log of thousands of merchants drowns in.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from singer_sdk import metrics
from typing_extensions import override

if TYPE_CHECKING:
    from tap_clover_export.progress.stats import StreamStats


class RecordCounter(metrics.Counter):
    """Counts the records of a stream, for the METRIC lines and for what the run tells."""

    def __init__(self, stream: str, stats: StreamStats) -> None:
        super().__init__(metrics.Metric.RECORD_COUNT, {metrics.Tag.STREAM: stream})
        self._stats = stats

    @override
    def increment(self, value: int = 1) -> None:
        self._stats.records += value
        super().increment(value)

    @override
    def with_context(self, value: Any) -> None:
        """None: it goes on over all partitions."""

    @override
    def __enter__(self) -> Self:
        return self

    @override
    def __exit__(self, *_: object) -> None: ...

    def close(self) -> None:
        """Write what was counted since the last line."""
        if self.value:
            self.exit()


class SyncTimer(metrics.Timer):
    """Sums up the time in which a stream was emitted."""

    def __init__(self, stream: str) -> None:
        super().__init__(metrics.Metric.SYNC_DURATION, {metrics.Tag.STREAM: stream})
        self._seconds = 0.0

    @override
    def with_context(self, value: Any) -> None:
        """None: it goes on over all partitions."""

    @override
    def __enter__(self) -> Self:
        self.start_time = time.time()
        return self

    @override
    def __exit__(self, *_: object) -> None:
        self._seconds += time.time() - self.start_time

    @override
    def elapsed(self) -> float:
        return self._seconds

    def close(self, *, failed: bool) -> None:
        """Write how long it took."""
        self.tags[metrics.Tag.STATUS] = (
            metrics.Status.FAILED if failed else metrics.Status.SUCCEEDED
        )
        super().__exit__(None, None, None)
