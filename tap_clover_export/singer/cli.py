"""The command line: every end is an exit code and, where it is not 0, a sentence."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import warnings
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
from singer_sdk.configuration._dict_config import parse_environment_config
from singer_sdk.exceptions import (
    ConfigValidationError,
    MapExpressionError,
    StreamMapConfigError,
)
from singer_sdk.helpers._util import load_json
from singer_sdk.plugin_base import SingerCommand, _ConfigInput
from typing_extensions import override

from tap_clover_export.clover.auth import with_causes
from tap_clover_export.clover.oauth import OAuth
from tap_clover_export.errors import (
    CloverError,
    InputError,
    LoginFailedError,
    OutputClosedError,
    RateLimitedError,
    ServiceUnavailableError,
    StateError,
    TokenStoreError,
    UnauthorizedError,
    in_short,
)
from tap_clover_export.exports.backoff import Backoff
from tap_clover_export.planning import bookmarks
from tap_clover_export.progress import trace
from tap_clover_export.tokens.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tap_clover_export.clock import Clock
    from tap_clover_export.clover.client import Client
    from tap_clover_export.settings.merchants import Merchant
    from tap_clover_export.settings.settings import LoginSettings

logger = logging.getLogger("tap-clover-export")

NO_CONFIG = (
    "No setting is given; name a file of settings with --config, or take those of the environment "
    "with --config ENV."
)
LEVELS = ("TAP_CLOVER_EXPORT_LOGLEVEL", "LOGLEVEL")
"""The environment's variables for the level of the log; the first one wins."""


ENVIRONMENT = "ENV"
"""What `--config` takes for the environment."""

CHECK_SECONDS = 120.0
LONGEST_CHECK_PAUSE = 30.0
"""How long `--test` waits for a merchant's answer, and at a time."""


class Command(SingerCommand):
    """Ends with the reason, in a sentence, instead of a traceback."""

    @override
    def main(self, *args: Any, **options: Any) -> Any:
        # Meltano asks for warnings, and click leaves the state's file open where no run begins.
        warnings.filterwarnings("ignore", category=ResourceWarning)
        try:
            with trace.written(f"Python {sys.version} on {sys.platform}."):
                return self._main_in_words(*args, **options)
        except InputError as error:
            self._end(str(error))

    def _main_in_words(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        """Run, and end with a sentence where it fails."""
        try:
            return self._main(*args, **options)
        except ConfigValidationError as error:
            self._end(*error.errors)
        except (InputError, LoginFailedError, StateError, TokenStoreError) as error:
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
        except Exception as error:
            self.logger.debug("Unexpected.", exc_info=True)
            self._end(
                f"An unexpected {type(error).__name__} ended the run ({in_short(error)}); run it "
                f"again with {trace.TRACE}=trace.log and report it with that file."
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


_LAST_PORT = 65_535


def _way(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Check how Clover's answer to a login is to come back."""
    port = re.fullmatch(r"[1-9][0-9]{0,4}", value or "")
    if value not in (None, "browser", "paste") and not (port and int(port[0]) <= _LAST_PORT):
        raise click.BadParameter("it is neither paste nor the number of a port.")
    return value


def with_plan(command: click.Command, logger: logging.Logger) -> Command:
    """The SDK's command with `--plan` and `--login`, and a `--test` that asks for no export."""
    login = click.Option(
        ["--login"],
        is_flag=False,
        flag_value="browser",
        metavar="[paste|PORT]",
        callback=_way,
        help=(
            "Log a merchant in to the app of client_id and client_secret, keep its tokens in "
            "token_store, and say what to add to the settings. --login=PORT listens on another "
            "port, --login=paste on none."
        ),
    )
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
            option.metavar = "[schema]"
            option.help = (
                "Ask Clover whether each merchant's token is accepted; --test=schema writes "
                "the SCHEMA messages."
            )
    return Command(
        name=command.name,
        callback=command.callback,
        context_settings=command.context_settings,
        params=[*command.params, plan, login],
        help=command.help,
        logger=logger,
    )


def merge_configs(paths: Iterable[str], read: Callable[[str], _ConfigInput]) -> _ConfigInput:
    """Read the config files; a later one wins.

    Raises:
        InputError: One does not exist, or holds no JSON object.
    """
    merged = _ConfigInput()
    for path in paths:
        if path != ENVIRONMENT and not (path and Path(path).exists()):
            raise InputError(
                f"The config {path!r} does not exist; give the path of a file, or ENV for the "
                "environment."
            )
        try:
            one = read(path)
        except TypeError as error:
            raise InputError(f"The config {path} holds no JSON object; correct it.") from error
        except ValueError as error:
            _raise_if_infinite(path)
            raise InputError.not_json("config", path, error) from error
        merged.config |= one.config
        merged.parse_env |= one.parse_env
    return merged


def _raise_if_infinite(path: str) -> None:
    """Name the setting that YAML took for a number: digits with an E among them are infinite.

    Raises:
        InputError: There is one.
    """
    text = Path(path).read_text(encoding="utf-8", errors="replace")
    if found := re.search(r'"(\w+)":\s*-?(?:Infinity|NaN)\b', text):
        raise InputError(f"{found[1]} is a number beyond all bounds; put it in quotes.")


@contextlib.contextmanager
def without_greeting() -> Iterator[None]:
    """Leave the SDK's first line out of the log."""

    def speaks(record: logging.LogRecord) -> bool:
        return record.module != "plugin_base"

    logger.addFilter(speaks)
    try:
        yield
    finally:
        logger.removeFilter(speaks)


def correct_log_level() -> None:
    """Make a level of what the environment has for one: an empty text, a number, a wrong word."""
    for variable in LEVELS:
        given = os.environ.get(variable, "").strip().upper()
        names = logging.getLevelNamesMapping()
        if given.isdecimal():
            number = min(int(given), logging.CRITICAL)
            given = max((n, name) for name, n in names.items() if n <= number)[1]
        if given not in names:
            if given:
                click.echo(f"{variable} is not usable; give a level such as DEBUG.", err=True)
            given = "INFO" if variable == LEVELS[-1] else ""
        os.environ[variable] = given


def read_environment(properties: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Read the settings that have a variable.

    Args:
        properties: The schema of each setting.
        prefix: What stands before its name in capitals.

    Raises:
        InputError: A variable holds no number or no JSON where there has to be one.
    """
    config: dict[str, Any] = {}
    parse_environment_config({}, prefix)  # takes a file .env into the environment
    for name, schema in properties.items():
        variable = prefix + name.upper()
        if not os.environ.get(variable, "").strip():
            continue
        try:
            config |= parse_environment_config({"properties": {name: schema}}, prefix)
        except ValueError as error:
            what = "a whole number" if "integer" in schema["type"] else "JSON"
            raise InputError(f"{variable} is not {what}; correct it.") from error
    return config


def read_state(file: IO[str]) -> dict[str, Any]:
    """Read the state; of many lines, as loaders write them, the last one counts.

    Raises:
        InputError: It is no JSON.
        StateError: It holds no state.
    """
    return bookmarks.unwrap(_read(file, "state", _parse_state))


def _parse_state(text: str) -> Any:  # noqa: ANN401
    if not text.strip():
        logger.warning("The state is empty; everything is exported from start_date on.")
        return {}
    try:
        return load_json(text)
    except ValueError:
        lines = text.strip().splitlines()
        load_json(lines[0])  # fails as well where the whole is one text that is broken
        return load_json(lines[-1])


def read_catalog(file: IO[str]) -> dict[str, Any]:
    """Read the catalog.

    Raises:
        InputError: It is no JSON, or no catalog.
    """
    catalog = _read(file, "catalog")
    if not (isinstance(catalog, dict) and isinstance(catalog.get("streams"), list)) or (
        not catalog["streams"]
    ):
        raise InputError("The catalog has no list of streams; make one with --discover.")
    return catalog


def _read(
    file: IO[str],
    kind: str,
    parse: Callable[[str], Any] = load_json,
) -> Any:  # noqa: ANN401
    try:
        return parse(file.read())
    except ValueError as error:
        raise InputError.not_json(kind, file.name, error) from error


def log_in(settings: LoginSettings, way: str, clock: Clock) -> None:
    """Log a merchant in, and say what to add to the settings."""
    import webbrowser  # noqa: PLC0415

    from tap_clover_export.login.login import Login  # noqa: PLC0415

    store = open_store(settings.token_store, settings.token_keys)
    oauth = OAuth(settings.client_id, settings.client_secret, clock.now)
    try:
        login = Login(settings, oauth, store, say=click.echo, ask=_ask, browse=webbrowser.open)
        login.run(way)
    finally:
        oauth.close()
        store.close()


def _ask(question: str) -> str:
    """Ask for a line.

    Raises:
        LoginFailedError: Nobody is there to give one.
    """
    try:
        if sys.stdin:
            return str(click.prompt(question, type=str))
    except click.Abort as abort:
        if not isinstance(abort.__context__, EOFError):  # it is Ctrl-C
            raise
    raise LoginFailedError(
        "The address that the browser shows can't be read (the input has ended); log in again in a "
        "terminal, where it can be pasted."
    )


def check(
    client: Client, merchants: Iterable[Merchant], clock: Clock, say: Callable[[str], object]
) -> bool:
    """Ask Clover once for each merchant whether its token may export; a line each."""
    accepted = True
    for merchant in merchants:
        verdict = "accepted"
        try:
            _check_patiently(client, merchant, clock)
        except UnauthorizedError as error:
            verdict = with_causes("refused", error)
        except CloverError as error:
            verdict = f"not reachable: {error.in_full()}; look at the network, region and api_url"
        except TokenStoreError as error:
            verdict = str(error).rstrip(".")
        accepted &= verdict == "accepted"
        say(f"{merchant.id} ({merchant.region}): {verdict}.")
    return accepted


def _check_patiently(client: Client, merchant: Merchant, clock: Clock) -> None:
    """Check a token; a 429 or 503 that passes within a minute or two is waited for."""
    end, backoff = clock.monotonic() + CHECK_SECONDS, Backoff(LONGEST_CHECK_PAUSE)
    while True:
        try:
            return client.check(merchant)
        except (RateLimitedError, ServiceUnavailableError) as error:
            pause = backoff.next() if error.retry_after is None else error.retry_after
            if clock.monotonic() + pause > end:
                raise
        clock.sleep(pause)


def detach_stdout() -> None:
    """Keep Python from writing the rest as it exits: that would fail too, and end with 120."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
