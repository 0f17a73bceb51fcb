"""Opening hours: when a region is open, when it opens next, and what a 503 means."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, cast

import pendulum
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pendulum import DateTime

from tap_clover_export import times
from tap_clover_export.clover.unavailable import (
    ASK_AGAIN,
    LOOK_AGAIN,
    KnownHours,
    Unavailability,
    interpret_503,
    read,
)
from tap_clover_export.planning.hours import TABLE, Hours

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTE = dt.timedelta(minutes=1)
DAY_MINUTES = 24 * 60

# The vendor's README once more, on its own: hours of the day by ISO weekday.
_OPEN_HOURS: dict[str, Callable[[int], range]] = {
    "us": lambda _: range(10, 15),
    "eu": lambda weekday: {6: range(2, 5), 7: range(2, 6)}.get(weekday, range(1, 5)),
}
README = (
    "  - US (https://api.clover.com) UTC: MON-FRI 10:00-15:00, SAT 10:00-15:00, SUN 10:00-15:00\n"
    "  - EU (https://api.eu.clover.com) UTC: MON-FRI 01:00-05:00, SAT 02:00-05:00, "
    "SUN 02:00-06:00\n"
    "  - Sandbox (https://apisandbox.dev.clover.com) is not limited to certain times.\n"
)


class _Plain(dt.datetime):
    """A UTC time of the standard library with pendulum's `start_of`, much quicker."""

    def start_of(self, unit: str) -> dt.datetime:
        assert unit == "day"
        return dt.datetime(self.year, self.month, self.day, tzinfo=dt.UTC)


def _expected(region: str, days: int, year: int) -> list[bool]:
    """Open or not, for each minute of this number of days of a year."""
    first = dt.date(year, 1, 1)
    return [
        hour in _OPEN_HOURS[region]((first + dt.timedelta(day)).isoweekday())
        for day in range(days)
        for hour in range(24)
        for _ in range(60)
    ]


@pytest.mark.parametrize("region", ["us", "eu"])
def test_a_year_of_minutes(region: str) -> None:
    """In every minute of a year the next opening is the first open minute from then on."""
    expected = _expected(region, 368, 2026)
    following = len(expected)
    openings = [0] * len(expected)
    for minute in reversed(range(len(expected))):
        following = minute if expected[minute] else following
        openings[minute] = following
    start = _Plain(2026, 1, 1, tzinfo=dt.UTC)
    clock = cast("list[DateTime]", [start + minute * MINUTE for minute in range(len(expected))])
    following_opening = TABLE[region].next_opening
    for time, opening in zip(clock[: 365 * DAY_MINUTES], openings, strict=False):
        if following_opening(time) != clock[opening]:
            pytest.fail(f"{region} at {time}")


@pytest.mark.parametrize("region", ["us", "eu"])
def test_a_year_of_openness(region: str) -> None:
    """`is_open` agrees with the table over a year, each minute of the day in its turn."""
    expected = _expected(region, 366, 2027)
    start = pendulum.datetime(2027, 1, 1)
    for minute in range(0, 365 * DAY_MINUTES, 101):
        assert TABLE[region].is_open(start + minute * MINUTE) is expected[minute]
    for minute in range(1, 14 * DAY_MINUTES):
        if expected[minute] != expected[minute - 1]:
            edge = start + minute * MINUTE
            assert TABLE[region].is_open(edge) is expected[minute]
            before = edge - dt.timedelta(milliseconds=1)
            assert TABLE[region].is_open(before) is expected[minute - 1]


spans = st.lists(
    st.tuples(
        st.lists(st.integers(0, 6), min_size=1, max_size=7, unique=True),
        st.integers(0, DAY_MINUTES - 1),
        st.integers(0, DAY_MINUTES),
    ).filter(lambda span: span[1] != span[2]),
    min_size=1,
    max_size=4,
)
minutes = st.integers(0, 21 * DAY_MINUTES).map(
    lambda minute: pendulum.datetime(2026, 2, 20) + minute * MINUTE
)


def _open_minutes(spans: list[tuple[list[int], int, int]]) -> set[int]:
    """The open minutes of a week from Monday, by brute force."""
    found: set[int] = set()
    for days, begin, end in spans:
        until = end if begin < end else end + DAY_MINUTES
        for day in days:
            found |= {(day * DAY_MINUTES + m) % (7 * DAY_MINUTES) for m in range(begin, until)}
    return found


def _minute_of_week(time: DateTime) -> int:
    return time.weekday() * DAY_MINUTES + time.hour * 60 + time.minute


@given(spans, minutes)
@example([([0], 600, 900)], pendulum.datetime(2026, 3, 2, 15))
@example([([6], 1380, 60)], pendulum.datetime(2026, 3, 2, 0, 30))
@example([(list(range(7)), 0, 1440)], pendulum.datetime(2026, 3, 2))
def test_next_opening_is_open_and_the_earliest(
    spans: list[tuple[list[int], int, int]], time: DateTime
) -> None:
    """The next opening is never inside closed hours, and no earlier minute is open."""
    week = _open_minutes(spans)
    hours = Hours.of(spans)
    start = _minute_of_week(time)
    needed = next(m for m in range(7 * DAY_MINUTES) if (start + m) % (7 * DAY_MINUTES) in week)

    opening = hours.next_opening(time)

    assert opening == time + needed * MINUTE
    assert hours.is_open(opening)
    assert hours.is_open(time) is (needed == 0)


@given(spans, minutes, st.integers(0, 10 * DAY_MINUTES))
def test_open_seconds_equals_a_count(
    spans: list[tuple[list[int], int, int]], since: DateTime, length: int
) -> None:
    """The open time is the number of open minutes; of spans that overlap too."""
    week = _open_minutes(spans)
    start = _minute_of_week(since)
    count = sum((start + minute) % (7 * DAY_MINUTES) in week for minute in range(length))

    assert Hours.of(spans).open_seconds(since, since + length * MINUTE) == 60 * count


@pytest.mark.parametrize(
    ("region", "since", "until", "seconds"),
    [
        ("us", "2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z", 7 * 5 * 3600),
        ("eu", "2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z", (5 * 4 + 3 + 4) * 3600),
        ("us", "2026-03-02T14:59:59.500Z", "2026-03-03T10:00:00.250Z", 0.75),
        ("us", "2026-03-02T12:00:00Z", "2026-03-02T12:00:00Z", 0),
        ("us", "2026-03-02T12:00:00Z", "2026-03-02T11:00:00Z", 0),
        ("us", "2026-03-02T16:00:00Z", "2026-03-03T09:00:00Z", 0),
    ],
)
def test_open_seconds_of_the_table(region: str, since: str, until: str, seconds: float) -> None:
    """Weeks, parts of seconds, an empty or backward span, a span in closed hours."""
    assert TABLE[region].open_seconds(times.parse(since), times.parse(until)) == seconds


def test_hours_without_any_span_are_harmless() -> None:
    """Hours that never open end every search at once."""
    never, now = Hours.of([]), pendulum.datetime(2026, 3, 2)

    assert never.next_opening(now) == now
    assert never.open_seconds(now, now.add(days=400)) == 0
    assert str(never) == ""


@pytest.mark.parametrize("region", ["us", "eu"])
def test_the_tables_read_back(region: str) -> None:
    """What the log says of the table is the table, in the vendor's notation."""
    assert read(str(TABLE[region]), region) == TABLE[region]


def test_hours_print_as_the_vendor_writes_them() -> None:
    """Days in a row with the same hours are written as a range."""
    assert str(TABLE["us"]) == "MON-SUN 10:00-15:00"
    assert str(TABLE["eu"]) == "MON-FRI 01:00-05:00, SAT 02:00-05:00, SUN 02:00-06:00"
    twice = Hours.of([([0], 60, 120), ([0], 600, 720)])
    assert str(twice) == "MON 01:00-02:00 10:00-12:00"


@given(spans)
@example([([0, 2, 4], 600, 900)])
@example([([5, 0], 600, 900)])
def test_printed_hours_read_back(spans: list[tuple[list[int], int, int]]) -> None:
    """Days apart with the same hours print as a range, `MON, WED` as `MON-WED`."""
    hours = Hours.of(spans)

    assert read(str(hours), "us") == hours


US, EU = TABLE["us"], TABLE["eu"]
_DAILY = Hours.of([(range(7), 600, 900)])
_WEEK = Hours.of([(range(5), 600, 900)])
_NIGHT = Hours.of([(range(7), 22 * 60, 3 * 60)])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("MON-FRI 10:00-15:00, SAT 10:00-15:00, SUN 10:00-15:00", US),
        ("UTC: MON-FRI 01:00-05:00, SAT 02:00-05:00, SUN 02:00-06:00", EU),
        ("UTC: MON-FRI 01:00 - 05:00; SAT 02:00 - 05:00; SUN 02:00 - 06:00", EU),
        ("mon-fri 01:00\u201305:00, sat 02:00\u201305:00, sun 02:00\u201306:00", EU),
        ("Exports are available Monday to Friday from 10:00 to 15:00 UTC.", _WEEK),
        ("Exports are available Monday through Friday, 10:00 until 15:00 (GMT).", _WEEK),
        ("Available weekdays 10am-3pm UTC", _WEEK),
        ("Available weekdays 10 a.m. to 3 p.m. UTC", _WEEK),
        ("Weekdays: 10:00 AM - 03:00 PM", _WEEK),
        ("Open MON, TUE, WED, THU and FRI: 10:00-15:00", _WEEK),
        ("Every day 10:00-15:00", _DAILY),
        ("daily from 10:00:00 to 15:00:00", _DAILY),
        ("The service is open between 10:00 and 15:00 UTC", _DAILY),
        ("10:00Z to 15:00Z", _DAILY),
        ("SUN-SAT 10:00-15:00", _DAILY),
        ("every day 22:00-03:00", _NIGHT),
        ("every day 10 pm - 3 am", _NIGHT),
        ("every day 22:00-00:00", Hours.of([(range(7), 22 * 60, DAY_MINUTES)])),
        ("every day 10 pm - 12 am", Hours.of([(range(7), 22 * 60, DAY_MINUTES)])),
        ("SAT-MON 01:00-02:00", Hours.of([([5, 6, 0], 60, 120)])),
        ("MON 10:00-12:00 13:00-15:00", Hours.of([([0], 600, 720), ([0], 780, 900)])),
        ("MON 10:00-12:00, 13:00-15:00", Hours.of([([0], 600, 720), ([0], 780, 900)])),
        ("12 am to 12 pm", Hours.of([(range(7), 0, 720)])),
        ("00:00-24:00", Hours.of([(range(7), 0, DAY_MINUTES)])),
        ("weekends 2:30-4:45", Hours.of([([5, 6], 150, 285)])),
        (
            "weekdays 10:00-15:00 and weekends 11:00-12:00",
            Hours.of([(range(5), 600, 900), ([5, 6], 660, 720)]),
        ),
        ('{"message":"Outside hours. UTC: MON-FRI 10:00-15:00"}', _WEEK),
        ('{"hours":{"MON-FRI":"01:00-05:00","SAT":"02:00-05:00","SUN":"02:00-06:00"}}', EU),
        ('{"availableHours":[{"days":"MON-FRI","start":"10:00","end":"15:00"}]}', _WEEK),
        (
            '{"monday":{"open":"10:00","close":"15:00"},"tuesday":{"open":"11:00","close":"12:00"}}',
            Hours.of([([0], 600, 900), ([1], 660, 720)]),
        ),
        ("It is 2026-03-02T09:12:13Z. MON-FRI 10:00-15:00", _WEEK),
        ("It is 2026-03-02 09:12:13. MON-FRI 10:00-15:00", _WEEK),
    ],
)
def test_hours_are_read_in_many_notations(words: str, expected: Hours) -> None:
    """The vendor's notation, sentences, JSON, 12-hour clocks and nights give their hours."""
    assert read(words, "us") == expected


@pytest.mark.parametrize(
    ("region", "expected"),
    [("us", US), ("eu", EU), ("la", None)],
)
@pytest.mark.parametrize("shape", ["text", "json", "one line", "reversed"])
def test_of_several_regions_only_the_own_counts(
    region: str, expected: Hours | None, shape: str
) -> None:
    """A text that names the hours of all regions gives those of the region asked."""
    words = {
        "text": README,
        "json": json.dumps({"message": README}),
        "one line": "US: MON-SUN 10:00-15:00 EU: MON-FRI 01:00-05:00, SAT 02:00-05:00, "
        "SUN 02:00-06:00",
        "reversed": "\n".join(reversed(README.splitlines())),
    }[shape]

    assert read(words, region) == expected


@pytest.mark.parametrize(
    "words",
    [
        "",
        "Service Unavailable",
        "<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>",
        "Too many concurrent exports",
        "Closed on Sunday",
        "MON-FRI",
        "10:00",
        "MON-FRI 10:00",
        "MON-FRI 10:00-15:00, SAT 10:00",
        "25:00-26:00",
        "10:75-12:00",
        "MON-FRI 10:00-15:00, SAT 25:00-26:00",
        "MON-FRI 10:00-15:00, SAT 10:60-11:60",
        "13pm-14pm",
        "0am-3pm",
        "00:00-00:00",
        "10:00-10:00",
        "1000-1500",
        "2026-01-31T10:00:00Z to 2026-01-31T15:00:00Z",
        "2026-01-31 10:00:00 to 2026-01-31 15:00:00",
        "2026-01-31T10:00:00.123+00:00, 2026-01-31T15:00:00.123+0000",
        '{"requestId":"8QEFG5DZ3VJ4T","time":1772442000000}',
        "\x00\xff\ufffd",
        "10:00-15:00 EST",
        "10:00-15:00 EDT",
        "10am-3pm PST",
        "MON-FRI 10:00-15:00 CET",
        "MON-FRI 10:00-15:00 CEST",
        "MON-FRI 10:00-15:00 BST",
    ],
)
@pytest.mark.parametrize("region", ["us", "eu", "la", "sandbox"])
def test_what_names_no_hours_gives_none(words: str, region: str) -> None:
    """No hours, half of them, dates, request ids, impossible hours, other time zones: None."""
    assert read(words, region) is None


@pytest.mark.parametrize(
    "words",
    [
        "MON-FRI 10:00-15:00 GMT+2",
        "MON-FRI 10:00-15:00 UTC-5",
        "MON-FRI 10:00-15:00 (UTC+01:00)",
        "MON-FRI 10:00-15:00 Eastern Time",
        "MON-FRI 10:00-15:00 Pacific",
        "MON-FRI 10:00-15:00 America/New_York",
        "MON-FRI 10:00-15:00 US/Pacific",
        "MON-FRI 10:00-15:00 JST",
        "MON-FRI 10:00-15:00 est",
        "MON-FRI 10:00-15:00 local time",
    ],
)
def test_hours_of_other_zones_are_not_trusted(words: str) -> None:
    """An offset or a zone by another name is another time zone as well: None."""
    assert read(words, "us") is None


@pytest.mark.parametrize(
    "words",
    [
        "Date: Tue, 24 Nov 2026 11:20:33 GMT. Expires: Tue, 24 Nov 2026 12:20:33 GMT",
        "Requested 24 Nov 2026 11:20:33, refused 24 Nov 2026 11:20:34",
        "Requested 11/24/2026 11:20:33 AM, refused 11/24/2026 11:21:00 AM",
        "requestId a1b2-12:30-c3d4-14:00",
        "id 5f:10:20:30:40:aa:bb",
    ],
)
def test_other_dates_and_ids_are_no_hours(words: str) -> None:
    """Dates as HTTP or people write them, and ids with colons, are not hours."""
    assert read(words, "us") is None


@pytest.mark.parametrize(
    "words",
    [
        "Common hours: 10:00-15:00",
        "A friendly reminder: 10:00-15:00",
        "Our monitor says 10:00-15:00",
        "For some months 10:00-15:00",
        "Satisfied from 10:00 to 15:00",
        "sunset 10:00-15:00",
    ],
)
def test_days_are_whole_words(words: str) -> None:
    """A word that only holds the letters of a day (`common`, `friendly`) names no day."""
    assert read(words, "us") == _DAILY


@pytest.mark.parametrize(
    "words",
    ["Exports are closed from 15:00 to 10:00 UTC", "Closed between 15:00 and 10:00"],
)
def test_closed_hours_are_no_opening_hours(words: str) -> None:
    """Hours at which the service is closed are not taken for those at which it is open."""
    hours = read(words, "us")

    assert hours is None or not hours.is_open(pendulum.datetime(2026, 3, 2, 18))


@given(st.text(max_size=400), st.sampled_from(["us", "eu", "la", "sandbox"]))
@example("MON-", "us")
@example("9" * 300 + ":00", "us")
@example("sun 24:00-1:00", "us")
def test_no_text_breaks_the_reader(words: str, region: str) -> None:
    """Whatever the body holds, it is read or not, and an explanation comes out."""
    now = pendulum.datetime(2026, 3, 2, 12)
    hours = read(words, region)
    meaning = interpret_503(words, region, now, TABLE.get(region))

    assert meaning.until is None or meaning.until > now
    if hours:
        assert hours.is_open(hours.next_opening(now))
        assert meaning.closed


@pytest.mark.timeout(60)
@pytest.mark.parametrize("word", ["a", "a-", "1:", "a:", "0-0", "10:00 - ", "MON TO ", "é"])
@pytest.mark.parametrize("rest", ["", "0", "a", "10:00"])
def test_a_hostile_body_is_read_in_no_time(word: str, rest: str) -> None:
    """Words made to keep an expression busy are read like any others."""
    interpret_503((word * 4000)[:4000] + rest * 1000, "us", times.from_seconds(0), US)


def test_only_the_beginning_of_a_huge_body_is_read() -> None:
    """A body of megabytes costs no time: what stands far behind is not read."""
    assert read(" " * 20_000 + "10:00-15:00", "us") is None


def _at(hour: int, minute: int = 0, day: int = 2) -> DateTime:
    return pendulum.datetime(2026, 3, day, hour, minute)


@pytest.mark.parametrize(
    ("words", "region", "now", "expected"),
    [
        # Clover's words win over the table
        ("MON-SUN 01:00-05:00", "us", _at(12), Unavailability(True, _at(1, day=3), None)),
        ("MON-SUN 01:00-05:00", "us", _at(0, 30), Unavailability(True, _at(1), None)),
        ("MON-SUN 01:00-05:00", "sandbox", _at(12), Unavailability(True, _at(1, day=3), None)),
        ("MON-SUN 01:00-05:00", "la", _at(5), Unavailability(True, _at(1, day=3), None)),
        # they say open and it refuses all the same
        ("MON-SUN 10:00-15:00", "us", _at(10), Unavailability(True, _at(10, 5), None)),
        ("MON-SUN 10:00-15:00", "us", _at(14, 59), Unavailability(True, _at(15, 4), None)),
        ("MON-SUN 01:00-23:00", "us", _at(16), Unavailability(True, _at(16, 5), None)),
        # busy in words, open or closed by the table
        ("Too many concurrent exports", "us", _at(12), Unavailability(False)),
        ("Too many concurrent exports", "us", _at(16), Unavailability(False)),
        ('{"message":"Server busy"}', "us", _at(16), Unavailability(False)),
        ("concurrency threshold is reached", "eu", _at(16), Unavailability(False)),
        ("An export is already in progress", "eu", _at(16), Unavailability(False)),
        ("Only 3 exports at a time", "eu", _at(16), Unavailability(False)),
        # no words: the table, asked again every half hour at the latest
        ("", "us", _at(15), Unavailability(True, _at(15, 30), US)),
        ("", "us", _at(9, 45), Unavailability(True, _at(10), US)),
        ("", "us", _at(9, 30), Unavailability(True, _at(10), US)),
        ("", "us", _at(9, 29), Unavailability(True, _at(9, 59), US)),
        ("", "us", _at(10), Unavailability(False)),
        ("Service Unavailable", "us", _at(14, 59), Unavailability(False)),
        ("Service Unavailable", "us", _at(15), Unavailability(True, _at(15, 30), US)),
        ("", "eu", _at(1, day=7), Unavailability(True, _at(1, 30, day=7), EU)),
        ("", "eu", _at(1, day=6), Unavailability(False)),
        ("", "eu", _at(5, day=8), Unavailability(False)),
        # no table: a guess from the words
        ("", "la", _at(3), Unavailability(False)),
        ("", "sandbox", _at(3), Unavailability(False)),
        ("The service is closed", "la", _at(3), Unavailability(True, _at(3, 5))),
        ("Outside of available hours", "sandbox", _at(3), Unavailability(True, _at(3, 5))),
        ("Not available", "la", _at(3), Unavailability(True, _at(3, 5))),
        ("The service is closed", "us", _at(12), Unavailability(True, _at(12, 5))),
        ("The service is closed", "us", _at(16), Unavailability(True, _at(16, 30), US)),
    ],
)
def test_what_a_503_means(words: str, region: str, now: DateTime, expected: Unavailability) -> None:
    """Words win over the table, the table over a guess; each says when to ask again."""
    meaning = interpret_503(words, region, now, TABLE.get(region))

    assert (meaning.closed, meaning.until) == (expected.closed, expected.until)
    assert meaning.hours == (read(words, region) or expected.hours)


def test_times_to_ask_again() -> None:
    """Half an hour by the table, five minutes where the words say open."""
    assert dt.timedelta(minutes=30) == LOOK_AGAIN
    assert dt.timedelta(minutes=5) == ASK_AGAIN


@pytest.mark.parametrize(
    "words", ["Closed. Hours in EST: 10:00-15:00", "Closed. MON-FRI 10:00-15:00 CET"]
)
def test_untrusted_hours_leave_it_to_the_table(words: str) -> None:
    """Hours of another zone are not gone by; the table says when to ask."""
    assert interpret_503(words, "us", _at(16), US) == Unavailability(True, _at(16, 30), US)


@given(st.integers(0, 7 * DAY_MINUTES), st.sampled_from(["us", "eu"]))
def test_without_words_asked_again_within_half_an_hour(minute: int, region: str) -> None:
    """The table never keeps the tap away: asked every half hour, and at the opening itself."""
    now = _at(0) + minute * MINUTE
    meaning = interpret_503("", region, now, TABLE[region])

    assert meaning.closed is not TABLE[region].is_open(now)
    if meaning.closed:
        assert meaning.until is not None
        assert now < meaning.until <= now + LOOK_AGAIN
        assert meaning.until <= TABLE[region].next_opening(now)


@pytest.mark.parametrize("hours", [-6, -4, 0, 3])
@pytest.mark.parametrize("words", ["", "MON-SUN 10:00-15:00"])
def test_hours_go_by_clovers_clock(hours: int, words: str) -> None:
    """This machine's own may be hours behind or ahead: it still asks at the opening."""
    known, clovers = KnownHours(), pendulum.datetime(2026, 3, 3, 9, 50)
    now = clovers.add(hours=hours)
    known.heard(clovers, now)
    meaning = known.interpret(words, "us", now)
    # The table alone counts only where the region is closed by both clocks.
    assert meaning.closed is (hours != 3 or bool(words))
    assert meaning.until == (now + 10 * MINUTE if meaning.closed else None)
    assert known.open_seconds("us", 24 * 3600, now) == 5 * 3600
    known.accepted("us", now + 11 * MINUTE)
    assert known.interpret(words, "us", now) == meaning
    known.accepted("us", now)
    assert not known.interpret("", "us", now).closed


@pytest.mark.parametrize("hours", [-5, 1])
def test_an_export_disproves_no_hours_that_it_was_made_in(hours: int) -> None:
    """Before the first 503 its own `createdTime` is all that tells Clover's clock."""
    known, clovers = KnownHours(), pendulum.datetime(2026, 3, 3, 14, 30)
    known.accepted("us", clovers.add(hours=hours), clovers)
    assert known.open_seconds("us", 24 * 3600, clovers) == 5 * 3600
    known.accepted("us", clovers.add(hours=hours - 12), clovers.add(hours=-12))
    assert known.open_seconds("us", 24 * 3600, clovers) == 24 * 3600


@pytest.mark.parametrize("words", ["", "MON-SUN 10:00-15:00"])
@pytest.mark.parametrize("wrong", [-9, -5, 6.5, 9])
def test_a_wrong_date_costs_half_an_hour_at_most(wrong: float, words: str) -> None:
    """Whichever clock is wrong: Clover is asked again soon, and no time-out runs meanwhile."""
    known, now = KnownHours(), pendulum.datetime(2026, 3, 3, 6, 30)
    known.heard(now.add(minutes=round(60 * wrong)), now)
    until = known.interpret(words, "us", now).until
    assert until is None or now < until <= now + LOOK_AGAIN
    known.accepted("us", now.add(hours=4))
    assert known.open_seconds("us", 2 * 3600, now) == 0
    known.heard(now, now)
    until = known.interpret(words, "us", now).until
    assert until == (now.add(hours=3, minutes=30) if words else now + LOOK_AGAIN)


@pytest.mark.parametrize("ahead", [None, -59, 86_401])
def test_a_clock_that_is_not_told_near_or_beyond_belief_is_our_own(ahead: int | None) -> None:
    """Of a date without fractions, and of nonsense, no opening is made."""
    known, now = KnownHours(), pendulum.datetime(2026, 3, 3, 9, 50)
    known.heard(None if ahead is None else now.add(seconds=ahead), now)
    assert known.interpret("MON-SUN 10:00-15:00", "us", now).until == now + 10 * MINUTE
