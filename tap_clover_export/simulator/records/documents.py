"""Orders and payments as Clover writes them, in each of their versions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_clover_export.simulator.records import templates
from tap_clover_export.simulator.shops import ids, menu
from tap_clover_export.simulator.shops.json_template import entry, listing
from tap_clover_export.simulator.shops.payments import CARD, CASH, SURCHARGE_PERCENT
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
        self._always = {
            "merchant": merchant,
            "currency": kind.currency,
            "vat": json.dumps(kind.vat),
            "type": ids.name(merchant, "order type"),
            "tax_rate": ids.name(merchant, "tax", tax.name),
            "tax_name": tax.name,
            "rate": tax.rate,
        }

    def write(self, day: int) -> tuple[list[Document], list[Document]]:
        """Write a day's orders and payments."""
        orders = []
        payments: list[Document] = []
        for sale in self.shop.trade(day):
            if sale.time < self.origin:
                continue
            orders.append(self._order(sale))
            payments.extend(self._payment(sale, paid, day) for paid in sale.tried)
            payments.extend(self._payment(sale, paid, day) for paid in sale.payments)
        payments.sort(key=lambda document: document.created)
        return orders, payments

    def _order(self, sale: Sale) -> Document:
        first = sale.time - (800 if sale.rare == ODDLY_EARLY else 0)
        versions = [
            Version(time, self._order_text(sale, time)) for time in self._seen(sale.moments(first))
        ]
        return Document(sale.id, sale.time, versions)

    def _order_text(self, sale: Sale, modified: int) -> str:
        collected = sale.collected(modified)
        paid = sum([payment.amount for payment in collected])
        late = sale.late if sale.late and sale.late.time <= modified else None
        lines, more = sale.basket.text, ""
        if collected:
            nested = [self._nested(sale, payment, late) for payment in collected]
            more = ',"payments":' + listing(nested)
            more += ',"payType":"FULL"' if len(nested) == 1 else ',"payType":"SPLIT_CUSTOM"'
        if late:
            more += self._late(sale, late)
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
        return templates.ORDER % {
            **self._always,
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

    def _late(self, sale: Sale, late: Late) -> str:
        if late.kind == "credit":
            return ',"credits":' + listing([self._credit(sale, late)])
        if late.kind == "void" and late.payment:
            return ',"voids":' + listing([self._nested(sale, late.payment, late)])
        return ',"refunds":' + listing([refund_text(sale, late)])

    def _nested(self, sale: Sale, paid: Paid, late: Late | None) -> str:
        return templates.NESTED_PAYMENT % self._values(sale, paid, late)

    def _payment(self, sale: Sale, paid: Paid, day: int) -> Document:
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
            Version(time, self._payment_text(sale, paid, time, batch, late))
            for time in self._seen(times)
        ]
        return Document(paid.id, paid.time, versions)

    def _payment_text(
        self, sale: Sale, paid: Paid, modified: int, batch: int, late: Late | None
    ) -> str:
        gone = late if late and late.time <= modified else None
        values = self._values(sale, paid, gone)
        values["modified"] = modified
        if paid.tender == CARD:
            closed = gone or (batch and batch <= modified)
            state = "CLOSED" if closed else "PENDING"
            values["more"] += ',"cardTransaction":' + self._card(paid, state)
        if sale.rare < len(templates.RARE):
            values["more"] += templates.RARE[sale.rare]
        return templates.PAYMENT % values

    def _values(self, sale: Sale, paid: Paid, late: Late | None) -> dict[str, Any]:
        more = "" if paid.tip is None else f',"tipAmount":{paid.tip}'
        if paid.tender == CASH:
            more += f',"cashTendered":{(paid.amount + 499) // 500 * 500}'
        if paid.service:
            more += entry("serviceCharge", _service(sale, paid.service))
        if paid.surcharge:
            more += entry("additionalCharges", _surcharges(paid.id, paid.surcharge))
        if late and late.payment is paid and late.kind == "refund":
            more += ',"refunds":' + listing([refund_text(sale, late)])
        elif late and late.payment is paid:
            # Seen at Clover: a voided payment's result stays SUCCESS.
            more += ',"voidReason":"USER_CANCEL"'
        return {
            **self._always,
            "id": paid.id,
            "order": sale.id,
            "device": sale.device,
            "tender": self.tenders[paid.tender],
            "amount": paid.amount,
            "tax": paid.tax,
            "taxable": paid.amount - paid.tax,
            "employee": sale.employee,
            "time": paid.time,
            "client_time": paid.client_time,
            "gateway_time": paid.time - 150,
            "offline": "true" if paid.offline else "false",
            "result": paid.result,
            "more": more,
        }

    def _seen(self, times: list[int]) -> list[int]:
        """Leave out what was out of date by the floor."""
        first = sum([time <= self.floor for time in times])
        return times[max(first - 1, 0) :]

    def _card(self, paid: Paid, state: str) -> str:
        brand, first, how = menu.CARDS[paid.card]
        return templates.CARD % {
            "currency": self.shop.kind.currency,
            "brand": brand,
            "how": how,
            "first": first,
            "last": f"{paid.time % 9973:04}",
            "code": f"OK{paid.time % 9999:04}",
            "reference": f"{paid.time % 999_983:012}",
            "number": f"{paid.time % 997:06}",
            "state": state,
        }

    def _credit(self, sale: Sale, late: Late) -> str:
        return templates.CREDIT % {
            "id": late.id,
            "order": sale.id,
            "device": sale.device,
            "tender": self.tenders[CASH],
            "employee": sale.employee,
            "amount": late.amount,
            "tax": late.tax,
            "time": late.time,
            "voided": json.dumps(late.voided),
            "reason": json.dumps(late.reason, ensure_ascii=False),
        }


def _payment_state(sale: Sale, paid: int, late: Late | None) -> str:
    if late and late.kind == "refund" and not late.voided:
        return "REFUNDED" if late.amount >= paid else "PARTIALLY_REFUNDED"
    if not paid:
        return "CREDITED" if late and late.kind == "credit" else "OPEN"
    return "PARTIALLY_PAID" if paid < sale.total else "PAID"


def refund_text(sale: Sale, late: Late) -> str:
    """Write a refund as it stands in its order and its payment."""
    more = entry("tipAmount", late.tip) if late.tip else ""
    if late.service:
        more += entry("serviceChargeAmount", _service(sale, late.service))
    if late.surcharge:
        more += entry("additionalCharges", _surcharges(late.id, late.surcharge))
    if late.lines:
        more += entry("lineItems", {"elements": [{"id": line} for line in late.lines]})
    return templates.REFUND % {
        "id": late.id,
        "order": sale.id,
        "payment": late.payment.id if late.payment else "",
        "amount": late.amount,
        "tax": late.tax,
        "time": late.time,
        "employee": sale.employee,
        "voided": json.dumps(late.voided),
        "reason": json.dumps(late.reason, ensure_ascii=False),
        "more": more,
    }


def _service(sale: Sale, amount: int) -> dict[str, object]:
    name = next(charge.name for charge in sale.basket.charges if not charge.is_fee)
    return {"id": ids.name(sale.id, "service charge"), "name": name, "amount": amount}


def _surcharges(of: str, amount: int) -> dict[str, object]:
    charge = {
        "id": ids.name(of, "surcharge"),
        "amount": amount,
        "rate": SURCHARGE_PERCENT * 100_000,
        "type": "CREDIT_SURCHARGE",
    }
    return {"elements": [charge]}
