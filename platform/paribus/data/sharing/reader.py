"""The reader of a node: serves each stream that is asked for from one ring, to as many consumers as come."""

import os
import selectors
import socket
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from secrets import token_hex
from threading import Condition, Thread
from time import monotonic

import psutil

from paribus.data.sharing.memory import num_bytes
from paribus.data.sharing.patience import Patience
from paribus.data.sharing.protocol import (
    MAX_PACKET,
    Alone,
    At,
    Attach,
    Busy,
    Grant,
    Leave,
    Message,
    Release,
    Source,
    Wait,
    listen,
    owner,
    pack,
    unpack,
)
from paribus.data.sharing.pump import Pump
from paribus.data.sharing.ring import Batch, Member, Ring

MAX_BATCHES, RING_MIB = 8, 512
_MIN_BATCHES, _MAX_RINGS = 2, 4
# Between looks at who waits for whom, and at most between two signs of life to a consumer that waits.
_LOOK_S, BUSY_S = 0.05, 1.0

Key = tuple[object, ...]


class SharingError(RuntimeError):
    """Nothing can be shared here; the text says why."""


@dataclass(eq=False)
class _Consumer:
    """One connection: what it asked for, where it is, and the slots that it may look at."""

    connection: socket.socket
    ticket: int = -1
    key: Key | None = None
    steps: int = 0
    ring: Ring | None = None
    member: Member | None = None
    held: defaultdict[int, list[tuple[Ring, Member, Batch]]] = field(default_factory=lambda: defaultdict(list))
    known: set[int] = field(default_factory=set)
    told_s: float = 0.0
    alone_at: int = -1
    alone_since: tuple[int, float] = (0, 0.0)


@dataclass(eq=False)
class _Cohort:
    """A ring, the thread that fills it, and which stream it is."""

    key: Key
    ring: Ring
    pump: Pump
    claim: int


class Reader:
    """Reads and decodes each batch once, for all consumers in the processes of this node and user.

    `open_source` opens a stream's `spec`. A ring keeps up to `max_batches` batches of at most `ring_mib` MiB, and
    `ahead` more are being written. All rings together take at most a quarter of the memory that is free.

    Raises:
        SharingError: this system has no anonymous shared memory.
    """

    def __init__(
        self,
        open_source: Callable[[str], Source],
        *,
        patience: Patience | None = None,
        max_batches: int = MAX_BATCHES,
        ring_mib: float = RING_MIB,
        ahead: int = 1,
    ) -> None:
        if not hasattr(os, "memfd_create"):
            raise SharingError("sharing needs Linux: memory without a name (memfd_create) is not to be had here")
        self.address = f"paribus-feed-{token_hex(16)}"
        self._open_source, self._patience = open_source, patience or Patience()
        self._max_batches, self._ahead = max_batches, ahead
        self._ring_bytes, self._limit = int(ring_mib * 2**20), psutil.virtual_memory().available // 4
        self._changed = Condition()
        self._cohorts: list[_Cohort] = []
        self._consumers: set[_Consumer] = set()
        self._pumps: list[Pump] = []
        self._retired = [0, 0]
        self._quiet_since: float | None = monotonic()
        self._closing = False
        self._wakened, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._listener = listen(self.address)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._wakened, selectors.EVENT_READ, lambda: self._wakened.recv(4096))
        self._thread = Thread(target=self._serve, name="paribus-reader", daemon=True)
        self._thread.start()

    @property
    def counts(self) -> dict[str, int]:
        """What was drawn so far, once for all consumers: `batches` and `samples`; and who is here: `consumers`."""
        with self._changed:
            batches = self._retired[0] + sum(cohort.pump.num_batches for cohort in self._cohorts)
            samples = self._retired[1] + sum(cohort.pump.num_samples for cohort in self._cohorts)
            return {"batches": batches, "samples": samples, "consumers": len(self._consumers)}

    @property
    def quiet_s(self) -> float:
        """Seconds since the last consumer went; 0 while there is one."""
        with self._changed:
            return 0.0 if self._quiet_since is None else monotonic() - self._quiet_since

    def close(self) -> None:
        """Let every consumer go on alone, and end the threads."""
        self._closing = True
        self._wake()
        self._thread.join()

    def _serve(self) -> None:
        try:
            while not self._closing:
                with self._changed:
                    timeout = _LOOK_S if any(c.member and c.member.waiting for c in self._consumers) else BUSY_S
                events = self._selector.select(timeout)
                with self._changed:
                    for key, _ in events:
                        key.data()
                    self._advance(monotonic())
                    self._changed.notify_all()
        finally:  # a fault of its own must not leave anybody waiting
            self._end()

    def _end(self) -> None:
        with self._changed:
            for consumer in list(self._consumers):
                self._drop(consumer)
            self._advance(monotonic())
            self._changed.notify_all()
        for pump in self._pumps:
            pump.join()
        for end in (self._listener, self._wakened, self._waker, self._selector):
            end.close()

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # it was wakened many times over
            self._waker.send(b".")

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        if owner(connection) != os.getuid():
            connection.close()
            return
        connection.setblocking(False)
        consumer = _Consumer(connection)
        self._consumers.add(consumer)
        self._quiet_since = None
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._receive(consumer))

    def _receive(self, consumer: _Consumer) -> None:
        try:
            packet = consumer.connection.recv(MAX_PACKET)
            message = unpack(packet) if packet else None
        except BlockingIOError:
            return
        except (OSError, ValueError):
            message = None
        if message is None:
            self._drop(consumer)
        else:
            self._take(consumer, message)

    def _take(self, consumer: _Consumer, message: Message) -> None:
        match message:
            case Release():
                if held := consumer.held.get(message.slot):
                    ring, member, batch = held.pop()
                    ring.release(member, batch)
            case Wait():
                if consumer.member is not None and consumer.ring is not None:
                    # Else it crossed a grant on its way.
                    position = message.epoch * consumer.ring.steps + message.step
                    consumer.member.waits_since_s = monotonic() if consumer.member.position == position else inf
            case Attach():
                self._attach(consumer, message)
            case At():
                self._note_alone(consumer, message)
            case Leave():
                self._part(consumer)
                consumer.key = None
            case _:
                self._drop(consumer)

    def _attach(self, consumer: _Consumer, asked: Attach) -> None:
        now, steps = monotonic(), asked.stream.steps_per_epoch
        key: Key = (asked.stream.identity, asked.order_seed, asked.augment_seed, steps, asked.stream.shape)
        position, limit = asked.epoch * steps + asked.step, (asked.epoch + 1) * steps
        consumer.ticket, consumer.told_s = asked.ticket, now
        member = consumer.member
        if member is not None and consumer.key == key and member.position == position:
            member.limit = limit
            return
        self._part(consumer)
        consumer.key, consumer.steps, consumer.alone_at = key, steps, -1
        cohort = self._find(key, position) or self._begin(consumer, key, asked, position, now)
        if cohort is not None:
            consumer.ring, consumer.member = cohort.ring, Member(position, limit, now)
            cohort.ring.members.add(consumer.member)

    def _find(self, key: Key, position: int) -> _Cohort | None:
        return next((c for c in self._cohorts if c.key == key and c.ring.covers(position)), None)

    def _begin(self, consumer: _Consumer, key: Key, asked: Attach, position: int, now: float) -> _Cohort | None:
        """A new ring for a consumer, or None: it was told to go on alone."""
        same = [cohort for cohort in self._cohorts if cohort.key == key]
        if same and (asked.step > 0 or len(same) >= _MAX_RINGS):
            places = ", ".join(
                "epoch {}, step {}".format(*divmod(cohort.ring.head, asked.stream.steps_per_epoch)) for cohort in same
            )
            self._tell_alone(consumer, f"the other trials of its stream are elsewhere (at {places})")
            return None
        size = num_bytes(asked.stream.shape)
        left = self._limit - sum(cohort.claim for cohort in self._cohorts)
        capacity = min(self._max_batches, self._ring_bytes // size, left // size - self._ahead)
        if capacity < _MIN_BATCHES:
            needed = (_MIN_BATCHES + self._ahead) * size
            self._tell_alone(
                consumer,
                f"sharing needs {needed / 2**20:,.0f} MiB for batches of {size / 2**20:,.1f} MiB, and "
                f"{max(0, min(self._ring_bytes, left)) / 2**20:,.0f} MiB may be used: free memory, lower "
                "data.batch_size, or set data.sharing to 'never'",
                fault=True,
            )
            return None
        ring = Ring(position, asked.stream.steps_per_epoch, capacity, self._patience, now)
        ring.awaited = lambda start, now: self._awaited(key, ring, start, now)
        pump = Pump(ring, asked, self._changed, lambda: self._open_source(asked.stream.spec), self._wake)
        self._pumps = [old for old in self._pumps if old.alive] + [pump]
        cohort = _Cohort(key, ring, pump, (capacity + self._ahead) * size)
        self._cohorts.append(cohort)
        return cohort

    def _awaited(self, key: Key, ring: Ring, start: int, now: float) -> bool:
        """Whether a lone consumer will reach the epoch that begins at `start` while all in the ring can wait for it."""
        patience = min((ring.patience_left_s(member, now) for member in ring.members), default=0.0)
        for consumer in self._consumers:
            if (
                consumer.key != key
                or consumer.member is not None
                or not start - ring.steps <= consumer.alone_at < start
            ):
                continue
            first, since = consumer.alone_since
            if consumer.alone_at > first:
                pace = (now - since) / (consumer.alone_at - first)
                if pace * (start - consumer.alone_at) <= patience:
                    return True
        return False

    def _note_alone(self, consumer: _Consumer, at: At) -> None:
        position = at.epoch * consumer.steps + at.step
        if consumer.alone_at < 0:
            consumer.alone_since = (position, monotonic())
        consumer.alone_at = position

    def _advance(self, now: float) -> None:
        """Judge, grant, and end what nobody needs."""
        by_member = {consumer.member: consumer for consumer in self._consumers if consumer.member is not None}
        for cohort in list(self._cohorts):
            ring = cohort.ring
            for member, reason in ring.judge(now):
                self._send_off(by_member[member], reason)
            for member in list(ring.members):
                self._grant_due(by_member[member], ring, member, now)
                if cohort.pump.reason is not None and ring.head <= member.position < member.limit:
                    self._send_off(by_member[member], f"the reader failed ({cohort.pump.reason})", fault=True)
            if not ring.members:
                ring.end()
                self._cohorts.remove(cohort)
                self._retired[0] += cohort.pump.num_batches
                self._retired[1] += cohort.pump.num_samples

    def _grant_due(self, consumer: _Consumer, ring: Ring, member: Member, now: float) -> None:
        while consumer.member is member and (batch := ring.due(member)) is not None:
            slot, (epoch, step) = batch.slot, divmod(batch.position, ring.steps)
            grant = Grant(consumer.ticket, epoch, step, slot.number, batch.num, batch.num_undecodable)
            descriptors = [] if slot.number in consumer.known else [slot.descriptor]
            ring.grant(member, batch)
            consumer.held[slot.number].append((ring, member, batch))
            consumer.known.add(slot.number)
            self._send(consumer, grant, descriptors)
            consumer.told_s = now
        if member.waiting and now - consumer.told_s >= BUSY_S:
            self._send(consumer, Busy())
            consumer.told_s = now

    def _send_off(self, consumer: _Consumer, reason: str, fault: bool = False) -> None:
        self._part(consumer)
        self._tell_alone(consumer, reason, fault)

    def _tell_alone(self, consumer: _Consumer, reason: str, fault: bool = False) -> None:
        self._send(consumer, Alone(consumer.ticket, fault, reason))

    def _send(self, consumer: _Consumer, message: Message, descriptors: list[int] | None = None) -> None:
        try:
            if descriptors:
                socket.send_fds(consumer.connection, [pack(message)], descriptors)
            else:
                consumer.connection.send(pack(message))
        except BlockingIOError:
            if not isinstance(message, Busy):  # credit bounds the rest
                self._drop(consumer)
        except OSError:
            self._drop(consumer)

    def _part(self, consumer: _Consumer) -> None:
        """Out of its ring; what it holds stays its own until it lets go."""
        if consumer.ring is not None and consumer.member is not None:
            consumer.ring.members.discard(consumer.member)
        consumer.ring = consumer.member = None
        # It forgets its slots too, so that rings that ended take no memory.
        consumer.known.clear()

    def _drop(self, consumer: _Consumer) -> None:
        if consumer not in self._consumers:
            return
        self._part(consumer)
        # What it held is not taken back, for a process may outlive its connection: its slots are written no more.
        consumer.held.clear()
        self._consumers.discard(consumer)
        self._selector.unregister(consumer.connection)
        consumer.connection.close()
        if not self._consumers:
            self._quiet_since = monotonic()
