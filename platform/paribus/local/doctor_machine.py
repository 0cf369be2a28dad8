"""The doctor on the machine: Python, packages, disk, memory, GPU, programs, the checkout."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from packaging.markers import Marker

from paribus.local.doctor_check import Check, ok, problem, warning

_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;]+)(?: ; (?P<marker>[^\\]+?))? \\$", re.MULTILINE)
MINIMUM = (3, 11)
_GIB = 1024**3
_MIB = 1024**2


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Check:
    text = f"Python {'.'.join(map(str, version))} at {sys.prefix}"
    if version < MINIMUM:
        return problem("python", text, "Paribus needs 3.11 or newer: make env PYTHON=python3.11")
    return ok("python", text)


def packages(lock: Path) -> Check:
    """The installed versions against the pins of `lock` that apply to this machine."""
    if not lock.is_file():
        return warning("packages", f"{lock} is missing", "work in a whole checkout of Paribus")
    missing, other = [], []
    for name, version in pins(lock).items():
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
            continue
        if installed != version:
            other.append(f"{name} {installed} (locked: {version})")
    if missing:
        return problem("packages", f"not installed: {_some(missing)}", "make env")
    if other:
        return warning("packages", f"not as locked: {_some(other)}", "make env")
    return ok("packages", f"all {len(pins(lock))} as in {lock.name}")


def pins(lock: Path) -> dict[str, str]:
    """The locked version of every package whose marker holds here."""
    found = _PIN.finditer(lock.read_text())
    return {pin["name"]: pin["version"] for pin in found if not pin["marker"] or Marker(pin["marker"]).evaluate()}


def disk(home: Path) -> Check:
    """Room for data, checkpoints and the ledger, on the file system of `home`."""
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(place).free / _GIB
    text = f"{free:.1f} GiB free at {home}"
    if free < 1:
        return problem("disk", text, "free some, or set PARIBUS_HOME to a larger disk")
    if free < 5:
        return warning("disk", text, "enough for digits; for larger data set PARIBUS_HOME to a larger disk")
    return ok("disk", text)


def shared_memory(folder: Path = Path("/dev/shm")) -> Check:
    """Ray keeps its objects there."""
    if not folder.is_dir():
        return ok("shared memory", f"no {folder} on this system: Ray uses files instead")
    free = shutil.disk_usage(folder).free / _MIB
    if free < 512:
        remedy = "Ray works from /tmp instead, slowly; in a container: --shm-size=2g"
        return warning("shared memory", f"{free:.0f} MiB free at {folder}", remedy)
    return ok("shared memory", f"{free:.0f} MiB free at {folder}")


def gpu() -> Check:
    if not shutil.which("nvidia-smi"):
        if Path("/proc/driver/nvidia").exists():
            return warning("gpu", "an NVIDIA driver, but no nvidia-smi", "install the driver's tools")
        return ok("gpu", "none: CPU only, which is fine for digits")
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=2.5, check=True)
    except (subprocess.SubprocessError, OSError) as error:
        return problem("gpu", f"nvidia-smi fails: {error}", "mend the driver, or hide it to train on the CPU")
    return ok("gpu", "; ".join(answer.stdout.strip().splitlines()) or "none listed by nvidia-smi")


def git() -> Check:
    if shutil.which("git"):
        return ok("git", "found")
    return warning("git", "not found: runs will not record their commit and changes", "install git")


def browser() -> Check:
    if found := shutil.which("chromium"):
        return ok("browser", found)
    return warning("browser", "no Chromium: tests in a browser are skipped", "make browser (as root)")


def studies(folder: Path) -> Check:
    """`ray job submit studies/x.py` runs the file itself: it has to be executable and name its interpreter."""
    wrong = [path.name for path in sorted((folder / "studies").glob("*.py")) if not _runs_by_itself(path)]
    if wrong:
        remedy = "chmod +x studies/*.py, and `#!/usr/bin/env python` as the first line"
        return problem("studies", f"cannot be submitted: {_some(wrong)}", remedy)
    return ok("studies", f"{len(list((folder / 'studies').glob('*.py')))} files, each can be submitted")


def proxy(env: Mapping[str, str]) -> Check:
    """The Jobs API and MLflow are asked over HTTP on loopback, which no proxy can reach."""
    asked = next((name for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY") if env.get(name)), None)
    spared = ",".join([env.get("no_proxy", ""), env.get("NO_PROXY", "")])
    if asked and "127.0.0.1" not in spared and "*" not in spared.split(","):
        return warning("proxy", f"{asked} also catches 127.0.0.1", "export no_proxy=127.0.0.1,localhost")
    return ok("proxy", "none" if not asked else "spares 127.0.0.1")


def _runs_by_itself(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"#!" and os.access(path, os.X_OK)


def _some(names: list[str], limit: int = 4) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
