"""Who may ask."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_clover_export.simulator.options import Options

DAY = 86_400
YEAR = 365 * DAY
CODE_SECONDS = 600


@dataclass(frozen=True)
class Access:
    """Whose an access token is, and until when in epoch seconds."""

    merchant: str
    expires: float


@dataclass(frozen=True)
class Successor:
    """What a refresh token was spent for, and when in epoch seconds."""

    token: str
    issued: float


class Tokens:
    """Codes of logins, single-use refresh tokens, and the access tokens that they gave."""

    def __init__(self, options: Options) -> None:
        self._client_id = options.client_id
        self._client_secret = options.client_secret
        self._seconds = options.token_seconds
        self._recovery_seconds = options.recovery_days * DAY
        self._access: dict[str, Access] = {}
        self._refresh = {token: merchant for merchant, token in options.refresh_tokens.items()}
        self._spent: set[str] = set()
        self._successors: dict[str | None, Successor] = {}
        self._before: dict[str, str] = {}
        self._void: set[str] = set()
        self._codes: dict[str, Access] = {}
        self.spent_twice: list[str] = []

    def accept(self, token: str, merchant: str, now: float) -> bool:
        """Tell whether a token opens a merchant's data."""
        access = self._access.get(token)
        return bool(access and access.merchant == merchant and now < access.expires)

    def knows(self, client_id: str | None) -> bool:
        """Tell whether there is such an app."""
        return client_id == self._client_id

    def rotate(self, asked: Mapping[str, object], now: float) -> dict[str, object] | None:
        """Take a refresh token and give a new pair, or nothing."""
        token = asked.get("refresh_token")
        if not isinstance(token, str) or asked.get("client_id") != self._client_id:
            return None
        if token in self._spent:
            self.spent_twice.append(token)
            return None
        merchant = self._refresh.pop(token, None)
        if merchant is None:
            return None
        self._spent.add(token)
        before = self._before.pop(token, None)
        self._successors.pop(before, None)  # which recovers nothing any more
        return self._issue(merchant, token, now)

    def recover(self, asked: Mapping[str, object], now: float) -> dict[str, object] | None:
        """Take the token before a pair that was never used, and give another pair for it."""
        token = asked.get("recovery_token")
        if not isinstance(token, str) or not self._is_app(asked):
            return None
        lost = self._successors.get(token)
        if lost is None or now - lost.issued > self._recovery_seconds:
            return None
        merchant = self._refresh.pop(lost.token)
        self._void.add(lost.token)
        return self._issue(merchant, token, now)

    def grant(self, merchant: str, now: float) -> str:
        """Give the code of a login."""
        code = secrets.token_hex(16)
        self._codes[code] = Access(merchant, now + CODE_SECONDS)
        return code

    def redeem(self, asked: Mapping[str, object], now: float) -> dict[str, object] | None:
        """Take a code, once, and give a first pair."""
        code = asked.get("code")
        if not isinstance(code, str) or not self._is_app(asked):
            return None
        login = self._codes.pop(code, None)
        if login is None or now >= login.expires:
            return None
        return self._issue(login.merchant, None, now)

    def _is_app(self, asked: Mapping[str, object]) -> bool:
        given = asked.get("client_id"), asked.get("client_secret")
        return given == (self._client_id, self._client_secret)

    def _issue(self, merchant: str, spent: str | None, now: float) -> dict[str, object]:
        access, refresh = secrets.token_hex(16), secrets.token_hex(16)
        self._access[access] = Access(merchant, now + self._seconds)
        self._refresh[refresh] = merchant
        if spent is not None:
            self._successors[spent] = Successor(refresh, now)
            self._before[refresh] = spent
        return {
            "access_token": access,
            "access_token_expiration": int(now + self._seconds),
            "refresh_token": refresh,
            "refresh_token_expiration": int(now) + YEAR,
        }
