"""The results as a chart, for light and dark pages."""

from __future__ import annotations

from typing import Any, NamedTuple
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT = 760, 210, 110
BAR, GAP, HEAD = 18, 8, 40

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600 } .ours { fill: #1f7a4d } .other { fill: #9aa4ae }
.whisker { stroke: #24292f } .goal { stroke: #c2410c; stroke-dasharray: 4 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .ours { fill: #3fb27f } .other { fill: #6e7781 }
  .whisker { stroke: #e6edf3 } .goal { stroke: #fb923c }
}
"""

NAMES = {
    "plain": "plain SDK tap",
    "script": "careful orjson script",
    "ours": "tap-clover-export",
    "splice": "raw splice (the limit)",
}
PANELS = (
    ("emission", "emission, ", "{}: times the script's speed"),
    ("wall", "24 exports", "{}: times the ideal time"),
)


class Bar(NamedTuple):
    """A bar of a panel."""

    label: str
    value: dict[str, float]
    ours: bool


def draw(results: dict[str, Any]) -> str:
    """Draw what there is, a panel a measure."""
    parts: list[str] = []
    top = 0
    for group, begin, title in PANELS:
        for row in results.get(group, {}).get("rows", []):
            if row["name"].startswith(begin):
                bars = [
                    Bar(NAMES[name], row["values"][name], name == "ours")
                    for name in NAMES
                    if name in row["values"]
                ]
                words = f"{title.format(row['name'])} (dashed: the goal, {row['goal']:g})"
                top = _panel(parts, top, words, bars, row["goal"])
    rows = results.get("growth", {}).get("rows", [])
    for what in ("merchant", "record"):
        costs = [row for row in rows if row["unit"].endswith(what) and ": CPU" in row["name"]]
        bars = [Bar(r["name"].partition(":")[0], r["values"]["ours"], ours=True) for r in costs]
        if bars:
            top = _panel(parts, top, f"CPU of one run, {costs[0]['unit']}", bars, None)
    rows = results.get("end", {}).get("rows", [])
    bars = [
        Bar(name, row["values"]["ours"], ours=name == "the tap")
        for row in rows
        if (name := row["name"].partition("CPU of ")[2])
    ]
    if bars:
        records = rows[-1]["name"].partition(": ")[2]
        top = _panel(parts, top, f"meltano run into PostgreSQL, {records}: CPU, s", bars, None)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top + GAP}" '
        f'width="{WIDTH}" role="img"><title>How fast the tap is</title><style>{STYLE}</style>'
    )
    return "\n".join([head, *parts, "</svg>", ""])


def _panel(parts: list[str], top: int, title: str, bars: list[Bar], goal: float | None) -> int:
    """Draw a panel; answers where the next one begins."""
    parts.append(f'<text class="title" x="0" y="{top + 24}">{escape(title)}</text>')
    most = max([bar.value["high"] for bar in bars] + [goal or 0])
    scale = (WIDTH - LEFT - RIGHT) / (most or 1)
    y = top + HEAD
    first = y
    for bar in bars:
        median, low, high = (bar.value[name] for name in ("median", "low", "high"))
        middle, kind = y + BAR / 2, "ours" if bar.ours else "other"
        parts += [
            f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(bar.label)}</text>',
            _rect(kind, y, median * scale),
            _whisker(LEFT + low * scale, LEFT + high * scale, middle),
            f'<text x="{LEFT + high * scale + 6:.1f}" y="{y + 14}">{median:.3g}</text>',
        ]
        y += BAR + GAP
    if goal is not None:
        x = LEFT + goal * scale
        parts.append(f'<path class="goal" d="M{x:.1f} {first - 4}V{y - 4}"/>')
    return y


def _rect(kind: str, y: int, width: float) -> str:
    return f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2"/>'


def _whisker(low: float, high: float, y: float) -> str:
    return f'<path class="whisker" d="M{low:.1f} {y}H{high:.1f}"/>'
