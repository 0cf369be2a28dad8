"""Outside the checkout: a fresh environment, the wheel that `make dist` builds, an empty folder, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import entry_points
from pathlib import Path

import httpx
import pytest
from sandbox import PORTS, free_ports

ROOT = Path(__file__).parents[2]
PAGE = """
from streamlit.testing.v1 import AppTest
import paribus_dashboards.navigation as page
app = AppTest.from_file(page.__file__, default_timeout=60).run()
assert not app.exception, app.exception
print(*[each.value for each in (*app.title, *app.markdown)])
"""

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


@dataclass(frozen=True, kw_only=True)
class Outside:
    """A person's shell in a folder of their own: an environment with the wheel and what it depends on."""

    wheel: Path
    environment: Path
    folder: Path
    ports: dict[str, str]

    def run(self, *words: str, below: str = "") -> subprocess.CompletedProcess[str]:
        """A command in the folder, or in one below it."""
        strange = ("RAY_", "MLFLOW_", "PARIBUS_", "PYTHON", "VIRTUAL_ENV")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
        path = os.pathsep.join([str(self.environment / "bin"), os.environ["PATH"]])
        return subprocess.run(
            [str(self.environment / "bin" / words[0]), *words[1:]],
            cwd=self.folder / below,
            env={
                **kept,
                **self.ports,
                "PATH": path,
                "RAY_TMPDIR": str(self.folder.parent),
                "HOME": str(self.folder.parent),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def said(self, *words: str, below: str = "") -> str:
        """What a command that has to succeed prints."""
        done = self.run(*words, below=below)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def change(self, old: str, new: str) -> None:
        """Edit the study."""
        text = (self.folder / "mine.py").read_text()
        assert old in text
        (self.folder / "mine.py").write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    """The paths are short, for Ray's sockets lie below them."""
    place = Path(tempfile.mkdtemp(prefix="pw", dir="/tmp"))
    # This environment is made already, however old its stamp looks.
    old = [
        word for name in ("requirements.lock", "pyproject.toml", "platform/paribus_ray.pth") for word in ("-o", name)
    ]
    made = ["make", *old, "dist", f"DIST={place / 'dist'}"]
    subprocess.run(made, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = (place / "dist").glob("*.whl")
    ports = dict(zip((*PORTS, "PARIBUS_DASHBOARD_PORT"), map(str, free_ports(5)), strict=True))
    shell = Outside(wheel=wheel, environment=place / "env", folder=place / "mine", ports=ports)
    install(shell)
    shell.folder.mkdir()
    try:
        yield shell
    finally:
        shell.run("paribus", "down")
        shutil.rmtree(place, ignore_errors=True)


def install(shell: Outside) -> None:
    """The wheel by uv; what it depends on is seen where it is, since copying gigabytes would take minutes.

    A path in a `.pth` brings packages and none of that folder's own `.pth` files, hence not our checkout.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(shell.environment)], check=True)
    python = shell.environment / "bin" / "python"
    uv = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--offline", "--no-deps"]
    subprocess.run([*uv, "--python", str(python), str(shell.wheel)], check=True, capture_output=True)
    (site,) = (shell.environment / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (ray,) = entry_points(group="console_scripts", name="ray")
    script = shell.environment / "bin" / "ray"
    script.write_text(f"#!{python}\nimport sys\nfrom {ray.module} import {ray.attr}\nsys.exit({ray.attr}())\n")
    script.chmod(0o755)


@pytest.fixture(scope="module")
def begun(outside: Outside) -> Outside:
    """After `paribus init`."""
    assert list(outside.folder.iterdir()) == []
    told = outside.said("paribus", "init")
    assert "paribus run mine.py" in told
    return outside


@pytest.fixture(scope="module")
def up(begun: Outside) -> Outside:
    """After `paribus up`, from a folder below the project's, as git's commands work from there."""
    (begun.folder / "notes").mkdir()
    begun.said("paribus", "up", below="notes")
    return begun


@pytest.fixture(scope="module")
def ran(up: Outside) -> Outside:
    """After `paribus run mine.py`, once a person has made the study smaller."""
    up.change("replicates=5", "replicates=1")
    up.change('"budget.amount": 20.0', '"budget.amount": 2.0')
    told = up.said("paribus", "run", "mine.py")
    assert f"MLflow: http://127.0.0.1:{up.ports['PARIBUS_MLFLOW_PORT']}" in told
    assert "2 arms x 1 replicate" in told
    return up


def test_the_wheel_brings_the_dashboard_its_look_the_lock_and_infra_and_no_tests(outside: Outside) -> None:
    with zipfile.ZipFile(outside.wheel) as wheel:
        names = set(wheel.namelist())
    pages = {f"paribus_dashboards/{path.relative_to(ROOT / 'dashboards')}" for path in ROOT.glob("dashboards/**/*.py")}
    infra = {f"paribus_infra/{path.relative_to(ROOT / 'infra')}" for path in ROOT.glob("infra/**/*") if path.is_file()}
    ours = {str(path.relative_to(ROOT / "platform")) for path in ROOT.glob("platform/paribus/**/*.py")}
    assert names >= pages | infra | ours | {"paribus_dashboards/.streamlit/config.toml", "paribus/requirements.lock"}
    assert {name.partition("/")[0] for name in names if "dist-info" not in name} == {
        "paribus",
        "paribus_dashboards",
        "paribus_infra",
        "paribus_ray.pth",
    }


def test_nothing_of_the_checkout_can_be_imported(outside: Outside) -> None:
    code = "import json, sys, paribus, paribus_dashboards as pages\n"
    code += "print(json.dumps([paribus.__file__, pages.__file__, sys.path]))"
    ours, pages, path = json.loads(outside.said("python", "-c", code))
    assert Path(ours).is_relative_to(outside.environment)
    assert Path(pages).is_relative_to(outside.environment)
    assert str(ROOT / "platform") not in path


def test_init_writes_a_study_of_ten_lines_that_runs_itself_and_never_writes_over_one(begun: Outside) -> None:
    study = begun.folder / "mine.py"
    assert study.stat().st_mode & 0o777 == 0o755
    lines = study.read_text().splitlines()
    assert lines[0] == "#!/usr/bin/env python"
    assert len(lines) <= 10
    assert {path.name for path in begun.folder.iterdir()} >= {"mine.py", ".paribus"}
    study.write_text(study.read_text() + "\n")
    before = study.read_text()
    again = begun.run("paribus", "init")
    assert again.returncode == 2
    assert "mine.py is there already and stays as it is" in again.stderr
    assert study.read_text() == before


def test_init_makes_the_folder_that_it_is_given_and_leaves_a_checkout_alone(outside: Outside) -> None:
    assert "cd other" in outside.said("paribus", "init", "other")
    assert (outside.folder / "other" / "mine.py").is_file()
    shutil.rmtree(outside.folder / "other")
    refused = outside.run("paribus", "init", str(ROOT))
    assert refused.returncode == 2
    assert "is a checkout of Paribus" in refused.stderr
    assert not (ROOT / "mine.py").exists()


def test_up_keeps_everything_in_the_projects_folder(up: Outside) -> None:
    assert (up.folder / ".paribus" / "stack.json").is_file()
    assert httpx.get(f"http://127.0.0.1:{up.ports['PARIBUS_DASHBOARD_PORT']}/_stcore/health").text == "ok"


def test_the_study_is_submitted_literally_and_completes_what_was_run_here(ran: Outside) -> None:
    ran.change("replicates=1", "replicates=2")
    told = ran.said("ray", "job", "submit", "mine.py")
    assert "training 2 trials on the Ray cluster" in told, told
    trials = json.loads(ran.said("paribus", "status", "../mine.py", "--json", below="notes"))
    assert [trial["outcome"] in ("finished", "stuck") for trial in trials] == [True] * 4


def test_the_dashboard_shows_the_study(ran: Outside) -> None:
    assert "twice as wide" in ran.said("python", "-c", PAGE, below="notes")


def test_a_report_is_written_as_one_page(ran: Outside) -> None:
    ran.said("paribus", "report", "mine.py", "--html", "mine.html")
    assert "twice as wide" in (ran.folder / "mine.html").read_text()


def test_a_result_says_which_lock_it_was_made_with_and_no_others_repository(begun: Outside) -> None:
    code = "import json; from paribus.tracking.environment import environment; print(json.dumps(environment()))"
    found = json.loads(begun.said("python", "-c", code))
    assert found["lock"] == sha256((ROOT / "requirements.lock").read_bytes()).hexdigest()
    assert found["packages"]["paribus"]
    assert found["git"] is None


def test_the_doctor_finds_no_problem(up: Outside) -> None:
    checks = json.loads(up.said("paribus", "doctor", "--json"))
    assert [check for check in checks if check["level"] == "problem"] == []
    assert not any("make " in check["remedy"] for check in checks)
