"""What no warehouse takes is replaced, wherever in a file it stands."""

from __future__ import annotations

import codecs
import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tap_clover_export.errors import BadFileError
from tap_clover_export.records.sanitize import _replace_bad_escapes, sanitize
from tests.support.records import BAD, MERCHANT, emit, emit_one, file, make_reader, read


@pytest.mark.parametrize("space", [" ", "\n", "\r", "\r\n", "\t", "\n\n  "])
def test_white_space_between_tokens(space: str) -> None:
    """A file pretty-printed in any way gives the same one-line records."""
    pieces = re.findall(
        r'"(?:\\.|[^"\\])*"|[\[\]{}:,]|[^\[\]{}:,"]+',
        '{"elements":[{"id":"A","total":5,"employee":{"a":[1,{"b":"x y"}]},"unknown":{"c":[ ]}}]}',
    )
    (record,) = emit(space.join(["", *pieces, ""]).encode())

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
    assert emit_one(text)["title"] == separator
    if separator > "\x20":
        assert emit_one(json.dumps(json.loads(text), ensure_ascii=False))["title"] == separator


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

    assert emit_one(record) == {"id": "A", **wanted}
    assert sanitize(file(record))[1] == count * times_placed


def test_keys_are_cleaned_as_well() -> None:
    """An id with a NUL is still a key that loads."""
    assert emit_one('{"id":"A\\u0000"}') == {"id": f"A{BAD}"}


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

    assert expected in json.dumps(emit_one(record), ensure_ascii=False)
    assert sanitize(file(record))[1] == expected.count(BAD)


def test_replacements_are_counted_right() -> None:
    """A U+FFFD that Clover sent itself is not counted beside an invalid byte."""
    content = file('{"id":"A","title":"\ufffd\ufffd'.encode() + b'\xff"}')

    assert sanitize(content)[1] == 1


def test_replacements_of_all_kinds_add_up() -> None:
    """Escapes and invalid bytes of one file are counted together."""
    content = file(b'{"id":"A","title":"\xff\\u0000\\ud800"}')

    assert emit(content)[0]["title"] == BAD * 3
    assert sanitize(content)[1] == 3


@pytest.mark.parametrize("control", [b"\x00", b"\x01", b"\x08", b"\x0b", b"\x0c", b"\x1f"])
def test_raw_control_characters_are_replaced(control: bytes) -> None:
    """Control characters that JSON does not allow in text are replaced and counted."""
    content = file(b'{"id":"A","title":"a' + control + b'b","employee":{"x":"' + control + b'"}}')

    reader = make_reader()
    (found,) = emit(content, reader)
    assert (found["title"], found["employee"]) == (f"a{BAD}b", {"x": BAD})
    assert reader.replaced == 2
    pretty = content.replace(b",", b",\r\n ")
    assert emit(pretty, reader)[0]["title"] == f"a{BAD}b"
    assert reader.replaced == 4


@pytest.mark.parametrize("control", ["\t", "\n", "\r", "\r\n", "\t\n\r"])
@pytest.mark.parametrize("space", ["", "\t", "\n", "\r\n", "\n \t"])
@pytest.mark.parametrize("before", ["a", "\\\\", "\\n", '\\"', "\u00e9"])
def test_raw_white_space_in_text_is_kept(control: str, space: str, before: str) -> None:
    """A tab or a line end that is not escaped stays what it is, and nothing counts as replaced."""
    reader = make_reader()
    text = before + control
    pieces = ['{"id":"A"', f'"title":"{text}"', f'"employee":{{"{text}":"{text}x"}}', '"new":[]}']
    expected = json.loads(f'"{before}"') + control
    for _ in range(2):
        (found,) = emit(file(space.join(["", ("," + space).join(pieces), ""])), reader)
        assert found == {
            "merchant_id": MERCHANT,
            "id": "A",
            "title": expected,
            "employee": {expected: expected + "x"},
            "additional_fields": {"new": []},
        }
    assert reader.replaced == 0


def test_control_characters_of_all_kinds_in_one_file() -> None:
    """Some stay, some are replaced, each text by itself; what is clean is left alone."""
    reader = make_reader()
    texts = ["a\tb\x01", "clean", "\x00\x1f\x7f", "", "\n", "\\u0000\x02", "\\\\\x08"]
    found = emit(file(*[f'{{"id":"A","title":"{text}"}}' for text in texts]), reader)

    wanted = [f"a\tb{BAD}", "clean", f"{BAD}{BAD}\x7f", "", "\n", BAD * 2, f"\\{BAD}"]
    assert [record["title"] for record in found] == wanted
    assert reader.replaced == 6


@pytest.mark.parametrize("text", ["a\\\n", "\\\x01", "a\\\\\\\t"])
def test_no_escape_is_made_of_a_backslash_and_a_control_character(text: str) -> None:
    r"""A backslash that escapes a raw line feed is no JSON, not `\\n`."""
    with pytest.raises(BadFileError):
        read(file(f'{{"id":"A","title":"{text}"}}'))


def test_texts_are_mended_only_where_they_are_whole() -> None:
    """A cut file is a bad file, whatever control characters it holds."""
    content = file('{"id":"A","title":"a\tb"}', '{"id":"B","title":"a\tb"}')
    for end in range(len(content) - 1):
        with pytest.raises(BadFileError):
            read(content[:end])


@pytest.mark.parametrize("after", [b"", b"\n", b" \t"])
def test_a_byte_order_mark_is_left_out(after: bytes) -> None:
    """Some servers put one before UTF-8; it is no part of the file, and nothing is replaced."""
    reader = make_reader()
    content = codecs.BOM_UTF8 + after + file('{"id":"A","title":"\ufeff"}', '{"id":"B"}')

    assert [record["id"] for record in emit(content, reader)] == ["A", "B"]
    assert emit(content.replace(b'"B"', b'"B\t"'), reader)[1]["id"] == "B\t"
    assert emit(content, reader)[0]["title"] == "\ufeff"
    assert reader.replaced == 0


def test_clean_files_are_not_copied() -> None:
    """A file without anything to replace pays no more than a search: it is the same object."""
    content = file('{"id":"A","title":"caf\u00e9 \\\\ \\n \\u00e9"}')

    assert sanitize(content)[0] is content
    assert sanitize(content)[1] == 0


@pytest.mark.parametrize("content", [b'{"elements":[{"id":"a\nb}]}', b"\nx", b'\n{"elements":['])
def test_broken_files_with_newlines_are_errors_too(content: bytes) -> None:
    """Malformed JSON that holds a newline is told as what it is by whoever meets it first."""
    with pytest.raises(BadFileError):
        sanitize(content)
    with pytest.raises(BadFileError):
        read(content)


_ESCAPES = ["\\", "\\u", "\\ud83d", "\\uDE00", "\\u0000", "u0000", "ud83d", "a", '\\"', "\\n"]


@example("\\\\ud83d\\uDE00", 1 << 10)
@given(
    st.lists(st.sampled_from(_ESCAPES), max_size=8).map("".join),
    st.sampled_from([0, 1 << 10, 3 << 10, 1 << 14]),
)
def test_the_quick_search_misses_no_bad_escape(text: str, more: int) -> None:
    """Files are looked through by a quick search first: what it passes has nothing to replace."""
    content = text.encode() + b" " * more  # the larger, the more backslashes are looked at alone
    assert sanitize(content) == _replace_bad_escapes(content)
