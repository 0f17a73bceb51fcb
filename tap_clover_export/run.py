"""One run: the work it has, the queue that does it, and the state that remembers it."""

from __future__ import annotations

import datetime as dt
import functools
import json
import logging
from typing import TYPE_CHECKING, Any

from tap_clover_export import times
from tap_clover_export.clock import SystemClock
from tap_clover_export.clover.auth import Auth
from tap_clover_export.clover.client import Client
from tap_clover_export.clover.token_store import TokenStore
from tap_clover_export.errors import (
    CloverError,
    StateError,
    Stopped,
    TokenStoreError,
    UnauthorizedError,
)
from tap_clover_export.exports.export import Partition, refusal
from tap_clover_export.exports.exporter import Exporter
from tap_clover_export.exports.spool import EXPORT_BYTES
from tap_clover_export.planning import bookmarks, windows
from tap_clover_export.planning.plan import work
from tap_clover_export.preview import overview
from tap_clover_export.progress.log import ProgressLog
from tap_clover_export.progress.stats import RunStats
from tap_clover_export.scheduling.queue import Queue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pendulum import DateTime

    from tap_clover_export.clock import Clock
    from tap_clover_export.exports.export import Export
    from tap_clover_export.scheduling.scheduler import Track
    from tap_clover_export.settings.settings import Settings
    from tap_clover_export.singer.messages import States

logger = logging.getLogger("tap-clover-export.run")


AHEAD = dt.timedelta(days=1)
"""A bookmark further ahead than clocks differ is a mistake."""


class Run:
    """What the streams of one run share.

    Attributes:
        work: What each partition lacks.
        stats: What is done so far.
        progress_log: Tells the log of it.
        signal: The signal that asked the run to stop, if one did.
    """

    def __init__(
        self,
        settings: Settings,
        streams: Sequence[str],
        state: dict[str, Any],
        states: States,
        *,
        clock: Clock | None = None,
        workers: int | None = None,
    ) -> None:
        """Plan a run; asks Clover nothing.

        Args:
            settings: The settings.
            streams: The streams to export.
            state: Singer's state, changed in place.
            states: Writes it.
            clock: The time; the system's unless given.
            workers: How many threads; 0 does everything in the caller's thread.

        Raises:
            StateError: The state can't be read.
        """
        self._settings = settings
        self._state = state
        self._states = states
        self._clock = clock or SystemClock()
        self._workers = workers
        self._entries = _entries(state)
        self._held: set[Partition] = set()
        self._exported: dict[Partition, DateTime] = {}
        self._queue: Queue | None = None
        self.signal: int | None = None
        self.stats = RunStats(self._clock.now)
        self.progress_log = ProgressLog(self.stats)
        now = times.from_seconds(self._clock.now())
        self.work = [
            work(
                partition,
                number,
                bookmarks.read(self.entry(partition), str(partition)),
                end=settings.end or now,
                now=now,
                lookback=settings.lookback,
                width=settings.window,
            )
            for number, partition in enumerate(
                Partition(merchant, stream) for merchant in settings.merchants for stream in streams
            )
        ]

    @functools.cached_property
    def client(self) -> Client:
        """Speaks to Clover for this run."""
        store = TokenStore(self._settings.token_store)
        auth = Auth(self._settings.client_id, store, self._clock.now)
        return Client(auth, file_bytes=self._settings.file_bytes)

    @property
    def queue(self) -> Queue:
        """The queue, made when it is first needed."""
        if self._queue is None:
            settings = self._settings
            exporter = Exporter(
                self.client,
                self._clock.now,
                poll_interval=settings.poll_interval,
                timeout=settings.export_timeout,
                most_bytes=max(EXPORT_BYTES, settings.file_bytes),
                on_retry=self._retried,
            )
            self._queue = Queue(
                self.work,
                exporter,
                places=settings.max_concurrent_exports,
                max_wait=settings.max_wait,
                max_run=settings.max_run,
                clock=self._clock,
                workers=self._workers,
                on_change=self.checkpoint,
                interrupted=self._interrupted,
                stats=self.stats,
            )
        return self._queue

    def _retried(self, partition: Partition, reason: str) -> None:
        self.stats.retried(partition)
        if reason:
            self.progress_log.attempt_failed(reason)

    def _interrupted(self) -> bool:
        self._states.look()
        self.progress_log.report_if_due()
        return self.signal is not None

    def entry(self, partition: Partition) -> dict[str, Any]:
        """The partition's entry in the state."""
        key = (partition.stream, partition.merchant.id)
        if key not in self._entries:
            entry = {"context": {"merchant_id": partition.merchant.id}}
            stream = self._state.setdefault("bookmarks", {}).setdefault(partition.stream, {})
            stream.setdefault("partitions", []).append(entry)
            self._entries[key] = entry
        return self._entries[key]

    def partition(self, stream: str, merchant_id: str) -> Partition | None:
        """The partition of a stream and a merchant, if the settings have it."""
        for item in self.work:
            if item.partition.stream == stream and item.partition.merchant.id == merchant_id:
                return item.partition
        return None

    def prepare(self) -> None:
        """Say what there is to do."""
        if not self.work:
            logger.warning("No stream is selected in the catalog; there is nothing to do.")
        now = times.from_seconds(self._clock.now())
        for item in self.work:
            if item.partition.merchant.start > now:
                logger.warning("The start_date of %s lies in the future.", item.partition)
            elif item.bookmark and item.bookmark > now + AHEAD:
                logger.warning(
                    "The bookmark of %s lies in the future; correct the state, or nothing of it is "
                    "exported until then.",
                    item.partition,
                )
        for item in self.work:
            self.stats.planned(item.partition, item.count)
        self.progress_log.begin(
            self._settings.max_concurrent_exports, sum(len(item.pending) for item in self.work)
        )

    @property
    def running(self) -> int:
        """Exports that are in progress at Clover or being asked for."""
        return self._queue.running if self._queue else 0

    def next(self) -> Export | None:
        """The export to emit next, over all partitions."""
        return self.queue.next()

    def fail(self, partition: Partition, reason: str) -> None:
        """Give a partition up; its bookmark stays where it is."""
        self.queue.fail(partition, reason)

    @property
    def over(self) -> bool:
        """Whether nothing is left to emit."""
        return not any(track.line for track in self.queue.tracks.values())

    def take(self, partition: Partition) -> Iterator[Export]:
        """A partition's exports, as they get ready, in order of time."""
        while export := self.queue.take(partition):
            yield export

    def files(self, export: Export) -> Iterator[bytes]:
        """An export's files, as they arrive; fewer than all where others are ready before it."""
        while (content := self.queue.file(export)) is not None:
            yield content

    def reject(self, export: Export, why: str) -> None:
        """A file was no good: have it fetched anew."""
        self.queue.reject(export, why)

    def finish(self, export: Export) -> None:
        """Every record of an export is written: move the bookmark."""
        partition, end = export.partition, export.window.end
        if export.created and export.created < end:
            end = export.created
        self.progress_log.emitted(
            partition,
            export.window,
            export.spool.records if export.spool else 0,
            self._clock.now() - export.asked,
        )
        moves = partition not in self._held and end > export.window.start
        bookmark = end if moves else None
        exported = self._exported.get(partition, export.created)
        if exported and export.created:
            exported = self._exported[partition] = min(exported, export.created)
        if end < export.window.end:
            self._held.add(partition)
        self.queue.emitted(export)
        bookmarks.write(
            self.entry(partition),
            bookmark=bookmark,
            pending=self.queue.pending(partition),
            exported=exported if self._settled(bookmark, exported) else None,
        )
        self.checkpoint()

    def _settled(self, bookmark: DateTime | None, exported: DateTime | None) -> bool:
        lookback = self._settings.lookback
        if not (lookback and bookmark and exported):
            return False
        return windows.settled(bookmark, exported, lookback)

    def checkpoint(self) -> None:
        """Take what Clover was asked for into the state, and write it if its size allows."""
        for partition, pending in self.queue.changes():
            bookmarks.write(self.entry(partition), bookmark=None, pending=pending)
        self._states.offer(self._state)

    def look(self) -> None:
        """Stop here if the run was asked to.

        Raises:
            Stopped: It was.
        """
        if self.signal is not None:
            raise Stopped

    def stop(self, signal: int) -> None:
        """Ask the run to stop; may be called from a signal handler."""
        self.signal = signal
        if self._queue:
            self._queue.wakeup.set()

    def close(self, *, quietly: bool = False) -> None:
        """End the threads, give the disk back and, unless quietly, write the last state."""
        if self._queue:
            self._queue.close()
            for partition, pending in self._queue.changes():
                bookmarks.write(self.entry(partition), bookmark=None, pending=pending)
        self.stats.close()
        if not quietly:
            self._states.write_state(self._state, last=True)
        if self._queue:
            self.client.close()

    def plan(self, form: str) -> str:
        """What the run would do: `text`, `json` or `html`."""
        plan = overview.overview(
            self.work,
            now=times.from_seconds(self._clock.now()),
            slots=self._settings.max_concurrent_exports,
            max_run=self._settings.max_run,
        )
        if form == "html":
            from tap_clover_export.preview import page  # noqa: PLC0415 - a run needs no templates

            return page.to_html(plan, self.work, self._settings)
        return overview.to_json(plan) if form == "json" else overview.to_text(plan)

    def check(self, say: Callable[[str], object]) -> bool:
        """Ask Clover once a merchant whether its token is accepted; a line each."""
        client = self.client
        accepted = True
        for merchant in self._settings.merchants:
            where = f"{merchant.id} ({merchant.region})"
            try:
                client.check(merchant)
            except CloverError as error:
                accepted = False
                refused = isinstance(error, UnauthorizedError)
                verdict = (
                    f"refused: {refusal(merchant, error)}"
                    if refused
                    else (f"not reachable: {error}; look at the network, region and api_url")
                )
                say(f"{where}: {verdict}.")
            except TokenStoreError as error:
                accepted = False
                say(f"{where}: refused: {error}")
            else:
                say(f"{where}: accepted.")
        return accepted

    def abandon(self) -> None:
        """End the threads in the middle of the work; a later `take` begins it anew."""
        if self._queue:
            self._queue.close()
            self._queue = None

    def report(self) -> str | None:
        """What is missing and what to do, in one sentence; None where nothing is.

        One structured line a failure goes to the log before it.
        """
        failures = self.queue.failures
        for track in failures:
            logger.error("INCOMPLETE: %s", json.dumps(_structured(track)))
        if not failures:
            return None
        first = failures[0]
        sentence = f"Missing: {_missing(first)}: {first.failure}"
        if len(failures) > 1:
            names = ", ".join(str(track.partition) for track in failures[1:6])
            more = f" and {len(failures) - 6} more" if len(failures) > 6 else ""  # noqa: PLR2004
            sentence += f"; also missing: {names}{more} (each said above)"
        return sentence + "."

    def leftover(self) -> str | None:
        """What `max_run_hours` left for the next run, in one sentence."""
        left = self.queue.left
        if not left:
            return None
        first = times.to_text(min(track.line[0].window.start for track in left))
        sentence = (
            f"max_run_hours is over; left for the next run: {len(left)} of {len(self.work)} "
            f"streams of merchants, the earliest from {first}."
        )
        shut = [
            f"Region {name} accepted no export in this run: {why}." for name, why in self.queue.shut
        ]
        return " ".join([sentence, *shut])


def _structured(track: Track) -> dict[str, str | None]:
    window = track.failed
    return {
        "merchant_id": track.partition.merchant.id,
        "stream": track.partition.stream,
        "region": track.partition.merchant.region,
        "from": times.to_text(window.start) if window else None,
        "reason": track.failure,
    }


def _missing(track: Track) -> str:
    since = f" from {times.to_text(track.failed.start)} on" if track.failed else ""
    return f"{track.partition}{since}"


def _entries(state: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """The state's entries by stream and merchant.

    Raises:
        StateError: A state of another shape.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    try:
        for stream, content in (state.get("bookmarks") or {}).items():
            if "replication_key_value" in content:
                raise StateError(
                    f"The state of {stream} holds one bookmark for all merchants; "
                    "give one a merchant under partitions, or start without a state."
                )
            for entry in content.get("partitions", []):
                key = (stream, entry["context"]["merchant_id"])
                if key in found:
                    raise StateError(
                        f"The state holds {stream} of merchant {key[1]} twice; remove one."
                    )
                found[key] = entry
    except (AttributeError, TypeError, KeyError) as error:
        raise StateError(
            "The state is not of this tap's shape; correct it, or start without a state."
        ) from error
    return found
