"""The merchants file, divided into chunks."""

from __future__ import annotations

import csv
import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clover_chunks.setup import Setup

Merchant = dict[str, str]


class MerchantsFileError(Exception):
    """The merchants file can't be divided; says why and what to do."""


def chunk_of(merchant_id: str, chunks: int) -> int:
    """The chunk of a merchant: always the same, whoever else comes or goes.

    With twice as many chunks a merchant stays where it is or moves on by the old number, so that
    two copies of each old state hold every new chunk's bookmarks.
    """
    digest = hashlib.sha256(merchant_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") % chunks


def divide(setup: Setup, region: str) -> dict[int, list[Merchant]]:
    """The merchants of a region, by chunk; chunks without a merchant are left out.

    Raises:
        MerchantsFileError: The file can't be used, or has a merchant that no DAG would export.
    """
    chunks: dict[int, list[Merchant]] = {}
    for merchant in read(setup.merchants_file):
        name, where = merchant["merchant_id"], merchant.get("region") or setup.region
        if where not in setup.regions:
            raise MerchantsFileError(
                f"Merchant {name} is in region {where}, which has no DAG; correct the merchants "
                "file, or add the region to CLOVER_EXPORT_REGIONS."
            )
        if where == region:
            chunks.setdefault(chunk_of(name, setup.chunks), []).append(merchant)
    return dict(sorted(chunks.items()))


def read(path: Path) -> list[Merchant]:
    """The merchants of a JSON array or a CSV with a header.

    Raises:
        MerchantsFileError: The file can't be read or is of another shape.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise MerchantsFileError(
            f"The merchants file can't be read ({error.strerror}); let "
            "TAP_CLOVER_EXPORT_MERCHANTS_FILE name one that every worker reaches."
        ) from None
    except UnicodeDecodeError:
        raise MerchantsFileError("The merchants file is not UTF-8 text; save it so.") from None
    try:
        entries = json.loads(text) if text.lstrip().startswith("[") else list(_rows(text))
    except (ValueError, RecursionError, csv.Error):
        entries = [None]
    merchants = []
    for place, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or not isinstance(entry.get("merchant_id"), str):
            raise MerchantsFileError(
                f"Merchant {place} of the merchants file has no merchant_id; give a JSON array of "
                "merchants or a CSV with the header merchant_id,access_token."
            )
        merchants.append({**entry, "merchant_id": entry["merchant_id"].strip()})
    return merchants


def _rows(text: str) -> Iterator[Merchant]:
    for row in csv.DictReader(text.splitlines(), skipinitialspace=True, strict=True):
        yield {(name or "").strip(): (cell or "").strip() for name, cell in row.items()}
