"""The README's lines for who has no Meltano: the shell, the tap, a loader and its state."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.harness import clover, config_for, write_config

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
(RECIPE,) = re.findall(r"^```bash\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
LOADER = f"""#!{sys.executable}
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message["type"] == "STATE":
        print(json.dumps(message["value"]))
"""
"""Prints every state, as some loaders do."""

DIES = "#!/bin/sh\nexit 1\n"
DAY = 86_400_000


def run(folder: Path, loader: str) -> int:
    """Run the recipe in a folder; answers its exit code."""
    file = folder / "target-jsonl"
    file.write_text(loader)
    file.chmod(0o700)
    paths = os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", RECIPE], cwd=folder, env=os.environ | {"PATH": paths}, check=False
    )
    return done.returncode


@pytest.mark.parametrize("between", [DIES, LOADER], ids=["dies", "works"])
def test_the_recipe_goes_on_where_it_stopped(tmp_path: Path, between: str) -> None:
    """Each run needs the look-back only, also after a loader that ended at once."""
    with clover(days=60, now=None) as simulator:
        write_config(tmp_path, config_for(simulator))
        assert run(tmp_path, LOADER) == 0
        assert len(simulator.exports) == 6
        assert (run(tmp_path, between) == 0) == (between == LOADER)
        asked = len(simulator.exports)
        run(tmp_path, LOADER)
        spans = {export.end - export.start for export in simulator.exports[asked:]}
        assert max(spans) < 8 * DAY
        assert len((tmp_path / "state.jsonl").read_text().splitlines()) > 2


def test_a_failure_of_the_tap_is_the_recipe_s(tmp_path: Path) -> None:
    """Also where the loader itself ends well."""
    write_config(tmp_path, {})
    assert run(tmp_path, LOADER) == 1
