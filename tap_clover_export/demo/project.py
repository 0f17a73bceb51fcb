"""A Meltano project made from this repository's meltano.yml."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .processes import process

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SOURCE = Path(__file__).parents[2]
TAP, LOADER, MODELS = "tap-clover-export", "target-postgres", "dbt-postgres"
FOREIGN = ("TAP_CLOVER_EXPORT_", "TARGET_", "DBT_", "MELTANO_", "PYTHON")
TAIL = 10
CONSTRAINTS = "constraints.txt"
"""Beside meltano.yml, where uv is started: it takes several paths, parted by spaces."""


class MeltanoError(Exception):
    """Meltano failed; its last errors are the message."""


class Project:
    """A Meltano project that keeps what it installs, and its state where it is told to.

    Args:
        data: Where its state goes.
        settings: Environment variables for every command.
        folder: Where it lies; beside this Python's packages when left out.

    Attributes:
        environment: What every command of it needs.
    """

    def __init__(self, data: Path, settings: Mapping[str, str], folder: Path | None = None) -> None:
        self.folder = folder or Path(sys.prefix, "meltano")
        own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        local = ",".join(filter(None, [own.get("NO_PROXY"), "127.0.0.1"]))
        self.environment = {
            **own,
            "NO_PROXY": local,
            "no_proxy": local,
            "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
            "NO_COLOR": "1",
            "MELTANO_DATABASE_URI": f"sqlite:///{data / 'meltano.db'}",
            "MELTANO_PROJECT_ROOT": str(self.folder),
            "PYTHONUTF8": "1",
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_SYSTEM_CERTS": "1",
            **settings,
        }

    def install(self, *plugins: str, requirements: str = "requirements.txt") -> None:
        """Install plugins, unless the same were installed before.

        Args:
            plugins: Their names.
            requirements: Where the versions stand that they get.
        """
        made = hashlib.sha256(repr((plugins, SOURCE, sys.version)).encode())
        for name in ("meltano.yml", "pyproject.toml", requirements):
            made.update((SOURCE / name).read_bytes())
        stamp = self.folder / f"installed-{plugins[-1]}"
        if stamp.exists() and stamp.read_text() == made.hexdigest():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        text = (SOURCE / "meltano.yml").read_text(encoding="utf-8")
        source = json.dumps(f"-e {shlex.quote(str(SOURCE))}")
        (self.folder / "meltano.yml").write_text(
            text.replace("pip_url: -e .", f"pip_url: {source}"), encoding="utf-8"
        )
        self.lock(requirements)
        self.meltano("install", *plugins, UV_CONSTRAINT=CONSTRAINTS)
        stamp.write_text(made.hexdigest())

    def run(self, *arguments: str, **settings: str) -> None:
        """Run the tap into PostgreSQL."""
        self.meltano("run", *arguments, TAP, LOADER, **settings)

    def state(self) -> dict[str, Any]:
        """Tell the tap's state."""
        state: dict[str, Any] = json.loads(self.meltano("state", "get", f"dev:{TAP}-to-{LOADER}"))
        return state

    def meltano(self, *arguments: str, **settings: str) -> str:
        """Run a command of Meltano's and tell its answer, without its log.

        Args:
            arguments: The command.
            settings: Environment variables for this time.

        Raises:
            MeltanoError: It failed.
        """
        code, output, errors = self._done(arguments, {**self.environment, **settings})
        if code:
            log = self.folder / "failed.log"
            log.write_text(output + errors, encoding="utf-8")
            lines = errors.splitlines()
            reasons = [line for line in lines if "[error" in line] or lines
            raise MeltanoError(
                "\n".join([f"meltano {shlex.join(arguments)} failed:", *reasons[-TAIL:]])
                + f"\nAll that was said is in {log}."
            )
        return output

    def _done(
        self, arguments: Sequence[str], environment: Mapping[str, str]
    ) -> tuple[int, str, str]:
        """Run the command; answers its code, its output and its log."""
        with process(
            [str(Path(sys.executable).with_name("meltano")), *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as running:
            output, errors = running.communicate()
        return running.returncode, output, errors

    def install_models(self, shops: Iterable[Mapping[str, str]]) -> None:
        """Install dbt, and the models with these shops in their seed."""
        folder = self.folder / "transform"
        shutil.copytree(
            SOURCE / "transform",
            folder,
            ignore=shutil.ignore_patterns("target", "logs"),
            dirs_exist_ok=True,
        )
        names = ("merchant_id", "name", "time_zone", "day_starts_at")
        rows = [names, *([shop[name] for name in names] for shop in shops)]
        seed = "".join(",".join(row) + "\n" for row in rows)
        (folder / "seeds" / "clover_merchants.csv").write_text(seed, encoding="utf-8")
        self.install(MODELS, requirements="transform/requirements.txt")

    def build_models(self) -> None:
        """Build the models."""
        self.meltano("run", f"{MODELS}:build")

    def lock(self, requirements: str = "requirements.txt") -> None:
        """Take every version of a file, so that plugins get the same."""
        lines = (SOURCE / requirements).read_text(encoding="utf-8").splitlines()
        versions = [line.rstrip(" \\") for line in lines if "==" in line]
        (self.folder / CONSTRAINTS).write_text("\n".join(versions) + "\n", encoding="utf-8")
