"""A partition's entry in the state: up to where it is exported, and what was asked for."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Any

from tap_clover_export import times
from tap_clover_export.errors import StateError
from tap_clover_export.planning.plan import EXPORT_ID, PartitionState, PendingExport
from tap_clover_export.planning.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pendulum import DateTime

REPLICATION_KEY = "modifiedTime"






def read(entry: dict[str, Any], where: str) -> PartitionState:
    """Read a partition's entry.

    Args:
        entry: The entry, empty for a partition that was never exported.
        where: What to call it in a sentence.

    Raises:
        StateError: An entry that this tap did not write.
    """
    value = entry.get("replication_key_value")
    if value is not None and entry.get("replication_key") != REPLICATION_KEY:
        raise StateError(
            f"The state of {where} has another replication key than {REPLICATION_KEY}; "
            "correct it, or remove this entry to export from start_date."
        )
    try:
        bookmark = None if value is None else times.parse(_text(value))
    except (TypeError, ValueError) as error:
        raise StateError(
            f"The state of {where} holds a bookmark that is no time; "
            "correct it, or remove this entry to export from start_date."
        ) from error
    pending = entry.get("pending_exports") or []
    try:
        standing = PartitionState(bookmark, tuple(_pending(item) for item in pending))
    except (TypeError, KeyError, ValueError) as error:
        raise StateError(
            f"The state of {where} holds pending_exports that can't be read; "
            "remove them to have Clover asked anew."
        ) from error
    with contextlib.suppress(KeyError, TypeError, ValueError):  # without it there is a look-back
        exported = times.parse(_text(entry["exported_at"]))
        standing = dataclasses.replace(standing, exported=exported)
    return standing


def write(
    entry: dict[str, Any],
    *,
    bookmark: DateTime | None,
    pending: Iterable[PendingExport],
    exported: DateTime | None = None,
) -> None:
    """Write a partition's entry; the bookmark never moves backwards.

    Args:
        entry: The entry.
        bookmark: Where it moves, if it moves.
        pending: What was asked for and is not emitted.
        exported: With a bookmark: when the time before it was exported, if no look-back is needed.
    """
    known = entry.get("replication_key_value")
    if bookmark is not None and (known is None or times.parse(known) < bookmark):
        entry["replication_key"] = REPLICATION_KEY
        entry["replication_key_value"] = times.to_text(bookmark)
        entry.pop("exported_at", None)
        if exported is not None:
            entry["exported_at"] = times.to_text(exported)
    rows = [
        {
            "id": export.id,
            "start": times.to_text(export.window.start),
            "end": times.to_text(export.window.end),
            "created": times.to_text(export.created),
        }
        for export in pending
    ]
    if rows:
        entry["pending_exports"] = rows
    else:
        entry.pop("pending_exports", None)


def _pending(item: dict[str, Any]) -> PendingExport:
    identity = _text(item["id"])
    start, end, created = (times.parse(_text(item[name])) for name in ("start", "end", "created"))
    if not EXPORT_ID.fullmatch(identity) or not dt.timedelta(0) < end - start:
        raise ValueError(identity)
    return PendingExport(identity, Window(start, end), created)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
