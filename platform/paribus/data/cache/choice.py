"""Where the decoded pixels of a split stay: in memory, in a file on disk that is mapped, or nowhere.

Both of the first are the same file. What differs is how much of it the page cache, which all processes of the node
share, can be expected to hold: all of it, or what was touched of late.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import psutil

from paribus.data.cache.cached_split import Cached, CachePlan, open_cached_split
from paribus.data.cache.room import NoRoomError, allowance
from paribus.data.stream import Stream
from paribus.errors import DataError

Mode = Literal["auto", "always", "never"]
# "device": in memory or mapped, and on the device that trains besides.
Kind = Literal["memory", "mapped", "device", "stream"]
# Of the memory that this process may have, and of the disk that is free or holds other caches of pixels.
MEMORY_SHARE, DISK_SHARE = 0.25, 0.5
_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class CacheChoice:
    """Where the pixels of a split are, and why; `str` is the line for people."""

    kind: Kind
    why: str

    def __str__(self) -> str:
        return f"{self.kind} ({self.why})"


def open_cached(mode: Mode, plan: CachePlan, stream: Stream, caches: Path) -> tuple[Cached | None, CacheChoice]:
    """The split with its pixels kept, None where none stay; and where they are, and why.

    Args:
        mode: the recipe's `data.cache`. "auto" keeps what fits and streams what does not.
        plan: what would be kept.
        stream: what reads everything else.
        caches: the folder of all caches of pixels.

    Raises:
        NoRoomError: `mode` is "always" and the disk is too small.
        DataError: a damaged shard, or `mode` is "always" and nearly nothing could be kept.
    """
    if mode == "never":
        return None, CacheChoice("stream", "data.cache is 'never'")
    limit = allowance(caches / plan.name, 1.0 if mode == "always" else DISK_SHARE)
    cache_choice = _choose(mode, plan, limit)
    if cache_choice.kind == "stream":
        return None, cache_choice
    try:
        cached = open_cached_split(caches, plan, stream, limit=limit, in_memory=cache_choice.kind == "memory")
    except NoRoomError as error:
        if mode == "always":
            raise
        return None, CacheChoice("stream", str(error))
    return cached, cache_choice


def _choose(mode: Mode, plan: CachePlan, on_disk: int) -> CacheChoice:
    # Those that do not decode are no reason to keep a file for nothing.
    num_scaled, num_decoded = (int(np.count_nonzero(each)) for each in (plan.scaled, plan.reader.index.rows["height"]))
    if 2 * num_scaled > num_decoded:
        why = (
            f"data.decoding = 'fast' reads {num_scaled:,} of the {num_decoded:,} images of {plan.split!r} at a "
            f"smaller scale, which depends on the crop"
        )
        if mode == "always":
            raise DataError(
                f"{why}, so that they cannot stay decoded: set data.decoding to 'exact' or data.cache to 'auto'"
            )
        return CacheChoice("stream", why)
    num_bytes, in_memory = plan.layout.num_bytes, int(MEMORY_SHARE * memory_bytes())
    why = f"{_mib(num_bytes)}, of at most {_mib(in_memory)} in memory and {_mib(on_disk)} on disk"
    if num_bytes > on_disk and mode == "auto":
        return CacheChoice("stream", why)
    return CacheChoice("memory" if num_bytes <= in_memory else "mapped", why)


def memory_bytes() -> int:
    """What this process may use at most: the machine's memory, or the lowest limit of its control groups."""
    return min([int(psutil.virtual_memory().total), *_group_limits()])


def _group_limits() -> list[int]:
    limits = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        root, file = (_CGROUPS, "memory.max") if not controllers else (_CGROUPS / "memory", "memory.limit_in_bytes")
        path = root / group.lstrip("/")
        # In a container the path may be that of the host, which is not to be seen here; its own group is then the root.
        for place in {path, *path.parents, root}:
            try:
                limits.append(int((place / file).read_text()))
            except (OSError, ValueError):
                continue  # no limit here: no such file, or the word "max"
    return limits


def _mib(num_bytes: int) -> str:
    return f"{num_bytes / 2**20:,.1f} MiB"
