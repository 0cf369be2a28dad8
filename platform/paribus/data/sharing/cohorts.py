"""Which consumers share a ring, and the rings' beginning and end."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition
from time import monotonic

import psutil

from paribus.data.sharing.memory import num_bytes
from paribus.data.sharing.patience import Patience
from paribus.data.sharing.protocol import At, Attach, Leave, Message, Release, Source, Wait
from paribus.data.sharing.pump import Pump
from paribus.data.sharing.ring import Member, Ring
from paribus.data.sharing.seat import Key, Seat

_MIN_BATCHES, _MAX_RINGS = 2, 4


@dataclass(frozen=True, kw_only=True)
class Limits:
    """A ring keeps up to `max_batches` batches of at most `ring_mib` MiB, and `ahead` more are being written.

    All rings together take at most a quarter of the memory that is free when the reader starts.
    """

    max_batches: int = 8
    ring_mib: float = 512
    ahead: int = 1


@dataclass(eq=False)
class Cohort:
    """A ring, the thread that fills it, which stream it is, and the bytes that it may take."""

    key: Key
    ring: Ring
    pump: Pump
    claim: int


class Cohorts:
    """All rings of a reader; whoever calls holds `changed`."""

    def __init__(
        self,
        open_source: Callable[[str], Source],
        patience: Patience,
        limits: Limits,
        changed: Condition,
        wake: Callable[[], None],
    ) -> None:
        self._open, self._patience, self._limits = open_source, patience, limits
        self._changed, self._wake = changed, wake
        self._most_bytes = psutil.virtual_memory().available // 4
        self._cohorts: list[Cohort] = []
        self._ended: list[Pump] = []
        self._drawn_before = 0, 0
        self.seats: set[Seat] = set()

    @property
    def drawn(self) -> tuple[int, int]:
        """Batches and samples drawn so far."""
        pumps = [*self._ended, *(cohort.pump for cohort in self._cohorts)]
        batches, samples = self._drawn_before
        return batches + sum(pump.num_batches for pump in pumps), samples + sum(pump.num_samples for pump in pumps)

    def join(self) -> None:
        """Wait for the threads of rings that ended; call it when all have, without `changed`."""
        for pump in self._ended:
            pump.join()

    def take(self, seat: Seat, message: Message) -> None:
        """What a consumer says."""
        match message:
            case Release():
                seat.release(message.slot)
            case Wait():
                seat.wait(message.epoch, message.step)
            case Attach():
                self._attach(seat, message)
            case At():
                seat.note_alone(message)
            case Leave():
                seat.part()
                seat.key = None
            case _:
                seat.gone = True

    def advance(self, now: float) -> None:
        """Send off whom a ring does not wait for, grant what is due, and end the rings that nobody needs."""
        by_member = {seat.member: seat for seat in self.seats}
        for cohort in list(self._cohorts):
            ring, failed = cohort.ring, cohort.pump.failure
            for member, reason in ring.judge(now):
                by_member[member].send_off(reason)
            for member in list(ring.members):
                by_member[member].serve(now)
                if failed is not None and ring.head <= member.position < member.limit:
                    by_member[member].send_off(f"the reader failed ({failed})", fault=True)
            if not ring.members:
                ring.end()
                self._cohorts.remove(cohort)
                self._ended.append(cohort.pump)
        for pump in [pump for pump in self._ended if not pump.alive]:
            batches, samples = self._drawn_before
            self._drawn_before = batches + pump.num_batches, samples + pump.num_samples
            self._ended.remove(pump)

    def _attach(self, seat: Seat, asked: Attach) -> None:
        now, steps = monotonic(), asked.stream.steps_per_epoch
        key: Key = (asked.stream.identity, asked.order_seed, asked.augment_seed, steps, asked.stream.shape)
        position, limit = asked.epoch * steps + asked.step, (asked.epoch + 1) * steps
        stays = seat.key == key and seat.member is not None and seat.member.position == position
        seat.ask(asked.ticket, key, steps)
        if stays and seat.member is not None:
            seat.member.limit = limit
            return
        seat.part()
        cohort = self._find(key, position) or self._begin(seat, asked, position, now)
        if cohort is not None:
            seat.join(cohort.ring, Member(position, limit, now))

    def _find(self, key: Key, position: int) -> Cohort | None:
        return next((c for c in self._cohorts if c.key == key and c.ring.covers(position)), None)

    def _begin(self, seat: Seat, asked: Attach, position: int, now: float) -> Cohort | None:
        """A new ring for a consumer, or None: it was told to go on alone."""
        key, steps = seat.key, seat.steps
        assert key is not None
        same = [cohort.ring for cohort in self._cohorts if cohort.key == key]
        if same and (asked.step > 0 or len(same) >= _MAX_RINGS):
            places = ", ".join(f"epoch {ring.head // steps}, step {ring.head % steps}" for ring in same)
            seat.send_off(f"the other trials of its stream are elsewhere (at {places})")
            return None
        size, left = num_bytes(asked.stream.shape), self._most_bytes - sum(cohort.claim for cohort in self._cohorts)
        ring_bytes, ahead = int(self._limits.ring_mib * 2**20), self._limits.ahead
        capacity = min(self._limits.max_batches, ring_bytes // size, left // size - ahead)
        if capacity < _MIN_BATCHES:
            allowed = max(0, min(ring_bytes, left - ahead * size)) // 2**20
            seat.send_off(
                f"sharing needs room for {_MIN_BATCHES} batches of {size / 2**20:,.1f} MiB, and has {allowed:,} MiB: "
                "free memory, lower data.batch_size, or set data.sharing to 'never'",
                fault=True,
            )
            return None
        ring = Ring(position, steps, capacity, self._patience, now)
        ring.awaited = lambda start, now: self._awaited(key, ring, start, now)
        pump = Pump(ring, asked, self._changed, lambda: self._open(asked.stream.spec), self._wake)
        cohort = Cohort(key, ring, pump, (capacity + ahead) * size)
        self._cohorts.append(cohort)
        return cohort

    def _awaited(self, key: Key, ring: Ring, start: int, now: float) -> bool:
        """Whether a lone consumer will reach the epoch that begins at `start` while all in the ring can wait for it."""
        patience = min((ring.patience_left_s(member, now) for member in ring.members), default=0.0)
        return any(seat.reaches_s(start, now) <= patience for seat in self.seats if seat.key == key)
