"""Records: Clover's JSON becomes whole RECORD lines that every warehouse takes."""

from __future__ import annotations

import functools
import importlib.resources
import json
import logging
import re
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tap_clover_export import schemas, times
from tap_clover_export.errors import BadFileError, RecordError
from tap_clover_export.records.reader import LINES, MOST_LEARNED, MOST_SAID, Observed, Reader
from tap_clover_export.records.sanitize import _without_bad_escapes, clean

MERCHANT = "M1"
EXTRACTED = "2026-03-02T12:00:00.000Z"
BAD = "\ufffd"
TIME = 1_772_442_000_123
TEXT_TIME = "2026-03-02T09:00:00.123Z"


@functools.cache
def _schema(stream: str) -> dict[str, Any]:
    text = (importlib.resources.files(schemas) / f"{stream}.json").read_text()
    schema: dict[str, Any] = json.loads(text)
    return schema


@functools.cache
def _validator(stream: str) -> Any:
    return jsonschema.Draft7Validator(
        {**_schema(stream), "additionalProperties": False},
        format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER,
    )


def _reader(stream: str = "orders", deselected: tuple[str, ...] = ()) -> Reader:
    return Reader(stream, _schema(stream), deselected)


def _file(*records: str | bytes) -> bytes:
    parts = [record if isinstance(record, bytes) else record.encode() for record in records]
    return b'{"elements":[' + b",".join(parts) + b"]}"


def _emit(content: bytes, reader: Reader | None = None) -> list[dict[str, Any]]:
    """The records that come out, after a look at their lines: whole, valid, equal to `plain`."""
    reader = reader or _reader()
    stream = reader._stream
    records = reader.read(content, MERCHANT)
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
        for name, field in _schema(stream)["properties"].items():
            if field.get("format") == "date-time" and record.get(name) is not None:
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record[name])
        record_text = json.dumps(record, default=str, ensure_ascii=False)
        record_text.encode()  # no lone surrogate
        assert "\x00" not in record_text
        found.append(record)
    assert plain == found
    return found


def _one(record: str | bytes, reader: Reader | None = None) -> dict[str, Any]:
    (found,) = _emit(_file(record), reader)
    assert found.pop("merchant_id") == MERCHANT
    return found


def test_typed_root_fields() -> None:
    """Root fields carry Clover's names, times RFC 3339 with milliseconds, money its integers."""
    record = _one(
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
    names = [name for name in _schema(stream)["properties"] if name not in ("merchant_id", "id")]
    names.remove("additional_fields")
    nulls = dict.fromkeys(names)

    record = _one(json.dumps({"id": "A", **nulls}), _reader(stream))

    assert record == {"id": "A", **nulls}


def test_absent_fields_stay_absent() -> None:
    """A missing amount is not 0 and not null: it is missing."""
    assert _one('{"id":"A"}') == {"id": "A"}


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
    reader = _reader()
    for _ in range(3):
        text = f'{{"id":"A","{name}":{value},"note":"n"}}'
        lines = b"".join(b for _, b in reader.lines(reader.read(_file(text), MERCHANT), EXTRACTED))
        record = _one(text, reader)
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
    assert _one(f'{{"id":"A","{name}":{value}}}') == {"id": "A", name: expected}


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
    reader = _reader()
    for _ in range(3):
        records = reader.read(_file('{"id":"A",' + place % value + "}"), MERCHANT)
        ((_, line),) = reader.lines(records, EXTRACTED)
        assert (place % value).encode() in line
        _one('{"id":"A",' + place % value + "}", reader)


def test_deep_nesting_is_carried() -> None:
    """Hundreds of levels are no trouble, in known and in unknown fields."""
    deep = "[" * 300 + "]" * 300
    record = _one(f'{{"id":"A","employee":{{"x":{deep}}},"unknown":{deep}}}')

    assert record["additional_fields"]["unknown"] == json.loads(deep)


def test_too_deep_nesting_is_an_error() -> None:
    """What no JSON reader takes is a bad file, not a crash."""
    deep = "[" * 100_000 + "]" * 100_000
    with pytest.raises(BadFileError):
        _reader().read(_file(f'{{"id":"A","employee":{{"x":{deep}}}}}'), MERCHANT)


@pytest.mark.parametrize("space", [" ", "\n", "\r", "\r\n", "\t", "\n\n  "])
def test_white_space_between_tokens(space: str) -> None:
    """A file pretty-printed in any way gives the same one-line records."""
    pieces = re.findall(
        r'"(?:\\.|[^"\\])*"|[\[\]{}:,]|[^\[\]{}:,"]+',
        '{"elements":[{"id":"A","total":5,"employee":{"a":[1,{"b":"x y"}]},"unknown":{"c":[ ]}}]}',
    )
    (record,) = _emit(space.join(["", *pieces, ""]).encode())

    assert record == {
        "merchant_id": MERCHANT,
        "id": "A",
        "total": 5,
        "employee": {"a": [1, {"b": "x y"}]},
        "additional_fields": {"unknown": {"c": []}},
    }


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c"])
def test_other_line_separators_stay_in_text(separator: str) -> None:
    """Unicode's line separators are text, not line ends."""
    text = json.dumps({"id": "A", "title": separator, "employee": {"x": separator}})
    assert _one(text)["title"] == separator
    if separator > "\x20":
        assert _one(json.dumps(json.loads(text), ensure_ascii=False))["title"] == separator


CLEANED = [
    ("\\u0000", BAD, 1),
    ("a\\u0000b\\u0000", f"a{BAD}b{BAD}", 2),
    ("\\ud800", BAD, 1),
    ("\\uDFFF", BAD, 1),
    ("\\udbff\\udbff", BAD * 2, 2),
    ("\\udc00\\ud800", BAD * 2, 2),
    ("\\ud800\\ud800\\udc00", f"{BAD}\U00010000", 1),
    ("\\ud83d\\ude00\\ud83d", f"\U0001f600{BAD}", 1),
    ("\\ud83d\\u0041", f"{BAD}A", 1),
    ("\\ud83d\\n", f"{BAD}\n", 1),
    ("\\ud83d\\\\ude00", f"{BAD}\\ude00", 1),
    ("\\\\u0000", "\\u0000", 0),
    ("\\\\ud800", "\\ud800", 0),
    ("\\\\\\u0000", f"\\{BAD}", 1),
    ("\\\\\\\\u0000", "\\\\u0000", 0),
    ("\\\\\\\\\\ud800", f"\\\\{BAD}", 1),
    ("\\ud83d\\ude00", "\U0001f600", 0),
    ("\\uD83D\\uDE00", "\U0001f600", 0),
    ("\\uffff\\u0001", "\uffff\x01", 0),
    ("\\ufffd", BAD, 0),
    ("\\u00000", f"{BAD}0", 1),
    ("u0000", "u0000", 0),
    ('\\"\\u0000\\"', f'"{BAD}"', 1),
]


@pytest.mark.parametrize(("text", "expected", "count"), CLEANED)
@pytest.mark.parametrize(
    "place",
    [
        '"title":"%s"',
        '"employee":{"x":"%s"}',
        '"employee":{"%s":1}',
        '"employee":{"x":[{"%s":["%s"]}]}',
        '"%s":5',
        '"unknown":{"x":"%s"}',
        '"total":"%s"',
    ],
)
def test_what_no_warehouse_takes_is_replaced(
    text: str, expected: str, count: int, place: str
) -> None:
    """NUL and lone surrogates become U+FFFD anywhere, counted; what only looks so stays."""
    times_placed = place.count("%s")
    filled = place.replace("%s", text)
    wanted = json.loads("{" + place.replace("%s", json.dumps(expected)[1:-1]) + "}")
    if place == '"%s":5' or "unknown" in place:
        wanted = {"additional_fields": wanted}
    elif place.startswith('"total"'):
        wanted = {"total": None, "additional_fields": wanted}
    record = '{"id":"A",' + filled + "}"

    assert _one(record) == {"id": "A", **wanted}
    assert clean(_file(record))[1] == count * times_placed


def test_keys_are_cleaned_as_well() -> None:
    """An id with a NUL is still a key that loads."""
    assert _one('{"id":"A\\u0000"}') == {"id": f"A{BAD}"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xff", BAD),
        (b"a\xc3(b", f"a{BAD}(b"),
        (b"\xf0\x9f\x98", BAD),
        (b"\xed\xa0\x80", BAD * 3),
        ("caf\u00e9\U0001f600".encode(), "caf\u00e9\U0001f600"),
    ],
)
@pytest.mark.parametrize("place", [b'"title":"%s"', b'"employee":{"x":"%s"}', b'"new":"%s"'])
def test_invalid_utf8_is_replaced(content: bytes, expected: str, place: bytes) -> None:
    """Bytes that are no UTF-8 become U+FFFD and are counted; the record is not lost."""
    record = b'{"id":"A",' + place % content + b"}"

    assert expected in json.dumps(_one(record), ensure_ascii=False)
    assert clean(_file(record))[1] == expected.count(BAD)


def test_replacements_are_counted_right() -> None:
    """A U+FFFD that Clover sent itself is not counted beside an invalid byte."""
    content = _file('{"id":"A","title":"\ufffd\ufffd'.encode() + b'\xff"}')

    assert clean(content)[1] == 1


def test_replacements_of_all_kinds_add_up() -> None:
    """Escapes and invalid bytes of one file are counted together."""
    content = _file(b'{"id":"A","title":"\xff\\u0000\\ud800"}')

    assert _emit(content)[0]["title"] == BAD * 3
    assert clean(content)[1] == 3


@pytest.mark.parametrize("control", [b"\x00", b"\x01", b"\x08", b"\x0b", b"\x0c", b"\x1f"])
def test_raw_control_characters_are_replaced(control: bytes) -> None:
    """Control characters that JSON does not allow in text are replaced and counted."""
    content = _file(b'{"id":"A","title":"a' + control + b'b","employee":{"x":"' + control + b'"}}')

    reader = _reader()
    assert _emit(content, reader)[0]["title"] == f"a{BAD}b"
    assert reader.replaced == 2
    pretty = content.replace(b",", b",\r\n ")
    assert _emit(pretty, reader)[0]["title"] == f"a{BAD}b"
    assert reader.replaced == 4


def test_clean_files_are_not_copied() -> None:
    """A file without anything to replace pays no more than a search: it is the same object."""
    content = _file('{"id":"A","title":"caf\u00e9 \\\\ \\n \\u00e9"}')

    assert clean(content)[0] is content
    assert clean(content)[1] == 0


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
    reader = _reader()

    assert _one(record, reader) == expected
    assert _one(record, reader) == expected


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
    reader = _reader()
    for _ in range(3):
        assert _one(record, reader) == {"id": "A", "additional_fields": additional}


@pytest.mark.parametrize(
    ("name", "value"), [("merchant_\\u0069d", '"X"'), ("additional\\u005ffields", '{"a":1}')]
)
def test_fields_of_our_names_in_escapes_are_kept_apart(name: str, value: str) -> None:
    """Our names written with escapes are dropped (or taken for ours) without a word."""
    plain = json.loads(f'"{name}"')

    assert _one(f'{{"id":"A","{name}":{value}}}')["additional_fields"] == {plain: json.loads(value)}


def test_mention_of_our_names_in_text_changes_nothing() -> None:
    """Text and nested keys that hold our names are only text and nested keys."""
    record = '{"id":"A","title":"merchant_id","employee":{"merchant_id":"x"},"new":1}'

    assert _one(record) == {
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
    reader = _reader()
    for value in ({"x": [1]}, None, "t", 5):
        text = json.dumps({"id": "A", name: value}, ensure_ascii=ascii_only)
        assert _one(text, reader) == {"id": "A", "additional_fields": {name: value}}
        assert _one('{"id":"B"}', reader) == {"id": "B"}
    assert len(caplog.records) == 1
    assert "\n" not in caplog.records[0].getMessage()


def test_all_odd_names_together() -> None:
    """Unknown names don't get into each other's way, nor into that of odd values."""
    reader = _reader()
    for number in range(3):
        unknown = {name: f"{name}{number}" for name in NAMES}
        record = _one(json.dumps({"id": "A", "total": "x", **unknown}), reader)
        assert record == {"id": "A", "total": None, "additional_fields": {**unknown, "total": "x"}}


def test_more_unknown_names_than_are_learned(caplog: pytest.LogCaptureFixture) -> None:
    """Past the names that are learned every field is still kept, and the log stays bounded."""
    reader = _reader()
    many = MOST_SAID + 50
    for number in range(3):
        for half in (range(many // 2), range(many // 2, many), range(many)):
            unknown = {f"f{field}": field + number for field in half}
            assert _one(json.dumps({"id": "A", **unknown}), reader) == {
                "id": "A",
                "additional_fields": unknown,
            }
    assert len(reader._learned) == MOST_LEARNED
    assert len(caplog.records) == MOST_SAID


def test_a_field_is_said_once_over_files_and_merchants(caplog: pytest.LogCaptureFixture) -> None:
    """However many records have it, an unknown field is one line of the log a run."""
    reader = _reader()
    content = _file(*[f'{{"id":"A{n}","new":{n}}}' for n in range(5)])
    for merchant in ("M1", "M2"):
        reader.read(content, merchant)

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
    reader = _reader()
    for _ in range(2):
        assert _one(f'{{"id":{given_id},"new":1}}', reader) == {
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
        "null",
        "5",
        '"A"',
        "[]",
    ],
)
def test_records_without_an_id_are_errors(record: str) -> None:
    """A record that can't be keyed is a RecordError that says what to do; none is dropped."""
    with pytest.raises(RecordError, match=r"orders .*; .*ask Clover's support"):
        _reader().read(_file('{"id":"A"}', record), MERCHANT)


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
        _reader().read(content, MERCHANT)


@pytest.mark.parametrize("content", [b'{"elements":[{"id":"a\nb"}]}', b"\nx", b'\n{"elements":['])
def test_broken_files_with_newlines_are_errors_too(content: bytes) -> None:
    """Malformed JSON that holds a newline is told as what it is by whoever meets it first."""
    with pytest.raises(BadFileError):
        clean(content)
    with pytest.raises(BadFileError):
        _reader().read(content, MERCHANT)


BAD_FILES = [
    (b"", "not JSON"),
    (b" ", "not JSON"),
    (b"<html>503</html>", "not JSON"),
    (b'{"elements":[{"id":"A"}', "not JSON"),
    (b'{"elements":[]} x', "not JSON"),
    (b'{"elements":[{"id":"A",}]}', "not JSON"),
    (b'{"elements":[{"id":"A\n"}]}', "not JSON"),
    (b'{"elements":[NaN]}', "not JSON"),
    (b'{"elements":[' + b"[" * 100_000 + b"]" * 100_000 + b"]}", "not JSON"),
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
    reader = _reader()
    with pytest.raises(BadFileError, match=why):
        reader.read(content, MERCHANT)
    assert _emit(_file('{"id":"A"}'), reader)[0]["id"] == "A"


_ESCAPES = ["\\", "\\u", "\\ud83d", "\\uDE00", "\\u0000", "u0000", "ud83d", "a", '\\"', "\\n"]


@given(
    st.lists(st.sampled_from(_ESCAPES), max_size=8).map("".join),
    st.sampled_from([0, 1 << 10, 3 << 10, 1 << 14]),
)
def test_the_quick_search_misses_no_bad_escape(text: str, more: int) -> None:
    """Files are looked through by a quick search first: what it passes has nothing to replace."""
    content = text.encode() + b" " * more  # the larger, the more backslashes are looked at alone
    assert clean(content) == _without_bad_escapes(content)


def test_an_empty_file_is_no_record() -> None:
    """A file without elements emits nothing."""
    reader = _reader()

    assert reader.read(b'{"elements":[]}', MERCHANT) == []
    assert list(reader.lines([], EXTRACTED)) == []
    assert reader.read(b'{"elements":[],"href":"x"}', MERCHANT) == []


@pytest.mark.parametrize("count", [1, LINES - 1, LINES, LINES + 1, 3 * LINES + 7])
def test_lines_come_in_blocks(count: int) -> None:
    """Blocks of whole lines in the file's order, each with how many it holds."""
    reader = _reader()
    records = reader.read(_file(*[f'{{"id":"A{n}"}}' for n in range(count)]), MERCHANT)
    blocks = list(reader.lines(records, EXTRACTED))

    assert all(block.count(b"\n") == size <= LINES for size, block in blocks)
    assert all(block.endswith(b"\n") for _, block in blocks)
    ids = [json.loads(line)["record"]["id"] for _, block in blocks for line in block.splitlines()]
    assert ids == [f"A{n}" for n in range(count)]


def test_odd_and_good_records_mix() -> None:
    """One odd record does not change its neighbours."""
    good = '{"id":"A","total":1,"new":{"a":1.10}}'
    found = _emit(_file(good, '{"id":5,"total":"x","merchant_id":"X"}', good))

    assert found[0] == found[2]
    assert found[1]["additional_fields"] == {"total": "x", "merchant_id": "X"}


@pytest.mark.parametrize("name", ["total", "employee", "createdTime", "title", "taxRemoved"])
def test_deselected_roots_are_absent(name: str) -> None:
    """A deselected root field is in no record, null or not."""
    values = {"total": 5, "employee": {"a": 1}, "createdTime": 0, "title": "x", "taxRemoved": True}
    reader = _reader(deselected=(name, "not-there"))

    for record in (values, {**values, name: None}, {**values, "new": 1}):
        found = _one(json.dumps({"id": "A", **record}), reader)
        assert name not in found
        assert set(found) - {"additional_fields"} == {"id", *values} - {name}


def test_deselected_additional_fields_are_absent() -> None:
    """Whoever deselects `additional_fields` gets none, learned or not, odd or not."""
    reader = _reader(deselected=("additional_fields",))
    for _ in range(3):
        assert _one('{"id":"A","new":1,"total":"x"}', reader) == {"id": "A", "total": None}


@pytest.mark.parametrize("value", ['"4111111111111111"', "5", "[1]", "true"])
def test_deselected_roots_do_not_come_back_under_additional_fields(value: str) -> None:
    """A deselected field of an odd type is not emitted under `additional_fields` either.

    People deselect `cardTransaction` to keep card data out of the warehouse.
    """
    reader = _reader("payments", deselected=("cardTransaction",))
    found = _one(f'{{"id":"A","cardTransaction":{value},"new":1}}', reader)

    assert found == {"id": "A", "additional_fields": {"new": 1}}


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ((0, 100), (3, 0, 2)),
        ((10, 30), (3, 0, 2)),
        ((11, 30), (3, 1, 2)),
        ((20, 2500), (3, 1, 0)),
        ((0, 2499), (3, 0, 2)),
        ((10, 29), (3, 1, 2)),
        ((0, 10_000), (3, 0, 0)),
        ((1000, 2000), (3, 3, 2)),
    ],
)
def test_observed_counts_what_lies_outside(
    window: tuple[int, int], expected: tuple[int, int, int]
) -> None:
    """Records with both times are looked at; both edges of the window count as inside."""
    reader = _reader()
    reader.read(
        _file(
            '{"id":"A","createdTime":10,"modifiedTime":20}',
            '{"id":"B","createdTime":20,"modifiedTime":2500}',
            '{"id":"C","createdTime":30,"modifiedTime":2500}'
            if window != (1000, 2000)
            else '{"id":"C","createdTime":30,"modifiedTime":1500}',
            '{"id":"D","createdTime":9999}',
            '{"id":"E","modifiedTime":9999}',
            '{"id":"F","createdTime":null,"modifiedTime":9999}',
            '{"id":"G","createdTime":"9999","modifiedTime":9999}',
        ),
        MERCHANT,
        window,
    )
    seen = reader.observed

    assert (seen.records, seen.created, seen.modified) == expected


def test_nothing_is_observed_without_a_window() -> None:
    """Where no window was asked for there is nothing to compare with."""
    reader = _reader()
    reader.read(_file('{"id":"A","createdTime":10,"modifiedTime":20}'), MERCHANT)

    assert reader.observed == Observed()
    assert reader.observed.field is None


@pytest.mark.parametrize(
    ("created", "modified", "field"),
    [(0, 0, None), (3, 0, "modifiedTime"), (0, 3, "createdTime"), (2, 2, None), (3, 2, None)],
)
def test_observed_tells_the_field(created: int, modified: int, field: str | None) -> None:
    """The time that never lies outside is the one that windows hold, if only one does."""
    assert Observed(10, created, modified).field == field


def test_reading_twice_is_harmless() -> None:
    """A file read again, by the same reader, gives the same records (a resumed emission)."""
    reader = _reader()
    content = _file('{"id":"A","total":"x","new":1,"createdTime":5}')

    assert _emit(content, reader) == _emit(content, reader) == _emit(content, reader)


# Records made by hypothesis, and what is expected of them, worked out without the reader

_PROPERTIES = {
    name: field
    for name, field in _schema("orders")["properties"].items()
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
    reader = _reader()
    wanted = [_expected(text) for text in texts]

    for _ in range(2):
        assert _emit(_file(*texts), reader) == wanted
        assert [found for text in texts for found in _emit(_file(text), reader)] == wanted
