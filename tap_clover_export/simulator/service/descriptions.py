"""What Clover tells about an export."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from tap_clover_export.simulator.shops.sales import HOUR

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_clover_export.simulator.options import Options
    from tap_clover_export.simulator.service.exports import Export
    from tap_clover_export.simulator.service.signed_urls import Links

YEAR_2100 = 4_102_444_800_000
TIME_FORMS: Mapping[str, Callable[[int], object]] = {
    "ms": lambda ms: ms,
    "seconds": lambda ms: ms // 1000,
    "true": lambda _: True,
    "year-2100": lambda _: YEAR_2100,
    "digits": str,
    "text": lambda ms: dt.datetime.fromtimestamp(ms // 1000, dt.UTC).isoformat(),
    "missing": lambda _: None,
}
"""How a `createdTime` may be written; none stands for no such key."""


def describe(export: Export, options: Options, links: Links, now: int) -> dict[str, object]:
    """Tell how far an export is, and where its files are."""
    status, percent = export.status(now)
    finished = status.upper() in ("DONE", "COMPLETE")
    if status == "DONE" and options.old_wire:
        status = "COMPLETE"
    content: dict[str, object] = {
        "id": export.id,
        "type": export.type,
        "status": status,
        "percentComplete": percent,
    }
    if finished:
        content["availableUntil"] = export.until
    content |= {
        "startTime": export.start,
        "endTime": export.end,
        "createdTime": export.created,
        "modifiedTime": export.done if finished else export.created,
    }
    content = date(content, options.created_time)
    if finished:
        content |= _link(export, options, links, now)
    return {**content, "merchantRef": {"id": export.merchant}}


def date(content: Mapping[str, object], form: str) -> dict[str, object]:
    """Write a description's `createdTime` in a form."""
    dated = dict(content)
    created = dated.get("createdTime")
    if isinstance(created, int):
        dated["createdTime"] = TIME_FORMS[form](created)
    if dated.get("createdTime") is None:
        dated.pop("createdTime", None)
    return dated


def path(export: Export, number: int) -> str:
    """Name a file."""
    return f"/{export.merchant}/{export.id}/{number}.json"


def _link(export: Export, options: Options, links: Links, now: int) -> dict[str, object]:
    lost = options.gone_as if now >= export.until else export.links_lost
    if lost:
        return {} if lost == "no-links" else {"exportUrls": {"elements": []}}
    until = export.until + HOUR
    if options.url_seconds is not None:
        until = min(until, now + int(options.url_seconds * 1000))
    made = [
        {"url": links.make(path(export, number), until // 1000), "export": {"id": export.id}}
        for number in range(len(export.files.result()))
    ]
    if not made and options.empty_without_key:
        return {}
    export.links_lost = export.loses_links
    return {"exportUrls": {"elements": made[0] if options.old_wire and made else made}}
