"""The store's older form: one JSON file with the pairs of all merchants."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tap_clover_export.errors import TokenStoreError
from tap_clover_export.tokens.chain import Chain, TokenPair
from tap_clover_export.tokens.files import SOMETHING_ELSE, read_own

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Content(msgspec.Struct):
    merchants: dict[str, msgspec.Raw]


_contents = msgspec.json.Decoder(_Content)


def read_older(path: Path) -> Iterator[tuple[Chain, TokenPair]]:
    """Every pair of a file of the older form, none where there is no file.

    Raises:
        TokenStoreError: It is something else.
    """
    for merchant_id, kept in _newest(path).items():
        try:
            pair = TokenPair.unpack(kept)
        except ValueError:
            continue
        yield Chain(merchant_id, pair.seed), pair


def remove_older(path: Path) -> None:
    """Remove it, with what lay beside it."""
    for one in (path, _successor(path), *path.parent.glob(f"{path.name}.*.room")):
        one.unlink(missing_ok=True)
    shutil.rmtree(f"{path}.locks", ignore_errors=True)


def _newest(path: Path) -> dict[str, msgspec.Raw]:
    """What a crash kept from the file's place is newer than the file, once it is whole."""
    if os.path.lexists(_successor(path)):
        try:
            return _tokens(_successor(path))
        except (OSError, ValueError, RecursionError, TokenStoreError):
            pass
    if not read_own(path, close=False).strip():
        return {}
    try:
        return _tokens(path)
    except (ValueError, RecursionError) as error:
        raise TokenStoreError(SOMETHING_ELSE) from error


def _tokens(path: Path) -> dict[str, msgspec.Raw]:
    """What a file holds; once that is seen to be tokens, others may no longer read it.

    Raises:
        ValueError: It is something else.
    """
    found = _contents.decode(read_own(path, close=False)).merchants
    read_own(path)
    return found


def _successor(path: Path) -> Path:
    return Path(f"{path}.new")
