"""Records written as bytes, past the SDK's path of one Python object a record.

Stands on these internals of singer-sdk 0.54: `Stream._sync_records` is what `Stream.sync` runs
through for its records; a stream whose only map is a `SameRecordTransform` without flattening is
written as it is; `Stream.mask` holds what the catalog deselects, a field without an entry of
its own going by its parent's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.mapper import SameRecordTransform

from tap_clover_export import times

if TYPE_CHECKING:
    from singer_sdk import Stream

    from tap_clover_export.streams import ExportStream

_ROOT = 2
"""The length of a root field's breadcrumb, `("properties", name)`."""


def deselected_roots(stream: Stream) -> list[str]:
    """The names of the root fields that are deselected."""
    return [crumb[1] for crumb, on in stream.mask.items() if not on and len(crumb) == _ROOT]


def goes_as_bytes(stream: Stream) -> bool:
    """Whether nothing but root fields is deselected or mapped; else the SDK's path is taken."""
    maps = stream.stream_maps
    plain = (
        len(maps) == 1
        and type(maps[0]) is SameRecordTransform
        and not maps[0].flattening_enabled
        and stream.ABORT_AT_RECORD_COUNT is None
    )
    if not plain or set(stream.effective_schema.get("properties", {})) != set(
        stream.schema["properties"]
    ):
        return False
    roots = deselected_roots(stream)
    return all(on or len(crumb) <= _ROOT or crumb[1] in roots for crumb, on in stream.mask.items())


def write_records(stream: ExportStream, context: dict[str, Any]) -> None:
    """Write a partition's exports as RECORD lines, with the SDK's metrics."""
    counter, timer = stream.get_record_counter(), stream.get_sync_timer()
    with counter, timer:
        counter.with_context(context)
        timer.with_context(context)
        for export in stream.exports(context):
            for records in stream.files(export):
                extracted = times.to_text(stream.tap.now())
                for count, lines in stream.reader.lines(records, extracted):
                    stream.tap.message_writer.write(lines)
                    counter.increment(count)
                    stream.tap.run.look()
            stream.finish(export)
