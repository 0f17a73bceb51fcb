"""Plans to look at: work of made-up merchants, and the page of it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Any

import pendulum

from tap_clover_export.planning import plan
from tap_clover_export.planning.plan import Partition, PartitionState, PendingExport
from tap_clover_export.planning.windows import Window
from tap_clover_export.preview import overview, page
from tap_clover_export.settings import settings
from tap_clover_export.settings.hosts import BASE_URLS
from tap_clover_export.settings.merchants import Merchant
from tap_clover_export.settings.secret import Secret
from tap_clover_export.tap import TapCloverExport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_clover_export.planning.plan import PartitionPlan

NOW = pendulum.datetime(2026, 3, 3, 12)
"""A Tuesday, inside the US hours and outside the EU's."""

DAY = dt.timedelta(days=1)
TOKEN = "s3cr3t-t0ken"
STREAMS = ("orders", "payments")


def work(
    merchant: str = "AAAA1111AAAA1",
    stream: str = "orders",
    *,
    behind: float | None = None,
    pending: tuple[float, float] | None = None,
    region: str = "us",
    days: float = 1000,
    lookback: float = 7,
    width: float = 30,
    number: int = 0,
) -> PartitionPlan:
    """What a partition lacks at `NOW`.

    Args:
        merchant: The merchant's id.
        stream: The stream.
        behind: How many days ago the bookmark is; None for no bookmark.
        pending: An export that was asked for, as days before now.
        region: The merchant's region.
        days: How many days ago it starts.
        lookback: In days.
        width: The widest window, in days.
        number: Its place among the partitions.
    """
    made = Merchant(merchant, region, BASE_URLS[region], NOW - days * DAY, Secret(TOKEN))
    asked: tuple[PendingExport, ...] = ()
    if pending:
        window = Window(NOW - pending[0] * DAY, NOW - pending[1] * DAY)
        asked = (PendingExport("E1", window, NOW.subtract(hours=1)),)
    return plan.plan_partition(
        Partition(made, stream),
        number,
        PartitionState(None if behind is None else NOW - behind * DAY, asked),
        end=NOW,
        now=NOW,
        lookback=lookback * DAY,
        width=width * DAY,
    )


def many(merchants: int) -> list[PartitionPlan]:
    """Work of many merchants: most a day behind, some more, some with pending exports, some new."""
    kinds: list[dict[str, Any]] = [
        {"behind": 1},
        {"behind": 0.5},
        {"behind": 1, "region": "eu"},
        {"behind": 40},
        {"behind": 3, "pending": (10, 1)},
        {"behind": 0},
        {"behind": None, "region": "la"},
    ]
    return [
        work(f"M{number:04}ABCDEFGH", stream, number=2 * number + place)
        if number % 100 == 50
        else work(
            f"M{number:04}ABCDEFGH",
            stream,
            number=2 * number + place,
            **kinds[(number * 3 + place) % len(kinds)],
        )
        for number in range(merchants)
        for place, stream in enumerate(STREAMS)
    ]


@dataclasses.dataclass(frozen=True)
class Plan:
    """A plan in its two forms."""

    overview: dict[str, Any]
    html: str


def planned(items: Sequence[PartitionPlan], **config: Any) -> Plan:
    """The overview of work, and its page.

    Args:
        items: The work.
        config: Settings beside the start.
    """
    read = settings.read(
        {"merchant_id": "X", "access_token": TOKEN, "start_date": "2023-06-07", **config},
        TapCloverExport.config_jsonschema["properties"],
    )
    found = overview.overview(
        items, now=NOW, slots=read.max_concurrent_exports, max_run=read.max_run
    )
    return Plan(found, page.to_html(found, items, read))
