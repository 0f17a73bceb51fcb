"""Processes that share tokens and nothing else, killed at random: none needs a person."""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from cryptography.fernet import Fernet
from typing_extensions import override

from tap_clover_export import times
from tap_clover_export.clover.auth import Auth
from tap_clover_export.clover.client import Client
from tap_clover_export.errors import LoginNeededError
from tap_clover_export.settings.merchants import Merchant
from tap_clover_export.settings.secret import Secret
from tap_clover_export.tokens.store import open_store
from tests.clover.test_auth import FOUR, rotating
from tests.support.harness import ONE, TOKENS, TWO, JumpingClock, config_for, sync
from tests.support.processes import Child, ended, wait
from tests.support.token_users import TokenUsers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_clover_export.demo.postgres import Database
    from tap_clover_export.simulator import Clock, Simulator

GLANCE = 0.001
PATIENCE = 250.0
KEY = Fernet.generate_key().decode()


@pytest.fixture(scope="module")
def users() -> Iterator[TokenUsers]:
    """The process that forks those that use tokens."""
    users = TokenUsers()
    yield users
    users.close()


@pytest.fixture(params=["disk", "database"])
def what(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Where tokens are kept, and with which key; in the clear on disk, encrypted in PostgreSQL."""
    if request.param == "disk":
        return {"place": str(tmp_path / "tokens"), "keys": ()}
    database: Database = request.getfixturevalue("database")
    return {"place": database.sqlalchemy_url, "keys": (KEY,)}


def refreshes(shop: Simulator) -> int:
    """How many refreshes were asked for."""
    return sum(request.kind == "refresh" for request in shop.requests)


def recovered(shop: Simulator) -> int:
    """How many pairs were recovered."""
    return sum(r.kind == "recovery" and r.status == 200 for r in shop.requests)


def moving(shop: Simulator) -> float:
    """Let Clover's clock go on; answers how far it is ahead of this machine's."""
    shop.clock.frozen = False
    return shop.clock.now() - time.time()


def first_tokens(number: int) -> dict[str, str]:
    """First tokens of their own for a test that shares a database with others."""
    return {name: f"{token}-{number}-{os.urandom(4).hex()}" for name, token in FOUR.items()}


def test_four_machines(users: TokenUsers, what: dict[str, Any], tmp_path: Path, long: bool) -> None:
    """4 merchants, 4 processes: only kills have a token spent twice, and nobody is locked out."""
    tokens = first_tokens(4)
    calm, wanted = (100, 150) if long else (8, 6)
    logs = (tmp_path / f"log-{number}" for number in itertools.count())
    chance = random.Random(4)
    with rotating(refresh_tokens=tokens, token_seconds=3) as shop:
        given = what | {"url": shop.url, "tokens": tokens, "shift": moving(shop)}

        def start() -> Child:
            return users.start(next(logs), secret="SECRET", **given)

        crowd = [start() for _ in range(4)]
        _until(shop, calm)
        assert shop.spent_twice == []
        assert {r.status for r in shop.requests if r.kind == "refresh" and r.status} == {200}
        for _ in range(wanted):
            time.sleep(chance.random() * 0.5)
            number = chance.randrange(4)
            crowd[number].send_signal(signal.SIGKILL)
            assert wait(crowd[number]) == -signal.SIGKILL
            crowd[number] = start()
        _until(shop, refreshes(shop) + 4)
        assert [one.poll() for one in crowd] == [None] * 4
        for one in crowd:
            with ended(one):
                pass
        assert not [line for log in tmp_path.glob("log-*") for line in faults(log)]
        assert len(shop.spent_twice) <= wanted
        assert bool(shop.spent_twice) <= bool(recovered(shop))


def faults(log: Path) -> list[str]:
    """What went wrong in a process; that it recovered a pair is no fault."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [line for line in lines if "Clover gave another one for it." not in line]


def _until(shop: Simulator, number: int) -> None:
    """Wait for refreshes."""
    end = time.monotonic() + PATIENCE
    while refreshes(shop) < number:
        assert time.monotonic() < end, "nobody refreshes"
        time.sleep(0.02)


@pytest.mark.parametrize("secret", ["SECRET", None])
def test_kills_around_a_refresh(
    users: TokenUsers, what: dict[str, Any], tmp_path: Path, secret: str | None, long: bool
) -> None:
    """With `client_secret` no kill needs a login; without, each that does names the setting."""
    rounds = 200 if long else (4 if what["keys"] else 10) if secret else 2
    log, login, lost = tmp_path / "log", 0, 0
    first = first_tokens(1)[ONE]
    with rotating(refresh_tokens={ONE: first}, token_seconds=1) as shop:
        shift = moving(shop)
        token = first
        for number in range(rounds):
            before = refreshes(shop)
            given = what | {"url": shop.url, "tokens": {ONE: token}, "shift": shift}
            with ended(users.start(log, secret=secret, **given)) as victim:
                while refreshes(shop) == before:
                    assert victim.poll() is None, log.read_text()
                    time.sleep(GLANCE)
                time.sleep(number % 8 * 0.002)
            if said := _use(shop, what, token, secret):
                lost += 1
                assert secret is None
                assert "set client_secret within two weeks" in said
                login += 1
                token = f"{first}-{login}"
                shop._clover.tokens._refresh[token] = ONE
            shop.clock.advance(2)
        assert not faults(log)
        assert len(shop.spent_twice) == lost + recovered(shop)
        assert lost + recovered(shop) > 0 or not long  # the few of the short form may all miss


def _use(shop: Simulator, what: dict[str, Any], token: str, secret: str | None) -> str | None:
    """The next run, which asks Clover once; answers what it says where a login is needed."""
    place = Secret(what["place"]) if what["keys"] else Path(what["place"])
    store = open_store(place, [Secret(key) for key in what["keys"]])
    auth = Auth("CLIENT", store, shop.clock.now, Secret(secret) if secret else None)
    client = Client(auth)
    start = times.from_seconds(0)
    try:
        client.check(Merchant(ONE, "sandbox", shop.url, start, refresh_token=Secret(token)))
    except LoginNeededError as error:
        return str(error)
    finally:
        client.close()
    return None


class Losing(JumpingClock):
    """A clock at which the database is lost.

    Args:
        clock: The simulator's.
        seconds: How much later.
        lose: Takes it away.
    """

    def __init__(self, clock: Clock, seconds: float, lose: Callable[[], object]) -> None:
        super().__init__(clock)
        self._then = clock.now() + seconds
        self._lose = lose

    @override
    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self.now() > self._then:
            self._then = float("inf")
            self._lose()


def test_a_database_that_is_lost_in_a_run(database: Database) -> None:
    """Merchants that need a refresh fail, the others go on; nothing is spent that can't be kept."""
    tokens = {ONE: first_tokens(0)[ONE]}
    connection = psycopg.connect(database.conninfo, autocommit=True)
    do = connection.execute
    do("drop role if exists keeper")
    do("create role keeper superuser login")
    url = database.sqlalchemy_url.replace("postgres:@", "keeper:@")

    def lose() -> None:
        do("alter role keeper nologin")
        do("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'keeper'")

    with rotating(
        refresh_tokens=tokens, merchants=(TWO,), token_seconds=300, export_seconds=400, days=3
    ) as shop:
        settings = config_for(
            shop,
            merchants=[
                {"merchant_id": ONE, "refresh_token": tokens[ONE]},
                {"merchant_id": TWO, "access_token": TOKENS[TWO]},
            ],
            client_id="CLIENT",
            token_store=url,
            max_concurrent_exports=4,
        )
        outcome = sync(shop, clock=Losing(shop.clock, 100, lose), **settings)
        assert outcome.code == 1
        assert "token_store can't be used (" in outcome.sentence
        assert not outcome.records("orders", ONE)
        assert {one["id"] for one in outcome.records("orders", TWO)} == {
            one["id"] for one in shop.records(TWO, "ORDERS")
        }
        assert refreshes(shop) == 1
        do("alter role keeper login")
        assert sync(shop, state=outcome.state, **settings).code == 0
        assert shop.spent_twice == []
    connection.close()
