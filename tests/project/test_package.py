"""What is released: built as for a release, installed into an environment of its own, and used."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.parser import HeaderParser
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tap_clover_export.demo.processes import process, read
from tap_clover_export.demo.project import SOURCE

pytestmark = pytest.mark.timeout(300)

NOT_OURS = (
    "__pycache__",
    ".env",
    ".git",
    ".meltano",
    ".venv*",
    ".*_cache",
    ".hypothesis",
    "PKG-INFO",
)
ADDRESS = "https://git.example/someone/tap-clover-export"
CLEAN = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(
        ("PYTEST", "PYTHON", "VIRTUAL_ENV", "TAP_CLOVER_EXPORT_", "SETUPTOOLS_SCM")
    )
}
MERCHANT, TOKEN = "SHOPONE1", "token-one"


@dataclass(frozen=True)
class Installed:
    """The wheel, the sdist it was built from, and an environment with it."""

    sdist: Path
    wheel: Path
    folder: Path

    def run(self, program: str, *arguments: str) -> str:
        """Run a program of the environment, far from the checkout; answers its output."""
        return run(str(self.folder / "bin" / program), *arguments, cwd=self.folder)


def run(*command: str, cwd: Path, **variables: str) -> str:
    """Run a program; answers its output, and shows its errors where it fails."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=CLEAN | {"UV_SYSTEM_CERTS": "1", "UV_PYTHON_DOWNLOADS": "never"} | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr or done.stdout
    return done.stdout


def uv(*arguments: str, cwd: Path, **variables: str) -> str:
    """Run uv."""
    return run(str(Path(sys.executable).with_name("uv")), *arguments, cwd=cwd, **variables)


def checkout(folder: Path, tag: str | None) -> Path:
    """A repository with this project's files, one commit and a tag."""
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns(*NOT_OURS))
    git = ("git", "-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=no")
    run(*git, "init", "--quiet", cwd=folder)
    run(*git, "add", ".", cwd=folder)
    run(*git, "commit", "--quiet", "--message", "feat: all", cwd=folder)
    if tag:
        run(*git, "tag", tag, cwd=folder)
    return folder


def build(source: Path, out: Path, **variables: str) -> tuple[Path, Path]:
    """Build the sdist and, out of it and without the variables, the wheel."""
    lock = ("--require-hashes", "--build-constraints", str(SOURCE / "requirements.txt"))
    options = ("--quiet", "--python", sys.executable, "--out-dir", str(out), *lock)
    uv("build", "--sdist", *options, cwd=source, **variables)
    (sdist,) = out.glob("*.tar.gz")
    uv("build", "--wheel", *options, str(sdist), cwd=out)
    (wheel,) = out.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build at a tag; install the lock's versions, every hash checked, and the wheel."""
    folder = tmp_path_factory.mktemp("package")
    sdist, wheel = build(
        checkout(folder / "source", "v7.8.9"), folder / "dist", REPOSITORY_URL=f"{ADDRESS}/"
    )
    environment = folder / "environment"
    uv("venv", "--quiet", "--python", sys.executable, str(environment), cwd=folder)
    into = ("pip", "install", "--quiet", "--python", str(environment / "bin" / "python"))
    lock = ("--require-hashes", "--constraints", str(SOURCE / "requirements.txt"))
    uv(*into, *lock, "-r", str(SOURCE / "pyproject.toml"), "--extra", "simulator", cwd=folder)
    uv(*into, "--no-deps", str(wheel), cwd=folder)
    return Installed(sdist, wheel, environment)


def test_what_differs_from_its_hash_is_refused(tmp_path: Path) -> None:
    """The lock's hashes hold where it only constrains, as `make` and CI install from it."""
    text = (SOURCE / "requirements.txt").read_text(encoding="utf-8")
    entry = re.search(r"^filelock==(?:.*\\\n)+.*$", text, re.MULTILINE)
    assert entry
    changed = re.sub(r"sha256:\w{8}", "sha256:00000000", entry[0])
    (tmp_path / "changed.lock").write_text(text.replace(entry[0], changed), encoding="utf-8")
    uv("venv", "--quiet", "--python", sys.executable, "environment", cwd=tmp_path)
    into = ("pip", "install", "--quiet", "--python", "environment/bin/python")
    uv(*into, "--constraints", str(SOURCE / "requirements.txt"), "filelock", cwd=tmp_path)
    again = (*into, "--reinstall", "--constraints", "changed.lock", "filelock")
    with pytest.raises(AssertionError, match="Hash mismatch"):
        uv(*again, cwd=tmp_path)


def test_the_lock_holds_what_is_asked_for_and_no_address() -> None:
    """All that pyproject.toml names, for whatever use, stands there in a version that fits."""
    text = (SOURCE / "requirements.txt").read_text(encoding="utf-8")
    locked: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE):
        locked.setdefault(canonicalize_name(name), set()).add(version)
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text(encoding="utf-8"))
    optional = project["project"]["optional-dependencies"].values()
    groups = project["dependency-groups"].values()
    lists = [project["build-system"]["requires"], project["project"]["dependencies"]]
    lines = [line for some in (*lists, *optional, *groups) for line in some]
    wanted = [Requirement(line) for line in lines if isinstance(line, str)]
    missing = [
        str(one)
        for one in wanted
        if not any(one.specifier.contains(v) for v in locked.get(canonicalize_name(one.name), ()))
    ]
    assert len(wanted) > 30
    assert not missing, "run make lock"
    assert "://" not in text


def test_the_wheel_holds_the_tap_and_the_local_clover(installed: Installed) -> None:
    """Every module, schema and type marker is inside; the demo and the tests are not."""
    with zipfile.ZipFile(installed.wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = SOURCE / "tap_clover_export"
    files = {
        file.relative_to(SOURCE).as_posix()
        for file in package.rglob("*")
        if file.is_file() and not {"__pycache__", "demo"} & set(file.parts)
    }
    assert names == files
    assert {"tap_clover_export/py.typed", "tap_clover_export/schemas/orders.json"} <= names


def test_the_sdist_is_the_repository_and_passes_its_tests(
    installed: Installed, tmp_path: Path
) -> None:
    """It leaves nothing out, and the tests that hold settings and documents in step pass in it."""
    with tarfile.open(installed.sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    files = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    source = installed.folder.with_name("source")
    assert files == {*run("git", "ls-files", cwd=source).splitlines(), "PKG-INFO"}
    tests = ("tests/project/test_settings_in_step.py",)
    done = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, cwd=folder)
    assert re.search(r"^\d+ passed", done.splitlines()[-1])


def test_an_index_page_leads_into_the_repository(installed: Installed) -> None:
    """Addresses are given, and what the README links and shows is found at the tag."""
    with zipfile.ZipFile(installed.wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        page = HeaderParser().parsestr(archive.read(name).decode())
    assert f"Repository, {ADDRESS}" in page.get_all("Project-URL", [])
    assert f"Changelog, {ADDRESS}/blob/v7.8.9/CHANGELOG.md" in page.get_all("Project-URL", [])
    text, readme = page.get_payload(), (SOURCE / "README.md").read_text(encoding="utf-8")
    assert isinstance(text, str)
    assert f"({ADDRESS}/raw/v7.8.9/docs/plan.png)" in text
    assert f"({ADDRESS}/blob/v7.8.9/docs/how-it-works.md#what-stands-where)" in text
    assert re.findall(r"\]\((?!https://|#)[^)\s]+\)", text) == []
    added = re.compile(rf"{re.escape(ADDRESS)}/(?:blob|raw)/v7\.8\.9/")
    assert added.sub("", text).strip() == readme.strip()


def test_the_command_knows_the_version_of_the_tag(installed: Installed) -> None:
    """`--version` and `--about` say what was tagged."""
    assert "7.8.9" in installed.wheel.name
    assert "tap-clover-export v7.8.9," in installed.run("tap-clover-export", "--version")
    about = json.loads(installed.run("tap-clover-export", "--about", "--format=json"))
    assert about["version"] == "7.8.9"


def test_what_is_installed_here_knows_its_version() -> None:
    """The checkout that runs these tests has a version, too, and one command."""
    (command,) = entry_points(group="console_scripts", name="tap-clover-export")
    assert command.dist
    done = run(sys.executable, "-m", "tap_clover_export", "--version", cwd=SOURCE)
    assert f"v{command.dist.version}," in done


def test_it_syncs_from_the_local_clover(installed: Installed) -> None:
    """Installed from the wheel, the tap exports all that the installed local Clover has."""
    clover = [
        str(installed.folder / "bin" / "python"),
        *("-m", "tap_clover_export.simulator", "--port=0", "--days=3", "--orders-per-day=5"),
        f"--merchant={MERCHANT}:{TOKEN}",
    ]
    with process(clover, cwd=installed.folder, env=CLEAN, stdout=subprocess.PIPE) as running:
        settings = {
            "merchant_id": MERCHANT,
            "access_token": TOKEN,
            "api_url": read(running.stdout),
            "start_date": (datetime.now(UTC) - timedelta(days=40)).isoformat(),
            "poll_interval_seconds": 0.1,
            "max_concurrent_exports": 3,
        }
        file = installed.folder / "config.json"
        file.write_text(json.dumps(settings), encoding="utf-8")
        output = installed.run("tap-clover-export", "--config", str(file))
    messages = [json.loads(line) for line in output.splitlines()]
    streams = {message["stream"] for message in messages if message["type"] == "RECORD"}
    assert streams == {"orders", "payments", "exports"}
    assert messages[-1]["type"] == "STATE"


@pytest.mark.parametrize(
    ("tag", "version"), [(None, "0.0.1.dev1+g"), ("v2.0.0rc1", "2.0.0rc1")], ids=["none", "rc"]
)
def test_the_version_without_a_release(tmp_path: Path, tag: str | None, version: str) -> None:
    """A checkout without a tag, as CI has it, builds under a version that comes before any."""
    _, wheel = build(checkout(tmp_path / "source", tag), tmp_path / "dist")
    assert wheel.name.startswith(f"tap_clover_export-{version}")


def test_the_version_without_git(tmp_path: Path) -> None:
    """An archive of the files alone builds, too."""
    source = checkout(tmp_path / "source", None)
    shutil.rmtree(source / ".git")
    _, wheel = build(source, tmp_path / "dist")
    assert wheel.name.startswith("tap_clover_export-0.0.0-")
    with zipfile.ZipFile(wheel) as archive:
        page = archive.read("tap_clover_export-0.0.0.dist-info/METADATA").decode()
    assert "\nProject-URL:" not in page
    assert "(docs/README.md)" in page
