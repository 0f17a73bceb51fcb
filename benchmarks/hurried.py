"""The tap without its budget of requests: a night's work in the time that this takes by itself."""

from __future__ import annotations

import math

from tap_clover_export import __main__ as command
from tap_clover_export.scheduling import admission


def main() -> None:
    """Run the command; as many requests at a time as ever."""
    _, at_once = admission.APP_BUDGET
    admission.APP_BUDGET = (math.inf, at_once)
    command.main()


if __name__ == "__main__":
    main()
