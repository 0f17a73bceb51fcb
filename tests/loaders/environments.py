"""An environment a loader, at the versions of `requirements/`; uv makes them when first asked for.

`python -m tests.loaders.environments` brings `requirements/*.txt` in step with `*.in`.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from filelock import FileLock

REQUIREMENTS = Path(__file__).parent / "requirements"
ENVIRONMENTS = Path(__file__).parents[2] / ".venv-loaders"
SETTINGS = {"UV_SYSTEM_CERTS": "1", "UV_NO_PROGRESS": "1"}
PATIENCE = 300
PYTHON = "3.11"
"""The newest that the oldest loader installs on; uv takes the machine's, or fetches one."""


class InstallError(Exception):
    """An environment that could not be made; its text says why and what to do."""


def program(name: str, command: str) -> str:
    """The path of a command of an environment, which is installed first if need be.

    Args:
        name: The environment: a file of `requirements/` without its `.txt`.
        command: The command.

    Raises:
        InstallError: It can't be installed.
    """
    wanted = REQUIREMENTS / f"{name}.txt"
    made = hashlib.sha256(wanted.read_bytes() + PYTHON.encode()).hexdigest()
    folder = ENVIRONMENTS / name
    stamp = folder / "installed"
    ENVIRONMENTS.mkdir(exist_ok=True)
    with FileLock(ENVIRONMENTS / f"{name}.lock"):
        if not stamp.exists() or stamp.read_text() != made:
            _uv(name, "venv", "--clear", f"--python={PYTHON}", str(folder))
            python = f"--python={folder / 'bin' / 'python'}"
            _uv(name, "pip", "install", "--no-deps", python, f"--requirements={wanted}")
            stamp.write_text(made)
    return str(folder / "bin" / command)


def pin(name: str) -> str:
    """What an environment is for, `package==version`."""
    return (REQUIREMENTS / f"{name}.in").read_text().splitlines()[0]


def _uv(name: str, *arguments: str) -> None:
    uv = Path(sys.executable).with_name("uv")
    try:
        done = subprocess.run(
            [uv, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
            env={k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"} | SETTINGS,
        )
    except subprocess.TimeoutExpired:
        raise InstallError(
            f"{pin(name)} was not installed in {PATIENCE} s: is there network, and does it reach "
            "the Python package index?"
        ) from None
    if done.returncode:
        said = " ".join(done.stderr.split())[-600:]
        raise InstallError(
            f"{pin(name)} could not be installed: is there network, and does it reach the Python "
            f"package index? uv said: {said}"
        )


def lock() -> None:
    """Resolve every `.in` to a `.txt`, for all Pythons and systems."""
    for wanted in sorted(REQUIREMENTS.glob("*.in")):
        arguments = ["--universal", f"--python-version={PYTHON}", "--no-header", "--no-annotate"]
        arguments += ["--quiet", f"--output-file={wanted.with_suffix('.txt')}", str(wanted)]
        _uv(wanted.stem, "pip", "compile", *arguments)


if __name__ == "__main__":
    lock()
