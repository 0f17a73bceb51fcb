"""A plain tap: singer-sdk as it comes, one window after the other."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from singer_sdk import Stream, Tap
from singer_sdk import typing as th

from benchmarks.contenders import flow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from singer_sdk.helpers.types import Context, Record


class ExportStream(Stream):
    """A stream of records of one type."""

    primary_keys = ("merchant_id", "id")
    replication_key = "modifiedTime"

    @property
    def partitions(self) -> list[dict[str, Any]]:
        """One a merchant."""
        return [{"merchant_id": item["merchant_id"]} for item in self.config["merchants"]]

    def get_records(self, context: Context | None) -> Iterable[Record]:
        """The records of a merchant."""
        merchant = (context or {})["merchant_id"]
        times = flow.time_fields(self.name)
        job = dict(self.config)
        (found,) = (item for item in job["merchants"] if item["merchant_id"] == merchant)
        for file in flow.files(job, self.name, found):
            for record in json.loads(file.content)["elements"]:
                for name in times:
                    if record.get(name) is not None:
                        record[name] = dt.datetime.fromtimestamp(record[name] / 1000, dt.UTC)
                yield {**record, "merchant_id": merchant}


class PlainTap(Tap):
    """The tap."""

    name = "plain-tap"
    config_jsonschema = th.PropertiesList(
        th.Property("merchants", th.ArrayType(th.ObjectType()), required=True),
        th.Property("streams", th.ArrayType(th.StringType), required=True),
    ).to_dict()

    def discover_streams(self) -> list[Stream]:
        """The streams that the job asks for."""
        names: list[str] = list(self.config["streams"])
        return [ExportStream(self, name=name, schema=flow.schema(name)) for name in names]


if __name__ == "__main__":
    PlainTap.cli()
