"""Models held against the local Clover's books, value by value."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tap_clover_export.simulator import Simulator
    from tests.support.dbt_project import Models, Row

DAY = ("merchant_id", "currency", "business_day")
KEYS = {
    "sales_overview": DAY,
    "daily_sales": DAY,
    "hourly_sales": (*DAY, "hour_of_day"),
    "item_sales": (*DAY, "item_id", "is_revenue"),
    "tender_summary": (*DAY, "tender_id"),
    "tax_summary": (*DAY, "tax_rate_id"),
    "tips_by_employee": (*DAY, "employee_id"),
    "discount_summary": (*DAY, "discount_name", "level"),
    "refunds": ("merchant_id", "kind", "refund_id"),
    "reconciliation": ("merchant_id", "order_id"),
}
"""Reports of the books, each with what its rows are known by."""
OF_SHOPS = {
    "refunds": "not is_test",
    "reconciliation": "not is_test and payment_id is null and currency is not null",
}
"""What the books know of them; not the odd records, which have no currency."""


class Comparison(NamedTuple):
    """How many values were compared, and those that differ."""

    values: int
    differences: list[str]


def compare(models: Models, simulator: Simulator, as_of: float | None = None) -> Comparison:
    """Hold every report of the books against its model."""
    values = 0
    differences = []
    for report, key in KEYS.items():
        merchants = ", ".join(f"'{shop['merchant_id']}'" for shop in simulator.shops())
        where = f"merchant_id in ({merchants}) and {OF_SHOPS.get(report, 'true')}"
        rows = models.rows(f"clover__{report}", where)
        ours = {known_by(row, key): row for row in rows}
        theirs = {known_by(row, key): row for row in simulator.sales(report, as_of=as_of)}
        assert len(ours) == len(rows), report
        differences += [
            f"{report} {of}: in one only" for of in sorted(map(str, ours.keys() ^ theirs.keys()))
        ]
        for of in ours.keys() & theirs.keys():
            for name, value in theirs[of].items():
                values += 1
                if plain(ours[of][name], name) != value:
                    differences.append(f"{report} {of} {name}: {ours[of][name]}, not {value}")
    return Comparison(values, differences)


def known_by(row: Row, key: tuple[str, ...]) -> tuple[Any, ...]:
    """What a row is known by."""
    return tuple(plain(row[name]) for name in key)


def plain(value: Any, name: str = "") -> Any:
    """A value as the books write it."""
    if isinstance(value, dt.date):
        return value.isoformat()
    if name == "quantity":
        return int(value * 1000)
    return int(value) if isinstance(value, Decimal) else value
