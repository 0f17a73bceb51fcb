"""The streams `orders` and `payments`: windows in, records out, the bookmark last."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any, ClassVar, cast

from singer_sdk import SchemaDirectory, Stream, StreamSchema
from singer_sdk.helpers.conform import TypeConformanceLevel
from typing_extensions import override

from tap_clover_export import schemas, times
from tap_clover_export.errors import BadFileError
from tap_clover_export.planning.bookmarks import REPLICATION_KEY
from tap_clover_export.records.reader import Reader
from tap_clover_export.singer import fast_path
from tap_clover_export.singer.metrics import RecordCounter, SyncTimer

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from singer_sdk.helpers.types import Context
    from singer_sdk.helpers.types import Record as Row

    from tap_clover_export.exports.export import Export
    from tap_clover_export.records.decoder import Record
    from tap_clover_export.tap import TapCloverExport


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

    @property
    def tap(self) -> TapCloverExport:
        """The tap that the stream belongs to."""
        return cast("TapCloverExport", self._tap)

    @functools.cached_property
    def reader(self) -> Reader:
        """Reads Clover's files; one for the whole run, since it learns."""
        return Reader(self.name, self.schema, fast_path.deselected_roots(self))

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
    def get_records(self, context: Context | None) -> Iterable[Row]:
        for export in self.exports(context):
            for records in self.files(export):
                for record in records:
                    yield self.reader.plain(record)
                    self.tap.run.look()
            self.finish(export)

    def exports(self, context: Context | None) -> Iterator[Export]:
        """The exports to emit now, in order of time, each once its files are here."""
        return self.tap.exports(self.name, (context or {}).get("merchant_id", ""))

    def files(self, export: Export) -> Iterator[list[Record]]:
        """The records of an export, file by file as they arrive; memory holds one."""
        window = times.to_ms(export.window.start), times.to_ms(export.window.end)
        for content in self.tap.run.files(export):
            try:
                records = self.reader.read(content, export.partition.merchant.id, window)
            except BadFileError as error:
                self.tap.run.reject(export, str(error))
                continue
            yield records
            if export.spool:
                export.spool.records += len(records)
            self.tap.run.checkpoint()

    def finish(self, export: Export) -> None:
        """Move the bookmark if every record of the export is written."""
        if not export.emitted:
            return
        self.tap.run.finish(export)

    def report(self) -> None:
        """Say, once a run, what was seen of the records as a whole."""
        self._close_meters()
        seen = self.reader.observed
        if self.reader.replaced:
            self.logger.warning(
                "Replaced %d NUL characters or lone surrogates in %s by U+FFFD.",
                self.reader.replaced,
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
        if self.selected:
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
        if not write_messages or not fast_path.goes_as_bytes(self):
            yield from super()._sync_records(context, write_messages=write_messages)
            return
        for element in [context] if context else self.partitions:
            fast_path.write_records(self, dict(element))

    @override
    def _write_schema_message(self) -> None:
        if not self._announced:
            self._announced = True
            super()._write_schema_message()

    @override
    def _write_state_message(self) -> None:
        self.tap.run.checkpoint()

    @override
    def finalize_state_progress_markers(self, state: dict[str, Any] | None = None) -> None:
        """Write the last state of a sync of the whole stream."""
        self._close_meters()
        self.tap.finish_stream()

    @override
    def get_context_state(self, context: Context | None) -> dict[str, Any]:
        """The partition's entry in the state."""
        partition = context and self.tap.run.partition(self.name, context["merchant_id"])
        return self.tap.run.entry(partition) if partition else {}

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
