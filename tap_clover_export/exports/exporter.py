"""Takes an export a step further: one attempt, and what follows from its answer."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Protocol

from tap_clover_export import times
from tap_clover_export.clover.auth import unauthorized_message
from tap_clover_export.clover.origins import file_name
from tap_clover_export.clover.unavailable import LOOK_AGAIN, KnownHours
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
from tap_clover_export.exports import backoff
from tap_clover_export.exports.export import Export, Stage
from tap_clover_export.exports.judge import Judge
from tap_clover_export.exports.outcomes import (
    Failed,
    Moved,
    NoSpace,
    Outcome,
    RateLimited,
    Refused,
    Working,
)
from tap_clover_export.exports.spool import EXPORT_BYTES, Spool

if TYPE_CHECKING:
    from tap_clover_export.clock import Clock
    from tap_clover_export.clover.client import Sink
    from tap_clover_export.clover.responses import ExportAnswer
    from tap_clover_export.planning.plan import ExportType
    from tap_clover_export.planning.windows import Window
    from tap_clover_export.settings.merchants import Merchant

logger = logging.getLogger("tap-clover-export.exports")

LINK_SECONDS = 3600.0
"""Links that have waited this long are renewed before they are used."""


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
    """Makes one attempt a call; all that can come of it is an outcome."""

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
        self._most_bytes = most_bytes
        self._hours = KnownHours()
        self._judge = Judge(clock, self._hours, poll_interval=poll_interval, timeout=timeout)

    def advance(self, export: Export) -> Outcome:
        """Make one attempt."""
        steps = {Stage.CREATE: self._create, Stage.POLL: self._poll}
        try:
            return steps.get(export.stage, self._download)(export)
        except (CloverError, TokenStoreError, SpoolError, SpoolFullError) as error:
            return self._faced(error, export)

    def _create(self, export: Export) -> Outcome:
        partition = export.partition
        try:
            answer = self._client.create(partition.merchant, partition.type, export.window)
        except BadRequestError as error:
            if outcome := self._judge.too_wide(export, error):
                return outcome
            raise
        export.attempts.succeeded()
        now = times.from_seconds(self._clock.now())
        self._hours.accepted(partition.merchant.region, now, answer.created)
        return self._judge.created(export, answer)

    def _poll(self, export: Export) -> Outcome:
        try:
            answer = self._client.poll(export.partition.merchant, export.id or "")
        except NotFoundError:
            return self._judge.not_found(export)
        except BadRequestError as error:
            if error.too_much:
                return self._retry(export, error, Stage.POLL)  # which passes
            raise
        return self._judge.polled(export, answer)

    def _download(self, export: Export) -> Outcome:
        """Fetch the next file; a link that is old, or fails, is renewed by a poll."""
        if export.bad:
            return self._bad_file(export, export.bad)
        if export.urls and self._clock.monotonic() - export.linked > LINK_SECONDS:
            return Moved(Stage.POLL)
        if export.urls and (trouble := self._fetch(export, export.urls[0])):
            return trouble
        return Moved(Stage.DOWNLOAD if export.urls else Stage.READY)

    def _fetch(self, export: Export, url: str) -> Outcome | None:
        """Fetch a file to the spool; answers what went wrong, if anything did."""
        merchant, attempts = export.partition.merchant, export.attempts
        export.spool = export.spool or Spool(self._most_bytes)
        try:
            export.spool.add(
                file_name(url), lambda into: self._client.download(merchant, url, into)
            )
        except NotFoundError as error:
            attempts.gone_files += 1
            if attempts.gone_files >= backoff.TRIES_BAD_FILE:
                return _no_file(error)
            return self._retry(export, error, Stage.POLL)
        except RateLimitedError as error:
            # What the files' host says is a matter of this file, not of the API.
            return self._kept_waiting(export, error, error.retry_after)
        except TransientError as error:
            return self._retry(export, error, Stage.POLL)
        attempts.gone_files = 0
        attempts.succeeded()
        export.urls = export.urls[1:]
        return None

    def _bad_file(self, export: Export, why: str) -> Outcome:
        """Plan to fetch a file again that was no good."""
        attempts, taken = export.attempts, export.spool.taken if export.spool else 0
        export.bad = None
        attempts.bad_files = 1 + attempts.bad_files * (taken == attempts.taken)
        attempts.taken = taken
        if attempts.bad_files >= backoff.TRIES_BAD_FILE:
            return _no_file(TransientError(why))
        return self._retry(export, TransientError(why), Stage.POLL)

    # What went wrong

    @functools.singledispatchmethod
    def _faced(self, error: Exception, export: Export) -> Outcome:
        """What follows from an error."""
        raise NotImplementedError(export) from error

    @_faced.register
    def _(self, error: CloverError, export: Export) -> Outcome:
        del export
        return Failed(
            f"Clover refused the request ({error.in_full()}); correct what it names and run again",
            keep=True,
        )

    @_faced.register
    def _(self, error: TransientError, export: Export) -> Outcome:
        return self._retry(export, error, export.stage, unanswered=True)

    @_faced.register
    def _(self, error: UnauthorizedError, export: Export) -> Outcome:
        return Failed(unauthorized_message(export.partition.merchant, error), keep=True)

    @_faced.register
    def _(self, error: TokenStoreError, export: Export) -> Outcome:
        del export
        return Failed(str(error).rstrip("."), keep=True)

    @_faced.register
    def _(self, error: RateLimitedError, export: Export) -> Outcome:
        # A 429 is an answer, not an outage; it fails nobody.
        export.attempts.answered()
        return RateLimited(error.scope, error.retry_after)

    @_faced.register
    def _(self, error: ServiceUnavailableError, export: Export) -> Outcome:
        """What a 503 means; it burns no attempt, yet lasts no longer than an export may."""
        now, region = times.from_seconds(self._clock.now()), export.partition.merchant.region
        if export.stage is not Stage.DOWNLOAD:  # the file host's clock is its own
            self._hours.heard(error.said_at, now)
        meaning = self._hours.interpret(error.words, region, now)
        pause = None if meaning.closed else error.retry_after
        if meaning.until:
            pause = (meaning.until - now).total_seconds()
        export.attempts.answered()
        if export.stage is Stage.CREATE:
            return Refused(meaning.closed, pause, meaning.hours)
        # Whether Clover refuses polls and files too while it is closed is unknown.
        return self._kept_waiting(export, error, pause)

    def _kept_waiting(self, export: Export, error: CloverError, pause: float | None) -> Outcome:
        """Wait for an export that Clover has, yet not for longer than it may work on one."""
        attempts, now = export.attempts, self._clock.monotonic()
        since = attempts.refused.setdefault(export.stage.value, now)
        if self._judge.open_for_long(export, now - since):
            return Failed(
                f"Clover answered {str(error)[:3]} to an export that it has for "
                f"{self._judge.timeout / 60:g} minutes of its open hours; run again later or ask "
                "Clover's support",
                keep=True,
            )
        if export.stage is Stage.POLL:
            return Refused(closed=False, pause=pause)
        pause = attempts.busy_backoff.next() if pause is None else pause
        return Working(min(pause, LOOK_AGAIN.total_seconds()), finished=True)

    @_faced.register
    def _(self, error: SpoolError, export: Export) -> Outcome:
        if self._out_for_long(export, "disk"):
            return Failed(
                f"the temporary directory took no file for {backoff.OUTAGE_SECONDS // 60} minutes "
                f"({error}); make room there, or set TMPDIR to a larger one, then run again",
                keep=True,
            )
        return NoSpace(export.attempts.backoff.next(), str(error))

    @_faced.register
    def _(self, error: SpoolFullError, export: Export) -> Outcome:
        del error, export
        return Failed(
            f"an export takes more than {self._most_bytes / (1 << 30):g} GiB of the temporary "
            "directory; lower window_days"
        )

    def _retry(
        self, export: Export, error: CloverError, stage: Stage, *, unanswered: bool = False
    ) -> Outcome:
        """Plan the next attempt after a fault that passes, or give up after a long outage."""
        if self._out_for_long(export, export.stage.value):
            return Failed(backoff.unreachable(error.in_full()), keep=True)
        pause = export.attempts.backoff.next()
        logger.debug("%s: %s; again in %.1f s.", export, error.in_full(), pause)
        return Moved(stage, pause, str(error), unanswered)

    def _out_for_long(self, export: Export, what: str) -> bool:
        row = export.attempts.failed(what, self._clock.monotonic())
        out = row.last - row.since
        enough = row.count >= backoff.OUTAGE_ATTEMPTS or out > self._judge.timeout
        return out > backoff.OUTAGE_SECONDS and enough


def _no_file(error: Exception) -> Failed:
    return Failed(
        f"a file of an export could not be had {backoff.TRIES_BAD_FILE} times ({error}); "
        "run again later or ask Clover's support"
    )
