"""The command line, and what a person may ask a running simulator."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import requests

from tap_clover_export.simulator.__main__ import main

from .client import DAY, PATIENCE, SHOP, TOKEN, Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COMMAND = (sys.executable, "-m", "tap_clover_export.simulator")


@contextmanager
def run(*arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run the command and tell its URL."""
    with subprocess.Popen(
        (*COMMAND, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_a_signal(number: signal.Signals) -> None:
    """The URL comes first, then who is there; options are taken, a signal ends it with 0."""
    options = ("--merchant", f"{SHOP}:{TOKEN}", "--days", "2", "--now", "2026-03-02T12:00:00Z")
    limits = ("--limit", "app:50", "--missing-permission", f"{SHOP}:exports")
    others = ("--fault", "merchant:502*1", "--hours", "--shop", f"{SHOP}:bar")
    with run("--port", "0", *options, *limits, *others) as (url, process):
        ask = f"{url}/v3/merchants/{SHOP}?access_token={TOKEN}"
        assert requests.get(ask, timeout=PATIENCE).status_code == 502
        assert requests.get(ask, timeout=PATIENCE).json()["id"] == SHOP
        export = f"{url}/v3/merchants/{SHOP}/exports/X?access_token={TOKEN}"
        assert requests.get(export, timeout=PATIENCE).status_code == 401
        now = requests.get(f"{url}/_simulator/clock", timeout=PATIENCE).json()
        assert now["iso"].startswith("2026-03-02T12:0")
        shops = requests.get(f"{url}/_simulator/shops", timeout=PATIENCE).json()
        assert [(shop["merchant_id"], shop["day_starts_at"]) for shop in shops] == [(SHOP, "04:00")]
        process.send_signal(number)
        assert process.stdout
        assert process.stdout.readline() == f"merchant_id {SHOP}, access_token {TOKEN}\n"
        assert process.communicate(timeout=PATIENCE) == ("", "")
        assert process.returncode == 0


def test_a_taken_port_is_told(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    """A taken port is one sentence and exit 1."""
    port = client.simulator.url.rpartition(":")[2]
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        assert main(["--port", port, "--days", "1"]) == 1
    finally:
        for number, handler in zip((signal.SIGTERM, signal.SIGINT), handlers, strict=True):
            signal.signal(number, handler)
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == f"Cannot listen on 127.0.0.1:{port}: Address already in use.\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fault", "poll:purple"], "no such fault on poll: purple"),
        (["--merchant", "M"], "not ID:TOKEN: M"),
        (["--missing-permission", "M:write-orders"], "no such permission: write-orders"),
        (["--shop", "M:casino"], "no such shop: casino"),
        (["--limit", "token:many"], "not a limit: token:many"),
        (["--limit", "shop:5"], "not a limit: shop:5"),
    ],
)
def test_wrong_arguments_are_told(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What does not exist or can't be read is told with what is wrong."""
    with pytest.raises(SystemExit):
        main(arguments)
    assert words in capsys.readouterr().err


def test_a_person_can_look_and_change(client: Client) -> None:
    """The clock, the books, the requests and the faults are open to people."""
    url = f"{client.simulator.url}/_simulator"
    client.fetch(client.links()[0])
    assert requests.get(f"{url}/books", timeout=PATIENCE).json() == client.simulator.books()
    told = requests.get(f"{url}/requests", timeout=PATIENCE).json()
    assert told["kinds"] == {"create": 1, "poll": 1, "download": 1}
    assert told["merchants"] == {SHOP: told["kinds"]}
    assert [export["downloads"] for export in told["exports"]] == [1]
    before = client.now
    requests.post(f"{url}/clock", json={"advance_seconds": 90}, timeout=PATIENCE)
    assert client.now == before + 90_000
    added = requests.post(f"{url}/faults", json=["create:502"], timeout=PATIENCE)
    assert added.json() == {"added": 1}
    assert client.create().status_code == 502
    assert requests.post(f"{url}/faults", json=["purple"], timeout=PATIENCE).status_code == 400
    requests.delete(f"{url}/faults", timeout=PATIENCE)
    assert client.create().status_code == 200
    assert requests.get(f"{url}/nothing", timeout=PATIENCE).status_code == 404
    assert len(client.simulator.requests) == 5


def test_an_old_order_is_refunded(serve: Callable[..., Client]) -> None:
    """A late refund changes an old order and its payment, and tells what it did."""
    client = serve(days=30)
    url = f"{client.simulator.url}/_simulator/touch"
    before = client.simulator.books()[SHOP]
    now = client.simulator.clock.now()
    books, report = url.replace("touch", "sales"), {"report": "sales_overview"}
    then = {**report, "as_of": now - 1}
    sold = requests.post(books, json=then, timeout=PATIENCE).json()
    done = requests.post(url, json={"merchant": SHOP}, timeout=PATIENCE).json()
    assert done["createdTime"] < client.now - 7 * DAY
    assert client.simulator.books()[SHOP]["refunded"] == before["refunded"] + done["amount"]
    for kind, name in (("ORDERS", done["order"]), ("PAYMENTS", done["payment"])):
        changed = client.export(kind, client.now, client.now + 1)
        assert [record["id"] for record in changed] == [name]
        assert changed[0]["refunds"]["elements"][0]["amount"] == done["amount"]
    told = requests.post(books, json=report, timeout=PATIENCE).json()
    today = [row for row in told if row not in sold]
    assert {row["business_day"] for row in today} == {"2026-03-02"}
    assert {row["merchant_id"] for row in today} >= {SHOP}
    assert requests.post(books, json={"report": "x"}, timeout=PATIENCE).status_code == 400
    order = {"merchant": SHOP, "type": "ORDERS", "id": done["order"], "note": "sorry"}
    assert requests.post(url, json=order, timeout=PATIENCE).json()["note"] == "sorry"
    assert requests.post(url, json={**order, "id": "nobody"}, timeout=PATIENCE).status_code == 400
    assert "sorry" in json.dumps(client.export(start=client.now, end=client.now + 1))
