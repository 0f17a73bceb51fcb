"""Exports that Clover's documents do not foresee."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tap_clover_export.simulator import Fault

from .client import DAY, NOW, SHOP, Client

if TYPE_CHECKING:
    from collections.abc import Callable

CREATED_TIMES = [
    ("seconds", NOW),
    ("true", True),
    ("year-2100", 4_102_444_800_000),
    ("digits", str(NOW * 1000)),
    ("text", "2026-03-02T12:00:00+00:00"),
    ("missing", None),
]


@pytest.mark.parametrize("by_fault", [False, True])
def test_a_new_export_is_not_found_at_first(
    serve: Callable[..., Client], *, by_fault: bool
) -> None:
    """An id that was just given answers 404 for some seconds, then as if nothing had been."""
    client = serve(visible_after_seconds=0 if by_fault else 5)
    if by_fault:
        client.simulator.faults.add("poll:lag=5*1")
    export = client.create().json()["id"]
    told = []
    for _ in range(3):
        told.append(client.poll(export).status_code)
        client.simulator.clock.advance(2.5)
    assert told == [404, 404, 200]
    assert client.poll(client.create().json()["id"]).status_code == (200 if by_fault else 404)


def test_a_wide_span_is_too_much_work(serve: Callable[..., Client]) -> None:
    """A span wider than an option says is a 400 "Internal Error"; narrower ones are exported."""
    client = serve(heavy_window_days=5)
    refused = client.create(start=client.now - 5 * DAY - 1)
    assert refused.status_code == 400
    assert refused.json() == {"message": "Internal Error"}
    assert client.create(start=client.now - 5 * DAY).status_code == 200


@pytest.mark.parametrize("where", ["create", "poll"])
def test_an_internal_error_may_pass(client: Client, where: str) -> None:
    """A 400 "Internal Error" comes once, on a create or a poll."""
    export = client.create().json()["id"]
    client.simulator.faults.add(f"{where}:400-internal*1")
    told = [client.create() if where == "create" else client.poll(export) for _ in range(2)]
    assert [answer.status_code for answer in told] == [400, 200]
    assert told[0].json() == {"message": "Internal Error"}


@pytest.mark.parametrize(
    ("narrowed", "kind", "start", "end"),
    [
        ("end", "ORDERS", 9, 1),
        ("start", "ORDERS", 8, 0),
        ("type", "PAYMENTS", 9, 0),
    ],
)
def test_an_export_may_cover_less(
    client: Client, narrowed: str, kind: Any, start: int, end: int
) -> None:
    """The description tells a shorter span or another type, and the files hold just that."""
    client.simulator.faults.add(f"create:narrowed={narrowed}*1")
    now = client.now
    told = client.create("ORDERS", now - 9 * DAY, now).json()
    covered = now - start * DAY, now - end * DAY
    assert (told["type"], told["startTime"], told["endTime"]) == (kind, *covered)
    records = client.collect(told["id"])
    assert records == client.simulator.records(SHOP, kind, *covered)
    assert records
    whole = client.simulator.records(SHOP, "ORDERS", now - 9 * DAY, now)
    assert {record["id"] for record in records} != {record["id"] for record in whole}


def test_an_export_may_be_of_whole_seconds(client: Client) -> None:
    """Milliseconds of both times are dropped."""
    client.simulator.faults.add("create:narrowed=whole-seconds*1")
    end = client.now // 1000 * 1000
    told = client.create("ORDERS", end - 3 * DAY + 1, end - 1).json()
    assert (told["startTime"], told["endTime"]) == (end - 3 * DAY, end - 1000)


def test_less_than_a_short_span_is_half(client: Client) -> None:
    """A span of less than two days loses half; a bad request stays one."""
    client.simulator.faults.add("create:narrowed=end*2")
    assert client.create(start=client.now - DAY).json()["endTime"] == client.now - DAY // 2
    refused = client.ask("POST", f"/v3/merchants/{SHOP}/exports", json={"type": "ORDERS"})
    assert refused.status_code == 400


@pytest.mark.parametrize(
    ("gone_as", "links"), [("no-links", None), ("empty-list", {"elements": []})]
)
def test_an_export_may_outlive_its_files(
    serve: Callable[..., Client], gone_as: str, links: object
) -> None:
    """When the files are deleted the export still says DONE, without links."""
    client = serve(gone_as=gone_as)
    export = client.create().json()["id"]
    (element,) = client.poll(export).json()["exportUrls"]["elements"]
    client.simulator.clock.advance(24 * 3600)
    told = client.poll(export).json()
    assert (told["status"], told.get("exportUrls")) == ("DONE", links)
    assert client.fetch(element["url"]).status_code == 404
    client.simulator.options = replace(client.simulator.options, gone_as="404")
    assert client.poll(export).status_code == 404


@pytest.mark.parametrize(
    ("fault", "links"),
    [
        ("links-once", None),
        ("links-once=no-links", None),
        ("links-once=empty-list", {"elements": []}),
    ],
)
def test_links_may_be_told_once(client: Client, fault: str, links: object) -> None:
    """An export's links are told, and then no more; those of the next are."""
    client.simulator.faults.add(f"poll:{fault}*1")
    export = client.create().json()["id"]
    (element,) = client.poll(export).json()["exportUrls"]["elements"]
    for _ in range(2):
        told = client.poll(export).json()
        assert (told["status"], told.get("exportUrls")) == ("DONE", links)
    assert client.fetch(element["url"]).status_code == 200
    assert client.links()


@pytest.mark.parametrize("where", ["option", "create", "poll"])
@pytest.mark.parametrize(("form", "expected"), CREATED_TIMES)
def test_a_created_time_may_be_nonsense(
    serve: Callable[..., Client], where: str, form: str, expected: object
) -> None:
    """An option writes it so everywhere, a fault in one answer."""
    client = serve(created_time=form if where == "option" else "ms")
    if where != "option":
        client.simulator.faults.add(f"{where}:created-time={form}*1")
    created = client.create().json()
    polled = client.poll(created["id"]).json()
    told = [content.get("createdTime") for content in (created, polled)]
    right = client.now
    assert (
        told
        == {
            "option": [expected, expected],
            "create": [expected, right],
            "poll": [right, expected],
        }[where]
    )
    assert ("createdTime" in created) is (form != "missing" or where == "poll")


def test_foreign_exports_come_and_go(serve: Callable[..., Client]) -> None:
    """Others take the places for the first half of each period; both may change at any time."""
    client = serve(foreign_exports=3, foreign_period_seconds=100, export_seconds=10)
    told = []
    for _ in range(4):
        told.append(client.create().status_code)
        client.simulator.clock.advance(50)
    assert told == [503, 200, 503, 200]
    client.simulator.max_concurrent = 4
    assert [client.create().status_code for _ in range(2)] == [200, 503]
    client.simulator.foreign_exports = 0
    assert client.create().status_code == 200


def test_each_answer_has_an_id(client: Client) -> None:
    """Clover's request id differs each time and is kept with the request; files have none."""
    client.simulator.faults.add("poll:502*1")
    answers = [client.create(), client.poll("nothing"), client.poll("nothing")]
    ids = [answer.headers["X-Clover-Request-Id"] for answer in answers]
    assert len(set(ids)) == 3
    assert [request.request_id for request in client.simulator.requests] == ids
    (link,) = client.links()
    assert "X-Clover-Request-Id" not in client.fetch(link).headers


@pytest.mark.parametrize(
    "spec", ["create:narrowed=middle", "poll:links-once=twice", "create:created-time=soon"]
)
def test_forms_that_do_not_exist_are_refused(spec: str) -> None:
    """A fault's form is checked when it is read."""
    with pytest.raises(ValueError, match="no such form of the fault"):
        Fault.parse(spec)
