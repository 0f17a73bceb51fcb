"""The limit: Clover's bytes between two others, no time converted, nothing looked at."""

from __future__ import annotations

import sys

import msgspec

from benchmarks.contenders import flow


class Content(msgspec.Struct):
    """A file."""

    elements: list[msgspec.Raw]


def main() -> None:
    """Write every record of the job."""
    job = flow.read_job(sys.argv[1])
    decoder = msgspec.json.Decoder(Content)
    out = sys.stdout.buffer
    for file in flow.every_file(job):
        head = b'{"type":"RECORD","stream":"%b","record":{"merchant_id":"%b",' % (
            file.stream.encode(),
            file.merchant.encode(),
        )
        lines: list[bytes | memoryview] = []
        for raw in decoder.decode(file.content).elements:
            lines += (head, memoryview(raw)[1:], b"}\n")
        out.write(b"".join(lines))


if __name__ == "__main__":
    main()
