"""A login in a real Chromium, from the command to the first refresh."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.support.harness import ONE, TWO, clover, command, config_for, write_config
from tests.support.ports import quiet_port

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser


def test_a_merchant_agrees_in_a_browser(browser: Browser, tmp_path: Path) -> None:
    """The command waits, the merchant presses a button, the window says so, the token is good."""
    port = quiet_port()
    with clover(merchants=(ONE, TWO), days=2) as shop:
        given = {
            "client_id": "CLIENT",
            "client_secret": "SECRET",
            "token_store": str(tmp_path / "tokens"),
        }
        settings = config_for(shop, merchants=[]) | given
        arguments = ["--config", write_config(tmp_path, settings), f"--login={port}"]
        with subprocess.Popen(
            [sys.executable, "-m", "tap_clover_export", *arguments],
            stdout=subprocess.PIPE,
            text=True,
            env={"BROWSER": "true", "PATH": "/usr/bin:/bin"},
        ) as process:
            assert process.stdout
            process.stdout.readline()
            context = browser.new_context()
            page = context.new_page()
            said: list[str] = []
            page.on("console", lambda message: said.append(message.text))
            page.goto(process.stdout.readline().strip())
            page.get_by_role("button", name=TWO).click()
            page.wait_for_url(f"http://127.0.0.1:{port}/*")
            assert "This window can be closed" in page.inner_text("body")
            assert said == []
            context.close()
            output, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        (line,) = [one for one in output.splitlines() if one.startswith("  merchants: ")]
        settings["merchants"] = json.loads(line.partition(": ")[2])
        done = command("--config", write_config(tmp_path, settings), "--test")
        assert done.stdout == f"{TWO} (sandbox): accepted.\n", done.stderr
