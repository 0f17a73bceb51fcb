"""What a person wants to see, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date, datetime

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

SHOWN = {
    "orders": "orders",
    "gross_sales_cents": "gross",
    "discounts_cents": "discounts",
    "refunds_cents": "refunds",
    "net_sales_cents": "net sales",
    "taxes_cents": "taxes",
    "tips_cents": "tips",
    "amount_collected_cents": "collected",
}
DAYS = 7

Books = dict[str, dict[str, int]]
Day = dict[str, Any]


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


def overview(
    ours: Sequence[Day], theirs: Sequence[Day], complete: Mapping[str, datetime]
) -> Iterator[str]:
    """Set the last week of each shop's Sales Overview beside Clover's own."""
    books = _by_day(theirs)
    for merchant in {row["merchant_id"]: None for row in theirs}:
        through = complete.get(merchant)
        yield ""
        yield f"  {merchant}" + (
            f", complete through {through:%-d %B, %H:%M} UTC" if through else ""
        )
        yield f"  {'':10} {'orders':>7}" + "".join(f"{SHOWN[name]:>12}" for name in [*SHOWN][1:])
        for row in [row for row in ours if row["merchant_id"] == merchant][-DAYS:]:
            orders = row["fully_paid_orders"] + row["partly_paid_orders"]
            money = "".join(f"{row[name] / 100:>12,.2f}" for name in [*SHOWN][1:])
            mark = "✓" if books.get(_day(row)) == row else "✗"
            yield f"  {row['business_day']} {orders:>7}{money}  {mark}"
    values = sum(len(row) for row in theirs)
    yield ""
    yield f"  {values:,} values of {len(theirs)} days held against Clover's own books"


def same(ours: Sequence[Day], theirs: Sequence[Day]) -> bool:
    """Tell whether two Sales Overviews are the same, to the cent."""
    return _by_day(ours) == _by_day(theirs)


def _by_day(rows: Sequence[Day]) -> dict[tuple[Any, ...], Day]:
    return {_day(row): row for row in rows}


def _day(row: Day) -> tuple[Any, ...]:
    return row["merchant_id"], row["currency"], row["business_day"]


def _months(days: Sequence[date]) -> str:
    """Write a month's name below its first day."""
    line = ""
    for place, day in enumerate(days):
        if (place == 0 and day.day < 25) or day.day == 1:  # noqa: PLR2004
            line = f"{line:{place}}{day:%b}"
    return line
