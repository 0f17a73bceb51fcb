"""A local Clover for a test, on a clock that stands still."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tap_clover_export.simulator import Clock, Options, Simulator

from .client import MERCHANTS, NOW, Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def serve() -> Iterator[Callable[..., Client]]:
    """Start simulators with options, and stop them after the test."""
    with ExitStack() as stack:
        session = stack.enter_context(requests.Session())

        def start(*, now: float = NOW, frozen: bool = True, **options: Any) -> Client:
            options = {"merchants": MERCHANTS, "days": 12, **options}
            simulator = Simulator(Options(**options), clock=Clock(now, frozen=frozen))
            return Client(stack.enter_context(simulator), session)

        yield start


@pytest.fixture
def client(serve: Callable[..., Client]) -> Client:
    """A client of a simulator with nothing set."""
    return serve()
