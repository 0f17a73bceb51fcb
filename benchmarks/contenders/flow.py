"""Create, poll, download, one export after the other: what every script does."""

from __future__ import annotations

import datetime as dt
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

POLL_SECONDS = 0.1
SCHEMAS = Path(__file__).parents[2] / "tap_clover_export" / "schemas"
TYPES = {"orders": "ORDERS", "payments": "PAYMENTS"}


class File(NamedTuple):
    """A file of records."""

    stream: str
    merchant: str
    content: bytes


def read_job(path: str) -> dict[str, Any]:
    """Read the settings, which are the tap's own."""
    job: dict[str, Any] = json.loads(Path(path).read_text())
    return job


def schema(stream: str) -> dict[str, Any]:
    """A stream's schema."""
    content: dict[str, Any] = json.loads((SCHEMAS / f"{stream}.json").read_text())
    return content


def time_fields(stream: str) -> list[str]:
    """The root fields of a stream that hold times."""
    fields = schema(stream)["properties"].items()
    return [name for name, field in fields if field.get("format") == "date-time"]


def windows(job: dict[str, Any]) -> Iterator[tuple[int, int]]:
    """The windows of a job, in milliseconds."""
    start, end = (_ms(job[name]) for name in ("start_date", "end_date"))
    width = int(job["window_days"] * 86_400_000)
    for begin in range(start, end, width):
        yield begin, min(begin + width, end)


def files(job: dict[str, Any], stream: str, merchant: dict[str, str]) -> Iterator[File]:
    """A merchant's files of a stream, each window exported, waited for and downloaded."""
    name = merchant["merchant_id"]
    exports = f"{job['api_url']}/v3/merchants/{name}/exports"
    with requests.Session() as session, requests.Session() as store:
        session.headers["Authorization"] = f"Bearer {merchant['access_token']}"
        for start, end in windows(job):
            body = {"type": TYPES[stream], "startTime": start, "endTime": end}
            export = _call(session, "POST", exports, body)
            while export["status"] != "DONE":
                export = _call(session, "GET", f"{exports}/{export['id']}")
                if export["status"] != "DONE":
                    time.sleep(POLL_SECONDS)
            for link in export["exportUrls"]["elements"]:
                response = store.get(link["url"], timeout=60)
                response.raise_for_status()
                yield File(stream, name, response.content)


def every_file(job: dict[str, Any]) -> Iterator[File]:
    """All files of a job."""
    for stream in job["streams"]:
        for merchant in job["merchants"]:
            yield from files(job, stream, merchant)


def _call(
    session: requests.Session, method: str, url: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    response = session.request(method, url, json=body, timeout=60)
    response.raise_for_status()
    answer: dict[str, Any] = response.json()
    return answer


def _ms(text: str) -> int:
    return round(dt.datetime.fromisoformat(text).timestamp() * 1000)
