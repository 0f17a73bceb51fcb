"""The local Clover, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import requests

from .processes import process, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

TIMEOUT = 60


class LocalClover:
    """What a person does with the local Clover by hand.

    Args:
        url: Its base URL.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def move_to(self, moment: datetime) -> None:
        """Put its clock to a time."""
        self._post("clock", {"set": moment.timestamp()})

    def refund(self, merchant: str) -> dict[str, Any]:
        """Refund an order of some weeks ago, now."""
        return self._post("touch", {"merchant": merchant})

    def books(self) -> dict[str, dict[str, int]]:
        """Tell each merchant's counts and sums, money in cents."""
        books: dict[str, dict[str, int]] = self._get("books")
        return books

    def shops(self) -> list[dict[str, str]]:
        """Tell each shop's time zone and the hour that its day starts at."""
        shops: list[dict[str, str]] = self._get("shops")
        return shops

    def sales_overview(self) -> list[dict[str, Any]]:
        """Tell Clover's own Sales Overview."""
        answer: Any = self._post("sales", {"report": "sales_overview"})
        rows: list[dict[str, Any]] = answer
        return rows

    def exports(self) -> list[dict[str, Any]]:
        """Tell the exports that were asked for so far."""
        exports: list[dict[str, Any]] = self._get("requests")["exports"]
        return exports

    def _get(self, name: str) -> Any:  # noqa: ANN401
        answer = self._session.get(f"{self.url}/_simulator/{name}", timeout=TIMEOUT)
        answer.raise_for_status()
        return answer.json()

    def _post(self, name: str, content: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._session.post(f"{self.url}/_simulator/{name}", json=content, timeout=TIMEOUT)
        answer.raise_for_status()
        result: dict[str, Any] = answer.json()
        return result


@contextmanager
def local_clover(
    merchants: Mapping[str, str], now: datetime, *, port: int = 0, **options: object
) -> Iterator[LocalClover]:
    """Serve a local Clover while the block lasts.

    Args:
        merchants: Each merchant's token.
        now: The time at its start.
        port: Where it listens; 0 for any that is free.
        options: More of the simulator's options.

    Raises:
        OSError: It did not start.
    """
    command = [sys.executable, "-m", "tap_clover_export.simulator", f"--port={port}"]
    command += [f"--now={now.isoformat()}"]
    command += [f"--merchant={name}:{token}" for name, token in merchants.items()]
    command += [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    with process(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        url = read(running.stdout)
        if not url:
            reason = running.communicate()[1].strip().splitlines() or ["it said nothing"]
            raise OSError(f"The local Clover did not start: {reason[-1]}")
        yield LocalClover(url)
