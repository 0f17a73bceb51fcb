"""The documents in step with the code: messages, links, and what they name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tap_clover_export.progress.trace import TRACE
from tap_clover_export.settings.settings import FILE_LIMIT
from tap_clover_export.tap import OWN_SETTINGS, TapCloverExport
from tests.support import columns, messages_in_source

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
TROUBLES = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([^`]+)` \|", TROUBLES, re.MULTILINE)
SPANS = re.findall(r"`([^`\n]+)`", TROUBLES)


@pytest.mark.parametrize("sentence", sorted(messages_in_source.errors()))
def test_every_error_stands_in_troubleshooting(sentence: str) -> None:
    """Whatever sentence the tap can end with or warn of, word by word, `…` for what differs."""
    assert any(messages_in_source.pattern(sentence).search(span) for span in SPANS)


def test_no_row_of_troubleshooting_is_out_of_date() -> None:
    """Each message that the page has is one that the source has, to its end."""
    known = messages_in_source.everything()
    assert len(ROWS) > 90
    assert [row for row in ROWS if not any(_is(row, text) for text in known)] == []
    assert sorted(set(ROWS)) == sorted(ROWS)


def _is(row: str, text: str) -> bool:
    """Whether a row is a text of the source, most of it word by word."""
    letters = sum(map(str.isalpha, text)), sum(map(str.isalpha, row))
    return bool(messages_in_source.pattern(text).fullmatch(row)) and letters[0] >= letters[1] / 2


def _prose(page: Path) -> str:
    """A page without its blocks of code."""
    text = page.read_text(encoding="utf-8")
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link has its file, and every anchor its heading."""
    prose = re.sub(r"`[^`\n]*`", "", _prose(page))
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in _anchors(target), link


def test_every_page_is_in_the_index() -> None:
    """docs/README.md names all of them, and the README the index."""
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index
    assert "docs/README.md" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_names_the_two_commands() -> None:
    """The main job and the tests, as CI runs them."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in ("make demo", "make test"):
        assert f"`{command}`" in readme
    assert "\nmake test\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_variables_are_settings(page: Path) -> None:
    """Every variable of the tap's that a page names is one that it reads."""
    named = set(re.findall(r"TAP_CLOVER_EXPORT_[A-Z_]+\b", page.read_text(encoding="utf-8")))
    schema: dict[str, Any] = {"properties": {}}
    TapCloverExport.append_builtin_config(schema)
    known = {
        f"TAP_CLOVER_EXPORT_{name.upper()}" for name in OWN_SETTINGS | set(schema["properties"])
    }
    assert named - known - {FILE_LIMIT, TRACE, "TAP_CLOVER_EXPORT_"} == set()


def test_the_first_loader_is_the_one_that_is_tested() -> None:
    """The loader that a new project is given is that of this repository's meltano.yml."""
    file = ROOT / "plugins" / "loaders" / "target-postgres.yml"
    given = yaml.safe_load(file.read_text(encoding="utf-8"))
    plugins = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))["plugins"]
    (ours,) = (one for one in plugins["loaders"] if one["name"] == given["name"])
    for setting in ours["settings"]:
        if setting["name"] in ours["config"]:
            setting["value"] = ours["config"][setting["name"]]
    del ours["config"]
    ours["settings"].sort(key=lambda setting: str(setting["name"]))
    assert given == ours | {"variant": given["variant"]}


def test_the_columns_are_the_schemas() -> None:
    """Where they are not, `python -m tests.support.columns` writes the page."""
    assert columns.FILE.read_text(encoding="utf-8") == columns.text()
