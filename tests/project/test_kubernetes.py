"""The manifests fit the container and the tap; `make lint` holds them against their schemas."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tap_clover_export.tap import OWN_SETTINGS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "orchestrate" / "kubernetes"
CONTAINER = (ROOT / ".container" / "Containerfile").read_text(encoding="utf-8")


def pod(name: str) -> dict[str, Any]:
    """What a manifest says of its pod."""
    spec: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))["spec"]
    return spec["jobTemplate"]["spec"]["template"]["spec"] if "jobTemplate" in spec else spec


def test_the_run_fits_the_container() -> None:
    """It is the container's user, and what it may not write on the image lies on volumes."""
    spec = pod("run.yml")
    (container,) = spec["containers"]
    user = f"{spec['securityContext']['runAsUser']}:{spec['securityContext']['runAsGroup']}"
    assert set(re.findall(r"^USER (.*)$", CONTAINER, re.MULTILINE)) == {user}
    paths = {mount["mountPath"] for mount in container["volumeMounts"]}
    written = re.search(r"chmod 775 (.*)$", CONTAINER, re.MULTILINE)
    assert written
    assert paths == {"/secrets", "/tmp", *written[1].split()}
    assert container["securityContext"]["readOnlyRootFilesystem"]


def test_a_run_that_is_stopped_has_the_time_to_save_its_state() -> None:
    """`preStop` is a shell's, and waits less than Kubernetes does."""
    spec = pod("run.yml")
    shell, *option, script = spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    subprocess.run([shell, "-n", *option, script], check=True)
    waits = re.search(r"^sleep (\d+)$", script, re.MULTILINE)
    assert waits
    assert int(waits[1]) + 30 <= spec["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("name", sorted(file.name for file in FOLDER.iterdir()))
def test_variables_are_settings(name: str) -> None:
    """Each variable of the tap's is one that it reads, and its value text."""
    named = set(re.findall(r"TAP_CLOVER_EXPORT_(\w+)", (FOLDER / name).read_text(encoding="utf-8")))
    assert "TOKEN_STORE" in named
    assert named <= {setting.upper() for setting in OWN_SETTINGS}
    values = [variable["value"] for variable in pod(name)["containers"][0]["env"]]
    assert all(isinstance(value, str) for value in values)
    assert pod(name)["terminationGracePeriodSeconds"] > 120
