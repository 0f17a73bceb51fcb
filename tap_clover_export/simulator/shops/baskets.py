"""Where baskets are filled from the menu, and rung up."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tap_clover_export.simulator.shops import ids, menu
from tap_clover_export.simulator.shops.charges import ChargeMaker
from tap_clover_export.simulator.shops.discounts import OF_LINE, OF_ORDER, Offer, rounded
from tap_clover_export.simulator.shops.json_template import entry, listing, template
from tap_clover_export.simulator.shops.sales import Basket, Discount, Line

if TYPE_CHECKING:
    from tap_clover_export.simulator.shops.chance import SeededRandom
    from tap_clover_export.simulator.shops.kinds import Kind

WHOLE = 1000
"""Clover counts units in thousandths."""
FULL_RATE = 10_000_000
NOTES = tuple(entry("note", note) for note in menu.NOTES)

NOTE, LINE_OFF = 0.04, 0.07
"""Where chance falls lower, a line has a note or a discount."""

EXCHANGED, TAX_REMOVED, TAX_UNSAID = 0.01, 0.016, 0.03
"""Where chance falls lower, a line was exchanged, taxes were removed or are not stated."""


class Goods(NamedTuple):
    """An item with its line half written, and the same for a line that came back."""

    item: menu.Item
    text: str
    exchanged_text: str


class Serving(NamedTuple):
    """An item as a guest wants it, before it is rung up."""

    goods: Goods
    quantity: int
    gross: int
    more: str
    offer: Offer | None = None
    off: int = 0
    exchanged: bool = False

    @property
    def sells(self) -> bool:
        """Whether it is revenue, and stays sold."""
        return self.goods.item.is_revenue and not self.exchanged


class BasketMaker:
    """A merchant's menu, with its lines half written.

    Args:
        merchant: The merchant's id.
        kind: What its shop is like.
    """

    def __init__(self, merchant: str, kind: Kind) -> None:
        self._vat = kind.vat
        items = [
            item._replace(taxes=tuple(kind.taxes.get(tax, tax) for tax in item.taxes))
            for item in menu.ITEMS
        ]
        goods = [
            Goods(
                item,
                _line(merchant, item, exchanged=False),
                _line(merchant, item, exchanged=True),
            )
            for item in items
        ]
        self._shelf = [each for each in goods for _ in range(each.item.weight)]
        self._wishes = {
            wish: _wish(merchant, wish) for item in menu.ITEMS for wish in item.modifiers
        }
        self._charges = ChargeMaker(merchant)

    def fill(self, rng: SeededRandom, order: str, time: int, client_time: int) -> Basket:
        """Fill a basket and ring it up."""
        servings = [self._serve(rng) for _ in range(1 + int(rng.random() ** 2 * 6))]
        habit = rng.random()
        if habit < EXCHANGED:
            servings.insert(0, self._serve(rng)._replace(exchanged=True))
        sold = sum([serving.gross - serving.off for serving in servings if serving.sells])
        offer = rng.pick(OF_ORDER) if sold and rng.chance(0.08) else None
        off = offer.off(sold) if offer else 0
        removed = EXCHANGED <= habit < TAX_REMOVED
        lines = self._ring_up(rng, servings, sold, off, taxed=not removed)
        values = {"order": order, "time": time, "client_time": client_time}
        said = not removed and (off > 0 or habit < EXCHANGED or habit >= TAX_UNSAID)
        texts = [
            _write(serving, line, values, said=said)
            for serving, line in zip(servings, lines, strict=True)
        ]
        more = ""
        discounts = [
            Discount(serving.offer.name, serving.off, line)
            for serving, line in zip(servings, lines, strict=True)
            if serving.offer and not serving.exchanged
        ]
        if offer:
            more = ',"discounts":' + listing([offer.write(rng, off)])
            discounts.append(Discount(offer.name, off))
        if habit < EXCHANGED:
            returned = entry("exchangedLineItem", {"id": lines[0].id})
            texts[1] = texts[1][:-1] + returned + "}"
        charges, charge_texts, charge_more = self._charges.add(rng, sold - off, values)
        texts += charge_texts
        gross = sum([line.gross for line in lines if line.sells])
        other = sum([line.net for line in lines if not (line.sells or line.exchanged)])
        tax = sum([sum(line.taxes) for line in lines if not line.exchanged])
        charged = sum([charge.amount for charge in charges])
        return Basket(
            text=listing(texts),
            more=more + charge_more,
            lines=lines,
            discounts=discounts,
            charges=charges,
            tax_removed=removed,
            gross=gross,
            off=gross - sold + off,
            non_revenue=other,
            tax=tax,
            owed=sold - off + other + charged + (0 if self._vat else tax),
        )

    def _ring_up(
        self, rng: SeededRandom, servings: list[Serving], sold: int, off: int, *, taxed: bool
    ) -> list[Line]:
        """Make lines, the order's discount spread over those that sell."""
        lines = []
        passed = shared = 0
        for serving in servings:
            goods, quantity, gross, _, _, line_off, exchanged = serving
            share = 0
            if off and serving.sells:
                # The shares so far always come to the discount on the lines so far.
                passed += gross - line_off
                share = rounded(off * passed, sold) - shared
                shared += share
            taxes = self._tax(gross - line_off - share, goods.item) if taxed else ()
            lines.append(
                Line(rng.new_id(), goods.item, quantity, gross, line_off, share, taxes, exchanged)
            )
        return lines

    def _serve(self, rng: SeededRandom) -> Serving:
        goods = rng.pick(self._shelf)
        item = goods.item
        price, quantity, more = item.price, WHOLE, ""
        if item.unit:
            quantity = 100 + int(rng.random() * 1900)
            price = rounded(price * quantity, WHOLE)
            more = f',"unitQty":{quantity},"unitName":"{item.unit}"'
        if item.modifiers and rng.chance(0.4):
            wishes = [rng.pick(item.modifiers) for _ in range(1 + int(rng.random() * 2))]
            texts = [self._wishes[wish] % {"id": rng.new_id()} for wish in wishes]
            price += sum(wish.amount for wish in wishes)
            more += ',"modifications":' + listing(texts)
        habit = rng.random()
        if habit < NOTE:
            more += rng.pick(NOTES)
        elif habit < LINE_OFF:
            offer = rng.pick(OF_LINE)
            off = offer.off(price)
            more += ',"discounts":' + listing([offer.write(rng, off)])
            return Serving(goods, quantity, price, more, offer, off)
        return Serving(goods, quantity, price, more)

    def _tax(self, net: int, item: menu.Item) -> tuple[int, ...]:
        if not self._vat:
            return tuple([(net * tax.rate + 5_000_000) // FULL_RATE for tax in item.taxes])
        whole = FULL_RATE + sum(tax.rate for tax in item.taxes)
        return tuple([rounded(net * tax.rate, whole) for tax in item.taxes])


def _write(serving: Serving, line: Line, values: dict[str, object], *, said: bool) -> str:
    """Write a line, with its taxes where they are stated."""
    values["id"] = line.id
    values["more"] = serving.more
    if said and line.taxes:
        values["tax0"] = f',"taxAmount":{line.taxes[0]}'
        values["tax1"] = f',"taxAmount":{line.taxes[-1]}'
    else:
        values["tax0"] = values["tax1"] = ""
    text = serving.goods.exchanged_text if line.exchanged else serving.goods.text
    return text % values


def _line(merchant: str, item: menu.Item, *, exchanged: bool) -> str:
    shape: dict[str, object] = {
        "id": "<id>",
        "orderRef": {"id": "<order>"},
        "item": {"id": ids.name(merchant, "item", item.name)},
        "name": item.name,
        "alternateName": "",
        "price": item.price,
        "itemCode": ids.name(merchant, "code", item.name)[:6],
        "printed": True,
        "createdTime": "{time}",
        "orderClientCreatedTime": "{client_time}",
        "exchanged": exchanged,
        "refunded": False,
        "isRevenue": item.is_revenue,
        "isOrderFee": False,
        "colorCode": "#a5c8e1",
    }
    if item.taxes:
        rates = [
            {
                "id": ids.name(merchant, "tax", tax.name),
                "name": tax.name,
                "rate": tax.rate,
                "isDefault": number == 0,
                f"{{tax{number}}}": None,
            }
            for number, tax in enumerate(item.taxes)
        ]
        shape["taxRates"] = {"elements": rates}
    return template({**shape, "{more}": None})


def _wish(merchant: str, wish: menu.Modifier) -> str:
    return template(
        {
            "id": "<id>",
            "name": wish.name,
            "alternateName": "",
            "amount": wish.amount,
            "modifier": {"id": ids.name(merchant, "modifier", wish.name)},
        }
    )
