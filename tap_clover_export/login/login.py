"""The first pair of a chain: Clover's page, its answer, and the exchange of its code."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tap_clover_export.clover.oauth import Refusal
from tap_clover_export.errors import CloverError, LoginFailedError
from tap_clover_export.login import redirect
from tap_clover_export.login.redirect import HOST, PORT, Listener
from tap_clover_export.tokens.chain import Chain
from tap_clover_export.tokens.store import wait_for_turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_clover_export.clover.oauth import OAuth
    from tap_clover_export.login.redirect import Agreement
    from tap_clover_export.settings.settings import LoginSettings
    from tap_clover_export.tokens.store import TokenStore

WAIT_SECONDS = 300.0
PASTE = "paste"


class Login:
    """Asks a merchant to agree, in a browser here or elsewhere."""

    def __init__(
        self,
        settings: LoginSettings,
        oauth: OAuth,
        store: TokenStore,
        *,
        say: Callable[[str], object],
        ask: Callable[[str], str],
        browse: Callable[[str], bool],
    ) -> None:
        """Prepare a login.

        Args:
            settings: The app, and where it is.
            oauth: Exchanges the code.
            store: Keeps the pair.
            say: Shows a line.
            ask: Asks for a line.
            browse: Opens a browser; tells whether there is one.
        """
        self._settings = settings
        self._oauth = oauth
        self._store = store
        self._say = say
        self._ask = ask
        self._browse = browse

    def run(self, way: str) -> None:
        """Log in, and say what to add to the settings; that is no token.

        Args:
            way: `paste`, or a port to listen on, or anything else for the usual port.

        Raises:
            LoginFailedError: It did not come through.
            TokenStoreError: The pair can't be kept.
        """
        state = secrets.token_urlsafe(24)
        if way == PASTE:
            agreement = self._pasted(state, f"http://{HOST}:{PORT}/")
        else:
            with Listener(int(way) if way.isdecimal() else PORT, state) as listener:
                page = self._page(state, listener.url)
                if self._browse(page):
                    agreement = redirect.read(listener.wait(WAIT_SECONDS), state)
                else:
                    agreement = self._taken(state)
        self._say_what_to_add(self._redeem(agreement))

    def _page(self, state: str, back: str) -> str:
        """Clover's page, which is shown."""
        query = {
            "client_id": self._settings.client_id,
            "response_type": "code",
            "redirect_uri": back,
            "state": state,
        }
        page = f"{self._settings.authorize_url}/oauth/v2/authorize?{urlencode(query)}"
        self._say(f"Agree to the app as the merchant, at this address:\n{page}")
        return page

    def _pasted(self, state: str, back: str) -> Agreement:
        self._page(state, back)
        return self._taken(state)

    def _taken(self, state: str) -> Agreement:
        """The address that a person copies from a browser somewhere."""
        return redirect.read(
            self._ask("Then paste the address that the browser shows, though it finds no page"),
            state,
        )

    def _redeem(self, agreement: Agreement) -> Chain:
        """Exchange the code, once it is sure that what comes for it can be kept."""
        rehearsal = Chain.of(agreement.merchant_id, agreement.code)
        with wait_for_turn(self._store, rehearsal) as turn:
            turn.reserve()
        try:
            pair = self._oauth.redeem(self._settings.api_url, agreement.code)
        except CloverError as error:
            raise LoginFailedError(
                f"Clover did not exchange the login's code ({error}); log in again."
            ) from None
        if isinstance(pair, Refusal):
            raise LoginFailedError(
                f"Clover refused the login's code ({pair.status}); check region, client_id and "
                "client_secret, then log in again."
            )
        chain = Chain(agreement.merchant_id, pair.seed)
        with wait_for_turn(self._store, chain) as turn:
            turn.reserve()
            turn.put(pair)
        return chain

    def _say_what_to_add(self, chain: Chain) -> None:
        merchant, name = chain.merchant_id, chain.setting
        self._say(f"Merchant {merchant} is logged in; token_store alone has its tokens.")
        self._say("Add the login's name to the settings:")
        self._say(f'  merchants: [{{"merchant_id": "{merchant}", "refresh_token": "{name}"}}]')
        self._say("or, where it is the only one, to the environment:")
        self._say(f"  TAP_CLOVER_EXPORT_MERCHANT_ID={merchant}")
        self._say(f"  TAP_CLOVER_EXPORT_REFRESH_TOKEN={name}")
