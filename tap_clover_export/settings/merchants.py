"""The merchants to export: their ids, regions, starts and tokens."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import logging
import re
import stat
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pendulum

from tap_clover_export.settings.fields import Fields
from tap_clover_export.settings.hosts import BASE_URLS
from tap_clover_export.settings.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pendulum import DateTime

logger = logging.getLogger("tap-clover-export.settings")

MERCHANT_FIELDS = ("merchant_id", "access_token", "refresh_token", "region", "start_date")
_EARLIEST = pendulum.datetime(1970, 1, 1)
STORED = re.compile(r"stored:([0-9a-f]{32})")
"""How the settings name a login whose tokens are in `token_store` alone."""

_MERCHANT_ID = re.compile(r"[A-Za-z0-9]+")
_NO_RIGHTS = 0o777
_WORDS = re.compile(r"[A-Za-z_ -]{1,30}")
"""A name that is shown: it is no token, which has digits."""


@dataclasses.dataclass(frozen=True)
class Merchant:
    """A merchant to export; one of the two tokens is set."""

    id: str
    region: str
    api_url: str
    start: DateTime
    access_token: Secret | None = None
    refresh_token: Secret | None = None


class Merchants(Fields):
    """Reads the settings that name merchants.

    Attributes:
        exposed: Whether the file's mode lets every user read it.
    """

    exposed = False

    def read(
        self, api_url: str | None, start: DateTime | None, end: DateTime | None
    ) -> Iterator[Merchant]:
        """Every merchant that can be exported; of the others the reasons are kept.

        Args:
            api_url: Overrides the regions' base URLs.
            start: The earliest time to export, where a merchant has none of its own.
            end: The time to stop at.
        """
        region = self.region("region", self.config["region"])
        common = Merchant("", region, api_url or "", start or _EARLIEST)
        seen: set[str] = set()
        found, before = False, len(self.reasons)
        for where, entry in self.entries():
            found = True
            merchant = self.merchant(where, entry, common, end)
            if merchant and merchant.id in seen:
                self.reasons.append(f"Merchant {merchant.id} is given twice; give it once.")
            elif merchant:
                seen.add(merchant.id)
                yield merchant
            if self.exposed and merchant and where.startswith("merchants_file"):
                self._warn_of_readers(merchant)
        if not found and len(self.reasons) == before:
            self.reasons.append(
                "No merchant is set; give merchants, merchants_file, "
                "or merchant_id with access_token."
            )

    def _warn_of_readers(self, merchant: Merchant) -> None:
        """Warn once, of the first token in the file; a login's name is none."""
        token = merchant.access_token or merchant.refresh_token
        if token and not STORED.fullmatch(token.reveal()):
            self.exposed = False
            logger.warning(
                "merchants_file holds tokens and its mode lets every user read it; run "
                "chmod 600 on it."
            )

    def merchant(
        self, where: str, entry: object, common: Merchant, end: DateTime | None
    ) -> Merchant | None:
        """Read one entry; of what can't be used the reasons are kept.

        Args:
            where: The words that say where it stands.
            entry: What stands there.
            common: What a merchant has that names nothing of its own.
            end: The time to stop at.
        """
        if not isinstance(entry, dict):
            self.reasons.append(f"{where} is not an object; give its merchant_id and token.")
            return None
        given = {name: value for name, value in entry.items() if value not in (None, "")}
        if unknown := [name for name in given if name not in MERCHANT_FIELDS]:
            names = ", ".join(name if _WORDS.fullmatch(name) else "?" for name in unknown)
            fields = ", ".join(MERCHANT_FIELDS)
            self.reasons.append(f"{where} has an unknown field ({names}); known are {fields}.")
        identity = self._identity(where, given.get("merchant_id"))
        of = f"merchant {identity}" if identity else where
        tokens = self._tokens(of, given)
        region = common.region
        if "region" in given:
            region = self.region(f"region of {of}", given["region"])
        start = common.start
        which = "start_date"
        if "start_date" in given:
            which = f"start_date of {of}"
            start = self.time(which, given["start_date"]) or start
        if end is not None and start > end:
            self.add_once(f"{which} lies after end_date; put it before.")
        if tokens is None or identity is None:
            return None
        return Merchant(identity, region, common.api_url or BASE_URLS[region], start, **tokens)

    def _identity(self, where: str, given: object) -> str | None:
        """A merchant's id."""
        if isinstance(given, (int, float, Decimal)):
            of = "" if where == "merchant_id" else f"The merchant_id of {where}"
            self.reasons.append(f"{of or where} is not text; put it in quotes.")
            return None
        if not isinstance(given, str) or not _MERCHANT_ID.fullmatch(given.strip()):
            what = "is not usable" if where == "merchant_id" else "has no usable merchant_id"
            self.reasons.append(f"{where} {what}; give Clover's id, letters and digits only.")
            return None
        return given.strip()

    def _tokens(self, of: str, given: dict[str, Any]) -> dict[str, Secret] | None:
        """The one token that a merchant has, by its setting's name."""
        tokens = {name: given[name] for name in ("access_token", "refresh_token") if name in given}
        if len(tokens) != 1:
            name = of.replace("merchant ", "Merchant ") if of.startswith("merchant ") else of
            self.reasons.append(
                f"{name} has {'both' if tokens else 'neither'} access_token "
                f"{'and' if tokens else 'nor'} refresh_token; give one of them."
            )
            return None
        ((kind, token),) = tokens.items()
        if isinstance(token, (int, float, Decimal)):
            self.reasons.append(f"The {kind} of {of} is not text; put it in quotes.")
            return None
        if not isinstance(token, str) or not re.fullmatch(r"[!-~]+", token.strip()):
            self.reasons.append(f"The {kind} of {of} is not a token; give it as Clover shows it.")
            return None
        if token.strip().startswith("stored:") and not STORED.fullmatch(token.strip()):
            self.reasons.append(
                f"The {kind} of {of} names no login; give it as --login printed it."
            )
            return None
        return {kind: Secret(token.strip())}

    def entries(self) -> Iterator[tuple[str, object]]:
        """Every merchant given, with the words that say where."""
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
                "merchants is not a list; write it like "
                '[{"merchant_id": "…", "access_token": "…"}].'
            )
            listed = []
        for index, entry in enumerate(listed):
            yield f"merchants[{index}]", entry
        if path := self.text("merchants_file"):
            yield from self._file(self.path("merchants_file", path))

    def _file(self, path: Path) -> Iterator[tuple[str, object]]:
        try:
            # Opening a pipe that nobody writes to would never come back.
            irregular = path.exists() and not (path.is_file() or path.is_dir())
            text = "" if irregular else path.read_text(encoding="utf-8-sig")
            mode = stat.S_IMODE(path.stat().st_mode)
        except (OSError, UnicodeDecodeError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            self.reasons.append(
                f"merchants_file can't be read ({why}); give the path of a JSON or CSV file."
            )
            return
        if irregular:
            self.reasons.append("merchants_file is no regular file; give the path of one.")
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
        # Disks of Windows, which keep no rights, show all of them.
        self.exposed = bool(mode & stat.S_IROTH) and mode != _NO_RIGHTS
        for number, entry in enumerate(entries, 1):
            yield f"merchants_file, merchant {number}", entry


def _rows(text: str) -> list[dict[str, str]] | None:
    """The rows of a CSV; None where it has no header."""
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
