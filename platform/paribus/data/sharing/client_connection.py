"""One client as the reader sees it: its connection, where it is, and the slots that it may look at."""

import socket
from collections import defaultdict
from math import inf
from time import monotonic

from paribus.data.sharing.protocol import MAX_PACKET, Alone, At, Busy, Grant, Message, pack, unpack
from paribus.data.sharing.ring import Member, Ring, RingBatch

# At most between two signs of life to a client that waits.
BUSY_S = 1.0
Key = tuple[object, ...]


class ClientConnection:
    """`key` names the stream that was asked for last, `member` its place in `ring`; neither: it is alone.

    Nothing here raises: where the connection fails, the peer is `gone`.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.gone = False
        self.ticket = -1
        self.key: Key | None = None
        self.steps = 0
        self.ring: Ring | None = None
        self.member: Member | None = None
        self._held: defaultdict[int, list[tuple[Ring, Member, RingBatch]]] = defaultdict(list)
        self._known: set[int] = set()
        self._told_s = 0.0
        self._alone_from: tuple[int, float] | None = None
        self._alone_at = 0

    def receive(self) -> Message | None:
        """The next message, if there is one."""
        try:
            packet = self.connection.recv(MAX_PACKET)
            if packet:
                return unpack(packet)
        except BlockingIOError:
            return None
        except (OSError, ValueError):
            pass
        self.gone = True
        return None

    def ask(self, ticket: int, key: Key, steps: int) -> None:
        """It asked for the stream `key`."""
        self.ticket, self.key, self.steps, self._told_s = ticket, key, steps, monotonic()
        self._alone_from = None

    def join(self, ring: Ring, member: Member) -> None:
        """Into `ring`."""
        self.ring, self.member = ring, member
        ring.members.add(member)

    def part(self) -> None:
        """Out of its ring; what it holds stays its own until it lets go."""
        if self.ring is not None and self.member is not None:
            self.ring.members.discard(self.member)
        self.ring = self.member = None
        # It forgets its slots too, so that rings that ended take no memory.
        self._known.clear()

    def close(self) -> None:
        """Out of everything. What it held is not taken back, for a process may outlive its connection."""
        self.part()
        self._held.clear()
        self.connection.close()

    def serve(self, now: float) -> None:
        """Grant what is due, or give a sign of life."""
        ring, member = self.ring, self.member
        if ring is None or member is None:
            return
        while not self.gone and (batch := ring.due(member)) is not None:
            slot = batch.slot
            ring.grant(member, batch)
            self._held[slot.number].append((ring, member, batch))
            position = divmod(batch.position, ring.steps)
            grant = Grant(self.ticket, *position, slot.number, batch.num, batch.num_undecodable)
            self._send(grant, [] if slot.number in self._known else [slot.descriptor])
            self._known.add(slot.number)
            self._told_s = now
        if member.waiting and now - self._told_s >= BUSY_S:
            self._send(Busy())
            self._told_s = now

    def send_off(self, reason: str, fault: bool = False) -> None:
        """Let it go on alone."""
        self.part()
        self._send(Alone(self.ticket, fault, reason))

    def release(self, slot: int) -> None:
        """It lets go of `slot`."""
        if held := self._held.get(slot):
            ring, member, batch = held.pop()
            ring.release(member, batch)

    def wait(self, epoch: int, step: int) -> None:
        """It has nothing to train on, and takes that step next."""
        if self.member is not None and self.ring is not None:
            # Else its words crossed a grant on their way.
            waits = self.member.position == epoch * self.ring.steps + step
            self.member.waits_since_s = monotonic() if waits else inf

    def note_alone(self, at: At) -> None:
        """It is alone, and there."""
        self._alone_at = at.epoch * self.steps + at.step
        if self._alone_from is None:
            self._alone_from = self._alone_at, monotonic()

    def reaches_s(self, start: int, now: float) -> float:
        """Seconds until it reaches the epoch that begins at `start`, alone; infinite where that cannot be told."""
        if self.member is not None or self._alone_from is None:
            return inf
        first, since = self._alone_from
        if not max(first + 1, start - self.steps) <= self._alone_at < start:
            return inf
        return (start - self._alone_at) * (now - since) / (self._alone_at - first)

    def _send(self, message: Message, descriptors: list[int] | None = None) -> None:
        try:
            if descriptors:
                socket.send_fds(self.connection, [pack(message)], descriptors)
            else:
                self.connection.send(pack(message))
        except BlockingIOError:
            self.gone |= not isinstance(message, Busy)  # credit bounds the rest
        except OSError:
            self.gone = True
