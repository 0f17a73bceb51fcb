"""The models, built over what the tap wrote, in DuckDB or in PostgreSQL."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
import psycopg

from tap_clover_export import schemas

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_clover_export.demo.postgres import Database

TRANSFORM = Path(__file__).parents[2] / "transform"
DBT = Path(sys.prefix, "models", "bin", "dbt")
Row = dict[str, Any]

POSTGRES = {"integer": "bigint", "boolean": "boolean", "object": "jsonb", "string": "text"}
DUCKDB = {"integer": "HUGEINT", "boolean": "BOOLEAN", "object": "JSON", "string": "VARCHAR"}


def columns(stream: str, kinds: Mapping[str, str]) -> dict[str, str]:
    """The columns that a loader makes of a stream's schema."""
    text = Path(schemas.__path__[0], f"{stream}.json").read_text(encoding="utf-8")
    fields = json.loads(text)["properties"].items()
    return {
        name: "timestamp" if "format" in field else kinds[field["type"][0]]
        for name, field in fields
    }


class Engine(Protocol):
    """A warehouse that the models are built in."""

    name: str
    environment: dict[str, str]
    variables: dict[str, Any]
    prefix: str

    def load(self, stream: str, rows: Iterable[Row], leave_out: Sequence[str] = ()) -> None:
        """Make a stream's table of rows, without some of its columns."""

    def ask(self, sql: str) -> list[Row]:
        """Ask for rows."""


class DuckDB:
    """A file of DuckDB's, with names in lower case as target-duckdb writes them.

    Args:
        folder: Where it lies.
    """

    name = "duckdb"
    prefix = "analytics."

    def __init__(self, folder: Path) -> None:
        self.path = folder / "warehouse.duckdb"
        self.folder = folder
        self.environment = {"DBT_DUCKDB_PATH": str(self.path)}
        self.variables: dict[str, Any] = {}

    def load(self, stream: str, rows: Iterable[Row], leave_out: Sequence[str] = ()) -> None:
        """Make a stream's table of rows."""
        kept = {k: v for k, v in columns(stream, DUCKDB).items() if k not in leave_out}
        self.folder.mkdir(exist_ok=True)
        file = self.folder / f"{stream}.json"
        with file.open("w", encoding="utf-8") as lines:
            lines.writelines(json.dumps(row) + "\n" for row in rows)
        of = ", ".join(f'"{name.lower()}" {kind}' for name, kind in kept.items())
        read = ", ".join(f"'{name}': '{kind}'" for name, kind in kept.items())
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("create schema if not exists clover")
            connection.execute(f"create or replace table clover.{stream} ({of})")
            connection.execute(
                f"insert into clover.{stream} select * from read_json('{file}', "
                f"format = 'newline_delimited', columns = {{{read}}})"
            )

    def ask(self, sql: str) -> list[Row]:
        """Ask for rows."""
        with duckdb.connect(str(self.path)) as connection:
            found = connection.execute(sql)
            names = [column[0] for column in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


class PostgreSQL:
    """Two schemas in a database, with names and nulls as meltanolabs-target-postgres writes them.

    Args:
        database: Where.
        schema: What the models' schema is called; that of the tables begins with it.
    """

    name = "postgres"
    prefix = ""

    def __init__(self, database: Database, schema: str) -> None:
        self.database = database
        self.schema = schema
        self.environment = {
            "DBT_POSTGRES_HOST": str(database.folder),
            "DBT_POSTGRES_SCHEMA": schema,
        }
        self.variables: dict[str, Any] = {"clover_schema": f"{schema}_raw"}

    def load(self, stream: str, rows: Iterable[Row], leave_out: Sequence[str] = ()) -> None:
        """Make a stream's table of rows."""
        kept = {k: v for k, v in columns(stream, POSTGRES).items() if k not in leave_out}
        of = ", ".join(f'"{name}" {kind}' for name, kind in kept.items())
        table = f"{self.schema}_raw.{stream}"
        with psycopg.connect(self.database.conninfo, autocommit=True) as connection:
            connection.execute(f"create schema if not exists {self.schema}_raw".encode())
            connection.execute(
                f"drop table if exists {table}; create table {table} ({of})".encode()
            )
            with connection.cursor().copy(f"copy {table} from stdin".encode()) as copy:
                for row in rows:
                    copy.write_row(
                        [
                            json.dumps(row.get(name)) if kind == "jsonb" else row.get(name)
                            for name, kind in kept.items()
                        ]
                    )
            connection.execute(f"analyze {table}".encode())

    def ask(self, sql: str) -> list[Row]:
        """Ask for rows."""
        with psycopg.connect(
            self.database.conninfo, options=f"-c search_path={self.schema}"
        ) as connection:
            found = connection.execute(sql.encode())
            names = [column.name for column in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


class Models:
    """A copy of the project, with the shops of a simulator in its seed.

    Args:
        folder: Where the copy goes.
        engine: Where the models are built.
        shops: The seed's rows.
        variables: Beside the engine's.
    """

    def __init__(
        self, folder: Path, engine: Engine, shops: Sequence[Row], **variables: Any
    ) -> None:
        self.folder = folder / "transform"
        self.engine = engine
        self.variables = {**engine.variables, **variables}
        ignored = shutil.ignore_patterns("target", "logs")
        shutil.copytree(TRANSFORM, self.folder, ignore=ignored)
        names = ("merchant_id", "name", "time_zone", "day_starts_at")
        rows = [names, *([shop[name] for name in names] for shop in shops)]
        seed = self.folder / "seeds" / "clover_merchants.csv"
        seed.write_text("".join(",".join(row) + "\n" for row in rows), encoding="utf-8")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command of dbt's."""
        return subprocess.run(
            [
                DBT,
                "--no-use-colors",
                *command,
                f"--profiles-dir={TRANSFORM / 'profiles' / self.engine.name}",
                f"--vars={json.dumps(self.variables)}",
            ],
            cwd=self.folder,
            env={**os.environ, **self.engine.environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def build(self, *arguments: str) -> str:
        """Build everything and tell what dbt said; it must not fail."""
        done = self.run("build", *arguments)
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
        return done.stdout

    def rows(self, model: str, where: str = "true") -> list[Row]:
        """The rows of a model."""
        return self.engine.ask(f"select * from {self.engine.prefix}{model} where {where}")
