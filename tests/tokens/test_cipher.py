"""Tokens encrypted where they are kept."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import Fernet

from tap_clover_export.errors import TokenStoreError
from tap_clover_export.settings.secret import Secret
from tap_clover_export.tokens.store import open_store
from tests.tokens.test_disk import CHAIN, NEWER, PAIR

if TYPE_CHECKING:
    from pathlib import Path

    from tap_clover_export.tokens.chain import TokenPair

OLD, NEW, WRONG = (Secret(Fernet.generate_key().decode()) for _ in range(3))


def put(place: Path | Secret, pair: TokenPair, *keys: Secret) -> None:
    """Keep a pair."""
    with contextlib.closing(open_store(place, keys)) as store, store.turn(CHAIN) as turn:
        turn.reserve()
        turn.put(pair)


@pytest.mark.parametrize("database", [False, True])
def test_a_key_is_changed_while_tokens_rotate(tmp_path: Path, database: bool) -> None:
    """What was in the clear is read and encrypted next; the first of two keys writes, both read."""
    file = tmp_path / "tokens"
    place: Path | Secret = Secret(f"sqlite:///{file}") if database else file

    def kept() -> bytes:
        return file.read_bytes() if database else next(file.glob("*.json")).read_bytes()

    def get(*keys: Secret) -> TokenPair | None:
        store = open_store(place, keys)
        try:
            return store.get(CHAIN)
        finally:
            store.close()

    put(place, PAIR)
    assert b"refresh-1" in kept()
    assert get(OLD) == PAIR
    put(place, PAIR, OLD)
    assert (get(OLD), get(NEW, OLD)) == (PAIR, PAIR)
    put(place, NEWER, NEW, OLD)
    assert get(NEW) == NEWER
    if not database:
        assert kept().startswith(b"gAAAAA")
    for keys, sentence in {
        (): "token_store is encrypted; give its token_key.",
        (WRONG,): "token_key is not the key that token_store was written with; give that one, "
        "alone or after a new one.",
        (OLD,): "token_key is not the key that token_store was written with; give that one, "
        "alone or after a new one.",
    }.items():
        with pytest.raises(TokenStoreError) as caught:
            put(place, PAIR, *keys)
        assert str(caught.value) == sentence
    assert get(NEW) == NEWER


def test_a_crash_is_made_good_with_the_key_alone(tmp_path: Path) -> None:
    """A whole successor takes its place; with another key it stays, and a torn one is dropped."""
    path = tmp_path / "tokens"
    put(path, PAIR, OLD)
    successor = path / f"{CHAIN.name}.new"
    sealed = Fernet(OLD.reveal()).encrypt(NEWER.pack())
    successor.write_bytes(sealed)
    with pytest.raises(TokenStoreError, match="token_key is not the key"):
        put(path, PAIR, WRONG)
    assert successor.read_bytes() == sealed
    with open_store(path, [OLD]).turn(CHAIN) as turn:
        assert turn.pair == NEWER
    for torn in (sealed[:99] + bytes(50), sealed[:-4], sealed[:128]):
        successor.write_bytes(torn)
        with open_store(path, [OLD]).turn(CHAIN) as turn:
            assert turn.pair == NEWER
        assert not successor.exists()


def test_cryptography_is_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the sentence names the extra, and no token is spent."""
    monkeypatch.setitem(sys.modules, "cryptography.fernet", None)
    with pytest.raises(TokenStoreError, match=r"install tap-clover-export\[encryption\]\.$"):
        put(tmp_path / "tokens", PAIR, OLD)
    put(tmp_path / "tokens", dataclasses.replace(PAIR))
