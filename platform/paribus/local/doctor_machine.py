"""The doctor on the machine: Python, packages, disk, memory, GPU, programs, the checkout."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Set
from contextlib import suppress
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement

from paribus.host.plain_files import open_plain
from paribus.local.doctor_check import Check, ok, problem, warning
from paribus.study.study_file import builds_one

_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;]+)(?: ; (?P<marker>[^\\]+?))? \\$", re.MULTILINE)
MINIMUM = (3, 11)
_GIB = 1024**3
_MIB = 1024**2


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Check:
    text = f"Python {'.'.join(map(str, version))} at {sys.prefix}"
    if version < MINIMUM:
        return problem("python", text, "Paribus needs 3.11 or newer: make env PYTHON=python3.11")
    return ok("python", text)


def packages(lock: Path, needed: Set[str] | None = None) -> Check:
    """The installed versions against the pins of `lock` that apply to this machine.

    From a wheel, `needed` are the packages that have to be there, without the tools of a checkout, and no `make`
    mends what is wrong.
    """
    if not lock.is_file():
        return warning("packages", f"{lock} is missing", "install Paribus again, or work in a whole checkout of it")
    missing, other = [], []
    for name, version in pins(lock).items():
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            if needed is None or name in needed:
                missing.append(name)
            continue
        if installed != version:
            other.append(f"{name} {installed} (locked: {version})")
    if missing:
        remedy = "make env" if needed is None else "install Paribus again, with what it depends on"
        return problem("packages", f"not installed: {_some(missing)}", remedy)
    if other:
        remedy = "make env" if needed is None else f"the versions that Paribus is tested with are in {lock}"
        return warning("packages", f"not as locked: {_some(other)}", remedy)
    return ok("packages", f"all {len(pins(lock) if needed is None else needed)} as in {lock.name}")


def required() -> set[str]:
    """The packages that the installed Paribus depends on itself, without extras."""
    asked = [Requirement(text) for text in importlib.metadata.requires("paribus") or ()]
    return {each.name for each in asked if each.marker is None or each.marker.evaluate({"extra": ""})}


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
    if (folder / "studies").is_dir():
        found = sorted((folder / "studies").glob("*.py"))
    else:
        found = [path for path in sorted(folder.glob("*.py")) if builds_one(path)]
    wrong = [path.name for path in found if not _runs_by_itself(path)]
    if wrong:
        remedy = f"chmod +x {found[0].parent}/*.py, and `#!/usr/bin/env python` as the first line"
        return problem("studies", f"cannot be submitted: {_some(wrong)}", remedy)
    return ok("studies", f"{len(found)} files in {found[0].parent if found else folder}, each can be submitted")


def proxy(env: Mapping[str, str]) -> Check:
    """The Jobs API and MLflow are asked over HTTP on loopback, which no proxy can reach."""
    asked = next((name for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY") if env.get(name)), None)
    spared = ",".join([env.get("no_proxy", ""), env.get("NO_PROXY", "")])
    if asked and "127.0.0.1" not in spared and "*" not in spared.split(","):
        return warning("proxy", f"{asked} also catches 127.0.0.1", "export no_proxy=127.0.0.1,localhost")
    return ok("proxy", "none" if not asked else "spares 127.0.0.1")


def _runs_by_itself(path: Path) -> bool:
    with suppress(OSError), open_plain(path) as file:
        return file.read(2) == b"#!" and os.access(path, os.X_OK)
    return False


def _some(names: list[str], limit: int = 4) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
