"""The state: up to where each partition is exported, and what Clover was asked for; pure."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Any

from tap_clover_export import times
from tap_clover_export.errors import StateError
from tap_clover_export.planning import windows
from tap_clover_export.planning.plan import EXPORT_ID, PartitionState, PendingExport
from tap_clover_export.planning.windows import Window

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pendulum import DateTime

    from tap_clover_export.planning.plan import Partition

REPLICATION_KEY = "modifiedTime"

_ANOTHER_SHAPE = "The state is not of this tap's shape; correct it, or start without a state."


class Bookmarks:
    """The entries of a run's state, one for each partition.

    Attributes:
        state: Singer's state, changed in place.
    """

    def __init__(
        self, state: dict[str, Any], lookback: dt.timedelta, full_tables: Collection[str] = ()
    ) -> None:
        """Take a state in.

        Args:
            state: Singer's state.
            lookback: How much before a bookmark is exported again.
            full_tables: The streams that are exported from their start on, bookmark or not.

        Raises:
            StateError: A state of another shape.
        """
        self.state = state
        self._lookback = lookback
        self._full_tables = full_tables
        self._entries = _entries(state)
        self._held: set[Partition] = set()
        self._exported: dict[Partition, DateTime] = {}

    def entry(self, stream: str, merchant_id: str) -> dict[str, Any]:
        """The entry of a stream and a merchant, made when it is first needed."""
        key = (stream, merchant_id)
        if key not in self._entries:
            entry = {"context": {"merchant_id": merchant_id}}
            content = self.state.setdefault("bookmarks", {}).setdefault(stream, {})
            content.setdefault("partitions", []).append(entry)
            self._entries[key] = entry
        return self._entries[key]

    def read(self, partition: Partition) -> PartitionState:
        """Where a partition stands.

        Raises:
            StateError: An entry that this tap did not write.
        """
        found = read(self.entry(partition.stream, partition.merchant.id), str(partition))
        if partition.stream in self._full_tables:
            return dataclasses.replace(found, bookmark=None, exported=None)
        return found

    def requested(self, partition: Partition, pending: Iterable[PendingExport]) -> None:
        """What Clover was asked for changed."""
        entry = self.entry(partition.stream, partition.merchant.id)
        write(entry, bookmark=None, pending=pending)

    def emitted(
        self,
        partition: Partition,
        window: Window,
        created: DateTime | None,
        pending: Iterable[PendingExport],
    ) -> None:
        """Every record of a window is written: move the bookmark.

        Args:
            partition: The merchant's stream.
            window: What was emitted.
            created: When the export was made, by Clover's clock.
            pending: What was asked for and is not emitted.
        """
        # Rule 3: an export shows what existed when it was made; no bookmark passes Clover's clock.
        end = min(created, window.end) if created else window.end
        moves = partition not in self._held and end > window.start
        bookmark = end if moves else None
        exported = self._exported.get(partition, created)
        if exported and created:
            exported = self._exported[partition] = min(exported, created)
        if end < window.end:
            self._held.add(partition)
        write(
            self.entry(partition.stream, partition.merchant.id),
            bookmark=bookmark,
            pending=pending,
            exported=exported if self._settled(bookmark, exported) else None,
        )

    def _settled(self, bookmark: DateTime | None, exported: DateTime | None) -> bool:
        if not (self._lookback and bookmark and exported):
            return False
        return windows.settled(bookmark, exported, self._lookback)


def unwrap(content: Any) -> dict[str, Any]:  # noqa: ANN401
    """The state in what a file holds: as `meltano state get` writes it, or a STATE message.

    Raises:
        StateError: It holds no state.
    """
    state = content
    if isinstance(state, dict):
        state = state.get("singer_state", state)
    if isinstance(state, dict) and state.get("type") == "STATE":
        state = state.get("value")
    bookmarks = None
    if isinstance(state, dict):
        bookmarks = state.get("bookmarks") if state else {}
    if not isinstance(bookmarks, dict) or not all(
        isinstance(entry, dict) for entry in bookmarks.values()
    ):
        raise StateError(_ANOTHER_SHAPE)
    found: dict[str, Any] = state
    return found


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
        found = PartitionState(bookmark, tuple(_pending(item) for item in pending))
    except (TypeError, KeyError, ValueError) as error:
        raise StateError(
            f"The state of {where} holds pending_exports that can't be read; "
            "remove them to have Clover asked again."
        ) from error
    with contextlib.suppress(KeyError, TypeError, ValueError):  # without it there is a look-back
        exported = times.parse(_text(entry["exported_at"]))
        found = dataclasses.replace(found, exported=exported)
    return found


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
        raise StateError(_ANOTHER_SHAPE) from error
    return found


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
