"""What all tests share."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import hypothesis
import pytest
from typing_extensions import override
from xdist.scheduler import LoadScopeScheduling

from tests.support.browser import browser  # noqa: F401
from tests.support.harness import clover
from tests.support.postgres import database  # noqa: F401

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xdist.remote import Producer

    from tap_clover_export.simulator import Simulator

TOGETHER = {
    "runs/test_meltano.py": "meltano",
    "runs/test_fresh_project.py": "meltano",
    "runs/test_in_projects.py": "meltano",
    "runs/test_meltano_traps.py": "meltano",
    "runs/test_signals.py": "signals",
    "runs/test_kills.py": "kills",
    "singer/test_sdk.py": "sdk",
    "simulator/test_data.py": "data",
    "project/test_package.py": "package",
    "demo/test_page_browser.py": "browser",
    "preview/test_page_browser.py": "browser",
    "login/test_login_browser.py": "browser",
    "tokens/test_database.py": "tokens",
    "runs/test_token_kills.py": "tokens",
}
"""Files whose fixtures are costly, or stand in one place: one worker runs each group."""

EARLY = {"test_machine.py", "test_memory.py", "test_models.py", "test_worlds.py"}
"""Files of long tests: at the end the other workers would wait for one of them."""


class Sharing(LoadScopeScheduling):
    """Hands tests out one by one, but for those that stay together."""

    @override
    def _split_scope(self, nodeid: str) -> str:
        return TOGETHER.get(nodeid.partition("::")[0].removeprefix("tests/"), nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Sharing:
    """Replace the plugin's own schedulers."""
    return Sharing(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long tests first; the scheduler hands out groups before them, the largest first."""
    items.sort(key=lambda item: item.path.name not in EARLY)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--long` and `--chance`."""
    parser.addoption("--long", action="store_true", help="run storms and kills in full length")
    parser.addoption("--chance", help="a word; draw other examples and pauses than usual")


def pytest_configure(config: pytest.Config) -> None:
    """Draw the same examples in every run, unless told otherwise."""
    usual = config.getoption("--chance") is None
    hypothesis.settings.register_profile(
        "tap",
        deadline=None,
        derandomize=usual,
        database=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
    hypothesis.settings.load_profile("tap")


@pytest.fixture(autouse=True)
def chance(request: pytest.FixtureRequest) -> None:
    """Draw the same pauses in every run, unless told otherwise."""
    random.seed(f"{request.config.getoption('--chance')} {request.node.nodeid}")


@pytest.fixture
def long(request: pytest.FixtureRequest) -> bool:
    """Whether storms and kills run in full length."""
    return bool(request.config.getoption("--long"))


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A small local Clover of one merchant."""
    with clover() as simulator:
        yield simulator
