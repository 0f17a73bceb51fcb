"""Reports on what was sold: by day, hour, item, discount and tax, and each order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_clover_export.simulator.books.groups import Groups, Row
from tap_clover_export.simulator.shops import ids
from tap_clover_export.simulator.shops.discounts import rounded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_clover_export.simulator.books.events import Diary, Event
    from tap_clover_export.simulator.shops.sales import Line

_ORDER_SUMS = ("orders", "gross_sales_cents", "discounts_cents", "sales_cents", "taxes_cents")
_DAY_SUMS = (
    "line_items",
    "service_charges_cents",
    "non_revenue_cents",
    "total_cents",
    "paid_cents",
)
_ITEM_SUMS = (
    "lines",
    "quantity",
    "list_cents",
    "modifiers_cents",
    "gross_sales_cents",
    "line_discounts_cents",
    "order_discounts_cents",
    "sales_cents",
    "taxes_cents",
    "refunded_lines",
)
_NO_TAX = {"tax_rate_id": None, "name": None, "rate": None}


def daily_sales(diary: Diary) -> Iterable[Row]:
    """Add up the orders of each day."""
    groups = Groups(diary, *_ORDER_SUMS, *_DAY_SUMS)
    for event, first in _counted(diary):
        basket = event.sale.basket
        groups.add(
            {"business_day": diary.business_day(first)},
            **_order(event),
            line_items=len(basket.lines) + sum(charge.is_fee for charge in basket.charges),
            service_charges_cents=basket.charged,
            non_revenue_cents=basket.non_revenue,
            total_cents=basket.owed,
            paid_cents=event.paid,
        )
    return groups.rows()


def hourly_sales(diary: Diary) -> Iterable[Row]:
    """Add up the orders of each hour of a day."""
    groups = Groups(diary, *_ORDER_SUMS)
    for event, first in _counted(diary):
        key = {
            "business_day": diary.business_day(first),
            "hour_of_day": diary.local(first).hour,
        }
        groups.add(key, **_order(event))
    return groups.rows()


def item_sales(diary: Diary) -> Iterable[Row]:
    """Add up what was sold of each item; the quantity is in thousandths."""
    groups = Groups(diary, *_ITEM_SUMS)
    for event, first in _counted(diary):
        day = diary.business_day(first)
        returned = {name for late in event.back for name in late.lines}
        for line in event.sale.basket.lines:
            if not line.exchanged:
                key = {
                    "business_day": day,
                    "item_id": ids.name(diary.shop.merchant, "item", line.item.name),
                    "name": line.item.name,
                    "is_revenue": line.item.is_revenue,
                }
                groups.add(key, **_item(line), refunded_lines=line.id in returned)
    return groups.rows()


def discount_summary(diary: Diary) -> Iterable[Row]:
    """Add up each discount on what was sold."""
    groups = Groups(diary, "discounts", "discounts_cents")
    for event, first in _counted(diary):
        for discount in event.sale.basket.discounts:
            if discount.of_line is None or discount.of_line.sells:
                key = {
                    "business_day": diary.business_day(first),
                    "discount_name": discount.name,
                    "level": "line" if discount.of_line else "order",
                }
                groups.add(key, discounts=1, discounts_cents=-discount.amount)
    return groups.rows()


def tax_summary(diary: Diary) -> Iterable[Row]:
    """Add up each tax; what was refunded stands without its name."""
    groups = Groups(diary, "lines", "taxable_cents", "taxes_cents", "refunded_taxes_cents")
    merchant = diary.shop.merchant
    for event in diary.events():
        lines = event.sale.basket.lines if event.counts else []
        for line in lines:
            if event.first is None or line.exchanged:
                continue
            for number, tax in enumerate(line.item.taxes):
                key = {
                    "business_day": diary.business_day(event.first),
                    "tax_rate_id": ids.name(merchant, "tax", tax.name),
                    "name": tax.name,
                    "rate": tax.rate,
                }
                amount = line.taxes[number] if line.taxes else 0
                groups.add(key, lines=1, taxable_cents=line.net, taxes_cents=amount)
        for late in event.back:
            if late.tax:
                key = {"business_day": diary.business_day(late.time), **_NO_TAX}
                groups.add(key, refunded_taxes_cents=-late.tax)
    return groups.rows()


def reconciliation(diary: Diary) -> Iterator[Row]:
    """Tell what each order comes to and what was paid of it, to the last unit."""
    for event in diary.events():
        owed = event.sale.total
        if event.deleted:
            status = "deleted but paid" if event.collected else "deleted"
        elif event.paid > owed:
            status = "overpaid"
        elif event.paid == owed and (event.collected or not owed):
            status = "paid"
        else:
            status = "partly paid" if event.collected else "unpaid"
        yield {
            "merchant_id": diary.shop.merchant,
            "order_id": event.sale.id,
            "currency": diary.shop.kind.currency,
            "business_day": diary.business_day(event.sale.client_time),
            "total_cents": owed,
            "paid_cents": event.paid,
            "unpaid_cents": owed - event.paid,
            "status": status,
        }


def _counted(diary: Diary) -> Iterator[tuple[Event, int]]:
    for event in diary.events():
        if event.counts and event.first is not None:
            yield event, event.first


def _order(event: Event) -> dict[str, int]:
    basket = event.sale.basket
    return {
        "orders": 1,
        "gross_sales_cents": basket.gross,
        "discounts_cents": -basket.off,
        "sales_cents": basket.gross - basket.off,
        "taxes_cents": basket.tax,
    }


def _item(line: Line) -> dict[str, int]:
    listed = rounded(line.item.price * line.quantity, 1000)
    return {
        "lines": 1,
        "quantity": line.quantity,
        "list_cents": listed,
        "modifiers_cents": line.gross - listed,
        "gross_sales_cents": line.gross,
        "line_discounts_cents": -line.off,
        "order_discounts_cents": -line.share,
        "sales_cents": line.net,
        "taxes_cents": sum(line.taxes),
    }
