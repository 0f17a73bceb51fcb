"""A chain of refresh tokens, and the pair that stands at its end."""

from __future__ import annotations

import dataclasses

import msgspec

from tap_clover_export.errors import TokenStoreError
from tap_clover_export.settings.merchants import STORED
from tap_clover_export.settings.secret import Secret

NONE = Secret("")
_SECRETS = ("refresh_token", "access_token", "spent_token")
_NAME_LETTERS = 100


@dataclasses.dataclass(frozen=True)
class TokenPair:
    """An access token and the refresh token that follows it; times in Unix seconds.

    Attributes:
        seed: Fingerprint of the token with which this chain began.
        spent_token: The refresh token before, which Clover takes for a recovery.
    """

    seed: str
    refresh_token: Secret
    access_token: Secret = NONE
    access_expires: float = 0.0
    obtained: float = 0.0
    spent_token: Secret = NONE

    def pack(self) -> bytes:
        """Write it as JSON, tokens in the clear."""
        kept = dataclasses.asdict(self)
        kept |= {name: getattr(self, name).reveal() for name in _SECRETS}
        return msgspec.json.encode(kept)

    @classmethod
    def unpack(cls, content: bytes | msgspec.Raw) -> TokenPair:
        """Read what `pack` wrote.

        Raises:
            ValueError: It is something else.
        """
        try:
            kept = msgspec.json.decode(content)
            return cls(
                seed=str(kept["seed"]),
                access_expires=float(kept["access_expires"]),
                obtained=float(kept["obtained"]),
                **{name: Secret(str(kept[name])) for name in _SECRETS},
            )
        except (KeyError, TypeError, ValueError, RecursionError):
            raise ValueError from None


@dataclasses.dataclass(frozen=True)
class Chain:
    """What a login began: each token is used up for the next one.

    A refresh token belongs to one app, so that its fingerprint tells apps apart as well.

    Attributes:
        seed: Fingerprint of its first token.
        first: That token; none where the settings name the chain alone.
    """

    merchant_id: str
    seed: str
    first: Secret | None = None

    @classmethod
    def of(cls, merchant_id: str, token: Secret) -> Chain:
        """The chain that a merchant's setting begins, or names."""
        if named := STORED.fullmatch(token.reveal()):
            return cls(merchant_id, named[1])
        return cls(merchant_id, token.fingerprint(), token)

    # Rule 14: a new login, another app and another environment each have a chain of their own.
    @property
    def name(self) -> str:
        """Its name in a store."""
        return f"{self.merchant_id[:_NAME_LETTERS]}-{self.seed}"

    @property
    def setting(self) -> str:
        """What to give as `refresh_token` for it; no token."""
        return f"stored:{self.seed}"

    def begin(self) -> TokenPair:
        """What a chain of which nothing is kept begins with.

        Raises:
            TokenStoreError: Its first token is not known.
        """
        if self.first is None:
            raise TokenStoreError(
                f"token_store holds no login of merchant {self.merchant_id} as refresh_token names "
                "it; give the store that --login wrote to, or log in again."
            )
        return TokenPair(seed=self.seed, refresh_token=self.first)
