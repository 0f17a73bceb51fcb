"""Secrets stay unseen."""

from __future__ import annotations

import dataclasses
import json
import logging
import pprint
from typing import TYPE_CHECKING

import msgspec
import pytest

from tap_clover_export.settings.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = "tok-3b1f9c"


@pytest.mark.parametrize(
    "show",
    [
        str,
        repr,
        ascii,
        "{}".format,
        "{!r}".format,
        "%s".__mod__,
        pprint.pformat,
        lambda secret: f"{[secret]} { ({'token': secret}) }",
        lambda secret: json.dumps({"token": secret}, default=str),
        lambda secret: str(ValueError(secret)),
        lambda secret: logging.LogRecord(
            "x", logging.INFO, "", 1, "%s", (secret,), None
        ).getMessage(),
    ],
)
def test_whatever_shows_a_secret_shows_asterisks(show: Callable[[Secret], str]) -> None:
    """Printing, formatting and logging never show the token."""
    shown = show(Secret(TOKEN))

    assert TOKEN not in shown
    assert "***" in shown


def test_dumps_hold_no_secret() -> None:
    """A dump of what holds a secret shows asterisks, or is refused."""

    @dataclasses.dataclass
    class Holder:
        token: Secret

    assert TOKEN not in str(dataclasses.asdict(Holder(Secret(TOKEN))))
    with pytest.raises(TypeError):
        msgspec.json.encode(Holder(Secret(TOKEN)))
    with pytest.raises(TypeError):
        json.dumps(Secret(TOKEN))


def test_a_secret_reveals_and_compares() -> None:
    """The text comes out where it is asked for; equal tokens are equal, and hash alike."""
    assert Secret(TOKEN).reveal() == TOKEN
    assert Secret(TOKEN) == Secret(TOKEN)
    assert Secret(TOKEN) != Secret("other")
    assert len({Secret(TOKEN), Secret(TOKEN)}) == 1
