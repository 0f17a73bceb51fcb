"""The list of a file is found as a whole, and there is one only."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_clover_export.errors import BadFileError, RecordError
from tap_clover_export.records import elements
from tap_clover_export.records.decoder import BATCH_RECORDS, MAX_RECORDS
from tests.support.memory import LAUNCHER
from tests.support.records import MERCHANT, emit, file, make_reader, read

if TYPE_CHECKING:
    from pathlib import Path

MEGABYTE = 1 << 20

TWICE = [
    '"elements":[{"id":"A"}],"elements":[]',
    '"elements":[],"elements":[{"id":"A"}]',
    '"elements":[{"id":"A"}],"elements":[{"id":"B"}]',
    '"elements":[{"id":"A"}],"elements":[{"id":"A"}]',
    '"elements":[],"elements":[]',
    '"elements":[{"id":"A"}],"elements":[],"elements":[{"id":"B"}]',
    '"elements":[{"id":"A"}] , "elements" : [{"id":"B"}] ',
    '"elements":[{"id":"A"}],\n"elements":[]',
    '"elements":[{"id":"A"}],"href":"x","elements":[]',
    '"href":"x","elements":[{"id":"A"}],"more":[1,{"elements":[]}],"elements":[]',
    '"elements":[{"id":"A"}],"\\u0065lements":[]',
    '"\\u0065l\\u0065ments":[],"elements":[{"id":"A"}]',
    '"elements":null,"elements":[{"id":"A"}]',
    '"elements":[{"id":"A"}],"elements":null',
    '"elements":{},"elements":[{"id":"A"}]',
    '"elements":[{"id":"A","total":"x"}],"elements":[{"id":"B","new":1}]',
    '"elements":[null],"elements":[null]',
]


@pytest.mark.parametrize("members", TWICE)
def test_a_file_with_two_lists_is_a_bad_file(members: str) -> None:
    """Whichever of two lists a JSON reader takes, the records of the other would be lost."""
    with pytest.raises(BadFileError):
        read(f"{{{members}}}".encode())


@pytest.mark.parametrize(
    "members",
    [
        '"elements":%s',
        ' \t"elements" : %s ',
        '"\\u0065lements":%s',
        '"elements":%s,"href":"https://example.com/v3"',
        '"href":"http://[::1]/","elements":%s',
        '"elements":%s,"href":"http://[::1]/"',
        '"href":"x","elements":%s,"count":2',
        '"elements":%s,"more":[1,2]',
        '"more":[],"elements":%s,"other":{"elements":[]}',
        '"more":{"elements":[]},"elements":%s',
        '"href":"x","href":"y","elements":%s',
        '"Elements":[],"elements":%s',
        '"a\\"elements\\"":[],"elements":%s',
        '"long":"' + "x" * 10_000 + '","elements":%s',
    ],
)
@pytest.mark.parametrize(
    "record", ['{"id":"A"}', '{"id":"A","total":"x"}', '{"id":"A","lineItems":{"elements":[]}}']
)
def test_what_else_a_file_says_is_no_matter(members: str, record: str) -> None:
    """Other members of the root, in any order, and lists within records change nothing."""
    content = f"{{{members % f'[{record},{record}]'}}}".encode()

    assert emit(content) == emit(file(record, record))


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('[]{}",:\\ x\n', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=20,
)


@given(st.lists(_json, max_size=6), st.sampled_from([None, 1]), st.booleans())
def test_elements_and_members_are_told_apart(
    values: list[object], indent: int | None, in_object: bool
) -> None:
    """Whatever the values hold, each is cut out whole."""
    named = {f"{n}": value for n, value in enumerate(values)}
    text = json.dumps(named if in_object else values, indent=indent).encode()
    parts = [text[start:end] for start, end in elements.split(text)]

    if in_object:
        assert [json.loads(b"{%s}" % part) for part in parts] == [{k: v} for k, v in named.items()]
    else:
        assert [json.loads(part) for part in parts] == values


# Files of many records


def _record(number: int) -> str:
    return f'{{"id":"A{number}","employee":{{"a":[{number},{{"b":"],}}"}}]}},"createdTime":5}}'


@pytest.mark.parametrize("most", [elements.MANY_VALUES, 0])
@pytest.mark.parametrize(
    "odd", ["", '"total":"x"', '"new":1', '"merchant_id":"X"'], ids=["none", "odd", "new", "ours"]
)
def test_too_many_records_come_in_batches(
    monkeypatch: pytest.MonkeyPatch, most: int, odd: str
) -> None:
    """The same records in the same order as from small files, a bounded number at a time."""
    monkeypatch.setattr(elements, "MANY_VALUES", most)
    records = [_record(number) for number in range(MAX_RECORDS + 1)]
    for number in (0, 7, 1500, 4999) if odd else ():
        records[number] = records[number].replace('"createdTime"', odd + ',"createdTime"')
    reader = make_reader()
    batches = list(reader.read(file(*records), MERCHANT, (0, 10)))

    assert [len(batch) for batch in batches] == [BATCH_RECORDS] * 5 + [1]
    found = [reader.plain(record) for batch in batches for record in batch]
    alone = make_reader()
    assert found == [
        alone.plain(record)
        for first in range(0, len(records), 100)
        for record in read(file(*records[first : first + 100]), alone)
    ]


def test_a_file_of_clovers_size_comes_at_once() -> None:
    """Up to some thousand records are one batch."""
    content = file(*[_record(number) for number in range(MAX_RECORDS)])

    (batch,) = make_reader().read(content, MERCHANT)
    assert len(batch) == MAX_RECORDS


@pytest.mark.parametrize("most", [elements.MANY_VALUES, 0])
@pytest.mark.parametrize("ending", ["", "]", "]} x", '],"elements":[]}', ",]}", "]}\n\x01"])
def test_a_large_file_is_looked_at_as_a_whole_before_its_first_record(
    monkeypatch: pytest.MonkeyPatch, most: int, ending: str
) -> None:
    """A fault at its very end is found before anything of it could be emitted."""
    monkeypatch.setattr(elements, "MANY_VALUES", most)
    content = file(*[_record(number) for number in range(MAX_RECORDS + 1)])
    with pytest.raises(BadFileError):
        make_reader().read(content[:-2] + ending.encode(), MERCHANT)


@pytest.mark.parametrize("most", [elements.MANY_VALUES, 0])
@pytest.mark.parametrize("element", ["5", "[]", '"A"', "true", "{}"])
def test_what_is_no_record_in_a_large_file_is_an_error(
    monkeypatch: pytest.MonkeyPatch, most: int, element: str
) -> None:
    """An element that can't be keyed is told as in a small file."""
    monkeypatch.setattr(elements, "MANY_VALUES", most)
    records = [_record(number) for number in range(MAX_RECORDS + 1)]
    with pytest.raises(RecordError, match="orders"):
        read(file(*records, element))


@pytest.mark.parametrize("most", [elements.MANY_VALUES, 0])
def test_nulls_of_a_large_file_are_skipped(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """They are no records, and the records between them arrive."""
    monkeypatch.setattr(elements, "MANY_VALUES", most)
    reader = make_reader()
    count = MAX_RECORDS + 1

    assert len(read(file(*[_record(0), "null"] * count), reader)) == count
    assert reader.nulls == count


READ = """
import resource, sys
from pathlib import Path
from tests.support.memory import LAUNCHER
from tests.support.records import EXTRACTED, MERCHANT, make_reader

content = Path(sys.argv[1]).read_bytes()
reader = make_reader()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
count = 0
for batch in reader.read(content, MERCHANT, (0, 1)):
    count += sum(size for size, _ in reader.lines(batch, EXTRACTED))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(count, reader.nulls, (peak - before) * (1 if sys.platform == "darwin" else 1024))
"""


@pytest.mark.parametrize(
    ("element", "count", "most"),
    [(b'{"id":"a"}', 300_000, 45), (b"null", 1_100_000, 30)],
    ids=["records", "nulls"],
)
def test_memory_is_bounded_by_the_number_of_objects_too(
    tmp_path: Path, element: bytes, count: int, most: int
) -> None:
    """A file of very small objects takes its bytes and little more; as records 500 each."""
    path = tmp_path / "file"
    path.write_bytes(file(*[element] * count))
    done = subprocess.run(
        [sys.executable, "-c", LAUNCHER, "-c", READ, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    records, nulls, peak = map(int, done.stdout.split())

    assert records + nulls == count
    assert peak < most * MEGABYTE
