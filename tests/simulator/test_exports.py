"""Exports from the request to the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from .client import DAY, OTHER, PATIENCE, SHOP, TOKEN, Client

if TYPE_CHECKING:
    from collections.abc import Callable


def test_an_export_runs_by_the_clock(serve: Callable[..., Client]) -> None:
    """An export is PENDING, then IN_PROGRESS with a percentage, then DONE with links."""
    client = serve(export_seconds=100)
    created = client.create().json()
    assert created == {
        "id": created["id"],
        "type": "ORDERS",
        "status": "PENDING",
        "percentComplete": 0,
        "startTime": client.now - 10 * DAY,
        "endTime": client.now,
        "createdTime": client.now,
        "modifiedTime": client.now,
        "merchantRef": {"id": SHOP},
    }
    assert client.poll(created["id"]).json() == created
    client.simulator.clock.advance(50)
    running = client.poll(created["id"]).json()
    assert (running["status"], running["percentComplete"]) == ("IN_PROGRESS", 50)
    assert "exportUrls" not in running
    client.simulator.clock.advance(50)
    done = client.poll(created["id"]).json()
    assert (done["status"], done["percentComplete"]) == ("DONE", 100)
    assert done["availableUntil"] == client.now + DAY
    assert done["exportUrls"]["elements"][0]["export"] == {"id": created["id"]}


@pytest.mark.parametrize("kind", ["ORDERS", "PAYMENTS"])
def test_an_export_holds_the_span(client: Client, kind: Any) -> None:
    """The files hold exactly the records of the span, one after the other."""
    start, end = client.now - 9 * DAY, client.now - 2 * DAY
    records = client.export(kind, start, end)
    assert records == client.simulator.records(SHOP, kind, start, end)
    assert records


def test_times_and_tokens_come_in_two_forms(client: Client) -> None:
    """Times as text, the token in the query and a trailing slash are taken too."""
    url = f"{client.simulator.url}/v3/merchants/{SHOP}/exports/?access_token={TOKEN}"
    body = {"type": "ORDERS", "startTime": str(client.now - DAY), "endTime": str(client.now)}
    export = requests.post(url, json=body, timeout=PATIENCE).json()
    assert export["startTime"] == client.now - DAY
    answer = requests.get(url.replace("/?", f"/{export['id']}/?"), timeout=PATIENCE)
    assert answer.json()["status"] == "DONE"
    assert [request.query_token for request in client.simulator.requests] == [True, True]


def test_files_hold_a_thousand(serve: Callable[..., Client]) -> None:
    """A file holds a number of records at most, and its length is told."""
    client = serve(orders_per_day=150)
    links = client.links()
    sizes = []
    for link in links:
        answer = client.fetch(link)
        assert int(answer.headers["Content-Length"]) == len(answer.content)
        assert answer.headers["Content-Type"] == "application/json"
        sizes.append(len(answer.json()["elements"]))
    assert sizes[:-1] == [1000] * (len(sizes) - 1)
    assert 0 < sizes[-1] <= 1000
    assert len(sizes) > 1


def test_an_empty_export_has_no_files(serve: Callable[..., Client]) -> None:
    """An empty export is DONE with an empty list, or without the key."""
    for key in (True, False):
        client = serve(empty_without_key=not key)
        export = client.create(start=1, end=DAY).json()["id"]
        done = client.poll(export).json()
        assert done["status"] == "DONE"
        assert done.get("exportUrls") == ({"elements": []} if key else None)


def test_an_export_shows_what_was_there_when_it_was_made(serve: Callable[..., Client]) -> None:
    """Nothing that happens after the request gets into the export."""
    client = serve(export_seconds=60, orders_per_day=60, days=30)
    start, end = client.now - 20 * DAY, client.now + 9 * DAY
    before = client.simulator.records(SHOP, "ORDERS", start, end)
    Client(client.simulator, client.session, OTHER, "token-2").create()
    export = client.create(start=start, end=end).json()["id"]
    client.simulator.touch(SHOP, "ORDERS", before[0]["id"], note="later")
    client.simulator.put(SHOP, "ORDERS", {"id": "later"})
    client.simulator.clock.advance(7200)
    assert client.simulator.records(SHOP, "ORDERS", start, end) != before
    assert client.collect(export) == before


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"type": "REFUNDS", "startTime": 1, "endTime": 2}, "type"),
        ({"type": "ORDERS", "startTime": "soon", "endTime": 2}, "startTime"),
        ({"type": "ORDERS", "startTime": 2, "endTime": 2}, "after"),
        ({"type": "ORDERS", "startTime": 0, "endTime": 30 * DAY + 1}, "30 days"),
        ({}, "startTime"),
    ],
)
def test_a_bad_request_is_refused(client: Client, body: dict[str, Any], words: str) -> None:
    """A wrong type, wrong times and a span over 30 days are answered with 400 and why."""
    answer = client.ask("POST", f"/v3/merchants/{SHOP}/exports", json=body)
    assert answer.status_code == 400
    assert words in answer.json()["message"]
    assert not client.simulator.exports


def test_thirty_days_may_be_too_wide(serve: Callable[..., Client]) -> None:
    """Exactly 30 days are taken, unless the option says otherwise."""
    for refused in (False, True):
        client = serve(refuse_exactly_max=refused)
        answer = client.create(start=client.now - 30 * DAY)
        assert answer.status_code == (400 if refused else 200)


@pytest.mark.parametrize("field", ["createdTime", "modifiedTime"])
@pytest.mark.parametrize("bounds", ["half-open", "closed", "open-closed"])
def test_bounds_and_field_are_options(
    serve: Callable[..., Client], field: str, bounds: str
) -> None:
    """A record on an edge is in the span as the bounds say, on either field."""
    client = serve(window_field=field, bounds=bounds, days=1)
    start, end = client.now - 20 * DAY, client.now - 10 * DAY
    for name, time in (("start", start), ("inside", start + 1), ("end", end)):
        times = {"createdTime": 5, "modifiedTime": 5, field: time}
        client.simulator.put(SHOP, "ORDERS", {"id": name, **times})
    expected = {"half-open": "start inside", "closed": "start inside end"}
    records = client.export("ORDERS", start, end)
    names = " ".join(record["id"] for record in records)
    assert names == expected.get(bounds, "inside end")


def test_a_busy_server_refuses(serve: Callable[..., Client]) -> None:
    """With all places taken, over all merchants, the next is refused until one ends."""
    client = serve(export_seconds=60, max_concurrent=2)
    other = Client(client.simulator, client.session, OTHER, "token-2")
    assert [client.create().status_code, other.create().status_code] == [200, 200]
    refused = client.create()
    assert refused.status_code == 503
    assert "Too many concurrent exports" in refused.json()["message"]
    client.simulator.clock.advance(60)
    client.simulator.foreign_exports = 2
    assert client.create().status_code == 503
    client.simulator.foreign_exports = 1
    assert client.create().status_code == 200


def test_files_are_deleted_after_a_day(serve: Callable[..., Client]) -> None:
    """A day after it is done an export is 404 and its files are gone."""
    client = serve(gone_status=410)
    export = client.create().json()["id"]
    link = client.poll(export).json()["exportUrls"]["elements"][0]["url"]
    client.simulator.clock.advance(86_399)
    assert client.fetch(link).status_code == 200
    client.simulator.clock.advance(1)
    assert client.poll(export).status_code == 404
    assert client.fetch(link).status_code == 410


def test_links_expire_and_are_renewed(serve: Callable[..., Client]) -> None:
    """A link may expire before its file; the next poll gives a fresh one."""
    client = serve(url_seconds=60)
    export = client.create().json()["id"]

    def link() -> str:
        return str(client.poll(export).json()["exportUrls"]["elements"][0]["url"])

    old, again = link(), link()
    assert old != again
    client.simulator.clock.advance(60)
    assert client.fetch(old).status_code == 403
    assert client.fetch(link()).status_code == 200
    assert client.fetch(old.replace("signature=", "signature=0")).status_code == 403


def test_files_refuse_tokens(client: Client) -> None:
    """A link refuses a request that carries a token, as object stores do."""
    (link,) = client.links()
    assert link.startswith(client.simulator.files_url)
    assert client.simulator.files_url != client.simulator.url
    assert client.fetch(link, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 400
    assert client.fetch(f"{link}&access_token={TOKEN}").status_code == 400
    assert client.fetch(link).status_code == 200
    assert client.simulator.exports[0].downloads == {0: 1}


def test_foreign_exports_and_paths_are_not_found(client: Client) -> None:
    """An unknown export, another merchant's and an unknown path are 404."""
    export = client.create().json()["id"]
    other = Client(client.simulator, client.session, OTHER, "token-2")
    assert client.poll("NOSUCHEXPORT0").status_code == 404
    assert other.poll(export).status_code == 404
    assert client.ask("GET", "/v3/nothing").status_code == 404
    assert client.fetch(f"{client.simulator.files_url}/a/b/0.json").status_code == 404


def test_clovers_clock_may_be_off(serve: Callable[..., Client]) -> None:
    """With a skew, Clover dates exports and shows records by its own clock."""
    client = serve(clock_skew_seconds=-3600)
    created = client.create().json()
    assert created["createdTime"] == client.now - 3_600_000
    assert client.poll(created["id"]).json()["availableUntil"] == client.now + DAY - 3_600_000
    newest = max(order["modifiedTime"] for order in client.export(end=client.now + DAY))
    assert newest <= client.now - 3_600_000


def test_the_old_wire(serve: Callable[..., Client]) -> None:
    """In the words of 2016 an export is COMPLETE and has a single link."""
    client = serve(old_wire=True, objects_per_file=10)
    done = client.poll(client.create().json()["id"]).json()
    assert done["status"] == "COMPLETE"
    assert len(client.fetch(done["exportUrls"]["elements"]["url"]).json()["elements"]) > 10


def test_files_may_be_compressed(serve: Callable[..., Client]) -> None:
    """Files are compressed on demand, for clients that accept it."""
    client = serve(gzip=True)
    (link,) = client.links()
    zipped = client.fetch(link)
    assert zipped.headers["Content-Encoding"] == "gzip"
    plain = client.fetch(link, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert plain.json() == zipped.json()


def test_every_request_is_written_down(client: Client) -> None:
    """Requests are kept with their kind, merchant, status, headers and time."""
    client.fetch(client.links()[0])
    client.ask("GET", f"/v3/merchants/{SHOP}")
    client.ask("PUT", f"/v3/merchants/{SHOP}")
    kinds = [(request.kind, request.status) for request in client.simulator.requests]
    assert kinds == [
        ("create", 200),
        ("poll", 200),
        ("download", 200),
        ("merchant", 200),
        ("other", 404),
    ]
    assert {request.merchant for request in client.simulator.requests} == {SHOP}
    assert client.simulator.requests[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert client.simulator.requests[0].time * 1000 == client.now
    assert "X-Clover-Request-Id" in client.ask("GET", "/").headers
