"""`--plan`: what the next run would do, for people and for programs; asks Clover nothing."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from tap_clover_export import times
from tap_clover_export.planning.hours import TABLE
from tap_clover_export.planning.plan import Purpose
from tap_clover_export.preview import forecast
from tap_clover_export.preview.clock_face import ALWAYS_OPEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pendulum import DateTime

    from tap_clover_export.planning.plan import PartitionPlan
    from tap_clover_export.planning.windows import Window
    from tap_clover_export.settings.settings import Settings

_COLUMNS = ("merchant", "stream", "region", "covered from", "to (UTC)")
_NUMBERS = ("new", "history", "late changes", "pending")


def render(
    form: str,
    work: Sequence[PartitionPlan],
    settings: Settings,
    now: DateTime,
    state: str | None,
) -> str:
    """What a run would do, as `text`, `json` or `html`."""
    slots = settings.max_concurrent_exports
    plan = overview(work, now=now, slots=slots, max_run=settings.max_run, state=state)
    if form == "html":
        from tap_clover_export.preview import page  # noqa: PLC0415 - the others need no templates

        return page.to_html(plan, work, settings)
    return to_json(plan) if form == "json" else to_text(plan)


def overview(
    work: Sequence[PartitionPlan],
    *,
    now: DateTime,
    slots: int,
    max_run: float | None = None,
    state: str | None = None,
) -> dict[str, Any]:
    """What a run would do.

    Args:
        work: What each partition lacks.
        now: The time.
        slots: How many exports may be in progress at Clover at a time.
        max_run: After this many seconds no new export is requested.
        state: The file of the state that the work was planned with.

    Returns:
        `now`, `state`, `exports` to ask for, `pending` ones to resume, those `left` by `max_run`;
        how many windows there are of `new` days, of `history` and of `late_changes`; `regions` with
        their next opening, `end` (an estimate) and `streams`, a row for each merchant and stream;
        times in RFC 3339.
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
        "state": state,
        "exports": sum(row["windows"] - row["pending"] - row["left"] for row in rows),
        "pending": sum(row["pending"] for row in rows),
        "left": deferred.total(),
        **{str(purpose): sum(windows(row, purpose) for row in rows) for purpose in Purpose},
        "regions": {region: _region(region, now) for region in regions},
        "end": times.to_text(end),
        "streams": rows,
    }


def to_json(plan: dict[str, Any]) -> str:
    """For programs."""
    return json.dumps(plan, indent=2)


def to_text(plan: dict[str, Any]) -> str:
    """For people: a table and some sentences."""
    table = [(*_COLUMNS, *_NUMBERS), *map(_cells, plan["streams"])]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(_aligned(cells, widths)).rstrip() for cells in table]
    lines += ["", bookmarks(plan)]
    lines += [
        f"Failed in the last run: {row['stream']} of merchant {row['merchant_id']}, "
        f"{minute(hole['start'])} to {minute(hole['end'])}."
        for row in plan["streams"]
        for hole in row["holes"]
    ]
    lines.append(
        f"Exports to ask Clover for: {plan['exports']}; pending ones to resume: {plan['pending']}."
    )
    lines += [
        f"Region {name}: {_when_open(name, hours, plan['now'])}."
        for name, hours in plan["regions"].items()
    ]
    if plan["left"]:
        lines.append(f"Exports that max_run_hours leaves for a later run: {plan['left']}.")
    lines.append(
        f"The run could end at {minute(plan['end'])} UTC, if an export takes "
        f"{forecast.EXPORT_SECONDS / 60:g} minutes."
        if plan["exports"] or plan["pending"] or plan["left"]
        else "Nothing is missing."
    )
    return "\n".join(lines)


def bookmarks(plan: dict[str, Any]) -> str:
    """Where the plan has its bookmarks from."""
    state = plan["state"]
    if state is None:
        return "Bookmarks: no --state is given, so everything from start_date on."
    if {row["bookmark"] for row in plan["streams"]} == {None}:
        return f"Bookmarks: no bookmarks in --state {state}, so everything from start_date on."
    return f"Bookmarks: those of --state {state}."


def minute(text: str) -> str:
    """A time in RFC 3339, to the minute, for people."""
    return text[:16].replace("T", " ")


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    """A row of the table."""
    covered_from, to = row["exported_from"], row["bookmark"]
    return (
        row["merchant_id"],
        row["stream"],
        row["region"],
        minute(covered_from) if covered_from else "the beginning" if to else "-",
        minute(to) if to else "-",
        *(str(windows(row, purpose) or "-") for purpose in Purpose),
        str(row["pending"] or "-"),
    )


def _aligned(cells: tuple[str, ...], widths: list[int]) -> list[str]:
    """Words to the left, numbers to the right."""
    return [
        cell.ljust(width) if place < len(_COLUMNS) else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]


def _when_open(region: str, hours: dict[str, str | None], now: str) -> str:
    opens, closes = hours["opens"], hours["closes"]
    if opens is None or closes is None:
        if region in ALWAYS_OPEN:
            return "always open"
        return "no opening hours are known, Clover itself says when it is closed"
    is_open = f"open until {minute(closes)}" if opens == now else f"opens at {minute(opens)}"
    return f"{is_open} UTC ({hours['hours']})"


def _row(item: PartitionPlan, deferred: int) -> dict[str, Any]:
    merchant, covered = item.partition.merchant, item.state.covered
    parts = {str(purpose): _part(item, purpose) for purpose in Purpose}
    return {
        "merchant_id": merchant.id,
        "stream": item.partition.stream,
        "region": merchant.region,
        "bookmark": times.to_text(covered.end) if covered else None,
        "exported_from": times.to_text(covered.start) if covered and covered.start else None,
        "behind_seconds": _behind(item),
        **parts,
        "holes": [_bounds(window) for window in item.state.holes],
        "windows": sum(part["windows"] for part in parts.values() if part),
        "pending": len(item.pending),
        "left": deferred,
    }


def _part(item: PartitionPlan, purpose: Purpose) -> dict[str, Any] | None:
    span = item.span(purpose)
    return {**_bounds(span), "windows": item.count(purpose)} if span else None


def _bounds(window: Window) -> dict[str, Any]:
    return {"start": times.to_text(window.start), "end": times.to_text(window.end)}


def windows(row: dict[str, Any], purpose: Purpose) -> int:
    """How many windows of a purpose a row has."""
    part = row[str(purpose)]
    return part["windows"] if part else 0


def _behind(item: PartitionPlan) -> int:
    """For how many seconds the newest time is missing; of a new partition, all of its time."""
    if item.new is None:
        return 0
    since = item.bookmark or (item.history or item.new).start
    return int((item.new.end - since).total_seconds())


def _region(region: str, now: DateTime) -> dict[str, str | None]:
    hours = TABLE.get(region)
    if hours is None:
        return {"hours": None, "opens": None, "closes": None}
    opens, closes = next(hours.spans(now))
    return {
        "hours": str(hours),
        "opens": times.to_text(max(opens, now)),
        "closes": times.to_text(closes),
    }
