"""Where baskets are filled from the menu."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_clover_export.simulator.shops import ids, menu
from tap_clover_export.simulator.shops.json_template import entry, listing, template
from tap_clover_export.simulator.shops.sales import Basket

if TYPE_CHECKING:
    from tap_clover_export.simulator.shops.chance import SeededRandom

DISCOUNT = template(
    {
        "id": "<id>",
        "name": "<name>",
        "amount": "{amount}",
        "discType": "DEFAULT",
        "{more}": None,
    }
)


class BasketMaker:
    """A merchant's menu, with its lines half written.

    Args:
        merchant: The merchant's id.
    """

    def __init__(self, merchant: str) -> None:
        lines = [(item, _line(merchant, item)) for item in menu.ITEMS]
        self._goods = [line for line in lines for _ in range(line[0].weight)]
        self._wishes = {
            wish: _wish(merchant, wish) for item in menu.ITEMS for wish in item.modifiers
        }

    def fill(
        self, rng: SeededRandom, order: str, time: int, client_time: int, percent: int
    ) -> Basket:
        """Fill a basket, with a number of percent off the whole."""
        lines = []
        gross = net = taxes = 0
        for _ in range(1 + int(rng.random() ** 2 * 6)):
            item, text = rng.pick(self._goods)
            price, more = self._serve(rng, item)
            discounted = price - price * percent // 100
            tax = _round(discounted * item.tax.rate, 10_000_000) if item.tax else 0
            if rng.chance(0.04):
                more += entry("note", rng.pick(menu.NOTES))
            line = {
                "id": rng.new_id(),
                "order": order,
                "time": time,
                "client_time": client_time,
                "tax": tax,
                "more": more,
            }
            lines.append(text % line)
            gross += price
            net += discounted
            taxes += tax
        return Basket(listing(lines), gross, net, taxes)

    def _serve(self, rng: SeededRandom, item: menu.Item) -> tuple[int, str]:
        if item.unit:
            # Clover counts units in thousandths.
            quantity = 100 + int(rng.random() * 1900)
            more = entry("unitQty", quantity) + entry("unitName", item.unit)
            return _round(item.price * quantity, 1000), more
        if item.modifiers and rng.chance(0.4):
            wishes = [rng.pick(item.modifiers) for _ in range(1 + int(rng.random() * 2))]
            texts = [self._wishes[wish] % {"id": rng.new_id()} for wish in wishes]
            price = item.price + sum(wish.amount for wish in wishes)
            return price, ',"modifications":' + listing(texts)
        if rng.chance(0.03):
            amount = -min(200, item.price // 4)
            text = write_discount(rng, "Loyal guest", amount)
            return item.price + amount, ',"discounts":' + listing([text])
        return item.price, ""


def write_discount(rng: SeededRandom, name: str, amount: int, more: str = "") -> str:
    """Write a discount; its amount is negative."""
    return DISCOUNT % {
        "id": rng.new_id(),
        "name": name,
        "amount": amount,
        "more": more,
    }


def _line(merchant: str, item: menu.Item) -> str:
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
        "exchanged": False,
        "refunded": False,
        "isRevenue": item.tax is not None,
        "isOrderFee": False,
        "colorCode": "#a5c8e1",
    }
    if item.tax:
        rate = {
            "id": ids.name(merchant, "tax", item.tax.name),
            "name": item.tax.name,
            "rate": item.tax.rate,
            "isDefault": item.tax == menu.SALES_TAX,
            "taxAmount": "{tax}",
        }
        shape["taxRates"] = {"elements": [rate]}
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


def _round(value: int, unit: int) -> int:
    return (value + unit // 2) // unit
