"""When the export service is open."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from .client import Client

OPEN = {
    "us": [(10, 15)] * 7,
    "eu": [(1, 5)] * 5 + [(2, 5), (2, 6)],
}


@pytest.mark.parametrize("region", ["us", "eu"])
def test_hours_are_kept(serve: Callable[..., Client], region: str) -> None:
    """Hour by hour over a week, a region takes exports in its documented hours only."""
    monday = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
    client = serve(region=region, hours=True, now=monday.timestamp(), days=1, orders_per_day=1)
    for hour in range(7 * 24):
        client.simulator.clock.set(monday.timestamp() + hour * 3600 - 1)
        before = client.create().status_code
        client.simulator.clock.advance(1)
        start, end = OPEN[region][hour // 24]
        assert (client.create().status_code == 200) is (start <= hour % 24 < end)
        if hour % 24 in (start, end):
            assert before == (503 if hour % 24 == start else 200)


def test_hours_are_kept_on_demand(serve: Callable[..., Client]) -> None:
    """Without the option a region never closes, and a sandbox never does."""
    midnight = dt.datetime(2026, 3, 2, tzinfo=dt.UTC).timestamp()
    assert serve(region="us", now=midnight).create().status_code == 200
    assert serve(region="sandbox", hours=True, now=midnight).create().status_code == 200


@pytest.mark.parametrize(
    ("region", "words", "expected"),
    [
        ("us", "vendor", "UTC: MON-FRI 10:00-15:00, SAT 10:00-15:00, SUN 10:00-15:00"),
        ("eu", "vendor", "UTC: MON-FRI 01:00-05:00, SAT 02:00-05:00, SUN 02:00-06:00"),
        ("us", "plain", "available Monday to Sunday from 10:00 to 15:00 UTC"),
        ("eu", "plain", "Saturday from 02:00 to 05:00, Sunday from 02:00 to 06:00 UTC"),
        ("us", "json", '"hours":[{"days":"MON-SUN","start":"10:00","end":"15:00"}]'),
        ("eu", "json", '{"days":"SAT","start":"02:00","end":"05:00"}'),
        ("us", None, '{"message":"503 Service Unavailable"}'),
    ],
)
def test_a_refusal_names_the_hours(
    serve: Callable[..., Client], region: str, words: str | None, expected: str
) -> None:
    """A closed service says when it is open, in one notation or another or not at all."""
    midnight = dt.datetime(2026, 3, 2, tzinfo=dt.UTC).timestamp()
    client = serve(region=region, hours=True, hours_words=words, now=midnight)
    answer = client.create()
    assert answer.status_code == 503
    assert expected in answer.text
    assert "concurrent" not in answer.text


def test_hours_may_be_others(serve: Callable[..., Client]) -> None:
    """Hours that the documents do not know are kept and named too."""
    midnight = dt.datetime(2026, 3, 2, tzinfo=dt.UTC).timestamp()
    client = serve(region="us", hours=True, timetable=((0, 90),) * 7, now=midnight)
    assert client.create().status_code == 200
    client.simulator.clock.advance(90 * 60)
    assert "MON-FRI 00:00-01:30" in client.create().text


@pytest.mark.parametrize("everything", [False, True])
def test_closing_may_stop_everything(serve: Callable[..., Client], everything: bool) -> None:
    """When it closes during a run, creates alone are refused, or polls and files as well."""
    noon = dt.datetime(2026, 3, 2, 14, 59, tzinfo=dt.UTC).timestamp()
    client = serve(region="us", hours=True, closed_refuses_all=everything, now=noon)
    export = client.create().json()["id"]
    link = client.poll(export).json()["exportUrls"]["elements"][0]["url"]
    client.simulator.clock.advance(60)
    expected = 503 if everything else 200
    assert client.create().status_code == 503
    assert client.poll(export).status_code == expected
    assert client.fetch(link).status_code == expected
