"""Order fees and service charges."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tap_clover_export.simulator.shops import ids
from tap_clover_export.simulator.shops.discounts import FULL_PERCENT, rounded
from tap_clover_export.simulator.shops.json_template import entry, template
from tap_clover_export.simulator.shops.sales import Charge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_clover_export.simulator.shops.chance import SeededRandom


class Fee(NamedTuple):
    """A fee of an order, fixed or a share of what is left after discounts."""

    name: str
    price: int = 0
    percent: int = 0


FEES = (Fee("Delivery fee", 399), Fee("Bag fee", 10), Fee("Kitchen appreciation", percent=30_000))
SERVICES = (("Service charge 18%", 18, 180_000), ("Service charge 12.5%", 12, 125_000))

FEE, BOTH, SERVICE = 0.03, 0.035, 0.065
"""Where chance falls lower, an order has a fee, both or a service charge."""


class ChargeMaker:
    """Adds a merchant's fees and service charges.

    Args:
        merchant: The merchant's id.
    """

    def __init__(self, merchant: str) -> None:
        self._fees = [(fee, _fee(merchant, fee)) for fee in FEES]
        self._services = [
            (name, percent, _service(merchant, name, whole, percent))
            for name, whole, percent in SERVICES
        ]

    def add(
        self, rng: SeededRandom, net: int, values: Mapping[str, object]
    ) -> tuple[list[Charge], list[str], str]:
        """Tell charges on what is left after discounts, fee lines and further fields."""
        habit = rng.random()
        if habit >= SERVICE:
            return [], [], ""
        charges, lines, more = [], [], ""
        if habit < BOTH:
            fee, text = rng.pick(self._fees)
            amount = fee.price or rounded(net * fee.percent, FULL_PERCENT)
            charges.append(Charge(fee.name, amount, is_fee=True))
            lines.append(text % {**values, "id": rng.new_id()})
        if habit >= FEE:
            name, percent, more = rng.pick(self._services)
            amount = rounded(net * percent, FULL_PERCENT)
            charges.append(Charge(name, amount, is_fee=False))
        return charges, lines, more


def _fee(merchant: str, fee: Fee) -> str:
    price = {"price": fee.price} if fee.price else {"percentage": fee.percent}
    return template(
        {
            "id": "<id>",
            "orderRef": {"id": "<order>"},
            "name": fee.name,
            **price,
            "createdTime": "{time}",
            "orderClientCreatedTime": "{client_time}",
            "exchanged": False,
            "refunded": False,
            # Seen either way; a fee is no sale.
            "isRevenue": bool(fee.price),
            "isOrderFee": True,
            "orderFee": {"id": ids.name(merchant, "fee", fee.name)},
        }
    )


def _service(merchant: str, name: str, whole: int, percent: int) -> str:
    charge = {
        "id": ids.name(merchant, "service charge", name),
        "name": name,
        "enabled": True,
        "percentage": whole,
        "percentageDecimal": percent,
        "isAutoApplied": True,
    }
    return entry("serviceCharge", charge)
