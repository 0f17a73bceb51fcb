"""The page of the columns, made of the schemas: `python -m tests.support.columns` writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tap_clover_export import schemas

FILE = Path(__file__).parents[2] / "docs" / "columns.md"
TABLES = ("orders", "payments", "exports")
TYPES = {
    "string": "text",
    "date-time": "timestamp",
    "integer": "bigint",
    "boolean": "boolean",
    "object": "jsonb",
}
"""What target-postgres makes of a type of the schemas."""

HEAD = """\
# Columns

Every column with the type that it has in PostgreSQL; [other loaders](loaders.md) have their own.
Columns that are not null have a value in each record. Times are in UTC, amounts in minor units
(cents), and `jsonb` is Clover's own JSON. More of these tables: [in the warehouse](warehouse.md).
"""


def text() -> str:
    """The page."""
    return "\n".join([HEAD, *map(_table, TABLES)])


def _table(name: str) -> str:
    """A table's part of the page."""
    schema = json.loads(Path(schemas.__path__[0], f"{name}.json").read_text(encoding="utf-8"))
    rows = [
        f"| `{column}` | {_type(field)} | {field['description']} |"
        for column, field in schema["properties"].items()
    ]
    lines = [f"## {name}", "", "| column | type | meaning |", "| --- | --- | --- |", *rows, ""]
    return "\n".join(lines)


def _type(field: dict[str, Any]) -> str:
    """The type of a column."""
    null = "" if "null" in field["type"] else ", not null"
    return TYPES[field.get("format", field["type"][0])] + null


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
