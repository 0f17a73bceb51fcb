"""Loaders into databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tests.loaders import tables
from tests.loaders.environments import program
from tests.loaders.loader import Loader, plugin

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.loaders.tables import Table


class TargetPostgres(Loader):
    """MeltanoLabs' PostgreSQL loader, set as meltano.yml sets it."""

    name = "target-postgres"
    command = "target-postgres"
    settings = plugin("target-postgres")["config"]

    def place(self) -> Mapping[str, Any]:
        """A database."""
        return {"sqlalchemy_url": self.services.database.sqlalchemy_url}

    def table(self, stream: str) -> Table:
        """Read a table."""
        schema = str(self.settings["default_target_schema"])
        return tables.postgres(self.services.database, schema, stream)


class PipelinewiseTargetPostgres(Loader):
    """PipelineWise's PostgreSQL loader."""

    name = "pipelinewise-target-postgres"
    command = "target-postgres"
    note = "`default_target_schema`, and a `password` that is not empty"

    def place(self) -> Mapping[str, Any]:
        """A database."""
        return {
            "host": str(self.services.database.folder),
            "port": 5432,
            "user": "postgres",
            "password": "none",
            "dbname": "postgres",
            "default_target_schema": "wise",
        }

    def table(self, stream: str) -> Table:
        """Read a table."""
        return tables.postgres(self.services.database, "wise", stream)


class TargetDuckdb(Loader):
    """The DuckDB loader."""

    name = "target-duckdb"
    command = "target-duckdb"
    settings: ClassVar = {"default_target_schema": "clover"}
    note = "install `duckdb<1.3` beside it: newer ones were seen to lose rows without a word"

    @property
    def file(self) -> Path:
        """The database."""
        return self.folder / "warehouse.duckdb"

    def place(self) -> Mapping[str, Any]:
        """A file."""
        return {"path": str(self.file)}

    def table(self, stream: str) -> Table:
        """Read a table."""
        python = program(self.name, "python")
        return tables.duckdb(python, self.file, "clover", stream)
