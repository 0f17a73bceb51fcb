"""Clover's tokens: fixed ones, and those that rotate with every refresh.

Source: https://docs.clover.com/dev/docs/refresh-access-tokens
"""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING

from tap_clover_export import wire
from tap_clover_export.secret import Secret
from tap_clover_export.tokens import Pair, TokenStore
from tap_clover_export.wire import Nobody, Refused, Transient, open_session, tried

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from tap_clover_export.merchants import Merchant

AHEAD_SECONDS = 60.0
AHEAD_SHARE = 0.2


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
        self._session: requests.Session | None = None
        self._pairs: dict[str, Pair] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def token(self, merchant: Merchant) -> Secret:
        """The token to use now; refreshed first where it is about to expire.

        Raises:
            Refused: The refresh token is no longer good; a person has to log in again.
            Transient: The refresh did not come through.
        """
        if merchant.access_token:
            return merchant.access_token
        with self._locks[merchant.id]:
            pair = self._pairs.get(merchant.id)
            if pair is None or self._stale(pair):
                pair = self._refresh(merchant, lambda stored: not self._stale(stored))
        return pair.access_token

    def renewed(self, merchant: Merchant, refused: Secret) -> Secret:
        """Another token after a 401, once.

        Raises:
            Refused: There is no other token.
            Transient: The refresh did not come through.
        """
        if merchant.access_token:
            raise Refused("401 Unauthorized")
        with self._locks[merchant.id]:
            pair = self._pairs.get(merchant.id)
            if pair is None or pair.access_token == refused:
                pair = self._refresh(merchant, lambda stored: stored.access_token != refused)
        return pair.access_token

    def close(self) -> None:
        """Close the idle connections."""
        if self._session:
            self._session.close()

    def _stale(self, pair: Pair) -> bool:
        lifetime = pair.access_expires - pair.obtained
        ahead = min(AHEAD_SECONDS, lifetime * AHEAD_SHARE)
        return not pair.access_token.reveal() or self._now() >= pair.access_expires - ahead

    def _refresh(self, merchant: Merchant, good: Callable[[Pair], bool]) -> Pair:
        """A good pair out of the store, where another process put it, or a fresh one."""
        configured = merchant.refresh_token or Secret("")
        seed = configured.fingerprint()
        with self._store.locked() as store:
            pair = store.get(merchant.id)
            if pair is None or pair.seed != seed:
                pair = Pair(seed=seed, refresh_token=configured)
            if not good(pair) or self._stale(pair):
                with store.room():
                    pair = self._spend(merchant, pair)
                    store.put(merchant.id, pair)
        self._pairs[merchant.id] = pair
        return pair

    def _spend(self, merchant: Merchant, pair: Pair) -> Pair:
        """Use the refresh token up for a new pair."""
        body = {"client_id": self._client_id, "refresh_token": pair.refresh_token.reveal()}
        self._session = self._session or open_session()
        with tried():
            response = self._session.post(
                f"{merchant.api_url}/oauth/v2/refresh",
                json=body,
                auth=Nobody(),
                timeout=wire.TIMEOUT,
                allow_redirects=False,
            )
            if response.status_code in (400, 401, 403):
                raise Refused(f"{response.status_code} to a token refresh")
            if response.status_code != 200:  # noqa: PLR2004
                raise Transient(f"{response.status_code} to a token refresh")
            answer = response.json()
        try:
            return Pair(
                seed=pair.seed,
                access_token=Secret(str(answer["access_token"])),
                access_expires=float(answer["access_token_expiration"]),
                refresh_token=Secret(str(answer["refresh_token"])),
                obtained=self._now(),
                spent_token=pair.refresh_token,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise Transient("a token refresh whose answer can't be read") from error
