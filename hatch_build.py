"""The package's page on an index: its addresses, and a README whose links work there.

`REPOSITORY_URL` names the repository, `https://github.com/OWNER/tap-clover-export`, where a release
is built; an sdist remembers it. Without one the README stays as it is and no address is given.
"""

from __future__ import annotations

import os
import re
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

LABEL = "Repository"
LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^]]*)\]\((?P<path>(?!\w+:)[^)\s]+)\)")


class Page(MetadataHookInterface):
    """Fills in `readme` and `urls`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add both to what pyproject.toml says."""
        root = Path(self.root)
        text = (root / "README.md").read_text(encoding="utf-8")
        address = os.environ.get("REPOSITORY_URL", "").rstrip("/") or remembered(root)
        if address:
            version = metadata["version"]
            at = f"v{version}" if re.fullmatch(r"[\d.]+(?:(?:a|b|rc)\d+)?", version) else "HEAD"
            text = absolute(text, address, at)
            metadata["urls"] = {
                LABEL: address,
                "Documentation": f"{address}/blob/{at}/docs/README.md",
                "Changelog": f"{address}/blob/{at}/CHANGELOG.md",
                "Issues": f"{address}/issues",
            }
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def absolute(text: str, address: str, at: str) -> str:
    """Make links and pictures of a page lead into the repository, at a tag.

    Args:
        text: The page.
        address: The repository's address.
        at: The tag, or `HEAD`.
    """

    def link(found: re.Match[str]) -> str:
        kind, path = "raw" if found["image"] else "blob", found["path"]
        if path.startswith("#"):
            return found[0]
        return f"{found['image']}[{found['text']}]({address}/{kind}/{at}/{path})"

    return LINK.sub(link, text)


def remembered(root: Path) -> str:
    """Tell the address that an sdist was built with."""
    file = root / "PKG-INFO"
    if not file.is_file():
        return ""
    about = HeaderParser().parsestr(file.read_text(encoding="utf-8"))
    lines = about.get_all("Project-URL", [])
    named = dict(line.split(", ", 1) for line in lines)
    return named.get(LABEL, "")
