"""The page of `--plan=html` in a real browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.preview.test_page import HOSTILE, sentence
from tests.support.browser import look
from tests.support.plans import Plan, many, planned, work

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

PURPOSES = ("new", "history", "late_changes")
PHONE = {"viewport": {"width": 360, "height": 740}}
SCHEMES: list[Any] = ["light", "dark"]


@pytest.fixture(scope="module")
def thousands() -> Plan:
    """The plan of 3,000 merchants, cut short by `max_run_hours`."""
    return planned(many(3000), max_concurrent_exports=5, max_run_hours=20)


@pytest.fixture(scope="module")
def big(thousands: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its page."""
    return save(thousands, tmp_path_factory.mktemp("big"))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The page of ten merchants."""
    return save(planned(many(10), max_run_hours=0.5), tmp_path)


def save(plan: Plan, path: Path) -> Path:
    """The page as a file."""
    file = path / "plan.html"
    file.write_text(plan.html)
    return file


def to_minute(text: str) -> str:
    """A time as the page writes it."""
    return text[:16].replace("T", " ")


def test_every_number_is_that_of_json(browser: Browser, thousands: Plan, big: Path) -> None:
    """Rows, counts and times are those of `--plan=json`, the most behind first."""
    plan = thousands.overview
    with look(browser, big) as shown:
        rows = shown.rows()
        heading = " ".join(shown.page.locator("h1").inner_text().split())

    expected = sorted(
        plan["streams"], key=lambda r: (-r["behind_seconds"], r["merchant_id"], r["stream"])
    )
    assert plan["left"] > 0
    assert heading == sentence(thousands.html)
    assert f"{plan['exports']:,} exports and resume {plan['pending']:,} pending ones" in heading
    assert len(rows) == len(expected) == 6000
    for cells, row in zip(rows, expected, strict=True):
        covered, *numbers = cells[5:]
        windows = [(row[name] or {"windows": 0})["windows"] for name in PURPOSES]
        holes = "".join(
            f"failed: {to_minute(hole['start'])} \u2192 {to_minute(hole['end'])}"
            for hole in row["holes"]
        )
        since = row["exported_from"]
        until = to_minute(row["bookmark"] or "")
        span = f"{since[:10]} \u2192 {until}" if since else until and f"all until {until}"
        assert cells[:3] == [row["merchant_id"], row["stream"], row["region"]]
        assert [int(number or 0) for number in numbers] == [*windows, row["pending"], row["left"]]
        assert covered == span + holes
        assert (cells[3] == "up to date") == (row["new"] is None)
    for place, name in enumerate((*PURPOSES, "pending", "left"), start=6):
        assert sum(int(cells[place] or 0) for cells in rows) == plan[name]


def test_search_and_filter(browser: Browser, thousands: Plan, big: Path) -> None:
    """Words find merchants, streams and regions, kinds of work narrow it down, a count says it."""
    rows = thousands.overview["streams"]
    with look(browser, big) as shown:
        page, search = shown.page, shown.page.get_by_label("Search")
        assert page.locator("#found").inner_text() == "6,000 streams"

        search.fill("m0123")
        assert sorted(row[:2] for row in shown.rows()) == [
            ["M0123ABCDEFGH", "orders"],
            ["M0123ABCDEFGH", "payments"],
        ]
        assert page.locator("#found").inner_text() == "2 of 6,000 streams"

        search.fill("  PAYments 0123 ")
        assert [row[:2] for row in shown.rows()] == [["M0123ABCDEFGH", "payments"]]

        search.fill("orders eu")
        expected = sum(row["stream"] == "orders" and row["region"] == "eu" for row in rows)
        assert len(shown.rows()) == expected > 100

        search.fill("")
        for kind, fits in (
            ("with something to do", lambda row: row["windows"]),
            ("with history to fill in", lambda row: row["history"]),
            ("with late changes due", lambda row: row["late_changes"]),
            ("that failed in the last run", lambda row: row["holes"]),
            ("with pending exports", lambda row: row["pending"]),
            ("with exports left for a later run", lambda row: row["left"]),
            ("with nothing to do", lambda row: not row["windows"]),
        ):
            page.get_by_label("Show", exact=True).select_option(label=kind)
            found = {(row[0], row[1]) for row in shown.rows()}
            assert found == {(r["merchant_id"], r["stream"]) for r in rows if fits(r)}
            assert 0 < len(found) < 6000

        search.fill("nobody")
        assert shown.rows() == []
        assert page.get_by_text("No stream fits the search.").is_visible()


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_phone(browser: Browser, tmp_path: Path, scheme: Any, zone: str) -> None:
    """At 360 px nothing has to be scrolled sideways, long names neither."""
    items = [
        *many(20),
        work("W" * 80, region="eu", behind=400, pending=(380, 360), holes=((450, 400),)),
    ]
    file = save(planned(items, max_run_hours=12), tmp_path)
    with look(browser, file, color_scheme=scheme, timezone_id=zone, **PHONE) as shown:
        assert shown.page.evaluate("document.documentElement.scrollWidth") == 360
        wide = shown.page.evaluate(
            """[...document.querySelectorAll("body *:not(.sr):not(.skip)")]
            .filter((e) => e.getClientRects().length && e.tagName !== "path")
            .filter((e) => e.getBoundingClientRect().right > 361 && !e.closest("svg"))
            .map((e) => e.outerHTML.slice(0, 80))"""
        )
        assert wide == []
        row = shown.page.locator(".streams > tbody > tr").first
        strip = row.locator("td.strip svg").bounding_box()
        assert strip
        assert strip["width"] > 300
        assert "exports" not in row.inner_text()
        hours = shown.page.locator(".regions").bounding_box()
        assert hours
        assert hours["height"] < 370


def test_both_schemes(browser: Browser, small: Path) -> None:
    """The page follows the viewer's colour scheme."""
    grounds = []
    for scheme in SCHEMES:
        with look(browser, small, color_scheme=scheme) as shown:
            grounds.append((shown.style("html", "backgroundColor"), shown.style("h1", "color")))

    assert grounds == [
        ("rgb(251, 250, 246)", "rgb(27, 34, 48)"),
        ("rgb(18, 22, 30)", "rgb(232, 234, 239)"),
    ]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_print(browser: Browser, small: Path, scheme: Any) -> None:
    """On paper it is light, without controls, a real table whose head comes again on each page."""
    with look(browser, small, color_scheme=scheme) as shown:
        shown.page.emulate_media(media="print")
        assert shown.style("html", "backgroundColor") == "rgb(255, 255, 255)"
        assert shown.style("h1", "color") == "rgb(27, 34, 48)"
        assert shown.style(".streams", "display") == "table"
        assert shown.style(".streams thead", "display") == "table-header-group"
        assert shown.style(".streams tbody tr", "display") == "table-row"
        assert not shown.page.locator("#filter").is_visible()
        assert not shown.page.locator(".views").is_visible()
        paper = shown.page.pdf(prefer_css_page_size=True)
        assert len(re.findall(rb"/Type /Page\b", paper)) in (2, 3)


def test_without_scripts(browser: Browser, small: Path) -> None:
    """Without JavaScript the table is there, strips and views too; the search is not."""
    with look(browser, small, java_script_enabled=False) as shown:
        page = shown.page
        assert page.locator(".streams > tbody > tr").count() == 20
        assert page.locator(".streams > tbody > tr").first.is_visible()
        assert not page.get_by_label("Search").is_visible()
        assert not page.get_by_text("Your time").first.is_visible()
        before = page.locator("td.strip path").first.bounding_box()
        page.get_by_text("2 weeks", exact=True).click()
        after = page.locator("td.strip path").first.bounding_box()
        assert before
        assert after
        assert after["width"] > 1.5 * before["width"]


def test_views_by_keyboard(browser: Browser, big: Path) -> None:
    """Arrow keys change the stretch of time; its axis and strips change with it."""
    with look(browser, big) as shown:
        page = shown.page
        chosen = "document.querySelector('.views input:checked').labels[0].textContent"
        assert page.evaluate(chosen) == "All"
        page.get_by_label("All", exact=True).focus()
        seen = []
        for _ in range(3):
            page.keyboard.press("ArrowLeft")
            axes = page.locator(".axis").evaluate_all(
                "axes => axes.map((axis) => getComputedStyle(axis).display)"
            )
            seen.append((page.evaluate(chosen), axes.index("block"), axes.count("block")))
        assert seen == [("1 year", 2, 1), ("3 months", 1, 1), ("2 weeks", 0, 1)]


def test_strips_stand_where_their_times_are(browser: Browser, tmp_path: Path) -> None:
    """On the axis of everything, parts lie in proportion to their times."""
    items = [
        work(
            *("AAAA1111AAAA1", "orders"),
            days=100,
            since=80,
            behind=50,
            late=60,
            lookback=5,
            pending=(30, 20),
            holes=((90, 80),),
        ),
        work("B2", days=100),
    ]
    with look(browser, save(planned(items), tmp_path)) as shown:
        shown.page.get_by_text("All", exact=True).click()
        parts = shown.page.evaluate(
            """() => {
            const row = [...document.querySelectorAll(".streams > tbody > tr")]
              .find((row) => row.cells[0].textContent === "AAAA1111AAAA1");
            const frame = row.querySelector("svg").getBoundingClientRect();
            return [...row.querySelectorAll("path")].map((path) => {
              const box = path.getBoundingClientRect();
              const percent = (x) => Math.round(100 * (x - frame.left) / frame.width);
              return [path.getAttribute("class"), percent(box.left), percent(box.right)];
            });}"""
        )
        assert parts == [
            ["p", 0, 20],
            ["e", 20, 40],
            ["t", 40, 45],
            ["a", 45, 50],
            ["p", 50, 70],
            ["q", 70, 80],
            ["p", 80, 100],
            ["x", 10, 20],
        ]


@pytest.mark.parametrize(
    ("zone", "us", "eu"),
    [
        ("Asia/Tokyo", "Tue 19:00 \u2013 Wed 00:00", "Wed 10:00 \u2013 14:00"),
        ("America/New_York", "Tue 05:00 \u2013 10:00", "Tue 20:00 \u2013 Wed 00:00"),
    ],
)
def test_the_viewers_own_time(browser: Browser, small: Path, zone: str, us: str, eu: str) -> None:
    """Opening hours and the end are told in the viewer's time, too."""
    with look(browser, small, timezone_id=zone, locale="de-DE") as shown:
        for region, when in (("us", us), ("eu", eu)):
            card = shown.page.locator("article").filter(has=shown.page.locator(f"#region-{region}"))
            assert card.get_by_role("row", name="Your time").locator("td").inner_text() == when
        assert "At your place that is " in shown.page.locator("header").inner_text()


def test_a_viewer_in_utc_is_told_no_time_twice(browser: Browser, small: Path) -> None:
    """Where the viewer's time is UTC it is not said again."""
    with look(browser, small, timezone_id="UTC") as shown:
        assert not shown.page.get_by_text("Your time").first.is_visible()
        assert "At your place" not in shown.page.locator("header").inner_text()


def test_no_word_is_broken_and_no_row_is_blank(browser: Browser, tmp_path: Path) -> None:
    """Streams and regions stand in one line; a picture of the whole page shows every row."""
    items = [work("AAAA1111AAAA1", "payments", region="sandbox"), *many(12)]
    with look(browser, save(planned(items, max_run_hours=1), tmp_path)) as shown:
        page = shown.page
        heights = page.locator(".streams > tbody > tr td:nth-child(-n + 3)").evaluate_all(
            "cells => cells.map((cell) => cell.getClientRects()[0].height)"
        )
        assert len(heights) == 50
        assert max(heights) < 24
        assert shown.style(".streams > tbody > tr", "contentVisibility") == "visible"


def test_for_those_who_do_not_see_it(browser: Browser, small: Path) -> None:
    """Headings, tables, clocks and controls have roles and names; strips are told in words."""
    for options in ({}, PHONE):
        with look(browser, small, **options) as shown:
            page = shown.page
            names = [heading.inner_text() for heading in page.get_by_role("heading").all()]
            assert names[1:] == [
                "Opening hours",
                *(f"{name.upper()} {host}" for name, host in HOSTS.items()),
                "Settings",
                "Streams the most behind first; times in UTC; numbers are exports, a window each",
            ]
            assert page.get_by_role("img", name="Clock of").count() == (0 if options else 3)
            table = page.get_by_role("region", name="Streams").get_by_role("table")
            assert table.get_by_role("columnheader").count() == 11
            assert table.get_by_role("rowheader").count() == 20
            row = table.get_by_role("row").filter(has_text="M0001ABCDEFGH").first
            assert row.get_by_role("cell").count() == 10
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.textContent") == "Go to the streams"
            page.keyboard.press("Enter")
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.id") == "search"


HOSTS = {"eu": "api.eu.clover.com", "la": "api.la.clover.com", "us": "api.clover.com"}


def test_hostile_names_do_nothing(browser: Browser, tmp_path: Path) -> None:
    """Names that try to be code are shown as they are, and found."""
    items = [work(name, behind=5) for name in HOSTILE]
    with look(browser, save(planned(items), tmp_path)) as shown:
        shown.page.on("dialog", lambda dialog: shown.said.append(dialog.message))
        assert sorted(row[0] for row in shown.rows()) == sorted(HOSTILE)
        shown.page.get_by_label("Search").fill(HOSTILE[0])
        assert [row[0] for row in shown.rows()] == [HOSTILE[0]]
        assert shown.page.locator("img, script").count() == 1
