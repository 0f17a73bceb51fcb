"""Where sales are paid, and where guests come back to."""

from __future__ import annotations

from bisect import bisect
from itertools import accumulate
from typing import TYPE_CHECKING

from tap_clover_export.simulator.shops import menu
from tap_clover_export.simulator.shops.discounts import rounded
from tap_clover_export.simulator.shops.sales import DAY, HOUR, MINUTE, Late, Paid

if TYPE_CHECKING:
    from tap_clover_export.simulator.shops.chance import SeededRandom
    from tap_clover_export.simulator.shops.sales import Basket, Line

TENDERS = tuple(accumulate(tender.weight for tender in menu.TENDERS))
CARD, CASH = 0, 1
TIPS = (15, 18, 20, 22)
SMALL = 600
SURCHARGE_PERCENT = 3

PAID_OFF, PARTLY, OVER, SPLIT = 0.003, 0.009, 0.013, 0.08
"""Where chance falls lower, a sale is paid in part and off a day or two later, in part,
too much is paid, or it is split."""

VOIDED, SAME_DAY, REFUNDED = 0.25, 0.35, 0.88
"""Where chance falls lower, a payment is voided, refunded that day, days later, or else
money is given back by hand."""

WITH_TIP, WHOLE, TAKEN_BACK, LINE = 0.15, 0.55, 0.6, 0.8
"""Where chance falls lower, a refund is of all with the tip, of all without, is voided,
is of a line, or else of a share."""


def pay(rng: SeededRandom, time: int, lag: int, basket: Basket, cash_step: int) -> tuple[Paid, ...]:
    """Pay a basket: at once or in parts, at times only a part of it, or more.

    Args:
        rng: Chance.
        time: When Clover hears of it.
        lag: How long before that the guest paid.
        basket: What is paid.
        cash_step: The smallest coin.
    """
    owed = basket.owed
    habit = rng.random()
    if owed < SMALL or habit >= SPLIT:
        return (_pay(rng, time, lag, basket, owed, 0, cash_step),)
    if habit >= OVER:
        parts = 2 + int(rng.random() * 2)
        moments = [(time - 800 * part, owed // parts) for part in range(parts)]
        moments[0] = time, owed - owed // parts * (parts - 1)
        moments.reverse()
    elif habit >= PARTLY:
        moments = [(time, owed + 50 + int(rng.random() * 300))]
    else:
        part = owed * (30 + int(rng.random() * 50)) // 100
        moments = [(time, part)]
        if habit < PAID_OFF:
            moments.append((time + 16 * HOUR + int(rng.random() * 30 * HOUR), owed - part))
    paid = []
    before = 0
    for moment, amount in moments:
        paid.append(_pay(rng, moment, lag, basket, amount, before, 1))
        before += amount
    return tuple(paid)


def again(rng: SeededRandom, late: Late) -> tuple[Paid, ...]:
    """Pay what was voided again, mostly."""
    if late.payment is None or late.kind != "void" or rng.chance(0.4):
        return ()
    time = late.time + 2 * MINUTE
    return (late.payment._replace(id=rng.new_id(), time=time, client_time=time - 350),)


def fail(rng: SeededRandom, time: int, payment: Paid) -> Paid:
    """Try a card that does not work before a payment."""
    return payment._replace(
        id=rng.new_id(), time=time, client_time=time - 350, tender=CARD, tip=None, result="FAIL"
    )


def come_back(
    rng: SeededRandom,
    opening: int,
    payments: tuple[Paid, ...],
    basket: Basket,
    *,
    vat: bool,
) -> Late | None:
    """Void a payment within the hour, refund it then or days later, or mostly neither."""
    if not rng.chance(0.12 if basket.charges else 0.04):
        return None
    payment = rng.pick(payments)
    reason = rng.pick(menu.REASONS)
    habit = rng.random()
    if habit < VOIDED:
        time = payment.time + MINUTE + int(rng.random() * 20 * MINUTE)
        return Late("void", rng.new_id(), time, payment, payment.amount, payment.tax, reason)
    if basket.non_revenue:
        # A gift card that was loaded is not taken back.
        return None
    if habit < SAME_DAY:
        time = payment.time + 20 * MINUTE + int(rng.random() * 3 * HOUR)
    else:
        time = opening + (2 + int(rng.random() ** 2 * 14)) * DAY
        time = max(time + int(rng.random() * 14 * HOUR), payment.time + HOUR)
    if habit >= REFUNDED:
        return credit(rng, time, reason)
    line = basket.lines[-1] if len(payments) == 1 else None
    return _give_back(rng, refund(payment, rng.new_id(), time, reason), line, vat=vat)


def refund(payment: Paid, refund_id: str, time: int, reason: str) -> Late:
    """Refund all of a payment but its tip."""
    return Late(
        "refund",
        refund_id,
        time,
        payment,
        payment.amount,
        payment.tax,
        reason,
        service=payment.service,
        surcharge=payment.surcharge,
    )


def credit(rng: SeededRandom, time: int, reason: str) -> Late:
    """Give money back by hand, for no payment in particular."""
    amount = 200 + int(rng.random() * 2800)
    return Late(
        "credit",
        rng.new_id(),
        time,
        None,
        amount,
        amount * 8 // 108 if rng.chance(0.7) else 0,
        reason,
        voided=rng.chance(0.1),
    )


def _give_back(rng: SeededRandom, whole: Late, line: Line | None, *, vat: bool) -> Late:
    """Refund all of a payment, or a line, or a share of it."""
    payment, habit = whole.payment, rng.random()
    if payment is None or habit < WITH_TIP:
        tip = payment.tip or 0 if payment else 0
        return whole._replace(amount=whole.amount + tip, tip=tip)
    if habit < TAKEN_BACK:
        return whole._replace(voided=habit >= WHOLE)
    part = whole._replace(service=0, surcharge=0)
    if habit < LINE and line:
        tax = sum(line.taxes)
        amount = line.net + (0 if vat else tax)
        if 0 < amount <= payment.amount:
            return part._replace(amount=amount, tax=tax, lines=(line.id,))
    share = 25 + int(rng.random() * 60)
    return part._replace(amount=payment.amount * share // 100, tax=payment.tax * share // 100)


def _pay(
    rng: SeededRandom,
    time: int,
    lag: int,
    basket: Basket,
    amount: int,
    before: int,
    cash_step: int,
) -> Paid:
    """Pay an amount, with its part of the tax and the service charge."""
    tender = bisect(TENDERS, rng.random() * TENDERS[-1], 0, len(TENDERS) - 1)
    owed, tax, service = basket.owed, basket.tax, basket.service
    if amount != owed:
        last, after = min(before, owed), min(before + amount, owed)
        tax = tax * after // owed - tax * last // owed
        service = service * after // owed - service * last // owed
    tip, surcharge = None, 0
    if tender == CARD:
        tip = _tip(rng, amount)
        if rng.chance(0.04):
            surcharge = rounded(amount * SURCHARGE_PERCENT, 100)
    elif tender == CASH and cash_step > 1:
        amount = rounded(amount, cash_step) * cash_step
    return Paid(
        rng.new_id(),
        time,
        time - 350 - lag,
        tender,
        int(rng.random() * len(menu.CARDS)),
        amount,
        tip,
        tax,
        service,
        surcharge,
    )


def _tip(rng: SeededRandom, amount: int) -> int | None:
    if rng.chance(0.45):
        return amount * rng.pick(TIPS) // 100
    return 0 if rng.chance(0.5) else None
