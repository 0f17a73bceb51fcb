"""The ledger: a record for every export that was emitted, true in every number."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tests.support.harness import ONE, TWO, TYPES, Outcome, catalog, clover, entry, iso, sync
from tests.support.interruptions import Grave, Killed
from tests.support.records import schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_clover_export.simulator import Simulator

DAY = 86_400.0
LEDGER = "exports"
OTHERS = (("orders",), ("payments",))


def ledger(outcome: Outcome) -> list[dict[str, Any]]:
    """The ledger's records, in the order of the output."""
    return outcome.records(LEDGER)


def covers(state: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Whether a state says that an export's window is there."""
    found = entry(state, row["stream"], row["merchant_id"])
    until = found.get("replication_key_value", "")
    return bool(found.get("exported_from", "") <= row["window_start"] < row["window_end"] <= until)


def expect_true(output: bytes, simulator: Simulator, *, fresh: bool = True) -> None:
    """Each record stands after its export's last one, before the STATE that follows from it.

    Args:
        output: What a run wrote.
        simulator: The local Clover.
        fresh: Whether nothing was covered before the run.
    """
    exports = {export.id: export for export in simulator.exports}
    records: Counter[tuple[str, str]] = Counter()
    written: Counter[tuple[str, str]] = Counter()
    state: dict[str, Any] = {}
    just: list[dict[str, Any]] = []
    validator = jsonschema.Draft7Validator(
        {**schema(LEDGER), "additionalProperties": False},
        format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER,
    )
    for line in output.splitlines(keepends=True):
        message = json.loads(line)
        if message["type"] == "STATE":
            state = message["value"]
            assert all(covers(state, row) for row in just)
            just = []
        if message["type"] != "RECORD":
            continue
        row = message["record"]
        if message["stream"] != LEDGER:
            records[message["stream"], row["merchant_id"]] += 1
            written[message["stream"], row["merchant_id"]] += len(line)
            continue
        validator.validate(row)
        key = row["stream"], row["merchant_id"]
        made = exports.pop(row["id"])
        assert (TYPES[row["stream"]], row["merchant_id"]) == (made.type, made.merchant)
        assert (row["records"], row["bytes"]) == (records.pop(key, 0), written.pop(key, 0))
        assert row["files"] == len(made.files.result())
        assert row["created"] == iso(made.created / 1000)
        assert row["window_start"] == iso(made.start / 1000)
        assert row["window_end"] == iso(made.end / 1000)
        assert row["created"] <= row["emitted"] <= iso(simulator.clock.now())
        assert row["region"] == simulator.options.region
        if fresh:
            assert not covers(state, row)
            just.append(row)
    assert not just
    assert not records, "records of an export that has no line"


FORMS: dict[str, dict[str, Any]] = {
    "bytes": {},
    "filtered": {"stream_maps": {"orders": {"__filter__": "total > 2000"}}},
    "flattened": {"flattening_enabled": True, "flattening_max_depth": 1},
}


@pytest.mark.parametrize("form", FORMS)
def test_it_tells_what_was_written(form: str) -> None:
    """A record for each export, empty ones too; its numbers are those of the output."""
    with clover(merchants=(ONE, TWO), days=40, objects_per_file=20) as simulator:
        start = iso(simulator.clock.now() - 65 * DAY)
        settings: dict[str, Any] = {
            "window_days": 15,
            "max_concurrent_exports": 3,
            "start_date": start,
        }
        outcome = sync(simulator, **settings, **FORMS[form])
        assert outcome.code == 0
        expect_true(outcome.output, simulator)
        rows = ledger(outcome)
        assert len(rows) == len(simulator.exports)
        assert max(row["files"] for row in rows) > 1
        empty = [row for row in rows if not row["files"]]
        assert empty
        assert {(row["records"], row["bytes"], row["window_field"]) for row in empty} == {
            (0, 0, None)
        }
        held = sum(len(simulator.records(merchant, "ORDERS")) for merchant in (ONE, TWO))
        told = sum(row["records"] for row in rows if row["stream"] == "orders")
        assert told < held if form == "filtered" else told == held


def test_purposes_and_times() -> None:
    """What each export was for, and by which time its window goes, as its records tell."""
    with clover(days=80, orders_per_day=6, window_field="createdTime") as simulator:
        first = sync(simulator)
        assert [row["purpose"] for row in ledger(first)] == ["new"] * 2 + ["history"] * 4
        simulator.clock.advance(40 * DAY)
        second = sync(simulator, state=first.state)
        expect_true(second.output, simulator, fresh=False)
        told = Counter(row["purpose"] for row in ledger(second))
        assert told["history"] == 0
        assert told["new"] >= 2
        assert told["late_changes"] >= 2
        fields = {row["window_field"] for row in [*ledger(first), *ledger(second)]}
        assert fields == {"createdTime", None}


def test_deselected_it_is_not_written() -> None:
    """Nor its SCHEMA; the others are as ever."""
    with clover(days=3) as simulator:
        outcome = sync(simulator, catalog=catalog((LEDGER,)))
        assert len(outcome.records("orders")) == len(simulator.records(ONE, "ORDERS"))
    assert {m.get("stream") for m in outcome.messages} == {*TYPES, None}


def test_selected_alone_it_exports_nothing() -> None:
    """It only tells of the others, and the run says that there is nothing to do."""
    with clover(days=3) as simulator:
        outcome = sync(simulator, catalog=catalog(*OTHERS))
        assert simulator.requests == []
    assert outcome.code == 0
    assert [(m["type"], m.get("stream")) for m in outcome.messages] == [
        ("SCHEMA", LEDGER),
        ("STATE", None),
    ]
    sentence = "Neither orders nor payments are selected, or stream_maps removes them; "
    assert f"WARNING | {sentence}" in outcome.log


def test_a_killed_run_tells_of_no_export_that_is_not_all_out() -> None:
    """Wherever the output ends: each line of the ledger has all its records before it.

    The next run's lines are true as well, of exports that it resumed too.
    """
    with clover(days=40, orders_per_day=3, objects_per_file=20) as simulator:
        settings: dict[str, Any] = {"window_days": 15, "end_date": iso(simulator.clock.now())}
        whole = len(sync(simulator, **settings).output)
        for size in range(whole // 50, whole, whole // 12):
            raw = Grave(size)
            with pytest.raises(Killed):
                sync(simulator, raw=raw, **settings)
            written: Counter[str] = Counter()
            state: dict[str, Any] = {}
            for message in _whole_messages(raw.getvalue()):
                if message["type"] == "STATE":
                    state = message["value"]
                elif message["type"] == "RECORD" and message["stream"] != LEDGER:
                    written[message["stream"]] += 1
                elif message["type"] == "RECORD":
                    row = message["record"]
                    assert row["records"] == written.pop(row["stream"], 0)
        again = sync(simulator, state=state, **settings)
        expect_true(again.output, simulator, fresh=False)


def _whole_messages(output: bytes) -> Iterator[dict[str, Any]]:
    lines = output.splitlines(keepends=True)
    return (json.loads(line) for line in lines if line.endswith(b"\n"))


@pytest.mark.parametrize(
    ("field", "before", "after"),
    [
        ("createdTime", None, "createdTime"),
        ("modifiedTime", None, "modifiedTime"),
        ("createdTime", "modifiedTime", "createdTime"),
    ],
)
def test_the_state_keeps_the_windows_field(field: str, before: str | None, after: str) -> None:
    """Beside the partitions, stream by stream; a later run sees for itself."""
    with clover(days=80, orders_per_day=10, window_field=field) as simulator:
        state: dict[str, Any] = {
            "bookmarks": {s: {"window_field": before, "partitions": []} for s in TYPES}
        }
        outcome = sync(simulator, state=state if before else None, window_days=7)
        for stream in TYPES:
            assert outcome.state["bookmarks"][stream]["window_field"] == after


def test_a_windows_field_that_is_contradicted_is_forgotten() -> None:
    """Where records lie outside their windows by either time, it is neither of the two."""
    state: dict[str, Any] = {
        "bookmarks": {"orders": {"window_field": "modifiedTime", "partitions": []}}
    }
    with clover(days=5) as simulator:
        kept = sync(simulator, state=state)
        assert kept.state["bookmarks"]["orders"]["window_field"] == "modifiedTime"
        moment = int((simulator.clock.now() - DAY) * 1000)
        odd = b'{"id":"ODD","createdTime":7,"modifiedTime":7}'
        simulator.put_raw(ONE, "ORDERS", moment, moment, odd)
        told = sync(simulator, state=state)
        assert "window_field" not in told.state["bookmarks"]["orders"]
        (row,) = [row for row in ledger(told) if row["stream"] == "orders"]
        assert row["window_field"] is None
    assert "can't be told: of" in told.log
