"""Log lines of a run at a humane rate, and its summary, in words and in fields for programs."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from tap_clover_export import times
from tap_clover_export.times import duration

if TYPE_CHECKING:
    from tap_clover_export.planning.plan import Partition
    from tap_clover_export.planning.windows import Window
    from tap_clover_export.progress.stats import RunStats, StreamStats

logger = logging.getLogger("tap-clover-export.progress")

MAX_DETAILED = 40
"""The most planned exports of which each one's end is a line."""

REPORT_SECONDS = 60.0
REPORT_SHARE = 0.05
"""A line of sums comes once a minute at most, in a long run once in this share of its time."""

IDLE_SECONDS = 600.0
"""How soon it comes where nothing moved."""

MAX_REASONS = 3
"""How many reasons of failed attempts are named, the commonest."""


class ProgressLog:
    """Tells the log what a run does.

    Attributes:
        displayed: Whether somebody watches a display; how far the run is, is left to it.
    """

    def __init__(self, stats: RunStats) -> None:
        self.displayed = False
        self._stats = stats
        self._reported = 0
        self._reported_at = 0.0
        self._lock = threading.Lock()
        self._failed_attempts: Counter[str] = Counter()
        self._failed_attempts_at = -REPORT_SECONDS

    def begin(self, slots: int, pending: int) -> None:
        """Say what is planned.

        Args:
            slots: How many exports may be in progress at Clover at a time.
            pending: Exports of earlier runs that can be resumed.
        """
        stats, total = self._stats, self._stats.total
        resumed = f"{pending:,} of them resumed from earlier runs, " if pending else ""
        _say(
            logging.INFO,
            f"Planned: {_number(total.planned, 'export')} of "
            f"{_number(stats.merchants, 'merchant')} "
            f"({', '.join(f'{name} {one.planned:,}' for name, one in stats.streams.items())}), "
            f"{resumed}{slots} at a time.",
            exports_planned=total.planned,
            exports_pending=pending,
            merchants=stats.merchants,
        )

    def emitted(self, partition: Partition, window: Window, records: int, seconds: float) -> None:
        """An export was emitted.

        Args:
            partition: The merchant's stream.
            window: The time that it covers.
            records: How many it held.
            seconds: How long ago it was requested or resumed.
        """
        start, end = times.to_text(window.start), times.to_text(window.end)
        detailed = self._stats.total.planned <= MAX_DETAILED and not self.displayed
        _say(
            logging.INFO if detailed else logging.DEBUG,
            f"Emitted {partition}, {start} to {end}: "
            f"{_number(records, 'record')} in {duration(seconds)}.",
            stream_name=partition.stream,
            merchant_id=partition.merchant.id,
            export_start=start,
            export_end=end,
            records=records,
            seconds=round(seconds, 1),
        )
        self.report_if_due()

    def attempt_failed(self, reason: str) -> None:
        """An attempt failed and will be retried; may be called from any thread."""
        logger.debug("An attempt failed and will be retried: %s.", reason)
        with self._lock:
            self._failed_attempts[reason] += 1

    def _report_failed_attempts(self, pause: float, *, over: bool = False) -> None:
        """Say which attempts failed, if that was not said lately."""
        seconds = self._stats.seconds
        if not self._failed_attempts or seconds < self._failed_attempts_at + pause:
            return
        with self._lock:
            failed, self._failed_attempts = self._failed_attempts, Counter()
        self._failed_attempts_at = seconds
        reasons = [f"{reason} ({number:,})" for reason, number in failed.most_common(MAX_REASONS)]
        attempts = failed.total()
        number = _number(attempts, "attempt")
        words = "; ".join([*reasons, "…"] if len(failed) > MAX_REASONS else reasons)
        again = f"{number} failed and will be retried: {words}."
        _say(logging.INFO, f"{number} failed: {words}." if over else again, attempts=attempts)

    def report_if_due(self) -> None:
        """Say what failed and how far the run is, each if that was not said lately."""
        self._report_failed_attempts(max(REPORT_SECONDS, REPORT_SHARE * self._stats.seconds))
        stats, total = self._stats, self._stats.total
        moved = total.planned > MAX_DETAILED and total.emitted != self._reported
        pause = max(REPORT_SECONDS if moved else IDLE_SECONDS, REPORT_SHARE * stats.seconds)
        if self.displayed or stats.seconds < self._reported_at + pause:
            return
        self._reported, self._reported_at = total.emitted, stats.seconds
        left = stats.seconds_left()
        failed = f", {stats.merchants_failed:,} failed" if stats.merchants_failed else ""
        _say(
            logging.INFO,
            f"So far: {total.emitted:,} of {_number(total.planned, 'export')} emitted, "
            f"{_number(total.records, 'record')}, {stats.merchants_done:,} of "
            f"{_number(stats.merchants, 'merchant')} done{failed}, in {duration(stats.seconds)}"
            f"{'' if left is None else f'; about {duration(left)} of work left'}.",
            **_fields(total),
            seconds=round(stats.seconds, 1),
            seconds_left=None if left is None else round(left),
        )

    def end(self, *, shown: bool) -> None:
        """Say what came of each stream, unless a table shows it, and of the run."""
        self._report_failed_attempts(0, over=True)
        stats = self._stats
        level = logging.DEBUG if shown else logging.INFO
        for name, stream in stats.streams.items():
            _say(
                level,
                f"Summary of {name}: {in_words(stream)}.",
                stream_name=name,
                **_fields(stream),
            )
        total = stats.total
        _say(
            logging.INFO,
            f"The run took {duration(stats.seconds)}: "
            f"{_number(total.emitted, 'export')}, {_number(total.records, 'record')}, "
            f"{stats.merchants_done:,} of {_number(stats.merchants, 'merchant')} done.",
            seconds=round(stats.seconds, 1),
            merchants=stats.merchants,
            merchants_done=stats.merchants_done,
            merchants_failed=stats.merchants_failed,
            **_fields(total),
        )


def in_words(stream: StreamStats) -> str:
    """A stream's counts in a sentence, without its stop."""
    resumed = f", {stream.resumed:,} resumed" if stream.resumed else ""
    return (
        f"{stream.emitted:,} of {_number(stream.planned, 'export')} emitted "
        f"({stream.requested:,} requested{resumed}), {_number(stream.records, 'record')}, "
        f"waited {duration(stream.waited)}, "
        f"{_number(stream.retries, 'retry', 'retries')}, missing: {missing(stream)}"
    )


def missing(stream: StreamStats) -> str:
    """What of a stream was planned and is not emitted."""
    if not stream.missing and not stream.failed:
        return "nothing"
    failed = f" ({_number(stream.failed, 'merchant')} failed)" if stream.failed else ""
    return f"{_number(stream.missing, 'export')}{failed}"


def _number(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _fields(stats: StreamStats) -> dict[str, Any]:
    return {
        "exports_planned": stats.planned,
        "exports_taken_up": stats.resumed,
        "exports_asked": stats.requested,
        "exports_emitted": stats.emitted,
        "exports_missing": stats.missing,
        "records": stats.records,
        "retries": stats.retries,
        "failures": stats.failed,
        "waited_seconds": stats.waited,
    }


def _say(level: int, sentence: str, **fields: Any) -> None:  # noqa: ANN401
    """Log a sentence; the fields show in structured logs."""
    logger.log(level, "%s", sentence, extra=fields)
