"""Plans to look at: work of made-up merchants, and the page of it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Any

import pendulum

from tap_clover_export.planning import plan
from tap_clover_export.planning.covered import Covered
from tap_clover_export.planning.late_changes import LateChanges, Schedule
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

    from pendulum import DateTime

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
    since: float | None = None,
    pending: tuple[float, float] | None = None,
    holes: tuple[tuple[float, float], ...] = (),
    late: float | None = None,
    region: str = "us",
    days: float = 1000,
    lookback: float = 7,
    width: float = 30,
    number: int = 0,
    now: DateTime = NOW,
) -> PartitionPlan:
    """What a partition lacks; times in days before now.

    Args:
        merchant: The merchant's id.
        stream: The stream.
        behind: The bookmark; None for no bookmark.
        since: The time from which it is exported; None for the beginning.
        pending: An export that was asked for.
        holes: What the last run failed on.
        late: How far back late changes are due to be looked for; None where they are not.
        region: The merchant's region.
        days: Its start.
        lookback: In days.
        width: The widest window, in days.
        number: Its place among the partitions.
        now: The time.
    """

    def window(first: float, last: float) -> Window:
        return Window(now - first * DAY, now - last * DAY)

    made = Merchant(merchant, region, BASE_URLS[region], now - days * DAY, Secret(TOKEN))
    asked: tuple[PendingExport, ...] = ()
    if pending:
        asked = (PendingExport("E1", window(*pending), now.subtract(hours=1)),)
    covered = None
    if behind is not None:
        covered = Covered(None if since is None else now - since * DAY, now - behind * DAY)
    return plan.plan_partition(
        Partition(made, stream),
        number,
        PartitionState(
            covered,
            asked,
            LateChanges(None if late is None else now - 60 * DAY),
            tuple(window(*hole) for hole in holes),
        ),
        end=now,
        now=now,
        lookback=lookback * DAY,
        width=width * DAY,
        late_changes=Schedule((late or 0) * DAY, 30 * DAY),
    )


def many(merchants: int) -> list[PartitionPlan]:
    """Work of many merchants: most a day behind, some more, some new, with history or holes."""
    kinds: list[dict[str, Any]] = [
        {"behind": 1},
        {"behind": 0.5},
        {"behind": 1, "region": "eu"},
        {"behind": 40},
        {"behind": 3, "pending": (10, 1)},
        {"behind": 0},
        {"behind": None, "region": "la"},
        {"behind": 1, "late": 90},
        {"behind": 2, "since": 500},
        {"behind": 1, "since": 300, "holes": ((330, 300),)},
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
        items,
        now=NOW,
        slots=read.max_concurrent_exports,
        max_run=read.max_run,
        state="state.json",
    )
    return Plan(found, page.to_html(found, items, read))
