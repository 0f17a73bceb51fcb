"""What a person wants to see, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

BARS = " ▁▂▃▄▅▆▇█"
HEIGHT = 5
MONEY = ("total", "amount", "tip", "refunded")
WORDS = {
    "orders": "orders",
    "payments": "payments",
    "total": "order totals",
    "amount": "payment amounts",
    "tip": "tips",
    "refunded": "refunded",
}

Books = dict[str, dict[str, int]]


def dollars(cents: float) -> str:
    """Write cents as dollars."""
    return f"${cents / 100:,.2f}"


def comparison(loaded: Books, books: Books) -> Iterator[str]:
    """Set what was loaded beside Clover's own books."""
    yield f"  {'merchant':15} {'':15} {'PostgreSQL':>14} {'Clover':>14}"
    for merchant, sums in books.items():
        name = merchant
        for measure, word in WORDS.items():
            here, there = loaded.get(merchant, {}).get(measure, 0), sums[measure]
            write = dollars if measure in MONEY else "{:,}".format
            mark = "✓" if here == there else "✗"
            yield f"  {name:15} {word:15} {write(here):>14} {write(there):>14}  {mark}"
            name = ""


def chart(sales: Mapping[date, int]) -> Iterator[str]:
    """Draw a bar a day."""
    top = max(sales.values())
    heights = [round(cents / top * HEIGHT * 8) for cents in sales.values()]
    for row in range(HEIGHT - 1, -1, -1):
        label = {HEIGHT - 1: dollars(top), 0: "$0"}.get(row, "")
        bars = "".join(BARS[min(max(height - row * 8, 0), 8)] for height in heights)
        yield f"  {label:>10} {bars.rstrip()}"
    yield f"  {'':10} {_months(list(sales))}"


def _months(days: Sequence[date]) -> str:
    """Write a month's name below its first day."""
    line = ""
    for place, day in enumerate(days):
        if (place == 0 and day.day < 25) or day.day == 1:  # noqa: PLR2004
            line = f"{line:{place}}{day:%b}"
    return line
