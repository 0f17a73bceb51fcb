"""A plain client of the local Clover."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests

    from tap_clover_export.simulator import Simulator

NOW = 1_772_452_800  # 2026-03-02T12:00:00Z, a Monday
DAY = 86_400_000
SHOP, TOKEN = "SHOP000000001", "token-1"
OTHER, OTHER_TOKEN = "SHOP000000002", "token-2"
MERCHANTS = {SHOP: TOKEN, OTHER: OTHER_TOKEN}
PATIENCE = 30


@dataclass
class Client:
    """Asks one merchant's questions of a simulator."""

    simulator: Simulator
    session: requests.Session
    merchant: str = SHOP
    token: str = TOKEN

    @property
    def now(self) -> int:
        """Clover's time in ms, without skew."""
        return int(self.simulator.clock.now() * 1000)

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """Ask the API with the token."""
        headers = {"Authorization": f"Bearer {self.token}"}
        more.setdefault("timeout", PATIENCE)
        return self.session.request(
            method, self.simulator.url + path, headers=headers, allow_redirects=False, **more
        )

    def create(
        self, kind: str = "ORDERS", start: int | None = None, end: int | None = None
    ) -> requests.Response:
        """Ask for an export, of the last ten days where nothing else is said."""
        body = {
            "type": kind,
            "startTime": self.now - 10 * DAY if start is None else start,
            "endTime": self.now if end is None else end,
        }
        return self.ask("POST", f"/v3/merchants/{self.merchant}/exports", json=body)

    def poll(self, export: str, **more: Any) -> requests.Response:
        """Ask how far an export is."""
        return self.ask("GET", f"/v3/merchants/{self.merchant}/exports/{export}", **more)

    def fetch(self, url: str, **more: Any) -> requests.Response:
        """Fetch a file, without a token."""
        more.setdefault("timeout", PATIENCE)
        return self.session.get(url, allow_redirects=False, **more)

    def links(self, kind: str = "ORDERS", start: int | None = None) -> list[str]:
        """Make an export that is done at once, and tell its files."""
        export = self.create(kind, start).json()["id"]
        elements = self.poll(export).json()["exportUrls"]["elements"]
        return [element["url"] for element in elements]

    def collect(self, export: str) -> list[dict[str, Any]]:
        """Read a finished export's records."""
        elements = self.poll(export).json()["exportUrls"]["elements"]
        return [
            record
            for element in elements
            for record in self.fetch(element["url"]).json()["elements"]
        ]

    def export(
        self, kind: str = "ORDERS", start: int | None = None, end: int | None = None
    ) -> list[dict[str, Any]]:
        """Make an export and read its records."""
        return self.collect(self.create(kind, start, end).json()["id"])
