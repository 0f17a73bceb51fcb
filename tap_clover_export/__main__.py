"""The command, and `python -m tap_clover_export`."""

from __future__ import annotations

import gc

from tap_clover_export import signals


def main() -> None:
    """Run the command; a signal while it still loads ends it without a traceback."""
    signals.listen()
    gc.disable()  # what loads stays: looking through it for garbage takes a third of the start
    from tap_clover_export.singer.cli import correct_log_level  # noqa: PLC0415
    from tap_clover_export.tap import TapCloverExport  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    correct_log_level()
    TapCloverExport.cli()


if __name__ == "__main__":
    main()
