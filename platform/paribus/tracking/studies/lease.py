"""Who drives a study: a lease in tags of the study's run, so that two drivers never run one study at once.

Every driver that wants the lease writes a claim into a tag of its own, first without a number, then with one above
all that it read: Lamport's bakery (CACM 17:8, 1974), which needs no atomic test-and-set, and MLflow has none for tags.
The lowest number that lives has the lease; claims of drivers that have died are removed by whoever wins.

Alive is a process that runs, where that can be told (the same boot and PID namespace); anywhere else, one whose
heartbeat changes while it is watched on the watcher's own monotonic clock. No two clocks are ever compared for it.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from paribus.host.processes import is_running, start_of
from paribus.tracking import tags as words
from paribus.tracking.errors import LeaseHeld, LedgerError
from paribus.tracking.mlflow.rest import MlflowRest
from paribus.tracking.mlflow.runs import get_run, log_batch, now_ms

# A driver beats every ten seconds (BEAT_S); one that is silent for this long while it is watched is dead.
_LEASE_S = 60.0
BEAT_S = 10.0
_POLL_S = 1.0
# At first sight there is no change to have watched: a reader of dashboards then takes a driver for alive whose last
# heartbeat is not older than this by the reader's clock, and knows better after _LEASE_S.
_FIRST_SIGHT_S = 600.0


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
        """Whether the driver is to be believed running, for people to see: from its process, or as `Watch` saw it."""
        known = runs(self)
        return _SEEN.is_live(self) if known is None else known


class Watch:
    """What one process has seen of drivers elsewhere: each one's last heartbeat, and when that changed."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, float]] = {}

    def silent_s(self, driver: Driver) -> float | None:
        """For how long the heartbeat has not changed before our eyes; None where it has changed just now."""
        now = time.monotonic()
        stamp, since = self._seen.get(driver.token, (driver.heartbeat_ms, now))
        if stamp != driver.heartbeat_ms:
            self._seen[driver.token] = (driver.heartbeat_ms, now)
            return None
        self._seen[driver.token] = (stamp, since)
        return now - since

    def is_live(self, driver: Driver) -> bool:
        """Whether it is heard of, or was so lately when first met that it may well be."""
        if driver.token not in self._seen and abs(now_ms() - driver.heartbeat_ms) > _FIRST_SIGHT_S * 1000:
            self._seen[driver.token] = (driver.heartbeat_ms, time.monotonic() - _LEASE_S)
        silent_s = self.silent_s(driver)
        return silent_s is None or silent_s < _LEASE_S


_SEEN = Watch()
# The tokens of this process's own leases: a notebook's process outlives its drivers, also those that could not tell the
# server that they gave theirs up.
_OURS: set[str] = set()


def runs(driver: Driver) -> bool | None:
    """Whether a driver's process runs, and drives still if it is this one; None where that can't be told from here."""
    known = is_running(driver.pid, driver.pid_start)
    return driver.token in _OURS if known and driver.pid == os.getpid() else known


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A driver's wish for the lease; `number` 0 while it chooses one."""

    driver: Driver
    number: int

    @property
    def order(self) -> tuple[int, str]:
        """The lowest is first; no two are equal."""
        return self.number, self.driver.token


def driver_of(tag: str) -> Driver | None:
    """The driver that the tag names; None where there is none, or the tag is damaged."""
    try:
        found = json.loads(tag) if tag else None
        named = {field.name: found[field.name] for field in fields(Driver)} if isinstance(found, dict) else {}
    except (ValueError, KeyError, RecursionError):
        return None
    kinds = {"host": str, "pid": int, "pid_start": str, "token": str, "heartbeat_ms": int}
    return Driver(**named) if named and all(type(named[key]) is kind for key, kind in kinds.items()) else None


class Lease:
    """This process's hold on a study's run; `lease_s`: for how long a silent driver elsewhere is watched."""

    def __init__(self, rest: MlflowRest, run_id: str, study: str, *, lease_s: float = _LEASE_S) -> None:
        self.rest = rest
        self.run_id = run_id
        self.study = study
        self.lease_s = lease_s
        self.token = uuid.uuid4().hex
        self._number = 0
        self._beat_ms = 0

    def claim(self) -> None:
        """Take the lease. Raises LeaseHeld, naming the driver, if a live one has it.

        Takes four requests where the last driver is gone or died here; up to `lease_s` seconds where one elsewhere has
        to be watched.
        """
        self._number = 0
        _OURS.add(self.token)
        try:
            self._write()
            self._number = 1 + max((claim.number for claim in self._rivals()), default=0)
            self._write()
            dead = self._wait_for_turn()
        except BaseException:
            self.abandon()
            with contextlib.suppress(LedgerError):
                self._remove(self.token)
            raise
        self.beat()
        for claim in dead:
            self._remove(claim.driver.token)

    def beat(self, tags: dict[str, str] | None = None) -> None:
        """Say that this driver lives, and set the study's `tags` with it: one request."""
        self._write(tags, holds=True)

    def heartbeat(self, tags: dict[str, str] | None = None) -> Mapping[str, str]:
        """`beat`, after a look whether the lease is still ours; raises LeaseHeld if another driver took it.

        Returns the tags that the run had.
        """
        found = get_run(self.rest, self.run_id).tags
        claims = _claims(found)
        mine = next((claim for claim in claims if claim.driver.token == self.token), None)
        for claim in claims:
            if claim.driver.token != self.token and (mine is None or claim.order < mine.order) and claim.number:
                self._give_way(claim.driver)
        holder = driver_of(found.get(words.DRIVER, ""))
        if mine is None and holder is not None and holder.token != self.token:
            self._give_way(holder)
        self.beat(tags)
        return found

    def abandon(self) -> None:
        """Drive no more: this process may have the lease anew, whether or not the server can be told."""
        _OURS.discard(self.token)

    def release(self) -> None:
        """Give the lease up, if it is ours."""
        self.abandon()
        holder = driver_of(get_run(self.rest, self.run_id).tags.get(words.DRIVER, ""))
        if holder is not None and holder.token == self.token:
            log_batch(self.rest, self.run_id, tags={words.DRIVER: "", words.UPDATED: str(now_ms())})
        self._remove(self.token)

    def _write(self, tags: dict[str, str] | None = None, *, holds: bool = False) -> None:
        pid = os.getpid()
        # It must change with every beat, whatever this machine's clock does.
        self._beat_ms = max(self._beat_ms + 1, now_ms())
        me = Driver(
            host=platform.node(), pid=pid, pid_start=start_of(pid), token=self.token, heartbeat_ms=self._beat_ms
        )
        stamp = {_tag(self.token): json.dumps({**asdict(me), "number": self._number})}
        if holds:
            stamp |= {words.DRIVER: json.dumps(asdict(me)), words.UPDATED: str(now_ms())}
        log_batch(self.rest, self.run_id, tags={**(tags or {}), **stamp})

    def _rivals(self) -> list[Claim]:
        found = _claims(get_run(self.rest, self.run_id).tags)
        return [claim for claim in found if claim.driver.token != self.token]

    def _wait_for_turn(self) -> list[Claim]:
        """Wait until every claim before ours is known to be dead, and return those; raises LeaseHeld if one lives."""
        watch, told = Watch(), False
        while True:
            before = [claim for claim in self._rivals() if claim.order < (self._number, self.token)]
            lives = {claim.driver.token: self._lives(claim.driver, watch) for claim in before}
            for claim in before:
                if lives[claim.driver.token] and claim.number:
                    raise self._held(claim.driver)
            undecided = [claim.driver for claim in before if lives[claim.driver.token] is not False]
            if not undecided:
                return before
            unknown = [driver for driver in undecided if lives[driver.token] is None]
            if unknown and not told:
                self._tell(unknown[0])
                told = True
            self._write()  # for whoever watches us meanwhile
            time.sleep(min(_POLL_S, self.lease_s / 10) if unknown else 0.02)

    def _lives(self, driver: Driver, watch: Watch) -> bool | None:
        """Whether a driver lives; None where that is not known yet."""
        known = runs(driver)
        if known is not None:
            return known
        silent_s = watch.silent_s(driver)
        if silent_s is None:
            return True
        return False if silent_s >= self.lease_s else None

    def _tell(self, driver: Driver) -> None:
        print(
            f"note: process {driver.pid} on {driver.host} (another machine or container, or before a restart) had the "
            f"study {self.study!r}; watching for up to {self.lease_s:.0f} s whether it still runs ...",
            file=sys.stderr,
            flush=True,
        )

    def _give_way(self, driver: Driver) -> None:
        if driver.alive:
            raise self._held(driver)

    def _held(self, driver: Driver) -> LeaseHeld:
        return LeaseHeld(
            f"The study {self.study!r} is already being run by process {driver.pid} on {driver.host}. "
            "Wait for it, stop it, or follow it with `status`."
        )

    def _remove(self, token: str) -> None:
        with contextlib.suppress(LedgerError):
            self.rest.post("runs/delete-tag", {"run_id": self.run_id, "key": _tag(token)})


def _tag(token: str) -> str:
    return f"{words.CLAIM_OF_DRIVER}.{token}"


def _claims(tags: Mapping[str, str]) -> list[Claim]:
    """The claims that the tags of a study's run hold; a driver that has none, of the last release, comes first."""
    found = []
    for key, value in tags.items():
        if key.startswith(f"{words.CLAIM_OF_DRIVER}.") and (driver := driver_of(value)) is not None:
            number = json.loads(value).get("number")
            found.append(Claim(driver=driver, number=number if type(number) is int else 0))
    holder = driver_of(tags.get(words.DRIVER, ""))
    if holder is not None and all(claim.driver.token != holder.token for claim in found):
        found.append(Claim(driver=holder, number=-1))
    return found
