"""Kinds of shops: their money, taxes, hours and days."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tap_clover_export.simulator.shops import menu
from tap_clover_export.simulator.shops.menu import Tax

if TYPE_CHECKING:
    from collections.abc import Mapping

US_ZONES = {
    5: "America/New_York",
    6: "America/Chicago",
    7: "America/Denver",
    8: "America/Los_Angeles",
}


class Kind(NamedTuple):
    """What a shop is like.

    Attributes:
        currency: Its ISO code.
        zone: Its time zone; one of the United States' when empty.
        behind_utc: How many hours its clerks' days are behind UTC, in summer as in winter.
        day_starts_at: The hour that its business day begins at.
        opening: The hour it opens at.
        bustle: How busy each hour after opening is.
        taxes: What it takes instead of the menu's taxes.
        vat: Whether its prices hold the tax.
        cash_step: The smallest coin.
    """

    currency: str = "USD"
    zone: str = ""
    behind_utc: int = 0
    day_starts_at: int = 0
    opening: int = menu.OPENING
    bustle: tuple[int, ...] = menu.BUSTLE
    taxes: Mapping[Tax, Tax] = {}
    vat: bool = False
    cash_step: int = 1


KINDS: Mapping[str, Kind] = {
    "cafe": Kind(),
    "bar": Kind(
        zone="America/New_York",
        behind_utc=5,
        day_starts_at=4,
        opening=15,
        bustle=(2, 4, 6, 8, 9, 9, 8, 8, 9, 10, 8, 6, 4, 3, 1),
    ),
    "vat": Kind(
        currency="EUR",
        zone="Europe/Berlin",
        behind_utc=-1,
        taxes={
            menu.SALES_TAX: Tax("MwSt. 19 %", 1_900_000),
            menu.REDUCED_TAX: Tax("MwSt. 7 %", 700_000),
            menu.DRINKS_TAX: Tax("Getränkesteuer", 500_000),
        },
        vat=True,
    ),
    "yen": Kind(
        currency="JPY",
        zone="Asia/Tokyo",
        behind_utc=-9,
        taxes={
            menu.SALES_TAX: Tax("消費税", 1_000_000),
            menu.REDUCED_TAX: Tax("軽減税率", 800_000),
            menu.DRINKS_TAX: Tax("酒税", 100_000),
        },
    ),
    "rounding": Kind(
        currency="CAD",
        zone="America/Toronto",
        behind_utc=5,
        taxes={
            menu.SALES_TAX: Tax("HST", 1_300_000),
            menu.REDUCED_TAX: Tax("GST", 500_000),
            menu.DRINKS_TAX: Tax("Liquor Tax", 610_000),
        },
        cash_step=5,
    ),
}
