"""What the loaders' tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.loaders.environments import InstallError
from tests.loaders.loaders import LOADERS
from tests.loaders.services import Services
from tests.loaders.story import LoaderError, Story, play

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    """What loaders load into."""
    with Services() as running:
        yield running


@pytest.fixture(scope="session")
def stories() -> dict[str, Story | str]:
    """The stories told so far, or why one can't be: each is told once, in whatever order."""
    return {}


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in LOADERS]
)
def story(
    request: pytest.FixtureRequest,
    services: Services,
    stories: dict[str, Story | str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Story:
    """Two nights of one loader, in an environment of its own."""
    name = request.param
    if name not in stories:
        try:
            stories[name] = play(LOADERS[name](tmp_path_factory.mktemp(name), services))
        except (InstallError, LoaderError) as error:
            stories[name] = str(error)
    told = stories[name]
    if isinstance(told, str):
        pytest.fail(told, pytrace=False)
    return told
