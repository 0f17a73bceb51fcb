"""The Sales Overview, worked out from the JSON of the exports alone."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_clover_export.simulator import Simulator

Row = dict[str, Any]


def elements(record: Row, key: str) -> list[Row]:
    """Read a list as Clover wraps it."""
    found: list[Row] = record.get(key, {}).get("elements", [])
    return found


def half_up(value: int, unit: int) -> int:
    """Divide, half up."""
    return (2 * value + unit) // (2 * unit)


def taken_off(discounts: list[Row], price: int) -> int:
    """Add up what discounts take off a price."""
    off = 0
    for discount in discounts:
        if discount.get("amount") is not None:
            off += abs(discount["amount"])
        else:
            percent = discount.get("percentageDecimal") or discount["percentage"] * 10_000
            off += half_up(price * percent, 1_000_000)
    return off


def ring_up(order: Row) -> Row:
    """Work an order out from its JSON, apart from how the local Clover does."""
    sums: Row = dict.fromkeys(("gross", "line", "other", "fees"), 0)
    taxed, percents = [], []
    for line in elements(order, "lineItems"):
        if line["exchanged"]:
            continue
        if line["isOrderFee"]:
            if "price" in line:
                sums["fees"] += line["price"]
            else:
                percents.append(line["percentage"])
            continue
        price = half_up(line["price"] * line.get("unitQty", 1000), 1000)
        price += sum(part["amount"] for part in elements(line, "modifications"))
        off = taken_off(elements(line, "discounts"), price)
        if line["isRevenue"]:
            sums["gross"] += price
            sums["line"] += off
        else:
            sums["other"] += price - off
        taxed.append((elements(line, "taxRates"), price - off))
    sold = sums["gross"] - sums["line"]
    off = taken_off(elements(order, "discounts"), sold)
    if "serviceCharge" in order:
        percents.append(order["serviceCharge"]["percentageDecimal"])
    sums["off"] = sums["line"] + off
    sums["fees"] += sum(half_up((sold - off) * percent, 1_000_000) for percent in percents)
    sums["tax"] = (
        0
        if order["taxRemoved"]
        else sum(_tax(rates, net, is_vat=order["isVat"]) for rates, net in taxed)
    )
    return sums


def _tax(rates: list[Row], net: int, is_vat: bool) -> int:
    whole = 10_000_000 + is_vat * sum(rate["rate"] for rate in rates)
    taxes = (rate.get("taxAmount", half_up(net * rate["rate"], whole)) for rate in rates)
    return int(sum(taxes))


class Count:
    """The Sales Overview, worked out from the JSON of the exports.

    Args:
        simulator: The local Clover.
        shop: The merchant, its zone and the start of its day.
    """

    def __init__(self, simulator: Simulator, shop: Row) -> None:
        self._zone = ZoneInfo(shop["time_zone"])
        self._start = dt.timedelta(hours=int(shop["day_starts_at"][:2]))
        self.days: dict[str, Row] = defaultdict(lambda: defaultdict(int))
        merchant = shop["merchant_id"]
        orders = {order["id"]: order for order in simulator.records(merchant, "ORDERS")}
        payments: dict[str, list[Row]] = defaultdict(list)
        for payment in simulator.records(merchant, "PAYMENTS"):
            payments[payment["order"]["id"]].append(payment)
        for order_id, order in orders.items():
            if not order["testMode"]:
                self._add(order, payments[order_id])

    def _on(self, record: Row) -> Row:
        moment = dt.datetime.fromtimestamp(record["clientCreatedTime"] / 1000, self._zone)
        day = (moment.replace(tzinfo=None) - self._start).date()
        return self.days[day.isoformat()]

    def _add(self, order: Row, payments: list[Row]) -> None:
        back = elements(order, "credits")
        collected = []
        for payment in payments:
            back += elements(payment, "refunds")
            if payment["result"] == "SUCCESS" and "voidReason" not in payment:
                collected.append(payment)
                _pay(self._on(payment), payment)
        for refund in back:
            if not refund["voided"]:
                _give_back(self._on(refund), refund, is_vat=order["isVat"])
        if collected and "deletedTimestamp" not in order:
            first = min(collected, key=lambda payment: int(payment["clientCreatedTime"]))
            _sell(self._on(first), order, sum(payment["amount"] for payment in collected))


def _pay(day: Row, payment: Row) -> None:
    tip = payment.get("tipAmount", 0)
    surcharge = sum(charge["amount"] for charge in elements(payment, "additionalCharges"))
    day["tips_cents"] += tip
    day["surcharges_cents"] += surcharge
    day["amount_collected_cents"] += payment["amount"] + tip + surcharge


def _sell(day: Row, order: Row, paid: int) -> None:
    sums = ring_up(order)
    unpaid = order["total"] - paid
    day["partly_paid_orders" if unpaid > 0 else "fully_paid_orders"] += 1
    day["unpaid_cents"] += unpaid
    day["gross_sales_cents"] += sums["gross"]
    day["discounts_cents"] -= sums["off"]
    day["taxes_cents"] += sums["tax"]
    day["service_charges_cents"] += sums["fees"]
    day["non_revenue_cents"] += sums["other"]


def _give_back(day: Row, refund: Row, *, is_vat: bool) -> None:
    tip = refund.get("tipAmount", 0)
    service = refund.get("serviceChargeAmount", {}).get("amount", 0)
    surcharge = sum(charge["amount"] for charge in elements(refund, "additionalCharges"))
    tax = 0 if is_vat else refund["taxAmount"]
    day["refunds_cents"] -= refund["amount"] - tax - tip - service
    day["taxes_cents"] -= refund["taxAmount"]
    day["tips_cents"] -= tip
    day["service_charges_cents"] -= service
    day["surcharges_cents"] -= surcharge
    day["amount_collected_cents"] -= refund["amount"] + surcharge


NAMES = {
    "merchant_id",
    "currency",
    "business_day",
    "net_sales_cents",
    "included_taxes_cents",
    "average_sale_cents",
}


def differences(simulator: Simulator) -> Iterator[tuple[str, str, str, int, int]]:
    """Tell each value of the Sales Overview that the books and the exports tell apart."""
    books: dict[str, list[Row]] = defaultdict(list)
    for row in simulator.sales("sales_overview"):
        books[row["merchant_id"]].append(row)
    for shop in simulator.shops():
        merchant = shop["merchant_id"]
        days = Count(simulator, shop).days
        assert sorted(days) == [row["business_day"] for row in books[merchant]]
        for row in books[merchant]:
            counted = days[row["business_day"]]
            for name in row.keys() - NAMES:
                if counted[name] != row[name]:
                    yield merchant, row["business_day"], name, row[name], counted[name]
