"""What befalls a cluster: each fault begins, holds for some seconds, and is over."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from cluster import Cluster
from machine import Machine, do
from sandbox import kill

# Loads a random number (an extension of BPF's loads), and lets a packet through unless it is below LOSS of them all.
LOSS = 0.05
_LOSSY = f"4,32 0 0 4294963256,53 0 1 {int(LOSS * 2**32)},6 0 0 4294967295,6 0 0 2"
_SLOW = ("tbf", "rate", "4mbit", "burst", "16kb", "latency", "300ms")


@dataclass(frozen=True)
class Fault:
    """One kind: `strike` returns what ends it, and `held_s` is how long it lasts; `loses` says that a trial's worker
    is gone with it, `weight` how often it comes."""

    strike: Callable[[Cluster, Machine, psutil.Process | None], Callable[[], object]]
    held_s: float = 0.0
    loses: bool = False
    weight: int = 1


def _over() -> None:
    """Nothing is to be put right: supervisors do."""


def _worker(cluster: Cluster, node: Machine, driver: psutil.Process | None) -> Callable[[], object]:
    for each in node.workers():
        kill(each.pid)
    return _over


def _raylet(cluster: Cluster, node: Machine, driver: psutil.Process | None) -> Callable[[], object]:
    for each in node.processes():
        if Path(each.cmdline()[0]).name == "raylet":
            kill(each.pid)
    return _over


def _node(cluster: Cluster, node: Machine, driver: psutil.Process | None) -> Callable[[], object]:
    node.wanted = False
    node.crash()
    return lambda: setattr(node, "wanted", True)


def _noticed(cluster: Cluster, node: Machine, driver: psutil.Process | None) -> Callable[[], object]:
    """It is told that it will be taken back, and is; another one comes in its place."""
    node.notice.write_text("spot capacity is taken back\n")

    def over() -> None:
        node.crash()
        node.notice.unlink(missing_ok=True)

    return over


def _drain(cluster: Cluster, node: Machine, driver: psutil.Process | None) -> Callable[[], object]:
    node.wanted = False
    node.leave()
    return lambda: setattr(node, "wanted", True)


def _driver(cluster: Cluster, node: Machine, driver: psutil.Process | None) -> Callable[[], object]:
    if driver is not None:
        kill(driver.pid)
    return _over


def _ledger(cluster: Cluster, node: Machine, driver: psutil.Process | None) -> Callable[[], object]:
    if cluster.server is not None:
        for each in (*psutil.Process(cluster.server.pid).children(recursive=True), psutil.Process(cluster.server.pid)):
            kill(each.pid)
    return cluster.start_ledger


def _head(cluster: Cluster, node: Machine, driver: psutil.Process | None) -> Callable[[], object]:
    """Its nodes have nobody to speak to, and are started again as well."""
    for each in cluster.machines.values():
        each.crash()
    return _over


def _cut(cluster: Cluster, node: Machine, driver: psutil.Process | None) -> Callable[[], object]:
    do("ip", "link", "set", node.link, "down")
    return lambda: do("ip", "link", "set", node.link, "up")


def _lossy(cluster: Cluster, node: Machine, driver: psutil.Process | None) -> Callable[[], object]:
    do("tc", "qdisc", "add", "dev", node.link, "root", *_SLOW)
    do("tc", "qdisc", "add", "dev", node.link, "clsact")
    for way in ("ingress", "egress"):
        do("tc", "filter", "add", "dev", node.link, way, "bpf", "da", "bytecode", _LOSSY)

    def over() -> None:
        do("tc", "qdisc", "del", "dev", node.link, "root")
        do("tc", "qdisc", "del", "dev", node.link, "clsact")

    return over


def _stopped(cluster: Cluster, node: Machine, driver: psutil.Process | None) -> Callable[[], object]:
    held = node.processes()
    _signal(held, signal.SIGSTOP)
    return lambda: _signal(held, signal.SIGCONT)


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for each in processes:
        with suppress(psutil.Error):
            each.send_signal(number)


def _full(cluster: Cluster, node: Machine, driver: psutil.Process | None) -> Callable[[], object]:
    return _filled(node.disk)


def _full_storage(cluster: Cluster, node: Machine, driver: psutil.Process | None) -> Callable[[], object]:
    return _filled(cluster.shared)


def _filled(disk: Path) -> Callable[[], object]:
    file = disk / "filler"
    with file.open("wb", buffering=0) as out:
        for piece in (bytes(1 << 16), b"0"):
            with suppress(OSError):
                while True:
                    out.write(piece)
    return lambda: file.unlink(missing_ok=True)


def _added(cluster: Cluster, node: Machine, driver: psutil.Process | None) -> Callable[[], object]:
    """A third node comes, and is drained when the fault is over."""
    more = cluster.machines.get("more") or cluster.add("more")
    more.wanted = True

    def over() -> None:
        more.wanted = False
        more.leave()

    return over


FAULTS = {
    "a worker killed": Fault(_worker, loses=True, weight=4),
    "a node's raylet killed": Fault(_raylet, loses=True, weight=2),
    "a node lost, back after 20 s": Fault(_node, held_s=20, loses=True, weight=3),
    "a node taken back, noticed 20 s before": Fault(_noticed, held_s=20, loses=False, weight=2),
    "a node drained, back after 20 s": Fault(_drain, held_s=20, loses=True, weight=2),
    "a node added for 40 s": Fault(_added, held_s=40, weight=1),
    "the driver killed": Fault(_driver, weight=3),
    "MLflow killed, back after 10 s": Fault(_ledger, held_s=10, weight=3),
    "the head killed, with all nodes": Fault(_head, weight=1),
    "a node's network cut for 30 s": Fault(_cut, held_s=30, weight=2),
    "a node's network slow and lossy for 30 s": Fault(_lossy, held_s=30, weight=2),
    "a node stopped for 60 s": Fault(_stopped, held_s=60, weight=1),
    "a node's disk full for 20 s": Fault(_full, held_s=20, weight=1),
    "the shared storage full for 20 s": Fault(_full_storage, held_s=20, weight=1),
}


def sequence(seed: int, most: int, only: str = "") -> list[str]:
    """The kinds that come, of those that have `only` in their names: every kind once before any is drawn by weight."""
    draw = random.Random(seed)
    names = [name for name in FAULTS if only in name]
    first = draw.sample(names, len(names))
    weights = [FAULTS[name].weight for name in names]
    return (first + draw.choices(names, weights, k=most))[:most]


def hold(seconds: float, meanwhile: Callable[[], object]) -> None:
    """Wait, and look after what is to be looked after."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        meanwhile()
        time.sleep(min(0.3, left))
