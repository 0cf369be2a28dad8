"""Which clients share a ring, and the rings' beginning and end."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition
from time import monotonic

import psutil

from paribus.data.sharing.client_connection import ClientConnection, Key
from paribus.data.sharing.memory import num_bytes
from paribus.data.sharing.producer import Producer
from paribus.data.sharing.protocol import At, Attach, Leave, Message, Release, Source, Wait
from paribus.data.sharing.ring import Member, Ring
from paribus.data.sharing.wait_policy import WaitPolicy

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
    producer: Producer
    claim: int


class Cohorts:
    """All rings of a reader; whoever calls holds `changed`."""

    def __init__(
        self,
        open_source: Callable[[str], Source],
        wait_policy: WaitPolicy,
        limits: Limits,
        changed: Condition,
        wake: Callable[[], None],
    ) -> None:
        self._open, self._wait_policy, self._limits = open_source, wait_policy, limits
        self._changed, self._wake = changed, wake
        self._most_bytes = psutil.virtual_memory().available // 4
        self._cohorts: list[Cohort] = []
        self._ended: list[Producer] = []
        self._drawn_before = 0, 0
        self.peers: set[ClientConnection] = set()

    @property
    def drawn(self) -> tuple[int, int]:
        """Batches and samples drawn so far."""
        producers = [*self._ended, *(cohort.producer for cohort in self._cohorts)]
        batches, samples = self._drawn_before
        return batches + sum(producer.num_batches for producer in producers), samples + sum(
            producer.num_samples for producer in producers
        )

    def join(self) -> None:
        """Wait for the threads of rings that ended; call it when all have, without `changed`."""
        for producer in self._ended:
            producer.join()

    def take(self, peer: ClientConnection, message: Message) -> None:
        """What a client says."""
        match message:
            case Release():
                peer.release(message.slot)
            case Wait():
                peer.wait(message.epoch, message.step)
            case Attach():
                self._attach(peer, message)
            case At():
                peer.note_alone(message)
            case Leave():
                peer.part()
                peer.key = None
            case _:
                peer.gone = True

    def advance(self, now: float) -> None:
        """Send off whom a ring does not wait for, grant what is due, and end the rings that nobody needs."""
        by_member = {peer.member: peer for peer in self.peers}
        for cohort in list(self._cohorts):
            ring, failed = cohort.ring, cohort.producer.failure
            for member, reason in ring.judge(now):
                by_member[member].send_off(reason)
            for member in list(ring.members):
                by_member[member].serve(now)
                if failed is not None and ring.head <= member.position < member.limit:
                    by_member[member].send_off(f"the reader failed ({failed})", fault=True)
            if not ring.members:
                ring.end()
                self._cohorts.remove(cohort)
                self._ended.append(cohort.producer)
        for producer in [producer for producer in self._ended if not producer.alive]:
            batches, samples = self._drawn_before
            self._drawn_before = batches + producer.num_batches, samples + producer.num_samples
            self._ended.remove(producer)

    def _attach(self, peer: ClientConnection, asked: Attach) -> None:
        now, steps = monotonic(), asked.stream.steps_per_epoch
        key: Key = (asked.stream.identity, asked.order_seed, asked.augment_seed, steps, asked.stream.shape)
        position, limit = asked.epoch * steps + asked.step, (asked.epoch + 1) * steps
        stays = peer.key == key and peer.member is not None and peer.member.position == position
        peer.ask(asked.ticket, key, steps)
        if stays and peer.member is not None:
            peer.member.limit = limit
            return
        peer.part()
        cohort = self._find(key, position) or self._begin(peer, asked, position, now)
        if cohort is not None:
            peer.join(cohort.ring, Member(position, limit, now))

    def _find(self, key: Key, position: int) -> Cohort | None:
        return next((c for c in self._cohorts if c.key == key and c.ring.covers(position)), None)

    def _begin(self, peer: ClientConnection, asked: Attach, position: int, now: float) -> Cohort | None:
        """A new ring for a client, or None: it was told to go on alone."""
        key, steps = peer.key, peer.steps
        assert key is not None
        same = [cohort.ring for cohort in self._cohorts if cohort.key == key]
        if same and (asked.step > 0 or len(same) >= _MAX_RINGS):
            places = ", ".join(f"epoch {ring.head // steps}, step {ring.head % steps}" for ring in same)
            peer.send_off(f"the other trials of its stream are elsewhere (at {places})")
            return None
        size, left = num_bytes(asked.stream.shape), self._most_bytes - sum(cohort.claim for cohort in self._cohorts)
        ring_bytes, ahead = int(self._limits.ring_mib * 2**20), self._limits.ahead
        capacity = min(self._limits.max_batches, ring_bytes // size, left // size - ahead)
        if capacity < _MIN_BATCHES:
            allowed = max(0, min(ring_bytes, left - ahead * size)) // 2**20
            peer.send_off(
                f"sharing needs room for {_MIN_BATCHES} batches of {size / 2**20:,.1f} MiB, and has {allowed:,} MiB: "
                "free memory, lower data.batch_size, or set data.sharing to 'never'",
                fault=True,
            )
            return None
        ring = Ring(position, steps, capacity, self._wait_policy, now)
        ring.awaited = lambda start, now: self._awaited(key, ring, start, now)
        producer = Producer(ring, asked, self._changed, lambda: self._open(asked.stream.spec), self._wake)
        cohort = Cohort(key, ring, producer, (capacity + ahead) * size)
        self._cohorts.append(cohort)
        return cohort

    def _awaited(self, key: Key, ring: Ring, start: int, now: float) -> bool:
        """Whether a lone client will reach the epoch that begins at `start` while all in the ring can wait for it."""
        wait_policy = min((ring.patience_left_s(member, now) for member in ring.members), default=0.0)
        return any(peer.reaches_s(start, now) <= wait_policy for peer in self.peers if peer.key == key)
