"""The SDK's standard tests of a tap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from tap_clover_export.simulator import Options, Simulator
from tap_clover_export.tap import TapCloverExport
from tests.support.harness import ONE, TOKENS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.filterwarnings(
        "ignore:Fields in transformed catalog but not in records"  # rare ones are rare
    ),
]

_simulator = Simulator(
    Options({ONE: TOKENS[ONE]}, days=20, orders_per_day=60, unknown_fields=True, odd=False)
)
_config: dict[str, Any] = {
    "merchant_id": ONE,
    "access_token": TOKENS[ONE],
    "start_date": "2026-01-01T00:00:00Z",
}


@pytest.fixture(scope="module", autouse=True)
def _clover() -> Iterator[None]:
    """The local Clover that the standard tests sync from."""
    with _simulator as simulator:
        _config["api_url"] = simulator.url
        yield


TestTapCloverExport = get_tap_test_class(
    TapCloverExport,
    config=_config,
    suite_config=SuiteConfig(ignore_no_records_for_streams=["exports"]),
)
