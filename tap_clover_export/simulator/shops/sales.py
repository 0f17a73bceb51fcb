"""A sale, with all that ever happens to it."""

from __future__ import annotations

from typing import NamedTuple

DAY = 86_400_000
HOUR = 3_600_000
MINUTE = 60_000
LATEST = 21 * DAY
"""No record changes by itself so long after its creation."""


class Basket(NamedTuple):
    """Lines of an order as JSON, and their sums before and after its discount."""

    lines: str
    gross: int
    net: int
    tax: int


class Paid(NamedTuple):
    """One payment of a sale; `tender` and `card` are numbers in the menu."""

    id: str
    time: int
    tender: int
    card: int
    amount: int
    tip: int | None
    tax: int
    result: str = "SUCCESS"


class Late(NamedTuple):
    """What came later: a refund, or a void, of one of the payments."""

    kind: str
    id: str
    time: int
    payment: Paid
    amount: int
    tax: int
    reason: str


class Sale(NamedTuple):
    """An order from its first line to its last refund."""

    id: str
    time: int
    client_time: int
    employee: str
    device: str
    basket: Basket
    discounts: str
    more: str
    fate: str
    settled: int
    payments: tuple[Paid, ...]
    failed: tuple[Paid, ...]
    late: Late | None
    rare: int

    @property
    def total(self) -> int:
        """What the guest owes, tips apart."""
        return self.basket.net + self.basket.tax
