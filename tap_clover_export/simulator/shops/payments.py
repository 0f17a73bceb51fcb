"""Where sales are paid, and where guests come back to."""

from __future__ import annotations

from bisect import bisect
from itertools import accumulate
from typing import TYPE_CHECKING

from tap_clover_export.simulator.shops import menu
from tap_clover_export.simulator.shops.sales import DAY, HOUR, MINUTE, Late, Paid

if TYPE_CHECKING:
    from tap_clover_export.simulator.shops.chance import Dice

TENDERS = tuple(accumulate(tender.weight for tender in menu.TENDERS))
CARD, CASH = 0, 1
TIPS = (15, 18, 20, 22)
SMALL = 600


def pay(dice: Dice, time: int, total: int, tax: int) -> tuple[Paid, ...]:
    """Pay a total, at times in several parts."""
    parts = 1
    if total >= SMALL and dice.falls(0.06):
        parts = 2 + int(dice.roll() * 2)
    paid = []
    left, left_tax = total, tax
    for part in range(parts, 0, -1):
        amount, part_tax = left // part, left_tax // part
        left -= amount
        left_tax -= part_tax
        tender = bisect(TENDERS, dice.roll() * TENDERS[-1], 0, len(TENDERS) - 1)
        paid.append(
            Paid(
                id=dice.new_id(),
                time=time - 800 * (part - 1),
                tender=tender,
                card=int(dice.roll() * len(menu.CARDS)),
                amount=amount,
                tip=_tip(dice, amount) if tender == CARD else None,
                tax=part_tax,
            )
        )
    return tuple(paid)


def fail(dice: Dice, time: int, payment: Paid) -> Paid:
    """Try a card that does not work before a payment."""
    return payment._replace(id=dice.new_id(), time=time, tender=CARD, tip=None, result="FAIL")


def regret(dice: Dice, opening: int, settled: int, payments: tuple[Paid, ...]) -> Late | None:
    """Void a payment within the hour, or refund it days later, or mostly neither."""
    if not dice.falls(0.035):
        return None
    payment = dice.pick(payments)
    reason = dice.pick(menu.REASONS)
    if dice.falls(0.3):
        time = settled + MINUTE + int(dice.roll() * 20 * MINUTE)
        return Late("void", dice.new_id(), time, payment, payment.amount, payment.tax, reason)
    time = opening + (2 + int(dice.roll() ** 2 * 14)) * DAY
    time += int(dice.roll() * 14 * HOUR)
    share = 100 if dice.falls(0.6) else 25 + int(dice.roll() * 60)
    return Late(
        "refund",
        dice.new_id(),
        time,
        payment,
        payment.amount * share // 100,
        payment.tax * share // 100,
        reason,
    )


def _tip(dice: Dice, amount: int) -> int | None:
    if dice.falls(0.45):
        return amount * dice.pick(TIPS) // 100
    return 0 if dice.falls(0.5) else None
