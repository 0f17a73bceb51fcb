"""Every sentence in the tap's source that a user may read as an error, found without a run."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import tap_clover_export

SOURCE = Path(tap_clover_export.__file__).parent

STRANGERS = {"simulator", "demo", "airflow"}
NO_ERRORS = {"preview", "progress", "plan"}
"""Rooms and modules that say how a run is or will be, and never why it fails ..."""

ERRORS = {"summary"}
"""... but for this module of theirs."""

NOT_SAID = {"compile", "cast", "info", "debug", "Property", "Option"}
NOT_SAID |= {"text", "send_header", "_say", "_ask"}
"""Calls whose text is a pattern, a type, a help, SQL, what a login asks for and says, or a line of
the log that is no trouble."""

SWALLOWED = {"{} is not a time such as 2026-01-31T00:00:00Z"}
"""Whoever catches these says it in other words."""

_WORD = re.compile(r"[A-Za-z']{2,}")
_LOGGED = re.compile(r"%\.?\d*[sdgf]")


class _Strings(ast.NodeVisitor):
    """Collects the texts, `{}` for what is put into them; nothing of docstrings and types."""

    def __init__(self, skipped: set[str]) -> None:
        self.skipped = skipped
        self.found: set[str] = set()

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value:
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        names = {target.attr for target in node.targets if isinstance(target, ast.Attribute)}
        if "help" not in names:
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for statement in node.body:
            self.visit(statement)

    def visit_Call(self, node: ast.Call) -> None:
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name not in self.skipped:
            self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        self.found.add("".join(map(str, parts)))
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.visit(part.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.found.add(_LOGGED.sub("{}", node.value))


def errors() -> set[str]:
    """What stands anywhere and has three words, unless it is known to be no error."""
    found = set()
    for path in _modules():
        if path.stem in ERRORS or not {path.stem, path.parent.name} & NO_ERRORS:
            found |= _strings(path, NOT_SAID)
    return {text for text in found - SWALLOWED if " " in text and len(_WORD.findall(text)) >= 3}


def everything() -> set[str]:
    """Every text with a word in it, lines that are no trouble included."""
    found = set[str]().union(*(_strings(path, set()) for path in _modules()))
    return {text for text in found if _WORD.search(text.replace("{}", ""))}


def pattern(text: str) -> re.Pattern[str]:
    """Finds a sentence, whatever is put into it."""
    return re.compile(".*".join(map(re.escape, re.split(r"\{\}(?: \{\})*", text))))


def _modules() -> list[Path]:
    """The tap's own, without the simulator, the demo and the DAGs."""
    return [path for path in SOURCE.rglob("*.py") if path.parts[len(SOURCE.parts)] not in STRANGERS]


def _strings(path: Path, skipped: set[str]) -> set[str]:
    strings = _Strings(skipped)
    strings.visit(ast.parse(path.read_text(encoding="utf-8")))
    return strings.found
