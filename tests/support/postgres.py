"""A real PostgreSQL for tests, as a plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_clover_export.demo.postgres import Database, postgres

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def database() -> Iterator[Database]:
    """Run an embedded PostgreSQL."""
    with postgres() as running:
        yield running
