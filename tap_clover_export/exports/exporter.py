"""Creates, polls and downloads exports: what is tried again, when and how long."""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
from typing import TYPE_CHECKING, NoReturn

from tap_clover_export import times
from tap_clover_export.clover.unavailable import LOOK_AGAIN, TABLE, Refusal, explain
from tap_clover_export.errors import (
    BadRequestError,
    ExportFailedError,
    NotFoundError,
    RateLimitedError,
    ServiceUnavailableError,
    SpoolError,
    SpoolFullError,
    TokenStoreError,
    TransientError,
    UnauthorizedError,
)
from tap_clover_export.exports.export import (
    OUTAGE_SECONDS,
    Export,
    Stage,
    refusal,
    spoolless,
    unreachable,
)
from tap_clover_export.exports.spool import EXPORT_BYTES, Spool

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_clover_export.clover.client import Client, ExportAnswer
    from tap_clover_export.exports.export import Partition
    from tap_clover_export.planning.windows import Window

logger = logging.getLogger("tap-clover-export.exports")

OUTAGE_ATTEMPTS = 6
"""An outage is at least so many attempts long, or as long as an export may take."""

FIRST_POLL = 0.02
POLL_SHARE = 0.05
"""A poll comes after this share of the time that the export has taken so far."""

TRIES_UNKNOWN_STATUS = 3
TRIES_GONE = 4
TRIES_BAD_FILE = 6
POLLS_WITHOUT_URLS = 7
WIDE = dt.timedelta(days=29)
"""Whether exactly 30 days are allowed is unknown: a 400 on a wider window is tried as halves."""


class Exporter:
    """Takes exports a step further: one attempt a call."""

    def __init__(
        self,
        client: Client,
        now: Callable[[], float],
        *,
        poll_interval: float,
        timeout: float,
        most_bytes: int = EXPORT_BYTES,
        on_retry: Callable[[Partition, str], object] = lambda *_: None,
    ) -> None:
        """Make an exporter.

        Args:
            client: Speaks to Clover.
            now: The time, in seconds since the epoch.
            poll_interval: The longest pause between two polls, in seconds.
            timeout: How long Clover may work on one export, in seconds of its open hours.
            most_bytes: How much of the disk one export may take.
            on_retry: Called, in any thread, where something is tried again, with
                the reason where that is not in the log already.
        """
        self._client = client
        self._now = now
        self._poll_interval = poll_interval
        self._timeout = timeout
        self._on_retry = on_retry
        self._most_bytes = most_bytes
        self._hours = dict(TABLE)

    def advance(self, export: Export) -> Refusal | tuple[Export, ...] | None:
        """Make one attempt; afterwards `stage` and `due` say what comes next.

        Returns:
            What a 503 meant, or the halves that take the export's place, or None.

        Raises:
            ExportFailedError: It can't be had.
        """
        try:
            if export.bad:
                self._mend(export, export.bad)
            if export.stage is Stage.CREATE:
                return self._create(export)
            if export.stage is Stage.POLL:
                return self._poll(export)
            self._download(export)
        except ServiceUnavailableError as error:
            return self._unavailable(export, error)
        except RateLimitedError as error:
            self._again(export, error, error.retry_after)
        except (TransientError, SpoolError) as error:
            self._again(export, error)
        except SpoolFullError as error:
            export.forget()
            raise ExportFailedError(
                f"an export takes more than {self._most_bytes / (1 << 30):g} GiB of the temporary "
                "directory; lower window_days"
            ) from error
        except UnauthorizedError as error:
            raise ExportFailedError(refusal(export.partition.merchant, error)) from error
        except (BadRequestError, TokenStoreError) as error:
            raise ExportFailedError(_rejected(error)) from error
        return None

    def _create(self, export: Export) -> tuple[Export, ...] | None:
        partition, window = export.partition, export.window
        try:
            answer = self._client.create(partition.merchant, partition.type, window)
        except BadRequestError:
            halves = window.halves() if window.width > WIDE else None
            if halves is None:
                raise
            logger.info("Clover refused %s as a whole; trying it as two halves.", export)
            return self._split(export, halves)
        except NotFoundError as error:
            raise BadRequestError(str(error)) from error
        export.trouble.over()
        export.id, export.asked = answer.id, self._now()
        export.created = answer.created or times.from_seconds(export.asked)
        export.stage, export.due = Stage.POLL, export.asked + FIRST_POLL
        logger.debug("Asked for %s: export %s.", export, export.id)
        return None

    def _poll(self, export: Export) -> tuple[Export, ...] | None:
        if not export.id:
            raise AssertionError
        try:
            answer = self._client.poll(export.partition.merchant, export.id)
        except NotFoundError:
            self._vanished(export)
            return None
        if not export.done:
            export.trouble.over()
        if export.taken_up and not _same(export, answer):
            logger.warning("Export %s is not of %s; asking anew.", export.id, export)
            self._anew(export)
        elif answer.status in ("PENDING", "IN_PROGRESS"):
            return self._pending(export)
        elif answer.status in ("DONE", "COMPLETE"):
            self._done(export, answer)
        else:
            self._unknown(export, answer)
        return None

    def _pending(self, export: Export) -> tuple[Export, ...] | None:
        now = self._now()
        region = export.partition.merchant.region
        worked = self._open_seconds(region, export.asked, now)
        if worked < self._timeout:
            share = max(FIRST_POLL / 2, POLL_SHARE * (now - export.asked))
            export.due = now + min(self._poll_interval, share)
            return None
        halves = export.window.halves()
        if halves is None:
            export.forget()
            raise ExportFailedError(
                f"Clover did not finish an export in {self._timeout / 60:g} minutes; "
                "raise export_timeout_minutes or ask Clover's support"
            )
        logger.warning(
            "Clover did not finish %s in %g minutes; trying it as two halves.",
            export,
            self._timeout / 60,
        )
        return self._split(export, halves)

    def _done(self, export: Export, answer: ExportAnswer) -> None:
        export.created = answer.created or export.created
        urls = answer.urls
        if urls is None:
            export.trouble.without_urls += 1
            if export.trouble.without_urls < POLLS_WITHOUT_URLS:
                export.due = self._now() + export.trouble.without_urls
                return
            logger.warning("Clover names no files for %s; taken for empty.", export)
            urls = ()
        export.trouble.without_urls = 0
        names = [_name(url) for url in urls]
        have = set(export.spool.names) if export.spool else set()
        if len(set(names)) < len(names) or not have <= set(names):
            export.discard()
            have = set()
        export.urls = tuple(url for url, name in zip(urls, names, strict=True) if name not in have)
        export.done, export.files = True, len(names)
        export.stage, export.due = Stage.DOWNLOAD, self._now()

    def _unknown(self, export: Export, answer: ExportAnswer) -> None:
        export.trouble.unknown_status += 1
        status = "".join(letter for letter in answer.status[:40] if letter.isprintable())
        if export.trouble.unknown_status >= TRIES_UNKNOWN_STATUS:
            export.forget()
            raise ExportFailedError(
                f"Clover ended an export with status {status} "
                f"{TRIES_UNKNOWN_STATUS} times; run again later or ask Clover's support"
            )
        logger.warning("Clover ended %s with status %s; asking anew.", export, status)
        self._anew(export)

    def _vanished(self, export: Export) -> None:
        if not export.taken_up:
            export.trouble.gone += 1
        if export.trouble.gone >= TRIES_GONE:
            export.forget()
            raise ExportFailedError(
                f"Clover lost an export {TRIES_GONE} times; run again later or ask Clover's support"
            )
        logger.warning("Export %s of %s is gone; asking anew.", export.id, export)
        self._anew(export)

    def _anew(self, export: Export) -> None:
        export.forget()
        export.due = self._now()
        self._on_retry(export.partition, "")

    def _download(self, export: Export) -> None:
        """Fetch the next file; a link that fails is renewed by a poll."""
        export.spool = export.spool or Spool(self._most_bytes)
        if export.urls:
            try:
                self._fetch(export, export.spool, export.urls[0])
            except TransientError:
                export.stage = Stage.POLL
                raise
            export.trouble.over()
            export.urls = export.urls[1:]
        if not export.urls and not export.bad:
            export.stage = Stage.READY

    def _fetch(self, export: Export, spool: Spool, url: str) -> None:
        merchant, trouble = export.partition.merchant, export.trouble
        try:
            spool.add(_name(url), lambda into: self._client.download(merchant, url, into))
        except NotFoundError as error:
            trouble.gone_files += 1
            if trouble.gone_files >= TRIES_BAD_FILE:
                self._give_up_file(export, error)
            raise TransientError(str(error)) from error
        trouble.gone_files = 0

    def _mend(self, export: Export, bad: str) -> None:
        """Plan to fetch a file anew that was no good."""
        taken = export.spool.taken if export.spool else 0
        export.bad = None
        export.trouble.bad_files = 1 + export.trouble.bad_files * (taken == export.trouble.taken)
        export.trouble.taken = taken
        if export.trouble.bad_files >= TRIES_BAD_FILE:
            self._give_up_file(export, TransientError(bad))
        export.stage = Stage.POLL
        raise TransientError(bad)

    def _give_up_file(self, export: Export, error: Exception) -> NoReturn:
        export.forget()
        raise ExportFailedError(
            f"a file of an export could not be had {TRIES_BAD_FILE} times ({error}); "
            "run again later or ask Clover's support"
        ) from error

    def _again(self, export: Export, error: Exception, at_least: float | None = None) -> None:
        """Plan the next attempt after a fault that passes, or give up after a long outage."""
        now, trouble = self._now(), export.trouble
        trouble.since = now if trouble.since is None else trouble.since
        trouble.attempts += 1
        trouble.words = str(error)
        out = now - trouble.since
        if out > OUTAGE_SECONDS and (trouble.attempts >= OUTAGE_ATTEMPTS or out > self._timeout):
            say = spoolless if isinstance(error, SpoolError) else unreachable
            raise ExportFailedError(say(str(error))) from error
        pause = max(trouble.pauses.next(), at_least or 0.0)
        export.due = now + pause
        self._on_retry(export.partition, str(error))
        logger.debug("%s: %s; again in %.1f s.", export, error, pause)

    def _unavailable(self, export: Export, error: ServiceUnavailableError) -> Refusal:
        """Say what a 503 means; it burns no attempt, yet lasts no longer than an export may."""
        now, trouble = self._now(), export.trouble
        region = export.partition.merchant.region
        meaning = explain(error.words, region, times.from_seconds(now))
        if meaning.hours:
            self._hours[region] = meaning.hours
        if error.retry_after and not meaning.closed:
            until = times.from_seconds(now + error.retry_after)
            meaning = dataclasses.replace(meaning, until=until)
        if export.stage is Stage.CREATE:
            export.refusals += 1
            return meaning
        trouble.refused = now if trouble.refused is None else trouble.refused
        if self._open_seconds(region, trouble.refused, now) > self._timeout:
            raise ExportFailedError(
                f"Clover answered 503 to an export that it has for {self._timeout / 60:g} "
                "minutes of its open hours; run again later or ask Clover's support"
            )
        pause = trouble.busy_pauses.next()
        if meaning.until:
            pause = max(pause, (meaning.until - times.from_seconds(now)).total_seconds())
        export.due = now + min(pause, LOOK_AGAIN.total_seconds())
        return meaning

    def _open_seconds(self, region: str, since: float, until: float) -> float:
        """The time in which Clover was open, as far as its hours are known."""
        hours = self._hours.get(region)
        if hours is None:
            return until - since
        return hours.open_seconds(times.from_seconds(since), times.from_seconds(until))

    def _split(self, export: Export, halves: tuple[Window, Window]) -> tuple[Export, ...]:
        export.discard()
        return tuple(Export(export.partition, half, export.place) for half in halves)


def _same(export: Export, answer: ExportAnswer) -> bool:
    """Whether an export that a former run asked for is still the one it was."""
    start, end = times.to_ms(export.window.start), times.to_ms(export.window.end)
    return (
        answer.type in (None, export.partition.type)
        and answer.start in (None, start)
        and answer.end in (None, end)
    )


def _name(url: str) -> str:
    """A link without its signature: the file that it leads to."""
    return url.partition("?")[0]


def _rejected(error: Exception) -> str:
    if isinstance(error, TokenStoreError):
        return str(error).rstrip(".")
    return f"Clover refused the request ({error}); correct what it names and run again"
