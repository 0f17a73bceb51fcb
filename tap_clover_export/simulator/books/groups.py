"""Rows that are added up by their key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_clover_export.simulator.books.events import Diary

Row: TypeAlias = dict[str, Any]


class Groups:
    """Rows that are added up by their key.

    Args:
        diary: The shop's.
        names: What is added up.
    """

    def __init__(self, diary: Diary, *names: str) -> None:
        self._always = {
            "merchant_id": diary.shop.merchant,
            "currency": diary.shop.kind.currency,
        }
        self._names = names
        self._rows: dict[tuple[Any, ...], Row] = {}

    def add(self, key: Mapping[str, Any], **values: int) -> None:
        """Add values to a row."""
        row = self._rows.setdefault(
            tuple(key.values()), {**self._always, **key, **dict.fromkeys(self._names, 0)}
        )
        for name, value in values.items():
            row[name] += value

    def rows(self) -> Iterable[Row]:
        """Tell them, by day."""
        return sorted(self._rows.values(), key=lambda row: str(row["business_day"]))
