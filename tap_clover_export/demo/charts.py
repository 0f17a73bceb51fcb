"""Charts as bare SVG: their colours and letters are the page's, their words stand beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pygal
from markupsafe import Markup
from pygal.style import Style

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

WIDE, NARROW = (1000, 250), (340, 210)
LABEL_SIZE = 12
DRAWN = {"g", "path", "rect", "text"}
Value = tuple[int, str]
"""A number, and what is said where the pointer rests on it."""


def bars(
    series: Mapping[str, Sequence[Value]],
    labels: Sequence[str],
    write: Callable[[float], str],
    *,
    major: tuple[Sequence[str], Sequence[str]] | None = None,
    wide: tuple[int, int] = WIDE,
) -> Markup:
    """Draw bars twice, for a wide page and for a phone; style shows one of the two.

    Args:
        series: Values by name, one upon the other, a colour each.
        labels: What stands below the bars; each is told from the others.
        write: Writes a value at the axis.
        major: The labels that are shown, where there is room and where there is little.
        wide: Width and height where there is room.
    """
    shown = major or (labels, labels)
    drawings = (
        _draw(series, labels, write, major=kept, size=size, name=name)
        for kept, size, name in zip(shown, (wide, NARROW), ("wide", "narrow"), strict=True)
    )
    return Markup("").join(Markup(drawing) for drawing in drawings)  # noqa: S704


def _draw(
    series: Mapping[str, Sequence[Value]],
    labels: Sequence[str],
    write: Callable[[float], str],
    *,
    major: Sequence[str],
    size: tuple[int, int],
    name: str,
) -> str:
    chart = pygal.StackedBar(
        width=size[0],
        height=size[1],
        classes=("chart", name),
        css=(),
        js=(),
        style=Style(
            font_family="sans-serif",
            label_font_size=LABEL_SIZE,
            major_label_font_size=LABEL_SIZE,
        ),
        show_legend=False,
        margin=4,
        spacing=6,
        max_scale=6,
        value_formatter=write,
        truncate_label=-1,
        x_labels=list(labels),
        x_labels_major=list(major),
        show_minor_x_labels=False,
    )
    for title, values in series.items():
        chart.add(title, [{"value": number, "label": words} for number, words in values])
    root: ET.Element = chart.render_tree()
    root.attrib.pop("id")
    root.set("aria-hidden", "true")
    _strip(root)
    return ET.tostring(root, encoding="unicode")


def _strip(node: ET.Element) -> None:
    """Keep what is seen, and each bar's words as its title."""
    for child in list(node):
        kind = child.get("class", "")
        if child.tag == "desc" and kind == "label":
            child.tag, child.attrib = "title", {}
        elif child.tag not in DRAWN or "overlay" in kind or kind in {"background", "titles"}:
            node.remove(child)
        else:
            for name in ("x", "y", "width", "height"):
                if "." in (number := child.get(name, "")):
                    child.set(name, f"{float(number):.1f}")
            _strip(child)
