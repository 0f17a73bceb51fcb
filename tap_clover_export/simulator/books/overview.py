"""The Sales Overview."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_clover_export.simulator.books.events import Diary, Event

SUMS = (
    "fully_paid_orders",
    "partly_paid_orders",
    "gross_sales_cents",
    "discounts_cents",
    "refunds_cents",
    "net_sales_cents",
    "taxes_cents",
    "included_taxes_cents",
    "tips_cents",
    "service_charges_cents",
    "surcharges_cents",
    "non_revenue_cents",
    "unpaid_cents",
    "amount_collected_cents",
)


def sales_overview(diary: Diary) -> Iterator[dict[str, Any]]:
    """Tell each business day on which something was sold, paid or given back."""
    vat = diary.shop.kind.vat
    days: dict[str, dict[str, int]] = {}

    def on(time: int) -> dict[str, int]:
        return days.setdefault(diary.business_day(time), dict.fromkeys(SUMS, 0))

    for event in diary.events():
        if event.counts and event.first is not None:
            _add_order(on(event.first), event, vat=vat)
        for paid in event.collected:
            day = on(paid.client_time)
            day["tips_cents"] += paid.tip or 0
            day["surcharges_cents"] += paid.surcharge
            day["amount_collected_cents"] += paid.amount + (paid.tip or 0) + paid.surcharge
        for late in event.back:
            day = on(late.time)
            included = late.tax if vat else 0
            day["refunds_cents"] -= late.amount - late.tax - late.tip - late.service + included
            day["taxes_cents"] -= late.tax
            day["included_taxes_cents"] -= included
            day["tips_cents"] -= late.tip
            day["service_charges_cents"] -= late.service
            day["surcharges_cents"] -= late.surcharge
            day["amount_collected_cents"] -= late.amount + late.surcharge
    for name, day in sorted(days.items()):
        day["net_sales_cents"] = (
            day["gross_sales_cents"] + day["discounts_cents"] + day["refunds_cents"]
        )
        orders = day["fully_paid_orders"] + day["partly_paid_orders"]
        yield {
            "merchant_id": diary.shop.merchant,
            "currency": diary.shop.kind.currency,
            "business_day": name,
            **day,
            "average_sale_cents": _mean(day["net_sales_cents"], orders),
        }


def _add_order(day: dict[str, int], event: Event, *, vat: bool) -> None:
    basket = event.sale.basket
    fully = event.paid >= basket.owed
    day["fully_paid_orders" if fully else "partly_paid_orders"] += 1
    day["gross_sales_cents"] += basket.gross
    day["discounts_cents"] -= basket.off
    day["taxes_cents"] += basket.tax
    day["included_taxes_cents"] += basket.tax if vat else 0
    day["service_charges_cents"] += basket.charged
    day["non_revenue_cents"] += basket.non_revenue
    day["unpaid_cents"] += basket.owed - event.paid


def _mean(total: int, number: int) -> int | None:
    """Divide to whole cents, half away from zero."""
    if not number:
        return None
    half = (2 * abs(total) + number) // (2 * number)
    return half if total >= 0 else -half
