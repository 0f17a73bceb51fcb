"""A loader: what it is set to, and where to read what it loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import yaml

from tests.loaders.environments import pin, program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.loaders.services import Services
    from tests.loaders.tables import Table

MELTANO = yaml.safe_load((Path(__file__).parents[2] / "meltano.yml").read_text())


def plugin(name: str) -> dict[str, Any]:
    """A loader as meltano.yml has it."""
    (found,) = (loader for loader in MELTANO["plugins"]["loaders"] if loader["name"] == name)
    return dict(found)


class Loader:
    """A loader of others.

    Args:
        folder: Where it may keep files.
        services: What it loads into.

    Attributes:
        name: Its environment: a file of `requirements/` without its `.txt`.
        command: Its program.
        settings: How it is set, beside where it loads to.
        note: What else to know; Markdown.
    """

    name: ClassVar[str]
    command: ClassVar[str]
    settings: ClassVar[Mapping[str, Any]] = {}
    note: ClassVar[str] = ""

    def __init__(self, folder: Path, services: Services) -> None:
        self.folder = folder
        self.services = services
        self.program = program(self.name, self.command)

    @property
    def pin(self) -> str:
        """Its package and version, `package==version`."""
        return pin(self.name)

    def place(self) -> Mapping[str, Any]:
        """The settings that say where it loads to."""
        raise NotImplementedError

    def table(self, stream: str) -> Table:
        """What it loaded."""
        raise NotImplementedError

    def line(self) -> list[str]:
        """Its command line."""
        file = self.folder / "loader.json"
        file.write_text(json.dumps({**self.settings, **self.place()}))
        return [self.program, "--config", str(file)]
