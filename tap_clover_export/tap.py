"""The tap: its settings and its command line."""

from __future__ import annotations

import contextlib
import copy
import functools
import logging
import signal
import sys
from typing import IO, TYPE_CHECKING, Any, ClassVar, cast

import click
from singer_sdk import Tap
from singer_sdk import typing as th
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers._util import load_json
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.plugin_base import _ConfigInput
from singer_sdk.tap_base import CliTestOptionValue
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR
from typing_extensions import override

from tap_clover_export import times
from tap_clover_export.clock import SystemClock
from tap_clover_export.errors import (
    InputError,
    OutputClosedError,
    RecordError,
    SettingsError,
    StateError,
    Stopped,
    unexpected,
)
from tap_clover_export.progress import display
from tap_clover_export.run import Run
from tap_clover_export.settings import settings
from tap_clover_export.settings.hosts import REGIONS
from tap_clover_export.singer.cli import Command, give_stdout_up
from tap_clover_export.singer.fast_path import map_failure
from tap_clover_export.singer.messages import States, Writer
from tap_clover_export.streams import ExportStream, OrdersStream, PaymentsStream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from pendulum import DateTime
    from singer_sdk.helpers.capabilities import CapabilitiesEnum

    from tap_clover_export.clock import Clock
    from tap_clover_export.exports.export import Export

_NUMBER = th.CustomType({"type": ["number", "string"]})
_MERCHANT = th.ObjectType(
    th.Property("merchant_id", th.StringType, description="Clover's id of the merchant."),
    th.Property("access_token", th.StringType, secret=True, description="Its API token."),
    th.Property("refresh_token", th.StringType, secret=True, description="Or its OAuth token."),
    th.Property("region", th.StringType, description="Its region, where not `region`."),
    th.Property("start_date", th.StringType, description="Its start, where not `start_date`."),
)


class TapCloverExport(Tap):
    """Singer tap for Clover's Merchant Data Export API: every order and payment, in bulk."""

    name = "tap-clover-export"
    message_writer_class = Writer
    message_writer: Writer
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        TapCapabilities.TEST,
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    clock: Clock = SystemClock()
    display: display.Display | None = None
    """Shows the run on a terminal."""

    workers: int | None = None
    """How many threads work ahead; None leaves it to `max_concurrent_exports`."""

    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property(
            "merchants",
            th.ArrayType(_MERCHANT),
            secret=True,
            title="Merchants",
            description=(
                "The merchants to export: `merchant_id` and `access_token` or `refresh_token`, "
                "each with an optional `region` and `start_date`."
            ),
        ),
        th.Property(
            "merchants_file",
            th.StringType,
            title="Merchants file",
            description=(
                "Path of a JSON array or a CSV with the same fields as `merchants`, for many "
                "merchants; added to `merchants`."
            ),
        ),
        th.Property(
            "merchant_id",
            th.StringType,
            title="Merchant ID",
            description="Shorthand for one merchant: its id.",
        ),
        th.Property(
            "access_token",
            th.StringType,
            secret=True,
            title="Access token",
            description="Shorthand for one merchant: its API token.",
        ),
        th.Property(
            "refresh_token",
            th.StringType,
            secret=True,
            title="Refresh token",
            description="Shorthand for one merchant: its OAuth refresh token.",
        ),
        th.Property(
            "client_id",
            th.StringType,
            title="Client ID",
            description="The Clover app's id, needed with `refresh_token`.",
        ),
        th.Property(
            "token_store",
            th.StringType,
            title="Token store",
            description="Path of the file (mode 0600) that keeps rotated tokens between runs.",
        ),
        th.Property(
            "region",
            th.StringType,
            default="us",
            allowed_values=list(REGIONS),
            title="Region",
            description="Base URL and opening hours: `us`, `eu`, `la` or `sandbox`.",
        ),
        th.Property(
            "api_url",
            th.StringType,
            title="API URL",
            description=(
                "Overrides the region's base URL (a proxy, the local Clover); https, or http "
                "on loopback only."
            ),
        ),
        th.Property(
            "start_date",
            th.DateTimeType,
            required=True,
            title="Start date",
            description="The earliest time to export.",
        ),
        th.Property(
            "end_date",
            th.DateTimeType,
            title="End date",
            description="The time to stop at; now unless set.",
        ),
        th.Property(
            "lookback_days",
            _NUMBER,
            default=7,
            title="Look-back days",
            description="How much before the bookmark is exported again, for late changes.",
        ),
        th.Property(
            "window_days",
            _NUMBER,
            default=30,
            title="Window days",
            description="The widest window, above 0 and at most 30 days.",
        ),
        th.Property(
            "max_concurrent_exports",
            _NUMBER,
            default=1,
            title="Exports at a time",
            description="Exports in progress at Clover at a time, over all streams and merchants.",
        ),
        th.Property(
            "poll_interval_seconds",
            _NUMBER,
            default=5,
            title="Poll interval",
            description="The longest pause between two polls; the first ones come sooner.",
        ),
        th.Property(
            "export_timeout_minutes",
            _NUMBER,
            default=180,
            title="Export time-out",
            description="How long one export may take, in Clover's open hours.",
        ),
        th.Property(
            "max_run_hours",
            _NUMBER,
            title="Longest run",
            description=(
                "Ask for no new export after so long and end cleanly; what is left is for the "
                "next run."
            ),
        ),
        th.Property(
            "max_wait_hours",
            _NUMBER,
            default=24,
            title="Longest wait",
            description=(
                "How long the sync may wait for Clover to accept the next export; 0 does not wait."
            ),
        ),
    ).to_dict()

    def __init__(self, **options: Any) -> None:  # noqa: ANN401
        self._turn: Export | None = None
        self._syncing = False
        super().__init__(**options)
        self._states = States(self.message_writer, self.clock.now)
        self._state_writer = self._states

    @override
    def discover_streams(self) -> list[ExportStream]:
        return [OrdersStream(self), PaymentsStream(self)]

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Check the settings; the reasons hold no value, so no token either."""
        schema = copy.deepcopy(self.config_jsonschema)
        self.append_builtin_config(schema)
        try:
            self.settings = settings.read(self.config, schema["properties"])
            reasons = []
        except SettingsError as error:
            reasons = error.reasons
        builtin = {
            name: field for name, field in schema["properties"].items() if name not in OWN_SETTINGS
        }
        for problem in DEFAULT_JSONSCHEMA_VALIDATOR({"properties": builtin}).iter_errors(
            dict(self.config)
        ):
            where = ".".join(map(str, problem.path))
            reasons.append(f"{where} has the wrong shape ({problem.message}); correct it.")
        if reasons and raise_errors:
            raise ConfigValidationError(" ".join(reasons), errors=reasons, schema=schema)
        return reasons

    @functools.cached_property
    def run(self) -> Run:
        """The run that this tap makes."""
        selected = [stream.name for stream in self.streams.values() if stream.selected]
        return Run(
            self.settings,
            selected,
            cast("dict[str, Any]", self.state),
            self._states,
            clock=self.clock,
            workers=self.workers,
        )

    def now(self) -> DateTime:
        """The time, in UTC."""
        return times.from_seconds(self.clock.now())

    # Emission: window by window in the order of work, or as the SDK's `sync_all` asks

    def sync_in_turns(self) -> int:
        """Emit what is ready, in the order of work over all streams; answers the exit code."""
        self.message_writer.widen()
        try:
            with self.display or contextlib.nullcontext():
                with contextlib.suppress(Stopped):
                    self._emit_in_turns()
                self.run.close()
        except OutputClosedError as error:
            self.run.close(quietly=True)
            give_stdout_up()
            self.logger.error("%s", error)  # noqa: TRY400
            return 1
        return self._exit_code()

    def _emit_in_turns(self) -> None:
        self.run.prepare()
        for stream in self.streams.values():
            if stream.selected:
                stream._write_schema_message()  # noqa: SLF001
        while export := self.run.next():
            partition = export.partition
            self._turn = export
            try:
                self.streams[partition.stream].sync({"merchant_id": partition.merchant.id})
            except (Stopped, OutputClosedError):
                raise
            except RecordError as error:
                self.run.fail(partition, str(error))
            except Exception as error:
                self.logger.debug("Unexpected.", exc_info=True)
                self.run.fail(partition, map_failure(error) or unexpected(error))

    def _exit_code(self) -> int:
        for stream in self.streams.values():
            cast("ExportStream", stream).report()
        shown = self.display is not None and self.display.summarize()
        self.run.progress_log.end(shown=shown)
        if self.run.signal is not None:
            self.logger.warning("Stopped by signal %d; run again to go on.", self.run.signal)
            return 128 + self.run.signal
        if leftover := self.run.leftover():
            level = logging.WARNING if self.run.queue.shut else logging.INFO
            self.logger.log(level, leftover)
        if missing := self.run.report():
            self.logger.error(missing)
            return 1
        return 0

    def exports(self, stream: str, merchant_id: str) -> Iterator[Export]:
        """The exports that a stream emits now: the one whose turn it is, or all of a partition."""
        if self._turn is not None:
            turn, self._turn = self._turn, None
            yield turn
        elif partition := self.run.partition(stream, merchant_id):
            try:
                yield from self.run.take(partition)
            except GeneratorExit:
                self.run.abandon()
                raise

    def finish_stream(self) -> None:
        """A whole stream was synced by `sync_all`."""
        if self.run.over:
            self.run.close()
        else:
            self.run.checkpoint()

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """End at the next record's end; a second signal ends at once."""
        if self._syncing and self.run.signal is None:
            self.run.stop(signum)
            return
        if self.display:
            self.display.leave()
        signal.signal(signum, signal.SIG_DFL)
        signal.raise_signal(signum)

    # The command line

    @override
    @classmethod
    def invoke(  # type: ignore[override]
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput | None = None,
        state: IO[str] | None = None,
        catalog: IO[str] | None = None,
        plan: str | None = None,
    ) -> None:
        """Run the command."""
        super(Tap, cls).invoke(about=about, about_format=about_format)
        config = config or _ConfigInput()
        tap = cls(
            config=config.config,
            state=None if state is None else _state(_read(state, "state")),
            catalog=None if catalog is None else _catalog(_read(catalog, "catalog")),
            parse_env_config=config.parse_env,
        )
        if plan:
            click.echo(tap.run.plan(plan))
            return
        cls.print_version(print_fn=cls.logger.info)
        if display.fits():
            tap.display = display.Display(tap.run.stats, lambda: tap.run.running)
            tap.run.progress_log.displayed = True
        signal.set_wakeup_fd(tap.run.queue.wakeup.fileno(), warn_on_full_buffer=False)
        tap._syncing = True
        code = tap.sync_in_turns()
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, signal.SIG_IGN)  # what is left is Python's own winding down
        signal.set_wakeup_fd(-1)
        sys.exit(code)

    @override
    @classmethod
    def cb_config(
        cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]
    ) -> _ConfigInput:
        """Read the config files."""
        merged = _ConfigInput()
        for path in value:
            try:
                one = super().cb_config(ctx, param, (path,))
            except TypeError as error:
                raise InputError(f"The config {path} holds no JSON object; correct it.") from error
            except ValueError as error:
                raise InputError.not_json("config", path, error) from error
            merged.config |= one.config
            merged.parse_env |= one.parse_env
        return merged

    @override
    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Ask Clover whether each merchant's token is accepted; no export is asked for."""
        if value != CliTestOptionValue.All.value:
            super().cb_test(ctx, param, value)
            return
        config: _ConfigInput = ctx.params.get("config", _ConfigInput())
        tap = cls(config=config.config, parse_env_config=config.parse_env)
        ctx.exit(0 if tap.run.check(click.echo) else 1)

    @override
    @classmethod
    def get_singer_command(cls) -> click.Command:
        command = super().get_singer_command()
        plan = click.Option(
            ["--plan"],
            is_flag=False,
            flag_value="text",
            type=click.Choice(["text", "json", "html"]),
            help=(
                "Say what the next run would do; asks Clover nothing. --plan=json is for "
                "programs, --plan=html a page for the browser."
            ),
        )
        for option in command.params:
            if isinstance(option, click.Option) and option.name == "test":
                option.help = (
                    "Ask Clover whether each merchant's token is accepted; --test=schema writes "
                    "the SCHEMA messages."
                )
        return Command(
            name=command.name,
            callback=command.callback,
            context_settings=command.context_settings,
            params=[*command.params, plan],
            help=command.help,
            logger=cls.logger,
        )


def _read(file: IO[str], kind: str) -> Any:  # noqa: ANN401
    """What a JSON file holds.

    Raises:
        InputError: It is no JSON.
    """
    try:
        return load_json(file.read())
    except ValueError as error:
        raise InputError.not_json(kind, file.name, error) from error


def _state(state: Any) -> dict[str, Any]:  # noqa: ANN401
    if isinstance(state, dict):  # as `meltano state get` writes it, or as it came out of a tap
        state = state.get("singer_state", state)
    if isinstance(state, dict) and state.get("type") == "STATE":
        state = state.get("value")
    bookmarks = None
    if isinstance(state, dict):
        bookmarks = state.get("bookmarks") if state else {}
    if not isinstance(bookmarks, dict) or not all(
        isinstance(entry, dict) for entry in bookmarks.values()
    ):
        raise StateError(
            "The state is not of this tap's shape; correct it, or start without a state."
        )
    content: dict[str, Any] = state
    return content


def _catalog(catalog: Any) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(catalog, dict) or not isinstance(catalog.get("streams"), list):
        raise InputError("The catalog has no list of streams; make one with --discover.")
    content: dict[str, Any] = catalog
    return content


OWN_SETTINGS = frozenset(TapCloverExport.config_jsonschema["properties"])
