"""The page of `--plan=html`: what it holds and what it must not hold."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import subprocess
import sys
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.harness import ONE, TWO, clover, command, config_for, write_config
from tests.support.plans import TOKEN, many, planned, work

if TYPE_CHECKING:
    from pathlib import Path

CSS = resources.files("tap_clover_export").joinpath("preview/templates/plan.css").read_text()


def sentence(page: str) -> str:
    """The heading, without markup."""
    found = re.search(r"<h1>(.*?)</h1>", page, re.DOTALL)
    assert found
    text = html.unescape(re.sub(r"<.*?>", "", found[1]))
    return " ".join(text.replace(" ,", ",").split())


@pytest.mark.parametrize(
    ("items", "config", "words"),
    [
        (
            [work(behind=2), work(stream="payments", behind=3, pending=(10, 1))],
            {},
            (
                "The next run would ask Clover for 2 exports and resume 1 pending one, for 1 of "
                "1 merchant; it could end on Tue 3 March 2026, 12:09 UTC."
            ),
        ),
        (
            [work(behind=2), work("B2", behind=0)],
            {},
            (
                "The next run would ask Clover for 1 export for 1 of 2 merchants; it could end on "
                "Tue 3 March 2026, 12:03 UTC."
            ),
        ),
        (
            [work(behind=0)],
            {},
            "Nothing is missing: the next run would ask Clover for nothing.",
        ),
        (
            [work(behind=2, region="eu")],
            {"max_run_hours": 2},
            "The next run would ask Clover for nothing: no opening hour lies within max_run_hours.",
        ),
        ([], {}, "Nothing is missing: the next run would ask Clover for nothing."),
    ],
)
def test_the_sentence(items: list[Any], config: dict[str, Any], words: str) -> None:
    """The heading says in a sentence what would happen."""
    assert sentence(planned(items, **config).html) == words


def test_max_run_hours_leaves_some() -> None:
    """What a short run does not reach is counted, drawn and said."""
    items = [work(days=300), work("B2", behind=1, number=1)]
    plan = planned(items, max_run_hours=0.25)

    # five places in a quarter of an hour: the new days first, then the history's newest
    assert (plan.overview["exports"], plan.overview["left"]) == (5, 6)
    assert [row["left"] for row in plan.overview["streams"]] == [6, 0]
    assert plan.overview["end"] == "2026-03-03T12:15:00.000Z"
    assert "max_run_hours leaves 6 exports for a later run." in plan.html
    assert plan.html.count('<path class="l" d="M-') == 1
    assert "for a later run (max_run_hours)</li>" in plan.html
    assert planned(items, max_run_hours=9).html.count('class="l"') == 0


def test_signs_and_words_of_what_is_there() -> None:
    """The legend explains what is drawn, and nothing else; what failed is said in words, too."""
    holes = ((330, 300),)
    plain = planned([work(behind=0)]).html
    page = planned([work(behind=1, since=300, late=90, holes=holes), work(region="sandbox")]).html
    signs = [re.findall(r"</svg>(.*?)</li>", text) for text in (plain, page)]

    assert signs == [
        ["exported"],
        [
            "exported",
            "look-back, exported again",
            "exported again for late changes",
            "planned, window by window",
            "failed in the last run",
        ],
    ]
    assert "New days: 2 exports; history: 57; late changes: 3." in page
    assert "that failed in the last run</option>" in page
    assert "that failed in the last run</option>" not in plain
    hole = re.search(r'<span class="hole">(.*?)</span></span>', page)
    assert hole
    words = html.unescape(re.sub("<.*?>", "", hole[1]))
    assert words == "failed: 2025-04-07 12:00 \u2192 2025-05-07 12:00"
    assert "Always open" in page
    assert "Always open" not in plain


def test_settings_that_matter() -> None:
    """The settings that decide the plan stand on the page."""
    page = planned([work()], lookback_days="3.5", max_run_hours=6, end_date="2026-12-24").html
    shown = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page))

    assert shown == {
        "start_date": "2023-06-07 12:00",
        "end_date": "2026-12-24 00:00",
        "lookback_days": "3.5",
        "late_changes_days": "90",
        "late_changes_every_days": "30",
        "window_days": "30",
        "max_concurrent_exports": "1",
        "max_run_hours": "6",
        "max_wait_hours": "24",
    }


HOSTILE = (
    "</script><script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "--><svg/onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "\u202eevil\u2028\U0001f4a3&amp;",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_text(name: str) -> None:
    """Whatever a merchant or stream is called, it is shown as text."""
    plain = planned([work("M", "S")]).html
    page = planned([work(name, name)]).html

    assert html.unescape(page).count(name) == 2
    assert re.findall(r"<\w+", page) == re.findall(r"<\w+", plain)


def test_it_is_ascii() -> None:
    """No locale of a terminal or editor can spoil the page."""
    assert planned([work("\u00e9\u4e2d")]).html.isascii()


def test_the_policy_allows_its_own_script_and_style_only() -> None:
    """Nothing is loaded from anywhere, and only what the tap wrote is run."""
    page = planned(many(3)).html
    found = re.search(r'http-equiv="Content-Security-Policy" content="(.*?)"', page)
    assert found
    policy = html.unescape(found[1])

    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for kind in ("style", "script"):
        (text,) = re.findall(rf"<{kind}>(.*?)</{kind}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert not re.search(r"""(src|href)=(?!"#|"data:,")|url\(|@import|https?:|\sstyle=""", page)


def test_no_secret(tmp_path: Path) -> None:
    """Tokens, the path of api_url and ids of exports stay out."""
    config = {
        "merchants": [
            {"merchant_id": ONE, "access_token": "api-t0ken"},
            {"merchant_id": TWO, "refresh_token": "refresh-t0ken"},
        ],
        "client_id": "the-client",
        "api_url": "https://proxy.example/signed-p4th",
        "start_date": "2026-01-01",
    }
    pending = {"id": "EXP0RT", "start": "2026-01-01", "end": "2026-01-02", "created": "2026-01-02"}
    entry = {"context": {"merchant_id": ONE}, "pending_exports": [pending]}
    state = tmp_path / "state.json"
    state.write_text(json.dumps({"bookmarks": {"orders": {"partitions": [entry]}}}))
    done = command("--config", write_config(tmp_path, config), "--state", str(state), "--plan=html")

    assert done.returncode == 0
    assert ONE in done.stdout
    assert "proxy.example" in done.stdout
    for secret in ("api-t0ken", "refresh-t0ken", "the-client", "signed-p4th", "EXP0RT"):
        assert secret not in done.stdout
    assert TOKEN not in planned(many(5)).html


def test_the_command_asks_nothing(tmp_path: Path) -> None:
    """`--plan=html` writes the page of what `--plan=json` says; Clover is asked nothing."""
    with clover(merchants=(ONE, TWO), days=70) as simulator:
        config = write_config(tmp_path, config_for(simulator, end_date="2026-03-03T12:00:00Z"))
        plan = json.loads(command("--config", config, "--plan=json").stdout)
        page = command("--config", config, "--plan=html").stdout
        assert simulator.requests == []

    assert page.startswith("<!doctype html>")
    assert page.endswith("</html>\n")
    assert f"ask Clover for {plan['exports']} exports for 2 of 2 merchants" in sentence(page)
    assert "Bookmarks: no --state is given, so everything from start_date on." in page
    assert "Bookmarks: those of --state state.json." in planned(many(1)).html
    assert "Bookmarks: no bookmarks in --state state.json, so " in planned([work()]).html


def test_an_unknown_form_is_said(tmp_path: Path) -> None:
    """A form of the plan that does not exist ends in a sentence with those that do."""
    done = command("--config", write_config(tmp_path, {}), "--plan=pdf")

    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1] == (
        "Error: Invalid value for '--plan': 'pdf' is not one of 'text', 'json', 'html'."
    )
    assert "--plan=html" in command("--help").stdout


def test_a_run_loads_no_templates() -> None:
    """The template library costs a run no start time."""
    code = "import tap_clover_export.tap, sys; sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_three_thousand_merchants_are_a_few_megabytes() -> None:
    """The page stays small."""
    assert len(planned(many(3000)).html) < 4_000_000


def _luminance(color: str) -> float:
    parts = (int(color[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_contrast(scheme: int) -> None:
    """Text has 4.5 : 1 at least, signs 3 : 1 (WCAG AA), in both schemes."""
    blocks = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    colors = dict(re.findall(r"--(\w+): (#\w{6});", blocks[scheme]))
    text, signs = (
        ("ink", "soft", "open", "hole"),
        ("done", "again", "late", "plan", "pending", "focus"),
    )

    for ground in ("paper", "card"):
        for name in (*text, *signs):
            light, dark = sorted((_luminance(colors[name]), _luminance(colors[ground])))[::-1]
            contrast = (light + 0.05) / (dark + 0.05)
            assert contrast >= (4.5 if name in text else 3), f"{name} on {ground}: {contrast:.2f}"
