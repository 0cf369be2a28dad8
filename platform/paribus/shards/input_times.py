"""Where preparing batches spends its time, and what to change when training waits for it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Literal

Stage = Literal["storage", "decode", "copy"]
_CURES: dict[Stage, str] = {
    "storage": "give the node a faster disk or its own copy of the shards (`{place}`), raise PARIBUS_CACHE_GIB so that "
    "they stay in the node cache, or make smaller files with `paribus shards make --short-side 256 --quality 90`",
    "decode": "raise resources.cpus (now {cpus:g}, {threads} of them for data), make smaller files with "
    "`paribus shards make --short-side 256 --quality 90`, or let decoded images stay (data.cache)",
    "copy": "use a larger data.batch_size, or trial workers on fewer GPUs of this node",
}
SHARED_ADVICE = (
    "training waited for data {share:.0%} of its time, for the reader that decodes once for all trials of the node: "
    "give the node more CPUs, or make smaller files with `paribus shards make --short-side 256 --quality 90`"
)


@dataclass
class InputTimes:
    """Seconds of all threads by stage: reading files, decoding and cropping, moving and scaling on the device."""

    seconds: dict[Stage, float] = field(default_factory=lambda: {"storage": 0.0, "decode": 0.0, "copy": 0.0})
    _lock: Lock = field(default_factory=Lock)

    @contextmanager
    def timing(self, stage: Stage, within: Stage | None = None) -> Iterator[None]:
        """Add the block's seconds to `stage`; and take them from the stage that the block is `within`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            with self._lock:
                self.seconds[stage] += elapsed
                if within is not None:
                    self.seconds[within] -= elapsed

    @property
    def bottleneck(self) -> Stage:
        """The stage that took longest."""
        return max(self.seconds, key=self.seconds.__getitem__)

    def advice(self, share: float, cpus: float, threads: int, place: str) -> str:
        """What to change where training waits for data for a `share` of its time."""
        total = sum(self.seconds.values()) or 1.0
        parts = ", ".join(f"{name} {value / total:.0%}" for name, value in self.seconds.items())
        cure = _CURES[self.bottleneck].format(cpus=cpus, threads=threads, place=place)
        return f"training waited for data {share:.0%} of its time; preparing it was {parts}: {cure}"
