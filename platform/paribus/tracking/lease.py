"""Who drives a study: a lease in a tag of the study's run, so that two drivers never run one study at once."""

from __future__ import annotations

import json
import os
import platform
import time
import uuid
from dataclasses import asdict, dataclass

from . import tags as words
from .errors import LeaseHeld
from .process import is_same_process, start_of
from .rest import MlflowRest
from .runs import get_run, log_batch, now_ms

LEASE_S = 60.0
# Two drivers that both found the lease free see, after this long, whose claim was written last.
SETTLE_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """The process that runs a study."""

    host: str
    pid: int
    pid_start: str
    token: str
    heartbeat_ms: int

    @property
    def alive(self) -> bool:
        """Whether the driver is to be believed running: on this host by its process, elsewhere by its heartbeat."""
        if self.host == platform.node():
            return is_same_process(self.pid, self.pid_start)
        return now_ms() - self.heartbeat_ms < LEASE_S * 1000


def driver_of(tag: str) -> Driver | None:
    """The driver that the tag names; None where there is none."""
    try:
        return Driver(**json.loads(tag)) if tag else None
    except (ValueError, TypeError):
        return None


class Lease:
    """This process's hold on a study's run."""

    def __init__(self, rest: MlflowRest, run_id: str, study: str) -> None:
        self.rest = rest
        self.run_id = run_id
        self.study = study
        self.token = uuid.uuid4().hex

    def claim(self) -> None:
        """Take the lease. Raises LeaseHeld, naming the driver, if a live one has it."""
        self._check(self._holder())
        self.beat()
        time.sleep(SETTLE_S)
        self._check(self._holder())

    def beat(self, tags: dict[str, str] | None = None) -> None:
        """Say that this driver lives, and set the study's `tags` with it: one request."""
        pid = os.getpid()
        mine = Driver(host=platform.node(), pid=pid, pid_start=start_of(pid), token=self.token, heartbeat_ms=now_ms())
        stamp = {words.DRIVER: json.dumps(asdict(mine)), words.UPDATED: str(now_ms())}
        log_batch(self.rest, self.run_id, tags={**(tags or {}), **stamp})

    def heartbeat(self, tags: dict[str, str] | None = None) -> None:
        """`beat`, after a look whether the lease is still ours; raises LeaseHeld if another driver took it."""
        self._check(self._holder())
        self.beat(tags)

    def release(self) -> None:
        """Give the lease up, if it is ours."""
        holder = self._holder()
        if holder is not None and holder.token == self.token:
            log_batch(self.rest, self.run_id, tags={words.DRIVER: "", words.UPDATED: str(now_ms())})

    def _holder(self) -> Driver | None:
        return driver_of(get_run(self.rest, self.run_id).tags.get(words.DRIVER, ""))

    def _check(self, holder: Driver | None) -> None:
        if holder is None or holder.token == self.token or not holder.alive:
            return
        age_s = (now_ms() - holder.heartbeat_ms) / 1000
        raise LeaseHeld(
            f"The study {self.study!r} is already being run by process {holder.pid} on {holder.host} "
            f"(last heard {age_s:.0f} s ago). Wait for it, stop it, or follow it with `status`."
        )
