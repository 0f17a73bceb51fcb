"""How a loader's tables differ from what was sent, seen in what it loaded."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.loaders.books import SCHEMAS, kind
from tests.loaders.tables import Document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.loaders.books import Key, Row
    from tests.loaders.loader import Loader
    from tests.loaders.story import Story
    from tests.loaders.tables import Table

LOWER = "column names in lower case"
NEWLINES = "newline, return and tab in text become `\\n`, `\\r`, `\\t`"
EMPTY = "empty text becomes null"
NULL_OBJECT = "an object that is null or not there becomes JSON `null`"


class Portrait:
    """What a loader made of two nights.

    Args:
        story: The nights.

    Attributes:
        again: What becomes of a record that comes again.
        types: The column types for each kind of field.
        otherwise: In what the rows differ from what was sent.

    Raises:
        AssertionError: They differ in something that has no name yet.
    """

    def __init__(self, story: Story) -> None:
        self.loader: Loader = story.loader
        self.types: dict[str, set[str]] = {}
        self.otherwise: set[str] = set()
        act = story.acts[-1]
        again = set()
        for stream, books in act.books.items():
            table = act.tables[stream]
            again.add("is added" if len(table.rows) > len(books) else "is updated")
            columns = self._columns(stream, table)
            rows = last_rows(table, columns)
            assert set(rows) == set(books)
            for key, expected in books.items():
                self._compare(stream, columns, expected, rows[key])
        (self.again,) = again

    def line(self) -> str:
        """Its row in docs/loaders.md."""
        settings = [
            f"`{name}: {json.dumps(value)}`" for name, value in self.loader.settings.items()
        ]
        cells = [
            self.loader.pin.replace("==", " "),
            self.again,
            "; ".join("/".join(sorted(self.types[kind])) for kind in ("integer", "time", "object")),
            "; ".join(sorted(self.otherwise)) or "nothing",
            "; ".join([", ".join(settings), self.loader.note]).strip("; "),
        ]
        return f"| {' | '.join(cells)} |"

    def _columns(self, stream: str, table: Table) -> dict[str, str]:
        """The column of each field."""
        columns = columns_of(stream, table)
        if any(field != column for field, column in columns.items()):
            self.otherwise.add(LOWER)
        for field, column in columns.items():
            self.types.setdefault(kind(stream, field), set()).add(table.types[column])
        return columns

    def _compare(self, stream: str, columns: Mapping[str, str], sent: Row, found: Row) -> None:
        for field in SCHEMAS[stream]:
            value, landed = sent.get(field), found.get(columns.get(field, field))
            if not self._same(kind(stream, field), value, landed):
                raise AssertionError(
                    f"{self.loader.pin}: {stream} {sent['id']} {field}: {value!r} became {landed!r}"
                )

    def _same(self, of: str, sent: Any, landed: Any) -> bool:
        if of == "object" and sent is None and landed == Document("null"):
            self.otherwise.add(NULL_OBJECT)
            return True
        if of == "text" and sent == "" and landed is None:
            self.otherwise.add(EMPTY)
            return True
        if sent is None or landed is None:
            return sent is landed
        if of == "text" and sent != landed:
            self.otherwise.add(NEWLINES)
            sent = sent.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
        return bool(plain(of, landed) == sent)


def columns_of(stream: str, table: Table) -> dict[str, str]:
    """The column of each field of a stream that has one."""
    lower = {name.lower(): name for name in table.types}
    columns = {
        field: field if field in table.types else lower.get(field.lower())
        for field in SCHEMAS[stream]
    }
    return {field: column for field, column in columns.items() if column}


def last_rows(table: Table, columns: Mapping[str, str]) -> dict[Key, Row]:
    """The row of each key; of several, the one that Clover modified last."""
    merchant, identity, modified = (columns[name] for name in ("merchant_id", "id", "modifiedTime"))
    rows = sorted(table.rows, key=lambda row: plain("time", row[modified]))
    return {(row[merchant], row[identity]): row for row in rows}


def plain(of: str, landed: Any) -> Any:
    """A value as Python has it, whatever it landed as; floats are no integers."""
    if of == "integer":
        assert not isinstance(landed, (float, bool))
        return int(landed)
    if of == "boolean":
        return {"True": True, "False": False}.get(landed, landed)
    if of == "time":
        time = datetime.fromisoformat(landed) if isinstance(landed, str) else landed
        return time if time.tzinfo else time.replace(tzinfo=UTC)
    if of == "object":
        text = landed.text if isinstance(landed, Document) else landed
        return json.loads(text) if isinstance(text, str) else text
    return landed
