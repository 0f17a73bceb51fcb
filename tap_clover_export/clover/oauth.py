"""Clover's OAuth: a code, a refresh token or a lost one is exchanged for a pair; one attempt each.

Sources: https://docs.clover.com/dev/docs/refresh-access-tokens and
https://docs.clover.com/dev/docs/high-trust-app-auth-flow; what a recovery takes is known from
public clients of it.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from requests.auth import AuthBase
from typing_extensions import override

from tap_clover_export.clover.error_mapping import raise_for
from tap_clover_export.clover.transport import open_session, read_body, send
from tap_clover_export.errors import CloverError, RateLimitedError, TransientError
from tap_clover_export.settings.secret import Secret
from tap_clover_export.tokens.chain import NONE, TokenPair

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

_TOKEN = re.compile(r"[!-~]{1,8192}")


class SecretBody(AuthBase):
    """Secrets as the body of the one request that needs them."""

    def __init__(self, **fields: str | Secret | None) -> None:
        self._fields = fields

    @override
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = {
            name: value.reveal() if isinstance(value, Secret) else value
            for name, value in self._fields.items()
        }
        request.prepare_body(data=None, files=None, json=body)
        return request


class Refusal(NamedTuple):
    """Status of a refused exchange, and whether Clover says `true` or `false` to a recovery."""

    status: int
    recovery: str

    @classmethod
    def of(cls, response: requests.Response) -> Refusal:
        """What an answer says."""
        said = response.headers.get("X-Clover-Recovery-Available", "")
        return cls(response.status_code, said.strip().lower())


class OAuth:
    """Asks for pairs, as one app; safe to share between threads."""

    def __init__(
        self, client_id: str | None, client_secret: Secret | None, now: Callable[[], float]
    ) -> None:
        """Open a client.

        Args:
            client_id: The Clover app's id.
            client_secret: Its secret; needed for codes and recoveries.
            now: The time, in seconds since the epoch.
        """
        self._client_id = client_id
        self._client_secret = client_secret
        self._now = now
        self._session = open_session()

    @property
    def recovers(self) -> bool:
        """Whether it can ask for a recovery."""
        return self._client_secret is not None

    def refresh(self, api_url: str, pair: TokenPair) -> TokenPair | Refusal:
        """Use a refresh token up for a new pair.

        Raises:
            CloverError: It did not come through.
        """
        body = SecretBody(client_id=self._client_id, refresh_token=pair.refresh_token)
        return self._exchange(f"{api_url}/oauth/v2/refresh", body, pair, "to a token refresh")

    def recover(self, api_url: str, pair: TokenPair) -> TokenPair | Refusal:
        """Have a new pair in place of the one that was lost after this one.

        Raises:
            CloverError: It did not come through.
        """
        body = SecretBody(
            client_id=self._client_id,
            client_secret=self._client_secret,
            recovery_token=pair.refresh_token,
        )
        return self._exchange(f"{api_url}/oauth/v2/recovery", body, pair, "to a token recovery")

    def redeem(self, api_url: str, code: Secret) -> TokenPair | Refusal:
        """Exchange the code of a login for the first pair of a chain.

        Raises:
            CloverError: It did not come through.
        """
        body = SecretBody(client_id=self._client_id, client_secret=self._client_secret, code=code)
        return self._exchange(f"{api_url}/oauth/v2/token", body, None, "to a login")

    def close(self) -> None:
        """Close the idle connections."""
        self._session.close()

    def _exchange(
        self, url: str, body: SecretBody, before: TokenPair | None, what: str
    ) -> TokenPair | Refusal:
        now = self._now()
        with send(self._session, "POST", url, body) as response:
            if response.status_code in (400, 401, 403):
                return Refusal.of(response)
            try:
                raise_for(response)
            except RateLimitedError:
                raise
            except CloverError as error:
                raise TransientError(f"{error} {what}") from None
            return _pair(read_body(response), before, now)


class _Answer(msgspec.Struct):
    access_token: str
    refresh_token: str
    access_token_expiration: msgspec.Raw = msgspec.Raw()

    def __repr__(self) -> str:
        return "_Answer(***)"


_answers = msgspec.json.Decoder(_Answer)  # made in one thread, see client.py


def _pair(content: bytes, before: TokenPair | None, now: float) -> TokenPair:
    """Read an answer; without a readable expiration the tokens still count."""
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
    refresh_token = Secret(answer.refresh_token)
    return TokenPair(
        seed=before.seed if before else refresh_token.fingerprint(),
        access_token=Secret(answer.access_token),
        access_expires=expires if math.isfinite(expires) else 0.0,
        refresh_token=refresh_token,
        obtained=now,
        spent_token=before.refresh_token if before else NONE,
    )
