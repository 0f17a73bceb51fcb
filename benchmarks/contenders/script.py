"""A careful script: one requests.Session, orjson in, orjson out, one RECORD line an object."""

from __future__ import annotations

import datetime as dt
import sys

import orjson

from benchmarks.contenders import flow


def text(ms: int) -> str:
    """A time as RFC 3339 with milliseconds."""
    time = dt.datetime.fromtimestamp(ms / 1000, dt.UTC)
    return time.isoformat(timespec="milliseconds")[:-6] + "Z"


def main() -> None:
    """Write every record of the job."""
    job = flow.read_job(sys.argv[1])
    out = sys.stdout.buffer
    for stream in job["streams"]:
        message = {"type": "SCHEMA", "stream": stream, "schema": flow.schema(stream)}
        out.write(orjson.dumps(message | {"key_properties": ["merchant_id", "id"]}) + b"\n")
    times = {stream: flow.time_fields(stream) for stream in job["streams"]}
    for file in flow.every_file(job):
        extracted = text(int(dt.datetime.now(dt.UTC).timestamp() * 1000))
        for record in orjson.loads(file.content)["elements"]:
            record["merchant_id"] = file.merchant
            for name in times[file.stream]:
                if record.get(name) is not None:
                    record[name] = text(record[name])
            line = {
                "type": "RECORD",
                "stream": file.stream,
                "record": record,
                "time_extracted": extracted,
            }
            out.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
    out.write(orjson.dumps({"type": "STATE", "value": {"until": job["end_date"]}}) + b"\n")


if __name__ == "__main__":
    main()
