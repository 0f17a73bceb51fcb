"""What Clover holds, counted, and changed by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tap_clover_export.simulator.books.books import Books
from tap_clover_export.simulator.records.refunds import write_refund
from tap_clover_export.simulator.records.store import ManualRecord, Span
from tap_clover_export.simulator.service.responses import encode
from tap_clover_export.simulator.shops import ids
from tap_clover_export.simulator.shops.payments import refund as give_back
from tap_clover_export.simulator.shops.sales import DAY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_clover_export.simulator.service.clover import Clover
    from tap_clover_export.simulator.shops.sales import Late

HIGHEST = 2**63
OLD = 20 * DAY
REASON = "Late refund"


class Ledger:
    """Reads and changes what a Clover holds."""

    def __init__(self, clover: Clover) -> None:
        self.clover = clover
        self._by_hand: dict[str, dict[str, list[Late]]] = {}

    def records(
        self, merchant: str, kind: str, start: int | None = None, end: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """Read the records of now whose window field is in ``[start, end)``."""
        clover = self.clover
        span = None
        if start is not None or end is not None:
            latest = HIGHEST if end is None else end
            span = Span(start or 0, latest, clover.options.window_field)
        for entry in clover.store.select(merchant, kind, clover.now(), span):
            yield json.loads(clover.store.read(entry.offset, entry.size))

    def balance(self) -> dict[str, dict[str, int]]:
        """Count and sum up each merchant's records."""
        return {merchant: self._balance(merchant) for merchant in self.clover.merchants()}

    def put(self, merchant: str, kind: str, record: dict[str, Any]) -> None:
        """Add a record, or replace the one of that id."""
        now = self.clover.now()
        created, modified = (
            time if isinstance(time := record.get(name), int) else now
            for name in ("createdTime", "modifiedTime")
        )
        entry = ManualRecord(str(record["id"]), created, modified, encode(record))
        self.clover.store.put(merchant, kind, entry)

    def touch(
        self, merchant: str, kind: str, record_id: str, changes: dict[str, Any]
    ) -> dict[str, Any]:
        """Change a record late; it is modified now, unless a time is given.

        Raises:
            KeyError: When there is no such record.
        """
        record = self._find(merchant, kind, record_id)
        changed = {**record, "modifiedTime": self.clover.now(), **changes}
        self.put(merchant, kind, changed)
        return changed

    def refund(self, merchant: str, order_id: str | None = None) -> dict[str, Any]:
        """Refund an order's first payment; an old order's, when none is named.

        Raises:
            KeyError: When there is nothing to refund.
        """
        old = self.clover.now() - OLD
        for order in self.records(merchant, "ORDERS"):
            payments = order.get("payments", {}).get("elements", [])
            wanted = order["id"] == order_id if order_id else _is_plain(order, old)
            if wanted and payments and not {"refunds", "voidReason"} & payments[0].keys():
                return self._refund(merchant, order, payments)
        raise KeyError(order_id)

    def books(self) -> Books:
        """Open the books of all shops."""
        shops = [self.clover.store.shop(merchant) for merchant in self.clover.merchants()]
        return Books(shops, self.clover.store.origin, self._by_hand)

    def _refund(
        self, merchant: str, order: dict[str, Any], payments: list[dict[str, Any]]
    ) -> dict[str, Any]:
        now = self.clover.now()
        payment, *others = payments
        refund = self._ring_up(merchant, order, payment) or {
            "id": ids.draw(),
            "orderRef": {"id": order["id"]},
            "payment": {"id": payment["id"]},
            "amount": payment["amount"],
            "taxAmount": payment["taxAmount"],
            "createdTime": now,
            "clientCreatedTime": now,
            "voided": False,
            "status": "SUCCESS",
            "reason": REASON,
        }
        changed = [{**payment, "refunds": {"elements": [refund]}}, *others]
        before = order.get("refunds", {}).get("elements", [])
        changes = {
            "payments": {"elements": changed},
            "refunds": {"elements": [*before, refund]},
        }
        self.touch(merchant, "ORDERS", order["id"], changes)
        self.touch(merchant, "PAYMENTS", payment["id"], {"refunds": {"elements": [refund]}})
        for other in others:
            # What was still to come is forgotten here too, as it is in the order.
            self.put(merchant, "PAYMENTS", self._find(merchant, "PAYMENTS", other["id"]))
        return {
            "merchant": merchant,
            "order": order["id"],
            "payment": payment["id"],
            "amount": payment["amount"],
            "createdTime": order["createdTime"],
            "modifiedTime": now,
        }

    def _ring_up(
        self, merchant: str, order: dict[str, Any], payment: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Refund a payment that the shop itself took, in its books too."""
        sale = self.clover.store.shop(merchant).find(order["id"], order["createdTime"])
        if sale is None:
            return None
        paid = next(paid for paid in sale.payments if paid.id == payment["id"])
        late = give_back(paid, ids.draw(), self.clover.now(), REASON)
        self._by_hand.setdefault(merchant, {}).setdefault(sale.id, []).append(late)
        refund: dict[str, Any] = json.loads(write_refund(sale, late))
        return refund

    def _find(self, merchant: str, kind: str, record_id: str) -> dict[str, Any]:
        store = self.clover.store
        for entry in store.select(merchant, kind, self.clover.now()):
            if entry.id == record_id:
                record: dict[str, Any] = json.loads(store.read(entry.offset, entry.size))
                return record
        raise KeyError(record_id)

    def _balance(self, merchant: str) -> dict[str, int]:
        sums = dict.fromkeys(("orders", "payments", "total", "amount", "tip", "refunded"), 0)
        for order in self.records(merchant, "ORDERS"):
            sums["orders"] += 1
            sums["total"] += _money(order.get("total"))
        for payment in self.records(merchant, "PAYMENTS"):
            sums["payments"] += 1
            sums["amount"] += _money(payment.get("amount"))
            sums["tip"] += _money(payment.get("tipAmount"))
            refunds = payment.get("refunds")
            if isinstance(refunds, dict):
                sums["refunded"] += sum(
                    _money(refund.get("amount")) for refund in refunds["elements"]
                )
        return sums


def _money(value: object) -> int:
    fits = type(value) is int and -HIGHEST <= value < HIGHEST
    return value if fits and isinstance(value, int) else 0


def _is_plain(order: dict[str, Any], since: int) -> bool:
    """Tell whether an order of some days is one that guests come back to."""
    lines = order.get("lineItems", {}).get("elements", [])
    return (
        order["createdTime"] > since
        and not order.get("testMode")
        and not order.get("deletedTimestamp")
        and all(line.get("isRevenue") or line.get("isOrderFee") for line in lines)
    )
