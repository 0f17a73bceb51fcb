"""What a store of tokens does, wherever it keeps them."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tap_clover_export.errors import TokenStoreError, TokenStoreLockedError
from tap_clover_export.tokens.cipher import Cipher
from tap_clover_export.tokens.disk import DiskStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from tap_clover_export.settings.secret import Secret
    from tap_clover_export.tokens.chain import Chain, TokenPair
    from tap_clover_export.tokens.database import DatabaseStore


WAIT_SECONDS = 180.0
"""How long another refresh of the same chain is waited for."""


class Turn(Protocol):
    """A chain that nobody else refreshes meanwhile.

    Attributes:
        pair: What is kept of it, read inside the lock.
    """

    pair: TokenPair | None

    def reserve(self) -> None:
        """Make sure, before a token is spent, that its successor can be kept.

        Raises:
            TokenStoreError: It can't.
        """
        ...

    def put(self, pair: TokenPair) -> None:
        """Keep a pair, so that it outlives this process and its machine's power.

        Raises:
            TokenStoreError: It can't be kept.
        """
        ...


class TokenStore(Protocol):
    """Keeps the pair at the end of each chain."""

    def get(self, chain: Chain) -> TokenPair | None:
        """What was kept last, read without a lock.

        Raises:
            TokenStoreError: It can't be read.
        """
        ...

    def turn(self, chain: Chain) -> AbstractContextManager[Turn]:
        """Be the only one, over threads, processes and machines, that refreshes a chain.

        Raises:
            TokenStoreError: It can't be locked.
        """
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


class _LateStore:
    """A database, whose packages are loaded when it is first needed."""

    def __init__(self, url: Secret, cipher: Cipher) -> None:
        self._url = url
        self._cipher = cipher
        self._opening = threading.Lock()
        self._store: DatabaseStore | None = None

    def get(self, chain: Chain) -> TokenPair | None:
        """What was kept last."""
        return self._opened().get(chain)

    @contextlib.contextmanager
    def turn(self, chain: Chain) -> Iterator[Turn]:
        """Be the only one that refreshes a chain."""
        with self._opened().turn(chain) as turn:
            yield turn

    def close(self) -> None:
        """Close the connections."""
        if self._store:
            self._store.close()

    def _opened(self) -> DatabaseStore:
        with self._opening:
            if self._store is None:
                try:
                    from tap_clover_export.tokens.database import DatabaseStore  # noqa: PLC0415

                    self._store = DatabaseStore(self._url, self._cipher)
                except ImportError as error:
                    raise TokenStoreError(
                        f"token_store is a database and a package is missing ({error.name}); "
                        "install tap-clover-export[database], or the driver that the URL names."
                    ) from None
            return self._store


@contextlib.contextmanager
def wait_for_turn(
    store: TokenStore, chain: Chain, given_up: Callable[[], bool] = lambda: False
) -> Iterator[Turn]:
    """Be the only one that refreshes a chain, once the one before is done with it.

    Args:
        store: The store.
        chain: The chain.
        given_up: Whether nobody waits for it any more.

    Raises:
        TokenStoreError: It can't be had.
    """
    end = time.monotonic() + WAIT_SECONDS
    with contextlib.ExitStack() as stack:
        while True:
            try:
                turn = stack.enter_context(store.turn(chain))
                break
            except TokenStoreLockedError:
                if given_up() or time.monotonic() >= end:
                    raise
        yield turn


def open_store(place: Path | Secret, keys: Sequence[Secret] = ()) -> TokenStore:
    """A store; nothing is opened before it is first needed.

    Args:
        place: A path, or the URL of a database.
        keys: What it is encrypted with.
    """
    cipher = Cipher(keys)
    return DiskStore(place, cipher) if isinstance(place, Path) else _LateStore(place, cipher)
