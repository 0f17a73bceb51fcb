"""The tap: its settings, its streams, and what the SDK asks of it."""

from __future__ import annotations

import copy
import dataclasses
import functools
import os
from typing import IO, TYPE_CHECKING, Any, ClassVar, cast

import click
from singer_sdk import Tap
from singer_sdk import typing as th
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.plugin_base import _ConfigInput
from singer_sdk.tap_base import CliTestOptionValue
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR
from typing_extensions import override

from tap_clover_export.clock import SystemClock
from tap_clover_export.errors import ExportFailedError, SettingsError
from tap_clover_export.preview import overview
from tap_clover_export.run import Run
from tap_clover_export.settings import settings
from tap_clover_export.settings.hosts import REGIONS
from tap_clover_export.signals import end_at_once
from tap_clover_export.singer import catalog, cli
from tap_clover_export.singer.catalog import Wishes
from tap_clover_export.singer.messages import StateWriter, Writer
from tap_clover_export.singer.sync import Loop
from tap_clover_export.streams import ExportStream, LedgerStream, OrdersStream, PaymentsStream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from singer_sdk.helpers.capabilities import CapabilitiesEnum

    from tap_clover_export.clock import Clock
    from tap_clover_export.exports.export import Export
    from tap_clover_export.settings.settings import Settings

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
    _state_writer: StateWriter
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
            "client_secret",
            th.StringType,
            secret=True,
            title="Client secret",
            description=(
                "The Clover app's secret; only to log in, and to recover a token pair that was "
                "lost on its way."
            ),
        ),
        th.Property(
            "token_store",
            th.StringType,
            secret=True,
            title="Token store",
            description=(
                "Keeps rotated tokens between runs: a path on disk, or the URL of a database that "
                "all machines reach."
            ),
        ),
        th.Property(
            "token_key",
            th.StringType,
            secret=True,
            title="Token key",
            description=(
                "Encrypts what the token store keeps; a comma and the key before it may follow."
            ),
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
            "late_changes_days",
            _NUMBER,
            default=90,
            title="Late changes, days",
            description=(
                "How far back records are exported again once in a while, where Clover's windows "
                "go by `createdTime`; 0 = never."
            ),
        ),
        th.Property(
            "late_changes_every_days",
            _NUMBER,
            default=30,
            title="Late changes, how often",
            description="How often, in days, late changes are looked for that far back.",
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
        self._wishes = Wishes(options.get("catalog"))
        self._reads_environment = options.get("parse_env_config", False)
        with cli.without_greeting():
            super().__init__(**options)
        self._state_writer = StateWriter(self.message_writer, self.clock.now)

    @override
    def setup_mapper(self) -> None:
        """Make the stream maps; a stream that they remove counts as not selected."""
        _ = self.catalog  # one that can't be read is no fault of the maps
        with catalog.sentences_for_maps():
            super().setup_mapper()
        stream_maps = self.config.get("stream_maps") or {}
        catalog.raise_without_faker(stream_maps)
        for name, stream in self.streams.items():
            if catalog.removed(self.mapper, name):
                stream.selected = False
        for doubt in (
            *self._wishes.doubts(self.streams),
            *catalog.unknown_maps(stream_maps, self.streams),
        ):
            self.logger.warning("%s", doubt)

    @override
    def discover_streams(self) -> list[ExportStream | LedgerStream]:
        return [OrdersStream(self), PaymentsStream(self), LedgerStream(self)]

    @property
    def _export_streams(self) -> dict[str, ExportStream]:
        streams = self.streams.items()
        return {name: stream for name, stream in streams if isinstance(stream, ExportStream)}

    @property
    def ledger(self) -> LedgerStream:
        """Tells of every export that was emitted."""
        return cast("LedgerStream", self.streams[LedgerStream.name])

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Check the settings; the reasons hold no value, so no token either."""
        schema = copy.deepcopy(self.config_jsonschema)
        self.append_builtin_config(schema)
        prefix = self._env_var_prefix
        variables = os.environ.keys() - {prefix + name.upper() for name in self.config}
        for doubt in settings.misspelt(variables, prefix, schema["properties"]):
            self.logger.warning("%s", doubt)
        try:
            self.settings = settings.read(self.config, schema["properties"])
            reasons = []
        except SettingsError as error:
            reasons = error.reasons
        for name in sorted(self.config.keys() & schema["properties"].keys() - OWN_SETTINGS):
            reasons += _problems(name, schema["properties"][name], self.config[name])
        if not self.config and not self._reads_environment:
            reasons.insert(0, cli.NO_CONFIG)
        if reasons and raise_errors:
            raise ConfigValidationError(" ".join(reasons), errors=reasons, schema=schema)
        return reasons

    @classproperty
    @override
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805
        """Settings from the environment; an empty variable is as good as none."""
        schema = copy.deepcopy(cls.config_jsonschema)
        cls.append_builtin_config(schema)
        return cli.read_environment(schema["properties"], cls._env_var_prefix)

    @functools.cached_property
    def run(self) -> Run:
        """The run that this tap makes."""
        streams = self._export_streams.values()
        selected = [stream.name for stream in streams if stream.selected]
        return self._plan(self.settings, selected)

    def _plan(self, settings: Settings, streams: list[str]) -> Run:
        state = cast("dict[str, Any]", self.state)
        return Run(
            settings,
            streams,
            state,
            self._state_writer,
            full_tables=self._wishes.full_tables,
            clock=self.clock,
            workers=self.workers,
        )

    @override  # type: ignore[misc]
    def sync_all(self) -> None:
        """Emit the run and exit where it fails; not stream after stream, as the SDK's own does."""
        if code := self.sync_in_turns():
            raise SystemExit(code)

    def sync_in_turns(self) -> int:
        """Emit what is ready, in the order of work over all streams; answers the exit code."""
        return self._loop.sync()

    @functools.cached_property
    def _loop(self) -> Loop:
        return Loop(self.run, self._export_streams, self.ledger, self.message_writer)

    def exports_of(self, stream: str, merchant_id: str) -> Iterator[Export]:
        """The exports of a partition that the SDK syncs by itself, in a dry run: a run of its own.

        Raises:
            ExportFailedError: Not all of them could be had.
        """
        merchants = tuple(one for one in self.settings.merchants if one.id == merchant_id)
        self.run = self._plan(dataclasses.replace(self.settings, merchants=merchants), [stream])
        try:
            while export := self.run.next():
                yield export
            if missing := self.run.missing():
                raise ExportFailedError(missing)
        finally:
            self.run.close(quietly=True)

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """End at once; `Loop` handles the signals of a run."""
        end_at_once(signum)

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
        login: str | None = None,
    ) -> None:
        """Run the command."""
        super(Tap, cls).invoke(about=about, about_format=about_format)
        config = config or _ConfigInput()
        if login:
            cls._log_in(config, login)
            return
        tap = cls(
            config=config.config,
            state=None if state is None else cli.read_state(state),
            catalog=None if catalog is None else cli.read_catalog(catalog),
            parse_env_config=config.parse_env,
        )
        if plan:
            source = None if state is None else click.format_filename(state.name)
            click.echo(overview.render(plan, tap.run.plans, tap.settings, tap.run.now(), source))
            return
        cls.print_version(print_fn=cls.logger.info)
        tap._loop.sync_and_exit()

    @classmethod
    def _log_in(cls, config: _ConfigInput, way: str) -> None:
        """Log a merchant in; without a config, the settings are the environment's."""
        schema = copy.deepcopy(cls.config_jsonschema)
        environment = cls._env_var_config if config.parse_env or not config.config else {}
        try:
            read = settings.read_login(config.config | environment, schema["properties"])
        except SettingsError as error:
            raise ConfigValidationError(str(error), errors=error.reasons, schema=schema) from error
        cli.log_in(read, way, cls.clock)

    @override
    @classmethod
    def cb_config(
        cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]
    ) -> _ConfigInput:
        """Read the config files."""
        read = super().cb_config
        return cli.merge_configs(value, lambda path: read(ctx, param, (path,)))

    @override
    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Ask Clover whether each merchant's token is accepted; no export is asked for."""
        if value != CliTestOptionValue.All.value:
            super().cb_test(ctx, param, value)
            return
        config: _ConfigInput = ctx.params.get("config", _ConfigInput())
        tap = cls(config=config.config, parse_env_config=config.parse_env)
        accepted = cli.check(tap.run.client, tap.settings.merchants, tap.clock, click.echo)
        ctx.exit(0 if accepted else 1)

    @override
    @classmethod
    def get_singer_command(cls) -> click.Command:
        return cli.with_plan(super().get_singer_command(), cls.logger)


def _problems(name: str, schema: dict[str, Any], value: object) -> Iterator[str]:
    """Why a setting of the SDK can't be used."""
    try:
        for problem in DEFAULT_JSONSCHEMA_VALIDATOR(schema).iter_errors(value):
            where = ".".join([name, *map(str, problem.path)])
            yield f"{where} has the wrong shape ({problem.message}); correct it."
    except AttributeError:  # of the SDK's schema for __else__
        yield f"{name} has the wrong shape (an __else__ that is not null); correct it."


OWN_SETTINGS = frozenset(TapCloverExport.config_jsonschema["properties"])
