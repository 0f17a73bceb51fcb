"""Pairs on disk: a folder with a file a chain.

A refresh writes its own chain's file and nothing else, so its price does not grow with the
merchants, a crash can hurt one chain at most, and no package beside the standard library is needed.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tap_clover_export.errors import TokenStoreError
from tap_clover_export.tokens import files
from tap_clover_export.tokens.chain import TokenPair
from tap_clover_export.tokens.older import read_older, remove_older

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_clover_export.tokens.chain import Chain
    from tap_clover_export.tokens.cipher import Cipher

ROOM_BYTES = 1 << 16
"""More than a pair takes, however long its tokens are."""

_ROOM = os.urandom(ROOM_BYTES)  # which no file system makes smaller

UNUSED_SECONDS = 366 * 86_400.0
"""Clover's refresh tokens live 365 days: a chain that was not used for longer is dead."""

_LOCKS = ".locks"


class DiskStore:
    """A folder of mode 0700; chains are files of mode 0600, each with a lock of its own."""

    def __init__(self, path: Path, cipher: Cipher) -> None:
        self._path = path
        self._cipher = cipher
        self._preparing = threading.Lock()
        self._ready = False
        self._swept = False

    def get(self, chain: Chain) -> TokenPair | None:
        """What was kept last, read without a lock."""
        with self._folder() as folder:
            return self._read(_file(chain.name), folder)

    @contextlib.contextmanager
    def turn(self, chain: Chain) -> Iterator[_DiskTurn]:
        """Be the only one, over threads and processes, that refreshes a chain."""
        with self._folder() as folder, files.locked(self._path / _LOCKS / chain.name):
            self._sweep()
            self._finish(chain.name, folder)
            turn = _DiskTurn(
                self._read(_file(chain.name), folder), chain.name, folder, self._cipher
            )
            try:
                yield turn
            finally:
                turn.close()

    def close(self) -> None:
        """Nothing stays open."""

    @contextlib.contextmanager
    def _folder(self) -> Iterator[int]:
        """The store's folder, made where it is not there."""
        with files.os_errors_as_sentences():
            with self._preparing:
                if not self._ready:
                    self._prepare()
                    self._ready = True
            with files.opened_folder(self._path) as folder:
                yield folder

    def _prepare(self) -> None:
        """Make the folder; a file of the older form, read whole, gives way to it.

        The chains are on disk before the file goes, and a crash in between is made good by the
        next run.
        """
        if self._is_made():
            return
        with files.locked(Path(f"{self._path}.lock")):
            if self._is_made():
                return
            made = Path(f"{self._path}.d")
            older = list(read_older(self._path))
            (made / _LOCKS).mkdir(mode=0o700, parents=True, exist_ok=True)
            with files.opened_folder(made) as folder:
                for chain, pair in older:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(_next(chain.name), dir_fd=folder)
                    with files.created(_next(chain.name), folder) as file:
                        file.write(self._cipher.seal(pair.pack()))
                        files.sync(file)
                    _take_place(chain.name, folder)
                files.sync_folder(folder)
            remove_older(self._path)
            made.rename(self._path)
            files.sync_folder_of(self._path)

    def _is_made(self) -> bool:
        """Whether the folder is there.

        Raises:
            TokenStoreError: It holds something else than tokens, or is no place for them.
        """
        try:
            kind = self._path.lstat().st_mode
        except FileNotFoundError:
            return False
        if stat.S_ISLNK(kind):
            raise TokenStoreError(files.FOREIGN)
        if stat.S_ISREG(kind):
            return False
        if not stat.S_ISDIR(kind):
            raise TokenStoreError(files.NO_FOLDER)
        held = os.listdir(self._path)  # noqa: PTH208
        if held and _LOCKS not in held:
            raise TokenStoreError(files.SOMETHING_ELSE)
        return True

    def _read(self, name: str, folder: int) -> TokenPair | None:
        kept = _line(files.read_own(name, folder))
        if not kept:
            return None
        try:
            return TokenPair.unpack(self._cipher.open(kept))
        except ValueError:
            raise TokenStoreError(files.SOMETHING_ELSE) from None

    def _finish(self, name: str, folder: int) -> None:
        """Do what a crash kept a `put` from: its file, once whole, is newer than the chain's."""
        kept = b""
        with contextlib.suppress(OSError, TokenStoreError):  # a link, or what others put there
            kept = _line(files.read_own(_next(name), folder))
        try:
            TokenPair.unpack(self._cipher.open(kept))
        except ValueError:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(_next(name), dir_fd=folder)
        else:
            _take_place(name, folder)
            files.sync_folder(folder)

    def _sweep(self) -> None:
        """Once a run, let chains go that were not used for a year, then locks without a chain."""
        if self._swept:
            return
        self._swept = True
        before = time.time() - UNUSED_SECONDS
        kept = set()
        with os.scandir(self._path) as found:
            for one in found:
                if not one.name.startswith(".") and not _removed_if_old(one, before):
                    kept.add(one.name)
        with os.scandir(self._path / _LOCKS) as found:
            for one in found:
                if _file(one.name) not in kept:
                    _removed_if_old(one, before)


class _DiskTurn:
    """A chain whose lock is held."""

    def __init__(self, pair: TokenPair | None, name: str, folder: int, cipher: Cipher) -> None:
        self.pair = pair
        self._name = name
        self._folder = folder
        self._cipher = cipher
        self._room: IO[bytes] | None = None

    def reserve(self) -> None:
        """Have the successor's file on disk, as large as it may become."""
        self._cipher.check()
        self.close()
        with files.os_errors_as_sentences():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(_next(self._name), dir_fd=self._folder)
            self._room = files.created(_next(self._name), self._folder)
            self._room.write(_ROOM)
            files.sync(self._room)

    def put(self, pair: TokenPair) -> None:
        """Keep a pair, on disk before it returns; the next turn makes good a crash in between."""
        if self._room is None:
            raise TokenStoreError("token_store has no room made; this is a fault of the tap.")
        # Rule 14: a pair is on disk before its first use; what was spent can't be had again.
        with files.os_errors_as_sentences():
            with self._room as file:
                self._room = None
                content = self._cipher.seal(pair.pack())
                file.seek(0)
                file.write(content + b"\n")
                file.truncate()  # only now: what is given back before may be another's at once
                files.sync(file)
            _take_place(self._name, self._folder)
            files.sync_folder(self._folder)
        self.pair = pair

    def close(self) -> None:
        """Give back what was reserved and not needed."""
        if self._room is None:
            return
        room, self._room = self._room, None
        with contextlib.suppress(OSError):
            room.close()
        with contextlib.suppress(OSError):
            os.unlink(_next(self._name), dir_fd=self._folder)


def _file(name: str) -> str:
    return f"{name}.json"


def _next(name: str) -> str:
    return f"{name}.new"


def _line(content: bytes) -> bytes:
    """What was put; a kill may have left the rest of its room behind it."""
    return content.partition(b"\n")[0].strip()


def _take_place(name: str, folder: int) -> None:
    os.replace(_next(name), _file(name), src_dir_fd=folder, dst_dir_fd=folder)


def _removed_if_old(one: os.DirEntry[str], before: float) -> bool:
    with contextlib.suppress(FileNotFoundError):
        if one.stat(follow_symlinks=False).st_mtime >= before:
            return False
        Path(one.path).unlink()
    return True
