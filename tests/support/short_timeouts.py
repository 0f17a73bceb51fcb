"""The wire's bounds of time, so short that a test can wait for the one that it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_clover_export.clover import client, transport

if TYPE_CHECKING:
    import pytest

PATIENCE = 30.0
"""Where nothing ends an answer that drips, it drips without end; with less a busy machine fails."""

SHORT = 0.4


def bound(monkeypatch: pytest.MonkeyPatch, words: str = "") -> None:
    """Make short the bounds that lead to these words, and those alone.

    Only a hang comes to the others: a machine may be as slow as it likes to all that is no hang.

    Args:
        monkeypatch: Puts everything back.
        words: What the outcome of the test says.
    """
    silent, dripping = "in time" in words, "that took" in words
    most = SHORT if silent else PATIENCE
    monkeypatch.setattr(transport, "TIMEOUT", (PATIENCE, most))
    monkeypatch.setattr(transport, "HEAD_SECONDS", most)
    monkeypatch.setattr(transport, "BODY_SECONDS", most)
    most = SHORT if dripping else PATIENCE
    monkeypatch.setattr(transport, "ANSWER_SECONDS", most)
    monkeypatch.setattr(client, "FILE_SECONDS", most)
