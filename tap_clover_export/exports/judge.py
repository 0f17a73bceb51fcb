"""What an answer of the API means for an export, by what earlier answers said."""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict, deque
from typing import TYPE_CHECKING

from tap_clover_export import times
from tap_clover_export.clover.origins import file_name
from tap_clover_export.clover.unavailable import APART
from tap_clover_export.exports import backoff
from tap_clover_export.exports.export import Stage
from tap_clover_export.exports.outcomes import (
    Accepted,
    Empty,
    Failed,
    Finished,
    Moved,
    Outcome,
    Split,
    Working,
)
from tap_clover_export.planning.plan import KEPT

if TYPE_CHECKING:
    from pendulum import DateTime

    from tap_clover_export.clock import Clock
    from tap_clover_export.clover.responses import ExportAnswer
    from tap_clover_export.clover.unavailable import KnownHours
    from tap_clover_export.errors import BadRequestError
    from tap_clover_export.exports.export import Export

logger = logging.getLogger("tap-clover-export.exports")

WIDE = dt.timedelta(days=29)
"""Whether exactly 30 days are allowed is unknown: a 400 on a wider window is tried as halves."""

YOUNG_EXPORT_SECONDS = (KEPT - dt.timedelta(hours=1)).total_seconds()
"""Near the end of Clover's day an export without files has lost them."""

LAST = 8
"""The last exports of a region tell when the next one may be done."""


class Judge:
    """Judges the answers to requests and polls; asks nothing itself."""

    def __init__(
        self, clock: Clock, hours: KnownHours, *, poll_interval: float, timeout: float
    ) -> None:
        """Make a judge.

        Args:
            clock: The time.
            hours: What is known of the regions' hours.
            poll_interval: The longest pause between two polls, in seconds.
            timeout: How long Clover may work on one export, in seconds of its open hours.
        """
        self._clock = clock
        self._hours = hours
        self._poll_interval = poll_interval
        self.timeout = timeout
        self._said: set[str] = set()
        self._lasted: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=LAST))

    # Of a request

    def created(self, export: Export, answer: ExportAnswer) -> Outcome:
        """Clover made an export: the one that was asked for, as far as it says."""
        if not _covers(export, answer):
            return self._narrowed(export, answer)
        logger.debug("Requested %s: export %s.", export, answer.id)
        pause = max(backoff.FIRST_POLL, backoff.FIRST_POLL_SHARE * self._shortest(export))
        pause = min(pause, self._poll_interval)
        return Accepted(answer.id, self._plausible(answer.created), pause)

    def too_wide(self, export: Export, error: BadRequestError) -> Outcome | None:
        """A 400 to a request that may pass, or be too much; None where it is neither."""
        # "Internal Error" is Clover's word for too much; exactly 30 days may be too wide.
        export.attempts.answered()
        if error.too_much:
            export.attempts.too_much += 1
            if export.attempts.too_much < backoff.TRIES_TOO_MUCH:
                return Moved(Stage.CREATE, export.attempts.backoff.next(), str(error))
        elif export.window.width <= WIDE:
            return None
        halves = export.window.halves()
        return halves and Split(halves, f"Clover refused {export} as a whole ({error.in_full()})")

    def _narrowed(self, export: Export, answer: ExportAnswer) -> Outcome:
        # An answer that covers less than was asked is no answer to it.
        halves = export.window.halves() if answer.type in (None, export.partition.type) else None
        if halves is None:
            return Failed(
                f"Clover made another export than the one of {export} that was asked for; "
                "run again later or ask Clover's support"
            )
        return Split(halves, f"Clover covers only a part of {export}")

    def _plausible(self, created: DateTime | None) -> DateTime:
        """When an export was created, by Clover's clock where that can be."""
        # A createdTime more than a day from our own clock is not believed.
        now = self._now()
        if created is None or abs(created - now) <= APART:
            return created or now
        self._warn(
            "createdTime",
            f"Clover says that an export of now was created {times.to_text(created)}; this "
            "machine's own clock counts instead.",
        )
        return now

    # Of a poll

    def polled(self, export: Export, answer: ExportAnswer) -> Outcome:
        """How an export is."""
        export.attempts.polled(Stage.POLL.value)
        if not export.named:
            export.attempts.succeeded()
        if not _covers(export, answer):
            if not export.resumed:
                return self._narrowed(export, answer)
            return self._again(f"Export {export.id} is not of {export}")
        if answer.status in ("PENDING", "IN_PROGRESS"):
            return self._pending(export)
        if answer.status in ("DONE", "COMPLETE"):
            return self._done(export, answer)
        return self._unknown(export, answer)

    def not_found(self, export: Export) -> Outcome:
        """404 to a poll."""
        age = self._clock.monotonic() - export.requested
        if export.resumed and export.created:
            age += abs((self._now() - export.created).total_seconds())
        if age < backoff.YOUNG_SECONDS:
            # What was made just now may not be known everywhere yet.
            return Working(max(1.0, age / 2))
        return self._lost(export, "is gone")

    def open_for_long(self, export: Export, seconds: float) -> bool:
        """Whether Clover was open for the time-out in the last seconds."""
        region = export.partition.merchant.region
        return (
            seconds >= self.timeout
            and self._hours.open_seconds(region, seconds, self._now()) >= self.timeout
        )

    def _pending(self, export: Export) -> Outcome:
        elapsed = self._clock.monotonic() - export.requested
        if not self.open_for_long(export, elapsed):
            pause = backoff.poll_pause(elapsed, self._shortest(export))
            return Working(min(pause, self._poll_interval))
        # Rule 7: an export that never finishes is given up, and its window halved.
        minutes = f"{self.timeout / 60:g} minutes"
        halves = export.window.halves()
        if halves is None:
            return Failed(
                f"Clover did not finish an export in {minutes}; "
                "raise export_timeout_minutes or ask Clover's support"
            )
        return Split(halves, f"Clover did not finish {export} in {minutes}")

    def _shortest(self, export: Export) -> float:
        """The shortest time that the last exports of its region took, in seconds."""
        return min(self._lasted[export.partition.merchant.region], default=0.0)

    def _done(self, export: Export, answer: ExportAnswer) -> Outcome:
        created = export.created or self._now()
        if not export.resumed and not export.named and not export.attempts.without_links:
            elapsed = self._clock.monotonic() - export.requested
            self._lasted[export.partition.merchant.region].append(elapsed)
        if answer.created is not None and abs(answer.created - created) <= APART:
            created = answer.created
        urls = answer.urls or ()
        # Rule 2: an answer is judged by what earlier answers said. Files that were named before,
        # or that may have been dropped after Clover's day, are gone; no files is not empty then.
        if len({file_name(url) for url in urls}) < len(export.named):
            return self._lost(export, "no longer names all its files")
        if urls:
            export.attempts.without_links = 0
            return Finished(urls, created)
        age = self._clock.monotonic() - export.requested  # Clover's clock may be another one
        if export.resumed or age > YOUNG_EXPORT_SECONDS:
            return self._lost(export, "names no files after so long a time")
        if answer.urls is None and export.attempts.without_links < len(backoff.LINK_PAUSES):
            export.attempts.without_links += 1
            pause = backoff.LINK_PAUSES[export.attempts.without_links - 1]
            return Working(pause, finished=True)
        if export.had_files:
            return self._lost(export, "names no files where there were some before")
        if answer.urls is None:
            self._warn("without links", f"Clover names no files for {export}; taken for empty.")
        return Empty(created)

    def _unknown(self, export: Export, answer: ExportAnswer) -> Outcome:
        export.attempts.unknown_status += 1
        status = "".join(letter for letter in answer.status[:40] if letter.isprintable())
        if export.attempts.unknown_status >= backoff.TRIES_UNKNOWN_STATUS:
            return Failed(
                f"Clover ended an export with status {status} "
                f"{backoff.TRIES_UNKNOWN_STATUS} times; run again later or ask Clover's support"
            )
        return self._again(f"Clover ended {export} with status {status}")

    def _lost(self, export: Export, what: str) -> Outcome:
        if not export.resumed:
            export.attempts.gone += 1
        if export.attempts.gone >= backoff.TRIES_GONE:
            return Failed(
                f"Clover lost an export {backoff.TRIES_GONE} times; "
                "run again later or ask Clover's support"
            )
        return self._again(f"Export {export.id} of {export} {what}")

    @staticmethod
    def _again(reason: str) -> Moved:
        logger.warning("%s; creating it again.", reason)
        return Moved(Stage.CREATE, reason="an export had to be created again")

    def _now(self) -> DateTime:
        return times.from_seconds(self._clock.now())

    def _warn(self, kind: str, sentence: str) -> None:
        """Say something once a run."""
        if kind not in self._said:
            self._said.add(kind)
            logger.warning("%s", sentence)


def _covers(export: Export, answer: ExportAnswer) -> bool:
    """Whether an answer is of all that was asked for, as far as it says of what it is."""
    start, end = times.to_ms(export.window.start), times.to_ms(export.window.end)
    return (
        answer.type in (None, export.partition.type)
        and (answer.start is None or answer.start <= start)
        and (answer.end is None or answer.end >= end)
    )
