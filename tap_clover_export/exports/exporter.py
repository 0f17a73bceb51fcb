"""Takes an export a step further: one attempt, and what follows from its answer."""

from __future__ import annotations

import datetime as dt
import logging
from typing import TYPE_CHECKING, Protocol

from tap_clover_export import times
from tap_clover_export.clover.auth import unauthorized_message
from tap_clover_export.clover.unavailable import LOOK_AGAIN, KnownHours
from tap_clover_export.clover.urls import file_name
from tap_clover_export.errors import (
    BadRequestError,
    CloverError,
    NotFoundError,
    RateLimitedError,
    ServiceUnavailableError,
    SpoolError,
    SpoolFullError,
    TokenStoreError,
    TransientError,
    UnauthorizedError,
)
from tap_clover_export.exports import retry
from tap_clover_export.exports.export import Export, Stage
from tap_clover_export.exports.outcomes import (
    Accepted,
    Empty,
    Failed,
    Finished,
    Moved,
    NoSpace,
    Outcome,
    RateLimited,
    Refused,
    Split,
    Working,
)
from tap_clover_export.exports.spool import EXPORT_BYTES, Spool
from tap_clover_export.planning.plan import KEPT

if TYPE_CHECKING:
    from pendulum import DateTime

    from tap_clover_export.clock import Clock
    from tap_clover_export.clover.client import Sink
    from tap_clover_export.clover.responses import ExportAnswer
    from tap_clover_export.planning.plan import ExportType
    from tap_clover_export.planning.windows import Window
    from tap_clover_export.settings.merchants import Merchant

logger = logging.getLogger("tap-clover-export.exports")

WIDE = dt.timedelta(days=29)
"""Whether exactly 30 days are allowed is unknown: a 400 on a wider window is tried as halves."""

YOUNG = KEPT - dt.timedelta(hours=1)
"""Near the end of Clover's day an export without files has lost them."""

LINK_SECONDS = 3600.0
"""Links that have waited this long are renewed before they are used."""

APART = dt.timedelta(days=1)
"""Clocks that differ by more than this are not believed."""


class Api(Protocol):
    """Clover's Export API, one attempt a call."""

    def create(self, merchant: Merchant, kind: ExportType, window: Window, /) -> ExportAnswer:
        """Ask for an export of a window."""
        ...

    def poll(self, merchant: Merchant, export_id: str, /) -> ExportAnswer:
        """Ask how an export is."""
        ...

    def download(self, merchant: Merchant, url: str, into: Sink, /) -> int:
        """Fetch a file."""
        ...


class Exporter:
    """Makes one attempt a call, and judges its answer by what earlier answers said."""

    def __init__(
        self,
        client: Api,
        clock: Clock,
        *,
        poll_interval: float,
        timeout: float,
        most_bytes: int = EXPORT_BYTES,
    ) -> None:
        """Make an exporter.

        Args:
            client: Speaks to Clover.
            clock: The time.
            poll_interval: The longest pause between two polls, in seconds.
            timeout: How long Clover may work on one export, in seconds of its open hours.
            most_bytes: How much of the disk one export may take.
        """
        self._client = client
        self._clock = clock
        self._poll_interval = poll_interval
        self._timeout = timeout
        self._most_bytes = most_bytes
        self._hours = KnownHours()
        self._said: set[str] = set()

    def advance(self, export: Export) -> Outcome:
        """Make one attempt; nothing of it is raised."""
        try:
            if export.stage is Stage.CREATE:
                return self._create(export)
            if export.stage is Stage.POLL:
                return self._poll(export)
            return self._download(export)
        except ServiceUnavailableError as error:
            return self._unavailable(export, error)
        except RateLimitedError as error:
            # Rule 5: a 429 is an answer, not an outage; it fails nobody.
            export.attempts.answered()
            return RateLimited(error.scope, error.retry_after)
        except TransientError as error:
            return self._retry(export, error, export.stage, unanswered=True)
        except SpoolError as error:
            return self._no_space(export, error)
        except SpoolFullError:
            return Failed(
                f"an export takes more than {self._most_bytes / (1 << 30):g} GiB of the temporary "
                "directory; lower window_days"
            )
        except UnauthorizedError as error:
            return Failed(unauthorized_message(export.partition.merchant, error), keep=True)
        except TokenStoreError as error:
            return Failed(str(error).rstrip("."), keep=True)
        except CloverError as error:
            return Failed(
                f"Clover refused the request ({error.in_full()}); correct what it names and run "
                "again",
                keep=True,
            )

    # Creating

    def _create(self, export: Export) -> Outcome:
        partition, window = export.partition, export.window
        try:
            answer = self._client.create(partition.merchant, partition.type, window)
        except BadRequestError as error:
            return self._bad_request(export, error)
        export.attempts.succeeded()
        now = self._now()
        self._hours.accepted(partition.merchant.region, now)
        if not _covers(export, answer):
            return self._narrowed(export, answer)
        logger.debug("Requested %s: export %s.", export, answer.id)
        return Accepted(answer.id, self._plausible(answer.created, now))

    def _bad_request(self, export: Export, error: BadRequestError) -> Outcome:
        # Rule 6: "Internal Error" is Clover's word for too much; exactly 30 days may be too wide.
        halves = None
        export.attempts.answered()
        if error.too_much:
            export.attempts.too_much += 1
            if export.attempts.too_much < retry.TRIES_TOO_MUCH:
                return Moved(Stage.CREATE, export.attempts.backoff.next(), str(error))
            halves = export.window.halves()
        elif export.window.width > WIDE:
            halves = export.window.halves()
        if halves is None:
            raise error
        return Split(halves, f"Clover refused {export} as a whole ({error.in_full()})")

    def _narrowed(self, export: Export, answer: ExportAnswer) -> Outcome:
        """An answer that covers less than was asked is no answer to it (rule 2)."""
        halves = export.window.halves() if answer.type in (None, export.partition.type) else None
        if halves is None:
            return Failed(
                f"Clover made another export than the one of {export} that was asked for; "
                "run again later or ask Clover's support"
            )
        return Split(halves, f"Clover covers only a part of {export}")

    # Polling

    def _poll(self, export: Export) -> Outcome:
        try:
            answer = self._client.poll(export.partition.merchant, export.id or "")
        except NotFoundError:
            return self._not_found(export)
        except BadRequestError as error:
            if not error.too_much:
                raise
            return self._retry(export, error, Stage.POLL)  # which passes (rule 6)
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

    def _pending(self, export: Export) -> Outcome:
        elapsed = self._clock.monotonic() - export.requested
        if not self._open_for_long(export, elapsed):
            return Working(retry.poll_pause(elapsed, self._poll_interval))
        # Rule 7: an export that never finishes is given up, and its window halved.
        minutes = f"{self._timeout / 60:g} minutes"
        halves = export.window.halves()
        if halves is None:
            return Failed(
                f"Clover did not finish an export in {minutes}; "
                "raise export_timeout_minutes or ask Clover's support"
            )
        return Split(halves, f"Clover did not finish {export} in {minutes}")

    def _done(self, export: Export, answer: ExportAnswer) -> Outcome:
        created = export.created or self._now()
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
        if export.resumed or self._now() - created > YOUNG:
            return self._lost(export, "names no files after so long a time")
        if answer.urls is None:
            if export.attempts.without_links < len(retry.LINK_PAUSES):
                export.attempts.without_links += 1
                pause = retry.LINK_PAUSES[export.attempts.without_links - 1]
                return Working(pause, finished=True)
            self._warn("without links", f"Clover names no files for {export}; taken for empty.")
        return Empty(created)

    def _unknown(self, export: Export, answer: ExportAnswer) -> Outcome:
        export.attempts.unknown_status += 1
        status = "".join(letter for letter in answer.status[:40] if letter.isprintable())
        if export.attempts.unknown_status >= retry.TRIES_UNKNOWN_STATUS:
            return Failed(
                f"Clover ended an export with status {status} "
                f"{retry.TRIES_UNKNOWN_STATUS} times; run again later or ask Clover's support"
            )
        return self._again(f"Clover ended {export} with status {status}")

    def _not_found(self, export: Export) -> Outcome:
        age = self._clock.monotonic() - export.requested
        if not export.resumed and age < retry.YOUNG_SECONDS:
            # Rule 6: what was made just now may not be known everywhere yet.
            return Working(max(1.0, age / 2))
        return self._lost(export, "is gone")

    def _lost(self, export: Export, what: str) -> Outcome:
        if not export.resumed:
            export.attempts.gone += 1
        if export.attempts.gone >= retry.TRIES_GONE:
            return Failed(
                f"Clover lost an export {retry.TRIES_GONE} times; "
                "run again later or ask Clover's support"
            )
        return self._again(f"Export {export.id} of {export} {what}")

    def _again(self, reason: str) -> Moved:
        logger.warning("%s; creating it again.", reason)
        return Moved(Stage.CREATE, reason="an export had to be created again")

    # Downloading

    def _download(self, export: Export) -> Outcome:
        """Fetch the next file; a link that fails is renewed by a poll."""
        if export.bad:
            return self._bad_file(export, export.bad)
        if not export.urls:
            return Moved(Stage.READY)
        if self._clock.monotonic() - export.linked > LINK_SECONDS:
            return Moved(Stage.POLL)
        export.spool = export.spool or Spool(self._most_bytes)
        merchant, url, attempts = export.partition.merchant, export.urls[0], export.attempts
        try:
            export.spool.add(
                file_name(url), lambda into: self._client.download(merchant, url, into)
            )
        except NotFoundError as error:
            attempts.gone_files += 1
            if attempts.gone_files >= retry.TRIES_BAD_FILE:
                return _no_file(error)
            return self._retry(export, error, Stage.POLL)
        except RateLimitedError as error:  # the files' host: a matter of this file (rule 5)
            return Working(error.retry_after or attempts.busy_backoff.next(), finished=True)
        except TransientError as error:
            return self._retry(export, error, Stage.POLL)
        attempts.gone_files = 0
        attempts.succeeded()
        export.urls = export.urls[1:]
        return Moved(Stage.DOWNLOAD if export.urls else Stage.READY)

    def _bad_file(self, export: Export, why: str) -> Outcome:
        """Plan to fetch a file again that was no good."""
        attempts, taken = export.attempts, export.spool.taken if export.spool else 0
        export.bad = None
        attempts.bad_files = 1 + attempts.bad_files * (taken == attempts.taken)
        attempts.taken = taken
        if attempts.bad_files >= retry.TRIES_BAD_FILE:
            return _no_file(TransientError(why))
        return self._retry(export, TransientError(why), Stage.POLL)

    # Trying again

    def _retry(
        self, export: Export, error: CloverError, stage: Stage, *, unanswered: bool = False
    ) -> Outcome:
        """Plan the next attempt after a fault that passes, or give up after a long outage."""
        if self._out_for_long(export):
            return Failed(retry.unreachable(error.in_full()), keep=True)
        pause = export.attempts.backoff.next()
        logger.debug("%s: %s; again in %.1f s.", export, error.in_full(), pause)
        return Moved(stage, pause, str(error), unanswered)

    def _no_space(self, export: Export, error: SpoolError) -> Outcome:
        if self._out_for_long(export):
            return Failed(_no_space(str(error)), keep=True)
        return NoSpace(export.attempts.backoff.next(), str(error))

    def _out_for_long(self, export: Export) -> bool:
        out = export.attempts.failed(self._clock.monotonic())
        enough = export.attempts.count >= retry.OUTAGE_ATTEMPTS or out > self._timeout
        return out > retry.OUTAGE_SECONDS and enough

    def _unavailable(self, export: Export, error: ServiceUnavailableError) -> Outcome:
        """What a 503 means; it burns no attempt, yet lasts no longer than an export may."""
        export.attempts.answered()
        now, region = self._now(), export.partition.merchant.region
        meaning = self._hours.interpret(error.words, region, now)
        pause = None if meaning.closed else error.retry_after
        if meaning.until:
            pause = (meaning.until - now).total_seconds()
        if export.stage is Stage.CREATE:
            return Refused(meaning.closed, pause, meaning.hours)
        # Rule 5: whether Clover refuses polls and files too while it is closed is unknown.
        attempts, monotonic = export.attempts, self._clock.monotonic()
        attempts.refused = monotonic if attempts.refused is None else attempts.refused
        if self._open_for_long(export, monotonic - attempts.refused):
            return Failed(
                f"Clover answered 503 to an export that it has for {self._timeout / 60:g} "
                "minutes of its open hours; run again later or ask Clover's support",
                keep=True,
            )
        longest = LOOK_AGAIN.total_seconds()
        if export.stage is Stage.POLL:
            return Refused(meaning.closed, None if pause is None else min(pause, longest))
        return Working(min(pause or attempts.busy_backoff.next(), longest), finished=True)

    def _open_for_long(self, export: Export, seconds: float) -> bool:
        """Whether Clover was open for the time-out in the last seconds."""
        region = export.partition.merchant.region
        return (
            seconds >= self._timeout
            and self._hours.open_seconds(region, seconds, self._now()) >= self._timeout
        )

    def _now(self) -> DateTime:
        return times.from_seconds(self._clock.now())

    def _plausible(self, created: DateTime | None, now: DateTime) -> DateTime:
        """When an export was created, by Clover's clock where that can be."""
        # Rule 3: a createdTime more than a day from our own clock is not believed.
        if created is None or abs(created - now) <= APART:
            return created or now
        self._warn(
            "createdTime",
            f"Clover says that an export of now was created {times.to_text(created)}; this "
            "machine's own clock counts instead.",
        )
        return now

    def _warn(self, kind: str, sentence: str) -> None:
        """Say something once a run."""
        if kind not in self._said:
            self._said.add(kind)
            logger.warning("%s", sentence)


def _no_space(words: str) -> str:
    return (
        f"the temporary directory took no file for {retry.OUTAGE_SECONDS // 60} minutes "
        f"({words}); make room there, or set TMPDIR to a larger one, then run again"
    )


def _no_file(error: Exception) -> Failed:
    return Failed(
        f"a file of an export could not be had {retry.TRIES_BAD_FILE} times ({error}); "
        "run again later or ask Clover's support"
    )


def _covers(export: Export, answer: ExportAnswer) -> bool:
    """Whether an answer is of all that was asked for, as far as it says of what it is."""
    start, end = times.to_ms(export.window.start), times.to_ms(export.window.end)
    return (
        answer.type in (None, export.partition.type)
        and (answer.start is None or answer.start <= start)
        and (answer.end is None or answer.end >= end)
    )
