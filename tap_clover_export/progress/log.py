"""Log lines of a run at a humane rate, and its summary, in words and in fields for programs."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from tap_clover_export import times

if TYPE_CHECKING:
    from tap_clover_export.exports.export import Export
    from tap_clover_export.progress.stats import Count, Tally

logger = logging.getLogger("tap-clover-export.progress")

FEW = 40
"""Where no more exports are planned, each one's end is a line."""

PULSE_SECONDS = 60.0
PULSE_SHARE = 0.05
"""A line of sums comes once a minute at most, in a long run once in this share of its time."""

FIELDS = {
    **{name: f"exports_{name}" for name in ("planned", "taken_up", "asked", "emitted")},
    "failed": "failures",
    "waited": "waited_seconds",
}
"""A count's names in structured logs, where they are others there."""

QUIET_SECONDS = 600.0
"""It comes after so long also where nothing moved."""


REASONS = 3
"""Of what failed in passing, the commonest are named."""


class Chronicle:
    """Tells the log what a run does.

    Attributes:
        displayed: Whether somebody watches a display; the lines of sums are left to it.
    """

    def __init__(self, tally: Tally) -> None:
        self.displayed = False
        self._tally = tally
        self._told = 0
        self._told_at = 0.0
        self._lock = threading.Lock()
        self._troubles: Counter[str] = Counter()
        self._troubles_at = -PULSE_SECONDS

    def begin(self, places: int, pending: int) -> None:
        """Say what is planned.

        Args:
            places: How many exports may be in progress at Clover at a time.
            pending: Exports of former runs that can be taken up.
        """
        tally, total = self._tally, self._tally.total
        taken_up = f"{pending:,} of them taken up from former runs, " if pending else ""
        _say(
            logging.INFO,
            f"Planned: {_number(total.planned, 'export')} of "
            f"{_number(tally.merchants, 'merchant')} "
            f"({', '.join(f'{name} {count.planned:,}' for name, count in tally.streams.items())}), "
            f"{taken_up}{places} at a time.",
            exports_planned=total.planned,
            exports_pending=pending,
            merchants=tally.merchants,
        )

    def emitted(self, export: Export, seconds: float) -> None:
        """An export was emitted, so many seconds after it was asked for or taken up."""
        records = export.spool.records if export.spool else 0
        _say(
            logging.INFO if self._tally.total.planned <= FEW else logging.DEBUG,
            f"Emitted {export}: {_number(records, 'record')} in {duration(seconds)}.",
            stream_name=export.partition.stream,
            merchant_id=export.partition.merchant.id,
            export_start=times.to_text(export.window.start),
            export_end=times.to_text(export.window.end),
            records=records,
            seconds=round(seconds, 1),
        )
        self.pulse()

    def retried(self, reason: str) -> None:
        """An attempt failed in passing; may be called from any thread."""
        with self._lock:
            self._troubles[reason] += 1

    def _troubled(self, pause: float) -> None:
        """Say what failed in passing, if that was not said lately."""
        if not self._troubles or self._tally.seconds < self._troubles_at + pause:
            return
        with self._lock:
            troubles, self._troubles = self._troubles, Counter()
        self._troubles_at = self._tally.seconds
        reasons = [f"{reason} ({number:,})" for reason, number in troubles.most_common(REASONS)]
        attempts = troubles.total()
        _say(
            logging.INFO,
            f"{_number(attempts, 'attempt')} failed in passing and will be made again: "
            f"{'; '.join(reasons)}{'; …' if len(troubles) > REASONS else ''}.",
            attempts=attempts,
        )

    def pulse(self) -> None:
        """Say what failed and how far the run is, each if that was not said lately."""
        self._troubled(max(PULSE_SECONDS, PULSE_SHARE * self._tally.seconds))
        tally, total = self._tally, self._tally.total
        moved = total.planned > FEW and total.emitted != self._told
        pause = max(PULSE_SECONDS if moved else QUIET_SECONDS, PULSE_SHARE * tally.seconds)
        if self.displayed or tally.seconds < self._told_at + pause:
            return
        self._told, self._told_at = total.emitted, tally.seconds
        left = tally.seconds_left()
        failed = f", {tally.merchants_failed:,} failed" if tally.merchants_failed else ""
        _say(
            logging.INFO,
            f"So far: {total.emitted:,} of {_number(total.planned, 'export')} emitted, "
            f"{_number(total.records, 'record')}, {tally.merchants_done:,} of "
            f"{_number(tally.merchants, 'merchant')} done{failed}, in {duration(tally.seconds)}"
            f"{'' if left is None else f'; about {duration(left)} of work left'}.",
            **_fields(total),
            seconds=round(tally.seconds, 1),
            seconds_left=None if left is None else round(left),
        )

    def end(self, *, shown: bool) -> None:
        """Say what came of each stream, unless a table shows it, and of the run."""
        self._troubled(0)
        tally = self._tally
        level = logging.DEBUG if shown else logging.INFO
        for name, count in tally.streams.items():
            _say(
                level, f"Summary of {name}: {in_words(count)}.", stream_name=name, **_fields(count)
            )
        total = tally.total
        _say(
            logging.INFO,
            f"The run took {duration(tally.seconds)}: "
            f"{_number(total.emitted, 'export')}, {_number(total.records, 'record')}, "
            f"{tally.merchants_done:,} of {_number(tally.merchants, 'merchant')} done.",
            seconds=round(tally.seconds, 1),
            merchants=tally.merchants,
            merchants_done=tally.merchants_done,
            merchants_failed=tally.merchants_failed,
            **_fields(total),
        )


def in_words(count: Count) -> str:
    """A stream's counts in a sentence, without its stop."""
    taken_up = f" and {count.taken_up:,} taken up" if count.taken_up else ""
    return (
        f"{count.emitted:,} of {_number(count.planned, 'export')} emitted ({count.asked:,} asked "
        f"for{taken_up}), {_number(count.records, 'record')}, waited {duration(count.waited)}, "
        f"{_number(count.retries, 'retry', 'retries')}, missing: {missing(count)}"
    )


def missing(count: Count) -> str:
    """What of a stream was planned and is not emitted."""
    if not count.missing and not count.failed:
        return "nothing"
    failed = f" ({_number(count.failed, 'merchant')} failed)" if count.failed else ""
    return f"{_number(count.missing, 'export')}{failed}"


def duration(seconds: float) -> str:
    """A length of time in the two units that matter."""
    if 0 < seconds < 9.95:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _number(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _fields(count: Count) -> dict[str, Any]:
    fields = {FIELDS.get(name, name): value for name, value in dataclasses.asdict(count).items()}
    return fields | {"exports_missing": count.missing}


def _say(level: int, sentence: str, **fields: Any) -> None:  # noqa: ANN401
    """Log a sentence; the fields show in structured logs."""
    logger.log(level, "%s", sentence, extra=fields)
