"""The sales report, from rows made by hand, in a real browser."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tap_clover_export.demo import money
from tap_clover_export.demo.marts import Marts, Row
from tap_clover_export.demo.page import OVERVIEW, to_html
from tests.support.browser import look

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

NOW = datetime(2026, 3, 30, 10, 0, tzinfo=UTC)
FIRST = date(2026, 3, 2)
HOSTILE = "<img src=x onerror=alert(1)> & \"Sons'"
SHOPS = {"CAFE": HOSTILE, "BAR": "W" * 40, "TOKYO": "", "KUWAIT": "Souq"}
SCHEMES: dict[Any, tuple[str, str, str]] = {
    "light": ("rgb(251, 250, 246)", "rgb(27, 34, 48)", "rgb(29, 87, 176)"),
    "dark": ("rgb(18, 22, 30)", "rgb(232, 234, 239)", "rgb(110, 164, 247)"),
}
WIDE = """[...document.querySelectorAll("body *")]
    .filter((e) => e.getClientRects().length && !e.closest("svg") && !e.closest(".cards thead"))
    .filter((e) => e.getBoundingClientRect().right > 361)
    .map((e) => e.outerHTML.slice(0, 80))"""


def day(shop: str, currency: str, place: int, net: int) -> Row:
    """A shop's day: what is not net follows from it."""
    return {
        "merchant_id": shop,
        "currency": currency,
        "business_day": FIRST + timedelta(days=place),
        "orders": 2 if net > 0 else 0,
        "gross_sales_cents": net + 150,
        "discounts_cents": -50,
        "refunds_cents": -100,
        "net_sales_cents": net,
        "taxes_cents": net // 10,
        "tips_cents": 5,
        "amount_collected_cents": net + net // 10 + 5,
    }


def refund(on: int, after: int | None, amount: int) -> Row:
    """A refund so many days after its sale, or one without any."""
    back = FIRST + timedelta(days=on)
    return {
        "merchant_id": "CAFE",
        "currency": "USD",
        "business_day": back,
        "sold_on": None if after is None else back - timedelta(days=after),
        "days_after": after,
        "kind": "manual refund" if after is None else "refund",
        "tender": "Cash",
        "reason": None,
        "amount_cents": amount,
    }


def owed(status: str, orders: int, total: int, paid: int) -> Row:
    """What a shop is owed."""
    sums = {"orders": orders, "total_cents": total, "paid_cents": paid}
    return {"merchant_id": "CAFE", "currency": "USD", "status": status, **sums}


MARTS = Marts(
    shops=[
        {"merchant_id": shop, "name": name, "time_zone": "UTC"} for shop, name in SHOPS.items()
    ],
    overview=[
        row
        for place in range(28)
        for row in (
            day("CAFE", "USD", place, 123_456 if place == 9 else 10_000),
            day("BAR", "USD", place, -2_500 if place == 27 else 5_000),
            day("TOKYO", "JPY", place, 1_234_567),
            day("KUWAIT", "KWD", place, 1_005),
        )
    ],
    hours=[
        {"currency": "USD", "weekday": 5, "hour_of_day": hour, "orders": 4, "sales_cents": cents}
        for hour, cents in ((0, 4_000), (1, 430), (15, 8_000), (23, 80_000))
    ],
    tenders=[
        {"currency": "USD", "tender": tender, "payments": 1_200, "tips_cents": 280,
         "refunds_cents": 0, "amount_collected_cents": cents}
        for tender, cents in (("Credit Card", 300_000), ("Cash", 100_000), ("Store", -5))
    ],
    items=[
        {"currency": "USD", "name": HOSTILE, "unit_name": None, "quantity": Decimal("1021.000"),
         "sales_cents": 60_000, "rank": 1, "items": 40, "all_sales_cents": 120_000},
        {"currency": "USD", "name": "B" * 60, "unit_name": "lb", "quantity": Decimal("8.250"),
         "sales_cents": 30_000, "rank": 2, "items": 40, "all_sales_cents": 120_000},
    ],
    refunds=[refund(27, 20, 2_795), refund(26, None, 977), refund(26, 0, 149), refund(20, 3, 80)],
    owed=[
        owed("deleted", 7, 900, 0), owed("paid", 1_500, 5_000_000, 5_000_000),
        owed("partly paid", 2, 3_000, 1_000), owed("unpaid", 1, 500, 0),
    ],
    coverage=[
        {"merchant_id": shop, "stream": stream, "complete_from": datetime(2026, 1, 1),  # noqa: DTZ001
         "complete_to": datetime(2026, 3, 30, place), "holes": place % 2,  # noqa: DTZ001
         "exports": 4, "records": 12_345}
        for place, shop in enumerate(SHOPS, 6) for stream in ("orders", "payments")
    ],
    missing=[{"merchant_id": "BAR", "business_day": date(2026, 3, 17)}],
    quality=[{"check_name": "overpaid orders", "found": 1_038}],
)  # fmt: skip


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page."""
    file = tmp_path_factory.mktemp("report") / "sales.html"
    file.write_text(to_html(MARTS, NOW), encoding="ascii")
    return file


def table(page: Page, caption: str) -> list[list[str]]:
    """The cells of the table with such a caption."""
    rows: list[list[str]] = (
        page.locator("table")
        .filter(has_text=caption)
        .first.evaluate(
            "(table) => [...table.rows].map((row) => [...row.cells].map((c) => c.textContent))"
        )
    )
    return rows


@pytest.mark.parametrize(
    ("minor", "currency", "whole", "about"),
    [
        (123_456_789, "USD", "1,234,567.89", "1.23M"),
        (-5, "EUR", "\u22120.05", "\u22120.05"),
        (1_234_567, "JPY", "1,234,567", "1.23M"),
        (-1_234_567, "KWD", "\u22121,234.567", "\u22121,235"),
        (0, "USD", "0.00", "0"),
        (250, "KWD", "0.250", "0.25"),
        (2_500_000, "CAD", "25,000.00", "25k"),
        (99_999_999, "CAD", "999,999.99", "1M"),
        (1_234_567_890, "JPY", "1,234,567,890", "1,235M"),
        (10_001, "KWD", "10.001", "10"),
    ],
)
def test_amounts(minor: int, currency: str, whole: str, about: str) -> None:
    """Every digit, the currency's decimals, a true minus; about how much where room is little."""
    assert money.amount(minor, currency) == whole
    assert money.money(minor, currency) == f"{whole}\u00a0{currency}"
    assert money.short(minor, currency) == about


def test_the_page_says_what_the_rows_say(browser: Browser, report: Path) -> None:
    """Numbers by currency with its decimals, in tables and in words; names are only names."""
    with look(browser, report) as shown:
        page = shown.page
        page.on("dialog", lambda dialog: shown.said.append(dialog.message))
        headings = page.get_by_role("heading", level=2).all_inner_texts()
        assert headings == ["Sales in JPY", "Sales in KWD", "Sales in USD", "What is complete"]
        text = re.sub(r"\s+", " ", page.locator("body").inner_text())
        yen, dinar, dollars = 28 * 1_234_567, "28.140", "5,259.56"
        assert (
            f"4 shops sold {yen:,} JPY, {dinar} KWD and {dollars} USD net with 222 orders" in text
        )
        assert "The best day was Wed 11 Mar 2026 with 1,284.56 USD" in text
        assert "23:00 on Fri with 200.00 USD on average" in text
        assert "4 refunds paid 40.01 USD back" in text
        assert "2 came on a later day than the sale and up to 20 days later." in text
        assert "25.00 USD is owed on 3 orders" in text
        assert "1,500 orders are paid in full" in text
        assert "complete through 30 March 2026, 06:00 UTC, with 4 holes before." in text
        assert f"{'W' * 40} Tue 17 Mar 2026." in text

        by_shop = table(page, "Sales Overview in USD, a shop a row")
        assert by_shop[0] == ["Shop", *OVERVIEW.values()]
        assert [row[0] for row in by_shop[1:]] == [HOSTILE, "W" * 40, "All shops"]
        assert by_shop[3][5] == dollars
        assert by_shop[2][4:6] == ["\u221228.00", "1,325.00"]
        assert table(page, "Sales Overview in JPY, a shop a row")[1][:2] == ["TOKYO", "56"]
        weeks = table(page, "Sales Overview in USD, a week a row")
        assert [row[0][:-5] for row in weeks[1:]] == [
            "Mon 2 Mar",
            "Mon 9 Mar",
            "Mon 16 Mar",
            "Mon 23 Mar",
        ]
        days = table(page, "Net sales in USD, a day a row")
        assert days[28] == ["Sun 29 Mar 2026", "100.00", "\u221225.00", "75.00"]

        hours = table(page, "Mean sales of an hour in USD")
        assert [row[0] for row in hours[1:]] == ["15:00", "23:00", "00:00", "01:00"]
        assert [row[5] for row in hours[1:]] == ["20", "200", "10", "1"]
        assert table(page, "Best sellers, sales in USD")[1:] == [
            [HOSTILE, "1,021", "600.00", ""],
            ["B" * 60, "8.25 lb", "300.00", ""],
        ]
        tenders = table(page, "Collected by tender, in USD")
        assert tenders[3] == ["Store", "1,200", "2.80", "\u22120.05", ""]
        assert [row[:3] for row in table(page, "Refunds by the days since the sale")[1:]] == [
            ["the same day", "1", "1.49"],
            ["2 to 7 days", "1", "0.80"],
            ["15 to 30 days", "1", "27.95"],
            ["manual or unknown", "1", "9.77"],
        ]
        assert table(page, "The newest refunds")[2][2:] == ["manual refund", "", "9.77"]
        statuses = [row[0] for row in table(page, "Orders that are not simply paid")[1:]]
        assert statuses == ["unpaid", "partly paid"]
        assert table(page, "Oddities")[1] == ["overpaid orders", "1,038"]

        bars = page.locator(".chart.wide").nth(2).locator(".series").first.locator("rect")
        heights = [box["height"] for bar in bars.all() if (box := bar.bounding_box())]
        assert heights.index(max(heights)) == 9
        assert heights[9] / heights[8] == pytest.approx(12.3456, rel=0.02)
        told = bars.nth(9).locator("xpath=..").locator("title").text_content()
        assert told == f"Wed 11 Mar 2026: {HOSTILE} 1,234.56\u00a0USD"
        assert page.locator("img, script, link[href^=http]").count() == 0


def test_a_phone_and_paper(browser: Browser, report: Path) -> None:
    """At 360 px nothing is scrolled sideways; both schemes are followed; on paper all is light."""
    with look(browser, report, viewport={"width": 360, "height": 740}) as shown:
        page = shown.page
        for folded in page.locator("summary").all():
            folded.click()
        assert page.evaluate(WIDE) == []
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        assert not page.locator(".chart.wide").first.is_visible()
        assert page.locator(".chart.narrow").first.is_visible()
        cards = page.locator("table.cards").first
        assert cards.get_by_role("row").nth(1).get_by_role("cell").count() == len(OVERVIEW)
        assert cards.get_by_role("columnheader").count() == 1 + len(OVERVIEW)
        for scheme, (ground, ink, bar) in SCHEMES.items():
            page.emulate_media(color_scheme=scheme)
            assert shown.style("html", "backgroundColor") == ground
            assert shown.style("h1", "color") == ink
            assert shown.style(".chart rect", "fill") == bar

        page.emulate_media(media="print")
        assert shown.style("html", "backgroundColor") == "rgb(255, 255, 255)"
        assert shown.style("h1", "color") == SCHEMES["light"][1]
        assert not page.locator("details").first.is_visible()
        paper = page.pdf(prefer_css_page_size=True)
        assert len(re.findall(rb"/Type /Page\b", paper)) in range(3, 7)


def test_nothing_is_here(browser: Browser, tmp_path: Path) -> None:
    """Empty marts make a page that says so."""
    file = tmp_path / "sales.html"
    empty: list[Row] = []
    file.write_text(to_html(Marts(*[empty] * 10), NOW), encoding="ascii")
    with look(browser, file) as shown:
        assert shown.page.locator("h1").inner_text() == "No sales are here."
        assert "Nothing says what is complete" in shown.page.locator("main").inner_text()
