"""Which batches are kept for whom, and who must go: the rules of sharing, without sockets, threads or clocks.

A position counts the batches of all epochs: epoch * steps per epoch + step.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from paribus.data.sharing.memory import Slot
from paribus.data.sharing.wait_policy import WaitPolicy

# Batches that a client may have at a time. It reads the next while one is trained on and one is about to be let go.
CREDIT = 4


@dataclass(eq=False)
class Member:
    """A client in a ring: it is granted `position` next, and asked for what comes before `limit`."""

    position: int
    limit: int
    joined_s: float
    waits_since_s: float = inf
    waited_s: float = 0.0
    num_held: int = 0

    @property
    def waiting(self) -> bool:
        """Whether it has nothing to train on."""
        return self.waits_since_s < inf


@dataclass(eq=False)
class RingBatch:
    """A batch in memory, and the members that may look at it."""

    position: int
    slot: Slot
    num: int
    num_undecodable: int
    holders: set[Member] = field(default_factory=set)


class Ring:
    """The newest batches of one stream, at most `capacity`, and the members that they are kept for.

    Memory is written again only when nobody looks at it any more: a batch that a member which left still holds is no
    longer counted, and its slot comes back when it is let go. So a ring takes `capacity` slots, and `CREDIT` more per
    member that left and does not let go.
    """

    def __init__(self, start: int, steps: int, capacity: int, wait_policy: WaitPolicy, now: float) -> None:
        self.steps = steps
        self.head = start
        self.members: set[Member] = set()
        self.ended = False
        self.free: list[Slot] = []
        self.awaited: Callable[[int, float], bool] = lambda position, now: False
        self._start, self._capacity, self._wait_policy = start, capacity, wait_policy
        self._gather_until_s = now + wait_policy.gather_s
        self._gathered = -1
        self._batches: deque[RingBatch] = deque()
        self._judged_s, self._was_blocked = now, False

    def covers(self, position: int) -> bool:
        """Whether a member could begin at `position`."""
        return self.head - len(self._batches) <= position <= self.head

    def due(self, member: Member) -> RingBatch | None:
        """What `member` is to be granted now, if anything."""
        if member.position >= min(self.head, member.limit) or member.num_held >= CREDIT:
            return None
        return self._batches[member.position - self.head]

    def grant(self, member: Member, batch: RingBatch) -> None:
        """`member` may look at `batch` from now on."""
        batch.holders.add(member)
        member.num_held += 1
        member.position += 1
        member.waits_since_s = inf

    def release(self, member: Member, batch: RingBatch) -> None:
        """`member` lets go of `batch`."""
        batch.holders.discard(member)
        member.num_held -= 1
        if not batch.holders and not self.ended and batch.position < self.head - len(self._batches):
            self.free.append(batch.slot)

    def wanted(self) -> bool:
        """Whether a member asked for the next batch."""
        return any(member.limit > self.head for member in self.members)

    def room(self, now: float) -> bool:
        """Whether the next batch is wanted and there is room for it."""
        return self.wanted() and not self._full(now)

    def publish(self, slot: Slot, num: int, num_undecodable: int) -> None:
        """Add the next batch, in the place of the oldest where the ring is full; call it when there is `room`."""
        if len(self._batches) == self._capacity:
            oldest = self._batches.popleft()
            if not oldest.holders:
                self.free.append(oldest.slot)
        self._batches.append(RingBatch(self.head, slot, num, num_undecodable))
        self.head += 1

    def end(self) -> None:
        """Keep nothing any more."""
        self.ended = True
        self.free.clear()
        self._batches.clear()

    def judge(self, now: float) -> list[tuple[Member, str]]:
        """The members that must go on alone now, with the reason, so that nobody waits longer than its wait policy.

        The smaller group leaves: those who wait for slower ones, or those who are waited for; of equal ones the latter.
        """
        blocked = self.wanted() and self._full(now)
        waiting = [member for member in self.members if member.waiting]
        for member in waiting if self._was_blocked else ():
            member.waited_s += now - max(self._judged_s, member.waits_since_s)
        self._judged_s, self._was_blocked = now, blocked
        if not blocked:
            return []
        impatient = [member for member in waiting if self.patience_left_s(member, now) <= 0]
        if not impatient:
            return []
        if self._kept(now):
            self._gathered = self._batches[0].position
            return []
        laggards = [member for member in self.members if not member.waiting and self._needs_oldest(member)]
        if len(waiting) < len(laggards):
            return [(member, "the other trials of its stream are slower") for member in impatient]
        return [(member, "the other trials of its stream are faster and waited for it") for member in laggards]

    def patience_left_s(self, member: Member, now: float) -> float:
        """Seconds that `member` may still spend waiting for others."""
        return self._wait_policy.left_s(member.waited_s, now - member.joined_s)

    def _full(self, now: float) -> bool:
        if len(self._batches) < self._capacity:
            return False
        return self._kept(now) or any(self._needs_oldest(member) for member in self.members)

    def _needs_oldest(self, member: Member) -> bool:
        oldest = self._batches[0]
        # One that waits for more while it holds the oldest batch forgot to let go: the batch is left to it.
        return member.position <= oldest.position or (member in oldest.holders and not member.waiting)

    def _kept(self, now: float) -> bool:
        """Whether the oldest batch is kept for members still to come."""
        oldest = self._batches[0].position
        if oldest == self._gathered:
            return False
        if oldest == self._start and now < self._gather_until_s:
            return True
        return oldest % self.steps == 0 and self.awaited(oldest, now)
