# ruff: noqa: RUF001
"""What the shops sell, and the words of their guests and clerks."""

from __future__ import annotations

from typing import NamedTuple


class Tax(NamedTuple):
    """A tax rate; 100 % is 10,000,000."""

    name: str
    rate: int


class Modifier(NamedTuple):
    """A wish that an item is made to."""

    name: str
    amount: int


class Item(NamedTuple):
    """Something on the menu; weighed items have a unit and a price for it."""

    name: str
    price: int
    weight: int
    taxes: tuple[Tax, ...]
    modifiers: tuple[Modifier, ...] = ()
    unit: str = ""
    is_revenue: bool = True


class Tender(NamedTuple):
    """A way to pay."""

    label: str
    key: str
    weight: int


SALES_TAX = Tax("Sales Tax", 887_500)
REDUCED_TAX = Tax("Reduced Tax", 225_000)
DRINKS_TAX = Tax("Liquor Tax", 300_000)
TAXED, REDUCED, LIQUOR = (SALES_TAX,), (REDUCED_TAX,), (SALES_TAX, DRINKS_TAX)

DRINK = (
    Modifier("Oat milk", 80),
    Modifier("Extra shot", 110),
    Modifier("Large", 75),
    Modifier("Decaf", 0),
    Modifier("Sirop d’érable", 60),
)
MEAL = (
    Modifier("Add cheese", 150),
    Modifier("Gluten-free bun", 225),
    Modifier("No onions", 0),
    Modifier("Side of kimchi 김치", 275),
)

WRAP = (Modifier("Gift wrap", 150), Modifier("Ribbon", 0))

ITEMS = (
    Item("Latte", 475, 14, TAXED, DRINK),
    Item("Drip Coffee", 325, 13, TAXED, DRINK),
    Item("Café au lait", 425, 6, TAXED, DRINK),
    Item("抹茶ラテ Matcha Latte", 575, 5, TAXED, DRINK),
    Item("شاي بالنعناع Mint Tea", 350, 4, TAXED, DRINK),
    Item("Fresh OJ 12oz", 525, 4, REDUCED),
    Item("Croissant", 395, 9, TAXED),
    Item("Blueberry Muffin", 375, 6, TAXED),
    Item('Baguette 24"', 450, 4, REDUCED),
    Item("Пельмени (10)", 1_250, 3, TAXED, MEAL),
    Item("ก๋วยเตี๋ยว Noodle Soup", 1_395, 4, TAXED, MEAL),
    Item("House Burger & Fries", 1_595, 7, TAXED, MEAL),
    Item("Jalapeño “Popper” Grilled Cheese", 1_125, 6, TAXED, MEAL),
    Item("Soup du Jour", 850, 4, TAXED, MEAL),
    Item("House Salad", 1_050, 4, TAXED, MEAL),
    Item("Tres Leches 🍰", 695, 3, TAXED),
    Item("Coffee Beans, Ethiopia", 1_899, 2, REDUCED, (), "lb"),
    Item("Olives, mixed", 1_150, 1, REDUCED, (), "lb"),
    Item("IPA, 16oz", 795, 3, LIQUOR),
    Item("Newspaper", 350, 1, ()),
    Item("Gift Card Sleeve", 100, 1, (), WRAP, is_revenue=False),
    Item("Gift Card $25", 2_500, 1, (), is_revenue=False),
)

CLERKS = ("Ana", "Björn", "Chidi", "Дарья", "Eun-ji", "Fatima", "Giorgos")
TITLES = ("Table 4", "Table 12", "Terrasse", "Tab: O'Neill", "窓側 2", "Bar #3 ")
NOTES = (
    "No ice please",
    'He said "extra hot", twice',
    "Sin cebolla, por favor",
    "line one\nline two\n\tand a tab",
    "生姜抜きでお願いします",
    "بدون سكر من فضلك",
    "Без сахара",
    "ללא חלב",
    "🎂 Happy birthday, Zoë! 👩‍👩‍👧‍👦",
    "C:\\temp\\receipt — 50% </script>",
    "trailing spaces  ",
    "",
)
GUESTS = (("Renée", "Dubois"), ("Łukasz", "Żak"), ("Mei", "陳"), ("Sam", "O'Neill"))
CARDS = (
    ("VISA", "453216", "EMV_CONTACTLESS"),
    ("VISA", "400552", "EMV_CONTACT"),
    ("MC", "542418", "EMV_CONTACTLESS"),
    ("AMEX", "371449", "EMV_CONTACT"),
    ("DISCOVER", "601100", "SWIPED"),
    ("INTERAC", "450644", "EMV_CONTACT"),
)
REASONS = ("", "Cold food", "Wrong item", "Customer’s wish", "Über 30 Min. gewartet")
TENDERS = (
    Tender("Credit Card", "com.clover.tender.credit_card", 70),
    Tender("Cash", "com.clover.tender.cash", 24),
    Tender("Gift Card", "com.clover.tender.external_gift_card", 6),
    Tender("House Account", "", 2),
)
MONTHS = (0.93, 0.95, 0.97, 1.0, 1.03, 1.05, 1.04, 1.02, 1.0, 0.98, 0.99, 1.04)
WEEKDAYS = (0.85, 0.88, 0.92, 1.0, 1.25, 1.3, 0.8)
OPENING = 7
BUSTLE = (5, 9, 8, 6, 6, 10, 11, 7, 5, 4, 6, 8, 8, 5, 2)
"""How busy each hour after opening is."""
