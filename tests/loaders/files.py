"""Loaders into files, on disk or in S3."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any, ClassVar

from tests.loaders import tables
from tests.loaders.loader import Loader, plugin

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.loaders.services import Services
    from tests.loaders.tables import Table

KEYS = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}


class TargetJsonl(Loader):
    """The JSON lines loader of meltano.yml."""

    name = "target-jsonl"
    command = "target-jsonl"
    settings: ClassVar = {
        "do_timestamp_file": plugin("target-jsonl")["config"]["do_timestamp_file"]
    }

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
