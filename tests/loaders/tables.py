"""What lies in a warehouse, read without the loader."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tap_clover_export.demo.postgres import Database

csv.field_size_limit(sys.maxsize)

DUCKDB = """
import duckdb, json, sys
path, schema, table = sys.argv[1:]
base = duckdb.connect(path, read_only=True)
types = base.execute(
    "select column_name, data_type from information_schema.columns "
    "where table_schema = ? and table_name = ?", [schema, table]).fetchall()
names = ", ".join(f'"{n}"::varchar' if t.startswith(("JSON", "TIMESTAMP")) else f'"{n}"'
                  for n, t in types)
print(json.dumps([types, base.execute(f'select {names} from "{schema}"."{table}"').fetchall()]))
"""


@dataclass(frozen=True)
class Document:
    """JSON in a column of its own type, as text: `null` is not the column's own null."""

    text: str


@dataclass(frozen=True)
class Table:
    """A stream as it landed.

    Attributes:
        types: The type of each column, by the warehouse's name.
        rows: Column to value; an absent one is null.
    """

    types: dict[str, str]
    rows: list[dict[str, Any]]


def postgres(database: Database, schema: str, name: str) -> Table:
    """A table of PostgreSQL."""
    with (
        psycopg.connect(database.conninfo) as connection,
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        cursor.execute(
            "select column_name, data_type from information_schema.columns "
            "where table_schema = %s and table_name = %s",
            (schema, name),
        )
        types = {row["column_name"]: row["data_type"] for row in cursor.fetchall()}
        columns = sql.SQL(", ").join(
            sql.SQL("{0}::text as {0}" if of == "jsonb" else "{}").format(sql.Identifier(column))
            for column, of in types.items()
        )
        table = sql.Identifier(schema, name)
        cursor.execute(sql.SQL("select {} from {}").format(columns, table))
        return Table(types, [_documents(row, types) for row in cursor.fetchall()])


def duckdb(python: str, file: Path, schema: str, name: str) -> Table:
    """A table of DuckDB, read by the Python of the loader's environment."""
    done = subprocess.run(
        [python, "-c", DUCKDB, str(file), schema, name], capture_output=True, text=True, check=True
    )
    columns, values = json.loads(done.stdout)
    types = dict(columns)
    rows = (dict(zip(types, row, strict=True)) for row in values)
    return Table(types, [_documents(row, types) for row in rows])


def json_lines(texts: Iterable[str]) -> Table:
    """Texts of one JSON object a line."""
    return json_objects(json.loads(line) for text in texts for line in text.split("\n") if line)


def json_objects(rows: Iterable[dict[str, Any]]) -> Table:
    """JSON objects."""
    rows = list(rows)
    names = {int: "integer", bool: "boolean", str: "string", dict: "object"}
    types = {
        name: f"JSON {names.get(type(value), type(value).__name__)}"
        for row in rows
        for name, value in row.items()
        if value is not None
    }
    return Table(types, rows)


def csv_files(files: Iterable[Path]) -> Table:
    """CSV files with a header; what is empty is null."""
    rows: list[dict[str, Any]] = []
    for file in files:
        with file.open(encoding="utf-8", newline="") as text:
            rows += ({k: v or None for k, v in row.items()} for row in csv.DictReader(text))
    return Table(dict.fromkeys(rows[0], "text") if rows else {}, rows)


def _documents(row: dict[str, Any], types: dict[str, str]) -> dict[str, Any]:
    return {
        name: Document(value) if value is not None and types[name] in ("jsonb", "JSON") else value
        for name, value in row.items()
    }
