"""Tokens that rotate: each refresh token is spent once, and its successor outlives any crash."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tap_clover_export import times
from tap_clover_export.clover import auth as auth_module
from tap_clover_export.clover.auth import Auth
from tap_clover_export.clover.client import Client
from tap_clover_export.errors import (
    LoginNeededError,
    TokenStoreError,
    TransientError,
    UnauthorizedError,
)
from tap_clover_export.settings.merchants import Merchant
from tap_clover_export.settings.secret import Secret
from tap_clover_export.simulator.api import sending as simulator_wire
from tap_clover_export.tokens import disk, files
from tap_clover_export.tokens.chain import Chain, TokenPair
from tap_clover_export.tokens.store import open_store
from tests.support.harness import (
    ONE,
    TUESDAY_NOON,
    TWO,
    clover,
    command,
    config_for,
    iso,
    started,
    sync,
    write_config,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_clover_export.simulator import Simulator

FOUR = {f"{letter * 4}1111{letter * 4}1": f"first-of-{letter}" for letter in "ABCD"}
FIRST = FOUR[ONE]


@pytest.fixture
def shop() -> Iterator[Simulator]:
    """A local Clover whose one merchant has a refresh token."""
    with rotating() as simulator:
        yield simulator


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store lies."""
    return tmp_path / "tokens.json"


def rotating(**options: Any) -> contextlib.AbstractContextManager[Simulator]:
    """A local Clover whose merchants have refresh tokens only."""
    usual = {"refresh_tokens": {ONE: FIRST}, "merchants": (), "days": 2, "token_seconds": 100}
    return clover(**usual | options)


def merchant(simulator: Simulator, identity: str = ONE, token: str = FIRST) -> Merchant:
    """A merchant as the settings give it."""
    start = times.from_seconds(TUESDAY_NOON)
    return Merchant(identity, "sandbox", simulator.url, start, refresh_token=Secret(token))


@contextlib.contextmanager
def manager(simulator: Simulator, path: Path) -> Iterator[Auth]:
    """A token manager on the simulator's clock."""
    auth = Auth("CLIENT", open_store(path), simulator.clock.now)
    yield auth
    auth.close()


def refreshes(simulator: Simulator) -> int:
    """How many refreshes were asked for."""
    return sum(request.kind == "refresh" for request in simulator.requests)


def kinds(simulator: Simulator) -> Counter[str]:
    """How many refreshes and recoveries were asked for."""
    asked = Counter(request.kind for request in simulator.requests)
    return Counter({kind: asked[kind] for kind in ("refresh", "recovery") if asked[kind]})


def settings_for(simulator: Simulator, path: Path, **more: Any) -> dict[str, Any]:
    """Settings with refresh tokens."""
    merchants = [
        {"merchant_id": identity, "refresh_token": token}
        for identity, token in simulator.options.refresh_tokens.items()
    ]
    rotation = {"merchants": merchants, "client_id": "CLIENT", "token_store": str(path)}
    return config_for(simulator, **rotation, **more)


def kept(path: Path, identity: str = ONE, token: str = FIRST) -> TokenPair:
    """The stored pair of a merchant."""
    pair = open_store(path).get(Chain.of(identity, Secret(token)))
    assert pair
    return pair


def is_empty(path: Path) -> bool:
    """Whether no pair is stored, nor anything of one."""
    return not [one for one in path.glob("*") if one.name != ".locks"]


# When a token is refreshed


@pytest.mark.parametrize(("lifetime", "ahead"), [(100, 20), (1800, 60), (10, 2)])
def test_a_token_is_refreshed_ahead(path: Path, lifetime: int, ahead: int) -> None:
    """A token is used until the smaller of a minute and a fifth of its life is left."""
    with rotating(token_seconds=lifetime) as shop, manager(shop, path) as auth:
        first = auth.token(merchant(shop))
        shop.clock.advance(lifetime - ahead - 0.5)
        assert auth.token(merchant(shop)) == first
        shop.clock.advance(1)
        assert auth.token(merchant(shop)) != first
        assert refreshes(shop) == 2
        assert shop.spent_twice == []


def test_a_refused_token_is_refreshed_once(shop: Simulator, path: Path) -> None:
    """A 401 leads to one refresh, however many threads met it; a second 401 is the end."""
    with manager(shop, path) as auth:
        refused = auth.token(merchant(shop))
        with ThreadPoolExecutor(8) as pool:
            found = set(pool.map(lambda _: auth.renewed(merchant(shop), refused), range(8)))
        assert len(found) == 1
        assert refreshes(shop) == 2
        shop.faults.add("poll:401")
        client = Client(auth)
        with pytest.raises(UnauthorizedError, match=r"^401 Unauthorized"):
            client.check(merchant(shop))
        client.close()
        assert refreshes(shop) == 3


def test_a_clock_that_runs_ahead_refreshes_no_more_often(path: Path) -> None:
    """Where every token seems to have expired, Clover alone tells when one has."""
    with rotating(clock_skew_seconds=-7200) as shop, manager(shop, path) as auth:
        client = Client(auth)
        for _ in range(5):
            client.check(merchant(shop))
        assert refreshes(shop) == 1
        shop.clock.advance(101)
        client.check(merchant(shop))
        client.close()
        assert refreshes(shop) == 2


def test_a_clock_that_lags_is_put_right_by_a_401(path: Path) -> None:
    """A token that expired unnoticed is refreshed once, and the request made again."""
    with rotating(clock_skew_seconds=7200) as shop, manager(shop, path) as auth:
        client = Client(auth)
        client.check(merchant(shop))
        shop.clock.advance(101)
        client.check(merchant(shop))
        client.close()
        assert refreshes(shop) == 2


@pytest.mark.parametrize(
    "answer",
    [b"", b"[]", b'{"access_token":"a"}', b'{"access_token":"","refresh_token":"x"}', b"[" * 99999],
)
def test_an_answer_without_tokens_passes(
    shop: Simulator, path: Path, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that can't be read is a fault that passes; nothing of it is kept."""
    monkeypatch.setattr("tap_clover_export.clover.oauth.read_body", lambda _: answer)
    with manager(shop, path) as auth, pytest.raises(TransientError, match="a token refresh whose"):
        auth.token(merchant(shop))
    assert is_empty(path)


@pytest.mark.parametrize("expires", ["", "null", '"soon"', "NaN", "1e999", "{}", '"1772540000"'])
def test_an_odd_expiration_loses_no_token(
    shop: Simulator, path: Path, expires: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pair counts whatever its expiration looks like: its refresh token was paid for."""
    more = f',"access_token_expiration":{expires}' if expires else ""
    content = f'{{"access_token":"a","refresh_token":"r"{more}}}'.encode()
    monkeypatch.setattr("tap_clover_export.clover.oauth.read_body", lambda _: content)
    with manager(shop, path) as auth:
        if expires == "NaN":
            with pytest.raises(TransientError):
                auth.token(merchant(shop))
            return
        assert auth.token(merchant(shop)) == Secret("a")
    assert kept(path).refresh_token == Secret("r")


# Store and configuration


def test_a_new_pair_is_on_disk_before_its_first_use(shop: Simulator, path: Path) -> None:
    """What `token` gives stands in the store already, the spent token beside it."""
    with manager(shop, path) as auth:
        token = auth.token(merchant(shop))
    assert kept(path).access_token == token
    assert kept(path).spent_token == Secret(FIRST)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    (file,) = path.glob("*.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_chains_never_mix(shop: Simulator, path: Path) -> None:
    """A login again, and two environments side by side, each have their chain; none is dropped."""
    shop._clover.tokens._refresh |= {"after-login": ONE, "of-prod": ONE}
    found: dict[str, set[Secret]] = {}
    for _ in range(3):
        for token in (FIRST, "after-login", "of-prod"):
            with manager(shop, path) as auth:
                again = {auth.token(merchant(shop, token=token)) for _ in range(2)}
            assert len(again) == 1
            found.setdefault(token, set()).update(again)
        shop.clock.advance(90)
    assert [len(tokens) for tokens in found.values()] == [3, 3, 3]
    assert len(set.union(*found.values())) == 9
    assert shop.spent_twice == []
    assert {r.status for r in shop.requests if r.kind == "refresh"} == {200}
    assert len(list(path.glob("*.json"))) == 3


def test_another_process_is_ahead(shop: Simulator, path: Path) -> None:
    """What another process stored meanwhile is used, not refreshed again."""
    with manager(shop, path) as mine, manager(shop, path) as other:
        first = mine.token(merchant(shop))
        shop.clock.advance(90)
        newer = other.token(merchant(shop))
        assert newer != first
        assert mine.token(merchant(shop)) == newer
        assert other.renewed(merchant(shop), first) == newer
    assert refreshes(shop) == 2


def test_a_refused_refresh_token_says_what_to_do(shop: Simulator, path: Path) -> None:
    """The sentence names merchant, region and both ways out; the token is not tried again."""
    with manager(shop, path) as auth:
        for _ in range(3):
            with pytest.raises(LoginNeededError) as caught:
                auth.token(merchant(shop, token="unknown-token"))
        assert refreshes(shop) == 1
    said = str(caught.value)
    for words in (ONE, "sandbox", "client_id", "log in to Clover again", "client_secret"):
        assert words in said
    assert "unknown-token" not in said
    assert is_empty(path)


def test_a_sync_without_a_good_refresh_token(shop: Simulator, path: Path) -> None:
    """A run ends with that sentence, and spends no refused token twice over both streams."""
    shop.faults.add("refresh:401")
    outcome = sync(shop, **settings_for(shop, path))
    assert outcome.code == 1
    assert outcome.sentence.startswith(f"Missing: orders of merchant {ONE} from ")
    assert "log in to Clover again" in outcome.sentence
    assert refreshes(shop) == 1


@pytest.mark.parametrize("fault", ["500", "429:retry-after=7", "reset", "html", "503"])
def test_a_passing_fault_of_a_refresh(shop: Simulator, path: Path, fault: str) -> None:
    """A refresh that did not come through is made again; the run is whole."""
    board = shop.faults.add(f"refresh:{fault}*1")
    outcome = sync(shop, **settings_for(shop, path))
    assert board.fired == 1
    assert outcome.code == 0, outcome.log


@pytest.mark.parametrize("fault", ["short", "reset-after", "reset-mid"])
def test_an_answer_that_was_lost(shop: Simulator, path: Path, fault: str) -> None:
    """A pair that Clover gave and that never arrived is recovered, once, where a secret is set."""
    shop.faults.add(f"refresh:{fault}*1")
    outcome = sync(shop, **settings_for(shop, path))
    assert outcome.code == 1
    assert "set client_secret within two weeks" in outcome.sentence
    assert refreshes(shop) == 2
    outcome = sync(shop, **settings_for(shop, path, client_secret="SECRET"))
    assert outcome.code == 0, outcome.log
    assert outcome.log.count(f"The token pair of merchant {ONE} was lost on its way; Clover") == 1
    assert kinds(shop) == {"refresh": 3, "recovery": 1}
    assert sync(shop, **settings_for(shop, path, client_secret="SECRET")).code == 0
    shop.clock.advance(90)
    assert sync(shop, **settings_for(shop, path)).code == 0
    assert kinds(shop) == {"refresh": 4, "recovery": 1}


@pytest.mark.parametrize("fault", ["401", "500", "reset-after", "html"])
def test_a_recovery_that_fails(shop: Simulator, path: Path, fault: str) -> None:
    """One that is refused ends in a login, and is not tried again; one that is lost is."""
    shop.faults.add("refresh:short*1")
    shop.faults.add(f"recovery:{fault}*{1 if fault != '401' else 9}")
    outcome = sync(shop, **settings_for(shop, path, client_secret="SECRET"))
    if fault == "401":
        assert outcome.code == 1
        assert "Clover recovered it with client_secret neither" in outcome.sentence
        assert kinds(shop) == {"refresh": 2, "recovery": 1}
    else:
        assert outcome.code == 0, outcome.log
        assert kinds(shop)["recovery"] == 2
    assert "SECRET" not in outcome.log


# Disk


def test_a_full_disk_spends_no_token(
    shop: Simulator, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the successor would not fit, a run ends with a sentence before it spends a token."""

    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "sync", full)
    outcome = sync(shop, **settings_for(shop, path))
    assert outcome.code == 1
    assert "token_store can't be used (No space left on device); give a path" in outcome.sentence
    assert refreshes(shop) == 0
    assert is_empty(path)


@pytest.mark.parametrize("place", ["/proc/tokens.json", "/sys/tokens.json", "/dev/null/t.json"])
def test_a_store_that_cannot_be_written_spends_no_token(shop: Simulator, place: str) -> None:
    """A read-only place is refused before a token is spent."""
    with manager(shop, Path(place)) as auth, pytest.raises(TokenStoreError, match="can't be used"):
        auth.token(merchant(shop))
    assert refreshes(shop) == 0


# Many at once


def test_a_refresh_that_hangs_holds_up_nobody_else(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one merchant's refresh hangs, another's goes through."""
    over = threading.Event()

    async def stall(*_: object) -> None:
        await asyncio.to_thread(over.wait, 30)

    monkeypatch.setattr(simulator_wire, "stall", stall)
    with rotating(refresh_tokens=FOUR) as shop, manager(shop, path) as auth:
        hanging = shop.faults.add("refresh:hang*1")
        slow = threading.Thread(target=auth.token, args=[merchant(shop)])
        slow.start()
        while not hanging.fired:
            time.sleep(0.005)
        auth.token(merchant(shop, *list(FOUR.items())[1]))
        assert slow.is_alive()
        over.set()
        slow.join()
        assert len(list(path.glob("*.json"))) == 2


# Interruptions


VICTIM = textwrap.dedent(
    """
    import os, signal, sys
    from pathlib import Path
    from tap_clover_export import times
    from tap_clover_export.clover.auth import Auth
    from tap_clover_export.settings.merchants import Merchant
    from tap_clover_export.settings.secret import Secret
    from tap_clover_export.tokens import disk, files
    from tap_clover_export.tokens.store import open_store

    path, url, token, now, point = sys.argv[1:]

    def die(*_, **__):
        os.kill(os.getpid(), signal.SIGKILL)

    def torn(file, real=files.sync):
        if spent:
            file.seek(40)
            file.write(b" " * 9999)
            file.flush()
            die()
        real(file)

    spent = []
    spend = Auth._spend
    Auth._spend = lambda *a: (spent.append(1), spend(*a))[1]
    if point == "reserved":
        Auth._spend = die
    elif point == "answered":
        disk._DiskTurn.put = die
    elif point == "torn":
        files.sync = torn
    elif point == "written":
        disk._take_place = die
    elif point == "renamed":
        files.sync_folder = lambda folder: die() if spent else None
    auth = Auth("CLIENT", open_store(Path(path)), lambda: float(now))
    shop = Merchant("AAAA1111AAAA1", "sandbox", url, times.from_seconds(0), None, Secret(token))
    auth.token(shop)
    """
)
LOST = {"answered", "torn"}
"""Where the answer was not on disk yet: only Clover's recovery, or a person, helps."""


@pytest.mark.parametrize("point", ["reserved", "answered", "torn", "written", "renamed", "none"])
def test_a_death_at_any_point(shop: Simulator, path: Path, point: str) -> None:
    """After SIGKILL around a refresh the next run works, unless the answer died on its way."""
    with manager(shop, path) as auth:
        auth.token(merchant(shop))
    before = kept(path)
    shop.clock.advance(90)
    arguments = [str(path), shop.url, FIRST, str(shop.clock.now()), point]
    done = subprocess.run([sys.executable, "-c", VICTIM, *arguments], check=False, timeout=60)
    assert done.returncode == (0 if point == "none" else -signal.SIGKILL)

    with manager(shop, path) as auth:
        if point in LOST:
            with pytest.raises(LoginNeededError, match="set client_secret within two weeks"):
                auth.token(merchant(shop))
            assert kept(path) == before
            able = Auth("CLIENT", open_store(path), shop.clock.now, Secret("SECRET"))
            assert able.token(merchant(shop)) == kept(path).access_token != before.access_token
            able.close()
            return
        client = Client(auth)
        client.check(merchant(shop))
        client.close()
    assert shop.spent_twice == []
    assert refreshes(shop) == 2
    assert kept(path).spent_token == before.refresh_token


def test_a_signal_amid_a_refresh_loses_no_token(
    shop: Simulator, path: Path, tmp_path: Path
) -> None:
    """A run that SIGTERM ends while Clover is slow with a refresh still keeps the new pair."""
    slow = shop.faults.add("refresh:hang=3*1")
    config = write_config(tmp_path, settings_for(shop, path))
    arguments = [sys.executable, "-m", "tap_clover_export", "--config", config]
    with subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while not slow.fired:
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    assert kept(path).spent_token == Secret(FIRST)
    assert sync(shop, **settings_for(shop, path)).code == 0
    assert shop.spent_twice == []


def test_a_pair_that_does_not_reach_the_store_is_kept_later(
    shop: Simulator, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails during the write ends the refresh; the pair is not used, nor lost."""

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    for last in (False, True):
        monkeypatch.setattr(disk, "_take_place", fail)
        with manager(shop, path) as auth:
            with pytest.raises(TokenStoreError, match="Input/output error"):
                auth.token(merchant(shop))
            assert not list(path.glob("*.json")) or last
            monkeypatch.undo()
            if not last:
                auth.token(merchant(shop))
        assert kept(path).refresh_token.reveal() in shop._clover.tokens._refresh
        assert refreshes(shop) == 1 + last
        shop.clock.advance(90)


def test_a_store_that_comes_back_while_a_run_closes(
    shop: Simulator, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is asked again until the time to close is over; a pair that is lost then is told."""
    take_place, failing = disk._take_place, [3]

    def fail(*given: Any) -> None:
        failing[0] -= 1
        if failing[0] >= 0:
            raise OSError(5, "Input/output error")
        take_place(*given)

    monkeypatch.setattr(disk, "_take_place", fail)
    monkeypatch.setattr(auth_module, "KEEP_PAUSE_SECONDS", 0.01)
    with manager(shop, path) as auth, pytest.raises(TokenStoreError):
        auth.token(merchant(shop))
    assert kept(path).refresh_token.reveal() in shop._clover.tokens._refresh
    shop.clock.advance(90)
    failing[0] = 1000
    monkeypatch.setattr(auth_module, "CLOSE_SECONDS", 0.05)
    with manager(shop, path) as auth, pytest.raises(TokenStoreError):
        auth.token(merchant(shop))
    assert f"The token pair of merchant {ONE} is lost: token_store can't be used" in caplog.text


def test_no_refresh_begins_once_a_run_closes(shop: Simulator, path: Path) -> None:
    """A run that ends spends no token; the next one does."""
    with manager(shop, path) as auth:
        auth.close_to_refreshes()
        with pytest.raises(TransientError, match="the run ends, and begins no refresh"):
            auth.token(merchant(shop))
    assert refreshes(shop) == 0
    assert is_empty(path)


# --test


def test_the_test_option_rotates_and_keeps(tmp_path: Path, path: Path) -> None:
    """`--test` refreshes, keeps the pair and says a line a merchant, for tokens of both kinds."""
    with clover(merchants=(TWO,), refresh_tokens={ONE: FIRST}, days=2) as shop:
        settings = settings_for(shop, path)
        settings["merchants"].append({"merchant_id": TWO, "access_token": "token-of-two"})
        config = write_config(tmp_path, settings)
        done = command("--config", config, "--test")
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == [
            f"{ONE} (sandbox): accepted.",
            f"{TWO} (sandbox): accepted.",
        ]
        assert kept(path).spent_token == Secret(FIRST)
        settings["merchants"][0]["refresh_token"] = "withdrawn"
        done = command("--config", write_config(tmp_path, settings), "--test")
        assert done.returncode == 1
        assert done.stdout.startswith(f"{ONE} (sandbox): Clover refused the refresh token")
        assert done.stdout.splitlines()[1] == f"{TWO} (sandbox): accepted."
        assert {request.kind for request in shop.requests} == {"poll", "refresh"}
    done = command("--config", config, "--test")
    assert done.returncode == 1
    assert done.stdout.count(": not reachable: the connection failed; look at") == 2


def test_two_runs_at_once(tmp_path: Path, path: Path, long: bool) -> None:
    """Two whole runs of 4 merchants share 3-second tokens: none is spent twice, both are whole."""
    options: dict[str, Any] = {"refresh_tokens": FOUR, "token_seconds": 3, "export_seconds": 1}
    days, now = 600 if long else 55, time.time()
    options |= {"window_field": "createdTime"}  # the shops sell on while the runs go on
    with rotating(**options, days=days, now=now, max_concurrent=8) as shop:
        shop.clock.frozen = False
        settings = settings_for(shop, path, max_concurrent_exports=3, end_date=iso(now))
        config = write_config(tmp_path, settings)
        with ThreadPoolExecutor(2) as pool:
            both = list(pool.map(lambda _: started("--config", config), range(2)))
        held = {r["id"] for m in FOUR for r in shop.records(m, "ORDERS", end=int(now * 1000))}
        for done in both:
            assert done.returncode == 0, done.stderr
            rows = [json.loads(line) for line in done.stdout.splitlines()]
            orders = [
                row["record"]["id"]
                for row in rows
                if row.get("stream") == "orders" and "record" in row
            ]
            assert set(orders) == held
        assert shop.spent_twice == []
        assert refreshes(shop) > len(FOUR)
