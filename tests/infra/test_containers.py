"""The image by hadolint, and what of compose a machine without an engine can check."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "infra/compose/compose.yaml"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return found


def test_the_image_is_clean_by_hadolint_and_runs_as_nobody_special() -> None:
    file = ROOT / "infra/image/Dockerfile"
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, "--no-color", file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    stages = re.split(r"^FROM ", file.read_text(), flags=re.MULTILINE)[1:]
    built = {stage.split()[2]: stage for stage in stages}
    assert {"cpu", "cuda"} <= set(built)
    for name in ("cpu", "cuda"):
        assert "USER 1000" in built[name]
    sources = re.findall(r"--from=(\S+)|from=([a-z-]+)|^FROM (\S+) AS", file.read_text(), flags=re.MULTILINE)
    named = {name for found in sources for name in found if name}
    assert named <= {*built, "${PYTHON_IMAGE}"}
    for path in re.findall(r"^COPY (?!--from)(?:--\S+ )?(.+) \S+$", file.read_text(), flags=re.MULTILINE):
        assert all((ROOT / each).exists() for each in path.split()), path


def test_the_packages_of_the_image_are_the_locks_own() -> None:
    """The awk of the image takes the tools it needs, with their hashes, out of the lock as it is today."""
    program = re.search(r"RUN awk '([^']+)'", (ROOT / "infra/image/Dockerfile").read_text())
    assert program is not None
    lines = subprocess.run(
        ["awk", program[1], ROOT / "requirements.lock"], capture_output=True, text=True, check=True
    ).stdout
    assert re.findall(r"^([a-z]+)==", lines, flags=re.MULTILINE) == ["setuptools", "uv"]
    assert all("--hash=sha256:" in line or "==" in line for line in lines.splitlines())


def test_what_compose_names_is_there(compose: dict[str, Any]) -> None:
    services, volumes, secrets = compose["services"], compose["volumes"], compose["secrets"]
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services), name
        assert set(service.get("secrets", [])) <= set(secrets), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            found = (COMPOSE.parent / source).exists() if source.startswith(".") else source in volumes
            assert found, (name, volume)
        for wanted, how in service.get("depends_on", {}).items():
            assert how["condition"] != "service_healthy" or "healthcheck" in services[wanted], (name, wanted)
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), (name, port)  # nothing for the world, unless somebody says so
        once = service["restart"].startswith("on-failure") or name in ("worker", "storage")
        assert once or "healthcheck" in service, name
    for each in secrets.values():
        assert set(each) == {"environment"}


def test_every_variable_is_in_the_example_and_no_secret_has_a_value() -> None:
    example = dict(
        line.split("=", 1)
        for line in (COMPOSE.parent / ".env.example").read_text().splitlines()
        if "=" in line[:40] and not line.startswith("#")
    )
    text = COMPOSE.read_text()
    asked = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", text)) | set(re.findall(r"environment: ([A-Z_]+)\}", text))
    assert asked | {"COMPOSE_PROFILES"} == set(example)
    assert [
        name for name in ("RAY_TOKEN", "POSTGRES_PASSWORD", "STORAGE_SECRET", "GRAFANA_PASSWORD") if example[name]
    ] == []
    for name, default in re.findall(r"(?<!\$)\$\{([A-Z_]+):?-([^}]*)\}", text):
        assert example[name] == default, name


def test_scripts_within_compose_are_whole(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        command = service.get("command")
        if isinstance(command, list) and command[:2] == ["sh", "-c"]:
            script = command[2].replace("$$", "$")
            subprocess.run(["sh", "-n", "-c", script], check=True)
            assert "\n" not in script.strip(), name
            for program in re.findall(r"python -c\s+'([^']+)'", script):
                compile(program.replace(" import", "import", 1) if program.startswith(" ") else program, name, "exec")
