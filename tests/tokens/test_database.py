"""Tokens in a database: a real PostgreSQL, and SQLite as a file."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa

from tap_clover_export.errors import TokenStoreError
from tap_clover_export.settings.secret import Secret
from tap_clover_export.tokens import connections, files
from tap_clover_export.tokens.chain import Chain, TokenPair
from tap_clover_export.tokens.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_clover_export.demo.postgres import Database
    from tap_clover_export.tokens.store import TokenStore

CHAIN = Chain.of("M1", Secret("first"))
OTHER = Chain.of("M2", Secret("first-of-other"))
PAIR = TokenPair(CHAIN.seed, Secret("r1"), Secret("a1"), 1e9 + 0.25, 1e9, Secret("first"))


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of the kind that the test names."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'kept' / 'tokens.db'}"
        return
    database: Database = request.getfixturevalue("database")
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        connection.execute(f"drop table if exists {connections.table.name}")
    yield f"postgresql://postgres:pass%40word@/postgres?host={database.folder}"


both = pytest.mark.parametrize("url", ["postgres", "sqlite"], indirect=True)
postgres = pytest.mark.parametrize("url", ["postgres"], indirect=True)


def put(store: TokenStore, chain: Chain = CHAIN, pair: TokenPair = PAIR) -> None:
    """Keep a pair."""
    with store.turn(chain) as turn:
        turn.reserve()
        turn.put(pair)


@both
def test_pairs_stand_side_by_side(url: str) -> None:
    """A pair comes back in another store of the address; a newer one takes its chain's place."""
    store = open_store(Secret(url))
    newer = dataclasses.replace(PAIR, refresh_token=Secret("r2"), spent_token=Secret("r1"))
    assert store.get(CHAIN) is None
    for pair in (PAIR, newer):
        put(store, pair=pair)
        put(store, OTHER)
    another = open_store(Secret(url))
    assert (another.get(CHAIN), another.get(OTHER)) == (newer, PAIR)
    with another.turn(CHAIN) as turn:
        assert turn.pair == newer
    for one in (store, another):
        one.close()


@both
def test_a_turn_without_a_pair_leaves_nothing(url: str) -> None:
    """A refresh that is refused, or not needed, changes nothing, and its lock is free at once."""
    store = open_store(Secret(url))
    for kept in (None, PAIR):
        with pytest.raises(ValueError, match="refused"):
            be_refused(store)
        with store.turn(CHAIN) as turn:
            assert turn.pair == kept
        assert store.get(CHAIN) == kept
        put(store)
    store.close()


def be_refused(store: TokenStore) -> None:
    """A turn that ends with an error once a token would be spent."""
    with store.turn(CHAIN) as turn:
        turn.reserve()
        raise ValueError("refused")


@both
def test_one_at_a_time_has_a_chain(url: str) -> None:
    """Threads with connections of their own each see what the one before wrote."""
    stores = [open_store(Secret(url)) for _ in range(4)]

    def count(store: TokenStore) -> None:
        for _ in range(10):
            with store.turn(CHAIN) as turn:
                number = int(turn.pair.refresh_token.reveal()) if turn.pair else 0
                turn.reserve()
                turn.put(TokenPair("seed", Secret(str(number + 1)), spent_token=Secret("x")))

    threads = [threading.Thread(target=count, args=[store]) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pair = stores[0].get(CHAIN)
    assert pair
    assert pair.refresh_token == Secret("40")
    for store in stores:
        store.close()


@both
def test_a_turn_holds_up_its_own_chain_alone(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits too long is told; another chain's refresh goes through meanwhile."""
    monkeypatch.setattr(files, "LOCK_SECONDS", 0.1)
    bounds = sa.select(sa.func.set_config("lock_timeout", "100ms", True))
    monkeypatch.setitem(connections._BOUNDS, "postgresql", bounds)
    one, two = open_store(Secret(url)), open_store(Secret(url))
    with one.turn(CHAIN) as turn:
        turn.reserve()
        put(two, OTHER)
        with pytest.raises(TokenStoreError, match=r"^token_store is locked by another run; end"):
            put(two)
    put(two)
    for store in (one, two):
        store.close()


HOLDER = textwrap.dedent(
    """
    import sys, time
    from tap_clover_export.settings.secret import Secret
    from tap_clover_export.tokens.chain import Chain
    from tap_clover_export.tokens.store import open_store

    with open_store(Secret(sys.argv[1])).turn(Chain.of("M1", Secret("first"))) as turn:
        turn.reserve()
        print("held", flush=True)
        time.sleep(600)
    """
)


@both
def test_a_lock_ends_with_its_holder(url: str) -> None:
    """A process that is killed in its turn holds nobody up."""
    store = open_store(Secret(url))
    put(store)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, url], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        holder.send_signal(signal.SIGKILL)
    with store.turn(CHAIN) as turn:
        assert turn.pair == PAIR
    store.close()


@both
def test_chains_not_used_for_a_year_go(url: str) -> None:
    """The next run's first refresh removes them, and no others."""
    store = open_store(Secret(url))
    put(store)
    put(store, OTHER)
    aside = connections.Connections(Secret(url))
    with aside.begin() as connection:
        old = sa.update(connections.table).where(connections.table.c.chain == CHAIN.name)
        connection.execute(old.values(used=connections.table.c.used - 367 * 86_400))
    aside.close()
    store.close()
    store = open_store(Secret(url))
    put(store, OTHER)
    assert (store.get(CHAIN), store.get(OTHER)) == (None, PAIR)
    store.close()


@postgres
def test_many_make_the_table_at_once(url: str) -> None:
    """The first use of many at the same moment makes one table."""
    stores = [open_store(Secret(url)) for _ in range(8)]
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda one=store: found.append(one.get(CHAIN))) for store in stores
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [None] * 8
    for store in stores:
        store.close()


@postgres
def test_a_database_that_takes_no_writes_is_found_first(url: str, database: Database) -> None:
    """A read-only database, and a user without rights, are a sentence before a token is spent."""
    store = open_store(Secret(url))
    put(store)
    store.close()
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        connection.execute("drop role if exists reader")
        connection.execute("create role reader login")
        connection.execute(f"grant select on {connections.table.name} to reader")
    for address, words in {
        f"{url}&options=-cdefault_transaction_read_only%3Don": "in a read-only transaction",
        url.replace("postgres:pass", "reader:pass"): "permission denied",
    }.items():
        refused = open_store(Secret(address))
        assert refused.get(CHAIN) == PAIR
        with pytest.raises(
            TokenStoreError, match=rf"^token_store can't be used \(.*{words}.*\); l"
        ):
            be_refused(refused)
        refused.close()


@postgres
def test_a_connection_that_is_lost_is_made_again(url: str, database: Database) -> None:
    """A turn whose connection goes keeps nothing and says so; the next one works."""
    store = open_store(Secret(url))
    put(store)
    newer = dataclasses.replace(PAIR, refresh_token=Secret("r2"))

    def lose() -> None:
        with store.turn(CHAIN) as turn:
            turn.reserve()
            database.query(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where state = 'idle in transaction' and pid <> pg_backend_pid()"
            )
            turn.put(newer)

    with pytest.raises(TokenStoreError, match="can't be used"):
        lose()
    assert store.get(CHAIN) == PAIR
    put(store, pair=newer)
    assert store.get(CHAIN) == newer
    store.close()


@postgres
def test_no_statement_is_prepared(url: str) -> None:
    """A pooler by transaction has another server for the next one, which knows none."""
    store = open_store(Secret(url))
    for number in range(8):
        put(store, Chain.of(f"M{number}", Secret("first")))
    connections = vars(store)["_store"]._connections
    with connections.begin() as connection:
        prepared = connection.execute(sa.text("select statement from pg_prepared_statements"))
        assert prepared.fetchall() == []
    store.close()


UNUSABLE = {
    "postgresql://me:s3cr%40et@127.0.0.1:9/db": "refused",
    "postgresql://me:s3cr%40et@no-such-host.invalid/db": "can't be used",
    "oracle+nothing://me:s3cr%40et@host/db": "no database URL that can be read",
    "postgresql://me:a@s3cr%40et@host/db": "no database URL that can be read",
    "postgresql://me@host:1/db?password=a@s3cr%40et&x=1": "no database URL that can be read",
    "postgresql://me:s3cr%40et@host:port/db": "no database URL that can be read",
    "mysql://me:s3cr%40et@host/db": r"a package is missing \(pymysql\); install tap-clover-export",
    "sqlite://": "a database in memory",
    "sqlite:////proc/nope/tokens.db": r"can't be used \(No such file",
}


@pytest.mark.parametrize("address", UNUSABLE)
def test_an_address_that_cannot_be_used(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is one sentence without its password, at once the second time too."""
    store = open_store(Secret(address))
    for _ in range(2):
        with pytest.raises(TokenStoreError, match=rf"^token_store .*{UNUSABLE[address]}") as caught:
            put(store)
        assert "s3cr" not in f"{caught.value} {caught.value.__context__}"
        monkeypatch.setattr(sa.Engine, "connect", lambda _: pytest.fail("asked again"))
    store.close()


def test_sqlalchemy_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the sentence names the extra."""
    for name in [one for one in sys.modules if one.startswith("tap_clover_export.tokens.d")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "tap_clover_export.tokens.connections")
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(TokenStoreError, match=r"\(sqlalchemy\); install tap-clover-export\[d"):
        open_store(Secret("postgresql://host/db")).get(CHAIN)


def test_an_sqlite_file_is_this_user_s_alone(tmp_path: Path) -> None:
    """It has mode 0600 from the start, and is no link."""
    file = tmp_path / "tokens.db"
    store = open_store(Secret(f"sqlite:///{file}"))
    put(store)
    store.close()
    assert file.stat().st_mode & 0o777 == 0o600
    link = tmp_path / "link.db"
    link.symlink_to(file)
    store = open_store(Secret(f"sqlite:///{link}"))
    with pytest.raises(TokenStoreError, match="can't be used"):
        store.get(CHAIN)
    store.close()
