"""What happened in a shop up to a time, sale by sale."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from tap_clover_export.simulator.shops.sales import DAY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_clover_export.simulator.shops.sales import Late, Paid, Sale
    from tap_clover_export.simulator.shops.shop import Shop


class Event(NamedTuple):
    """A sale as it stands at a time.

    Attributes:
        collected: Its payments that were taken and not voided.
        first: When the first of them was taken, on the shop's clock; `None` without any.
        counts: Whether it is among the sales: paid at least in part, not deleted, no test.
        paid: What was taken, tips and surcharges apart.
        deleted: Whether it was deleted.
        late: Its refunds or credits.
    """

    sale: Sale
    collected: list[Paid]
    first: int | None
    counts: bool
    paid: int
    deleted: bool
    late: list[Late]

    @property
    def back(self) -> list[Late]:
        """What was given back, and not voided."""
        return [late for late in self.late if not late.voided]


class Diary:
    """A shop's sales up to a time.

    Args:
        shop: The shop.
        origin: Sales from before do not count, in ms.
        as_of: What came later has not happened yet, in ms.
        by_hand: Refunds that were made by hand, by order.
    """

    def __init__(
        self, shop: Shop, origin: int, as_of: int, by_hand: Mapping[str, list[Late]]
    ) -> None:
        self.shop = shop
        self._origin = origin
        self._as_of = as_of
        self._by_hand = by_hand
        self._zone = ZoneInfo(shop.zone)

    def events(self) -> Iterator[Event]:
        """Tell each sale; tests are left out."""
        for day in range(self._origin // DAY, self._as_of // DAY + 1):
            for sale in self.shop.trade(day):
                if self._origin <= sale.time <= self._as_of and not sale.test:
                    yield self._event(sale)

    def local(self, time: int) -> dt.datetime:
        """Tell what the shop's clock shows."""
        return dt.datetime.fromtimestamp(time / 1000, self._zone).replace(tzinfo=None)

    def business_day(self, time: int) -> str:
        """Tell the shop's day that a time falls on, as a date."""
        start = dt.timedelta(hours=self.shop.kind.day_starts_at)
        return (self.local(time) - start).date().isoformat()

    def _event(self, sale: Sale) -> Event:
        back = [late for late in self._by_hand.get(sale.id, ()) if late.time <= self._as_of]
        if back:
            # A record that is changed by hand does not change by itself any more.
            frozen = back[0].time
            late = sale.late if sale.late and sale.late.time <= frozen else None
            deleted = sale.deleted if sale.deleted <= frozen else 0
            sale = sale._replace(late=late, deleted=deleted)
        if sale.late and sale.late.time <= self._as_of and sale.late.kind != "void":
            back = [sale.late, *back]
        collected = sale.collected(self._as_of)
        deleted_by_now = bool(sale.deleted) and sale.deleted <= self._as_of
        return Event(
            sale,
            collected,
            min((paid.client_time for paid in collected), default=None),
            bool(collected) and not deleted_by_now,
            sum(paid.amount for paid in collected),
            deleted_by_now,
            back,
        )
