"""The overview: what the next run would do, in words and for programs."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_clover_export import times
from tap_clover_export.planning import plan
from tap_clover_export.planning.hours import TABLE
from tap_clover_export.planning.plan import Partition, PartitionState, PendingExport
from tap_clover_export.planning.windows import Window
from tap_clover_export.preview import overview
from tap_clover_export.settings.hosts import BASE_URLS
from tap_clover_export.settings.merchants import Merchant
from tap_clover_export.settings.secret import Secret

if TYPE_CHECKING:
    from pendulum import DateTime

    from tap_clover_export.planning.plan import PartitionPlan

NOW = pendulum.datetime(2026, 3, 2, 16, 30)
MINUTES = 3


def _planned(
    days: float = 70,
    *,
    region: str = "us",
    merchant: str = "M1",
    stream: str = "orders",
    now: DateTime = NOW,
    bookmark: DateTime | None = None,
    pending: tuple[PendingExport, ...] = (),
) -> PartitionPlan:
    start = now - dt.timedelta(days=days)
    made = Merchant(merchant, region, BASE_URLS[region], start, access_token=Secret("s3cr3t"))
    return plan.plan_partition(
        Partition(made, stream),
        0,
        PartitionState(bookmark, pending),
        end=now,
        now=now,
        lookback=dt.timedelta(days=7),
        width=dt.timedelta(days=30),
    )


def _small() -> dict[str, Any]:
    """Two merchants: one with a pending export, one with nothing missing."""
    day = dt.timedelta(days=1)
    pending = PendingExport("E1", Window(NOW - 70 * day, NOW - 40 * day), NOW.subtract(hours=1))
    return overview.overview(
        [
            _planned(pending=(pending,)),
            _planned(stream="payments", bookmark=NOW - 2 * day),
            _planned(40, region="la", merchant="MERCHANT2", bookmark=NOW),
        ],
        now=NOW,
        slots=1,
    )


def test_a_small_plan_for_programs() -> None:
    """JSON holds the contract's facts: rows, totals, openings, the end."""
    assert json.loads(overview.to_json(_small())) == {
        "now": "2026-03-02T16:30:00.000Z",
        "exports": 3,
        "pending": 1,
        "left": 0,
        "regions": {
            "la": {"hours": None, "opens": None},
            "us": {"hours": "MON-SUN 10:00-15:00", "opens": "2026-03-03T10:00:00.000Z"},
        },
        "end": "2026-03-03T10:12:00.000Z",
        "streams": [
            {
                "merchant_id": "M1",
                "stream": "orders",
                "region": "us",
                "bookmark": None,
                "start": "2025-12-22T16:30:00.000Z",
                "end": "2026-03-02T16:30:00.000Z",
                "behind_seconds": 6_048_000,
                "windows": 3,
                "pending": 1,
                "left": 0,
            },
            {
                "merchant_id": "M1",
                "stream": "payments",
                "region": "us",
                "bookmark": "2026-02-28T16:30:00.000Z",
                "start": "2026-02-21T16:30:00.000Z",
                "end": "2026-03-02T16:30:00.000Z",
                "behind_seconds": 172_800,
                "windows": 1,
                "pending": 0,
                "left": 0,
            },
            {
                "merchant_id": "MERCHANT2",
                "stream": "orders",
                "region": "la",
                "bookmark": "2026-03-02T16:30:00.000Z",
                "start": None,
                "end": None,
                "behind_seconds": 0,
                "windows": 0,
                "pending": 0,
                "left": 0,
            },
        ],
    }


def test_a_small_plan_for_people() -> None:
    """The text is a table and sentences; its columns stand in line."""
    lines = overview.to_text(_small()).splitlines()

    assert lines[4:] == [
        "",
        "Exports to ask Clover for: 3; pending ones to resume: 1.",
        "Region la: no opening hours are known.",
        "Region us: accepts exports MON-SUN 10:00-15:00 UTC, next from 2026-03-03T10:00:00.000Z.",
        "The run could end at 2026-03-03T10:12:00.000Z, if an export takes 3 minutes.",
    ]
    assert [line.split() for line in lines[:4]] == [
        ["merchant", "stream", "region", "from", "to", "windows", "pending"],
        ["M1", "orders", "us", "2025-12-22T16:30:00.000Z", "2026-03-02T16:30:00.000Z", "3", "1"],
        ["M1", "payments", "us", "2026-02-21T16:30:00.000Z", "2026-03-02T16:30:00.000Z", "1", "-"],
        ["MERCHANT2", "orders", "la", "-", "-", "-", "-"],
    ]
    assert {
        line.index("  " + word) for line, word in zip(lines[:3], ("from", "20", "20"), strict=True)
    }
    columns = [
        line.find(word) for line, word in zip(lines[:4], ("us", "us", "us", "la"), strict=True)
    ]
    assert len(set(columns[1:])) == 1
    assert lines[0].index("region") == columns[1]
    assert all(line == line.rstrip() for line in lines)


def test_neither_holds_a_token() -> None:
    """A plan may be shown to anyone."""
    assert "s3cr3t" not in overview.to_json(_small()) + overview.to_text(_small())


def test_nothing_missing_is_said() -> None:
    """With nothing to do the run ends now, and the text says so."""
    made = overview.overview([_planned(bookmark=NOW)], now=NOW, slots=1)

    assert (made["exports"], made["pending"], made["end"]) == (0, 0, times.to_text(NOW))
    assert overview.to_text(made).endswith("\nNothing is missing.")


def test_a_short_run_leaves_some() -> None:
    """What `max_run_hours` leaves is no part of the run, and the text says so."""
    made = overview.overview([_planned(300, region="la")], now=NOW, slots=1, max_run=6 * 60)

    assert (made["exports"], made["left"]) == (2, 8)
    assert made["end"] == times.to_text(NOW.add(minutes=6))
    assert overview.to_text(made).splitlines()[-2:] == [
        "Exports that max_run_hours leaves for a later run: 8.",
        "The run could end at 2026-03-02T16:36:00.000Z, if an export takes 3 minutes.",
    ]


def test_a_run_that_ends_before_the_opening_leaves_all() -> None:
    """Where no opening hour lies within the run it ends with it; pending exports are no asking."""
    pending = PendingExport("E1", Window(NOW.subtract(days=40), NOW.subtract(days=20)), NOW)
    made = overview.overview([_planned(40)], now=NOW, slots=1, max_run=3600)
    assert (made["exports"], made["left"], made["end"]) == (0, 2, "2026-03-02T17:30:00.000Z")

    made = overview.overview([_planned(40, pending=(pending,))], now=NOW, slots=1, max_run=3600)
    assert (made["exports"], made["pending"], made["left"]) == (0, 1, 1)


def test_only_pending_exports_are_planned() -> None:
    """A run that only resumes what was asked for is not nothing."""
    pending = PendingExport("E1", Window(NOW.subtract(days=20), NOW), NOW.subtract(hours=1))
    made = overview.overview([_planned(20, pending=(pending,))], now=NOW, slots=1)

    assert (made["exports"], made["pending"]) == (0, 1)
    assert "The run could end at" in overview.to_text(made)


def test_no_partition_is_an_empty_table() -> None:
    """No work at all is a table without rows."""
    made = overview.overview([], now=NOW, slots=1)

    assert made["streams"] == []
    assert overview.to_text(made).startswith("merchant  stream  region  from  to")


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
    us, eu = _planned(30), _planned(30, region="eu", merchant="M2")
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
