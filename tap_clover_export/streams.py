"""The streams: files in, records out, a line in the ledger, the bookmark last."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from singer_sdk import SchemaDirectory, Stream, StreamSchema
from singer_sdk.helpers.conform import TypeConformanceLevel
from typing_extensions import override

from tap_clover_export import schemas, times
from tap_clover_export.errors import BadFileError
from tap_clover_export.planning.bookmarks import REPLICATION_KEY
from tap_clover_export.progress.stats import StreamStats
from tap_clover_export.records.reader import Reader
from tap_clover_export.records.window_field import Observed
from tap_clover_export.singer import fast_path
from tap_clover_export.singer.metrics import RecordCounter, SyncTimer

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from pendulum import DateTime
    from singer_sdk.helpers.types import Context
    from singer_sdk.helpers.types import Record as Row
    from singer_sdk.singerlib.catalog import Catalog

    from tap_clover_export.exports.export import Export
    from tap_clover_export.planning.plan import Partition
    from tap_clover_export.records.decoder import Record
    from tap_clover_export.run import Run
    from tap_clover_export.settings.settings import Settings
    from tap_clover_export.singer.messages import Writer


class ExportTap(Protocol):
    """What the streams need of their tap."""

    run: Run
    settings: Settings
    message_writer: Writer

    @property
    def ledger(self) -> LedgerStream:
        """Tells of every export that was emitted."""
        ...

    def exports_of(self, stream: str, merchant_id: str) -> Iterator[Export]:
        """The exports of a partition that is emitted by itself."""
        ...


class ExportStream(Stream):
    """What both streams share.

    Records go out as bytes; with stream maps, flattening or nested selection they take the
    SDK's own path, as Python objects.
    """

    primary_keys = ("merchant_id", "id")
    replication_key = REPLICATION_KEY
    schema: ClassVar[StreamSchema] = StreamSchema(SchemaDirectory(schemas))
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE  # records conform already
    _announced = False
    _turn: Export | None = None
    _seen = Observed()
    _records = 0
    _bytes = 0

    @functools.cached_property
    def _observed(self) -> dict[Export, Observed]:
        """What was seen of the exports that are being emitted."""
        return {}

    @property
    def tap(self) -> ExportTap:
        """The tap that the stream belongs to."""
        return cast("ExportTap", self._tap)

    @functools.cached_property
    def reader(self) -> Reader:
        """Reads Clover's files; one for the whole run, since it learns."""
        return Reader(self.name, self.schema, fast_path.deselected_roots(self))

    @functools.cached_property
    def _absent(self) -> Row:
        """Null for every selected root field: maps may name one that Clover left out."""
        deselected = fast_path.deselected_roots(self)
        return dict.fromkeys(name for name in self.schema["properties"] if name not in deselected)

    @functools.cached_property
    def counter(self) -> RecordCounter:
        """Counts the stream's records over the whole run."""
        return RecordCounter(self.name, self.tap.run.stats.stream(self.name))

    @functools.cached_property
    def timer(self) -> SyncTimer:
        """Sums up the time in which the stream is emitted."""
        return SyncTimer(self.name)

    @property
    @override
    def partitions(self) -> list[dict[str, Any]]:
        return [{"merchant_id": merchant.id} for merchant in self.tap.settings.merchants]

    @override
    def apply_catalog(self, catalog: Catalog) -> None:
        """Take the catalog over, but for the replication key, which is always the tap's."""
        super().apply_catalog(catalog)
        self.replication_key = REPLICATION_KEY

    def announce(self) -> None:
        """Write the SCHEMA message."""
        self._write_schema_message()

    def emit(self, export: Export) -> None:
        """Write an export's records, and move the bookmark, within the SDK's `sync`."""
        self._turn = export
        self.sync({"merchant_id": export.partition.merchant.id})

    @override
    def get_records(self, context: Context | None) -> Iterable[Row]:
        for export in self.exports(context):
            for records in self.files(export):
                for record in records:
                    yield self._absent | self.reader.plain(record)
                    self.tap.run.raise_if_stopped()
            self.finish(export)

    def exports(self, context: Context | None) -> Iterator[Export]:
        """The exports to emit now: the one whose turn it is, or all of a partition."""
        if self._turn:
            turn, self._turn = self._turn, None
            return iter((turn,))
        return self.tap.exports_of(self.name, (context or {}).get("merchant_id", ""))

    def files(self, export: Export) -> Iterator[list[Record]]:
        """The records of an export, file by file as they arrive; memory holds one, and a batch."""
        window = times.to_ms(export.window.start), times.to_ms(export.window.end)
        observed = self._observed.setdefault(export, Observed())
        for content in self.tap.run.files(export):
            try:
                batches = self.reader.read(content, export.partition.merchant.id, window, observed)
            except BadFileError as error:
                self.tap.run.reject(export, str(error))
                continue
            for records in batches:
                begun = self._records, self._bytes
                yield self._without_older(export, records)
                if export.spool:
                    export.spool.records += self._records - begun[0]
                    export.spool.written += self._bytes - begun[1]
            self.tap.run.checkpoint()

    def _without_older(self, export: Export, records: list[Record]) -> list[Record]:
        """Of an export of a former run, what no export made later wrote in this one.

        Where windows go by `modifiedTime`, what changed since that export was made stands in the
        new days too, and the older version would come last, and stay.
        """
        written = self._written.get(export.partition)
        if written is None:
            return records
        made = not export.resumed, export.created or self.tap.run.now()
        if export.resumed:
            records = [record for record in records if written.get(record.id, made) <= made]
        written.update((record.id, made) for record in records)
        return records

    @functools.cached_property
    def _written(self) -> dict[Partition, dict[str, tuple[bool, DateTime]]]:
        """What wrote each id, while exports of a former run are to come: of this run, and when."""
        plans = [plan for plan in self.tap.run.plans if plan.partition.stream == self.name]
        return {plan.partition: {} for plan in plans if plan.pending}

    def finish(self, export: Export) -> None:
        """Write the ledger and move the bookmark if every record of the export is written."""
        if not export.emitted:
            return
        run, observed = self.tap.run, self._observed.pop(export, Observed())
        self._seen += observed
        if self._seen.contradicts or self._seen.field:
            run.bookmarks.saw_window_field(self.name, self._seen.field)
        if self.tap.ledger.selected:
            self.tap.ledger.write(export, observed.field, run.now())
        run.finish(export)
        if export.partition in self._written and not run.resumes(export.partition):
            del self._written[export.partition]

    def report(self) -> None:
        """Say, once a run, what was seen of the records as a whole."""
        if self.selected:
            self._close_meters()
        seen = self._seen
        if self.reader.replaced:
            self.logger.warning(
                "Replaced %d NUL characters or lone surrogates in %s by U+FFFD.",
                self.reader.replaced,
                self.name,
            )
        if self.reader.nulls:
            self.logger.warning(
                "Skipped %d null elements of %s, which hold no record.",
                self.reader.nulls,
                self.name,
            )
        if seen.field:
            self.logger.info(
                "Clover's windows of %s hold %s: of %d records %d have a createdTime and %d a "
                "modifiedTime outside their window.",
                self.name,
                seen.field,
                seen.records,
                seen.created,
                seen.modified,
            )
        elif seen.records:
            self.logger.info(
                "Whether Clover's windows of %s hold createdTime or modifiedTime can't be told: "
                "of %d records %d have a createdTime and %d a modifiedTime outside their window.",
                self.name,
                seen.records,
                seen.created,
                seen.modified,
            )

    # What the SDK does a record, a sync or a bookmark, done here once a window or run instead

    @override
    def get_record_counter(self, **_: Any) -> RecordCounter:
        return self.counter

    @override
    def get_sync_timer(self) -> SyncTimer:
        return self.timer

    def _close_meters(self) -> None:
        run = self.tap.run
        self.counter.close()
        failed = bool(run.stats.stream(self.name).failed) or run.signal is not None
        self.timer.close(failed=failed)

    @override
    def log(self, message: str, *args: Any, level: int = 0, **options: Any) -> None:
        """The SDK's own lines, some a window, are for DEBUG; the run says what fails."""
        super().log(message, *args, level=min(level, logging.DEBUG), **options)

    @override
    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        if not write_messages or not fast_path.can_write_bytes(self):
            yield from super()._sync_records(context, write_messages=write_messages)
            return
        for element in [context] if context else self.partitions:
            self._write_records(dict(element))

    def _write_records(self, context: Context) -> None:
        """Write a partition's exports as bytes, with the SDK's metrics."""
        with self.counter, self.timer:
            for export in self.exports(context):
                for records in self.files(export):
                    extracted = times.to_text(self.tap.run.now())
                    for count, lines in self.reader.lines(records, extracted):
                        self.tap.message_writer.write(lines)
                        self.counter.increment(count)
                        self._records += count
                        self._bytes += len(lines)
                        self.tap.run.raise_if_stopped()
                self.finish(export)

    @override
    def _write_record_message(self, record: Row) -> None:
        """Write a record, or none where a stream map filters it out, and count it."""
        before = self.tap.message_writer.written
        super()._write_record_message(record)
        written = self.tap.message_writer.written - before
        self._records += written > 0
        self._bytes += written

    @override
    def _write_schema_message(self) -> None:
        if not self._announced:
            self._announced = True
            super()._write_schema_message()

    @override
    def _write_state_message(self) -> None:
        self.tap.run.checkpoint()

    @override
    def get_context_state(self, context: Context | None) -> dict[str, Any]:
        """None: the run keeps the state."""
        del context
        return {}

    @override
    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """None: a bookmark is the end of a window, never a record's own time."""

    @override
    def get_batch_config(self, config: Any) -> None:
        """None: a BATCH message would skip selection and stream maps."""

    def _write_starting_replication_value(self, context: Context | None) -> None: ...

    def _increment_stream_state(
        self, latest_record: Row, *, context: Context | None = None
    ) -> None: ...


class OrdersStream(ExportStream):
    """Orders."""

    name = "orders"


class PaymentsStream(ExportStream):
    """Payments."""

    name = "payments"


class LedgerStream(Stream):
    """The ledger: a record for every export that was emitted."""

    name = "exports"
    primary_keys = ("merchant_id", "id")
    schema: ClassVar[StreamSchema] = StreamSchema(SchemaDirectory(schemas))

    @functools.cached_property
    def _counter(self) -> RecordCounter:
        return RecordCounter(self.name, StreamStats())

    def announce(self) -> None:
        """Write the SCHEMA message."""
        self._write_schema_message()

    def write(self, export: Export, window_field: str | None, now: DateTime) -> None:
        """Write an export's record.

        Args:
            export: It was emitted just now.
            window_field: The time that its window goes by, where its records tell.
            now: The time.
        """
        spool = export.spool
        self._counter.increment()
        self._write_record_message(
            {
                "merchant_id": export.partition.merchant.id,
                "id": export.id,
                "stream": export.partition.stream,
                "region": export.partition.merchant.region,
                "window_start": times.to_text(export.window.start),
                "window_end": times.to_text(export.window.end),
                "created": times.to_text(export.created) if export.created else None,
                "emitted": times.to_text(now),
                "records": spool.records if spool else 0,
                "files": len(spool.names) if spool else 0,
                "bytes": spool.written if spool else 0,
                "purpose": str(export.purpose),
                "window_field": window_field,
            }
        )

    def report(self) -> None:
        """Write its metrics."""
        self._counter.close()

    @override
    def get_records(self, context: Context | None) -> Iterable[Row]:
        """None by itself: it tells of what the others emit."""
        return ()
