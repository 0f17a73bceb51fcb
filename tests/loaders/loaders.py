"""The loaders: what each is set to, and where to read what it loaded."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import yaml

from tests.loaders import tables
from tests.loaders.environments import pin, program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.loaders.services import Services
    from tests.loaders.tables import Table

MELTANO = yaml.safe_load((Path(__file__).parents[2] / "meltano.yml").read_text())
KEYS = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}


class Loader:
    """A loader of others.

    Args:
        folder: Where it may keep files.
        services: What it loads into.

    Attributes:
        name: Its environment: a file of `requirements/` without its `.txt`.
        command: Its program.
        settings: How it is set, beside where it loads to.
        variables: Environment variables that it needs.
        note: What else to know; Markdown.
    """

    name: ClassVar[str]
    command: ClassVar[str]
    settings: ClassVar[Mapping[str, Any]] = {}
    variables: ClassVar[Mapping[str, str]] = {}
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


class TargetPostgres(Loader):
    """MeltanoLabs' PostgreSQL loader, set as meltano.yml sets it."""

    name = "target-postgres"
    command = "target-postgres"
    settings = next(
        loader["config"]
        for loader in MELTANO["plugins"]["loaders"]
        if loader["name"] == "target-postgres"
    )

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
    note = "install `duckdb<1.3` beside it: with newer ones it loses rows without a word"

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


class TargetJsonl(Loader):
    """The JSON lines loader of meltano.yml."""

    name = "target-jsonl"
    command = "target-jsonl"
    settings = next(
        {"do_timestamp_file": loader["config"]["do_timestamp_file"]}
        for loader in MELTANO["plugins"]["loaders"]
        if loader["name"] == "target-jsonl"
    )

    def place(self) -> Mapping[str, Any]:
        """A folder."""
        return {"destination_path": str(self.folder / "files")}

    def table(self, stream: str) -> Table:
        """Read a stream's files."""
        files = sorted(self.folder.glob(f"files/{stream}-*.jsonl"))
        return tables.json_lines(file.read_text(encoding="utf-8") for file in files)


class TargetCsv(Loader):
    """MeltanoLabs' CSV loader."""

    name = "target-csv"
    command = "target-csv"
    settings: ClassVar = {
        "flattening_enabled": True,
        "flattening_max_depth": 1,
        "file_naming_scheme": "{stream_name}-{timestamp}.csv",
    }
    note = (
        "without the first two nested objects are Python's text, without the last each run "
        "replaces the file of the one before"
    )

    def place(self) -> Mapping[str, Any]:
        """A folder."""
        (self.folder / "files").mkdir(exist_ok=True)
        return {"output_path": str(self.folder / "files")}

    def table(self, stream: str) -> Table:
        """Read a stream's files."""
        return tables.csv_files(sorted(self.folder.glob(f"files/{stream}-*.csv")))


class InBucket(Loader):
    """A loader of JSON lines into a bucket of its own."""

    bucket: ClassVar[str]

    def __init__(self, folder: Path, services: Services) -> None:
        super().__init__(folder, services)
        services.s3.make(self.bucket)

    def table(self, stream: str) -> Table:
        """Read a stream's objects."""
        s3 = self.services.s3
        keys = [key for key in s3.keys(self.bucket) if stream in key]
        return tables.json_lines(s3.text(self.bucket, key) for key in keys)


class TargetS3Jsonl(InBucket):
    """The S3 loader of JSON lines."""

    name = "target-s3-jsonl"
    command = "target-s3-jsonl"
    bucket = "lines"
    settings: ClassVar = {"compression": "gzip"}

    def place(self) -> Mapping[str, Any]:
        """A bucket."""
        work = {"work_dir": str(self.folder / "work"), "aws_endpoint_url": self.services.s3.url}
        return {"s3_bucket": self.bucket} | KEYS | work


class TargetS3(InBucket):
    """Plinxore's S3 loader."""

    name = "target-s3"
    command = "target-s3"
    bucket = "objects"
    settings: ClassVar = {"format": {"format_type": "jsonl"}}
    note = "not `parquet`, which loses nested objects"

    def place(self) -> Mapping[str, Any]:
        """A bucket."""
        url = self.services.s3.url
        where = {"aws_region": "us-east-1", "aws_bucket": self.bucket, "aws_endpoint_override": url}
        return {"cloud_provider": {"cloud_provider_type": "aws", "aws": where | KEYS}}


class TargetSingerJsonl(Loader):
    """The loader of whole Singer messages."""

    name = "target-singer-jsonl"
    command = "target-singer-jsonl"
    settings: ClassVar = {"destination": "local"}

    def place(self) -> Mapping[str, Any]:
        """A folder."""
        return {"local": {"folder": str(self.folder / "files")}}

    def table(self, stream: str) -> Table:
        """Read the RECORD messages of a stream's files."""
        files = sorted(self.folder.glob(f"files/{stream}/*.singer.gz"))
        messages = tables.json_lines(gzip.decompress(file.read_bytes()).decode() for file in files)
        return tables.json_objects(row["record"] for row in messages.rows if "record" in row)


LOADERS: dict[str, type[Loader]] = {
    loader.name: loader
    for loader in (
        TargetPostgres,
        PipelinewiseTargetPostgres,
        TargetDuckdb,
        TargetJsonl,
        TargetCsv,
        TargetS3Jsonl,
        TargetS3,
        TargetSingerJsonl,
    )
}
