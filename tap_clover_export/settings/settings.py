"""The tap's settings, checked: a frozen value, or every reason why not, a sentence each."""

from __future__ import annotations

import dataclasses
import datetime as dt
import difflib
import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tap_clover_export.errors import SettingsError
from tap_clover_export.settings.fields import PROJECT_ROOT, Fields
from tap_clover_export.settings.hosts import BASE_URLS, LOGIN_URLS, network_zone
from tap_clover_export.settings.merchants import Merchants
from tap_clover_export.settings.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from pendulum import DateTime

    from tap_clover_export.settings.merchants import Merchant

FILE_BYTES = 256 << 20
FILE_LIMIT = "TAP_CLOVER_EXPORT_MAX_FILE_MIB"
"""The largest file that is downloaded, and the environment's variable that says another."""

TEN_YEARS = 87_600
"""In hours: no run lasts longer."""

_LIKENESS = 0.8
"""From which ratio on a name that is unknown is taken for a typing error."""

_NAMED_BY_USERS = ("PIP_URL",)
"""Variables that a project names for Meltano and that look like a setting's."""

_NOWHERE = Path(os.devnull)
"""Where tokens of a user without a home are kept: nowhere; fixed tokens need no store."""

_NO_STORE = (
    "token_store is not set and this user has no home directory; "
    "give a path where this user can write."
)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+_.-]*://")
_KEY = re.compile(r"[\w-]{42}[AEIMQUYcgkosw048]=", re.ASCII)
"""32 bytes in the base64 of URLs."""

_MOST_KEYS = 2


@dataclasses.dataclass(frozen=True)
class Settings:
    """The contract's settings, read and checked.

    Attributes:
        token_store: A path, or the URL of a database.
        token_keys: What it is encrypted with; the first one writes.
        end: None for now.
        file_bytes: The largest file that is downloaded; the environment's, no setting.
    """

    merchants: tuple[Merchant, ...]
    client_id: str | None
    token_store: Path | Secret
    end: DateTime | None
    lookback: dt.timedelta
    late_changes: dt.timedelta
    late_changes_every: dt.timedelta
    window: dt.timedelta
    max_concurrent_exports: int
    poll_interval: float
    export_timeout: float
    max_run: float | None
    max_wait: float
    client_secret: Secret | None = None
    token_keys: tuple[Secret, ...] = ()
    file_bytes: int = FILE_BYTES


@dataclasses.dataclass(frozen=True)
class LoginSettings:
    """What a login needs to know before there is a merchant."""

    client_id: str
    client_secret: Secret
    region: str
    api_url: str
    authorize_url: str
    token_store: Path | Secret
    token_keys: tuple[Secret, ...]


def read(config: Mapping[str, Any], properties: Mapping[str, Mapping[str, Any]]) -> Settings:
    """Read the settings.

    Args:
        config: The settings as Singer hands them over; numbers may be text or Decimal.
        properties: The schema of each setting, those of the SDK included, with its default.

    Raises:
        SettingsError: With every reason at once.
    """
    return _Reader(_with_defaults(config, properties), []).settings(properties.keys())


def read_login(
    config: Mapping[str, Any], properties: Mapping[str, Mapping[str, Any]]
) -> LoginSettings:
    """Read the settings that a login needs; no others have to be there.

    Args:
        config: The settings as Singer hands them over.
        properties: The schema of each setting, with its default.

    Raises:
        SettingsError: With every reason at once.
    """
    return _Reader(_with_defaults(config, properties), []).login()


def misspelt(
    variables: Iterable[str], prefix: str, properties: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Tell of variables that look like a setting's and are none, a sentence each.

    Args:
        variables: The names of the environment's.
        prefix: What stands before a setting's name in capitals.
        properties: The schema of each setting.
    """
    known = {name.upper() for name in properties} | {FILE_LIMIT.removeprefix(prefix)}
    objects = [f"_{name.upper()}_" for name, one in properties.items() if "object" in one["type"]]
    for variable in sorted(variables):
        name = variable.removeprefix(prefix)
        # Meltano's own: extras, the parts of an object, and the settings of plugins that inherit
        # from this one, with their own name in front.
        meltanos = "__" in variable or any(part in f"_{name}" for part in objects)
        meltanos |= any(name.endswith(f"_{one}") for one in known)
        if name in known or name in _NAMED_BY_USERS or name == variable or meltanos:
            continue
        for near in difflib.get_close_matches(name, known, 1, _LIKENESS):
            # A name with a word behind it is a user's own, that meltano.yml refers to.
            if all(near.startswith(f"{one}_") for one in known if name.startswith(f"{one}_")):
                yield f"{variable} is no setting; did you mean {prefix}{near}?"


def _with_defaults(
    config: Mapping[str, Any], properties: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    defaults = {
        name: schema["default"] for name, schema in properties.items() if "default" in schema
    }
    return defaults | {name: value for name, value in config.items() if value not in (None, "")}


class _Reader(Fields):
    """Collects the reasons while it reads, so that a user sees all of them at once."""

    def settings(self, known: Collection[str]) -> Settings:
        self._check_names(known)
        api_url = self._api_url()
        start = self.time("start_date", self.config.get("start_date"))
        if "start_date" not in self.config:
            self.reasons.append(
                "start_date is not set; give the earliest time to export, such as 2026-01-01."
            )
        end = self.time("end_date", self.config.get("end_date"))
        limited = "max_run_hours" in self.config
        max_run = 3600 * self._number("max_run_hours", above=0, most=TEN_YEARS) if limited else None
        client_id = self.text("client_id")
        merchants = Merchants(self.config, self.reasons).read(api_url, start, end)
        settings = Settings(
            merchants=tuple(merchants),
            client_id=client_id,
            token_store=self._token_store(),
            end=end,
            lookback=dt.timedelta(days=self._number("lookback_days", least=0, most=3650)),
            late_changes=dt.timedelta(days=self._number("late_changes_days", least=0, most=3650)),
            late_changes_every=dt.timedelta(
                days=self._number("late_changes_every_days", above=0, most=3650)
            ),
            window=dt.timedelta(
                seconds=max(1, round(86_400 * self._number("window_days", above=0, most=30)))
            ),
            max_concurrent_exports=self._integer("max_concurrent_exports", most=1000),
            poll_interval=self._number("poll_interval_seconds", above=0, most=3600),
            export_timeout=60 * self._number("export_timeout_minutes", above=0, most=1440),
            max_run=max_run,
            max_wait=3600 * self._number("max_wait_hours", least=0),
            client_secret=self._client_secret(),
            token_keys=self._token_keys(),
            file_bytes=self._file_bytes(),
        )
        rotating = any(merchant.refresh_token for merchant in settings.merchants)
        if rotating and settings.token_store == _NOWHERE:
            self.reasons.append(_NO_STORE)
        if rotating and not client_id:
            self.reasons.append(
                "client_id is not set but a merchant has a refresh_token; "
                "give the id of the Clover app that the token belongs to."
            )
        if self.reasons:
            raise SettingsError(self.reasons)
        return settings

    def login(self) -> LoginSettings:
        """What a login needs."""
        api_url = self._api_url()
        region = self.region("region", self.config["region"])
        client_id, client_secret = self.text("client_id"), self._client_secret()
        if not client_id or not client_secret:
            self.reasons.append(
                "client_id or client_secret is not set; a login needs both, of the Clover app "
                "that is to export."
            )
        settings = LoginSettings(
            client_id or "",
            client_secret or Secret(""),
            region,
            api_url or BASE_URLS[region],
            api_url or LOGIN_URLS[region],
            self._token_store(),
            self._token_keys(),
        )
        if settings.token_store == _NOWHERE:
            self.reasons.append(_NO_STORE)
        if self.reasons:
            raise SettingsError(self.reasons)
        return settings

    def _check_names(self, known: Collection[str]) -> None:
        for name in self.config:
            if name not in known and (near := difflib.get_close_matches(name, known, 1, _LIKENESS)):
                self.reasons.append(f"{name} is no setting; did you mean {near[0]}?")

    def _api_url(self) -> str | None:
        text = self.text("api_url")
        if text is None:
            return None
        try:
            url = urlsplit(text)
            plain = url.scheme == "http" and network_zone(url.hostname) == "loopback"
            good = bool(url.hostname) and (url.scheme == "https" or plain) and url.port != 0
        except ValueError:
            good = False
        if not good or re.search(r"[\s@?#]", text):
            self.reasons.append(
                "api_url is not usable; give an address such as https://api.clover.com "
                "without credentials or query (http only for this machine's own loopback)."
            )
            return None
        return text.rstrip("/")

    def _number(
        self,
        name: str,
        *,
        least: float = -math.inf,
        above: float = -math.inf,
        most: float = math.inf,
    ) -> float:
        # Rule 15: numbers may come as text or Decimal, as Meltano's environment hands them over.
        value = self.config[name]
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number) and least <= number <= most and number > above:
            return number
        bounds = [
            f"above {above:g}" if above > -math.inf else "",
            f"at least {least:g}" if least > -math.inf else "",
            f"at most {most:g}" if most < math.inf else "",
        ]
        self.reasons.append(
            f"{name} is not usable; give a number {' and '.join(filter(None, bounds))}."
        )
        return 1.0  # never used: the reason is raised

    def _integer(self, name: str, *, most: int) -> int:
        number = self._number(name, least=1, most=most)
        if number != int(number):
            self.reasons.append(f"{name} is not a whole number; give one such as 1.")
        return int(number)

    def _client_secret(self) -> Secret | None:
        given = self.text("client_secret")
        return Secret(given) if given else None

    def _token_keys(self) -> tuple[Secret, ...]:
        keys = re.split(r"[\s,]+", self.text("token_key") or "")
        found = tuple(Secret(key) for key in keys if key)
        if len(found) > _MOST_KEYS or not all(_KEY.fullmatch(key.reveal()) for key in found):
            self.reasons.append(
                "token_key is not usable; give one that is made as docs/tokens.md says, or two of "
                "them with a comma between."
            )
            return ()
        return found

    def _token_store(self) -> Path | Secret:
        if given := self.text("token_store"):
            return Secret(given) if _URL.match(given) else self.path("token_store", given)
        if project := os.environ.get(PROJECT_ROOT):
            return _default_store(Path(project, ".meltano"))
        try:
            state = Path(os.environ.get("XDG_STATE_HOME", ""))
            if not state.is_absolute():  # which the XDG specification says to ignore
                state = Path("~/.local/state").expanduser()
        except RuntimeError:
            return _NOWHERE
        return _default_store(state)

    def _file_bytes(self) -> int:
        given = os.environ.get(FILE_LIMIT) or str(FILE_BYTES >> 20)
        if re.fullmatch(r"[1-9][0-9]{0,6}", given.strip(), re.ASCII):
            return int(given) << 20
        self.reasons.append(
            f"{FILE_LIMIT} is not usable; give a whole number of MiB from 1 to 9999999."
        )
        return FILE_BYTES


def _default_store(folder: Path) -> Path:
    """Where tokens are kept unless something else is said; where an older version did, there."""
    older = folder / "tap-clover-export" / "tokens.json"
    return older if os.path.lexists(older) else older.with_suffix("")
