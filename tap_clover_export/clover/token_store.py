"""The file that keeps rotated tokens between runs."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import stat
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

import filelock
import msgspec

from tap_clover_export.errors import TokenStoreError
from tap_clover_export.settings.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK_SECONDS = 180.0
LOCK_POLL_SECONDS = 0.01
NONE = Secret("")
_SECRETS = ("refresh_token", "access_token", "spent_token")
_SPARE_BYTES = 1 << 16
_STALE_SECONDS = 3600.0
_NO_FSYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)
"""What file systems say that keep directories by themselves, such as some shares."""


class _Content(msgspec.Struct):
    merchants: dict[str, msgspec.Raw]


_contents = msgspec.json.Decoder(_Content)  # made in one thread, see client.py


@dataclasses.dataclass(frozen=True)
class TokenPair:
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
    """Pairs by merchant id, in one JSON file of mode 0600.

    A merchant's turn is a lock over processes that lasts through its refresh, and holds nobody
    else up; the file's own lock lasts only while it is read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next = Path(f"{path}.new")
        self._pairs: dict[str, msgspec.Raw] = {}
        self._mine = threading.local()

    @contextlib.contextmanager
    def refresh_lock(self, merchant_id: str) -> Iterator[None]:
        """Be the only one, over threads and processes, that refreshes a merchant's token.

        Raises:
            TokenStoreError: It can't be locked.
        """
        with self._lock(Path(f"{self._path}.locks", merchant_id)):
            yield

    @contextlib.contextmanager
    def locked(self) -> Iterator[TokenStore]:
        """Hold the file's lock, with the file read again inside it.

        Raises:
            TokenStoreError: The file can't be read or locked.
        """
        with self._lock(Path(f"{self._path}.lock")):
            self._finish()
            self._pairs = self._read()
            yield self

    def get(self, merchant_id: str) -> TokenPair | None:
        """The pair of a merchant, if one is kept."""
        try:
            kept = msgspec.json.decode(self._pairs[merchant_id])
            return TokenPair(
                seed=str(kept["seed"]),
                access_expires=float(kept["access_expires"]),
                obtained=float(kept["obtained"]),
                **{name: Secret(str(kept[name])) for name in _SECRETS},
            )
        except (KeyError, TypeError, ValueError):
            return None

    @contextlib.contextmanager
    def reserve_space(self) -> Iterator[None]:
        """Make sure, before a token is spent, that its successor can be written.

        Raises:
            TokenStoreError: There is no room.
        """
        with _os_errors_as_sentences():
            self._sweep()
            descriptor, name = tempfile.mkstemp(
                prefix=f"{self._path.name}.", suffix=".room", dir=self._path.parent
            )
        try:
            with os.fdopen(descriptor, "r+b") as file:
                with _os_errors_as_sentences():
                    _check(descriptor)
                    file.write(os.urandom(len(self._content()) + _SPARE_BYTES))  # no compression
                    _sync(file)
                self._mine.room = (name, file)
                yield
        finally:
            self._mine.room = None
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)  # noqa: PTH108

    def put(self, merchant_id: str, pair: TokenPair) -> None:
        """Keep a pair, on disk before it returns; `locked` makes good a crash in between."""
        if not getattr(self._mine, "room", None):
            raise TokenStoreError("token_store has no room made; this is a fault of the tap.")
        # Rule 14: a pair is on disk before its first use; what was spent can't be had again.
        name, file = self._mine.room
        self._pairs[merchant_id] = _packed(pair)
        os.rename(name, self._next)  # noqa: PTH104
        content = self._content()
        file.truncate(len(content))
        file.seek(0)
        file.write(content)
        _sync(file)
        self._rename()

    @contextlib.contextmanager
    def _lock(self, path: Path) -> Iterator[None]:
        try:
            with _os_errors_as_sentences():
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                lock = filelock.FileLock(path, mode=0o600, thread_local=False)
                held = lock.acquire(timeout=LOCK_SECONDS, poll_interval=LOCK_POLL_SECONDS)
        except filelock.Timeout as error:
            raise TokenStoreError("token_store is locked by another run; end that one.") from error
        except NotImplementedError as error:
            raise TokenStoreError(
                "token_store lies where files can't be locked; give another path."
            ) from error
        with held, _os_errors_as_sentences():
            yield

    def _content(self) -> bytes:
        return msgspec.json.encode(_Content(self._pairs))

    def _read(self) -> dict[str, msgspec.Raw]:
        content = _own(self._path)
        if not content.strip():
            return {}
        try:
            return _parse(content)
        except (ValueError, RecursionError) as error:
            raise TokenStoreError(
                "token_store holds something else than tokens; give another path."
            ) from error

    def _finish(self) -> None:
        """Do what a crash kept a `put` from: its file, once whole, is newer than the store."""
        if not os.path.lexists(self._next):
            return
        try:
            _parse(_own(self._next))
        except (ValueError, RecursionError, TokenStoreError):
            self._next.unlink(missing_ok=True)
        else:
            self._rename()

    def _rename(self) -> None:
        os.replace(self._next, self._path)  # noqa: PTH105
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        except OSError as error:
            if error.errno not in _NO_FSYNC:
                raise
        finally:
            os.close(folder)

    def _sweep(self) -> None:
        """Remove the rooms of runs that were killed."""
        for room in self._path.parent.glob(f"{self._path.name}.*.room"):
            with contextlib.suppress(FileNotFoundError):
                if room.stat().st_mtime < time.time() - _STALE_SECONDS:
                    room.unlink()


@contextlib.contextmanager
def _os_errors_as_sentences() -> Iterator[None]:
    """Turn what the system refuses into a sentence."""
    try:
        yield
    except filelock.Timeout:
        raise
    except OSError as error:
        raise TokenStoreError(
            f"token_store can't be used ({error.strerror}); "
            "give the path of a file that this user can write."
        ) from error


def _own(path: Path) -> bytes:
    """The content of a regular file of this user's; empty where there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return b""
    with os.fdopen(descriptor, "rb") as file:
        _check(descriptor)
        return file.read()


def _check(descriptor: int) -> None:
    """See to it that a file is this user's alone."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        raise TokenStoreError("token_store is no regular file of this user; give another path.")
    if status.st_mode & 0o077:
        os.fchmod(descriptor, 0o600)


def _packed(pair: TokenPair) -> msgspec.Raw:
    kept = dataclasses.asdict(pair)
    kept |= {name: getattr(pair, name).reveal() for name in _SECRETS}
    return msgspec.Raw(msgspec.json.encode(kept))


def _parse(content: bytes) -> dict[str, msgspec.Raw]:
    return _contents.decode(content).merchants


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
