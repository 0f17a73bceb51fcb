"""The merchants file, divided into a region's chunks."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING

import pendulum

from tap_clover_export import times
from tap_clover_export.settings.merchants import Merchant, Merchants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_clover_export.airflow.setup import Setup

NO_START = pendulum.datetime(1, 1, 1)
"""The start of a merchant that the file gives none: the tap's `start_date` counts."""


class MerchantsFileError(Exception):
    """The merchants file can't be read; says why and what to do."""


@dataclasses.dataclass(frozen=True)
class Chunks:
    """A region's merchants.

    Attributes:
        merchants: By chunk, in order; chunks without a merchant are left out.
        left_out: A sentence for each merchant of the file that no DAG can export.
    """

    merchants: dict[int, list[Merchant]]
    left_out: list[str]


def chunk_of(merchant_id: str, chunks: int) -> int:
    """The chunk of a merchant: always the same, whoever else comes or goes.

    With twice as many chunks a merchant stays where it is or moves on by the old number, so that
    two copies of each old state hold every new chunk's bookmarks.
    """
    digest = hashlib.sha256(merchant_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") % chunks


def divide(setup: Setup, region: str) -> Chunks:
    """Divide a region's merchants.

    Raises:
        MerchantsFileError: The file can't be read.
    """
    reasons: list[str] = []
    chunks: dict[int, list[Merchant]] = {}
    for merchant in _merchants(setup, reasons):
        if merchant.region not in setup.regions:
            reasons.append(
                f"Merchant {merchant.id} is in region {merchant.region}, which has no DAG; correct "
                "the merchants file, or add the region to the DAG file."
            )
        elif merchant.region == region:
            chunks.setdefault(chunk_of(merchant.id, setup.chunks), []).append(merchant)
    return Chunks(dict(sorted(chunks.items())), reasons)


def settings_of(merchant: Merchant) -> dict[str, str]:
    """A merchant as the tap's settings name it, with its token."""
    settings = {"merchant_id": merchant.id, "region": merchant.region}
    if merchant.start != NO_START:
        settings["start_date"] = times.to_text(merchant.start)
    for name in ("access_token", "refresh_token"):
        if token := getattr(merchant, name):
            settings[name] = token.reveal()
    return settings


def _merchants(setup: Setup, reasons: list[str]) -> Iterator[Merchant]:
    """Every merchant of the file that the tap would take; of the others the reasons are kept."""
    reader = Merchants({"merchants_file": str(setup.merchants_file)}, reasons)
    common = Merchant("", setup.regions[0], "", NO_START)
    seen: set[str] = set()
    found = False
    for where, entry in reader.entries():
        found, before = True, len(reasons)
        merchant = reader.merchant(where, entry, common, None)
        if not merchant or len(reasons) > before:
            continue
        if merchant.id in seen:
            reasons.append(f"Merchant {merchant.id} is given twice; give it once.")
            continue
        seen.add(merchant.id)
        yield merchant
    if not found:
        raise MerchantsFileError(reasons[0] if reasons else "The merchants file names no merchant.")
