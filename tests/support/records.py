"""Files of made-up records, and what comes out of them."""

from __future__ import annotations

import functools
import importlib.resources
import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import jsonschema

from tap_clover_export import schemas
from tap_clover_export.records.reader import Reader

if TYPE_CHECKING:
    from tap_clover_export.records.window_field import Observed

MERCHANT = "M1"
EXTRACTED = "2026-03-02T12:00:00.000Z"
BAD = "\ufffd"
TOO_DEEP = 300_000
"""More levels than any Python reads: from 3.14 on a stack of 8 MiB is the bound, some 260,000."""


@functools.cache
def schema(stream: str) -> dict[str, Any]:
    """A stream's JSON schema."""
    text = (importlib.resources.files(schemas) / f"{stream}.json").read_text()
    found: dict[str, Any] = json.loads(text)
    return found


@functools.cache
def _validator(stream: str) -> Any:
    return jsonschema.Draft7Validator(
        {**schema(stream), "additionalProperties": False},
        format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER,
    )


def make_reader(stream: str = "orders", deselected: tuple[str, ...] = ()) -> Reader:
    """A reader that saw nothing yet."""
    return Reader(stream, schema(stream), deselected)


def file(*records: str | bytes) -> bytes:
    """A file of Clover's that holds these records."""
    parts = [record if isinstance(record, bytes) else record.encode() for record in records]
    return b'{"elements":[' + b",".join(parts) + b"]}"


def read(
    content: bytes,
    reader: Reader | None = None,
    window: tuple[int, int] = (0, 0),
    observed: Observed | None = None,
) -> list[Any]:
    """The records of a file, of all batches."""
    batches = (reader or make_reader()).read(content, MERCHANT, window, observed)
    return [record for batch in batches for record in batch]


def emit(content: bytes, reader: Reader | None = None) -> list[dict[str, Any]]:
    """The records that come out, after a look at their lines: whole, valid, equal to `plain`."""
    reader = reader or make_reader()
    stream = reader._stream
    records = read(content, reader)
    plain = [reader.plain(record) for record in records]
    counts, blocks = zip(*reader.lines(records, EXTRACTED), strict=True) if records else ((), ())
    output = b"".join(blocks)
    assert sum(counts) == len(records)
    assert output.count(b"\n") == len(records)
    assert b"\r" not in output
    assert b"\\u0000" not in output.replace(b"\\\\", b"")
    assert re.fullmatch(rb"(?:[^\n]+\n)*", output)
    found = []
    for line in output.splitlines():
        message = json.loads(line, parse_float=Decimal)
        record = message.pop("record")
        assert message == {"type": "RECORD", "stream": stream, "time_extracted": EXTRACTED}
        assert record["merchant_id"] == MERCHANT
        _validator(stream).validate(record)
        for name, field in schema(stream)["properties"].items():
            if field.get("format") == "date-time" and record.get(name) is not None:
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record[name])
        record_text = json.dumps(record, default=str, ensure_ascii=False)
        record_text.encode()  # no lone surrogate
        assert "\x00" not in record_text
        found.append(record)
    assert plain == found
    return found


def emit_one(record: str | bytes, reader: Reader | None = None) -> dict[str, Any]:
    """The one record that comes out, without its merchant."""
    (found,) = emit(file(record), reader)
    assert found.pop("merchant_id") == MERCHANT
    return found
