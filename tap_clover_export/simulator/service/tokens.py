"""Who may ask."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_clover_export.simulator.options import Options

YEAR = 365 * 86_400


@dataclass(frozen=True)
class Access:
    """Whose an access token is, and until when in epoch seconds."""

    merchant: str
    expires: float


class Tokens:
    """Single-use refresh tokens, and the access tokens that they gave."""

    def __init__(self, options: Options) -> None:
        self._client_id = options.client_id
        self._seconds = options.token_seconds
        self._access: dict[str, Access] = {}
        self._refresh = {token: merchant for merchant, token in options.refresh_tokens.items()}
        self._spent: set[str] = set()
        self.spent_twice: list[str] = []

    def accept(self, token: str, merchant: str, now: float) -> bool:
        """Tell whether a token opens a merchant's data."""
        access = self._access.get(token)
        return bool(access and access.merchant == merchant and now < access.expires)

    def rotate(self, client_id: object, token: object, now: float) -> dict[str, object] | None:
        """Take a refresh token and give a new pair, or nothing."""
        if not isinstance(token, str) or client_id != self._client_id:
            return None
        if token in self._spent:
            self.spent_twice.append(token)
            return None
        merchant = self._refresh.pop(token, None)
        if merchant is None:
            return None
        self._spent.add(token)
        access, refresh = secrets.token_hex(16), secrets.token_hex(16)
        self._access[access] = Access(merchant, now + self._seconds)
        self._refresh[refresh] = merchant
        return {
            "access_token": access,
            "access_token_expiration": int(now + self._seconds),
            "refresh_token": refresh,
            "refresh_token_expiration": int(now) + YEAR,
        }
