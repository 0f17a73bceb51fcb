"""Where sales are paid, and where guests come back to."""

from __future__ import annotations

from bisect import bisect
from itertools import accumulate
from typing import TYPE_CHECKING

from tap_clover_export.simulator.shops import menu
from tap_clover_export.simulator.shops.sales import DAY, HOUR, MINUTE, Late, Paid

if TYPE_CHECKING:
    from tap_clover_export.simulator.shops.chance import SeededRandom

TENDERS = tuple(accumulate(tender.weight for tender in menu.TENDERS))
CARD, CASH = 0, 1
TIPS = (15, 18, 20, 22)
SMALL = 600


def pay(rng: SeededRandom, time: int, total: int, tax: int) -> tuple[Paid, ...]:
    """Pay a total, at times in several parts."""
    parts = 1
    if total >= SMALL and rng.chance(0.06):
        parts = 2 + int(rng.random() * 2)
    paid = []
    left, left_tax = total, tax
    for part in range(parts, 0, -1):
        amount, part_tax = left // part, left_tax // part
        left -= amount
        left_tax -= part_tax
        tender = bisect(TENDERS, rng.random() * TENDERS[-1], 0, len(TENDERS) - 1)
        paid.append(
            Paid(
                id=rng.new_id(),
                time=time - 800 * (part - 1),
                tender=tender,
                card=int(rng.random() * len(menu.CARDS)),
                amount=amount,
                tip=_tip(rng, amount) if tender == CARD else None,
                tax=part_tax,
            )
        )
    return tuple(paid)


def fail(rng: SeededRandom, time: int, payment: Paid) -> Paid:
    """Try a card that does not work before a payment."""
    return payment._replace(id=rng.new_id(), time=time, tender=CARD, tip=None, result="FAIL")


def refund_or_void(
    rng: SeededRandom, opening: int, settled: int, payments: tuple[Paid, ...]
) -> Late | None:
    """Void a payment within the hour, or refund it days later, or mostly neither."""
    if not rng.chance(0.035):
        return None
    payment = rng.pick(payments)
    reason = rng.pick(menu.REASONS)
    if rng.chance(0.3):
        time = settled + MINUTE + int(rng.random() * 20 * MINUTE)
        return Late("void", rng.new_id(), time, payment, payment.amount, payment.tax, reason)
    time = opening + (2 + int(rng.random() ** 2 * 14)) * DAY
    time += int(rng.random() * 14 * HOUR)
    share = 100 if rng.chance(0.6) else 25 + int(rng.random() * 60)
    return Late(
        "refund",
        rng.new_id(),
        time,
        payment,
        payment.amount * share // 100,
        payment.tax * share // 100,
        reason,
    )


def _tip(rng: SeededRandom, amount: int) -> int | None:
    if rng.chance(0.45):
        return amount * rng.pick(TIPS) // 100
    return 0 if rng.chance(0.5) else None
