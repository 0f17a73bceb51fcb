"""Clover's tokens: fixed ones, and those that rotate with every refresh."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from tap_clover_export.clover.oauth import OAuth, Refusal
from tap_clover_export.errors import (
    CloverError,
    LoginNeededError,
    TokenStoreError,
    TransientError,
)
from tap_clover_export.tokens.chain import NONE, Chain, TokenPair
from tap_clover_export.tokens.store import wait_for_turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_clover_export.settings.merchants import Merchant
    from tap_clover_export.settings.secret import Secret
    from tap_clover_export.tokens.store import TokenStore, Turn

logger = logging.getLogger("tap-clover-export.tokens")

AHEAD_SECONDS = 60.0
AHEAD_SHARE = 0.2
CLOSE_SECONDS = 60.0
KEEP_PAUSE_SECONDS = 0.5


class Auth:
    """Gives the access token of a merchant; safe over threads, processes and machines."""

    def __init__(
        self,
        client_id: str | None,
        store: TokenStore,
        now: Callable[[], float],
        client_secret: Secret | None = None,
    ) -> None:
        """Open a token manager.

        Args:
            client_id: The Clover app's id, needed for refreshes.
            store: Where rotated tokens are kept between runs.
            now: The time, in seconds since the epoch.
            client_secret: The app's secret, to recover pairs that were lost on their way.
        """
        self._store = store
        self._now = now
        self._oauth = OAuth(client_id, client_secret, now)
        self._pairs: dict[str, TokenPair] = {}
        self._unkept: dict[Chain, TokenPair] = {}
        self._refused: dict[Secret, Refusal] = {}
        self._unrecovered: set[Secret] = set()
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._closing = False

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
                pair = self._another(merchant, lambda stored: not self._stale(stored))
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
                pair = self._another(merchant, lambda stored: stored.access_token != refused)
        return pair.access_token

    def close_to_refreshes(self) -> None:
        """Begin no refresh from now on."""
        self._closing = True

    def close(self) -> None:
        """Let refreshes under way reach the store, a minute at most; close what is idle."""
        self.close_to_refreshes()
        end = time.monotonic() + CLOSE_SECONDS
        for lock in list(self._locks.values()):
            if lock.acquire(timeout=max(0.0, end - time.monotonic())):
                lock.release()
        for chain in list(self._unkept):
            self._keep_at_last(chain, end)
        self._oauth.close()
        self._store.close()

    def _stale(self, pair: TokenPair) -> bool:
        """Whether a pair is about to expire; one that came old is Clover's to judge alone."""
        if not pair.access_token:
            return True
        lifetime = pair.access_expires - pair.obtained
        ahead = min(AHEAD_SECONDS, lifetime * AHEAD_SHARE)
        return lifetime > 0 and self._now() >= pair.access_expires - ahead

    def _another(self, merchant: Merchant, good: Callable[[TokenPair], bool]) -> TokenPair:
        """A good pair out of the store, where another process put it, or a fresh one."""
        chain = Chain.of(merchant.id, merchant.refresh_token or NONE)
        if chain in self._unkept:
            self._keep(chain)
        pair = self._store.get(chain)
        if pair is None or not good(pair) or self._stale(pair):
            with wait_for_turn(self._store, chain, lambda: self._closing) as turn:
                pair = turn.pair or chain.begin()
                if not good(pair) or self._stale(pair):
                    pair = self._refresh(merchant, chain, pair, turn)
        self._pairs[merchant.id] = pair
        return pair

    def _refresh(self, merchant: Merchant, chain: Chain, pair: TokenPair, turn: Turn) -> TokenPair:
        """Spend a refresh token, and keep what came for it."""
        if self._closing:
            raise TransientError("the run ends, and begins no refresh of a token")
        turn.reserve()
        fresh = self._spend(merchant, pair)
        self._unkept[chain] = fresh
        turn.put(fresh)
        del self._unkept[chain]
        return fresh

    def _keep(self, chain: Chain) -> None:
        """Keep a pair that its store did not take when it came; nobody but this process has it."""
        lost = self._unkept[chain]
        with wait_for_turn(self._store, chain) as turn:
            if (turn.pair or chain.begin()).refresh_token == lost.spent_token:
                turn.reserve()
                turn.put(lost)
        del self._unkept[chain]

    def _keep_at_last(self, chain: Chain, end: float) -> None:
        """Keep a pair before this process, which alone has it, ends; its store may come back."""
        while True:
            try:
                return self._keep(chain)
            except TokenStoreError as error:
                if time.monotonic() >= end:
                    logger.error(  # noqa: TRY400
                        "The token pair of merchant %s is lost: %s", chain.merchant_id, error
                    )
                    return None
            time.sleep(KEEP_PAUSE_SECONDS)

    def _spend(self, merchant: Merchant, pair: TokenPair) -> TokenPair:
        """Use the refresh token up for a new pair; one that was refused is not tried again."""
        spent = pair.refresh_token
        refusal = self._refused.get(spent)
        if refusal is None:
            answer = self._oauth.refresh(merchant.api_url, pair)
            if isinstance(answer, TokenPair):
                return answer
            refusal = self._refused[spent] = answer
        if not self._oauth.recovers or refusal.recovery == "false" or spent in self._unrecovered:
            raise self._login_needed(merchant, refusal)
        # Rule 14: a pair that was lost between Clover and the store is had again for the token
        # that was spent for it.
        recovered = self._oauth.recover(merchant.api_url, pair)
        if isinstance(recovered, Refusal):
            self._unrecovered.add(spent)
            raise self._login_needed(merchant, refusal)
        del self._refused[spent]
        logger.warning(
            "The token pair of merchant %s was lost on its way; Clover gave another one for it.",
            merchant.id,
        )
        return recovered

    def _login_needed(self, merchant: Merchant, refusal: Refusal) -> LoginNeededError:
        """What a person does."""
        if refusal.recovery == "false":
            recovery = "; Clover says that the old one can't be recovered"
        elif self._oauth.recovers:
            recovery = "; Clover recovered it with client_secret neither"
        else:
            when = {"true": "as Clover offers now"}.get(refusal.recovery, "within two weeks")
            recovery = (
                f"; for a pair that was lost on its way set client_secret {when}, and the next "
                "run has another one by itself"
            )
        return LoginNeededError(
            f"Clover refused the refresh token of merchant {merchant.id} in region "
            f"{merchant.region} ({refusal.status}); check region and client_id, or log in to "
            f"Clover again with --login and put the new refresh_token in the settings{recovery}."
        )


def unauthorized_message(merchant: Merchant, error: CloverError) -> str:
    """What to say of a token that Clover refused."""
    return with_causes(
        f"Clover refused the token of merchant {merchant.id} in region {merchant.region}", error
    )


def with_causes(refused: str, error: CloverError) -> str:
    """A refusal with Clover's words and what to check."""
    # Clover answers 401 to a missing permission too, so all likely causes are named.
    return (
        f"{refused} ({error.in_full()}); check that the region is right, that the token is this "
        "merchant's and still good, and that the app has the permissions Read orders, Read "
        "payments and Export API (Clover grants the last on request) and was installed again "
        "since they changed"
    )
