"""The other reports: by hour, item, tender, tax, employee, discount, refund and order."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, TypeAlias

from tap_clover_export.simulator.shops import ids, menu
from tap_clover_export.simulator.shops.discounts import rounded
from tap_clover_export.simulator.shops.payments import CASH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_clover_export.simulator.books.events import Diary, Event
    from tap_clover_export.simulator.shops.sales import Line

Row: TypeAlias = dict[str, Any]


class Groups:
    """Rows that are added up by their key.

    Args:
        diary: The shop's.
        names: What is added up.
    """

    def __init__(self, diary: Diary, *names: str) -> None:
        self._always = {
            "merchant_id": diary.shop.merchant,
            "currency": diary.shop.kind.currency,
        }
        self._names = names
        self._rows: dict[tuple[Any, ...], Row] = {}

    def add(self, key: Mapping[str, Any], **values: int) -> None:
        """Add values to a row."""
        row = self._rows.setdefault(
            tuple(key.values()), {**self._always, **key, **dict.fromkeys(self._names, 0)}
        )
        for name, value in values.items():
            row[name] += value

    def rows(self) -> Iterable[Row]:
        """Tell them, by day."""
        return sorted(self._rows.values(), key=lambda row: str(row["business_day"]))


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


def tender_summary(diary: Diary) -> Iterable[Row]:
    """Add up what came in and went back by tender."""
    groups = Groups(diary, *_TENDER_SUMS)

    def key(time: int, tender: int) -> Row:
        label = menu.TENDERS[tender].label
        return {
            "business_day": diary.business_day(time),
            "tender_id": ids.name(diary.shop.merchant, "tender", label),
            "tender": label,
        }

    for event in diary.events():
        for paid in event.collected:
            tip = paid.tip or 0
            groups.add(
                key(paid.client_time, paid.tender),
                payments=1,
                amount_cents=paid.amount,
                tips_cents=tip,
                surcharges_cents=paid.surcharge,
                amount_collected_cents=paid.amount + tip + paid.surcharge,
            )
        for late in event.back:
            tender = late.payment.tender if late.payment else CASH
            back = -late.amount - late.surcharge
            groups.add(
                key(late.time, tender),
                refunds=1,
                refunds_cents=back,
                amount_collected_cents=back,
            )
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


def tips_by_employee(diary: Diary) -> Iterable[Row]:
    """Add up the tips of each employee."""
    groups = Groups(
        diary, "payments", "amount_cents", "paid_tips_cents", "refunded_tips_cents", "tips_cents"
    )

    def key(event: Event, time: int) -> Row:
        return {
            "business_day": diary.business_day(time),
            "employee_id": event.sale.employee,
        }

    for event in diary.events():
        for paid in event.collected:
            tip = paid.tip or 0
            groups.add(
                key(event, paid.client_time),
                payments=1,
                amount_cents=paid.amount,
                paid_tips_cents=tip,
                tips_cents=tip,
            )
        for late in event.back:
            if late.tip:
                groups.add(
                    key(event, late.time), refunded_tips_cents=-late.tip, tips_cents=-late.tip
                )
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


def refunds(diary: Diary) -> Iterator[Row]:
    """Tell each refund and credit, those that were voided too."""
    for event in diary.events():
        for late in event.late:
            payment = late.payment
            day = diary.business_day(late.time)
            sold = diary.business_day(payment.client_time) if payment else None
            yield {
                "merchant_id": diary.shop.merchant,
                "refund_id": late.id,
                "kind": "refund" if payment else "manual refund",
                "order_id": event.sale.id,
                "payment_id": payment.id if payment else None,
                "currency": diary.shop.kind.currency,
                "business_day": day,
                "sold_on": sold,
                "days_after": _days(sold, day) if sold else None,
                "amount_cents": late.amount,
                "tax_cents": late.tax,
                "tip_cents": late.tip,
                "service_charge_cents": late.service,
                "surcharge_cents": late.surcharge,
                "is_paid_back": not late.voided,
            }


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
_TENDER_SUMS = (
    "payments",
    "refunds",
    "amount_cents",
    "tips_cents",
    "surcharges_cents",
    "refunds_cents",
    "amount_collected_cents",
)
_NO_TAX = {"tax_rate_id": None, "name": None, "rate": None}


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


def _days(start: str, end: str) -> int:
    return (dt.date.fromisoformat(end) - dt.date.fromisoformat(start)).days
