"""The command line: every end is an exit code and, where it is not 0, a sentence."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from typing import Any

import click
from singer_sdk.exceptions import (
    ConfigValidationError,
    MapExpressionError,
    StreamMapConfigError,
)
from singer_sdk.plugin_base import SingerCommand
from typing_extensions import override

from tap_clover_export.errors import (
    InputError,
    OutputClosedError,
    StateError,
    TokenStoreError,
    in_short,
)


class Command(SingerCommand):
    """Ends with the reason, in a sentence, instead of a traceback."""

    @override
    def main(self, *args: Any, **options: Any) -> Any:
        try:
            return self._main(*args, **options)
        except ConfigValidationError as error:
            self._end(*error.errors)
        except (InputError, StateError, TokenStoreError) as error:
            self._end(str(error))
        except (MapExpressionError, StreamMapConfigError) as error:
            self._end(f"stream_maps can't be used ({in_short(error)}); correct them.")
        except FileNotFoundError as error:
            self._end(f"A file does not exist ({in_short(error)}); give the path of one that does.")
        except (OSError, UnicodeDecodeError) as error:
            if isinstance(error, OSError) and error.filename is None:
                detach_stdout()
                self._end(str(OutputClosedError.of(error)))
            self._end(f"A file can't be read or written ({error}); look at its path and rights.")
        except ValueError as error:
            self.logger.debug("Unexpected.", exc_info=True)
            self._end(f"A setting is not JSON of the right shape ({in_short(error)}); correct it.")
        except Exception as error:
            self.logger.debug("Unexpected.", exc_info=True)
            self._end(
                f"An unexpected {type(error).__name__} ended the run ({in_short(error)}); run it "
                "again with LOGLEVEL=DEBUG and report what it says."
            )

    def _main(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        """Run, and write all of the output while it can still be told that this fails."""
        try:
            return super().main(*args, **options)
        except SystemExit as end:
            if not end.code and sys.stdout:
                sys.stdout.flush()
            raise

    @override
    def invoke(self, ctx: click.Context) -> Any:
        logging.captureWarnings(capture=True)
        warnings.filterwarnings("once", category=DeprecationWarning)
        return click.Command.invoke(self, ctx)

    def _end(self, *reasons: str) -> None:
        for reason in reasons:
            self.logger.error("%s", reason)
        raise SystemExit(1)


def detach_stdout() -> None:
    """Keep Python from writing the rest as it exits: that would fail too, and end with 120."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
