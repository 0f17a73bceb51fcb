"""What guests get off, in the forms that Clover states it in."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tap_clover_export.simulator.shops.json_template import entry, template

if TYPE_CHECKING:
    from tap_clover_export.simulator.shops.chance import SeededRandom

FULL_PERCENT = 1_000_000
"""100 percent, in ten-thousandths of one."""

DISCOUNT = template({"id": "<id>", "name": "<name>", "discType": "DEFAULT", "{more}": None})


class Offer(NamedTuple):
    """A discount that guests may get.

    Attributes:
        amount: A fixed amount; 0 for a share of the price.
        percent: The share, in ten-thousandths of a percent.
        sign: The sign that its amount is stated with; 0 where it is not stated.
        more: Its further fields.
    """

    name: str
    amount: int = 0
    percent: int = 0
    sign: int = -1
    more: str = ""

    def off(self, price: int) -> int:
        """Tell what is off a price."""
        if self.amount:
            return min(self.amount, price)
        return rounded(price * self.percent, FULL_PERCENT)

    def write(self, rng: SeededRandom, off: int) -> str:
        """Write it with what is off."""
        amount = f',"amount":{self.sign * off}' if self.sign else ""
        return DISCOUNT % {"id": rng.new_id(), "name": self.name, "more": amount + self.more}


OF_LINE = (
    Offer("Loyal guest", 95),
    Offer("Yesterday's", percent=500_000, sign=0, more=entry("percentage", 50)),
    Offer("Punch card", 110, sign=1),
    Offer(
        "Two for one",
        percent=125_000,
        sign=0,
        more=entry("amount", None) + entry("percentage", 12) + entry("percentageDecimal", 125_000),
    ),
)
OF_ORDER = (
    Offer("Happy Hour", percent=200_000, more=entry("percentage", 20)),
    Offer("Staff", percent=300_000, sign=0, more=entry("percentage", 30)),
    Offer(
        "Neighbor 7.25% off",
        percent=72_500,
        sign=0,
        more=entry("percentage", 7) + entry("percentageDecimal", 72_500),
    ),
    Offer("Coupon", 300),
    Offer("Voucher", 250, sign=1),
)


def rounded(value: int, unit: int) -> int:
    """Divide, half up."""
    return (value + unit // 2) // unit
