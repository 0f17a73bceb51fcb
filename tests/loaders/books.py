"""What a warehouse should hold, told from Clover's own books and nothing of the tap's code."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import tap_clover_export
from tests.support.harness import TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_clover_export.simulator import Simulator

Key: TypeAlias = tuple[str, str]
"""Merchant and id."""
Row: TypeAlias = dict[str, Any]

_SCHEMAS = Path(tap_clover_export.__file__).parent / "schemas"
LEDGER = "exports"
SCHEMAS: dict[str, dict[str, Any]] = {
    stream: json.loads((_SCHEMAS / f"{stream}.json").read_text())["properties"]
    for stream in (*TYPES, LEDGER)
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
YEAR_1, YEAR_10000 = -62_135_596_800_000, 253_402_300_800_000
UNFIT = re.compile("[\0\ud800-\udfff]")


def expected(simulator: Simulator, stream: str) -> dict[Key, Row]:
    """Every record of a stream as the documents promise it; times are datetimes in UTC."""
    return {
        (merchant, record["id"]): _row(merchant, record, SCHEMAS[stream])
        for merchant in simulator.options.merchants
        for record in simulator.records(merchant, TYPES[stream])  # type: ignore[arg-type]
    }


def kind(stream: str, name: str) -> str:
    """What a root field holds: integer, boolean, time, text or object."""
    field = SCHEMAS[stream][name]
    if field.get("format") == "date-time":
        return "time"
    found = next(name for name in field["type"] if name != "null")
    return "text" if found == "string" else str(found)


def _row(merchant: str, record: Mapping[str, Any], schema: Mapping[str, Any]) -> Row:
    row: Row = {"merchant_id": merchant}
    odd: Row = {}
    for name, value in _clean(record).items():
        if name not in schema:
            odd[name] = value
        elif _fits(value, schema[name]):
            is_time = value is not None and schema[name].get("format") == "date-time"
            row[name] = EPOCH + timedelta(milliseconds=value) if is_time else value
        else:
            row[name], odd[name] = None, value
    return row | ({"additional_fields": odd} if odd else {})


def _fits(value: object, field: Mapping[str, Any]) -> bool:
    if value is None:
        return True
    if field.get("format") == "date-time":
        return type(value) is int and YEAR_1 <= value < YEAR_10000
    types = {"integer": int, "boolean": bool, "string": str, "object": dict}
    wanted = next(types[name] for name in field["type"] if name != "null")
    return type(value) is wanted and (not isinstance(value, int) or -(2**63) <= value < 2**63)


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {_clean(name): _clean(nested) for name, nested in value.items()}
    if isinstance(value, list):
        return [_clean(nested) for nested in value]
    return UNFIT.sub("\ufffd", value) if isinstance(value, str) else value
