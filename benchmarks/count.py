"""Counts Singer messages: `… | python -m benchmarks.count`."""

from __future__ import annotations

import json
import sys


def main() -> None:
    """Read to the end and tell."""
    records = states = size = state_size = 0
    for line in sys.stdin.buffer:
        size += len(line)
        if line[:24].replace(b" ", b"").startswith(b'{"type":"RECORD"'):
            records += 1
        elif line[:24].replace(b" ", b"").startswith(b'{"type":"STATE"'):
            states += 1
            state_size += len(line)
    told = {"records": records, "states": states, "bytes": size, "state_bytes": state_size}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
