"""Faults, each one line."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import requests

from tap_clover_export.simulator import Fault, FaultInjector
from tap_clover_export.simulator.faults.fault import Call

from .client import OTHER, PATIENCE, Client

if TYPE_CHECKING:
    from collections.abc import Callable

BROKEN = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)
WHERE = ("create", "poll", "download")


def request(client: Client, where: str, timeout: float = PATIENCE) -> requests.Response:
    """Make one request of a kind; those before it pass, and have all the time there is."""
    if where == "create":
        return client.ask(
            "POST",
            f"/v3/merchants/{client.merchant}/exports",
            json={"type": "ORDERS", "startTime": client.now - 10**9, "endTime": client.now},
            timeout=timeout,
        )
    if where == "poll":
        return client.poll(client.create().json()["id"], timeout=timeout)
    return client.fetch(client.links()[0], timeout=timeout)


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("429", 429, "Too Many"),
        ("500", 500, "500 Internal"),
        ("502", 502, "<html>"),
        ("503", 503, ""),
        ("504", 504, "<html>"),
        ("403", 403, "403 Forbidden"),
        ("503-hours", 503, "MON-FRI 10:00-15:00"),
        ("busy", 503, "Too many concurrent exports"),
        ("html", 200, "<html>"),
        ("garbage", 200, '{"id": "'),
        ("empty", 200, ""),
    ],
)
def test_other_answers(client: Client, where: str, kind: str, status: int, body: str) -> None:
    """A fault's answer comes instead of Clover's, once if so asked."""
    fault = client.simulator.faults.add(f"{where}:{kind}*1")
    answer = request(client, where)
    assert answer.status_code == status
    assert body in answer.text
    assert bool(answer.text) == bool(body)
    assert fault.fired == 1
    assert request(client, where).ok
    assert fault.fired == 1


@pytest.mark.parametrize("where", WHERE)
def test_headers(client: Client, where: str) -> None:
    """A 429 can tell when to come again, and a redirect where to go."""
    client.simulator.faults.add(f"{where}:429:retry-after=7*1")
    client.simulator.faults.add(f"{where}:redirect=http://127.0.0.1:1/x*1")
    assert request(client, where).headers["Retry-After"] == "7"
    moved = request(client, where)
    assert (moved.status_code, moved.headers["Location"]) == (302, "http://127.0.0.1:1/x")


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("kind", ["reset", "reset-after", "reset-mid", "short"])
def test_broken_wires(client: Client, where: str, kind: str) -> None:
    """Connections end before, in the middle of and after an answer."""
    fault = client.simulator.faults.add(f"{where}:{kind}*1")
    with pytest.raises(BROKEN):
        request(client, where)
    assert fault.fired == 1
    assert request(client, where).ok


@pytest.mark.parametrize(("kind", "accepted"), [("reset", 0), ("reset-after", 1), ("short", 1)])
def test_a_lost_create_may_have_been_accepted(client: Client, kind: str, accepted: int) -> None:
    """A reset before the request is read makes no export, a lost answer does."""
    client.simulator.faults.add(f"create:{kind}")
    with pytest.raises(BROKEN):
        client.create()
    assert len(client.simulator.exports) == accepted


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("kind", ["hang", "hang-mid"])
def test_hangs(client: Client, where: str, kind: str) -> None:
    """Nothing comes, or nothing more, until the client gives up."""
    fault = client.simulator.faults.add(f"{where}:{kind}*1")
    while not fault.fired:  # who gives up before it is heard asks again
        with pytest.raises((requests.Timeout, requests.ConnectionError), match="timed out"):
            request(client, where, timeout=0.5)
    assert request(client, where).ok


def test_a_hang_ends(client: Client) -> None:
    """After its time a hang is over and the answer comes."""
    client.simulator.faults.add("create:hang=0.1*1")
    start = time.monotonic()
    assert client.create().ok
    assert time.monotonic() - start > 0.1


def test_a_drip_is_slow_and_whole(client: Client) -> None:
    """A dripping body takes its time and is the right one."""
    (link,) = client.links()
    whole = client.fetch(link).content
    client.simulator.faults.add("download:drip=0.2*1")
    start = time.monotonic()
    assert client.fetch(link).content == whole
    assert time.monotonic() - start > 0.15


def test_an_export_stays_pending(serve: Callable[..., Client]) -> None:
    """An export that stays pending holds its place; the next is not struck."""
    client = serve(max_concurrent=1)
    fault = client.simulator.faults.add("poll:stay-pending*1")
    export = client.create().json()["id"]
    for _ in range(3):
        assert client.poll(export).json()["status"] == "PENDING"
        client.simulator.clock.advance(3600)
    assert fault.fired == 1
    assert client.create().status_code == 503
    client.simulator.options = replace(client.simulator.options, max_concurrent=2)
    assert client.poll(client.create().json()["id"]).json()["status"] == "DONE"


@pytest.mark.parametrize(
    ("arg", "status", "links"),
    [("FAILED", "FAILED", False), ("PURPLE", "PURPLE", False), ("done-lowercase", "done", True)],
)
def test_an_export_ends_oddly(client: Client, arg: str, status: str, links: bool) -> None:
    """An export ends in another status, and stays so."""
    client.simulator.faults.add(f"poll:status={arg}*1")
    export = client.create().json()["id"]
    for _ in range(2):
        told = client.poll(export).json()
        assert told["status"] == status
        assert ("exportUrls" in told) is links


def test_an_export_vanishes(client: Client) -> None:
    """An export that vanishes stays 404."""
    client.simulator.faults.add("poll:vanish*1")
    export = client.create().json()["id"]
    assert [client.poll(export).status_code for _ in range(2)] == [404, 404]


def test_links_are_late_or_double(serve: Callable[..., Client]) -> None:
    """A finished export comes without links at first, or with the same file twice."""
    client = serve(export_seconds=60)
    for kind in ("no-urls*2", "empty-urls*1", "same-file-twice*1"):
        client.simulator.faults.add(f"poll:{kind}")
    export = client.create().json()["id"]
    assert client.poll(export).json()["status"] == "PENDING"
    client.simulator.clock.advance(60)
    told = [client.poll(export).json() for _ in range(5)]
    assert {content["status"] for content in told} == {"DONE"}
    counts = [
        len(content["exportUrls"]["elements"]) if "exportUrls" in content else None
        for content in told
    ]
    assert counts == [None, None, 0, 2, 1]


@pytest.mark.parametrize(
    ("kind", "status"), [("expired", 403), ("gone", 404), ("gone=410", 410), ("no-elements", 200)]
)
def test_files_go_wrong(client: Client, kind: str, status: int) -> None:
    """A link expires, a file is gone or lacks its elements, once."""
    (link,) = client.links()
    client.simulator.faults.add(f"download:{kind}*1")
    answer = client.fetch(link)
    assert answer.status_code == status
    assert b"elements" not in answer.content
    assert client.fetch(link).json()["elements"]


def test_a_cut_file_is_not_json(client: Client) -> None:
    """A cut file has the length it tells, and is not JSON."""
    client.simulator.faults.add("download:cut*1")
    with pytest.raises(requests.JSONDecodeError):
        client.fetch(client.links()[0]).json()


def test_faults_can_be_aimed(client: Client) -> None:
    """A fault strikes one merchant and type only, after some requests, a few times."""
    other = Client(client.simulator, client.session, OTHER, "token-2")
    fault = client.simulator.faults.add(f"create[{OTHER}/PAYMENTS]:500*2@1")
    assert client.create("PAYMENTS").ok
    assert other.create("ORDERS").ok
    told = [other.create("PAYMENTS").status_code for _ in range(4)]
    assert told == [200, 500, 500, 200]
    assert fault.fired == 2
    client.simulator.faults.clear()
    by_word = client.simulator.faults.add("any:502", merchant=OTHER, type="ORDERS")
    assert (client.create().status_code, other.create().status_code) == (200, 502)
    assert by_word.fired == 1


def test_specs_are_read() -> None:
    """A fault is written as text, with its parts."""
    fault = Fault.parse("poll[M/ORDERS]:429:retry-after=7*3@2")
    assert fault == Fault("poll", "429", "retry-after=7", 3, 2, "M", "ORDERS")
    assert Fault.parse("download:hang=30").arg == "30"
    assert Fault.parse("create[M]:500").merchant == "M"


@pytest.mark.parametrize(
    "spec", ["create", "nowhere:500", "create:purple", "create:vanish", "poll:gone", "poll:999"]
)
def test_wrong_specs_are_refused(spec: str) -> None:
    """A fault that cannot happen there is refused."""
    with pytest.raises(ValueError, match="fault"):
        Fault.parse(spec)


def test_storms_are_the_same_for_a_seed() -> None:
    """A storm strikes about its share, alike for a seed whatever other merchants do."""

    def blow(seed: int, merchants: tuple[str, ...]) -> list[str]:
        injector = FaultInjector()
        injector.storm(0.3, seed)
        kinds = []
        for _ in range(300):
            for merchant in merchants:
                fault = injector.strike(Call("download", merchant, "ORDERS"))
                if merchant == "A":
                    kinds.append(fault.kind if fault else "")
        return kinds

    first = blow(1, ("A",))
    assert first == blow(1, ("B", "A"))
    assert first != blow(2, ("A",))
    assert 60 < sum(kind != "" for kind in first) < 120
    assert len(set(first)) > 10


def test_a_storm_can_be_of_one_kind(client: Client) -> None:
    """A storm can be kept to places and kinds, and cleared."""
    client.simulator.faults.storm(1.0, where="create", kinds=("502",))
    assert client.create().status_code == 502
    client.simulator.faults.clear()
    assert client.create().status_code == 200
