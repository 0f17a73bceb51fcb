"""The tap's entry of meltano.yml in the form of Meltano's hub.

`python -m tests.support.hub` brings plugins/extractors/tap-clover-export.yml in step.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "plugins" / "extractors" / "tap-clover-export.yml"
OWN = {
    "domain_url",
    "keywords",
    "maintenance_status",
    "pip_url",
    "prereq",
    "quality",
    "repo",
    "settings_preamble",
    "variant",
}
"""Keys that only the hub's file knows, or that it fills in otherwise."""


def entry() -> dict[str, Any]:
    """The tap's entry in this project's meltano.yml."""
    project = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
    found: dict[str, Any] = project["plugins"]["extractors"][0]
    return found


def text(definition: dict[str, Any], entry: dict[str, Any]) -> str:
    """Write a definition as the hub keeps them: all in alphabetical order, without comments.

    Args:
        definition: Where the hub's own keys come from.
        entry: Where the rest does.
    """
    own = {key: value for key, value in definition.items() if key in OWN}
    merged = {**entry, **own}
    merged["capabilities"] = sorted(merged["capabilities"])
    merged["keywords"] = sorted(merged["keywords"])
    merged["settings"] = sorted(merged["settings"], key=lambda setting: str(setting["name"]))
    return yaml.safe_dump(merged, allow_unicode=True)


if __name__ == "__main__":
    FILE.write_text(text(yaml.safe_load(FILE.read_text(encoding="utf-8")), entry()), "utf-8")
