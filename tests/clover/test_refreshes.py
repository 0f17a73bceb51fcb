"""The token endpoint is not trusted either: every answer to a refresh ends with a sentence."""

from __future__ import annotations

import json
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from tap_clover_export import times
from tap_clover_export.clover import auth as auth_module
from tap_clover_export.clover import transport
from tap_clover_export.clover.auth import Auth
from tap_clover_export.errors import (
    CloverError,
    LoginNeededError,
    RateLimitedError,
    TokenStoreError,
    TransientError,
)
from tap_clover_export.settings.merchants import Merchant
from tap_clover_export.settings.secret import Secret
from tap_clover_export.tokens.chain import Chain
from tap_clover_export.tokens.store import open_store
from tests.clover.test_transport import (
    BOMB,
    CHUNKED,
    ENDLESS,
    NOT_FOLLOWED,
    drip,
    flood,
    redirect,
    silence,
)
from tests.support import short_timeouts
from tests.support.harness import ONE, TUESDAY_NOON
from tests.support.raw_server import Peer, reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST, ACCESS, NEXT = "first-t0k3n-4711", "access-t0k3n-0815", "next-t0k3n-1234"
CHAIN = Chain.of(ONE, Secret(FIRST))
ANSWER = {"access_token": ACCESS, "refresh_token": NEXT, "access_token_expiration": 2_000_000_000}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that a test can reach."""
    short_timeouts.bound(monkeypatch)
    monkeypatch.setattr(transport, "ANSWER_BYTES", 1 << 20)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store lies."""
    return tmp_path / "tokens.json"


@pytest.fixture
def auth(path: Path) -> Iterator[Auth]:
    """A token manager whose clock stands."""
    auth = Auth("CLIENT", open_store(path), lambda: TUESDAY_NOON)
    yield auth
    auth.close()


def merchant(url: str) -> Merchant:
    """A merchant whose token endpoint is a peer."""
    start = times.from_seconds(TUESDAY_NOON)
    return Merchant(ONE, "sandbox", url, start, refresh_token=Secret(FIRST))


def answer(**fields: Any) -> bytes:
    """A new pair, but for some fields."""
    kept = {name: value for name, value in (ANSWER | fields).items() if value is not None}
    return reply(json.dumps(kept).encode())


UNREADABLE = r"^a token refresh whose answer can't be read$"
NO_TOKENS = r"^a token refresh whose answer holds no tokens$"
HOSTILE: dict[str, tuple[Any, type[Exception], str]] = {
    "HTML": (reply(b"<html>Log in to the Wi-Fi</html>"), TransientError, UNREADABLE),
    "a redirect": (
        redirect("https://evil.example/"),
        TransientError,
        f"^{NOT_FOLLOWED} to a token",
    ),
    "a redirect at home": (
        redirect("?again", "307 X"),
        TransientError,
        "^307 Temporary Redirect, a",
    ),
    "no refresh token": (answer(refresh_token=None), TransientError, UNREADABLE),
    "no access token": (answer(access_token=None), TransientError, UNREADABLE),
    "an empty token": (answer(refresh_token=""), TransientError, NO_TOKENS),
    "a token of two lines": (answer(access_token="a\r\nX: b"), TransientError, NO_TOKENS),
    "a token with a space": (answer(access_token="a b"), TransientError, NO_TOKENS),
    "a foreign token": (answer(access_token="ключ"), TransientError, NO_TOKENS),
    "a token of a megabyte": (answer(refresh_token="r" * 1_000_000), TransientError, NO_TOKENS),
    "a number for a token": (answer(access_token=5), TransientError, UNREADABLE),
    "a list": (reply(b"[]"), TransientError, UNREADABLE),
    "depth": (reply(b'{"access_token":' + b"[" * 100_000), TransientError, UNREADABLE),
    "text that is no UTF-8": (reply(b'{"access_token":"\xff"}'), TransientError, UNREADABLE),
    "a bomb": (
        reply(BOMB, "Content-Encoding: gzip"),
        TransientError,
        "^a body of more than 1 MiB$",
    ),
    "an endless body": (
        flood(ENDLESS, b" " * 65536),
        TransientError,
        "^a body of more than 1 MiB$",
    ),
    "a body that drips": (
        drip(ENDLESS, b" "),
        TransientError,
        "^(a body that took|no answer in time)",
    ),
    "trailers without end": (
        drip(CHUNKED, b"0\r\n", b"A: b\r\n"),
        TransientError,
        "^no answer in time$",
    ),
    "silence": (silence, TransientError, "^no answer in time$"),
    "not now": (
        reply(status="503 X"),
        TransientError,
        "^503 Service Unavailable to a token refresh$",
    ),
    "not found": (reply(status="404 X"), TransientError, "^404 Not Found to a token refresh$"),
    "too many": (
        reply(b"", "Retry-After: 1e12", status="429 X"),
        RateLimitedError,
        "^429 Too Many",
    ),
    "refused": (reply(FIRST.encode(), status="401 X"), LoginNeededError, "^Clover refused the re"),
    "forbidden": (reply(FIRST.encode(), status="403 X"), LoginNeededError, "log in to Clover aga"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_to_a_refresh(
    auth: Auth, path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Each ends with a sentence, keeps nothing, and shows no token, be it in a frame's locals."""
    body, kind, words = HOSTILE[name]
    short_timeouts.bound(monkeypatch, words)
    with Peer(body) as peer:
        with pytest.raises(kind, match=words) as caught:
            auth.token(merchant(peer.url))
        assert len(peer.heads) == 1
    assert open_store(path).get(CHAIN) is None
    error = caught.value
    frames = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown = "".join(frames.format()).partition("test_a_hostile_answer_to_a_refresh")[2]
    own, _, shown = shown.partition('auth.py"')
    assert own
    for secret in (FIRST, ACCESS, NEXT):
        assert secret not in str(error)
        assert secret not in shown
    assert isinstance(error, (CloverError, TokenStoreError))


@pytest.mark.parametrize(
    ("said", "words", "others"),
    [
        ("true", ["log in to Clover again", "client_secret as Clover offers now"], []),
        ("TRUE ", ["as Clover offers now"], []),
        ("false", ["log in to Clover again", "can't be recovered"], ["client_secret", "weeks"]),
        ("", ["set client_secret within two weeks", "--login"], []),
        (FIRST, ["within two weeks"], [FIRST]),
    ],
)
def test_what_clover_says_of_a_recovery(
    auth: Auth, said: str, words: list[str], others: list[str]
) -> None:
    """A refusal names the ways out that are open, and holds none of Clover's own words."""
    header = f"X-Clover-Recovery-Available: {said}"
    with Peer(reply(b"", header, status="401 X")) as peer:
        for _ in range(2):
            with pytest.raises(LoginNeededError) as caught:
                auth.token(merchant(peer.url))
            assert all(word in str(caught.value) for word in words)
            assert not any(word in str(caught.value) for word in others)
        assert len(peer.heads) == 1


ODD: dict[str, tuple[bytes, int]] = {
    "the same refresh token": (answer(refresh_token=FIRST), 1),
    "the same token for both": (answer(access_token=NEXT), 1),
    "expired already": (answer(access_token_expiration=1), 1),
    "expired before there were computers": (answer(access_token_expiration=-1e15), 1),
    "good without end": (answer(access_token_expiration=1e15), 1),
    "milliseconds": (answer(access_token_expiration=2_000_000_000_000), 1),
    "good for this moment": (answer(access_token_expiration=TUESDAY_NOON), 1),
    "no expiration": (answer(access_token_expiration=None), 1),
    "a list for an expiration": (answer(access_token_expiration=[[]]), 1),
    "more than was asked for": (answer(token_type="x", scope={}, x=[1]), 1),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_answer_is_taken(auth: Auth, path: Path, name: str) -> None:
    """A pair counts whatever stands around it, and is not asked for again and again."""
    body, refreshes = ODD[name]
    with Peer(body) as peer:
        shop = merchant(peer.url)
        token = auth.token(shop)
        assert [auth.token(shop) for _ in range(3)] == [token] * 3
        assert len(peer.heads) == refreshes
    pair = open_store(path).get(CHAIN)
    assert pair
    assert pair.access_token == token
    assert pair.spent_token == Secret(FIRST)


def test_what_a_refresh_says(auth: Auth) -> None:
    """A refresh is JSON with the app's id and the token, and carries no other credential."""
    with Peer(answer()) as peer:
        auth.token(merchant(peer.url))
        (head,) = peer.heads
    assert head.startswith(b"POST /oauth/v2/refresh HTTP/1.1\r\n")
    assert b"Content-Type: application/json\r\n" in head
    assert b"authorization" not in head.lower()
    assert json.loads(peer.bodies[0]) == {"client_id": "CLIENT", "refresh_token": FIRST}


def test_a_refresh_under_way_is_kept_when_the_run_ends(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is told to stop waits for the answer that a token was spent for, in bounds."""
    going = threading.Event()

    def late(_: bytes) -> bytes:
        going.wait(short_timeouts.PATIENCE)
        time.sleep(0.3)
        return answer()

    auth = Auth("CLIENT", open_store(path), lambda: TUESDAY_NOON)
    with Peer(late) as peer:
        worker = threading.Thread(target=auth.token, args=[merchant(peer.url)], daemon=True)
        worker.start()
        while not peer.heads:
            time.sleep(0.005)
        monkeypatch.setattr(auth_module, "CLOSE_SECONDS", 0.01)
        auth.close()
        assert open_store(path).get(CHAIN) is None
        monkeypatch.setattr(auth_module, "CLOSE_SECONDS", short_timeouts.PATIENCE)
        going.set()
        auth.close()
        pair = open_store(path).get(CHAIN)
        worker.join()
    assert pair
    assert pair.refresh_token == Secret(NEXT)


@pytest.mark.parametrize("jump", [-86_400.0, -1.0, 86_400.0, 1e9])
def test_a_clock_that_jumps(path: Path, jump: float) -> None:
    """A clock that is put right, or wrong, costs one refresh at most, and never a merchant."""
    now = [TUESDAY_NOON]
    auth = Auth("CLIENT", open_store(path), lambda: now[0])
    with Peer(answer(access_token_expiration=TUESDAY_NOON + 1800)) as peer:
        shop = merchant(peer.url)
        auth.token(shop)
        now[0] += jump
        for _ in range(3):
            auth.token(shop)
        assert len(peer.heads) == (2 if jump > 1800 else 1)
    auth.close()
