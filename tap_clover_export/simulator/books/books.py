"""The books of all shops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_clover_export.simulator.books import money, orders
from tap_clover_export.simulator.books.events import Diary
from tap_clover_export.simulator.books.overview import sales_overview

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tap_clover_export.simulator.shops.sales import Late
    from tap_clover_export.simulator.shops.shop import Shop

REPORTS: Mapping[str, Callable[[Diary], Iterable[dict[str, Any]]]] = {
    "sales_overview": sales_overview,
    "daily_sales": orders.daily_sales,
    "hourly_sales": orders.hourly_sales,
    "item_sales": orders.item_sales,
    "tender_summary": money.tender_summary,
    "tax_summary": orders.tax_summary,
    "tips_by_employee": money.tips_by_employee,
    "discount_summary": orders.discount_summary,
    "refunds": money.refunds,
    "reconciliation": orders.reconciliation,
}


class Books:
    """The books of shops, worked out when they are asked for.

    Args:
        shops: The shops.
        origin: Sales from before do not count, in ms.
        by_hand: Refunds that were made by hand, by merchant and order.
    """

    def __init__(
        self,
        shops: Iterable[Shop],
        origin: int,
        by_hand: Mapping[str, Mapping[str, list[Late]]],
    ) -> None:
        self._shops = list(shops)
        self._origin = origin
        self._by_hand = by_hand

    def merchants(self) -> list[dict[str, str]]:
        """Tell each merchant's time zone and the hour that its day starts at."""
        return [
            {
                "merchant_id": shop.merchant,
                "name": shop.merchant.title(),
                "time_zone": shop.zone,
                "day_starts_at": f"{shop.kind.day_starts_at:02}:00",
            }
            for shop in self._shops
        ]

    def report(self, name: str, as_of: int) -> list[dict[str, Any]]:
        """Make a report on all that happened up to a time in ms.

        Raises:
            KeyError: There is no such report.
        """
        report = REPORTS[name]
        return [
            row
            for shop in self._shops
            for row in report(
                Diary(shop, self._origin, as_of, self._by_hand.get(shop.merchant, {}))
            )
        ]
