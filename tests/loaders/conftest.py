"""What the loaders' tests share."""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.loaders.environments import InstallError
from tests.loaders.loaders import LOADERS
from tests.loaders.services import Services
from tests.loaders.story import LoaderError, Story, play

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def stories(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Story]]]:
    """The stories of all loaders that are asked for, some at a time."""

    def tell(name: str, folder: Path) -> Story:
        return play(LOADERS[name](folder, services))

    specs = (getattr(item, "callspec", None) for item in request.session.items)
    asked = {spec.params.get("story") for spec in specs if spec}
    with Services() as services:
        pool = ThreadPoolExecutor(os.cpu_count())
        try:
            yield {
                name: pool.submit(tell, name, tmp_path_factory.mktemp(name))
                for name in LOADERS
                if name in asked
            }
        finally:
            pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="module", params=LOADERS)
def story(request: pytest.FixtureRequest, stories: dict[str, Future[Story]]) -> Story:
    """Two nights of one loader, in an environment of its own."""
    try:
        return stories[request.param].result()
    except (InstallError, LoaderError) as error:
        pytest.fail(str(error), pytrace=False)
