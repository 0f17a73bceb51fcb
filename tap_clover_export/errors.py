"""What can go wrong, sorted by what follows from it.

Tried again, by whoever made the attempt::

    CloverError                 an attempt that did not give what was asked for
    ├── TransientError          a reset, a time-out, a 5xx, a body that is cut or no JSON
    │   └── BodyTooLargeError   more bytes than are taken
    ├── ServiceUnavailableError 503: closed or busy
    └── RateLimitedError        429
    SpoolError                  the temporary directory takes no more just now
    BadFileError                a file that is not Clover's: fetched again

Ends one merchant's stream, or has an export created again::

    CloverError
    ├── UnauthorizedError       401 and 403
    ├── BadRequestError         another 4xx
    └── NotFoundError           404 and 410, or a link that is no longer good
    ExportFailedError           an export that can't be had
    SpoolFullError              an export takes more of the disk than one may
    RecordError                 a record that can't be emitted
    TokenStoreError             the token store can't be used
    └── LoginNeededError        a refresh token that Clover takes no more

Ends the run::

    SettingsError, StateError, InputError, LoginFailedError, OutputClosedError

Stops on request, and is no error::

    Stopped

Each text is for people: a sentence or a part of one, without secrets.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

_REQUEST = re.compile(r", request [\w-]+(?=\))")


class CloverError(Exception):
    """An attempt that did not give what was asked for; its text says why.

    Attributes:
        request_id: Clover's own name for the request, if its answer gave one.
    """

    request_id: str | None = None

    def in_full(self) -> str:
        """What went wrong, with what Clover's support asks for."""
        return f"{self}, request {self.request_id}" if self.request_id else str(self)


class TransientError(CloverError):
    """A fault that passes: a reset, a time-out, a 5xx, a body that is cut or no JSON."""


class BodyTooLargeError(TransientError):
    """A body of more bytes than are taken."""


class ServiceUnavailableError(CloverError):
    """503: closed or busy.

    Attributes:
        words: What the answer said.
        retry_after: The seconds it asked to wait, if it did.
        said_at: When it said so, by the server's clock, if it told.
    """

    def __init__(
        self, words: str, retry_after: float | None, said_at: dt.datetime | None = None
    ) -> None:
        super().__init__("503 Service Unavailable")
        self.words = words
        self.retry_after = retry_after
        self.said_at = said_at


class RateLimitedError(CloverError):
    """429: too many requests.

    Attributes:
        retry_after: The seconds it asked to wait, if it did.
        scope: Whose limit it is: the token's or the app's.
    """

    def __init__(self, retry_after: float | None, scope: Literal["token", "app"]) -> None:
        super().__init__("429 Too Many Requests")
        self.retry_after = retry_after
        self.scope = scope


class UnauthorizedError(CloverError):
    """401 or 403: this token may not do this."""

    @property
    def status(self) -> int:
        """401 or 403."""
        return int(str(self)[:3])


class BadRequestError(CloverError):
    """Another 4xx, with Clover's words."""

    @property
    def too_much(self) -> bool:
        """Whether this is how Clover says that a request is too heavy for it."""
        return "internal error" in str(self).lower()


class NotFoundError(CloverError):
    """404 or 410, or a link that is no longer good."""


class SpoolError(Exception):
    """The temporary directory takes no more."""


class SpoolFullError(Exception):
    """An export takes more of the disk than one may."""


class BadFileError(Exception):
    """A file that is not Clover's `{"elements": [...]}`."""


class ExportFailedError(Exception):
    """An export that can't be had; says why and what to do."""


class RecordError(Exception):
    """A record that can't be emitted; says which and why."""


class TokenStoreError(Exception):
    """The token store can't be used; says why and what to do."""


class TokenStoreLockedError(TokenStoreError):
    """Another run has the chain just now."""

    def __init__(self) -> None:
        super().__init__("token_store is locked by another run; end that one.")


class LoginNeededError(TokenStoreError):
    """A refresh token that Clover takes no more; says whose, and what a person does."""


class SettingsError(Exception):
    """The settings can't be used.

    Attributes:
        reasons: One sentence each: which setting, what is wrong, what to do.
    """

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = list(reasons)


class StateError(Exception):
    """A state that can't be read; a sentence that says what to do."""


class InputError(Exception):
    """A file that was handed over can't be used; says which, why and what to do."""

    @classmethod
    def not_json(cls, kind: str, path: str, error: ValueError) -> Self:
        """Of a file that holds something else."""
        return cls(f"The {kind} {path} is not JSON ({in_short(error)}); correct it.")


class LoginFailedError(Exception):
    """A login that did not come through; says why and what to do."""


class OutputClosedError(Exception):
    """The output takes no more; a sentence that says why and what to do."""

    @classmethod
    def of(cls, error: OSError) -> Self:
        """Of an output that fails."""
        return cls(f"The output can't be written ({error.strerror}); look at where it goes.")


class Stopped(Exception):  # noqa: N818 - no error: somebody asked for it
    """The run was asked to stop."""


def without_request_ids(text: str) -> str:
    """A text as it is for each request that Clover answers alike."""
    return _REQUEST.sub("", text)


def in_short(error: Exception) -> str:
    """An error's own words, on one line."""
    return " ".join(str(error).split())[:200].rstrip(".")


def unexpected(error: Exception) -> str:
    """What to say of a fault that nobody foresaw."""
    return (
        f"an unexpected {type(error).__name__} came up; "
        "run again with TAP_CLOVER_EXPORT_TRACE=trace.log and report it with that file"
    )
