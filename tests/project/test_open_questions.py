"""The commands of docs/open-questions.md, each run as it stands, and what its answer tells apart.

Only the region's address, the ids and the days are the local Clover's.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.harness import ONE, TOKENS, clover, iso

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_clover_export.simulator import Simulator

PAGE = (Path(__file__).parents[2] / "docs" / "open-questions.md").read_text(encoding="utf-8")
COMMANDS = dict(
    re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
)


class Asked:
    """The page's commands in a folder with a `sandbox.json` that leads to a local Clover."""

    def __init__(self, folder: Path, simulator: Simulator, **config: Any) -> None:
        self.simulator = simulator
        self._folder = folder
        usual = {
            "region": "sandbox",
            "merchant_id": ONE,
            "access_token": TOKENS[ONE],
            "start_date": iso(simulator.clock.now() - 6 * 86_400),
            "api_url": simulator.url,
            "poll_interval_seconds": 0.2,
            "max_concurrent_exports": 2,
        }
        (folder / "sandbox.json").write_text(json.dumps(usual | config), encoding="utf-8")

    def run(self, question: str, **instead: str) -> str:
        """What a question's command answers, with some of its words replaced."""
        command = COMMANDS[question].replace(
            "https://apisandbox.dev.clover.com", self.simulator.url
        )
        for word, other in instead.items():
            assert word in command
            command = command.replace(word, other)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["sh", "-c", command],
            cwd=self._folder,
            env=os.environ | {"PATH": path, "TOKEN": TOKENS[ONE], "MERCHANT": ONE},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        ).stdout


@pytest.fixture
def asked(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Asked]:
    """A local Clover of now, with the options that the test names."""
    options = getattr(request, "param", {})
    with clover(**{"now": None, "days": 9, "orders_per_day": 30} | options) as simulator:
        simulator.clock.frozen = False
        yield Asked(tmp_path, simulator)


def having(**options: Any) -> pytest.MarkDecorator:
    """The local Clover's options."""
    return pytest.mark.parametrize("asked", [options], indirect=True, ids=[""])


def _day(now: datetime, before: float) -> str:
    return (now - timedelta(days=before)).date().isoformat()


def test_every_question_with_a_command_is_run_here() -> None:
    """A new command on the page has to be tried, too."""
    tests = Path(__file__).read_text(encoding="utf-8")
    assert len(COMMANDS) >= 10
    assert [question for question in COMMANDS if f'"{question}"' not in tests] == []


@pytest.mark.parametrize("field", ["createdTime", "modifiedTime"])
def test_the_field_of_the_windows(tmp_path: Path, field: str) -> None:
    """The log names the one that the windows go by."""
    with clover(now=None, days=9, orders_per_day=30, window_field=field) as simulator:
        said = Asked(tmp_path, simulator).run("createdTime or modifiedTime?")
    assert f"windows of payments hold {field}" in said


@pytest.mark.parametrize(
    ("bounds", "times"), [("half-open", "1"), ("open-closed", "1"), ("closed", "2")]
)
def test_bounds(tmp_path: Path, bounds: str, times: str) -> None:
    """A record on the edge of two windows comes once or twice."""
    with clover(now=None, days=9, orders_per_day=30, bounds=bounds) as simulator:
        now = simulator.clock.now() * 1000
        rows = simulator.records(ONE, "ORDERS")
        order = next(row for row in rows if now - 5e8 < row["modifiedTime"] < now - 2e8)
        edge = order["modifiedTime"] / 1000
        answer = Asked(tmp_path, simulator).run(
            "Are bounds inclusive?",
            ORDER_ID=order["id"],
            **{
                "2026-11-05T09:30:00.000Z": iso(edge - 86_400),
                "2026-11-07T09:30:00.000Z": iso(edge + 86_400),
            },
        )
    assert answer.strip() == times


@pytest.mark.parametrize("refused", [True, False])
def test_exactly_30_days(tmp_path: Path, refused: bool) -> None:
    """The log says that a window of 30 days was refused, or only the summary."""
    now = datetime.now(UTC)
    with clover(now=None, days=40, orders_per_day=3, refuse_exactly_max=refused) as simulator:
        said = Asked(tmp_path, simulator).run(
            "Are exactly 30 days allowed?",
            **{"2026-10-01": _day(now, 35), "2026-10-31": _day(now, 5)},
        )
    found = re.search(r" as a whole \(400 .*\); trying it as two halves\.", said)
    assert (found is not None) is refused
    assert "Summary of orders" in said


@pytest.mark.parametrize(("places", "enough"), [(4, True), (2, False)])
def test_exports_at_a_time(tmp_path: Path, places: int, enough: bool) -> None:
    """No 503 where this number is taken."""
    with clover(now=None, days=9, max_concurrent=places, export_seconds=0.5) as simulator:
        simulator.clock.frozen = not enough
        over = threading.Event()

        def go_on_after_a_refusal() -> None:
            """Let no export end before; else a slow machine asks for one after the other."""
            while not over.wait(0.01):
                if any(request.status == 503 for request in simulator.requests):
                    simulator.clock.frozen = False

        thread = threading.Thread(target=go_on_after_a_refusal)
        thread.start()
        try:
            answer = Asked(tmp_path, simulator).run("How many exports at a time?")
        finally:
            over.set()
            thread.join()
    assert (int(answer) == 0) is enough


@having(foreign_exports=3)
def test_words_of_a_503(asked: Asked) -> None:
    """The head and the body come as they are."""
    answer = asked.run("What does a 503 say?")
    assert re.match(r"HTTP/1.1 503 ", answer)
    assert "busy" in answer.lower() or "concurrent" in answer.lower()


def test_polls_outside_the_hours(asked: Asked) -> None:
    """Each request shows with its status."""
    said = asked.run("Do polls and downloads go on outside the hours?")
    assert re.search(r'"GET /v3/merchants/[^"]*/exports/[^"]*" 200', said)
    assert re.search(r'"POST /v3/merchants/[^"]*/exports[^"]*" 200', said)


@having(days=3, orders_per_day=0, empty_without_key=True)
def test_statuses_and_missing_links(asked: Asked) -> None:
    """Both odd answers are named, and nothing odd is not."""
    asked.simulator.faults.add("poll[AAAA1111AAAA1/ORDERS]:status=FAILED*1")
    said = asked.run("Which statuses are there, and is a link ever missing?")
    assert "with status FAILED" in said
    assert "names no files" in said


def test_a_refund(asked: Asked) -> None:
    """The payment's times and its refund show."""
    payment = asked.simulator.refund(ONE)["payment"]
    time.sleep(1)  # windows end at whole seconds
    said = asked.run("Does a refund move modifiedTime?", PAYMENT_ID=payment)
    assert re.search(r'^"modifiedTime":"\d{4}-', said, re.MULTILINE)
    assert '"refunds":{' in said


def test_nested_objects(asked: Asked) -> None:
    """One payment shows whole."""
    said = asked.run("Which nested objects do files hold?")
    assert json.loads(said)["record"]["tender"]


def test_life_of_a_token(tmp_path: Path) -> None:
    """The store tells when a token was had and when it ends."""
    with clover(
        now=None, merchants=(), refresh_tokens={ONE: "first"}, token_seconds=900
    ) as sandbox:
        config = {"access_token": None, "refresh_token": "first", "client_id": "CLIENT"}
        said = Asked(tmp_path, sandbox, **config).run("How long does an access token live?")
    assert f"{ONE} (sandbox): accepted." in said
    (expires,) = re.findall(r'"access_expires":([\d.]+)', said)
    (obtained,) = re.findall(r'"obtained":([\d.]+)', said)
    assert float(expires) - float(obtained) == pytest.approx(900, abs=10)
