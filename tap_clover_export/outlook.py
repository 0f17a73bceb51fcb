"""`--plan`: what the next run would do, for people and for programs; asks Clover nothing."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from tap_clover_export import times
from tap_clover_export.availability import TABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pendulum import DateTime

    from tap_clover_export.plan import Work

GUESS_SECONDS = 180.0
"""How long one export is taken to last; Clover gives no figure."""


def outlook(work: Sequence[Work], *, now: DateTime, places: int) -> dict[str, Any]:
    """What a run would do.

    Args:
        work: What each partition lacks.
        now: The time.
        places: How many exports may be in progress at Clover at a time.

    Returns:
        `now`, `exports` to ask for, `pending` ones to take up, `regions` with their next opening,
        `end` (an estimate) and `streams`, a row a merchant and stream; times in RFC 3339.
    """
    rows = [_row(item) for item in work]
    exports = sum(row["windows"] - row["pending"] for row in rows)
    regions = sorted({item.partition.merchant.region for item in work})
    return {
        "now": times.to_text(now),
        "exports": exports,
        "pending": sum(row["pending"] for row in rows),
        "regions": {region: _region(region, now) for region in regions},
        "end": times.to_text(_end(work, now, places)),
        "streams": rows,
    }


def to_json(plan: dict[str, Any]) -> str:
    """For programs."""
    return json.dumps(plan, indent=2)


def to_text(plan: dict[str, Any]) -> str:
    """For people: a table and three sentences."""
    header = ("merchant", "stream", "region", "from", "to", "windows", "pending")
    keys = ("merchant_id", "stream", "region", "start", "end", "windows", "pending")
    table = [header, *(tuple(str(row[key] or "-") for key in keys) for row in plan["streams"])]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
    lines += [
        "",
        (
            f"Exports to ask Clover for: {plan['exports']}; "
            f"pending ones to take up: {plan['pending']}."
        ),
    ]
    for region, hours in plan["regions"].items():
        lines.append(
            f"Region {region}: accepts exports {hours['hours']} UTC, next from {hours['opens']}."
            if hours["hours"]
            else f"Region {region}: no opening hours are known."
        )
    lines.append(
        f"The run could end at {plan['end']}, if an export takes {GUESS_SECONDS / 60:g} minutes."
        if plan["exports"] or plan["pending"]
        else "Nothing is missing."
    )
    return "\n".join(lines)


def _row(item: Work) -> dict[str, Any]:
    merchant = item.partition.merchant
    return {
        "merchant_id": merchant.id,
        "stream": item.partition.stream,
        "region": merchant.region,
        "bookmark": times.to_text(item.bookmark) if item.bookmark else None,
        "start": times.to_text(item.span.start) if item.span else None,
        "end": times.to_text(item.span.end) if item.span else None,
        "windows": sum(1 for _ in item.windows()),
        "pending": len(item.pending),
    }


def _region(region: str, now: DateTime) -> dict[str, str | None]:
    hours = TABLE.get(region)
    return {
        "hours": str(hours) if hours else None,
        "opens": times.to_text(hours.next_opening(now)) if hours else None,
    }


def _end(work: Sequence[Work], now: DateTime, places: int) -> DateTime:
    """When the last export could be finished, each region working in its open hours."""
    end = now
    for region in {item.partition.merchant.region for item in work}:
        mine = [item for item in work if item.partition.merchant.region == region]
        exports = sum(1 for item in mine for _ in item.windows())
        needed = -(-exports // places) * GUESS_SECONDS
        time, hours = now, TABLE.get(region)
        while hours and needed > 0:
            time = hours.next_opening(time)
            today = hours.open_seconds(time, time + dt.timedelta(hours=12))
            if today >= needed:
                break
            needed -= today
            time += dt.timedelta(hours=12)
        end = max(end, time + dt.timedelta(seconds=needed))
    return end
