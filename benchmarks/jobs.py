"""What the programs are given to do: the tap's own settings, which the others read too."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAMS = ("script", "splice", "plain", "ours")
STREAMS = ("orders", "payments")


def merchants(number: int) -> list[str]:
    """The ids of this number of merchants."""
    return [f"MERCHANT{place:05}" for place in range(number)]


def tokens(names: Sequence[str]) -> list[str]:
    """The merchants as the local Clover's command line takes them."""
    return [f"{name}:token" for name in names]


@dataclasses.dataclass(frozen=True)
class Job:
    """Exports to make, the last window ending at midnight.

    Attributes:
        url: Where Clover is.
        merchants: Their ids.
        days: How far back.
        streams: Of what.
        window_days: The width of the windows.
        slots: How many exports at a time, for programs that can.
    """

    url: str
    merchants: Sequence[str]
    days: int
    streams: Sequence[str] = ("orders",)
    window_days: int = 30
    slots: int = 1

    @property
    def exports(self) -> int:
        """How many exports it takes."""
        return len(self.merchants) * len(self.streams) * -(-self.days // self.window_days)

    def settings(self) -> dict[str, Any]:
        """The tap's settings, and the streams for the others."""
        end = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return {
            "merchants": [
                {"merchant_id": name, "access_token": "token"} for name in self.merchants
            ],
            "api_url": self.url,
            "region": "sandbox",
            "start_date": (end - dt.timedelta(self.days)).isoformat(),
            "end_date": end.isoformat(),
            "window_days": self.window_days,
            "max_concurrent_exports": self.slots,
            "streams": list(self.streams),
        }

    def catalog(self) -> dict[str, Any]:
        """The catalog that selects the streams."""
        schemas = Path(__file__).parents[1] / "tap_clover_export" / "schemas"
        return {
            "streams": [
                {
                    "tap_stream_id": stream,
                    "schema": json.loads((schemas / f"{stream}.json").read_text()),
                    "key_properties": ["merchant_id", "id"],
                    "metadata": [
                        {"breadcrumb": [], "metadata": {"selected": stream in self.streams}}
                    ],
                }
                for stream in STREAMS
            ]
        }

    def commands(self, folder: Path) -> dict[str, list[str]]:
        """The command line of each program; writes what they read into a folder."""
        config, catalog = folder / "config.json", folder / "catalog.json"
        config.write_text(json.dumps(self.settings()))
        catalog.write_text(json.dumps(self.catalog()))
        tap = str(Path(sys.executable).with_name("tap-clover-export"))
        ours = ["--config", str(config), "--catalog", str(catalog)]
        module = [sys.executable, "-m"]
        return {
            "script": [*module, "benchmarks.contenders.script", str(config)],
            "splice": [*module, "benchmarks.contenders.splice", str(config)],
            "plain": [*module, "benchmarks.contenders.plain", "--config", str(config)],
            "ours": [tap, *ours],
            "hurried": [*module, "benchmarks.hurried", *ours],
        }
