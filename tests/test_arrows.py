"""The way of the data goes one way: who imports whom, read from the code itself."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import tap_clover_export

PACKAGE = Path(tap_clover_export.__file__).parent
NAME = "tap_clover_export"

ORDER = [
    {"secret", "times", "pauses", "cleaning", "schemas", "tally", "bell"},
    {"windows", "availability", "wire", "chronicle", "meters"},
    {"fields", "spool", "display", "tokens", "bookmarks", "records", "doors"},
    {"merchants"},
    {"settings"},
    {"auth"},
    {"client"},
    {"exports"},
    {"exporter", "plan"},
    {"schedule", "estimate", "strips", "axis", "dial"},
    {"outlook"},
    {"queue", "page"},
    {"messages"},
    {"run"},
    {"emission", "command"},
    {"streams"},
    {"tap"},
    {"__main__"},
]
"""The rooms from the bottom up: each may import from those below, never across or up."""

SINGER = {"tap", "streams", "emission", "messages", "meters", "command"}
HTTP = {"client", "auth", "wire"}
PURE = {
    "windows",
    "availability",
    "times",
    "cleaning",
    "plan",
    "outlook",
    "estimate",
    "strips",
    "axis",
    "dial",
    "bookmarks",
    "records",
    "schedule",
}
IMPURE = {"requests", "socket", "threading", "os", "time", "tempfile", "subprocess", "urllib3"}


def imports(path: Path, *, runtime: bool = False) -> set[str]:
    """The modules that a file imports, by their dotted names.

    Args:
        path: The file.
        runtime: Whether what only type checkers see is left out.
    """
    tree = ast.parse(path.read_text())
    if runtime:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                node.body = [ast.Pass()]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rooms() -> dict[str, Path]:
    """The tap's own modules, without the simulator and the demo."""
    files = {path.stem: path for path in PACKAGE.glob("*.py") if path.stem != "__init__"}
    files.pop("demo", None)
    return files | {"schemas": PACKAGE / "schemas" / "__init__.py"}


def own(found: set[str]) -> set[str]:
    """The tap's own modules among imports."""
    names = {name.split(".")[1] for name in found if name.startswith(f"{NAME}.")}
    return names & set(rooms())


def test_every_room_has_its_floor() -> None:
    """A new module has to be given its place."""
    assert set(rooms()) == set().union(*ORDER)


@pytest.mark.parametrize("room", sorted(rooms()))
def test_arrows_go_one_way(room: str) -> None:
    """A module imports only from the floors below its own."""
    floor = next(number for number, names in enumerate(ORDER) if room in names)
    below = set().union(*ORDER[:floor])
    assert own(imports(rooms()[room], runtime=True)) - {room} <= below


@pytest.mark.parametrize("room", sorted(rooms()))
def test_who_knows_singer(room: str) -> None:
    """Only these modules know the SDK."""
    knows = any(name.split(".")[0] == "singer_sdk" for name in imports(rooms()[room]))
    assert not knows or room in SINGER


@pytest.mark.parametrize("room", sorted(rooms()))
def test_who_speaks_http(room: str) -> None:
    """Only these modules speak HTTP."""
    speaks = {name.split(".")[0] for name in imports(rooms()[room])} & {"requests", "urllib3"}
    assert not speaks or room in HTTP


@pytest.mark.parametrize("room", sorted(PURE))
def test_pure_rooms(room: str) -> None:
    """Planning and reading touch neither the net, the disk, the clock nor threads."""
    assert not {name.split(".")[0] for name in imports(rooms()[room], runtime=True)} & IMPURE


def test_simulator_and_tap_are_strangers() -> None:
    """The simulator imports nothing of the tap, and nothing of the tap imports it."""
    for path in (PACKAGE / "simulator").glob("**/*.py"):
        outside = {name for name in imports(path) if name.startswith(NAME)}
        assert all(name.startswith(f"{NAME}.simulator") for name in outside), path
    for path in rooms().values():
        assert not any(name.startswith(f"{NAME}.simulator") for name in imports(path)), path
