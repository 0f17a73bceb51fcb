"""A sale, with all that ever happens to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tap_clover_export.simulator.shops.menu import Item

DAY = 86_400_000
HOUR = 3_600_000
MINUTE = 60_000
LATEST = 21 * DAY
"""No record changes by itself so long after its creation."""
LAST_PAID = 3 * DAY
"""No payment is made so long after the start of its order's day."""


class Line(NamedTuple):
    """A line as it was rung up; what is off it is positive.

    Attributes:
        quantity: In thousandths.
        gross: Its price for the quantity, with modifiers.
        off: Its own discounts.
        share: Its share of the order's discount.
        taxes: What each of the item's taxes comes to.
    """

    id: str
    item: Item
    quantity: int
    gross: int
    off: int
    share: int
    taxes: tuple[int, ...]
    exchanged: bool

    @property
    def net(self) -> int:
        """What is left of its price."""
        return self.gross - self.off - self.share

    @property
    def sells(self) -> bool:
        """Whether it is revenue, and stays sold."""
        return self.item.is_revenue and not self.exchanged


class Discount(NamedTuple):
    """A discount, of a line or of the whole; what is off is positive."""

    name: str
    amount: int
    of_line: Line | None = None


class Charge(NamedTuple):
    """An order fee or a service charge."""

    name: str
    amount: int
    is_fee: bool


class Basket(NamedTuple):
    """Lines of an order, as JSON and as they were rung up, and their sums.

    Attributes:
        text: The lines as JSON.
        more: The order's further fields.
        gross: Revenue before discounts.
        off: Discounts on revenue, positive.
        non_revenue: What is no revenue, less its discounts.
        tax: Taxes; where prices hold them, within the net.
        owed: What the guest owes, tips apart.
    """

    text: str
    more: str
    lines: list[Line]
    discounts: list[Discount]
    charges: list[Charge]
    tax_removed: bool
    gross: int
    off: int
    non_revenue: int
    tax: int
    owed: int

    @property
    def charged(self) -> int:
        """Order fees and the service charge."""
        return sum([charge.amount for charge in self.charges])

    @property
    def service(self) -> int:
        """The service charge."""
        return sum([charge.amount for charge in self.charges if not charge.is_fee])


class Paid(NamedTuple):
    """One payment of a sale; `tender` and `card` are numbers in the menu.

    Attributes:
        time: When Clover heard of it.
        client_time: When the guest paid.
        service: The service charge in the amount.
        surcharge: What comes on top of the amount.
    """

    id: str
    time: int
    client_time: int
    tender: int
    card: int
    amount: int
    tip: int | None
    tax: int
    service: int
    surcharge: int
    result: str = "SUCCESS"

    @property
    def offline(self) -> bool:
        """Whether it was taken without a line to Clover."""
        return self.time - self.client_time > MINUTE


class Late(NamedTuple):
    """What came later: a refund or a void of one of the payments, or a credit.

    Attributes:
        amount: All but a surcharge: tax, tip and service charge included.
        lines: The lines that came back.
        voided: Whether it was taken back at once.
    """

    kind: str
    id: str
    time: int
    payment: Paid | None
    amount: int
    tax: int
    reason: str
    tip: int = 0
    service: int = 0
    surcharge: int = 0
    lines: tuple[str, ...] = ()
    voided: bool = False


class Sale(NamedTuple):
    """An order from its first line to its last refund.

    Attributes:
        deleted: When it is deleted; 0 for never.
        tried: Payments that failed.
    """

    id: str
    time: int
    client_time: int
    employee: str
    device: str
    basket: Basket
    more: str
    test: bool
    settled: int
    deleted: int
    payments: tuple[Paid, ...]
    tried: tuple[Paid, ...]
    late: Late | None
    rare: int

    @property
    def total(self) -> int:
        """What the guest owes, tips apart."""
        return self.basket.owed

    def collected(self, as_of: int) -> list[Paid]:
        """List the payments that were made by a time and not voided by then."""
        late = self.late
        voided = late.payment if late and late.kind == "void" and late.time <= as_of else None
        return [paid for paid in self.payments if paid.time <= as_of and paid is not voided]

    def moments(self, first: int) -> list[int]:
        """List the times at which the order changes, the first one given."""
        times = [first]
        if self.payments:
            times.append(self.settled)
            if self.payments[-1].time > self.settled:
                times += [paid.time for paid in self.payments if paid.time > self.settled]
        if self.late:
            times.append(self.late.time)
        if self.deleted:
            times.append(self.deleted)
        return sorted(times)
