"""The clock of a region's opening hours."""

from __future__ import annotations

import math
import re

import pytest

from tap_clover_export import times
from tap_clover_export.preview import clock_face

TUESDAY = "2026-03-03T12:00:00Z"


@pytest.mark.parametrize(
    ("region", "now", "is_open", "wait", "clocks"),
    [
        (
            "us",
            TUESDAY,
            True,
            "3 h",
            [
                ("UTC", "Tue 10:00 \u2013 15:00"),
                ("New York", "Tue 05:00 \u2013 10:00"),
                ("Los Angeles", "Tue 02:00 \u2013 07:00"),
            ],
        ),
        # in summer the clocks of the region have moved, Clover's have not
        (
            "us",
            "2026-07-03T15:00:00Z",
            False,
            "19 h",
            [
                ("UTC", "Sat 10:00 \u2013 15:00"),
                ("New York", "Sat 06:00 \u2013 11:00"),
                ("Los Angeles", "Sat 03:00 \u2013 08:00"),
            ],
        ),
        (
            "eu",
            "2026-03-07T00:29:30Z",
            False,
            "1 h 31 min",
            [
                ("UTC", "Sat 02:00 \u2013 05:00"),
                ("London", "Sat 02:00 \u2013 05:00"),
                ("Berlin", "Sat 03:00 \u2013 06:00"),
            ],
        ),
        ("us", "2026-03-03T14:59:30Z", True, "1 min", None),
        ("la", TUESDAY, False, "", []),
        ("sandbox", TUESDAY, False, "", []),
    ],
)
def test_clock_faces(
    region: str, now: str, is_open: bool, wait: str, clocks: list[tuple[str, str]] | None
) -> None:
    """Open or closed, for how long, and when by which clock."""
    made = clock_face.clock_face(region, times.parse(now))

    assert (made.open, made.wait) == (is_open, wait)
    if clocks is not None:
        assert list(made.clocks) == clocks
    assert bool(made.hours) == bool(made.arcs) == (region in ("us", "eu"))


def test_words_for_who_does_not_see_it() -> None:
    """A clock face is told in a sentence."""
    now = times.parse(TUESDAY)

    assert clock_face.clock_face("us", now).words == (
        "Clock of 24 hours: region us is open Tue 10:00 \u2013 15:00 UTC."
    )
    assert (
        clock_face.clock_face("la", now).words
        == "Clock of region la; its opening hours are unknown."
    )


def _hours(arc: str) -> tuple[float, float]:
    """Where an arc begins and ends, in hours round the clock."""
    numbers = [float(number) for number in re.findall(r"-?\d+\.?\d*", arc)]
    ends = (numbers[0], numbers[1]), (numbers[-2], numbers[-1])
    begin, end = (math.atan2(x, -y) / math.tau * 24 % 24 for x, y in ends)
    return round(begin, 2), round(end, 2)


@pytest.mark.parametrize(
    ("region", "now", "arcs"),
    [
        ("us", "2026-03-03T08:00:00Z", [(10, 15)]),
        # what is over today is shown as tomorrow's
        ("us", "2026-03-03T12:00:00Z", [(12, 15), (10, 12)]),
        ("eu", "2026-03-06T12:00:00Z", [(2, 5)]),
        ("eu", "2026-03-07T03:00:00Z", [(3, 5), (2, 3)]),
    ],
)
def test_arcs_show_the_next_24_hours(
    region: str, now: str, arcs: list[tuple[float, float]]
) -> None:
    """Each time of day on the clock stands for its next occurrence."""
    assert [_hours(arc) for arc in clock_face.clock_face(region, times.parse(now)).arcs] == arcs


@pytest.mark.parametrize(
    ("now", "x", "y"), [("00:00", 0, -1), ("06:00", 1, 0), ("12:00", 0, 1), ("18:00", -1, 0)]
)
def test_the_hand_shows_now(now: str, x: int, y: int) -> None:
    """Midnight is at the top, noon at the bottom."""
    hand = clock_face.clock_face("us", times.parse(f"2026-03-03T{now}:00Z")).hand

    assert (round(hand[0] / 46), round(hand[1] / 46)) == (x, y)
