"""Doors and places: how many exports Clover takes, and when a region takes any."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_clover_export import times
from tap_clover_export.clover.unavailable import Unavailability
from tap_clover_export.planning.hours import TABLE
from tap_clover_export.scheduling.admission import (
    PROBE_SECONDS,
    REMIND_SECONDS,
    SHORT_SECONDS,
    Door,
    Places,
)

if TYPE_CHECKING:
    from pendulum import DateTime

OPENING = pendulum.datetime(2026, 3, 3, 10)
NOW = times.to_ms(pendulum.datetime(2026, 3, 2, 16)) / 1000


WAITING = (
    "Waiting for region us until 2026-03-03T10:00:00.000Z: "
    "it accepts exports MON-SUN 10:00-15:00 UTC."
)


def _times(door: Door) -> tuple[float | None, float]:
    return door.since, door.until


def _closed(until: DateTime | None = OPENING) -> Unavailability:
    return Unavailability(closed=True, until=until, hours=TABLE["us"])


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What the log says."""
    caplog.set_level(logging.INFO, "tap-clover-export.exports")
    return caplog


@pytest.mark.parametrize("most", [1, 2, 7])
def test_places_are_the_setting(most: int) -> None:
    """As many exports run as the setting allows, no more."""
    places = Places(most)
    for _ in range(most):
        assert places.free(0)
        places.taken += 1
    for now in (0.0, 1e9):
        assert not places.free(now)
    places.taken -= 1
    assert places.free(1e9)


@pytest.mark.parametrize(
    ("most", "taken", "limit"), [(5, 3, 3), (5, 1, 1), (5, 0, 1), (5, 5, 5), (5, 9, 5), (1, 0, 1)]
)
def test_refused_as_busy_lowers_the_limit(most: int, taken: int, limit: int) -> None:
    """What is in progress when Clover refuses is what it takes; one is always tried."""
    places = Places(most, taken=taken)
    places.refused(0)

    assert places.limit == limit
    assert places.free(0) is (taken < limit)


def test_the_limit_probes_up_slowly() -> None:
    """After a refusal the limit rises by one a minute, and only where it is reached."""
    places = Places(4, taken=1)
    places.refused(100)

    assert not places.free(100 + PROBE_SECONDS - 0.001)
    assert places.free(100 + PROBE_SECONDS)
    assert places.limit == 2
    places.taken = 2
    assert not places.free(100 + 2 * PROBE_SECONDS - 0.001)
    assert places.free(100 + 2 * PROBE_SECONDS)
    places.taken = 3
    assert places.free(100 + 3 * PROBE_SECONDS)
    places.taken = 4
    assert not places.free(1e9)
    assert places.limit == 4


def test_room_below_the_limit_needs_no_probe() -> None:
    """Where a place is free the limit stays as it is, however much time passed."""
    places = Places(4, taken=2)
    places.refused(0)
    places.taken = 1

    assert places.free(1e9)
    assert places.limit == 2


def test_a_refused_probe_lowers_the_limit_again() -> None:
    """A probe that is refused costs another minute."""
    places = Places(4, taken=1)
    places.refused(0)
    assert places.free(60)
    places.taken = 1
    places.refused(60)

    assert places.limit == 1
    assert not places.free(119.9)
    assert places.free(120)


@given(
    st.integers(1, 6),
    st.lists(st.sampled_from(["ask", "refuse", "end", "wait", "minute"]), max_size=40),
)
def test_places_stay_inside_their_bounds(most: int, steps: list[str]) -> None:
    """Whatever Clover does: at least one place, never more than the setting allows."""
    places, now = Places(most), 0.0
    for step in steps:
        if step == "ask" and places.free(now):
            places.taken += 1
        elif step == "refuse" and places.taken:
            places.taken -= 1
            places.refused(now)
        elif step == "end" and places.taken:
            places.taken -= 1
        now += {"wait": 7.0, "minute": 61.0}.get(step, 0.0)
        assert 1 <= places.limit <= most
        assert 0 <= places.taken <= most


def test_an_open_door_says_nothing(said: pytest.LogCaptureFixture) -> None:
    """A region that accepts is not spoken of."""
    door = Door("us")
    door.accepted()
    door.remind(1e12)

    assert (door.until, door.since) == (0.0, None)
    assert not said.records


def test_a_closed_door_says_until_when_and_why(said: pytest.LogCaptureFixture) -> None:
    """Said once when it closes: the region, until when, and its hours."""
    door = Door("us")
    for second in range(5):
        door.refused(_closed(), NOW + second)

    assert said.messages == [WAITING]
    assert door.until == times.to_ms(OPENING) / 1000
    assert door.since == NOW


def test_a_waiting_door_reminds_every_half_hour(said: pytest.LogCaptureFixture) -> None:
    """It says again every half hour that it still waits, not sooner."""
    door = Door("us")
    door.refused(_closed(), NOW)
    for second in range(1, 2 * int(REMIND_SECONDS) + 1):
        door.remind(NOW + second)

    assert REMIND_SECONDS == 1800
    assert len(said.messages) == 3
    assert len(set(said.messages)) == 1


@pytest.mark.parametrize(
    ("refusal", "why"),
    [
        (_closed(), "it accepts exports MON-SUN 10:00-15:00 UTC"),
        (Unavailability(closed=True, until=OPENING), "it is closed"),
        (Unavailability(closed=False, until=OPENING), "Clover is busy with other exports"),
        (
            Unavailability(closed=False, until=OPENING, hours=TABLE["us"]),
            "Clover is busy with other exports",
        ),
    ],
)
def test_why_a_door_is_shut(
    refusal: Unavailability, why: str, said: pytest.LogCaptureFixture
) -> None:
    """Closed with hours, closed without, busy: each has its words."""
    door = Door("eu")
    door.refused(refusal, NOW)

    assert door.why() == why
    assert said.messages == [f"Waiting for region eu until 2026-03-03T10:00:00.000Z: {why}."]


def test_busy_and_closed_are_said_when_they_change(said: pytest.LogCaptureFixture) -> None:
    """A region that goes from busy to closed is said to, at once."""
    door = Door("us")
    door.refused(Unavailability(closed=False, until=OPENING), NOW)
    door.refused(_closed(), NOW + 1)
    door.refused(_closed(), NOW + 2)
    door.refused(Unavailability(closed=False, until=OPENING), NOW + 3)

    assert len(said.messages) == 3
    assert ["busy" in message for message in said.messages] == [True, False, True]
    assert door.since == NOW


def test_since_is_the_first_refusal_since_the_last_accepted_export() -> None:
    """`max_wait_hours` counts from the first refusal; an accepted export ends the count."""
    door = Door("us")
    door.refused(_closed(), NOW)
    door.refused(_closed(), NOW + 500)
    assert door.since == NOW
    door.accepted()
    assert _times(door) == (None, 0.0)
    door.refused(_closed(), NOW + 900)
    assert door.since == NOW + 900


def test_an_accepted_export_is_said_once(said: pytest.LogCaptureFixture) -> None:
    """After a wait the log says that it is over; then the next wait is said anew."""
    door = Door("us")
    door.refused(_closed(), NOW)
    door.accepted()
    door.accepted()
    door.remind(NOW + 10 * REMIND_SECONDS)
    door.refused(_closed(), NOW + 1)

    assert said.messages[1] == "Region us accepts exports again."
    assert len(said.messages) == 3
    assert said.messages[2] == said.messages[0]


def test_hours_are_remembered() -> None:
    """Hours that Clover named once are still said after a refusal without words."""
    door = Door("la")
    door.refused(_closed(), NOW)
    door.refused(Unavailability(closed=True, until=OPENING), NOW + 1)

    assert door.hours == TABLE["us"]
    assert door.why() == "it accepts exports MON-SUN 10:00-15:00 UTC"


def test_a_door_is_not_opened_by_another_answer() -> None:
    """A later refusal with an earlier time, or none, does not shorten the wait."""
    door = Door("us")
    door.refused(_closed(OPENING), NOW)
    door.refused(_closed(OPENING.subtract(hours=5)), NOW)
    assert door.until == times.to_ms(OPENING) / 1000
    door.refused(Unavailability(closed=False), NOW)
    assert door.until == times.to_ms(OPENING) / 1000
    door.refused(_closed(OPENING.add(hours=1)), NOW)
    assert door.until == times.to_ms(OPENING) / 1000 + 3600


def test_a_short_busy_wait_is_no_line(said: pytest.LogCaptureFixture) -> None:
    """Busy for less than a minute is not said, nor its end; from a minute on both are."""
    door = Door("us")
    for second in range(0, 3000, 50):
        door.refused(Unavailability(closed=False), NOW + second)
        door.remind(NOW + second + 30)
        door.accepted()
    assert said.messages == []

    door.refused(Unavailability(closed=False), NOW)
    door.remind(NOW + SHORT_SECONDS)
    door.accepted()
    assert len(said.messages) == 2
