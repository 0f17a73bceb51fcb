"""`--plan=html`: the overview as one page that asks nothing of anybody, to look at or print."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jinja2
from markupsafe import Markup

from tap_clover_export import times
from tap_clover_export.planning.plan import BACKFILL
from tap_clover_export.preview import clock_face, forecast, timeline
from tap_clover_export.preview.timeline import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pendulum import DateTime

    from tap_clover_export.planning.plan import PartitionPlan
    from tap_clover_export.settings.settings import Settings

_PATHS = {
    Kind.EXPORTED: ("e", "M{x} 5h{w}"),
    Kind.LOOKBACK: ("a", "M{x} 5h{w}"),
    Kind.PLANNED: ("p", "M{x} 5h{w}"),
    Kind.PENDING: ("q", "M{x} 2h{w}M{x} 8h{w}"),
    Kind.DEFERRED: ("l", "M{x} 1h{w}M{x} 9h{w}"),
}
"""The class and path of a segment, in minutes before now: its kind shows in its form, too."""


@dataclasses.dataclass(frozen=True)
class _Row:
    """A merchant's stream as the page shows it; `drawing` holds `(class, path, phase)`."""

    numbers: dict[str, Any]
    history: bool
    bookmark: str
    span: str
    behind: str
    tick: int | None
    drawing: tuple[tuple[str, str, int], ...]


def to_html(plan: dict[str, Any], work: Sequence[PartitionPlan], settings: Settings) -> str:
    """The page, in ASCII.

    Args:
        plan: The overview.
        work: What it was made from, in the same order.
        settings: Those of the run; no token of theirs is shown.
    """
    now = times.parse(plan["now"])
    rows = sorted(
        (_row(numbers, item, now) for numbers, item in zip(plan["streams"], work, strict=True)),
        key=lambda row: (
            -row.numbers["behind_seconds"],
            row.numbers["merchant_id"],
            row.numbers["stream"],
        ),
    )
    zooms = timeline.zooms(
        now,
        begin=min((item.partition.merchant.start for item in work), default=now),
        planned=[item.span.start for item in work if item.span],
    )
    style = _file("plan.css") + timeline.style(zooms, settings.window)
    script = _file("plan.js")
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FunctionLoader(_file),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(moment=_moment, count=_count, iso=times.to_text)
    page = environment.get_template("plan.html.j2").render(
        plan=plan,
        now=now,
        end=times.parse(plan["end"]),
        export_minutes=f"{forecast.EXPORT_SECONDS / 60:g}",
        merchants=len({item.partition.merchant.id for item in work}),
        busy=len({row["merchant_id"] for row in plan["streams"] if row["windows"] > row["left"]}),
        faces=[clock_face.clock_face(region, now) for region in plan["regions"]],
        hosts=_hosts(work),
        settings=_settings(settings, work),
        rows=rows,
        zooms=zooms,
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        policy=(
            f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
            "img-src data:; base-uri 'none'; form-action 'none'"
        ),
    )
    return page.encode("ascii", "xmlcharrefreplace").decode()


def _row(numbers: dict[str, Any], item: PartitionPlan, now: DateTime) -> _Row:
    drawing = []
    for segment in timeline.segments(item, numbers["left"], now):
        name, path = _PATHS[segment.kind]
        x = _minutes(now, segment.start)
        width = max(1, _minutes(now, segment.end) - x)
        phase = round(segment.phase.total_seconds() / 60)
        drawing.append((name, path.format(x=x, w=width), phase))
    start, bookmark, span = item.partition.merchant.start, item.bookmark, item.span
    until = _minute(span.end) if span else ""
    until = "now" if until == _minute(now) else until
    return _Row(
        numbers,
        history=item.turn == BACKFILL,
        bookmark=_minute(bookmark) if bookmark else "",
        span=f"{_minute(span.start)} \u2192 {until}" if span else "",
        behind=_duration(numbers["behind_seconds"]) if span else "",
        tick=_minutes(now, bookmark) if bookmark and start < bookmark <= now else None,
        drawing=tuple(drawing),
    )


def _settings(settings: Settings, work: Sequence[PartitionPlan]) -> dict[str, str]:
    """The settings that decide what a run does, by name; none of them is secret."""
    starts = sorted({item.partition.merchant.start for item in work})
    earliest = f"{_minute(starts[0])}{' and later' if len(starts) > 1 else ''}" if starts else "-"
    run, wait = settings.max_run, settings.max_wait
    return {
        "start_date": earliest,
        "end_date": _minute(settings.end) if settings.end else "now",
        "lookback_days": f"{settings.lookback / dt.timedelta(days=1):g}",
        "window_days": f"{settings.window / dt.timedelta(days=1):g}",
        "max_concurrent_exports": str(settings.max_concurrent_exports),
        "max_run_hours": "none" if run is None else f"{run / 3600:g}",
        "max_wait_hours": f"{wait / 3600:g}",
    }


def _hosts(work: Sequence[PartitionPlan]) -> dict[str, str]:
    """The hosts of each region's merchants."""
    hosts: dict[str, set[str]] = {}
    for merchant in {item.partition.merchant for item in work}:
        hosts.setdefault(merchant.region, set()).add(urlsplit(merchant.api_url).hostname or "")
    return {region: ", ".join(sorted(names)) for region, names in hosts.items()}


def _file(name: str) -> str:
    return resources.files(__package__).joinpath("templates", name).read_text("utf-8")


def _digest(text: str) -> str:
    """How a policy names the one script or style that it allows."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _minutes(since: DateTime, until: DateTime) -> int:
    return round((times.to_ms(until) - times.to_ms(since)) / 60_000)


def _minute(time: DateTime) -> str:
    return times.to_text(time)[:16].replace("T", " ")


def _moment(time: DateTime) -> str:
    return time.format("ddd D MMMM YYYY, HH:mm")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _duration(seconds: int) -> str:
    minutes = seconds // 60
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days:,} d {hours} h" if hours and days < 10 else f"{days:,} d"  # noqa: PLR2004
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
