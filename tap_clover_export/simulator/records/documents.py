"""Orders and payments as Clover writes them, in each of their versions."""

from __future__ import annotations

import json
from bisect import bisect
from typing import TYPE_CHECKING, NamedTuple

from tap_clover_export.simulator.records import templates
from tap_clover_export.simulator.records.refunds import (
    service_charge,
    surcharges,
    write_credit,
    write_refund,
)
from tap_clover_export.simulator.shops import ids, menu
from tap_clover_export.simulator.shops.json_template import entry, listing, prefill
from tap_clover_export.simulator.shops.payments import CARD, CASH
from tap_clover_export.simulator.shops.sales import DAY, HOUR, Late, Paid, Sale

if TYPE_CHECKING:
    from tap_clover_export.simulator.shops.shop import Shop

BATCH = DAY + 9 * HOUR + HOUR // 2
"""When a day's card payments are closed, all in one second, after its start."""

ODDLY_EARLY = 39
"""The rare number of orders that are modified a moment before they are created."""


class Version(NamedTuple):
    """A record from its `modified` time on."""

    modified: int
    text: str


class Document(NamedTuple):
    """A record with its versions, oldest first."""

    id: str
    created: int
    versions: list[Version]


class Slip(NamedTuple):
    """A payment, half written: what stands first in it, and its further fields."""

    paid: Paid
    before: str
    more: str


class DocumentWriter:
    """Writes a shop's orders and payments.

    Args:
        shop: The shop.
        floor: Versions that were out of date by then are left out.
        origin: Orders from before are left out, with their payments.
    """

    def __init__(self, shop: Shop, floor: int, origin: int) -> None:
        self.shop = shop
        self.floor = floor
        self.origin = origin
        merchant, kind = shop.merchant, shop.kind
        tax = kind.taxes.get(menu.SALES_TAX, menu.SALES_TAX)
        self.tenders = [
            templates.TENDER
            % {
                "id": ids.name(merchant, "tender", tender.label),
                "key": json.dumps(tender.key or None),
                "label": tender.label,
                "cash": json.dumps(number == CASH),
                "card": json.dumps(number == CARD),
            }
            for number, tender in enumerate(menu.TENDERS)
        ]
        always = {
            "merchant": merchant,
            "currency": kind.currency,
            "vat": json.dumps(kind.vat),
            "type": ids.name(merchant, "order type"),
            "tax_rate": ids.name(merchant, "tax", tax.name),
            "tax_name": tax.name,
            "rate": tax.rate,
        }
        self._order_form = prefill(templates.ORDER, always)
        self._within = prefill(templates.WITHIN_PAYMENT, always)
        self._card_form = prefill(templates.CARD, always)

    def write(self, day: int) -> tuple[list[Document], list[Document]]:
        """Write a day's orders and payments."""
        orders = []
        payments: list[Document] = []
        for sale in self.shop.trade(day):
            if sale.time >= self.origin:
                slips = [self._slip(sale, paid) for paid in sale.payments]
                orders.append(self._order(sale, slips))
                slips += [self._slip(sale, paid) for paid in sale.tried]
                payments.extend([self._payment(sale, slip, day) for slip in slips])
        payments.sort(key=lambda document: document.created)
        return orders, payments

    def _order(self, sale: Sale, slips: list[Slip]) -> Document:
        first = sale.time - (800 if sale.rare == ODDLY_EARLY else 0)
        versions = [
            Version(time, self._order_text(sale, time, slips))
            for time in self._seen(sale.moments(first))
        ]
        return Document(sale.id, sale.time, versions)

    def _order_text(self, sale: Sale, modified: int, slips: list[Slip]) -> str:
        collected = sale.collected(modified)
        paid = sum([payment.amount for payment in collected])
        late = sale.late if sale.late and sale.late.time <= modified else None
        lines, more = sale.basket.text, ""
        if collected:
            nested = [_nested(sale, slip, late) for slip in slips if slip.paid in collected]
            more = ',"payments":' + listing(nested)
            more += ',"payType":"FULL"' if len(nested) == 1 else ',"payType":"SPLIT_CUSTOM"'
        if late:
            more += self._late(sale, late, slips)
            for line in late.lines:
                before, name, after = lines.partition(f'"id":"{line}"')
                lines = before + name + after.replace('"refunded":false', '"refunded":true', 1)
        if collected and paid >= sale.total:
            more += templates.STATES[sale.rare % len(templates.STATES)]
        else:
            more += ',"state":"open"'
        if sale.deleted and sale.deleted <= modified:
            more += f',"deletedTimestamp":{sale.deleted}'
        else:
            more += f',"paymentState":"{_payment_state(sale, paid, late)}"'
        return self._order_form % {
            "id": sale.id,
            "employee": sale.employee,
            "total": sale.total,
            "unpaid": max(sale.total - paid, 0),
            "tax_removed": "true" if sale.basket.tax_removed else "false",
            "test": "true" if sale.test else "false",
            "time": sale.time,
            "client_time": sale.client_time,
            "modified": modified,
            "lines": lines,
            "device": sale.device,
            "more": sale.basket.more + sale.more + more,
        }

    def _late(self, sale: Sale, late: Late, slips: list[Slip]) -> str:
        if late.kind == "credit":
            return ',"credits":' + listing([write_credit(sale, late, self.tenders[CASH])])
        if late.kind == "void":
            voided = [_nested(sale, slip, late) for slip in slips if slip.paid is late.payment]
            return ',"voids":' + listing(voided)
        return ',"refunds":' + listing([write_refund(sale, late)])

    def _slip(self, sale: Sale, paid: Paid) -> Slip:
        before = templates.BEFORE_PAYMENT % {
            "id": paid.id,
            "order": sale.id,
            "device": sale.device,
            "tender": self.tenders[paid.tender],
            "amount": paid.amount,
            "tax": paid.tax,
            "employee": sale.employee,
            "time": paid.time,
            "client_time": paid.client_time,
        }
        more = "" if paid.tip is None else f',"tipAmount":{paid.tip}'
        if paid.tender == CASH:
            more += f',"cashTendered":{(paid.amount + 499) // 500 * 500}'
        if paid.service:
            more += entry("serviceCharge", service_charge(sale, paid.service))
        if paid.surcharge:
            more += entry("additionalCharges", surcharges(paid.id, paid.surcharge))
        return Slip(paid, before, more)

    def _payment(self, sale: Sale, slip: Slip, day: int) -> Document:
        paid = slip.paid
        late = sale.late if sale.late and sale.late.payment is paid else None
        times, batch = [paid.time], 0
        if paid.tender == CARD:
            by_card = paid.result == "SUCCESS" and not (late and late.kind == "void")
            if by_card:
                batch = day * DAY + BATCH + self.shop.behind_utc * 1000
                if batch <= paid.time:
                    batch += DAY
                times.append(batch)
        if late:
            times.append(late.time)
            times.sort()
        versions = [
            Version(time, self._payment_text(sale, slip, time, batch, late))
            for time in self._seen(times)
        ]
        return Document(paid.id, paid.time, versions)

    def _payment_text(
        self, sale: Sale, slip: Slip, modified: int, batch: int, late: Late | None
    ) -> str:
        paid = slip.paid
        gone = late if late and late.time <= modified else None
        more = ""
        if paid.tender == CARD:
            closed = gone or (batch and batch <= modified)
            more = ',"cardTransaction":' + self._card(paid, "CLOSED" if closed else "PENDING")
        if sale.rare < len(templates.RARE):
            more += templates.RARE[sale.rare]
        within = self._within % {
            "gateway_time": paid.time - 150,
            "modified": modified,
            "taxable": paid.amount - paid.tax,
            "tax": paid.tax,
        }
        return slip.before + within + _after(sale, slip, gone, more)

    def _seen(self, times: list[int]) -> list[int]:
        """Leave out what was out of date by the floor."""
        first = bisect(times, self.floor) - 1
        return times[first:] if first > 0 else times

    def _card(self, paid: Paid, state: str) -> str:
        brand, first, how = menu.CARDS[paid.card]
        return self._card_form % {
            "brand": brand,
            "how": how,
            "first": first,
            "last": f"{paid.time % 9973:04}",
            "code": f"OK{paid.time % 9999:04}",
            "reference": f"{paid.time % 999_983:012}",
            "number": f"{paid.time % 997:06}",
            "state": state,
        }


def _nested(sale: Sale, slip: Slip, late: Late | None) -> str:
    return slip.before + _after(sale, slip, late)


def _after(sale: Sale, slip: Slip, late: Late | None, more: str = "") -> str:
    """Write a payment's end, with what became of it."""
    paid, fate = slip.paid, ""
    if late and late.payment is paid:
        if late.kind == "refund":
            fate = ',"refunds":' + listing([write_refund(sale, late)])
        else:
            # Seen at Clover: a voided payment's result stays SUCCESS.
            fate = ',"voidReason":"USER_CANCEL"'
    return templates.AFTER_PAYMENT % {
        "offline": "true" if paid.offline else "false",
        "result": paid.result,
        "more": slip.more + fate + more,
    }


def _payment_state(sale: Sale, paid: int, late: Late | None) -> str:
    if late and late.kind == "refund" and not late.voided:
        return "REFUNDED" if late.amount >= paid else "PARTIALLY_REFUNDED"
    if not paid:
        return "CREDITED" if late and late.kind == "credit" else "OPEN"
    return "PARTIALLY_PAID" if paid < sale.total else "PAID"
