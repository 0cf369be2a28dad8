"""A study on the cluster, driven by the same command until it is done."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from cluster import Cluster
from faults import hold
from sandbox import kill


@dataclass
class Run:
    """One study on the cluster, driven by the same command until it is done."""

    cluster: Cluster
    folder: Path
    name: str
    until: float
    driver: subprocess.Popen[bytes] | None = None
    drivers: int = 0
    held_s: float = 0.0  # of all nodes that served
    codes: Counter[int] = field(default_factory=Counter)
    told_drivers: int = 0  # of `drivers`, those that are noted
    _looked: float = 0.0
    _paused: float = 0.0

    @property
    def done(self) -> bool:
        return self.driver is not None and self.driver.poll() == 0

    def look(self) -> None:
        """Look after the machines and the driver."""
        now = time.monotonic()
        for each in self.cluster.machines.values():
            each.supervise()
        if self._looked:
            self.held_s += (now - self._looked) * sum(each.serves for each in self.cluster.nodes)
        self._looked = now
        if self.driver is None:
            self._drive()
        elif (code := self.driver.poll()) not in (None, 0):
            if not self._paused:
                self.codes[code] += 1
                self._paused = now
            elif now - self._paused > 2 and self.cluster.head.serves:
                self._drive()

    def _drive(self) -> None:
        self.drivers += 1
        self._paused = 0.0
        head = self.cluster.head
        with (self.cluster.logs / f"{self.name}-{self.drivers}.log").open("wb") as out:
            self.driver = subprocess.Popen(
                head.enter(self.folder / f"{self.name}.py"),
                cwd=self.folder,
                env=self.cluster.shell(head, PARIBUS_CHAOS="driver"),
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def finish(self) -> bool:
        """Until it is done, or its time is up; whether it is."""
        while not self.done and time.monotonic() < self.until:
            hold(0.5, self.look)
        return self.done

    def end(self) -> None:
        """End a driver that still runs."""
        if self.driver is not None and self.driver.poll() is None:
            kill(self.driver.pid)
            self.driver.wait()
