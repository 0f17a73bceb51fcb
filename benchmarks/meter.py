"""Runs a command in its place and notes what it cost: `meter.py NAME FILE COMMAND …`."""

from __future__ import annotations

import json
import os
import sys


def main() -> int:
    """Run the command, append a line to the file, and end as the command did."""
    name, file, *command = sys.argv[1:]
    child = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    with open(file, "a") as notes:  # noqa: PTH123 - pathlib takes longer than all the rest
        notes.write(json.dumps([name, usage.ru_utime + usage.ru_stime]) + "\n")
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
