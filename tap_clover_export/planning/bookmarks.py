"""The state: what is covered of each partition, and what Clover was asked for; pure."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any

from tap_clover_export import times
from tap_clover_export.errors import StateError
from tap_clover_export.planning.covered import Covered, grown
from tap_clover_export.planning.late_changes import LateChanges
from tap_clover_export.planning.plan import EXPORT_ID, PartitionState, PendingExport, Purpose
from tap_clover_export.planning.windows import Window

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pendulum import DateTime

    from tap_clover_export.planning.plan import Partition, PartitionPlan

REPLICATION_KEY = "modifiedTime"

WINDOW_FIELDS = ("createdTime", "modifiedTime")

_ANOTHER_SHAPE = "The state is not of this tap's shape; correct it, or start without a state."


class Bookmarks:
    """The entries of a run's state, one for each partition.

    Attributes:
        state: Singer's state, changed in place.
    """

    def __init__(self, state: dict[str, Any], full_tables: Collection[str] = ()) -> None:
        """Take a state in.

        Args:
            state: Singer's state.
            full_tables: The streams that are exported from their start on, bookmark or not.

        Raises:
            StateError: A state of another shape.
        """
        self.state = state
        self._full_tables = full_tables
        self._entries = _entries(state)
        self._states: dict[Partition, PartitionState] = {}
        self._full: dict[Partition, Covered | None] = {}

    def read(self, partition: Partition) -> PartitionState:
        """Where a partition stands.

        Raises:
            StateError: An entry that this tap did not write.
        """
        state = self._state(partition)
        if partition.stream in self._full_tables:
            return PartitionState(pending=state.pending)
        return state

    def window_field(self, stream: str) -> str | None:
        """The time by which a stream's windows go, where an earlier run saw it."""
        content = (self.state.get("bookmarks") or {}).get(stream) or {}
        field = content.get("window_field")
        return field if field in WINDOW_FIELDS else None

    def saw_window_field(self, stream: str, field: str | None) -> None:
        """Remember the time by which a stream's windows go; None where it is neither."""
        content = self._content(stream)
        if field:
            content["window_field"] = field
        else:
            content.pop("window_field", None)

    def requested(self, partition: Partition, pending: Iterable[PendingExport]) -> None:
        """What Clover was asked for changed."""
        self._change(partition, pending=tuple(pending))

    def emitted(
        self,
        plan: PartitionPlan,
        purpose: Purpose,
        window: Window,
        created: DateTime | None,
        pending: Iterable[PendingExport],
    ) -> None:
        """Every record of a window is written: what is covered grows.

        Args:
            plan: The partition's.
            purpose: What the window was exported for.
            window: What was emitted.
            created: When the export was made, by Clover's clock.
            pending: What was requested and is not emitted.
        """
        # Rule 2: a bound moves after the last record of a window is written, never before.
        partition = plan.partition
        known = self._state(partition)
        covered, late_changes = grown(known.covered, window, created), known.late_changes
        if partition.stream in self._full_tables:
            covered = self._full[partition] = grown(self._full.get(partition), window, created)
            if covered and covered.start and known.covered:
                covered = grown(known.covered, Window(covered.start, covered.end), None)
        if purpose is Purpose.LATE_CHANGES and plan.search and plan.late_changes:
            goes_on = late_changes.begun and window.end < plan.late_changes.end
            begun = (late_changes.begun if goes_on else None) or plan.search.begun
            begun = min(begun, created or begun)
            late_changes = LateChanges(late_changes.at, begun, window.start)
            if window.start <= plan.late_changes.start:
                late_changes = LateChanges(begun)
        elif late_changes.at is None:
            late_changes = dataclasses.replace(late_changes, at=created)
        self._change(partition, covered=covered, late_changes=late_changes, pending=tuple(pending))

    def ended(self, partition: Partition, holes: Iterable[Window]) -> None:
        """The run is over; these windows it failed on."""
        holes = tuple(holes)
        if holes != self._state(partition).holes:
            self._change(partition, holes=holes)

    def _state(self, partition: Partition) -> PartitionState:
        if partition not in self._states:
            entry = self._entries.get((partition.stream, partition.merchant.id), {})
            self._states[partition] = read(entry, str(partition))
        return self._states[partition]

    def _change(self, partition: Partition, **changes: Any) -> None:  # noqa: ANN401
        state = dataclasses.replace(self._state(partition), **changes)
        self._states[partition] = state
        write(self._entry(partition), state)

    def _entry(self, partition: Partition) -> dict[str, Any]:
        """The entry of a partition, made when it is first needed."""
        key = (partition.stream, partition.merchant.id)
        if key not in self._entries:
            entry = {"context": {"merchant_id": partition.merchant.id}}
            self._content(partition.stream).setdefault("partitions", []).append(entry)
            self._entries[key] = entry
        return self._entries[key]

    def _content(self, stream: str) -> dict[str, Any]:
        content: dict[str, Any] = self.state.setdefault("bookmarks", {}).setdefault(stream, {})
        return content


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
    bookmark = _time(value, where, "a bookmark")
    start = _time(entry.get("exported_from"), where, "an exported_from")
    if bookmark is None and start is not None:
        raise StateError(
            f"The state of {where} holds an exported_from without a bookmark; "
            "remove this entry to export from start_date."
        )
    if bookmark is not None and start is not None and bookmark < start:
        raise StateError(
            f"The state of {where} holds an exported_from that is later than its bookmark; "
            "correct it, or remove this entry to export from start_date."
        )
    try:
        pending = tuple(_pending(item) for item in entry.get("pending_exports") or ())
    except (TypeError, KeyError, ValueError) as error:
        raise StateError(
            f"The state of {where} holds pending_exports that can't be read; "
            "remove them to have Clover asked again."
        ) from error
    late_changes = LateChanges(
        _time(entry.get("late_changes_at"), where, "a late_changes_at"),
        _time(entry.get("late_changes_begun_at"), where, "a late_changes_begun_at"),
        _time(entry.get("late_changes_from"), where, "a late_changes_from"),
    )
    holes: tuple[Window, ...] = ()
    with contextlib.suppress(KeyError, TypeError, ValueError):  # they are for people only
        holes = tuple(_window(item) for item in entry.get("holes") or ())
    covered = None if bookmark is None else Covered(start, bookmark)
    return PartitionState(covered, pending, late_changes, holes)


def write(entry: dict[str, Any], state: PartitionState) -> None:
    """Write a partition's entry."""
    covered, late_changes = state.covered, state.late_changes
    if covered:
        entry["replication_key"] = REPLICATION_KEY
    values = {
        "replication_key_value": _text(covered.end if covered else None),
        "exported_from": _text(covered.start if covered else None),
        "late_changes_at": _text(late_changes.at),
        "late_changes_begun_at": _text(late_changes.begun),
        "late_changes_from": _text(late_changes.reached),
        "pending_exports": [
            {"id": export.id, **_bounds(export.window), "created": times.to_text(export.created)}
            for export in state.pending
        ],
        "holes": [_bounds(window) for window in state.holes],
        "exported_at": None,  # of an earlier version
    }
    for name, value in values.items():
        if value:
            entry[name] = value
        else:
            entry.pop(name, None)


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
    identity = item["id"]
    if not EXPORT_ID.fullmatch(identity):
        raise ValueError(identity)
    return PendingExport(identity, _window(item), times.parse(_words(item["created"])))


def _window(item: dict[str, Any]) -> Window:
    window = Window(times.parse(_words(item["start"])), times.parse(_words(item["end"])))
    if window.end <= window.start:
        raise ValueError(item)
    return window


def _bounds(window: Window) -> dict[str, str]:
    return {"start": times.to_text(window.start), "end": times.to_text(window.end)}


def _time(value: object, where: str, what: str) -> DateTime | None:
    """A time of an entry.

    Raises:
        StateError: It is none.
    """
    try:
        return None if value is None else times.parse(_words(value))
    except (TypeError, ValueError) as error:
        raise StateError(
            f"The state of {where} holds {what} that is no time; "
            "correct it, or remove this entry to export from start_date."
        ) from error


def _words(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _text(time: DateTime | None) -> str | None:
    return times.to_text(time) if time else None
