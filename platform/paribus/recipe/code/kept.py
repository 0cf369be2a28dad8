"""Codes that were found before, kept on disk: a plan starts in under a second, and the walk takes a third of one."""

import json
import os
import platform
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from paribus.host.home import HomeError, home


def kept(root: Path, question: str, find: Callable[[], str]) -> str:
    """What `find` gives for `question`, or gave before while every file of the package in `root` was as it is.

    A file counts as unchanged by its size and time of change, as for Python itself when it takes a compiled module.
    """
    state = _state(root)
    try:
        file = home() / "cache" / f"code-{_named(root)}.json"
    except HomeError:
        return find()
    codes = _read(file, state)
    if question not in codes:
        codes[question] = find()
        _write(file, {"state": state, "codes": codes})
    return codes[question]


def _named(root: Path) -> str:
    """A file of its own for each copy of the package on each machine, for a home may be shared by them."""
    return sha256(f"{platform.node()} {root}".encode()).hexdigest()[:8]


def _state(root: Path) -> str:
    digest = sha256(f"{platform.node()} {platform.python_version()} {root}".encode())
    for folder, inner, names in os.walk(root):
        inner.sort()
        for name in sorted(names):
            if name.endswith(".py"):
                found = os.stat(os.path.join(folder, name))
                digest.update(f"{folder}/{name} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _read(file: Path, state: str) -> dict[str, str]:
    try:
        found = json.loads(file.read_bytes())
        codes = found["codes"] if found["state"] == state else {}
        return {str(question): str(code) for question, code in codes.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _write(file: Path, document: dict[str, object]) -> None:
    aside = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(json.dumps(document))
        aside.replace(file)
    except OSError:  # a full or read-only disk costs the next process a third of a second
        aside.unlink(missing_ok=True)
