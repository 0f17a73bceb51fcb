"""A merchant's days: who bought what, when, and how it was paid."""

from __future__ import annotations

import datetime as dt
from bisect import bisect
from itertools import accumulate
from typing import TYPE_CHECKING

from tap_clover_export.simulator.shops import ids, menu, payments
from tap_clover_export.simulator.shops.baskets import NOTES, BasketMaker
from tap_clover_export.simulator.shops.chance import SeededRandom
from tap_clover_export.simulator.shops.json_template import entry
from tap_clover_export.simulator.shops.kinds import KINDS, US_ZONES
from tap_clover_export.simulator.shops.sales import DAY, HOUR, MINUTE, Basket, Late, Paid, Sale

if TYPE_CHECKING:
    from collections.abc import Iterator

MORNING = -1
TITLES = tuple(entry("title", title) for title in menu.TITLES)

CREDIT, DELETED, OPEN, PAID_AND_DELETED, TEST = 0.005, 0.015, 0.035, 0.0365, 0.0415
"""Where chance falls lower, an order is a credit alone, deleted, never paid, deleted
though it was paid, or a test."""

NOTHING = Basket(
    text='{"elements":[]}',
    more="",
    lines=[],
    discounts=[],
    charges=[],
    tax_removed=False,
    gross=0,
    off=0,
    non_revenue=0,
    tax=0,
    owed=0,
)


class Shop:
    """A merchant with its clerks, devices, menu and habits.

    Args:
        merchant: The merchant's id.
        seed: The same seed gives the same sales.
        orders_per_day: Orders on an average day.
        unknown_fields: Whether some orders have an undocumented field.
        kind: What it is like, by name.
    """

    def __init__(
        self,
        merchant: str,
        seed: str,
        orders_per_day: int,
        *,
        unknown_fields: bool,
        kind: str = "cafe",
    ) -> None:
        self.merchant = merchant
        self.seed = seed
        self.orders_per_day = orders_per_day
        self.unknown_fields = unknown_fields
        self.kind = KINDS[kind]
        rng = SeededRandom(seed, merchant, MORNING)
        self.behind_utc = 5 + int(rng.random() * 4)
        if self.kind.zone:
            self.behind_utc = self.kind.behind_utc
        self.zone = self.kind.zone or US_ZONES[self.behind_utc]
        self.clerks = [
            "DFLTEMPLOYEE",
            *(ids.name(merchant, "clerk", clerk) for clerk in menu.CLERKS),
        ]
        self.devices = [_uuid(rng) for _ in range(3)]
        self.baskets = BasketMaker(merchant, self.kind)

    def trade(self, day: int) -> Iterator[Sale]:
        """Tell a day's sales, the day counted from the epoch in UTC."""
        rng = SeededRandom(self.seed, self.merchant, day)
        for time in self._moments(day, rng):
            yield self._sell(rng, day, time)

    def find(self, order: str, time: int) -> Sale | None:
        """Find a sale by its order's id and time."""
        return next((sale for sale in self.trade(time // DAY) if sale.id == order), None)

    def _sell(self, rng: SeededRandom, day: int, time: int) -> Sale:
        order = rng.new_id()
        client_time = time - int(rng.random() * 2500)
        if rng.chance(0.01):
            client_time -= 70_000
        lag = (2 + int(rng.random() * 48)) * MINUTE if rng.chance(0.01) else 0
        client_time -= lag
        fate = rng.random()
        settled = time + 20_000 + int(rng.random() ** 4 * 100 * MINUTE)
        basket = NOTHING
        if fate >= CREDIT:
            basket = self.baskets.fill(rng, order, time, client_time)
        paid: tuple[Paid, ...] = ()
        tried: tuple[Paid, ...] = ()
        if fate >= OPEN:
            paid = payments.pay(rng, settled, lag, basket, self.kind.cash_step)
            if rng.chance(0.01):
                tried = (payments.fail(rng, settled - 15_000, paid[0]),)
        late = self._come_back(rng, day, fate, settled, paid, basket)
        if late and late.kind == "void":
            paid += payments.again(rng, late)
        return Sale(
            id=order,
            time=time,
            client_time=client_time,
            employee=rng.pick(self.clerks),
            device=rng.pick(self.devices),
            basket=basket,
            more=self._extras(rng),
            test=PAID_AND_DELETED <= fate < TEST,
            settled=settled,
            deleted=_deleted(fate, settled),
            payments=paid,
            tried=tried,
            late=late,
            rare=int(rng.random() * 40),
        )

    def _come_back(
        self,
        rng: SeededRandom,
        day: int,
        fate: float,
        settled: int,
        paid: tuple[Paid, ...],
        basket: Basket,
    ) -> Late | None:
        if fate < CREDIT:
            return payments.credit(rng, settled, rng.pick(menu.REASONS))
        if fate < TEST:
            return None
        opening = day * DAY + (self.kind.opening + self.behind_utc) * HOUR
        return payments.come_back(rng, opening, paid, basket, vat=self.kind.vat)

    def _moments(self, day: int, rng: SeededRandom) -> list[int]:
        weights = [self._bustle(day * 24 + hour) for hour in range(24)]
        sums = list(accumulate(weights))
        mean = self.orders_per_day * sums[-1] / sum(self.kind.bustle)
        times = []
        for _ in range(int(mean * (0.85 + 0.3 * rng.random()) + rng.random())):
            point = rng.random() * sums[-1]
            hour = bisect(sums, point, 0, 23)
            part = 1 - (sums[hour] - point) / weights[hour]
            times.append(day * DAY + int((hour + part) * HOUR))
        return sorted(times)

    def _bustle(self, hour: int) -> float:
        local = dt.datetime.fromtimestamp((hour - self.behind_utc) * 3600, dt.UTC)
        since = (local.hour - self.kind.opening) % 24
        if since >= len(self.kind.bustle):
            return 0.0
        day = menu.WEEKDAYS[local.weekday()] * menu.MONTHS[local.month - 1]
        return self.kind.bustle[since] * day

    def _extras(self, rng: SeededRandom) -> str:
        if not rng.chance(0.3):
            return ""
        if rng.chance(0.022):
            scan = {"code": rng.new_id(), "points": int(rng.random() * 90)}
            return entry("loyaltyScan", scan) if self.unknown_fields else ""
        return rng.pick(EXTRAS)(rng)


def _deleted(fate: float, settled: int) -> int:
    """Tell when an order is deleted; 0 for never."""
    if CREDIT <= fate < DELETED:
        return settled
    return settled + HOUR if OPEN <= fate < PAID_AND_DELETED else 0


def _uuid(rng: SeededRandom) -> str:
    digits = "".join(rng.pick("0123456789abcdef") for _ in range(32))
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _title(rng: SeededRandom) -> str:
    return rng.pick(TITLES)


def _note(rng: SeededRandom) -> str:
    return rng.pick(NOTES)


def _reference(rng: SeededRandom) -> str:
    number = int(rng.random() * 1_000_000_000)
    return entry("externalReferenceId", f"WEB-{number:09}")


def _guest(rng: SeededRandom) -> str:
    first, last = rng.pick(menu.GUESTS)
    guest = {"id": rng.new_id(), "firstName": first, "lastName": last}
    return entry("customers", {"elements": [guest]})


def _print_group(rng: SeededRandom) -> str:
    group = {"id": rng.new_id(), "name": "Mains", "fired": True}
    return entry("printGroups", {"elements": [group]})


def _online(rng: SeededRandom) -> str:
    online = {"id": rng.new_id(), "orderState": "FULFILLED", "serviceFee": 0}
    return entry("onlineOrder", online)


EXTRAS = (*(_title, _note) * 4, *(_reference, _guest) * 2, _print_group, _online)
