"""What is kept, encrypted where a key is given; `cryptography` is loaded only then."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

from tap_clover_export.errors import TokenStoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.fernet import MultiFernet

    from tap_clover_export.settings.secret import Secret

_SEALED = re.compile(rb"gAAAAA[\w-]+={0,2}")
"""How Fernet writes: base64, and until the year 2106 it begins alike."""


class Cipher:
    """Seals and opens what a store keeps.

    Args:
        keys: None for no encryption; the first one writes, each may read.
    """

    def __init__(self, keys: Sequence[Secret] = ()) -> None:
        self._keys = tuple(keys)
        self._loading = threading.Lock()
        self._fernet: MultiFernet | None = None

    def seal(self, content: bytes) -> bytes:
        """Make of a content what is kept.

        Raises:
            TokenStoreError: The package for it is missing.
        """
        return self._loaded().encrypt(content) if self._keys else content

    def open(self, kept: bytes) -> bytes:
        """Make a content of what is kept; what was kept before there was a key is read too.

        Raises:
            TokenStoreError: It is encrypted with a key that is not given.
        """
        if not _SEALED.fullmatch(kept) or not _whole(kept):
            return kept
        if not self._keys:
            raise TokenStoreError("token_store is encrypted; give its token_key.")
        fernet = self._loaded()
        from cryptography.fernet import InvalidToken  # noqa: PLC0415

        try:
            return fernet.decrypt(kept)
        except InvalidToken:
            raise TokenStoreError(
                "token_key is not the key that token_store was written with; give that one, "
                "alone or after a new one."
            ) from None

    def check(self) -> None:
        """See to it that a pair can be sealed, before a token is spent for it.

        Raises:
            TokenStoreError: The package for it is missing.
        """
        if self._keys:
            self._loaded()

    def _loaded(self) -> MultiFernet:
        with self._loading:
            if self._fernet is None:
                try:
                    from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415
                except ImportError:
                    raise TokenStoreError(
                        "token_key needs a package that is missing; "
                        "install tap-clover-export[encryption]."
                    ) from None
                self._fernet = MultiFernet([Fernet(key.reveal()) for key in self._keys])
            return self._fernet


def _whole(kept: bytes) -> bool:
    """Whether it may be all that Fernet wrote; a write torn at a page's end is not.

    Fernet's bytes are 57 and blocks of 16, in base64.
    """
    return len(kept) % 4 == 0 and (len(kept) // 4 * 3 - kept.count(b"=") - 57) % 16 == 0
