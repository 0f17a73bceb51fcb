"""The file that keeps rotated tokens between runs."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import stat
import tempfile
from typing import IO, TYPE_CHECKING, Any

import filelock

from tap_clover_export.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_SECONDS = 180.0
NONE = Secret("")
_SPARE_BYTES = 1 << 16


class TokenStoreError(Exception):
    """The token store can't be used; says why and what to do."""


@dataclasses.dataclass(frozen=True)
class Pair:
    """An access token and the refresh token that follows it; times in Unix seconds.

    Attributes:
        seed: Fingerprint of the token that the settings held when this chain began.
        spent_token: The refresh token before, which Clover takes for a recovery.
    """

    seed: str
    refresh_token: Secret
    access_token: Secret = NONE
    access_expires: float = 0.0
    obtained: float = 0.0
    spent_token: Secret = NONE


class TokenStore:
    """Pairs by merchant id, in one JSON file of mode 0600, under one lock over processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pairs: dict[str, dict[str, Any]] = {}
        self._new: tuple[str, IO[bytes]] | None = None

    @contextlib.contextmanager
    def locked(self) -> Iterator[TokenStore]:
        """Hold the lock, with the file read again inside it.

        Raises:
            TokenStoreError: The file can't be read or locked.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = filelock.FileLock(f"{self._path}.lock", mode=0o600, thread_local=False)
            with lock.acquire(timeout=LOCK_SECONDS):
                self._pairs = self._read()
                yield self
        except filelock.Timeout as error:
            raise TokenStoreError("token_store is locked by another run; end that one.") from error
        except OSError as error:
            raise TokenStoreError(
                f"token_store can't be used ({error.strerror}); "
                "give the path of a file that this user can write."
            ) from error

    def get(self, merchant_id: str) -> Pair | None:
        """The pair of a merchant, if one is kept."""
        kept = self._pairs.get(merchant_id)
        if not isinstance(kept, dict):
            return None
        try:
            secrets = {
                name: Secret(str(kept[name]))
                for name in ("refresh_token", "access_token", "spent_token")
            }
            return Pair(
                seed=str(kept["seed"]),
                access_expires=float(kept["access_expires"]),
                obtained=float(kept["obtained"]),
                **secrets,
            )
        except (KeyError, TypeError, ValueError):
            return None

    @contextlib.contextmanager
    def room(self) -> Iterator[None]:
        """Make sure, before a token is spent, that its successor can be written."""
        descriptor, name = tempfile.mkstemp(prefix=f"{self._path.name}.", dir=self._path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(self._content() + b" " * _SPARE_BYTES)
                _sync(file)
                self._new = (name, file)
                yield
        finally:
            self._new = None
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)  # noqa: PTH108

    def put(self, merchant_id: str, pair: Pair) -> None:
        """Keep a pair, on disk before it returns."""
        kept = dataclasses.asdict(pair)
        for name in ("refresh_token", "access_token", "spent_token"):
            kept[name] = getattr(pair, name).reveal()
        self._pairs[merchant_id] = kept
        if self._new is None:
            raise TokenStoreError("token_store has no room made; this is a fault of the tap.")
        name, file = self._new
        file.seek(0)
        file.truncate()
        file.write(self._content())
        _sync(file)
        os.replace(name, self._path)  # noqa: PTH105
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _content(self) -> bytes:
        return json.dumps({"merchants": self._pairs}, separators=(",", ":")).encode()

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return {}
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
                raise TokenStoreError(
                    "token_store is no regular file of this user; give another path."
                )
            if status.st_mode & 0o077:
                os.fchmod(descriptor, 0o600)
            content = file.read()
        try:
            pairs = json.loads(content)["merchants"] if content.strip() else {}
        except (ValueError, KeyError, TypeError, RecursionError):
            pairs = None
        if not isinstance(pairs, dict):
            raise TokenStoreError(
                "token_store holds something else than tokens; give another path."
            )
        return pairs


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
