"""The vendor's own flow against the local Clover: it counts what the tap emits.

The flow of https://github.com/clover/export-api-examples: token in the query, times as text, a
trailing slash, plain downloads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.support.harness import ONE, TOKENS, TUESDAY_NOON, clover, iso, sync

if TYPE_CHECKING:
    from tap_clover_export.simulator import Simulator

DAY = 86_400


@pytest.mark.parametrize(("stream", "kind"), [("orders", "ORDERS"), ("payments", "PAYMENTS")])
def test_the_vendor_counts_the_same(stream: str, kind: str) -> None:
    """29 days by the vendor's way and by the tap hold the same number of objects."""
    with clover(days=29, orders_per_day=60) as simulator:
        end = int(TUESDAY_NOON)
        start = end - 29 * DAY
        export = create(simulator, kind, f"{start}000", f"{end}000")
        while export["status"] in ("PENDING", "IN_PROGRESS"):
            export = get(simulator, export["id"])
        urls = [
            element["url"] for element in get(simulator, export["id"])["exportUrls"]["elements"]
        ]
        counts = []
        for url in urls:
            answer = requests.get(url, timeout=30)
            answer.raise_for_status()
            counts.append(len(answer.json()["elements"]))
        assert len(counts) > 1
        assert set(counts[:-1]) == {1000}
        outcome = sync(simulator, start_date=iso(start), end_date=iso(end))
        assert len(outcome.records(stream)) == sum(counts)


def create(simulator: Simulator, kind: str, start: str, end: str) -> Any:
    """Ask for an export as the vendor's sample does."""
    answer = requests.post(
        f"{simulator.url}/v3/merchants/{ONE}/exports/?access_token={TOKENS[ONE]}",
        json={"type": kind, "startTime": start, "endTime": end},
        timeout=30,
    )
    answer.raise_for_status()
    return answer.json()


def get(simulator: Simulator, export_id: str) -> Any:
    """Look at an export as the vendor's sample does."""
    answer = requests.get(
        f"{simulator.url}/v3/merchants/{ONE}/exports/{export_id}?access_token={TOKENS[ONE]}",
        timeout=30,
    )
    answer.raise_for_status()
    return answer.json()
