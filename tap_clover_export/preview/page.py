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
from tap_clover_export.planning.plan import Purpose
from tap_clover_export.planning.windows import Window
from tap_clover_export.preview import clock_face, forecast, overview, timeline
from tap_clover_export.preview.timeline import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pendulum import DateTime

    from tap_clover_export.planning.covered import Covered
    from tap_clover_export.planning.plan import PartitionPlan
    from tap_clover_export.settings.settings import Settings

_PATHS = {
    Kind.COVERED: ("e", "M{x} 5h{w}"),
    Kind.LOOKBACK: ("a", "M{x} 5h{w}"),
    Kind.LATE_CHANGES: ("t", "M{x} 3h{w}M{x} 7h{w}"),
    Kind.PLANNED: ("p", "M{x} 5h{w}"),
    Kind.PENDING: ("q", "M{x} 2h{w}M{x} 8h{w}"),
    Kind.DEFERRED: ("l", "M{x} 1h{w}M{x} 9h{w}"),
}
"""The class and path of a segment, in minutes before now: its kind shows in its form, too."""

_HOLE = ("x", "M{x} 1h{w}v8h-{w}z")

_SIGNS = (
    ("e", "M0 5h30", "exported"),
    ("a", "M0 5h30", "look-back, exported again"),
    ("t", "M0 3h30M0 7h30", "exported again for late changes"),
    ("p", "M0 5h14M16 5h14", "planned, window by window"),
    ("q", "M0 2h30M0 8h30", "pending, resumed"),
    ("l", "M0 1h30M0 9h30", "for a later run (max_run_hours)"),
    ("x", "M0 1h30v8h-30z", "failed in the last run"),
)
"""The legend."""

_LONG = 300
"""With more rows than these the browser draws only those that are in sight."""


@dataclasses.dataclass(frozen=True)
class _Row:
    """A merchant's stream as the page shows it.

    Attributes:
        numbers: Its row of the overview.
        kinds: The classes by which it can be filtered.
        covered: What is exported.
        holes: What failed in the last run.
        behind: How far the newest time is missing.
        windows: How many there are of each purpose.
        drawing: `(class, path, phase)`.
    """

    numbers: dict[str, Any]
    kinds: str
    covered: str
    holes: tuple[tuple[str, str], ...]
    behind: str
    windows: tuple[int, ...]
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
        planned=[span.start for item in work if (span := item.history or item.new)],
    )
    drawn = {name for row in rows for name, *_ in row.drawing}
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
        bookmarks=overview.bookmarks(plan),
        now=now,
        end=times.parse(plan["end"]),
        export_minutes=f"{forecast.EXPORT_SECONDS / 60:g}",
        merchants=len({item.partition.merchant.id for item in work}),
        busy=len({row["merchant_id"] for row in plan["streams"] if row["windows"] > row["left"]}),
        always_open=clock_face.ALWAYS_OPEN,
        long=len(rows) > _LONG,
        faces=[clock_face.clock_face(region, now) for region in plan["regions"]],
        hosts=_hosts(work),
        settings=_settings(settings, work),
        rows=rows,
        signs=[sign for sign in _SIGNS if sign[0] in drawn],
        holes=any(row.holes for row in rows),
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
    drawing = [
        _drawn(*_PATHS[segment.kind], Window(segment.start, segment.end), now, segment.phase)
        for segment in timeline.segments(item, numbers["left"], now)
    ]
    drawing += [_drawn(*_HOLE, hole, now) for hole in item.state.holes]
    windows = tuple(overview.windows(numbers, purpose) for purpose in Purpose)
    kinds = {
        "w": numbers["windows"],
        "n": not numbers["windows"],
        "h": windows[Purpose.HISTORY],
        "t": windows[Purpose.LATE_CHANGES],
        "x": numbers["holes"],
        "q": numbers["pending"],
        "l": numbers["left"],
    }
    return _Row(
        numbers,
        kinds=" ".join(name for name, fits in kinds.items() if fits),
        covered=_covered(item.state.covered),
        holes=tuple((_minute(hole.start), _minute(hole.end)) for hole in item.state.holes),
        behind=_duration(numbers["behind_seconds"]) if item.new else "",
        windows=windows,
        drawing=tuple(drawing),
    )


def _drawn(
    name: str, path: str, window: Window, now: DateTime, phase: dt.timedelta = dt.timedelta(0)
) -> tuple[str, str, int]:
    x = _minutes(now, window.start)
    width = max(1, _minutes(now, window.end) - x)
    return name, path.format(x=x, w=width), round(phase.total_seconds() / 60)


def _covered(covered: Covered | None) -> str:
    if covered is None:
        return ""
    since = f"{_minute(covered.start)[:10]} \u2192" if covered.start else "all until"
    return f"{since} {_minute(covered.end)}"


def _settings(settings: Settings, work: Sequence[PartitionPlan]) -> dict[str, str]:
    """The settings that decide what a run does, by name; none of them is secret."""
    starts = sorted({item.partition.merchant.start for item in work})
    earliest = f"{_minute(starts[0])}{' and later' if len(starts) > 1 else ''}" if starts else "-"
    run, wait = settings.max_run, settings.max_wait
    return {
        "start_date": earliest,
        "end_date": _minute(settings.end) if settings.end else "now",
        "lookback_days": _days(settings.lookback),
        "late_changes_days": _days(settings.late_changes),
        "late_changes_every_days": _days(settings.late_changes_every),
        "window_days": _days(settings.window),
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
    return overview.minute(times.to_text(time))


def _days(span: dt.timedelta) -> str:
    return f"{span / dt.timedelta(days=1):g}"


def _moment(time: DateTime) -> str:
    return time.format("ddd D MMMM YYYY, HH:mm")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _duration(seconds: int) -> str:
    """The two largest units, the second one only where it says something."""
    minutes = seconds // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days:,} d {hours} h" if hours and days < 10 else f"{days:,} d"  # noqa: PLR2004
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min"
