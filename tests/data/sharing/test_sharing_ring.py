"""The rules of sharing: what is kept for whom, and who goes when."""

from __future__ import annotations

import pytest

from paribus.data.sharing.memory import Slot
from paribus.data.sharing.ring import CREDIT, Member, Ring
from paribus.data.sharing.wait_policy import WaitPolicy

STEPS = 100
STRICT = WaitPolicy(base_s=2.0, share=0.0, gather_s=0.0)


def ring(capacity: int = 6, wait_policy: WaitPolicy = STRICT) -> Ring:
    return Ring(0, STEPS, capacity, wait_policy, now=0.0)


def join(ring: Ring, position: int = 0) -> Member:
    member = Member(position, STEPS, joined_s=0.0)
    ring.members.add(member)
    return member


def fill(ring: Ring, now: float = 0.0) -> int:
    """Publish while there is room; how many batches that were."""
    before = ring.head
    while ring.room(now):
        ring.publish(ring.free.pop() if ring.free else Slot((1, 1, 1, 1)), 1, 0)
    return ring.head - before


def take(ring: Ring, member: Member, num: int = 1, keep: bool = False) -> list[int]:
    """Grant up to `num` batches to a member that lets each go at once, unless `keep`; their positions."""
    taken = []
    for _ in range(num):
        if (batch := ring.due(member)) is None:
            break
        ring.grant(member, batch)
        taken.append(batch.position)
        if not keep:
            ring.release(member, batch)
    return taken


def test_nobody_asks_nothing_is_drawn() -> None:
    empty = ring()
    assert fill(empty) == 0
    member = join(empty)
    member.limit = 2
    assert fill(empty) == 2


def test_a_batch_is_kept_for_the_slowest_and_no_longer() -> None:
    shared = ring(capacity=6)
    fast, slow = join(shared), join(shared)
    assert fill(shared) == 6
    assert take(shared, fast, 6) == [0, 1, 2, 3, 4, 5]
    assert fill(shared) == 0
    assert take(shared, slow, 2) == [0, 1]
    assert fill(shared) == 2
    assert take(shared, fast, 9) == [6, 7]


def test_what_is_looked_at_is_not_written_again() -> None:
    shared = ring(capacity=6)
    member = join(shared)
    fill(shared)
    held = shared.due(member)
    assert held is not None
    shared.grant(member, held)
    assert take(shared, member, 3) == [1, 2, 3]
    assert fill(shared) == 0, "the oldest is still looked at"
    shared.members.discard(member)
    other = join(shared, position=4)
    for _ in range(4):
        fill(shared)
        take(shared, other, 6)
        assert held.slot not in shared.free
    assert shared.head > 12


def test_a_slot_comes_back_when_the_one_that_left_lets_go() -> None:
    shared = ring(capacity=2)
    gone, stays = join(shared), join(shared)
    fill(shared)
    held = shared.due(gone)
    assert held is not None
    shared.grant(gone, held)
    shared.members.discard(gone)
    take(shared, stays, 2)
    fill(shared)
    assert shared.head == 4
    assert held.slot not in shared.free
    shared.release(gone, held)
    assert held.slot in shared.free


def test_a_slot_that_two_look_at_comes_back_when_both_have_let_go() -> None:
    shared = ring(capacity=2)
    first, second, stays = join(shared), join(shared), join(shared)
    fill(shared)
    held = shared.due(first)
    assert held is not None
    for member in (first, second):
        shared.grant(member, held)
        shared.members.discard(member)
    take(shared, stays, 2)
    fill(shared)
    shared.release(first, held)
    assert held.slot not in shared.free
    shared.release(second, held)
    assert shared.free.count(held.slot) == 1


def test_credit_bounds_what_a_consumer_holds() -> None:
    shared = ring(capacity=8)
    member = join(shared)
    fill(shared)
    assert take(shared, member, 8, keep=True) == list(range(CREDIT))


def test_a_late_one_may_begin_wherever_a_batch_still_is() -> None:
    shared = ring(capacity=6)
    fast = join(shared)
    fill(shared)
    take(shared, fast, 6)
    fill(shared)
    assert [position for position in range(20) if shared.covers(position)] == list(range(6, 13))


def wait(member: Member) -> Member:
    member.waits_since_s = 0.0
    return member


def test_patience_ends_and_the_smaller_group_goes() -> None:
    for num_fast, num_slow, leaves in ((3, 1, "slow"), (1, 2, "fast"), (1, 1, "slow")):
        shared = ring(capacity=3)
        groups = {"fast": [join(shared) for _ in range(num_fast)], "slow": [join(shared) for _ in range(num_slow)]}
        fill(shared)
        for member in groups["fast"]:
            take(shared, wait(member), 3)
            wait(member)
        assert shared.judge(10.0) == [], "it waits from now on"
        assert shared.judge(11.9) == []
        gone = {member for member, _ in shared.judge(12.1)}
        assert gone == set(groups[leaves])


def test_waiting_for_the_reader_is_nobodys_fault() -> None:
    shared = ring(capacity=3)
    first, second = join(shared), join(shared)
    fill(shared)
    for member in (first, second):
        take(shared, member, 3)
        wait(member)
    for now in (10.0, 20.0, 30.0):
        assert shared.judge(now) == []
    assert first.waited_s == second.waited_s == 0


def test_patience_grows_with_a_trials_time() -> None:
    shared = ring(capacity=1, wait_policy=WaitPolicy(base_s=1.0, share=0.05, gather_s=0.0))
    fast, slow = join(shared), join(shared)
    fill(shared)
    take(shared, fast)
    wait(fast)
    shared.judge(1000.0)
    assert shared.judge(1050.0) == []
    assert [member for member, _ in shared.judge(1060.0)] == [slow]


def test_one_that_waits_and_holds_the_oldest_is_served_all_the_same() -> None:
    shared = ring(capacity=2)
    member = join(shared)
    fill(shared)
    take(shared, member, 2, keep=True)
    assert fill(shared) == 0
    wait(member)
    assert fill(shared) == 2
    assert shared.free == [], "both are still looked at"


def test_a_new_ring_keeps_its_first_batches_for_those_who_start_a_moment_later() -> None:
    shared = ring(capacity=2, wait_policy=WaitPolicy(base_s=60.0, gather_s=2.0))
    first = join(shared)
    fill(shared)
    take(shared, first, 2)
    assert fill(shared, now=1.9) == 0
    assert shared.covers(0)
    assert fill(shared, now=2.0) == 2


def test_an_epoch_begins_with_those_who_come_in_time() -> None:
    coming = True
    shared = Ring(98, STEPS, 2, STRICT, now=0.0)
    shared.awaited = lambda start, now: start == STEPS and coming
    member = Member(98, 2 * STEPS, joined_s=0.0)
    shared.members.add(member)
    for _ in range(3):
        fill(shared)
        take(shared, member, 2)
    assert shared.head == STEPS + 2, "the epoch's first batches stay"
    coming = False
    assert fill(shared) == 2


def test_those_who_do_not_come_are_not_waited_for_beyond_patience() -> None:
    shared = Ring(0, STEPS, 2, STRICT, now=0.0)
    shared.awaited = lambda start, now: True
    member = join(shared)
    fill(shared)
    take(shared, member, 2)
    wait(member)
    shared.judge(1.0)
    assert shared.judge(4.0) == []
    assert fill(shared) == 2


@pytest.mark.parametrize("waited_s", [0.0, 1.5])
def test_patience_in_numbers(waited_s: float) -> None:
    assert WaitPolicy().left_s(waited_s, elapsed_s=100.0) == pytest.approx(7.0 - waited_s)
