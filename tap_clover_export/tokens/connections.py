"""Connections to the database of the tokens, bounded, with what it refuses as a sentence."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
import time
import urllib.parse
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    NoSuchModuleError,
    SQLAlchemyError,
    StatementError,
)

from tap_clover_export.errors import TokenStoreError, TokenStoreLockedError
from tap_clover_export.settings.fields import from_project
from tap_clover_export.tokens import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tap_clover_export.settings.secret import Secret

DOWN_SECONDS = 30.0
"""How long a database that could not be reached is not asked again."""

HOLD_SECONDS = 600
"""How long PostgreSQL lets a turn last whose process shows no sign of life."""

_CONNECT: Mapping[str, Mapping[str, Any]] = {
    "postgresql+psycopg": {
        "connect_timeout": 10,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 60_000,
        "prepare_threshold": None,  # behind a pooler the next transaction has another server
    },
    "mysql+pymysql": {"connect_timeout": 10, "read_timeout": 240, "write_timeout": 60},
    "sqlite+pysqlite": {"timeout": 60},
}
"""What bounds a connection by its driver, where the URL says nothing else."""

_BOUNDS: Mapping[str, sa.Executable] = {
    "postgresql": sa.select(
        *(
            sa.func.set_config(name, value, sa.true())
            for name, value in {
                "lock_timeout": f"{files.LOCK_SECONDS:.0f}s",
                "idle_in_transaction_session_timeout": f"{HOLD_SECONDS}s",
                "tcp_keepalives_idle": "30",
                "tcp_keepalives_interval": "10",
                "tcp_keepalives_count": "3",
            }.items()
        )
    ),
    "mysql": sa.text(f"SET innodb_lock_wait_timeout = {files.LOCK_SECONDS:.0f}"),
}
"""What bounds a wait for a lock, and how long a machine that is gone can hold one."""

_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "sqlite": "sqlite+pysqlite",
}
_LOCK_NOT_HAD = ("55P03", 1205)
"""How PostgreSQL and MySQL say that a lock was not to be had in time."""

_WORDS = 160
_NO_HOST = re.compile(r"[@?&=#\s]")

table = sa.Table(
    "tap_clover_export_tokens",
    sa.MetaData(),
    sa.Column("chain", sa.String(150), primary_key=True),
    sa.Column("merchant_id", sa.String(100), nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("used", sa.Double, nullable=False),
)


class Connections:
    """Transactions on the table, which is made where it is not there.

    Attributes:
        file: Where an SQLite database lies; None for a server.
    """

    def __init__(self, url: Secret) -> None:
        """Read an address; nothing is opened before a transaction.

        Raises:
            TokenStoreError: It can't be used.
        """
        self._url = _read(url)
        self.file = _sqlite_file(self._url)
        self._engine = _engine(self._url, self.file)
        self._making = threading.Lock()
        self._made = False
        self._down_until = 0.0
        self._down = ""

    def close(self) -> None:
        """Close those that are idle."""
        self._engine.dispose()

    @contextlib.contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A transaction, committed at the end of the block.

        Raises:
            TokenStoreError: The database can't be used.
        """
        if time.monotonic() < self._down_until:
            raise TokenStoreError(self._down)
        try:
            with self._connected() as connection, connection.begin():
                yield connection
        except SQLAlchemyError as error:
            fault: TokenStoreError = TokenStoreLockedError()
            if _code(error) not in _LOCK_NOT_HAD:
                fault = TokenStoreError(self._sentence(error))
            _empty(error)
            raise fault from None

    def bound(self, connection: sa.Connection) -> None:
        """Have the waits of a transaction bounded."""
        if (bounds := _BOUNDS.get(connection.dialect.name)) is not None:
            connection.execute(bounds)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        try:
            if self.file:
                _make_own(self.file)
            connection = self._engine.connect()
        except SQLAlchemyError as error:
            self._down = self._sentence(error)
            self._down_until = time.monotonic() + DOWN_SECONDS
            raise
        with connection:
            with self._making:
                if not self._made:
                    self._make()
                    self._made = True
            yield connection

    def _make(self) -> None:
        """Make the table; where another process does so in the same moment, it is there."""
        try:
            table.create(self._engine, checkfirst=True)
        except DBAPIError as error:
            if not sa.inspect(self._engine).has_table(table.name):
                raise
            _empty(error)

    def _sentence(self, error: SQLAlchemyError) -> str:
        """What a database says, in a sentence without a password or a token."""
        reason = getattr(error, "orig", None) or error
        said = next(iter(str(reason).strip().splitlines()), "") or type(reason).__name__
        if password := self._url.password:
            for shown in {str(password), urllib.parse.quote(str(password), safe="")}:
                said = said.replace(shown, "***")
        said = " ".join(said.split())[:_WORDS].rstrip(" .;:")
        return (
            f"token_store can't be used ({said}); look at the database, its address and what "
            "this user may do there."
        )


def _code(error: SQLAlchemyError) -> object:
    """The database's own number of an error."""
    reason = getattr(error, "orig", None) or error
    return getattr(reason, "sqlstate", None) or next(iter(reason.args), None)


def _read(url: Secret) -> sa.URL:
    try:
        read = sa.make_url(url.reveal())
    except (ArgumentError, ValueError):
        raise _unreadable() from None
    if _NO_HOST.search(read.host or ""):  # the rest of a password, which the driver would show
        raise _unreadable()
    return read.set(drivername=_DRIVERS.get(read.drivername, read.drivername))


def _sqlite_file(url: sa.URL) -> Path | None:
    if url.get_backend_name() != "sqlite":
        return None
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise TokenStoreError(
            "token_store is a database in memory, or has no plain path; give one such as "
            "sqlite:////folder/tokens.db."
        )
    return from_project(url.database)


def _engine(url: sa.URL, file: Path | None) -> sa.Engine:
    if file:
        url = url.set(database=str(file))
    for kind in ("sqlalchemy.engine.Engine", "sqlalchemy.pool.impl.QueuePool"):
        # At debug level these would show the rows.
        logging.getLogger(f"{kind}.tap-clover-export").setLevel(logging.WARNING)
    given = _CONNECT.get(url.drivername, {})
    try:
        return sa.create_engine(
            url,
            connect_args={name: given[name] for name in given if name not in url.query},
            hide_parameters=True,
            logging_name="tap-clover-export",
            pool_logging_name="tap-clover-export",
            poolclass=sa.QueuePool,
            pool_size=4,
            max_overflow=28,
            pool_pre_ping=True,
            **({} if file else {"isolation_level": "READ COMMITTED"}),
        )
    except (NoSuchModuleError, ArgumentError, TypeError, ValueError):
        raise _unreadable() from None


def _unreadable() -> TokenStoreError:
    return TokenStoreError(
        "token_store is no database URL that can be read; write it like "
        "postgresql://user:password@host/database, with %40 for @ in a password."
    )


def _make_own(file: Path) -> None:
    """See to it that an SQLite file is this user's alone before SQLite opens it."""
    with files.os_errors_as_sentences():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(file, flags, 0o600)
        try:
            files.check_file(descriptor)
        finally:
            os.close(descriptor)


def _empty(error: BaseException | None) -> None:
    """Leave nothing but the type of an error and of all behind it: statements, rows, addresses."""
    while error is not None:
        behind = getattr(error, "orig", None) or error.__cause__ or error.__context__
        error.args, error.__cause__, error.__context__, error.__traceback__ = (), None, None, None
        if isinstance(error, StatementError):
            error.statement = error.params = error.orig = None
        else:
            vars(error).clear()
        error = behind
