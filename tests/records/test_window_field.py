"""Which time Clover's windows go by, as the records tell."""

from __future__ import annotations

import pytest

from tap_clover_export.records.decoder import MAX_RECORDS
from tap_clover_export.records.window_field import MAX_OBSERVED, Observed
from tests.support.records import file, make_reader, read


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
    seen = Observed()
    read(
        file(
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
        make_reader(),
        window,
        seen,
    )
    assert (seen.records, seen.created, seen.modified) == expected


def test_what_windows_tell_adds_up() -> None:
    """One may show the one time outside, and another the other: then it is neither of the two."""
    told = [Observed(3, 1, 0), Observed(), Observed(2, 0, 2)]
    assert [one.field for one in told] == ["modifiedTime", None, "createdTime"]
    assert not any(one.contradicts for one in told)
    both = told[0] + told[1] + told[2]
    assert both == Observed(5, 1, 2)
    assert both.contradicts
    assert both.field is None


@pytest.mark.parametrize(
    ("created", "modified", "field"),
    [(0, 0, None), (3, 0, "modifiedTime"), (0, 3, "createdTime"), (2, 2, None), (3, 2, None)],
)
def test_observed_tells_the_field(created: int, modified: int, field: str | None) -> None:
    """The time that never lies outside is the one that windows hold, if only one does."""
    assert Observed(10, created, modified).field == field


def test_enough_records_are_looked_at() -> None:
    """The batch that passes the number is still looked at to its end, the next one no more."""
    reader, observed = make_reader(), Observed()
    size = MAX_RECORDS - 1
    content = file(*['{"id":"A","createdTime":10,"modifiedTime":20}'] * size)
    for _ in range(MAX_OBSERVED // size + 2):
        read(content, reader, (0, 15), observed)

    seen = (MAX_OBSERVED // size + 1) * size
    assert seen > MAX_OBSERVED
    assert observed == Observed(seen, 0, seen)
