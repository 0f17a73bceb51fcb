"""Pairs in a database that machines share: one table, a row a chain.

SQLAlchemy and the driver are an extra; this module is imported only where they are used.
"""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from tap_clover_export.errors import TokenStoreError, TokenStoreLockedError
from tap_clover_export.tokens import files
from tap_clover_export.tokens.chain import TokenPair
from tap_clover_export.tokens.connections import Connections, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_clover_export.settings.secret import Secret
    from tap_clover_export.tokens.chain import Chain
    from tap_clover_export.tokens.cipher import Cipher

UNUSED_SECONDS = 366 * 86_400.0
_ROUNDS = 5
_PADDING = b" " * (1 << 15)
"""Room for a pair in an SQLite file, made before a token is spent."""

_row = table.c


class DatabaseStore:
    """Keeps chains in a table; a turn on one is a lock on its row, which its holder's end frees."""

    def __init__(self, url: Secret, cipher: Cipher) -> None:
        """Open a store.

        Raises:
            TokenStoreError: The address can't be used.
        """
        self._connections = Connections(url)
        self._cipher = cipher
        self._sweeping = threading.Lock()
        self._swept = False

    def get(self, chain: Chain) -> TokenPair | None:
        """What was kept last, read without a lock."""
        with self._connections.begin() as connection:
            return self._read(connection, chain)

    @contextlib.contextmanager
    def turn(self, chain: Chain) -> Iterator[RowTurn | FileTurn]:
        """Be the only one, over threads, processes and machines, that refreshes a chain."""
        self._sweep()
        # SQLite has one lock for all rows; a refresh must not hold up the others.
        take = self._row_turn if self._connections.file is None else self._file_turn
        with take(chain) as turn:
            yield turn

    @contextlib.contextmanager
    def _row_turn(self, chain: Chain) -> Iterator[RowTurn]:
        with self._connections.begin() as connection:
            self._lock(connection, chain)
            turn = RowTurn(self._read(connection, chain), chain, connection, self._cipher)
            yield turn
            if not turn.kept:
                connection.rollback()

    @contextlib.contextmanager
    def _file_turn(self, chain: Chain) -> Iterator[FileTurn]:
        with files.locked(Path(f"{self._connections.file}.locks", chain.name)):
            turn = FileTurn(self.get(chain), chain, self._connections, self._cipher)
            try:
                yield turn
            finally:
                turn.close()

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

    def _read(self, connection: sa.Connection, chain: Chain) -> TokenPair | None:
        query = sa.select(_row.content).where(_row.chain == chain.name)
        kept = (connection.execute(query).scalar() or "").strip().encode()
        if not kept:
            return None
        try:
            return TokenPair.unpack(self._cipher.open(kept))
        except ValueError:
            raise TokenStoreError(files.SOMETHING_ELSE) from None

    def _lock(self, connection: sa.Connection, chain: Chain) -> None:
        """Lock a chain's row, by a write, so that it tells what this user may do as well.

        Who inserts a row that is not there waits for whoever does the same, and then finds it.
        """
        for _ in range(_ROUNDS):
            self._connections.bound(connection)
            if _update(connection, chain):
                return
            try:
                with connection.begin_nested():
                    _insert(connection, chain)
            except IntegrityError:
                continue
            return
        raise TokenStoreLockedError

    def _sweep(self) -> None:
        """Once a run, let chains go that were not used for a year."""
        with self._sweeping:
            if self._swept:
                return
            before = time.time() - UNUSED_SECONDS
            with self._connections.begin() as connection:
                connection.execute(sa.delete(table).where(_row.used < before))
            self._swept = True


class RowTurn:
    """A chain whose row is locked by a transaction."""

    def __init__(
        self, pair: TokenPair | None, chain: Chain, connection: sa.Connection, cipher: Cipher
    ) -> None:
        self.pair = pair
        self.kept = False
        self._chain = chain
        self._connection = connection
        self._cipher = cipher

    def reserve(self) -> None:
        """The lock was a write already; what is left is whether a pair can be encrypted."""
        self._cipher.check()

    def put(self, pair: TokenPair) -> None:
        """Keep a pair, committed before it returns; the lock goes with it."""
        _update(self._connection, self._chain, self._cipher.seal(pair.pack()))
        self._connection.commit()
        self.kept = True
        self.pair = pair


class FileTurn:
    """A chain in an SQLite file, locked beside it; the file itself is held only to write."""

    def __init__(
        self, pair: TokenPair | None, chain: Chain, connections: Connections, cipher: Cipher
    ) -> None:
        self.pair = pair
        self._chain = chain
        self._connections = connections
        self._cipher = cipher
        self._reserved = False

    def reserve(self) -> None:
        """Have the row as large as it may become."""
        self._cipher.check()
        self._reserved = True
        kept = self._cipher.seal(self.pair.pack()) if self.pair else b""
        self._write(kept + _PADDING)

    def put(self, pair: TokenPair) -> None:
        """Keep a pair, committed before it returns."""
        self._write(self._cipher.seal(pair.pack()))
        self.pair = pair

    def close(self) -> None:
        """Give back what was reserved for a chain of which nothing came to be kept."""
        if self._reserved and self.pair is None:
            with contextlib.suppress(TokenStoreError), self._connections.begin() as connection:
                connection.execute(sa.delete(table).where(_row.chain == self._chain.name))

    def _write(self, content: bytes) -> None:
        with self._connections.begin() as connection:
            if not _update(connection, self._chain, content):
                _insert(connection, self._chain, content)


def _update(connection: sa.Connection, chain: Chain, content: bytes | None = None) -> int:
    values: dict[str, object] = {"used": time.time()}
    if content is not None:
        values["content"] = content.decode()
    statement = sa.update(table).where(_row.chain == chain.name).values(**values)
    return connection.execute(statement).rowcount


def _insert(connection: sa.Connection, chain: Chain, content: bytes = b"") -> None:
    statement = sa.insert(table).values(
        chain=chain.name,
        merchant_id=chain.merchant_id[:100],
        content=content.decode(),
        used=time.time(),
    )
    connection.execute(statement)
