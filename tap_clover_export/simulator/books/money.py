"""Reports on what came in and went back: by tender and employee, and each refund."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from tap_clover_export.simulator.books.groups import Groups, Row
from tap_clover_export.simulator.shops import ids, menu
from tap_clover_export.simulator.shops.payments import CASH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_clover_export.simulator.books.events import Diary, Event

_TENDER_SUMS = (
    "payments",
    "refunds",
    "amount_cents",
    "tips_cents",
    "surcharges_cents",
    "refunds_cents",
    "amount_collected_cents",
)


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


def _days(start: str, end: str) -> int:
    return (dt.date.fromisoformat(end) - dt.date.fromisoformat(start)).days
