#!/usr/bin/env python
"""What a GPU machine without a registry lacks to run the GPU checks, as one file that is unpacked onto PYTHONPATH.

    there$ python3 -m pip list --format=freeze > there.txt
    here$  .venv/bin/python tests/gpu/pack.py there.txt pack.tar.xz
    there$ mkdir site && tar -xJf pack.tar.xz -C site && PYTHONPATH=site:platform python3 tests/gpu/run.py

`there.txt` names what that machine has, a package a line. The rest comes at the versions that are installed here, as
wheels for that machine's Python, without what no check uses: pages, jars, reinforcement learning.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[2]
LARGEST_MIB = 60
# Beside what Paribus itself depends on; the dashboard and drawings are not of a GPU machine.
FOR_TESTS = ("pytest", "pytest-timeout", "pytorchcv", "timm", "scikit-image", "jsonschema")
NOT_THERE = {"streamlit", "pygraphviz"}
LEFT_OUT = (
    "ray/jars",
    "ray/rllib",
    "ray/serve",
    "ray/dashboard/client",
    "ray/thirdparty_files",
    "mlflow/server/js",
    "plotly/package_data",
    "plotly/labextension",
    "bin",
)


def wanted(there: Iterable[str]) -> dict[str, str]:
    """Name to version of what the checks need and `there` does not name, from what is installed here."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    has = {canonicalize_name(re.split(r"[=<>@ ]", line.strip())[0]) for line in there if line.strip()}
    # Nothing that torch brings along travels: a machine with a GPU has its own.
    found: dict[str, str] = {}
    todo = [*map(Requirement, project["dependencies"]), *map(Requirement, FOR_TESTS)]
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        if name in has or name in found or name in NOT_THERE or name in ("torch", "torchvision"):
            continue
        try:
            one = distribution(name)
        except PackageNotFoundError:  # of another platform
            continue
        found[name] = one.version
        for each in map(Requirement, one.requires or ()):
            extras = requirement.extras or {""}
            if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in extras):
                todo.append(each)
    return found


def install(packages: dict[str, str], python: str, folder: Path) -> None:
    """Wheels of `packages` for `python` (such as 3.12) on Linux, unpacked into `folder`."""
    names = [f"{name}=={version}" for name, version in sorted(packages.items())]
    uv = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--no-deps", "--link-mode", "copy"]
    place = ["--target", str(folder), "--python-version", python, "--python-platform", "x86_64-manylinux_2_28"]
    subprocess.run([*uv, *place, "--only-binary", ":all:", *names], check=True)


def prune(folder: Path) -> None:
    """Without what no check uses, and without symbols of debuggers."""
    for name in LEFT_OUT:
        shutil.rmtree(folder / name, ignore_errors=True)
    for each in [*folder.rglob("__pycache__"), *folder.rglob("tests")]:
        shutil.rmtree(each, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("there", type=Path, help="names of the packages that the GPU machine has, one a line")
    parser.add_argument("file", type=Path, help="the archive to write, .tar.xz")
    parser.add_argument("--python", default="3.12", help="that machine's Python (3.12)")
    words = parser.parse_args()
    packages = wanted(words.there.read_text().splitlines())
    with tempfile.TemporaryDirectory() as told:
        folder = Path(told) / "site"
        install(packages, words.python, folder)
        prune(folder)
        with tarfile.open(words.file, "w:xz") as archive:  # modes too: Ray's servers are programs
            for each in sorted(folder.iterdir()):
                archive.add(each, each.name)
    size = words.file.stat().st_size / 2**20
    print(f"{len(packages)} packages, {size:.1f} MiB: {words.file}")
    if size > LARGEST_MIB:
        print(f"That is more than {LARGEST_MIB} MiB: name more in LEFT_OUT or fewer in FOR_TESTS.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
