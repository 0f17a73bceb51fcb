"""`--plan`: what the next run would do, for people and for programs; asks Clover nothing."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from tap_clover_export import times
from tap_clover_export.planning.hours import TABLE
from tap_clover_export.preview import forecast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pendulum import DateTime

    from tap_clover_export.planning.plan import PartitionPlan
    from tap_clover_export.settings.settings import Settings


def render(form: str, work: Sequence[PartitionPlan], settings: Settings, now: DateTime) -> str:
    """What a run would do, as `text`, `json` or `html`."""
    slots = settings.max_concurrent_exports
    plan = overview(work, now=now, slots=slots, max_run=settings.max_run)
    if form == "html":
        from tap_clover_export.preview import page  # noqa: PLC0415 - the others need no templates

        return page.to_html(plan, work, settings)
    return to_json(plan) if form == "json" else to_text(plan)


def overview(
    work: Sequence[PartitionPlan], *, now: DateTime, slots: int, max_run: float | None = None
) -> dict[str, Any]:
    """What a run would do.

    Args:
        work: What each partition lacks.
        now: The time.
        slots: How many exports may be in progress at Clover at a time.
        max_run: After this many seconds no new export is requested.

    Returns:
        `now`, `exports` to ask for, `pending` ones to resume, those `left` by `max_run`,
        `regions` with their next opening, `end` (an estimate) and `streams`, a row a merchant
        and stream; times in RFC 3339.
    """
    deferred = forecast.deferred(work, now=now, slots=slots, max_run=max_run)
    rows = [_row(item, deferred[item.partition]) for item in work]
    regions = sorted({item.partition.merchant.region for item in work})
    exports = {
        item.partition: row["windows"] - row["left"] for item, row in zip(work, rows, strict=True)
    }
    end = forecast.end_of_run(work, exports, now=now, slots=slots)
    if max_run is not None and deferred:
        end = max(end, now + dt.timedelta(seconds=max_run))
    return {
        "now": times.to_text(now),
        "exports": sum(row["windows"] - row["pending"] - row["left"] for row in rows),
        "pending": sum(row["pending"] for row in rows),
        "left": deferred.total(),
        "regions": {region: _region(region, now) for region in regions},
        "end": times.to_text(end),
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
            f"pending ones to resume: {plan['pending']}."
        ),
    ]
    for region, hours in plan["regions"].items():
        lines.append(
            f"Region {region}: accepts exports {hours['hours']} UTC, next from {hours['opens']}."
            if hours["hours"]
            else f"Region {region}: no opening hours are known."
        )
    if plan["left"]:
        lines.append(f"Exports that max_run_hours leaves for a later run: {plan['left']}.")
    lines.append(
        f"The run could end at {plan['end']}, if an export takes "
        f"{forecast.EXPORT_SECONDS / 60:g} minutes."
        if plan["exports"] or plan["pending"] or plan["left"]
        else "Nothing is missing."
    )
    return "\n".join(lines)


def _row(item: PartitionPlan, deferred: int) -> dict[str, Any]:
    merchant, span = item.partition.merchant, item.span
    behind = span.end - max(item.bookmark or span.start, span.start) if span else dt.timedelta(0)
    return {
        "merchant_id": merchant.id,
        "stream": item.partition.stream,
        "region": merchant.region,
        "bookmark": times.to_text(item.bookmark) if item.bookmark else None,
        "start": times.to_text(span.start) if span else None,
        "end": times.to_text(span.end) if span else None,
        "behind_seconds": int(behind.total_seconds()),
        "windows": item.count,
        "pending": len(item.pending),
        "left": deferred,
    }


def _region(region: str, now: DateTime) -> dict[str, str | None]:
    hours = TABLE.get(region)
    return {
        "hours": str(hours) if hours else None,
        "opens": times.to_text(hours.next_opening(now)) if hours else None,
    }
