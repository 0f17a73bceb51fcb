"""What all tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hypothesis
import pytest

from tests.support.browser import browser  # noqa: F401
from tests.support.harness import clover
from tests.support.postgres import database  # noqa: F401

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_clover_export.simulator import Simulator


hypothesis.settings.register_profile(
    "tap", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("tap")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--long`."""
    parser.addoption("--long", action="store_true", help="run storms and kills in full length")


@pytest.fixture
def long(request: pytest.FixtureRequest) -> bool:
    """Whether storms and kills run in full length."""
    return bool(request.config.getoption("--long"))


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A small local Clover of one merchant."""
    with clover() as simulator:
        yield simulator
