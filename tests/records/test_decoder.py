"""Clover's JSON becomes typed records; what does not fit the schema is set apart."""

from __future__ import annotations

import json
import logging
from decimal import Decimal
from typing import Any

import pytest

from tap_clover_export import times
from tap_clover_export.errors import BadFileError, RecordError
from tap_clover_export.records.decoder import MAX_LEARNED_FIELDS, MAX_WARNINGS
from tests.support.records import (
    EXTRACTED,
    TOO_DEEP,
    emit,
    emit_one,
    file,
    make_reader,
    read,
    schema,
)

TIME = 1_772_442_000_123
TEXT_TIME = "2026-03-02T09:00:00.123Z"


def test_typed_root_fields() -> None:
    """Root fields carry Clover's names, times RFC 3339 with milliseconds, money its integers."""
    record = emit_one(
        f'{{"id":"A","total":1250,"taxRemoved":false,"title":"caf\u00e9","createdTime":{TIME},'
        f'"modifiedTime":0,"deletedTimestamp":-1,"employee":{{"id":"DFLTEMPLOYEE"}}}}'
    )

    assert record == {
        "id": "A",
        "total": 1250,
        "taxRemoved": False,
        "title": "caf\u00e9",
        "createdTime": TEXT_TIME,
        "modifiedTime": "1970-01-01T00:00:00.000Z",
        "deletedTimestamp": "1969-12-31T23:59:59.999Z",
        "employee": {"id": "DFLTEMPLOYEE"},
    }


@pytest.mark.parametrize("stream", ["orders", "payments"])
def test_null_everywhere(stream: str) -> None:
    """Every field but the keys may be null, and is then null, not missing."""
    names = [name for name in schema(stream)["properties"] if name not in ("merchant_id", "id")]
    names.remove("additional_fields")
    nulls = dict.fromkeys(names)

    record = emit_one(json.dumps({"id": "A", **nulls}), make_reader(stream))

    assert record == {"id": "A", **nulls}


def test_absent_fields_stay_absent() -> None:
    """A missing amount is not 0 and not null: it is missing."""
    assert emit_one('{"id":"A"}') == {"id": "A"}


NOT_ALWAYS = "is not always of its declared type or range; it is kept under additional_fields."
ODD = [
    ("total", "12.0"),
    ("total", "12.5"),
    ("total", "1e2"),
    ("total", "1E-2"),
    ("total", "-0.0"),
    ("total", '"12"'),
    ("total", '""'),
    ("total", "true"),
    ("total", "[]"),
    ("total", "{}"),
    ("total", str(2**63)),
    ("total", str(-(2**63) - 1)),
    ("total", str(2**64)),
    ("total", "12345678901234567890"),
    ("total", "9" * 400),
    ("total", "1e400"),
    ("taxRemoved", "1"),
    ("taxRemoved", "0"),
    ("taxRemoved", '"true"'),
    ("title", "5"),
    ("title", "true"),
    ("title", '["x"]'),
    ("title", '{"a":1.10}'),
    ("employee", '"Jane"'),
    ("employee", "5"),
    ("employee", "true"),
    ("employee", "[1,[2.50]]"),
    ("createdTime", str(times.YEAR_9999 + 1)),
    ("createdTime", str(times.YEAR_1 - 1)),
    ("createdTime", "-62167219200000"),
    ("createdTime", str(2**63)),
    ("createdTime", '"1772442000123"'),
    ("createdTime", '"2026-03-02T09:00:00Z"'),
    ("createdTime", "1772442000123.0"),
    ("createdTime", "1.772442e12"),
    ("createdTime", "true"),
    ("createdTime", "{}"),
]


@pytest.mark.parametrize(("name", "value"), ODD, ids=[f"{n}-{v[:24]}" for n, v in ODD])
def test_odd_root_values_are_set_apart(
    name: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What is not of its declared type or range: null at root, kept whole apart, said once."""
    reader = make_reader()
    for _ in range(3):
        text = f'{{"id":"A","{name}":{value},"note":"n"}}'
        lines = b"".join(b for _, b in reader.lines(read(file(text), reader), EXTRACTED))
        record = emit_one(text, reader)
        expected = json.loads(value, parse_float=Decimal)
        assert record == {"id": "A", name: None, "note": "n", "additional_fields": {name: expected}}
        assert f'"additional_fields":{{"{name}":{value}}}'.encode() in lines
    assert [r.getMessage() for r in caplog.records] == [f"Field {name} of orders {NOT_ALWAYS}"]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("total", str(2**63 - 1), 2**63 - 1),
        ("total", str(-(2**63)), -(2**63)),
        ("total", "9007199254740993", 9007199254740993),
        ("total", "-0", 0),
        ("total", "0", 0),
        ("createdTime", str(times.YEAR_9999), "9999-12-31T23:59:59.999Z"),
        ("createdTime", str(times.YEAR_1), "0001-01-01T00:00:00.000Z"),
        ("title", '""', ""),
        ("title", '" x\\n\\t\\r "', " x\n\t\r "),
        ("title", '"\\ud83d\\ude00"', "\U0001f600"),
        ("title", '"\\"\\\\\\/"', '"\\/'),
        ("title", '"12"', "12"),
        ("employee", "{}", {}),
        ("employee", '{"a":null}', {"a": None}),
    ],
)
def test_edges_of_types_stay_at_root(name: str, value: str, expected: object) -> None:
    """The last integer, the first and last year, 17 digits, escapes, empty text and objects."""
    assert emit_one(f'{{"id":"A","{name}":{value}}}') == {"id": "A", name: expected}


@pytest.mark.parametrize(
    "value",
    [
        "9007199254740993",
        "12345678901234567890",
        "1" * 100,
        "1.10",
        "0.10000000000000000555",
        "1E+5",
        "1e400",
        "-0.0",
        "-0",
        "[1.10,[],{}]",
        '{"a":{"b":[{"c":1.50}]}}',
        '"\\u00e9\\/\\n"',
        '"\U0001f600"',
        "null",
        "true",
    ],
)
@pytest.mark.parametrize("place", ['"employee":{"x":%s}', '"unknown":%s', '"unknown":{"x":%s}'])
def test_nested_json_is_unchanged(value: str, place: str) -> None:
    """Nested and unknown values leave with the very bytes they came with, file after file."""
    reader = make_reader()
    for _ in range(3):
        records = read(file('{"id":"A",' + place % value + "}"), reader)
        ((_, line),) = reader.lines(records, EXTRACTED)
        assert (place % value).encode() in line
        emit_one('{"id":"A",' + place % value + "}", reader)


def test_deep_nesting_is_carried() -> None:
    """Hundreds of levels are no trouble, in known and in unknown fields."""
    deep = "[" * 300 + "]" * 300
    record = emit_one(f'{{"id":"A","employee":{{"x":{deep}}},"unknown":{deep}}}')

    assert record["additional_fields"]["unknown"] == json.loads(deep)


def test_too_deep_nesting_is_an_error() -> None:
    """What no JSON reader takes is a bad file, not a crash."""
    deep = "[" * TOO_DEEP + "]" * TOO_DEEP
    with pytest.raises(BadFileError):
        read(file(f'{{"id":"A","employee":{{"x":{deep}}}}}'))


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ('{"id":"A","id":"B"}', {"id": "B"}),
        ('{"id":"A","total":1,"total":2}', {"id": "A", "total": 2}),
        ('{"id":"A","total":"x","total":2}', {"id": "A", "total": 2}),
        (
            '{"id":"A","total":2,"total":"x"}',
            {"id": "A", "total": None, "additional_fields": {"total": "x"}},
        ),
        ('{"id":"A","new":1,"new":2}', {"id": "A", "additional_fields": {"new": 2}}),
        ('{"id":"A","employee":{"a":1,"a":2}}', {"id": "A", "employee": {"a": 2}}),
    ],
)
def test_of_duplicate_keys_the_last_counts(record: str, expected: dict[str, Any]) -> None:
    """A key that comes twice has its last value, as in every JSON reader, in every file."""
    reader = make_reader()

    assert emit_one(record, reader) == expected
    assert emit_one(record, reader) == expected


@pytest.mark.parametrize(
    ("record", "additional"),
    [
        ('{"id":"A","merchant_id":"X"}', {"merchant_id": "X"}),
        ('{"id":"A","merchant_id":null}', {"merchant_id": None}),
        (
            '{"id":"A","additional_fields":{"a":1.10}}',
            {"additional_fields": {"a": Decimal("1.10")}},
        ),
        (
            '{"id":"A","additional_fields":"x","merchant_id":5,"new":[]}',
            {"additional_fields": "x", "merchant_id": 5, "new": []},
        ),
        ('{"id":"A","merchant_id" : "X"}', {"merchant_id": "X"}),
    ],
)
def test_fields_of_our_names_are_kept_apart(record: str, additional: dict[str, Any]) -> None:
    """Should Clover send `merchant_id` or `additional_fields` itself, ours win, theirs stay."""
    reader = make_reader()
    for _ in range(3):
        assert emit_one(record, reader) == {"id": "A", "additional_fields": additional}


@pytest.mark.parametrize(
    ("name", "value"), [("merchant_\\u0069d", '"X"'), ("additional\\u005ffields", '{"a":1}')]
)
def test_fields_of_our_names_in_escapes_are_kept_apart(name: str, value: str) -> None:
    """Our names written with escapes are dropped (or taken for ours) without a word."""
    plain = json.loads(f'"{name}"')

    assert emit_one(f'{{"id":"A","{name}":{value}}}')["additional_fields"] == {
        plain: json.loads(value)
    }


def test_mention_of_our_names_in_text_changes_nothing() -> None:
    """Text and nested keys that hold our names are only text and nested keys."""
    record = '{"id":"A","title":"merchant_id","employee":{"merchant_id":"x"},"new":1}'

    assert emit_one(record) == {
        "id": "A",
        "title": "merchant_id",
        "employee": {"merchant_id": "x"},
        "additional_fields": {"new": 1},
    }


NAMES = [
    "new",
    "Id",
    "new field",
    "caf\u00e9",
    "\U0001f600",
    "",
    'a"b',
    "a\\b",
    "a\\u0041",
    "a\nb",
    "a/b",
    "a\u2028b",
    "a\x7fb",
    "unknown_0",
    "unknown_1",
    "__dict__",
    "__struct_fields__",
    "__class__",
    "type",
    "class",
    "x" * 500,
    "elements",
]


@pytest.mark.parametrize("name", NAMES, ids=repr)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_unknown_fields_of_any_name(
    name: str,
    caplog: pytest.LogCaptureFixture,
    *,
    ascii_only: bool,
) -> None:
    """Any unknown name is kept as it is, in the first file and in later ones, said once."""
    reader = make_reader()
    for value in ({"x": [1]}, None, "t", 5):
        text = json.dumps({"id": "A", name: value}, ensure_ascii=ascii_only)
        assert emit_one(text, reader) == {"id": "A", "additional_fields": {name: value}}
        assert emit_one('{"id":"B"}', reader) == {"id": "B"}
    assert len(caplog.records) == 1
    assert "\n" not in caplog.records[0].getMessage()


def test_all_odd_names_together() -> None:
    """Unknown names don't get into each other's way, nor into that of odd values."""
    reader = make_reader()
    for number in range(3):
        unknown = {name: f"{name}{number}" for name in NAMES}
        record = emit_one(json.dumps({"id": "A", "total": "x", **unknown}), reader)
        assert record == {"id": "A", "total": None, "additional_fields": {**unknown, "total": "x"}}


def test_more_unknown_names_than_are_learned(caplog: pytest.LogCaptureFixture) -> None:
    """Past the names that are learned every field is still kept, and the log stays bounded."""
    reader = make_reader()
    many = MAX_WARNINGS + 50
    for number in range(3):
        for half in (range(many // 2), range(many // 2, many), range(many)):
            unknown = {f"f{field}": field + number for field in half}
            assert emit_one(json.dumps({"id": "A", **unknown}), reader) == {
                "id": "A",
                "additional_fields": unknown,
            }
    assert len(reader._decoder._learned) == MAX_LEARNED_FIELDS
    assert len(caplog.records) == MAX_WARNINGS


def test_a_field_is_said_once_over_files_and_merchants(caplog: pytest.LogCaptureFixture) -> None:
    """However many records have it, an unknown field is one line of the log a run."""
    reader = make_reader()
    content = file(*[f'{{"id":"A{n}","new":{n}}}' for n in range(5)])
    for merchant in ("M1", "M2"):
        list(reader.read(content, merchant))

    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert caplog.records[0].getMessage() == (
        "Field new of orders is not in the schema; it is kept under additional_fields."
    )


@pytest.mark.parametrize(
    ("given_id", "expected"),
    [('"A"', "A"), ('""', ""), ("123", "123"), ("0", "0"), ("9" * 30, "9" * 30)],
)
def test_ids_stay_text(given_id: str, expected: str) -> None:
    """An id is text; a number is taken for its digits; no length is checked."""
    reader = make_reader()
    for _ in range(2):
        assert emit_one(f'{{"id":{given_id},"new":1}}', reader) == {
            "id": expected,
            "additional_fields": {"new": 1},
        }


@pytest.mark.parametrize(
    "record",
    [
        "{}",
        '{"total":5}',
        '{"id":null}',
        '{"id":true}',
        '{"id":-5}',
        '{"id":1.5}',
        '{"id":12.0}',
        '{"id":1e3}',
        '{"id":{}}',
        '{"id":["A"]}',
        '{"Id":"A"}',
        "5",
        '"A"',
        "[]",
    ],
)
def test_records_without_an_id_are_errors(record: str) -> None:
    """A record that can't be keyed is a RecordError that says what to do; none is dropped."""
    with pytest.raises(RecordError, match=r"orders .*; .*ask Clover's support"):
        read(file('{"id":"A"}', record))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        b"[]",
        b"{}",
        b'{"elements":null}',
        b'{"elements":{}}',
        b'{"elements":[{"id":"A"}',
        b'{"elements":[{"id":"A"}]} x',
        b'{"elements":[{"id":"A","employee":{"a":NaN}}]}',
        b'{"elements":[{"id":"A","employee":{"a":01}}]}',
        b'{"elements":[{"id":"A","title":"\\x"}]}',
    ],
)
def test_what_is_no_file_of_records_is_an_error(content: bytes) -> None:
    """Anything but Clover's `{"elements": [...]}` is a BadFileError."""
    with pytest.raises(BadFileError):
        read(content)


BAD_FILES = [
    (b"", "not JSON"),
    (b" ", "not JSON"),
    (b"<html>503</html>", "not JSON"),
    (b'{"elements":[{"id":"A"}', "not JSON"),
    (b'{"elements":[]} x', "not JSON"),
    (b'{"elements":[{"id":"A",}]}', "not JSON"),
    (b'{"elements":[{"id":"A"}]}\n\x01', "not JSON"),
    (b'{"elements":[{"id":"A\\\n"}]}', "not JSON"),
    (b'{"elements":[{"id":"A\n]}', "not JSON"),
    ('{"elements":[{"id":"A"}]}'.encode("utf-16"), "not JSON"),
    ('{"elements":[{"id":"A"}]}'.encode("utf-16-le"), "not JSON"),
    ('{"elements":[{"id":"A"}]}'.encode("utf-16-be"), "not JSON"),
    ('{"elements":[{"id":"A"}]}'.encode("utf-32"), "not JSON"),
    (b'\xef\xbb\xbf\xef\xbb\xbf{"elements":[]}', "not JSON"),
    (b'{"elements":[NaN]}', "not JSON"),
    (b'{"elements":[' + b"[" * TOO_DEEP + b"]" * TOO_DEEP + b"]}", "not JSON"),
    (b"\x1f\x8b\x08\x00", "not JSON"),
    (b"null", "list of elements"),
    (b"[]", "list of elements"),
    (b'"elements"', "list of elements"),
    (b"{}", "list of elements"),
    (b'{"message":"Not Found"}', "list of elements"),
    (b'{"elements":null}', "list of elements"),
    (b'{"elements":{}}', "list of elements"),
    (b'{"elements":"x"}', "list of elements"),
]


@pytest.mark.parametrize(("content", "why"), BAD_FILES, ids=[repr(c[:24]) for c, _ in BAD_FILES])
def test_what_is_wrong_with_a_file_is_said(content: bytes, why: str) -> None:
    """Not JSON at all, or JSON of another kind."""
    reader = make_reader()
    with pytest.raises(BadFileError, match=why):
        read(content, reader)
    assert emit(file('{"id":"A"}'), reader)[0]["id"] == "A"


@pytest.mark.parametrize("odd", ["", '{"id":5,"total":"x"}'])
def test_null_elements_are_skipped_and_counted(odd: str) -> None:
    """A `null` among the elements holds no record: the others arrive."""
    reader = make_reader()
    parts = ["null", '{"id":"A"}', "null", *filter(None, [odd]), '{"id":"B"}']
    for seen in (2, 4):
        found = emit(file(*parts), reader)
        assert [record["id"] for record in found] == ["A", *filter(None, [odd and "5"]), "B"]
        assert reader.nulls == seen
    assert emit(file("null", " null "), reader) == []
    assert reader.nulls == 6


def test_odd_and_good_records_mix() -> None:
    """One odd record does not change its neighbours."""
    good = '{"id":"A","total":1,"new":{"a":1.10}}'
    found = emit(file(good, '{"id":5,"total":"x","merchant_id":"X"}', good))

    assert found[0] == found[2]
    assert found[1]["additional_fields"] == {"total": "x", "merchant_id": "X"}
