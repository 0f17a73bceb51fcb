"""Orders and payments as Clover writes them, in each of their versions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from tap_clover_export.simulator.records import templates
from tap_clover_export.simulator.shops import ids, menu
from tap_clover_export.simulator.shops.json_template import entry, listing
from tap_clover_export.simulator.shops.payments import CARD, CASH
from tap_clover_export.simulator.shops.sales import DAY, HOUR, Late, Paid, Sale

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_clover_export.simulator.shops.shop import Shop

T = TypeVar("T")

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
    """

    def __init__(self, shop: Shop, floor: int) -> None:
        self.shop = shop
        self.floor = floor
        self.order_type = ids.name(shop.merchant, "order type")
        self.tax_rate = ids.name(shop.merchant, "tax", menu.SALES_TAX.name)
        self.tenders = [
            templates.TENDER
            % {
                "id": ids.name(shop.merchant, "tender", tender.label),
                "key": tender.key,
                "label": tender.label,
                "cash": json.dumps(number == CASH),
                "card": json.dumps(number == CARD),
            }
            for number, tender in enumerate(menu.TENDERS)
        ]

    def write(self, day: int) -> tuple[list[Document], list[Document]]:
        """Write a day's orders and payments."""
        orders = []
        payments: list[Document] = []
        for sale in self.shop.trade(day):
            orders.append(self._order(sale))
            payments.extend(
                self._payment(sale, paid, day) for paid in (*sale.failed, *sale.payments)
            )
        payments.sort(key=lambda document: document.created)
        return orders, payments

    def _order(self, sale: Sale) -> Document:
        before = 800 if sale.rare == ODDLY_EARLY else 0
        stages = [(sale.time - before, self._opened)]
        if sale.fate == "paid":
            stages.append((sale.settled, self._settled))
        if sale.fate == "deleted":
            stages.append((sale.settled, self._deleted))
        if sale.late:
            stages.append((sale.late.time, self._changed_late))
        versions = [Version(time, write(sale, time)) for time, write in self._seen(stages)]
        return Document(sale.id, sale.time, versions)

    def _opened(self, sale: Sale, modified: int) -> str:
        more = entry("state", "open") + entry("paymentState", "OPEN")
        return self._order_text(sale, modified, sale.total, more)

    def _deleted(self, sale: Sale, modified: int) -> str:
        more = entry("deletedTimestamp", modified)
        return self._order_text(sale, modified, sale.total, more)

    def _settled(self, sale: Sale, modified: int) -> str:
        return self._order_text(sale, modified, 0, self._close(sale, None))

    def _changed_late(self, sale: Sale, modified: int) -> str:
        more = self._close(sale, sale.late)
        if sale.late and sale.late.kind == "refund":
            more += ',"refunds":' + listing([_refund(sale, sale.late)])
        return self._order_text(sale, modified, 0, more)

    def _close(self, sale: Sale, late: Late | None) -> str:
        nested = [
            templates.NESTED_PAYMENT % self._values(sale, paid, late) for paid in sale.payments
        ]
        more = ',"payments":' + listing(nested) + entry("paymentState", "PAID")
        more += entry("payType", "SPLIT_CUSTOM" if len(nested) > 1 else "FULL")
        return more + templates.STATES[sale.rare % len(templates.STATES)]

    def _order_text(self, sale: Sale, modified: int, unpaid: int, more: str) -> str:
        return templates.ORDER % {
            "merchant": self.shop.merchant,
            "id": sale.id,
            "employee": sale.employee,
            "total": sale.total,
            "unpaid": unpaid,
            "type": self.order_type,
            "time": sale.time,
            "client_time": sale.client_time,
            "modified": modified,
            "lines": sale.basket.lines,
            "device": sale.device,
            "more": sale.discounts + sale.more + more,
        }

    def _payment(self, sale: Sale, paid: Paid, day: int) -> Document:
        late = sale.late if sale.late and sale.late.payment is paid else None
        stages: list[tuple[int, tuple[str, Late | None]]]
        stages = [(paid.time, ("PENDING", None))]
        by_card = paid.tender == CARD and paid.result == "SUCCESS"
        if by_card and not (late and late.kind == "void"):
            second = self.shop.behind_utc * 1000
            stages.append((day * DAY + BATCH + second, ("CLOSED", None)))
        if late:
            stages.append((late.time, ("CLOSED", late)))
        versions = [
            Version(time, self._payment_text(sale, paid, time, *stage))
            for time, stage in self._seen(stages)
        ]
        return Document(paid.id, paid.time, versions)

    def _payment_text(
        self, sale: Sale, paid: Paid, modified: int, state: str, late: Late | None
    ) -> str:
        values = self._values(sale, paid, late)
        values["modified"] = modified
        if paid.tender == CARD:
            values["more"] += ',"cardTransaction":' + _card(paid, state)
        if sale.rare < len(templates.RARE):
            values["more"] += templates.RARE[sale.rare]
        return templates.PAYMENT % values

    def _values(self, sale: Sale, paid: Paid, late: Late | None) -> dict[str, Any]:
        more = "" if paid.tip is None else entry("tipAmount", paid.tip)
        if paid.tender == CASH:
            more += entry("cashTendered", (paid.amount + 499) // 500 * 500)
        if late and late.payment is paid and late.kind == "refund":
            more += ',"refunds":' + listing([_refund(sale, late)])
        elif late and late.payment is paid:
            # Seen at Clover: a voided payment's result stays SUCCESS.
            more += entry("voidReason", "USER_CANCEL")
        return {
            "id": paid.id,
            "merchant": self.shop.merchant,
            "order": sale.id,
            "device": sale.device,
            "tender": self.tenders[paid.tender],
            "amount": paid.amount,
            "tax": paid.tax,
            "taxable": paid.amount - paid.tax,
            "tax_rate": self.tax_rate,
            "employee": sale.employee,
            "time": paid.time,
            "client_time": paid.time - 350,
            "gateway_time": paid.time - 150,
            "result": paid.result,
            "more": more,
        }

    def _seen(self, stages: list[tuple[int, T]]) -> Iterator[tuple[int, T]]:
        for number, stage in enumerate(stages, 1):
            if number == len(stages) or stages[number][0] > self.floor:
                yield stage


def _card(paid: Paid, state: str) -> str:
    brand, first, how = menu.CARDS[paid.card]
    return templates.CARD % {
        "brand": brand,
        "how": how,
        "first": first,
        "last": f"{paid.time % 9973:04}",
        "code": f"OK{paid.time % 9999:04}",
        "reference": f"{paid.time % 999_983:012}",
        "number": f"{paid.time % 997:06}",
        "state": state,
    }


def _refund(sale: Sale, late: Late) -> str:
    return templates.REFUND % {
        "id": late.id,
        "order": sale.id,
        "payment": late.payment.id,
        "amount": late.amount,
        "tax": late.tax,
        "time": late.time,
        "employee": sale.employee,
        "reason": json.dumps(late.reason, ensure_ascii=False),
    }
