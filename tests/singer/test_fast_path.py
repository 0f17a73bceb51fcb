"""Records as bytes and the SDK's own path give the same; selection, maps and flattening work."""

from __future__ import annotations

import json
from typing import Any

import pytest
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.streams import Stream

from tap_clover_export.errors import ExportFailedError
from tap_clover_export.singer import fast_path
from tests.support.harness import ONE, TWO, TYPES, Outcome, assert_whole, catalog, clover, sync


def without_times(outcome: Outcome) -> list[dict[str, Any]]:
    """Every RECORD of Clover's without the time of its extraction, null for what it lacks."""
    messages = outcome.messages
    absent = {
        message["stream"]: dict.fromkeys(message["schema"]["properties"])
        for message in messages
        if message["type"] == "SCHEMA"
    }
    return [
        {name: value for name, value in message.items() if name != "time_extracted"}
        | {"record": absent[message["stream"]] | message["record"]}
        for message in messages
        if message["type"] == "RECORD" and message["stream"] in TYPES
    ]


CASES: dict[str, list[tuple[str, ...]]] = {
    "everything": [],
    "a root field": [("payments", "cardTransaction"), ("orders", "payments")],
    "additional fields": [("orders", "additional_fields"), ("payments", "additional_fields")],
}


@pytest.mark.parametrize("case", CASES)
def test_bytes_equal_the_sdk_s_own_path(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of records, odd ones among them, come out of both paths alike.

    But that the SDK's path has null where the other has nothing.
    """
    selected = catalog(*CASES[case])
    with clover(days=25, orders_per_day=60, odd=True, unknown_fields=True) as simulator:
        fast = sync(simulator, catalog=selected)
        monkeypatch.setattr(fast_path, "can_write_bytes", lambda _: False)
        slow = sync(simulator, catalog=selected, end_date=fast.bookmark("orders", ONE))
    assert len(fast.records("orders")) > 1000
    assert without_times(fast) == without_times(slow)
    for message in slow.messages:
        if message["type"] == "SCHEMA" and message["stream"] in TYPES:
            names = message["schema"]["properties"].keys()
            assert all(row.keys() == names for row in slow.records(message["stream"]))
    assert [m for m in fast.messages if m["type"] == "SCHEMA"] == [
        m for m in slow.messages if m["type"] == "SCHEMA"
    ]


def test_a_deselected_root_field_is_not_emitted() -> None:
    """Who deselects a field finds it neither in SCHEMA nor in RECORD, odd values included."""
    with clover(days=10, odd=True) as simulator:
        outcome = sync(simulator, catalog=catalog(("orders", "employee"), ("orders", "total")))
    for message in outcome.messages:
        if message.get("stream") == "orders":
            text = json.dumps(message)
            assert '"total"' not in json.dumps(message.get("record", {}).get("additional_fields"))
            assert "total" not in message.get("record", {})
            assert '"employee": "' not in text
    schema = next(m for m in outcome.messages if m["type"] == "SCHEMA")
    assert "employee" not in schema["schema"]["properties"]


def test_a_deselected_nested_path_is_not_emitted() -> None:
    """A nested path can be deselected although its object is opaque."""
    with clover(days=10, orders_per_day=30) as simulator:
        whole = sync(simulator)
        outcome = sync(simulator, catalog=catalog(("payments", "cardTransaction", "last4")))
    assert any("last4" in (r.get("cardTransaction") or {}) for r in whole.records("payments"))
    cards = [r["cardTransaction"] for r in outcome.records("payments") if r.get("cardTransaction")]
    assert cards
    assert not any("last4" in card for card in cards)
    assert outcome.counts("payments") == whole.counts("payments")


def test_a_deselected_stream_is_not_asked_for() -> None:
    """A stream that is not selected costs Clover nothing."""
    with clover(days=3) as simulator:
        outcome = sync(simulator, catalog=catalog(("orders",)))
        assert outcome.code == 0
        assert {export.type for export in simulator.exports} == {"PAYMENTS"}
        assert outcome.records("orders") == []


def test_stream_maps() -> None:
    """Stream maps see the records as the schema has them."""
    maps = {"orders": {"dollars": "int(total)", "note": None, "__filter__": "total > 2000"}}
    with clover(days=10) as simulator:
        whole = sync(simulator)
        outcome = sync(simulator, stream_maps=maps)
    expected = [r["id"] for r in whole.records("orders") if (r.get("total") or 0) > 2000]
    assert [record["id"] for record in outcome.records("orders")] == expected
    assert all(record["dollars"] == record["total"] for record in outcome.records("orders"))
    assert all("note" not in record for record in outcome.records("orders"))


def test_stream_maps_of_fields_that_clover_left_out() -> None:
    """A declared field that a record lacks is null, so that a map can name it."""
    maps = {
        "payments": {"tip": "tipAmount", "rounded": "(cashTendered or 0) // 100"},
        "orders": {"remark": "note"},
    }
    with clover(days=10) as simulator:
        held = {
            kind: {record["id"]: record for record in simulator.records(ONE, kind)}  # type: ignore[arg-type]
            for kind in TYPES.values()
        }
        outcome = sync(simulator, stream_maps=maps)
    assert outcome.code == 0
    for stream, name, field in (("payments", "tip", "tipAmount"), ("orders", "remark", "note")):
        records = held[TYPES[stream]]
        assert {field in record for record in records.values()} == {True, False}
        for row in outcome.records(stream):
            assert row[name] == row[field] == records[row["id"]].get(field)


def test_flattening() -> None:
    """With flattening the opaque objects are JSON text, no digit lost."""
    with clover(days=10, odd=True) as simulator:
        outcome = sync(simulator, flattening_enabled=True, flattening_max_depth=1)
    schema = next(m for m in outcome.messages if m["type"] == "SCHEMA")["schema"]["properties"]
    for record in outcome.records("orders"):
        assert set(record) <= set(schema)
        assert record.get("lineItems") is None or json.loads(record["lineItems"])
    assert "12345678901234567890" in outcome.output.decode()


def test_dry_run_of_the_sdk() -> None:
    """The SDK's connection test stops after one record a stream."""
    from tests.support.harness import JumpingClock, Tap, config_for  # noqa: PLC0415

    with clover(days=3) as simulator:
        tap = Tap(JumpingClock(simulator.clock), 0, config=config_for(simulator))
        assert tap.run_connection_test()


def test_dry_run_without_a_limit(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """The SDK syncs stream after stream there: each partition is a run of its own, and whole."""
    from tests.support.harness import JumpingClock, Tap, config_for  # noqa: PLC0415

    with clover(merchants=(ONE, TWO), days=40) as simulator:
        tap = Tap(JumpingClock(simulator.clock), 0, config=config_for(simulator))
        assert tap.run_sync_dry_run(None)
        outcome = Outcome(0, capsysbinary.readouterr().out, "")
        assert_whole(outcome, simulator)
        assert {len(export.downloads) for export in simulator.exports} == {1}


def test_dry_run_of_what_fails() -> None:
    """A stream that the SDK syncs by itself raises why not all of it could be had."""
    from tests.support.harness import JumpingClock, Tap, config_for  # noqa: PLC0415

    with clover(days=3) as simulator:
        settings = config_for(simulator)
        settings["merchants"][0]["access_token"] = "wrong-token"
        tap = Tap(JumpingClock(simulator.clock), 0, config=settings)
        with pytest.raises(ExportFailedError, match=f"Missing: orders of merchant {ONE}.*401"):
            tap.run_sync_dry_run(None)


def test_the_sdk_s_internals_are_where_they_were() -> None:
    """What `fast_path` relies on is still there."""
    assert hasattr(Stream, "_sync_records")
    assert hasattr(Stream, "_write_schema_message")
    assert hasattr(Stream, "_write_state_message")
    assert hasattr(Stream, "_increment_stream_state")
    assert hasattr(Stream, "_write_starting_replication_value")
    assert issubclass(SameRecordTransform, object)
    assert isinstance(SameRecordTransform.flattening_enabled, property)


def test_batch_is_not_offered() -> None:
    """A batch_config is ignored, as it would skip selection and maps."""
    config = {"encoding": {"format": "jsonl"}, "storage": {"root": "file:///nowhere"}}
    with clover(days=3) as simulator:
        outcome = sync(simulator, batch_config=config)
        assert {m["type"] for m in outcome.messages} == {"SCHEMA", "RECORD", "STATE"}
        assert all(outcome.records(stream) for stream in TYPES)
