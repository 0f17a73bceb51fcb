"""Refunds and credits as Clover writes them, and the charges within."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tap_clover_export.simulator.records import templates
from tap_clover_export.simulator.shops import ids
from tap_clover_export.simulator.shops.json_template import entry
from tap_clover_export.simulator.shops.payments import SURCHARGE_PERCENT

if TYPE_CHECKING:
    from tap_clover_export.simulator.shops.sales import Late, Sale


def write_refund(sale: Sale, late: Late) -> str:
    """Write a refund as it stands in its order and its payment."""
    more = entry("tipAmount", late.tip) if late.tip else ""
    if late.service:
        more += entry("serviceChargeAmount", service_charge(sale, late.service))
    if late.surcharge:
        more += entry("additionalCharges", surcharges(late.id, late.surcharge))
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


def service_charge(sale: Sale, amount: int) -> dict[str, object]:
    """Tell the part of a sale's service charge that a payment or a refund holds."""
    name = next(charge.name for charge in sale.basket.charges if not charge.is_fee)
    return {"id": ids.name(sale.id, "service charge"), "name": name, "amount": amount}


def surcharges(of: str, amount: int) -> dict[str, object]:
    """Tell what comes on top of a payment or a refund, by its id."""
    charge = {
        "id": ids.name(of, "surcharge"),
        "amount": amount,
        "rate": SURCHARGE_PERCENT * 100_000,
        "type": "CREDIT_SURCHARGE",
    }
    return {"elements": [charge]}


def write_credit(sale: Sale, late: Late, tender: str) -> str:
    """Write a credit as it stands in its order."""
    return templates.CREDIT % {
        "id": late.id,
        "order": sale.id,
        "device": sale.device,
        "tender": tender,
        "employee": sale.employee,
        "amount": late.amount,
        "tax": late.tax,
        "time": late.time,
        "voided": json.dumps(late.voided),
        "reason": json.dumps(late.reason, ensure_ascii=False),
    }
