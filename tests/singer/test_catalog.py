"""What a catalog and stream maps ask for: streams that go, full tables, and what can't be done."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.harness import ONE, TYPES, assert_whole, catalog, clover, entry, sync


def stream_of(catalog: dict[str, Any], name: str) -> dict[str, Any]:
    """A stream's entry of a catalog."""
    found: list[dict[str, Any]] = [one for one in catalog["streams"] if one["stream"] == name]
    return found[0]


def asking(**metadata: str) -> dict[str, Any]:
    """The discovered catalog with more in the metadata of orders."""
    found = catalog()
    orders = stream_of(found, "orders")
    (root,) = (m for m in orders["metadata"] if m["breadcrumb"] == [])
    root["metadata"] |= {name.replace("_", "-"): value for name, value in metadata.items()}
    orders |= {n: metadata[n] for n in ("replication_key",) if n in metadata}
    return found


@pytest.mark.parametrize(
    "maps",
    [{"orders": "__NULL__"}, {"orders": None}, {"payments": {}, "__else__": "__NULL__"}],
    ids=str,
)
def test_a_stream_that_maps_remove_is_not_selected(maps: dict[str, Any]) -> None:
    """It costs Clover nothing and has no bookmark; when the map goes, all of it comes."""
    with clover(days=5) as simulator:
        outcome = sync(simulator, stream_maps=maps)
        assert outcome.code == 0
        assert {export.type for export in simulator.exports} == {"PAYMENTS"}
        announced = {m["stream"] for m in outcome.messages if m["type"] == "SCHEMA"}
        assert announced == {"payments"} if "__else__" in maps else {"payments", "exports"}
        assert set(outcome.state["bookmarks"]) == {"payments"}
        later = sync(simulator, state=outcome.state)
        held = {record["id"] for record in simulator.records(ONE, "ORDERS")}
        assert {record["id"] for record in later.records("orders")} == held


def test_a_stream_that_lives_on_under_another_name_is_exported() -> None:
    """What maps remove and copy is still read."""
    maps = {"orders": "__NULL__", "sales": {"__source__": "orders"}}
    with clover(days=3) as simulator:
        outcome = sync(simulator, stream_maps=maps)
        held = len(simulator.records(ONE, "ORDERS"))
    assert len(outcome.records("sales")) == held
    assert outcome.records("orders") == []


def test_maps_that_remove_all(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is left to do, and that is said."""
    with clover(days=3) as simulator:
        outcome = sync(simulator, stream_maps={"orders": "__NULL__", "payments": "__NULL__"})
        assert outcome.code == 0
        assert simulator.exports == []
    assert "stream_maps removes them; there is nothing to do." in caplog.text


@pytest.mark.parametrize("field", ["replication_method", "forced_replication_method", None])
def test_a_full_table_is_exported_whole_in_every_run(field: str | None) -> None:
    """Wherever the catalog says it: from the start on, bookmark or not, and the bookmark stays."""
    chosen = asking(**({field: "FULL_TABLE"} if field else {}))
    if field is None:
        stream_of(chosen, "orders")["replication_method"] = "FULL_TABLE"
    with clover(days=40) as simulator:
        first = sync(simulator, catalog=chosen)
        assert_whole(first, simulator, twice=1)
        asked = len(simulator.exports)
        simulator.clock.advance(3600)
        again = sync(simulator, catalog=chosen, state=first.state)
        held = {record["id"] for record in simulator.records(ONE, "ORDERS")}
        assert {record["id"] for record in again.records("orders")} == held
        assert [export.type for export in simulator.exports[asked:]].count("PAYMENTS") == 1
        assert _bookmark(again.states[0]) >= _bookmark(first.state)
        asked = len(simulator.exports)
        simulator.clock.advance(1)
        sync(simulator, state=again.state)
        assert len(simulator.exports[asked:]) == len(TYPES)


def _bookmark(state: dict[str, Any]) -> str:
    value: str = entry(state, "orders", ONE)["replication_key_value"]
    return value


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ({"replication_key": "createdTime"}, "key of orders in the catalog is not used; "),
        ({"replication_method": "LOG_BASED"}, "method of orders in the catalog is not known; "),
    ],
)
def test_what_can_t_be_done_is_said_once(metadata: dict[str, str], sentence: str) -> None:
    """One warning, and the stream goes on as ever."""
    with clover(days=3) as simulator:
        outcome = sync(simulator, catalog=asking(**metadata))
        assert_whole(outcome, simulator)
    assert outcome.log.count("WARNING") == 1
    assert f"WARNING | The replication-{sentence}" in outcome.log
    schemas = [m for m in outcome.messages if m["type"] == "SCHEMA"]
    assert [m.get("bookmark_properties") for m in schemas] == [
        ["modifiedTime"],
        ["modifiedTime"],
        None,
    ]


def test_streams_that_do_not_exist_are_named_once() -> None:
    """In the catalog and in stream maps; the others come."""
    chosen = catalog()
    chosen["streams"].append(
        stream_of(chosen, "orders") | {"tap_stream_id": "refunds", "stream": "refunds"}
    )
    maps = {"ordres": {"note": None}, "copy": {"__source__": "sales"}, "pay*": {"note": None}}
    with clover(days=3) as simulator:
        outcome = sync(simulator, catalog=chosen, stream_maps=maps)
        assert outcome.code == 0
        assert len(outcome.records("orders")) == len(simulator.records(ONE, "ORDERS"))
    there = "has streams that do not exist ({}); there are exports, orders and payments."
    warnings = [line for line in outcome.log.splitlines() if line.startswith("WARNING")]
    assert warnings == [
        f"WARNING | The catalog {there.format('refunds')}",
        f"WARNING | stream_maps {there.format('ordres, sales')}",
    ]
