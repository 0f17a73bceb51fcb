"""Clover's tokens: fixed ones, and those that rotate with every refresh.

Source: https://docs.clover.com/dev/docs/refresh-access-tokens
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from requests.auth import AuthBase
from typing_extensions import override

from tap_clover_export.clover.error_mapping import raise_for
from tap_clover_export.clover.token_store import TokenPair
from tap_clover_export.clover.transport import open_session, read_body, send
from tap_clover_export.errors import (
    CloverError,
    LoginNeededError,
    RateLimitedError,
    TransientError,
)
from tap_clover_export.settings.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from tap_clover_export.clover.token_store import TokenStore
    from tap_clover_export.settings.merchants import Merchant

AHEAD_SECONDS = 60.0
AHEAD_SHARE = 0.2
CLOSE_SECONDS = 60.0
_TOKEN = re.compile(r"[!-~]{1,8192}")


class RefreshTokenBody(AuthBase):
    """A refresh token as the body of the one request that uses it up."""

    def __init__(self, client_id: str | None, token: Secret) -> None:
        self._client_id = client_id
        self._token = token

    @override
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = {"client_id": self._client_id, "refresh_token": self._token.reveal()}
        request.prepare_body(data=None, files=None, json=body)
        return request


class Auth:
    """Gives the access token of a merchant; safe over threads and over processes."""

    def __init__(self, client_id: str | None, store: TokenStore, now: Callable[[], float]) -> None:
        """Open a token manager.

        Args:
            client_id: The Clover app's id, needed for refreshes.
            store: Where rotated tokens are kept between runs.
            now: The time, in seconds since the epoch.
        """
        self._client_id = client_id
        self._store = store
        self._now = now
        self._session = open_session()
        self._pairs: dict[str, TokenPair] = {}
        self._refused: dict[Secret, _RefreshRefusal] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def token(self, merchant: Merchant) -> Secret:
        """The token to use now; refreshed first where it is about to expire.

        Raises:
            LoginNeededError: The refresh token is no longer good.
            TokenStoreError: The store can't be used.
            TransientError: The refresh did not come through.
        """
        if merchant.access_token:
            return merchant.access_token
        with self._locks[merchant.id]:
            pair = self._pairs.get(merchant.id)
            if pair is None or self._stale(pair):
                pair = self._refresh(merchant, lambda stored: not self._stale(stored))
        return pair.access_token

    def renewed(self, merchant: Merchant, refused: Secret) -> Secret:
        """Another token after a 401 to one that rotates.

        Raises:
            LoginNeededError: The refresh token is no longer good.
            TokenStoreError: The store can't be used.
            TransientError: The refresh did not come through.
        """
        with self._locks[merchant.id]:
            pair = self._pairs.get(merchant.id)
            if pair is None or pair.access_token == refused:
                pair = self._refresh(merchant, lambda stored: stored.access_token != refused)
        return pair.access_token

    def close(self) -> None:
        """Let refreshes under way reach the disk, a minute at most; close the idle connections."""
        end = time.monotonic() + CLOSE_SECONDS
        for lock in list(self._locks.values()):
            if lock.acquire(timeout=max(0.0, end - time.monotonic())):
                lock.release()
        self._session.close()

    def _stale(self, pair: TokenPair) -> bool:
        """Whether a pair is about to expire; one that came old is Clover's to judge alone."""
        if not pair.access_token:
            return True
        lifetime = pair.access_expires - pair.obtained
        ahead = min(AHEAD_SECONDS, lifetime * AHEAD_SHARE)
        return lifetime > 0 and self._now() >= pair.access_expires - ahead

    def _refresh(self, merchant: Merchant, good: Callable[[TokenPair], bool]) -> TokenPair:
        """A good pair out of the store, where another process put it, or a fresh one."""
        with self._store.refresh_lock(merchant.id):
            pair = self._kept(merchant)
            if not good(pair) or self._stale(pair):
                with self._store.reserve_space():
                    pair = self._spend(merchant, pair)
                    with self._store.locked() as store:
                        store.put(merchant.id, pair)
        self._pairs[merchant.id] = pair
        return pair

    def _kept(self, merchant: Merchant) -> TokenPair:
        """The stored pair, unless the settings hold another token than it was seeded from."""
        configured = merchant.refresh_token or Secret("")
        seed = configured.fingerprint()
        with self._store.locked() as store:
            pair = store.get(merchant.id)
        if pair is None or pair.seed != seed:
            return TokenPair(seed=seed, refresh_token=configured)
        return pair

    def _spend(self, merchant: Merchant, pair: TokenPair) -> TokenPair:
        """Use the refresh token up for a new pair; one that was refused is not tried again."""
        spent, now = pair.refresh_token, self._now()
        if spent in self._refused:
            raise _login_needed(merchant, self._refused[spent])
        url = f"{merchant.api_url}/oauth/v2/refresh"
        auth = RefreshTokenBody(self._client_id, spent)
        with send(self._session, "POST", url, auth) as response:
            if response.status_code in (400, 401, 403):
                self._refused[spent] = _RefreshRefusal.of(response)
                raise _login_needed(merchant, self._refused[spent])
            try:
                raise_for(response)
            except RateLimitedError:
                raise
            except CloverError as error:
                raise TransientError(f"{error} to a token refresh") from None
            return _pair(read_body(response), pair.seed, spent, now)


class _RefreshRefusal(NamedTuple):
    """Status of a refused refresh, and whether Clover says `true` or `false` to a recovery."""

    status: int
    recovery: str

    @classmethod
    def of(cls, response: requests.Response) -> _RefreshRefusal:
        said = response.headers.get("X-Clover-Recovery-Available", "")
        return cls(response.status_code, said.strip().lower())


class _Answer(msgspec.Struct):
    access_token: str
    refresh_token: str
    access_token_expiration: msgspec.Raw = msgspec.Raw()

    def __repr__(self) -> str:
        return "_Answer(***)"


_answers = msgspec.json.Decoder(_Answer)  # made in one thread, see client.py


def _pair(content: bytes, seed: str, spent: Secret, now: float) -> TokenPair:
    """Read the answer to a refresh; without a readable expiration the tokens still count."""
    try:
        answer = _answers.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        del content
        raise TransientError("a token refresh whose answer can't be read") from None
    del content
    if not (_TOKEN.fullmatch(answer.access_token) and _TOKEN.fullmatch(answer.refresh_token)):
        raise TransientError("a token refresh whose answer holds no tokens")
    try:
        expires = float(bytes(answer.access_token_expiration).strip(b'"'))
    except ValueError:
        expires = 0.0
    return TokenPair(
        seed=seed,
        access_token=Secret(answer.access_token),
        access_expires=expires if math.isfinite(expires) else 0.0,
        refresh_token=Secret(answer.refresh_token),
        obtained=now,
        spent_token=spent,
    )


def _login_needed(merchant: Merchant, refusal: _RefreshRefusal) -> LoginNeededError:
    """What a person does; what recovery takes is known from public clients of it."""
    when = {"true": "as Clover offers now"}.get(refusal.recovery, "within two weeks")
    recovery = (
        f"; a high-trust app can, {when}, have a new pair for it instead: POST client_id, "
        "client_secret and, as recovery_token, the refused one, which token_store or else the "
        f"settings hold, to {merchant.api_url}/oauth/v2/recovery"
    )
    if refusal.recovery == "false":
        recovery = "; Clover says that the old one can't be recovered"
    return LoginNeededError(
        f"Clover refused the refresh token of merchant {merchant.id} in region {merchant.region} "
        f"({refusal.status}); check region and client_id, or log in to Clover again and put the "
        f"new refresh_token in the settings{recovery}."
    )


def unauthorized_message(merchant: Merchant, error: CloverError) -> str:
    """What to say of a token that Clover refused."""
    # Clover answers 401 to a missing permission too, so all likely causes are named.
    return (
        f"Clover refused the token of merchant {merchant.id} in region {merchant.region} "
        f"({error.in_full()}); check that the region is right, that the token is this merchant's "
        "and still good, and that the app has the permissions Read orders, Read payments and "
        "Export API (Clover grants the last on request) and was installed again since they changed"
    )
