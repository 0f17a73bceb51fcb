"""A Meltano project without an installation: this Python's tap and a loader of a few lines."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tap_clover_export.demo.project import SOURCE, TAP, Project
from tests.support.meltano import ForkedProject

if TYPE_CHECKING:
    from collections.abc import Mapping

LOADER = "target-lines"
_LOADER = f"""#!{sys.executable}
import json, pathlib, sys

state = None
with pathlib.Path(sys.argv[sys.argv.index("--config") + 1]).open() as file:
    path = pathlib.Path(json.load(file)["path"])
with path.open("a") as out:
    for line in sys.stdin:
        out.write(line)
        if json.loads(line)["type"] == "STATE":
            state = json.dumps(json.loads(line)["value"])
if state:
    print(state)
"""


class TapProject(ForkedProject):
    """A project whose meltano.yml a test writes.

    Attributes:
        output: Where the loader puts every message.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(
            folder, {"MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false"} | environment, folder
        )
        self.output = folder / "output.jsonl"
        loader = folder / "target.py"
        loader.write_text(_LOADER)
        loader.chmod(0o700)
        self.write({})

    def write(self, plugin: Mapping[str, Any], *others: Mapping[str, Any]) -> None:
        """Write meltano.yml.

        Args:
            plugin: What stands in the tap's entry, beside its definition.
            others: Further extractors.
        """
        ours = yaml.safe_load((SOURCE / "meltano.yml").read_text(encoding="utf-8"))
        (tap,) = (one for one in ours["plugins"]["extractors"] if one["name"] == TAP)
        del tap["pip_url"]
        tap["executable"] = str(Path(sys.executable).with_name(TAP))
        loader = {
            "name": LOADER,
            "namespace": "target_lines",
            "executable": str(self.folder / "target.py"),
            "settings": [{"name": "path"}],
            "config": {"path": str(self.output)},
        }
        content = {
            "default_environment": "dev",
            "environments": [{"name": "dev"}],
            "plugins": {"extractors": [tap | dict(plugin), *others], "loaders": [loader]},
        }
        file = self.folder / "meltano.yml"
        file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def elsewhere(self, folder: Path, *, root: bool) -> Project:
        """The same project for who stands in another folder.

        Args:
            folder: Where.
            root: Whether the environment says where the project is.
        """
        folder.mkdir(exist_ok=True)
        other = Project(self.folder, {}, folder)
        other.environment = self.environment.copy()
        if not root:
            del other.environment["MELTANO_PROJECT_ROOT"]
        return other

    def load(self, *arguments: str, **settings: str) -> list[dict[str, Any]]:
        """Run the tap into the loader; answers the messages that came."""
        self.output.write_bytes(b"")
        self.meltano("run", *arguments, TAP, LOADER, **settings)
        return self.messages()

    def messages(self) -> list[dict[str, Any]]:
        """What the loader got."""
        return [json.loads(line) for line in self.output.read_text().splitlines()]
