"""Which streams can be written as bytes, past the SDK's path of one Python object a record.

Relies on these internals of singer-sdk 0.54: `Stream._sync_records` is what `Stream.sync` runs
through for its records; a stream whose only map is a `SameRecordTransform` without flattening is
written as it is; `Stream.mask` holds what the catalog deselects, a field without an entry of
its own going by its parent's; `CustomStreamMap._eval` evaluates an expression of a stream map.
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from singer_sdk.mapper import CustomStreamMap, SameRecordTransform

if TYPE_CHECKING:
    from singer_sdk import Stream

_ROOT = 2
"""The length of a root field's breadcrumb, `("properties", name)`."""


def deselected_roots(stream: Stream) -> list[str]:
    """The names of the root fields that are deselected."""
    return [crumb[1] for crumb, on in stream.mask.items() if not on and len(crumb) == _ROOT]


def can_write_bytes(stream: Stream) -> bool:
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


def map_failure(error: Exception) -> str | None:
    """What to say where an expression of a stream map failed; None where none did.

    The error's own text may hold a record's values, so it is left out.
    """
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code is CustomStreamMap._eval.__code__:  # noqa: SLF001
            name, expression = frame.f_locals["property_name"], frame.f_locals["expr"]
            cause = error.__cause__ or error
            return (
                f"the stream map of {name or '__filter__'} failed on a record with "
                f"{type(cause).__name__}; correct its expression {expression!r} in stream_maps"
            )
    return None
