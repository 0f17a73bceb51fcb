"""The tap's settings, checked: a frozen value, or every reason why not, a sentence each."""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import difflib
import io
import ipaddress
import json
import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pendulum

from tap_clover_export import times
from tap_clover_export.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pendulum import DateTime

BASE_URLS = {
    "us": "https://api.clover.com",
    "eu": "https://api.eu.clover.com",
    "la": "https://api.la.clover.com",
    "sandbox": "https://apisandbox.dev.clover.com",
}
"""Regions and their hosts: https://docs.clover.com/docs/making-rest-api-calls"""

MERCHANT_FIELDS = ("merchant_id", "access_token", "refresh_token", "region", "start_date")
_MERCHANT_ID = re.compile(r"[A-Za-z0-9]+")


class SettingsError(Exception):
    """The settings can't be used.

    Attributes:
        reasons: One sentence each: which setting, what is wrong, what to do.
    """

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons


@dataclasses.dataclass(frozen=True)
class Merchant:
    """A merchant to export; one of the two tokens is set."""

    id: str
    region: str
    api_url: str
    start: DateTime
    access_token: Secret | None = None
    refresh_token: Secret | None = None


@dataclasses.dataclass(frozen=True)
class Settings:
    """The contract's settings, read and checked. `end` is None for now."""

    merchants: tuple[Merchant, ...]
    client_id: str | None
    token_store: Path
    end: DateTime | None
    lookback: dt.timedelta
    window: dt.timedelta
    max_concurrent_exports: int
    poll_interval: float
    export_timeout: float
    max_run: float | None
    max_wait: float


def read(config: Mapping[str, Any], known: Iterable[str]) -> Settings:
    """Read the settings.

    Args:
        config: The settings as Singer hands them over; numbers may be text or Decimal.
        known: The names of all settings, those of the SDK included.

    Raises:
        SettingsError: With every reason at once.
    """
    return _Reader(config).settings(tuple(known))


class _Reader:
    """Collects the reasons while it reads, so that a user sees all of them at once."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = {name: value for name, value in config.items() if value not in (None, "")}
        self.reasons: list[str] = []

    def settings(self, known: tuple[str, ...]) -> Settings:
        self._typos(known)
        api_url = self._api_url()
        region = self._region(self.config.get("region", "us"), "region")
        start = self._time("start_date", self.config.get("start_date"))
        if "start_date" not in self.config:
            self.reasons.append(
                "start_date is not set; give the earliest time to export, such as 2026-01-01."
            )
        end = self._time("end_date", self.config.get("end_date"))
        max_run = self._number("max_run_hours", None, above=0)
        client_id = self._text("client_id")
        entries = list(self._entries())
        settings = Settings(
            merchants=tuple(self._merchants(entries, region, api_url, start, end)),
            client_id=client_id,
            token_store=self._token_store(),
            end=end,
            lookback=dt.timedelta(days=self._number("lookback_days", 7, least=0, most=3650) or 0),
            window=max(
                dt.timedelta(days=self._number("window_days", 30, above=0, most=30) or 30),
                dt.timedelta(seconds=1),
            ),
            max_concurrent_exports=self._integer("max_concurrent_exports", 1),
            poll_interval=self._number("poll_interval_seconds", 5, above=0, most=3600) or 5,
            export_timeout=60
            * (self._number("export_timeout_minutes", 180, above=0, most=1440) or 180),
            max_run=None if max_run is None else max_run * 3600,
            max_wait=3600 * (self._number("max_wait_hours", 24, least=0) or 0),
        )
        if any(merchant.refresh_token for merchant in settings.merchants) and not client_id:
            self.reasons.append(
                "client_id is not set but a merchant has a refresh_token; "
                "give the id of the Clover app that the token belongs to."
            )
        if self.reasons:
            raise SettingsError(self.reasons)
        return settings

    def _typos(self, known: tuple[str, ...]) -> None:
        for name in self.config:
            if name not in known and (near := difflib.get_close_matches(name, known, 1, 0.8)):
                self.reasons.append(f"{name} is no setting; did you mean {near[0]}?")

    def _text(self, name: str) -> str | None:
        value = self.config.get(name)
        if value is not None and not isinstance(value, str):
            self.reasons.append(f"{name} is not text; put it in quotes.")
            return None
        return value.strip() if value is not None else None

    def _api_url(self) -> str | None:
        text = self._text("api_url")
        if text is None:
            return None
        try:
            url = urlsplit(text)
            plain = url.scheme == "http" and is_loopback(url.hostname)
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

    def _region(self, value: object, where: str) -> str:
        if isinstance(value, str) and value.strip().lower() in BASE_URLS:
            return value.strip().lower()
        self.reasons.append(f"{where} is not one of {', '.join(BASE_URLS)}; give one of these.")
        return "us"

    def _time(self, where: str, value: object) -> DateTime | None:
        if value is None:
            return None
        try:
            if isinstance(value, (dt.date, dt.datetime)):
                value = value.isoformat()
            return times.parse(str(value))
        except ValueError:
            self.reasons.append(
                f"{where} is not a date or date-time; write it like 2026-01-31 "
                "or 2026-01-31T09:00:00Z."
            )
            return None

    def _number(
        self,
        name: str,
        default: float | None,
        *,
        least: float = -math.inf,
        above: float = -math.inf,
        most: float = math.inf,
    ) -> float | None:
        value = self.config.get(name, default)
        if value is None:
            return None
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
        return default

    def _integer(self, name: str, default: int) -> int:
        number = self._number(name, default, least=1, most=1000)
        if number is None or number != int(number):
            self.reasons.append(f"{name} is not a whole number; give one such as {default}.")
            return default
        return int(number)

    def _token_store(self) -> Path:
        if given := self._text("token_store"):
            return self._path("token_store", given)
        if project := os.environ.get("MELTANO_PROJECT_ROOT"):
            return Path(project, ".meltano", "tap-clover-export", "tokens.json")
        state = os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
        return Path(state, "tap-clover-export", "tokens.json")

    def _path(self, name: str, given: str) -> Path:
        try:
            return Path(given).expanduser()
        except RuntimeError:
            self.reasons.append(f"{name} names a home that is unknown; give a full path.")
            return Path(given)

    def _entries(self) -> Iterator[tuple[str, object]]:
        """Every merchant given, with the words that name its place."""
        if any(name in self.config for name in ("merchant_id", "access_token", "refresh_token")):
            one = ("merchant_id", "access_token", "refresh_token")
            yield "merchant_id", {n: self.config[n] for n in one if n in self.config}
        listed = self.config.get("merchants", [])
        if isinstance(listed, str):
            try:
                listed = json.loads(listed)
            except (ValueError, RecursionError):
                listed = None
        if not isinstance(listed, list):
            self.reasons.append(
                'merchants is not a list; write it like [{"merchant_id": "…", "access_token": "…"}].'
            )
            listed = []
        for place, entry in enumerate(listed):
            yield f"merchants[{place}]", entry
        if path := self._text("merchants_file"):
            yield from self._file(self._path("merchants_file", path))

    def _file(self, path: Path) -> Iterator[tuple[str, object]]:
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            self.reasons.append(
                f"merchants_file can't be read ({why}); give the path of a JSON or CSV file."
            )
            return
        entries: object
        if text.lstrip().startswith(("[", "{")):
            try:
                entries = json.loads(text)
            except (ValueError, RecursionError):
                entries = None
        else:
            try:
                entries = _rows(text)
            except csv.Error:
                entries = None
        if not isinstance(entries, list):
            self.reasons.append(
                "merchants_file is neither a JSON array of merchants nor a CSV with a header of "
                f"{', '.join(MERCHANT_FIELDS)}; correct it."
            )
            return
        for place, entry in enumerate(entries, 1):
            yield f"merchants_file, merchant {place}", entry

    def _merchants(
        self,
        entries: list[tuple[str, object]],
        region: str,
        api_url: str | None,
        start: DateTime | None,
        end: DateTime | None,
    ) -> Iterator[Merchant]:
        if not entries and not self.reasons:
            self.reasons.append(
                "No merchant is set; give merchants, merchants_file, "
                "or merchant_id with access_token."
            )
        seen: set[str] = set()
        for where, entry in entries:
            if not isinstance(entry, dict):
                self.reasons.append(f"{where} is not an object; give its merchant_id and token.")
                continue
            given = {name: value for name, value in entry.items() if value not in (None, "")}
            for name in given:
                if name not in MERCHANT_FIELDS:
                    fields = ", ".join(MERCHANT_FIELDS)
                    self.reasons.append(f"{where} has an unknown field; known are {fields}.")
            identity = given.get("merchant_id")
            if not isinstance(identity, str) or not _MERCHANT_ID.fullmatch(identity.strip()):
                self.reasons.append(
                    f"{where} has no usable merchant_id; give Clover's id, letters and digits only."
                )
                continue
            identity = identity.strip()
            if identity in seen:
                self.reasons.append(f"Merchant {identity} is given twice; give it once.")
            seen.add(identity)
            tokens = {n: given.get(n) for n in ("access_token", "refresh_token") if n in given}
            if len(tokens) != 1:
                self.reasons.append(
                    f"Merchant {identity} has {'both' if tokens else 'neither'} access_token "
                    f"{'and' if tokens else 'nor'} refresh_token; give one of them."
                )
                continue
            (kind, token), *_ = tokens.items()
            if not isinstance(token, str) or not re.fullmatch(r"[!-~]+", token.strip()):
                self.reasons.append(
                    f"The {kind} of merchant {identity} is not a token; give it as Clover shows it."
                )
                continue
            own = (
                self._region(given["region"], f"region of merchant {identity}")
                if ("region" in given)
                else region
            )
            begin = self._time(f"start_date of merchant {identity}", given.get("start_date"))
            begin = begin or start or pendulum.datetime(1970, 1, 1)
            if end is not None and begin > end:
                which = (
                    "start_date"
                    if "start_date" not in given
                    else (f"start_date of merchant {identity}")
                )
                reason = f"{which} lies after end_date; put it before."
                if reason not in self.reasons:
                    self.reasons.append(reason)
            yield Merchant(
                identity, own, api_url or BASE_URLS[own], begin, **{kind: Secret(token.strip())}
            )


def _rows(text: str) -> list[dict[str, str]] | None:
    """The rows of a CSV with a header, or None where it is none."""
    lines = io.StringIO(re.sub(r'" +(?=,|\r?$)', '"', text, flags=re.MULTILINE), newline="")
    rows = [
        [cell.strip(" ") for cell in row]
        for row in csv.reader(lines, skipinitialspace=True, strict=True)
    ]
    if not rows or "merchant_id" not in rows[0]:
        return None
    names, *rows = rows
    names += ["?"] * max((len(row) - len(names) for row in rows), default=0)
    return [
        {name: cell for name, cell in zip(names, row, strict=False) if cell}
        for row in rows
        if any(row)
    ]


def is_loopback(host: str | None) -> bool:
    """Whether a host name or address is this machine itself."""
    if host is None:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
