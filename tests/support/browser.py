"""A real Chromium without a window, and what it says while it shows a page."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--proxy-server=127.0.0.1:9",  # nobody listens there
)


def installed() -> str | None:
    """Where a Chromium is installed."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The installed Chromium; without one the tests are skipped."""
    path = installed()
    if path is None:
        pytest.skip(
            f"NOT TESTED IN A BROWSER: none of {', '.join(NAMES)} is installed; "
            "install one (Debian, Ubuntu: apt install chromium)."
        )
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=list(FLAGS), chromium_sandbox=False
        )
        yield browser
        browser.close()


@dataclasses.dataclass
class Look:
    """A page that is shown.

    Attributes:
        page: The page.
        said: What came to the console, errors of scripts and of the policy included.
        asked: Every address that was asked for.
    """

    page: Page
    said: list[str] = dataclasses.field(default_factory=list)
    asked: list[str] = dataclasses.field(default_factory=list)

    def rows(self) -> list[list[str]]:
        """The cells of every row that is shown, as text."""
        rows: list[list[str]] = self.page.evaluate(
            """[...document.querySelectorAll(".streams > tbody > tr:not([hidden])")]
            .map((row) => [...row.cells].map((cell) => cell.textContent))"""
        )
        return rows

    def style(self, selector: str, name: str) -> str:
        """The computed value of a property."""
        found: str = self.page.locator(selector).first.evaluate(
            "(element, name) => getComputedStyle(element)[name]", name
        )
        return found


@contextlib.contextmanager
def look(browser: Browser, file: Path, **options: Any) -> Iterator[Look]:
    """Show a file; afterwards, nothing was said and nothing but the file was asked for.

    Args:
        browser: The browser.
        file: The page.
        options: Of the browser's context, such as `viewport` and `color_scheme`.
    """
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
    shown = Look(context.new_page())
    shown.page.on("console", lambda message: shown.said.append(message.text))
    shown.page.on("pageerror", lambda error: shown.said.append(str(error)))
    shown.page.on("request", lambda request: shown.asked.append(request.url))
    try:
        shown.page.goto(file.as_uri())
        yield shown
        assert not shown.said, shown.said
        assert shown.asked == [file.as_uri()], shown.asked
    finally:
        context.close()
