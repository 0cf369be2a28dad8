"""`ray job submit`, as a person types it, finds the stack's Ray and has its token.

Ray 2.60 sends no token unless RAY_AUTH_MODE says so, even where `~/.ray/auth_token` lies (from 2.61 on it does by
itself), and takes 127.0.0.1 for the network's address. No child can change the shell that it was started from, so
Python calls `settle` when it starts the command `ray` of this environment (paribus_ray.pth beside the packages).

The token goes to servers of this user on this machine, and nowhere else: whoever may write to /tmp could otherwise
name a cluster of his own there, and have it sent to him.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from paribus.host import ray_access

# What has Python call `settle`: a wheel brings it, and `make env` puts it there.
HOOK = Path(sysconfig.get_path("purelib"), "paribus_ray.pth")
# The commands of Ray that ask a cluster that runs.
_ASKING = frozenset(("job", "list", "get", "summary", "logs", "status", "memory", "timeline", "health-check"))
_NAMES = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")


def settle(argv: Sequence[str] = ()) -> None:
    """Set what `ray` of the arguments `argv` lacks in its environment, if what it speaks to is ours."""
    words = list(argv or sys.orig_argv[2:])
    if not words or words[0] not in _ASKING:
        return
    found = [ray_access.joining(address) for address in _addresses(words)]
    if found and all(found):
        os.environ.update({name: value for each in found for name, value in each.items()})


def _addresses(words: Sequence[str]) -> list[str]:
    """Every address that Ray might take: those named, else that of the cluster that was started last."""
    named = [os.environ[name] for name in _NAMES if os.environ.get(name)]
    for number, word in enumerate(words):
        if word == "--":
            break
        if word == "--address" and number + 1 < len(words):
            named.append(words[number + 1])
        if word.startswith("--address="):
            named.append(word.removeprefix("--address="))
    if named and "auto" not in named:
        return named
    try:
        return [pointer().read_text().strip()]
    except OSError:
        return []


def pointer() -> Path:
    """The file in which Ray notes the cluster that was started last on this machine."""
    temp = os.environ.get("RAY_TMPDIR")
    if temp is None:
        temp = os.environ.get("TMPDIR", "/tmp") if sys.platform == "linux" else "/tmp"
    return Path(temp) / "ray" / "ray_current_cluster"
