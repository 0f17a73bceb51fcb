"""Files of this user's alone, their locks, and what the system says of them."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import IO, TYPE_CHECKING

import filelock

from tap_clover_export.errors import TokenStoreError, TokenStoreLockedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_SECONDS = 2.0
"""How long one attempt to have a lock may take; see `store.wait_for_turn`."""

LOCK_POLL_SECONDS = 0.01
SOMETHING_ELSE = "token_store holds something else than tokens; give another path."
FOREIGN = "token_store is no regular file or folder of this user; give another path."
NO_FOLDER = (
    "token_store is neither a folder nor a file (but a device, for example); give the path of a "
    "folder."
)
_NO_FSYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)
"""What file systems say that keep directories by themselves, such as some shares."""


@contextlib.contextmanager
def os_errors_as_sentences() -> Iterator[None]:
    """Turn what the system refuses into a sentence."""
    try:
        yield
    except filelock.Timeout:
        raise
    except OSError as error:
        raise TokenStoreError(
            f"token_store can't be used ({error.strerror}); give a path where this user can write."
        ) from error


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock over processes; the system gives it back when its holder dies.

    Raises:
        TokenStoreError: It can't be had.
    """
    try:
        with os_errors_as_sentences():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))  # or say why not
            lock = filelock.FileLock(path, mode=0o600, thread_local=False)
            held = lock.acquire(timeout=LOCK_SECONDS, poll_interval=LOCK_POLL_SECONDS)
    except filelock.Timeout as error:
        raise TokenStoreLockedError from error
    except NotImplementedError as error:
        raise TokenStoreError(
            "token_store lies where files can't be locked; give another path."
        ) from error
    with held:
        yield


@contextlib.contextmanager
def opened_folder(path: str | Path) -> Iterator[int]:
    """The descriptor of a folder that is this user's alone, a link not followed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        _close_to_others(descriptor, os.fstat(descriptor), 0o700)
        yield descriptor
    finally:
        os.close(descriptor)


def read_own(path: str | Path, folder: int | None = None, *, close: bool = True) -> bytes:
    """The content of a regular file of this user's; empty where there is none.

    Args:
        path: The file.
        folder: The descriptor of the folder that a name is in.
        close: Whether others may no longer read it from now on.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, dir_fd=folder)
    except FileNotFoundError:
        return b""
    with os.fdopen(descriptor, "rb") as file:
        check_file(descriptor, close=close)
        return file.read()


def check_file(descriptor: int, *, close: bool = True) -> None:
    """See to it that a regular file is this user's, and closed to others.

    Raises:
        TokenStoreError: It is somebody else's, or something else.
    """
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise TokenStoreError(FOREIGN)
    _close_to_others(descriptor, status, 0o600 if close else None)


def _close_to_others(descriptor: int, status: os.stat_result, mode: int | None) -> None:
    if status.st_uid != os.geteuid():
        raise TokenStoreError(FOREIGN)
    if mode is not None and status.st_mode & 0o077:
        os.fchmod(descriptor, mode)


def sync_folder(descriptor: int) -> None:
    """Have the names in a folder on disk, where it keeps such."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FSYNC:
            raise


def sync_folder_of(path: Path) -> None:
    """Have a path's own name on disk."""
    parent = os.open(path.parent, os.O_RDONLY)
    try:
        sync_folder(parent)
    finally:
        os.close(parent)


def created(name: str, folder: int) -> IO[bytes]:
    """A new file of this user's alone, in a folder."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    descriptor = os.open(name, flags, 0o600, dir_fd=folder)
    try:
        check_file(descriptor)
    except BaseException:
        os.close(descriptor)
        os.unlink(name, dir_fd=folder)
        raise
    return os.fdopen(descriptor, "r+b")


def sync(file: IO[bytes]) -> None:
    """Have a file on disk."""
    file.flush()
    os.fsync(file.fileno())
