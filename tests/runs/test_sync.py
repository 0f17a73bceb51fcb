"""The main job, against the local Clover over real HTTP."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from tests.support.harness import (
    ONE,
    TUESDAY_NOON,
    TWO,
    TYPES,
    Outcome,
    assert_whole,
    clover,
    iso,
    sync,
)

DAY = 86_400.0


def test_first_run_is_whole() -> None:
    """Every object of both streams comes exactly once, and the bookmark is the run's end."""
    with clover(merchants=(ONE, TWO), days=40, unknown_fields=True) as simulator:
        now = simulator.clock.now()
        outcome = sync(simulator)
        assert outcome.code == 0
        assert_whole(outcome, simulator)
        for stream in TYPES:
            for merchant in (ONE, TWO):
                assert outcome.bookmark(stream, merchant) == iso(now)
        assert outcome.messages[-1]["type"] == "STATE"
        assert "pending_exports" not in outcome.entry("orders", ONE)


def test_contract_of_messages() -> None:
    """SCHEMA comes once a stream and first, each RECORD is valid against it, STATE comes last."""
    with clover(merchants=(ONE, TWO), days=40, unknown_fields=True, odd=True) as simulator:
        outcome = sync(simulator)
    schemas = {m["stream"]: m for m in outcome.messages if m["type"] == "SCHEMA"}
    assert [m["type"] for m in outcome.messages].count("SCHEMA") == 3
    assert {m["type"] for m in outcome.messages[:3]} == {"SCHEMA"}
    assert outcome.messages[-1]["type"] == "STATE"
    for stream, message in schemas.items():
        assert message["key_properties"] == ["merchant_id", "id"]
        assert message.get("bookmark_properties") == (
            None if stream == "exports" else ["modifiedTime"]
        )
        validator = jsonschema.Draft7Validator(
            message["schema"], format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER
        )
        records = outcome.records(stream)
        assert records
        for record in records:
            assert not list(validator.iter_errors(record))
            assert set(record) <= set(message["schema"]["properties"])


def test_unknown_root_fields() -> None:
    """A root field that the schema does not know stands under additional_fields, said once."""
    with clover(days=10, orders_per_day=60, unknown_fields=True) as simulator:
        outcome = sync(simulator)
        held = {record["id"]: record for record in simulator.records(ONE, "ORDERS")}
    scanned = {identity for identity, record in held.items() if "loyaltyScan" in record}
    assert scanned
    for record in outcome.records("orders"):
        expected = held[record["id"]].get("loyaltyScan")
        assert (record.get("additional_fields") or {}).get("loyaltyScan") == expected
        assert "loyaltyScan" not in record
    assert outcome.log.count("Field loyaltyScan of orders is not in the schema") == 1


def test_records_hold_what_clover_holds() -> None:
    """Root times are RFC 3339 with milliseconds; everything else is Clover's own, unchanged."""
    with clover(days=20, orders_per_day=30) as simulator:
        outcome = sync(simulator)
        for stream, kind in TYPES.items():
            held = {r["id"]: r for r in simulator.records(ONE, kind)}  # type: ignore[arg-type]
            for record in outcome.records(stream):
                expected = dict(held[record["id"]], merchant_id=ONE)
                for name in TIMES:
                    if isinstance(expected.get(name), int):
                        expected[name] = iso(expected[name] / 1000)
                assert record == expected


TIMES = (
    "createdTime",
    "clientCreatedTime",
    "modifiedTime",
    "deletedTimestamp",
    "gatewayProcessingTime",
)


def test_odd_values_arrive() -> None:
    """What no warehouse takes is replaced or set apart; nothing is dropped."""
    with clover(days=10, odd=True) as simulator:
        outcome = sync(simulator)
        assert outcome.code == 0
        held = {record["id"] for record in simulator.records(ONE, "ORDERS")}
    assert {identity for _, identity in outcome.counts("orders")} == held
    text = outcome.output.decode()
    assert "\\u0000" not in text
    assert "\\ud8" not in text.lower()
    assert "12345678901234567890" in text
    assert "9007199254740993" in text
    apart: dict[str, Any] = {}
    for record in outcome.records("orders"):
        for name, value in (record.get("additional_fields") or {}).items():
            assert record.get(name) is None
            apart.setdefault(name, []).append(value)
    values = [value for found in apart.values() for value in found]
    assert 12.0 in values
    assert "12" in values
    assert 2**63 in values
    assert "U+FFFD" in outcome.log


def test_second_run_with_look_back() -> None:
    """The second run sends about the look-back's days, without one next to nothing."""
    with clover(days=40, orders_per_day=10) as simulator:
        first = sync(simulator)
        simulator.clock.advance(DAY)
        for days, fewest, most in ((0, 1, 30), (7, 40, 130)):
            now = simulator.clock.now() // 1
            second = sync(simulator, state=first.state, lookback_days=days)
            assert second.code == 0
            assert fewest <= len(second.records("orders")) <= most
            assert second.bookmark("orders", ONE) == iso(now)


@pytest.mark.parametrize("bounds", ["half-open", "closed", "open-closed"])
@pytest.mark.parametrize("field", ["createdTime", "modifiedTime"])
@pytest.mark.parametrize(("days", "span"), [(30, 90), (7, 30), (0.5, 5)])
def test_no_window_loses_its_edges(days: float, span: float, field: str, bounds: str) -> None:
    """Nothing is lost, whatever the window's width, the filter's field and its bounds."""
    with clover(days=span + 5, orders_per_day=2, window_field=field, bounds=bounds) as simulator:
        start = simulator.clock.now() - span * DAY
        edges = [int((start + n * days * DAY) * 1000) for n in (1, 2)]
        for number, edge in enumerate(edges):
            record = {"id": f"EDGE{number:09}", "createdTime": edge, "modifiedTime": edge}
            for kind in TYPES.values():
                simulator.put(ONE, kind, record)  # type: ignore[arg-type]
        first = int(start * 1000) + 1
        held = {
            stream: {r["id"] for r in simulator.records(ONE, kind, first)}  # type: ignore[arg-type]
            for stream, kind in TYPES.items()
        }
        outcome = sync(simulator, window_days=days, start_date=iso(start))
        for stream in TYPES:
            counts = outcome.counts(stream)
            assert {identity for _, identity in counts} >= held[stream]
            repeated = {identity for (_, identity), count in counts.items() if count > 1}
            assert repeated <= {f"EDGE{number:09}" for number in range(2)}


def test_empty_window_moves_the_bookmark() -> None:
    """A merchant without a single sale is exported, too."""
    with clover(days=0.001, orders_per_day=0) as simulator:
        now = simulator.clock.now()
        outcome = sync(simulator, start_date=iso(now - 40 * DAY))
        assert outcome.code == 0
        assert outcome.records("orders") == []
        assert outcome.bookmark("orders", ONE) == iso(now)


def test_empty_export_without_the_key() -> None:
    """DONE without exportUrls is taken for empty after a few more polls."""
    with clover(days=0.001, orders_per_day=0, empty_without_key=True) as simulator:
        outcome = sync(simulator)
        assert outcome.code == 0
        assert outcome.bookmark("orders", ONE)
        assert "names no files" in outcome.log


def test_old_wire() -> None:
    """COMPLETE and a single object instead of a list are understood."""
    with clover(days=5, old_wire=True) as simulator:
        outcome = sync(simulator)
        assert outcome.code == 0
        assert_whole(outcome, simulator)


def test_many_files() -> None:
    """An export of many files is taken whole."""
    with clover(days=20, orders_per_day=40, objects_per_file=50) as simulator:
        outcome = sync(simulator)
        assert_whole(outcome, simulator)


def test_links_that_expire_early() -> None:
    """A link that expired before its file was fetched is renewed."""
    with clover(days=20, orders_per_day=20, objects_per_file=50, url_seconds=5) as simulator:
        fault = simulator.faults.add("download:429:retry-after=30*3@2")
        outcome = sync(simulator)
        assert fault.fired == 3
        assert outcome.code == 0
        assert_whole(outcome, simulator)


@pytest.mark.parametrize("skew", [-7200.0, -1.0, 0.0, 7200.0])
def test_server_clock(skew: float) -> None:
    """The bookmark never passes Clover's own clock, and no later window of the run moves it."""
    with clover(days=1, orders_per_day=200, clock_skew_seconds=skew) as simulator:
        now = simulator.clock.now()
        first = sync(simulator, window_days=1 / 24, start_date=iso(now - DAY))
        assert first.code == 0
        bookmark = first.bookmark("orders", ONE)
        assert bookmark
        assert iso(now + min(skew, 0) - 1) <= bookmark <= iso(now + min(skew, 0) + 60)
        simulator.clock.advance(4 * 3600)
        now = simulator.clock.now()
        second = sync(simulator, state=first.state, lookback_days=0)
        union = Outcome(0, first.output + second.output, "")
        span = int((TUESDAY_NOON - DAY) * 1000), int((now + min(skew, 0)) * 1000)
        held = simulator.records(ONE, "ORDERS", *span)
        got = {identity for _, identity in union.counts("orders")}
        assert got >= {record["id"] for record in held}


def test_a_bookmark_held_by_the_server_clock_stays() -> None:
    """Where Clover's clock is behind, the first export that shows anything says how far."""
    with clover(days=3, clock_skew_seconds=-7200, export_seconds=400) as simulator:
        start = iso(TUESDAY_NOON - 6 * 3600)
        outcome = sync(simulator, window_days=1 / 24, start_date=start, step=50)
        assert outcome.code == 0
        behind = [e for e in simulator.exports if e.type == "ORDERS" and e.created < e.end]
        assert behind[0].created <= behind[0].start
        shown = next(e for e in simulator.exports if e.type == "ORDERS" and e.created > e.start)
        assert outcome.bookmark("orders", ONE) == iso(min(shown.created, shown.end) / 1000)
        assert outcome.entry("orders", ONE)["exported_from"] == start


def test_end_date_and_start_in_the_future() -> None:
    """Nothing after end_date is asked for; a start in the future plans nothing."""
    with clover(days=10) as simulator:
        now = simulator.clock.now()
        outcome = sync(simulator, end_date=iso(now - 5 * DAY))
        assert outcome.bookmark("orders", ONE) == iso(now - 5 * DAY)
        assert max(export.end for export in simulator.exports) == (now - 5 * DAY) * 1000
        simulator.exports.clear()
        outcome = sync(simulator, start_date=iso(now + DAY))
        assert outcome.code == 0
        assert simulator.exports == []


def test_news_before_history() -> None:
    """The newest window of all comes before any history, over all merchants and streams."""
    with clover(merchants=(ONE, TWO), days=100, orders_per_day=3) as simulator:
        first = sync(simulator)
        del first.state["bookmarks"]
        state = {
            "bookmarks": {
                stream: {"partitions": [first_entry(first, stream, TWO)]} for stream in TYPES
            }
        }
        simulator.clock.advance(DAY)
        outcome = sync(simulator, state=state)
        assert outcome.code == 0
        order = list(
            dict.fromkeys(
                (m["record"]["merchant_id"], m["stream"])
                for m in outcome.messages
                if m["type"] == "RECORD" and m["stream"] in TYPES
            )
        )
        assert len(order) == 4
        history = [
            (export.merchant, export.type) for export in simulator.exports if export.merchant == ONE
        ]
        assert [kind for _, kind in history[-8:]] == ["ORDERS", "PAYMENTS"] * 4
        newest = max(export.end for export in simulator.exports[-10:])
        assert [export.end for export in simulator.exports[-10:-6]] == [newest] * 4


def first_entry(outcome: Outcome, stream: str, merchant: str) -> dict[str, Any]:
    """A partition's entry, copied."""
    entry = json.loads(json.dumps(outcome.states[0]))
    for message in reversed(outcome.messages):
        if message["type"] == "STATE" and message["value"]:
            entry = message["value"]
            break
    found = entry.get("bookmarks", {}).get(stream, {}).get("partitions", [])
    return next(item for item in found if item["context"]["merchant_id"] == merchant)


def test_sync_all_gives_the_same() -> None:
    """The SDK's own loop, stream after stream, gives the same records and state."""
    with clover(merchants=(ONE, TWO), days=40, unknown_fields=True) as simulator:
        turns = sync(simulator)
        whole = sync(simulator, all_at_once=True)
        for stream in TYPES:
            assert whole.counts(stream) == turns.counts(stream)
            assert whole.records(stream, ONE) == turns.records(stream, ONE)
            assert whole.bookmark(stream, TWO)
            assert set(whole.entry(stream, ONE)) == set(turns.entry(stream, ONE))
