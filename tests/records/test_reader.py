"""Records: Clover's JSON becomes whole RECORD lines that every warehouse takes."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tap_clover_export import times
from tap_clover_export.records.reader import LINES_PER_BLOCK
from tests.support.records import (
    BAD,
    EXTRACTED,
    MERCHANT,
    emit,
    emit_one,
    file,
    make_reader,
    read,
    schema,
)

TIME = 1_772_442_000_123


def test_an_empty_file_is_no_record() -> None:
    """A file without elements emits nothing."""
    reader = make_reader()

    assert read(b'{"elements":[]}', reader) == []
    assert list(reader.lines([], EXTRACTED)) == []
    assert read(b'{"elements":[],"href":"x"}', reader) == []


@pytest.mark.parametrize("count", [1, 99, 100, 101, 307])
def test_lines_come_in_blocks(count: int) -> None:
    """Blocks of whole lines in the file's order, each with how many it holds."""
    reader = make_reader()
    records = read(file(*[f'{{"id":"A{n}"}}' for n in range(count)]), reader)
    blocks = list(reader.lines(records, EXTRACTED))

    assert all(block.count(b"\n") == size <= LINES_PER_BLOCK for size, block in blocks)
    assert all(block.endswith(b"\n") for _, block in blocks)
    ids = [json.loads(line)["record"]["id"] for _, block in blocks for line in block.splitlines()]
    assert ids == [f"A{n}" for n in range(count)]


@pytest.mark.parametrize("name", ["total", "employee", "createdTime", "title", "taxRemoved"])
def test_deselected_roots_are_absent(name: str) -> None:
    """A deselected root field is in no record, null or not."""
    values = {"total": 5, "employee": {"a": 1}, "createdTime": 0, "title": "x", "taxRemoved": True}
    reader = make_reader(deselected=(name, "not-there"))

    for record in (values, {**values, name: None}, {**values, "new": 1}):
        found = emit_one(json.dumps({"id": "A", **record}), reader)
        assert name not in found
        assert set(found) - {"additional_fields"} == {"id", *values} - {name}


def test_deselected_additional_fields_are_absent() -> None:
    """Whoever deselects `additional_fields` gets none, learned or not, odd or not."""
    reader = make_reader(deselected=("additional_fields",))
    for _ in range(3):
        assert emit_one('{"id":"A","new":1,"total":"x"}', reader) == {"id": "A", "total": None}


@pytest.mark.parametrize("value", ['"4111111111111111"', "5", "[1]", "true"])
def test_deselected_roots_do_not_come_back_under_additional_fields(value: str) -> None:
    """A deselected field of an odd type is not emitted under `additional_fields` either.

    People deselect `cardTransaction` to keep card data out of the warehouse.
    """
    reader = make_reader("payments", deselected=("cardTransaction",))
    found = emit_one(f'{{"id":"A","cardTransaction":{value},"new":1}}', reader)

    assert found == {"id": "A", "additional_fields": {"new": 1}}


def test_reading_twice_is_harmless() -> None:
    """A file read again, by the same reader, gives the same records (a resumed emission)."""
    reader = make_reader()
    content = file('{"id":"A","total":"x","new":1,"createdTime":5}')

    assert emit(content, reader) == emit(content, reader) == emit(content, reader)


# Records made by hypothesis, and what is expected of them, worked out without the reader

_PROPERTIES = {
    name: field
    for name, field in schema("orders")["properties"].items()
    if name not in ("merchant_id", "additional_fields", "id")
}
_ROOT_NAMES = [
    *("total", "title", "createdTime", "modifiedTime", "employee", "taxRemoved", "lineItems"),
    *("merchant_id", "additional_fields", "new", "other", "", 'q"', "b\\", "n\x00", "s\ud800"),
]
_text = st.text(
    st.one_of(
        st.sampled_from(list('\x00\ud800\udc00\ud83d\ude00\\u0"/\n\r\t\u2028\ufffd\U0001f600')),
        st.characters(codec=None),
    ),
    max_size=6,
)
_numbers = st.one_of(
    st.integers(-5, 5),
    st.sampled_from(
        [
            9007199254740993,
            12345678901234567890,
            2**63 - 1,
            2**63,
            -(2**63),
            -(2**63) - 1,
            TIME,
            times.YEAR_9999,
            times.YEAR_9999 + 1,
            times.YEAR_1,
            times.YEAR_1 - 1,
        ]
    ),
    st.floats(allow_nan=False, allow_infinity=False),
)
_values = st.recursive(
    st.none() | st.booleans() | _numbers | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=8,
)
_records = st.dictionaries(st.sampled_from(_ROOT_NAMES) | _text, _values, max_size=8)
_layouts = st.tuples(st.booleans(), st.sampled_from([None, 1, "\t"]))
_LONE = re.compile("[\x00\ud800-\udfff]")


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return _LONE.sub(BAD, value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {_cleaned(name): _cleaned(item) for name, item in value.items()}
    return value


def _fits(value: Any, field: dict[str, Any]) -> bool:
    if value is None:
        return True
    if "object" in field["type"]:
        return isinstance(value, dict)
    if "boolean" in field["type"]:
        return isinstance(value, bool)
    if field.get("format") == "date-time":
        return type(value) is int and times.YEAR_1 <= value <= times.YEAR_9999
    if "integer" in field["type"]:
        return type(value) is int and -(2**63) <= value < 2**63
    return isinstance(value, str)


def _expected(text: str) -> dict[str, Any]:
    """The record that JSON text should become, by the contract's words."""
    expected: dict[str, Any] = {"merchant_id": MERCHANT}
    additional: dict[str, Any] = {}
    for name, value in _cleaned(json.loads(text, parse_float=Decimal)).items():
        field = _PROPERTIES.get(name)
        if name == "id":
            expected[name] = value
        elif field is None:
            additional[name] = value
        elif not _fits(value, field):
            expected[name], additional[name] = None, value
        elif field.get("format") == "date-time" and value is not None:
            expected[name] = times.ms_to_text(value)
        else:
            expected[name] = value
    return {**expected, "additional_fields": additional} if additional else expected


def _layout(record: dict[str, Any], layout: tuple[bool, Any]) -> str:
    text = json.dumps(record, ensure_ascii=layout[0], indent=layout[1])
    return text if layout[0] else re.sub("[\ud800-\udfff]", lambda m: json.dumps(m[0])[1:-1], text)


@given(st.lists(st.tuples(_records, _layouts), min_size=1, max_size=4))
@example([({"n\x00": "\x00", "s\ud800": {"\x00": [1.5]}}, (True, None))])
@example([({"total": 2**63, "new": 1}, (True, None)), ({"total": 1, "new": None}, (False, 1))])
def test_any_record_becomes_what_the_contract_says(
    made: list[tuple[dict[str, Any], tuple[bool, Any]]],
) -> None:
    """Whatever JSON a record holds, both ways out agree with the contract, file after file."""
    texts = [_layout({**record, "id": "A"}, layout) for record, layout in made]
    reader = make_reader()
    wanted = [_expected(text) for text in texts]

    for _ in range(2):
        assert emit(file(*texts), reader) == wanted
        assert [found for text in texts for found in emit(file(text), reader)] == wanted
