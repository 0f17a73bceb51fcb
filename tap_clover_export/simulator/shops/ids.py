"""Clover's ids: thirteen capital letters and digits."""

from __future__ import annotations

import hashlib
import random
import secrets
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 13


def _chunks() -> tuple[str, ...]:
    rng = random.Random("chunks")  # noqa: S311
    chunks = ("".join(letters) for letters in product(LETTERS, repeat=3))
    return tuple(sorted(chunks, key=lambda _: rng.random()))


CHUNKS = _chunks()
SIZE = len(CHUNKS)
STEP = 1_000_003


def count_up(merchant: str, day: int) -> Iterator[str]:
    """Give ids that no other day of the merchant gives."""
    place = _number(merchant)
    late, early = divmod((day * STEP + place) % SIZE**2, SIZE)
    middle = CHUNKS[late] + LETTERS[place % len(LETTERS)]
    tail = CHUNKS[early]
    number, size, number_of_all, chunks = place, SIZE, SIZE**2, CHUNKS
    while True:
        number = (number + STEP) % number_of_all
        first, second = divmod(number, size)
        yield f"{chunks[first]}{middle}{chunks[second]}{tail}"


def name(*parts: str) -> str:
    """Give the id that always goes with a name."""
    number = _number(":".join(parts))
    letters = []
    for _ in range(LENGTH):
        number, letter = divmod(number, len(LETTERS))
        letters.append(LETTERS[letter])
    return "".join(letters)


def draw() -> str:
    """Give an id that nobody has had."""
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:12], "big")
