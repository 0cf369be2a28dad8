"""Where a result came from: the lock's digest, versions, machine and git state, told without importing any of them."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from paribus.host import home
from paribus.host.secrets import without_secrets_in_code
from paribus.tracking.errors import LedgerError

_PACKAGES = ("torch", "torchvision", "ray", "mlflow", "webdataset", "numpy", "scipy", "optuna", "pyarrow", "paribus")
# Of cuDNN, a package for each CUDA.
_CUDNN = ("nvidia-cudnn-cu13", "nvidia-cudnn-cu12")
_DRIVER = Path("/sys/module/nvidia/version")
_LONGEST_DIFF = 500_000
_KEEP_DIFF = "PARIBUS_KEEP_DIFF"
_YES, _NO = ("yes", "true", "1", "on", ""), ("no", "false", "0", "off")


def environment(gpus: Sequence[str] = (), root: Path | None = None) -> dict[str, Any]:
    """A JSON-ready description of this process's surroundings; `gpus` are device names, which only torch could tell.

    `root` is the repository that `git` tells of. Cached per process.
    """
    return {**_machine(), "gpus": list(gpus), "lock": _lock_digest(), "git": _git(root or repository())}


def processor() -> str:
    """The name of this machine's processor."""
    return str(_machine()["cpu"])


def versions(on_gpu: bool = False) -> dict[str, str]:
    """What a trial is made with on this machine: the versions of Python and of the libraries, and where a GPU computes
    of its driver and of cuDNN, whose algorithms round each in their own way."""
    machine = _machine()
    return {"python": machine["python"], **machine["packages"], **(_gpu_software() if on_gpu else {})}


@cache
def repository() -> Path | None:
    """The checkout that we run from; from a wheel, whose version and lock say what it is, that of the study.

    None where a wheel's user keeps no repository around the working directory.
    """
    here = Path.cwd()
    return home.checkout() or next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), None)


@cache
def _machine() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "host": platform.node(),
        "cpu": _cpu_name(),
        "num_cpus": os.cpu_count(),
        "packages": {name: version for name in _PACKAGES if (version := version_of(name))},
    }


@cache
def _gpu_software() -> dict[str, str]:
    """As far as it can be told: a driver outside a container, cuDNN as a Python package."""
    driver = _DRIVER.read_text().strip() if _DRIVER.exists() else ""
    cudnn = next(filter(None, map(version_of, _CUDNN)), "")
    return {name: version for name, version in (("nvidia driver", driver), ("cudnn", cudnn)) if version}


@cache
def version_of(name: str) -> str | None:
    """The version of an installed package, without importing it; None where it is not installed.

    Cached per process, which runs on with what it has loaded; and reading it takes milliseconds, in every trial.
    """
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


@cache
def _lock_digest() -> str | None:
    return hashlib.sha256(home.lock().read_bytes()).hexdigest() if home.lock().exists() else None


@cache
def _git(root: Path | None) -> dict[str, Any] | None:
    commit = _ask_git(root, "rev-parse", "HEAD")
    if commit is None:
        return None
    diff = _ask_git(root, "diff", "HEAD", "--no-color", "--no-ext-diff") or ""
    kept = without_secrets_in_code(diff) if keeps_diff() else ""
    untracked = (_ask_git(root, "ls-files", "--others", "--exclude-standard") or "").split("\n")
    return {
        "commit": commit.strip(),
        "branch": (_ask_git(root, "branch", "--show-current") or "").strip(),
        "dirty": bool(diff) or any(untracked),
        "untracked": [name for name in untracked if name][:200],
        "diff": kept[:_LONGEST_DIFF],
        "diff_cut": len(kept) > _LONGEST_DIFF,
        "diff_kept": keeps_diff(),
    }


def keeps_diff() -> bool:
    """Whether the uncommitted changes are kept with a study; PARIBUS_KEEP_DIFF=no keeps them out of the ledger.

    Raises:
        LedgerError: the variable says neither yes nor no.
    """
    text = os.environ.get(_KEEP_DIFF, "yes").strip().lower()
    if text not in (*_YES, *_NO):
        raise LedgerError(f"{_KEEP_DIFF}={text!r}: say yes or no, or unset it (yes)")
    return text in _YES


def _ask_git(root: Path | None, *words: str) -> str | None:
    if root is None:
        return None
    try:
        answer = subprocess.run(
            ["git", "-C", str(root), *words],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout if answer.returncode == 0 else None
