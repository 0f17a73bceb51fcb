"""The overview: what the next run would do, in words and for programs."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_clover_export import times
from tap_clover_export.planning.hours import TABLE
from tap_clover_export.preview import forecast, overview
from tests.support.plans import NOW as TUESDAY
from tests.support.plans import work

if TYPE_CHECKING:
    from tap_clover_export.planning.plan import Partition, PartitionPlan

NOW = pendulum.datetime(2026, 3, 2, 16, 30)
MINUTES = 3

_TABLE = """\
merchant   stream    region  covered from      to (UTC)          new  history  late changes  pending
M1         orders    us      -                 -                   1        2             -        1
M1         payments  us      2026-01-21 16:30  2026-02-28 16:30    1        1             1        -
MERCHANT2  orders    la      the beginning     2026-03-02 16:30    -        -             -        -
"""


def _planned(days: float = 70, **options: Any) -> PartitionPlan:
    return work("M1", days=days, **{"now": NOW, **options})


def _small() -> dict[str, Any]:
    """Two merchants: one with a pending export, history and late changes; one lacks nothing."""
    return overview.overview(
        [
            _planned(pending=(70, 40)),
            _planned(stream="payments", behind=2, since=40, late=30, holes=((70, 40),)),
            work("MERCHANT2", region="la", days=40, behind=0, now=NOW),
        ],
        now=NOW,
        slots=1,
        state="state.json",
    )


def test_a_small_plan_for_programs() -> None:
    """JSON holds the contract's facts: rows, totals, openings, the end."""
    assert json.loads(overview.to_json(_small())) == {
        "now": "2026-03-02T16:30:00.000Z",
        "state": "state.json",
        "exports": 5,
        "pending": 1,
        "left": 0,
        "new": 2,
        "history": 3,
        "late_changes": 1,
        "regions": {
            "la": {"hours": None, "opens": None, "closes": None},
            "us": {
                "hours": "MON-SUN 10:00-15:00",
                "opens": "2026-03-03T10:00:00.000Z",
                "closes": "2026-03-03T15:00:00.000Z",
            },
        },
        "end": "2026-03-03T10:18:00.000Z",
        "streams": [
            {
                "merchant_id": "M1",
                "stream": "orders",
                "region": "us",
                "bookmark": None,
                "exported_from": None,
                "behind_seconds": 6_048_000,
                "new": {
                    "start": "2026-01-31T16:30:00.000Z",
                    "end": "2026-03-02T16:30:00.000Z",
                    "windows": 1,
                },
                "history": {
                    "start": "2025-12-22T16:30:00.000Z",
                    "end": "2026-01-31T16:30:00.000Z",
                    "windows": 2,
                },
                "late_changes": None,
                "holes": [],
                "windows": 3,
                "pending": 1,
                "left": 0,
            },
            {
                "merchant_id": "M1",
                "stream": "payments",
                "region": "us",
                "bookmark": "2026-02-28T16:30:00.000Z",
                "exported_from": "2026-01-21T16:30:00.000Z",
                "behind_seconds": 172_800,
                "new": {
                    "start": "2026-02-21T16:30:00.000Z",
                    "end": "2026-03-02T16:30:00.000Z",
                    "windows": 1,
                },
                "history": {
                    "start": "2025-12-22T16:30:00.000Z",
                    "end": "2026-01-21T16:30:00.000Z",
                    "windows": 1,
                },
                "late_changes": {
                    "start": "2026-01-31T16:30:00.000Z",
                    "end": "2026-02-21T16:30:00.000Z",
                    "windows": 1,
                },
                "holes": [{"start": "2025-12-22T16:30:00.000Z", "end": "2026-01-21T16:30:00.000Z"}],
                "windows": 3,
                "pending": 0,
                "left": 0,
            },
            {
                "merchant_id": "MERCHANT2",
                "stream": "orders",
                "region": "la",
                "bookmark": "2026-03-02T16:30:00.000Z",
                "exported_from": None,
                "behind_seconds": 0,
                "new": None,
                "history": None,
                "late_changes": None,
                "holes": [],
                "windows": 0,
                "pending": 0,
                "left": 0,
            },
        ],
    }


def test_a_small_plan_for_people() -> None:
    """The text is a table and sentences; words stand to the left, numbers to the right."""
    assert overview.to_text(_small()).splitlines() == [
        *_TABLE.splitlines(),
        "",
        "Bookmarks: those of --state state.json.",
        "Failed in the last run: payments of merchant M1, 2025-12-22 16:30 to 2026-01-21 16:30.",
        "Exports to ask Clover for: 5; pending ones to resume: 1.",
        "Region la: no opening hours are known, Clover itself says when it is closed.",
        "Region us: opens at 2026-03-03 10:00 UTC (MON-SUN 10:00-15:00).",
        "The run could end at 2026-03-03 10:18 UTC, if an export takes 3 minutes.",
    ]


def test_a_state_without_bookmarks_of_these_merchants_is_said() -> None:
    """One merchant's stream with a bookmark is enough; programs see the file's name as ever."""
    for item, words in (
        (_planned(pending=(70, 40)), "no bookmarks in --state s, so everything from start_date on"),
        (_planned(behind=2), "those of --state s"),
    ):
        made = overview.overview([_planned(), item], now=NOW, slots=1, state="s")
        assert made["state"] == "s"
        assert f"\nBookmarks: {words}.\n" in overview.to_text(made)


def test_the_text_is_narrow_and_says_what_is_open() -> None:
    """Ids of Clover's length fit into 110 columns; an open region says until when it is."""
    items = [
        work("AAAA1111AAAA1", "payments", behind=400, since=401, late=390, width=1, lookback=0),
        work("BBBB2222BBBB2", region="sandbox"),
    ]
    lines = overview.to_text(overview.overview(items, now=TUESDAY, slots=1)).splitlines()

    assert "Region sandbox: always open." in lines
    assert "Region us: open until 2026-03-03 15:00 UTC (MON-SUN 10:00-15:00)." in lines
    assert max(map(len, lines)) <= 110


def test_history_and_late_changes_are_not_behind() -> None:
    """Behind is what lies after the bookmark; without one, all of the time down to the start."""
    items = [
        _planned(200),
        _planned(200, behind=3),
        _planned(200, behind=3, since=30),
        _planned(200, behind=0, since=30, late=90),
        _planned(20, behind=50, since=60),
        _planned(200, behind=-1),
        _planned(-5),
    ]
    rows = overview.overview(items, now=NOW, slots=1)["streams"]

    assert [row["behind_seconds"] / 86_400 for row in rows] == [200, 3, 3, 0, 50, 0, 0]


def test_neither_holds_a_token() -> None:
    """A plan may be shown to anyone."""
    assert "s3cr3t" not in overview.to_json(_small()) + overview.to_text(_small())


def test_nothing_missing_is_said() -> None:
    """With nothing to do the run ends now, and the text says so."""
    made = overview.overview([_planned(behind=0)], now=NOW, slots=1)

    assert (made["exports"], made["pending"], made["end"]) == (0, 0, times.to_text(NOW))
    assert overview.to_text(made).endswith("\nNothing is missing.")


def test_a_short_run_leaves_some() -> None:
    """What `max_run_hours` leaves is no part of the run, and the text says so."""
    made = overview.overview([_planned(300, region="la")], now=NOW, slots=1, max_run=6 * 60)

    assert (made["exports"], made["left"]) == (2, 8)
    assert made["end"] == times.to_text(NOW.add(minutes=6))
    assert overview.to_text(made).splitlines()[-2:] == [
        "Exports that max_run_hours leaves for a later run: 8.",
        "The run could end at 2026-03-02 16:36 UTC, if an export takes 3 minutes.",
    ]


def test_a_run_that_ends_before_the_opening_leaves_all() -> None:
    """Where no opening hour lies within the run it ends with it; pending exports are no asking."""
    made = overview.overview([_planned(40)], now=NOW, slots=1, max_run=3600)
    assert (made["exports"], made["left"], made["end"]) == (0, 2, "2026-03-02T17:30:00.000Z")

    made = overview.overview([_planned(40, pending=(40, 20))], now=NOW, slots=1, max_run=3600)
    assert (made["exports"], made["pending"], made["left"]) == (0, 1, 1)


def test_only_pending_exports_are_planned() -> None:
    """A run that only resumes what was asked for is not nothing."""
    made = overview.overview([_planned(20, pending=(20, 0))], now=NOW, slots=1)

    assert (made["exports"], made["pending"]) == (0, 1)
    assert "The run could end at" in overview.to_text(made)


def test_no_partition_is_an_empty_table() -> None:
    """No work at all is a table without rows."""
    made = overview.overview([], now=NOW, slots=1)

    assert made["streams"] == []
    assert overview.to_text(made).startswith("merchant  stream  region  covered from  to")


@pytest.mark.parametrize(
    ("region", "now", "windows", "slots", "end"),
    [
        # three minutes an export, one after the other, from now on where it is open
        ("us", "2026-03-02T12:00:00Z", 1, 1, "2026-03-02T12:03:00.000Z"),
        ("us", "2026-03-02T12:00:00Z", 5, 1, "2026-03-02T12:15:00.000Z"),
        # or side by side
        ("us", "2026-03-02T12:00:00Z", 5, 2, "2026-03-02T12:09:00.000Z"),
        ("us", "2026-03-02T12:00:00Z", 5, 9, "2026-03-02T12:03:00.000Z"),
        # from the opening on where it is closed
        ("us", "2026-03-02T09:00:00Z", 2, 1, "2026-03-02T10:06:00.000Z"),
        ("us", "2026-03-02T15:00:00Z", 2, 1, "2026-03-03T10:06:00.000Z"),
        # what does not fit before closing goes on at the next opening
        ("us", "2026-03-02T14:54:00Z", 2, 1, "2026-03-02T15:00:00.000Z"),
        ("us", "2026-03-02T14:54:00Z", 3, 1, "2026-03-03T10:03:00.000Z"),
        ("us", "2026-03-02T14:58:00Z", 6, 1, "2026-03-03T10:16:00.000Z"),
        ("us", "2026-03-02T10:00:00Z", 100, 1, "2026-03-02T15:00:00.000Z"),
        ("us", "2026-03-02T10:00:00Z", 101, 1, "2026-03-03T10:03:00.000Z"),
        ("us", "2026-03-02T10:00:00Z", 205, 1, "2026-03-04T10:15:00.000Z"),
        ("eu", "2026-03-06T04:00:00Z", 21, 1, "2026-03-07T02:03:00.000Z"),
        ("eu", "2026-03-06T01:00:00Z", 80 + 60 + 80 + 1, 1, "2026-03-09T01:03:00.000Z"),
        # always open, or unknown hours
        ("sandbox", "2026-03-02T23:00:00Z", 30, 1, "2026-03-03T00:30:00.000Z"),
        ("la", "2026-03-02T23:00:00Z", 30, 3, "2026-03-02T23:30:00.000Z"),
    ],
)
def test_when_the_run_could_end(region: str, now: str, windows: int, slots: int, end: str) -> None:
    """The end counts the opening hours of the region and the exports there may be at a time."""
    time = times.parse(now)
    planned = _planned(windows * 30, region=region, now=time)

    assert overview.overview([planned], now=time, slots=slots)["end"] == end


def test_the_last_region_ends_the_run() -> None:
    """Over several regions the latest end counts."""
    us, eu = _planned(30), _planned(30, region="eu", stream="payments")
    ends = [
        overview.overview(list(plans), now=NOW, slots=1)["end"] for plans in ([us], [eu], [us, eu])
    ]

    assert ends == [
        "2026-03-03T10:03:00.000Z",
        "2026-03-03T01:03:00.000Z",
        "2026-03-03T10:03:00.000Z",
    ]


@given(
    st.sampled_from(["us", "eu"]), st.integers(0, 7 * 1440), st.integers(1, 250), st.integers(1, 3)
)
def test_the_end_lies_inside_opening_hours(
    region: str, minute: int, windows: int, slots: int
) -> None:
    """The end is in open hours, or at closing, and just enough open time lies before it."""
    now = pendulum.datetime(2026, 3, 2) + dt.timedelta(minutes=minute)
    planned = _planned(windows * 30, region=region, now=now)
    end = times.parse(overview.overview([planned], now=now, slots=slots)["end"])

    assert TABLE[region].is_open(end.subtract(seconds=1))
    assert TABLE[region].open_seconds(now, end) == -(-windows // slots) * MINUTES * 60


@given(
    st.lists(
        st.builds(
            dict,
            days=st.integers(1, 300),
            behind=st.none() | st.integers(0, 100),
            since=st.none() | st.integers(100, 200),
            late=st.none() | st.integers(1, 90),
            pending=st.none() | st.sampled_from([(120, 100), (40, 20), (20, 0), (230, 200)]),
            region=st.sampled_from(["la", "sandbox"]),
        ),
        max_size=6,
    ),
    st.integers(1, 60),
)
def test_what_is_left_is_what_the_plans_put_last(kinds: list[dict[str, Any]], fits: int) -> None:
    """A short run makes the exports of the highest priorities, over all partitions of a region."""
    items = [work(f"M{number}", number=number, **kind) for number, kind in enumerate(kinds)]
    expected: Counter[Partition] = Counter()
    for region in ("la", "sandbox"):
        mine = [item for item in items if item.partition.merchant.region == region]
        exports = [(export, item) for item in mine for export in item.exports()]
        requests = sorted(
            (export.priority, item.number) for export, item in exports if not export.pending
        )
        resumed = len(exports) - len(requests)
        for _, number in requests[max(0, fits - resumed) :]:
            expected[items[number].partition] += 1

    assert forecast.deferred(items, now=TUESDAY, slots=fits, max_run=60) == expected
