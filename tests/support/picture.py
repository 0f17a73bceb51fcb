"""The picture of the plan's page: `python -m tests.support.picture` writes docs/plan.png."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.support import plans
from tests.support.browser import FLAGS, installed

FILE = Path(__file__).parents[2] / "docs" / "plan.png"
SHOPS = {
    "HARBORCAFE001": {"behind": 1, "since": 400, "late": 90},
    "MILLSTREET002": {"behind": 1, "since": 400},
    "DOCKSIDE00003": {"behind": 3, "since": 330, "holes": ((360, 330),)},
    "BERLINMITTE04": {"behind": 1.4, "since": 210, "region": "eu"},
    "PARKROW000005": {},
}
"""What the page tells: the usual night, a hole, a history that goes on, a new shop."""


def take() -> None:
    """Show a plan of made-up shops and take its picture."""
    items = [
        plans.work(merchant, stream, days=400, number=2 * number + place, **given)  # type: ignore[arg-type]
        for number, (merchant, given) in enumerate(SHOPS.items())
        for place, stream in enumerate(plans.STREAMS)
    ]
    plan = plans.planned(
        items, start_date="2025-01-27", max_concurrent_exports=2, max_run_hours=1.5
    )
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder, "plan.html")
        file.write_text(plan.html, encoding="utf-8")
        browser = playwright.chromium.launch(
            executable_path=installed(), args=list(FLAGS), chromium_sandbox=False
        )
        page = browser.new_page(viewport={"width": 1200, "height": 800}, timezone_id="UTC")
        page.goto(file.as_uri())
        page.screenshot(path=FILE, full_page=True)
        browser.close()


if __name__ == "__main__":
    take()
