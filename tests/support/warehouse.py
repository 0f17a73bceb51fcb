"""What a loader keeps of the tap's output, held against what Clover holds."""

from __future__ import annotations

import bisect
import json
from typing import TYPE_CHECKING, Any, Literal, cast

from tests.support.harness import TYPES, entry, iso

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_clover_export.simulator import Simulator

Field = Literal["createdTime", "modifiedTime"]


class Warehouse:
    """The records by key, the last one wins, and the last state; filled run by run.

    Args:
        simulator: The local Clover that the records come from.
        since: The `start_date`, epoch seconds.
    """

    def __init__(self, simulator: Simulator, since: float = 0.0) -> None:
        self.simulator = simulator
        self.since = since
        self.rows: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.state: dict[str, Any] = {}

    @property
    def field(self) -> Field:
        """The field that Clover's windows hold."""
        return cast("Field", self.simulator.options.window_field)

    def load(self, output: bytes, *, torn: bool = False) -> list[dict[str, Any]]:
        """Take in what a run wrote; at every STATE, nothing is covered that did not come before.

        Args:
            output: The lines.
            torn: Whether the last line may be torn, as after a SIGKILL; it is lost then.

        Returns:
            The messages.
        """
        lines = output.splitlines(keepends=True)
        if torn and lines and not lines[-1].endswith(b"\n"):
            lines.pop()
        assert all(line.endswith(b"\n") for line in lines)
        messages = [json.loads(line) for line in lines]
        held = {key: self._in_order(*key) for key in self.partitions()}
        seen: dict[tuple[str, str], tuple[str, str]] = {}
        for message in messages:
            if message["type"] == "RECORD":
                row = message["record"]
                self.rows[message["stream"], row["merchant_id"], row["id"]] = row
            elif message["type"] == "STATE":
                self._move(message["value"], held, seen)
        return messages

    def _move(
        self,
        state: dict[str, Any],
        all_held: dict[tuple[str, str], list[tuple[str, dict[str, Any]]]],
        seen: dict[tuple[str, str], tuple[str, str]],
    ) -> None:
        """What is covered grows, by what came; what this run covered before was looked at."""
        skew = self.simulator.options.clock_skew_seconds
        now = iso(self.simulator.clock.now() + min(0.0, skew))
        for key, held in all_held.items():
            before, after = (self.covered(*key, of) for of in (self.state, state))
            assert before[1] <= after[1] <= now
            assert not before[1] or after[0] <= before[0]
            if not after[1]:
                continue
            old = seen.get(key, (after[0], after[0]))
            for start, end in ((after[0], old[0]), (old[1], after[1])):
                span = slice(*(bisect.bisect_left(held, time, key=_time) for time in (start, end)))
                for _, record in held[span]:
                    if record[self.field] / 1000 >= self.since:
                        self.expect(*key, record)
            seen[key] = after
        self.state = json.loads(json.dumps(state))

    def expect(self, stream: str, merchant: str, record: Mapping[str, Any]) -> None:
        """A record of Clover's is here; in its last version where that is what windows hold."""
        row = self.rows.get((stream, merchant, record["id"]))
        assert row, f"{stream} {record['id']} of {iso(record[self.field] / 1000)} is lost"
        if self.field == "modifiedTime":
            self.expect_version(stream, merchant, record)

    def expect_version(self, stream: str, merchant: str, record: Mapping[str, Any]) -> None:
        """A record of Clover's is here in this version or a later one."""
        row = self.rows[stream, merchant, record["id"]]
        assert row["modifiedTime"] >= iso(record["modifiedTime"] / 1000), record["id"]

    def expect_whole(self, until: float) -> None:
        """Everything that Clover holds is here, and the bookmarks are at the end.

        Args:
            until: The time to which the last run exported, epoch seconds.
        """
        for stream, merchant in self.partitions():
            start, end = self.covered(stream, merchant)
            assert end >= iso(until // 1)  # windows end at whole seconds
            assert not self.since or start <= iso(self.since)
            assert "pending_exports" not in entry(self.state, stream, merchant)
            self.expect_until(stream, merchant, until)

    def expect_until(self, stream: str, merchant: str, until: float) -> None:
        """Everything that Clover holds up to a time is here."""
        for _, record in self._in_order(stream, merchant):
            if self.since <= record[self.field] / 1000 < until:
                self.expect(stream, merchant, record)

    def bookmark(self, stream: str, merchant: str, state: dict[str, Any] | None = None) -> str:
        """A partition's bookmark; empty where there is none."""
        value = entry(self.state if state is None else state, stream, merchant)
        return str(value.get("replication_key_value", ""))

    def covered(
        self, stream: str, merchant: str, state: dict[str, Any] | None = None
    ) -> tuple[str, str]:
        """The bounds of what a partition has covered; empty where nothing is, or from ever on."""
        value = entry(self.state if state is None else state, stream, merchant)
        return str(value.get("exported_from", "")), str(value.get("replication_key_value", ""))

    def pending(
        self, state: dict[str, Any] | None = None
    ) -> Iterator[tuple[str, str, dict[str, str]]]:
        """The exports that the state holds as asked for."""
        state = self.state if state is None else state
        for stream, merchant in self.partitions():
            for export in entry(state, stream, merchant).get("pending_exports", []):
                yield stream, merchant, export

    def partitions(self) -> list[tuple[str, str]]:
        """Stream and merchant of each."""
        return [(stream, merchant) for stream in TYPES for merchant in self.merchants]

    @property
    def merchants(self) -> list[str]:
        """The merchants' ids."""
        return list(self.simulator.options.merchants)

    def _in_order(self, stream: str, merchant: str) -> list[tuple[str, dict[str, Any]]]:
        """What Clover holds now, by the windows' field, with its time."""
        records = self.simulator.records(merchant, TYPES[stream])  # type: ignore[arg-type]
        return sorted(((iso(one[self.field] / 1000), one) for one in records), key=_time)


def _time(timed: tuple[str, dict[str, Any]]) -> str:
    return timed[0]
