"""One reader for many clients: each sees what it would see alone, and each batch is drawn once."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from cohort import Noise, Plan, Seen, alone, digest, train

from paribus.data.sharing import Client, Limits, Server, WaitPolicy
from paribus.data.sharing.memory import Slot, Window, num_bytes
from paribus.data.sharing.protocol import connect
from paribus.data.sharing.ring import CREDIT

# Nobody is sent off, and clients of one process start within the gathering.
LASTING = WaitPolicy(base_s=60.0, gather_s=0.2)


@contextmanager
def reading(source: Noise, wait_policy: WaitPolicy = LASTING, **settings: float) -> Iterator[Server]:
    limits = Limits(ahead=source.ahead + 2, **settings)  # type: ignore[arg-type]
    reader = Server(Noise.open, wait_policy=wait_policy, limits=limits)
    try:
        yield reader
    finally:
        reader.close()


def follow(reader: Server, source: Noise, plan: Plan) -> tuple[list[Seen], Client]:
    client = Client(source.stream, lambda: reader.address)
    try:
        return list(train(source, plan, client)), client
    finally:
        client.close()


def together(reader: Server, source: Noise, *plans: Plan) -> list[tuple[list[Seen], Client]]:
    with ThreadPoolExecutor(len(plans)) as pool:
        return list(pool.map(lambda plan: follow(reader, source, plan), plans))


def facts(seen: list[Seen]) -> list[tuple[int, int, str]]:
    return [(batch.epoch, batch.step, batch.digest) for batch in seen]


def num_shared(seen: list[Seen]) -> int:
    return sum(batch.shared for batch in seen)


def until(ready: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 20.0
    while not ready():
        assert time.monotonic() < end, what
        time.sleep(0.01)


@pytest.mark.parametrize("num", [1, 2, 4])
def test_all_see_what_each_would_alone_and_each_batch_is_drawn_once(num: int) -> None:
    source, plan = Noise(), Plan(epochs=3)
    with reading(source) as reader:
        for seen, client in together(reader, source, *[plan] * num):
            assert facts(seen) == alone(source, plan)
            assert (num_shared(seen), client.num_shared, client.partings) == (36, 36, [])
        assert (reader.counts["batches"], reader.counts["samples"]) == (36, 36 * 4)


def test_one_reader_serves_several_streams_at_a_time() -> None:
    source, plans = Noise(), [Plan(order_seed=seed) for seed in (1, 2, 1, 2)]
    with reading(source) as reader:
        for (seen, _), plan in zip(together(reader, source, *plans), plans, strict=True):
            assert facts(seen) == alone(source, plan)
            assert num_shared(seen) == 12
        assert reader.counts["batches"] == 24


def test_consumers_that_evaluate_at_different_speeds_meet_again() -> None:
    source, plans = Noise(steps=10), [Plan(epochs=3, pause_s=pause) for pause in (0.0, 0.3)]
    with reading(source) as reader:
        for seen, client in together(reader, source, *plans):
            assert facts(seen) == alone(source, plans[0])
            assert (num_shared(seen), client.partings) == (30, [])
        assert reader.counts["batches"] == 30


def test_one_that_is_stopped_in_mid_epoch_is_waited_for_by_nobody() -> None:
    source, whole, cut = Noise(steps=30), Plan(), Plan(stop_after=3)
    with reading(source) as reader:
        begun = time.monotonic()
        (_, stopped), (seen, _) = together(reader, source, cut, whole)
        assert time.monotonic() - begun < 10
        assert stopped.num_shared == 3
        assert facts(seen) == alone(source, whole)
        assert num_shared(seen) == 30


def test_a_trial_that_ends_is_waited_for_by_nobody() -> None:
    source = Noise(steps=20)
    with reading(source) as reader, ThreadPoolExecutor(2) as pool:
        clients = [Client(source.stream, lambda: reader.address) for _ in range(2)]
        both = list(pool.map(lambda client: list(train(source, Plan(), client)), clients))
        assert [num_shared(seen) for seen in both] == [20, 20]
        clients[0].leave()
        assert num_shared(list(train(source, Plan(epoch=1), clients[1]))) == 20
        assert reader.counts["batches"] == 40
        for client in clients:
            client.close()


def test_one_that_resumes_in_mid_epoch_goes_alone_and_meets_the_others_at_the_next() -> None:
    source = Noise(steps=20, delay_s=0.005)
    first, late = Plan(epochs=3, slow_s=0.005), Plan(epochs=3, step=3)
    with reading(source) as reader, ThreadPoolExecutor(1) as pool:
        leading = pool.submit(follow, reader, source, first)
        until(lambda: reader.counts["batches"] >= 15, "a reader that is past the late one's step")
        seen, client = follow(reader, source, late)
        assert facts(seen) == alone(source, late)
        assert [(parting.epoch, parting.step, parting.fault) for parting in client.partings] == [(0, 3, False)]
        assert "elsewhere (at epoch 0, step 1" in client.partings[0].reason
        assert num_shared(seen) == 40
        led, leader = leading.result()
        assert facts(led) == alone(source, first)
        assert (num_shared(led), leader.partings) == (60, [])


@pytest.mark.parametrize(("fast", "slow"), [(2, 1), (1, 2)])
def test_the_smaller_group_goes_where_speeds_differ(fast: int, slow: int) -> None:
    source = Noise(steps=24)
    plans = [Plan()] * fast + [Plan(slow_s=0.04)] * slow
    with reading(source, WaitPolicy(base_s=0.1, share=0.0, gather_s=0.1)) as reader:
        done = together(reader, source, *plans)
        for seen, _ in done:
            assert facts(seen) == alone(source)
        whole = [num_shared(seen) == 24 for seen, _ in done]
        assert whole == ([True] * fast + [False] * slow if fast > slow else [False] * fast + [True] * slow)
        reasons = {parting.reason for _, client in done for parting in client.partings}
        assert len(reasons) == 1
        assert ("faster" if fast > slow else "slower") in reasons.pop()


def test_batches_that_are_kept_never_change() -> None:
    source = Noise(steps=40)
    with reading(source) as reader:
        client = Client(source.stream, lambda: reader.address)
        kept = list(client.pixels(1, 2, 0))
        assert [(0, step, digest(batch)) for step, batch in enumerate(kept)] == alone(source)
        views = [batch.images[1:, ::2] for batch in kept]
        whole = [view.copy() for view in views]
        del kept
        more = list(client.pixels(1, 2, 1))
        assert all(np.array_equal(view, copy) for view, copy in zip(views, whole, strict=True))
        assert len(more) == 40
        client.close()


def test_pixels_outlive_the_reader_and_the_connection() -> None:
    source = Noise()
    with reading(source) as reader:
        client = Client(source.stream, lambda: reader.address)
        stream = client.pixels(1, 2, 0)
        batch = next(stream)
        client.close()
    assert digest(batch) == alone(source)[0][2]


def test_torch_reads_the_same_memory_and_keeps_it() -> None:
    source = Noise()
    with reading(source) as reader:
        client = Client(source.stream, lambda: reader.address)
        stream = client.pixels(1, 2, 0)
        batch = next(stream)
        tensor = torch.from_dlpack(batch.images).permute(0, 3, 1, 2)
        assert tensor.data_ptr() == batch.images.ctypes.data, "no copy"
        expected = torch.tensor(batch.images.copy()).permute(0, 3, 1, 2)
        del batch
        assert len(list(stream)) == 11
        assert torch.equal(tensor, expected)
        client.close()


def test_no_consumer_can_write() -> None:
    slot = Slot((2, 4, 4, 3))
    window = Window(os.dup(slot.descriptor), (2, 4, 4, 3))
    slot.pixels[:] = 7
    assert (window.pixels() == 7).all()
    with pytest.raises(ValueError, match="read-only"):
        window.pixels()[0] = 1
    with pytest.raises(PermissionError):
        mmap.mmap(slot.descriptor, num_bytes((2, 4, 4, 3)))


def test_memory_is_bounded() -> None:
    """Slots of this process: what a ring keeps, what the source writes, and what the one that stands still holds."""
    source, before = Noise(steps=60), slots()  # those of other tests may not be collected yet
    with reading(source, WaitPolicy(base_s=0.2, share=0.0, gather_s=0.0), max_batches=6) as reader:
        still = Client(source.stream, lambda: reader.address)
        held = still.pixels(1, 2, 0)
        first = next(held)
        most = 0
        for _ in train(source, Plan(epochs=2), client := Client(source.stream, lambda: reader.address)):
            most = max(most, len(slots() - before))
        assert client.num_shared == 120
        assert 6 <= most <= 6 + source.ahead + 2 + CREDIT
        assert digest(first) == alone(source)[0][2]
        rest = [digest(batch) for batch in held]
        assert 1 <= len(rest) < CREDIT, "it keeps what it was given, and then goes alone"
        assert "faster" in still.partings[0].reason
        still.close()
        client.close()
    del first
    until(lambda: slots() <= before, "no slot is left")


def slots() -> set[int]:
    """Of this process, as the kernel knows them; a map has a descriptor of its own."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            if "memfd:paribus-batch" in os.readlink(entry):
                found.add(entry.stat().st_ino)
    return found


def test_too_little_memory_is_told_and_costs_nothing_else() -> None:
    source = Noise()
    with reading(source, ring_mib=0.005) as reader:
        seen, client = follow(reader, source, Plan())
        assert facts(seen) == alone(source)
        assert num_shared(seen) == 0
        assert [parting.fault for parting in client.partings] == [True]
        for part in ("sharing needs room for 2 batches of 0.0 MiB, and has 0 MiB", "data.batch_size", "data.sharing"):
            assert part in client.partings[0].reason


def test_a_fault_of_the_data_is_met_by_each_consumer_itself() -> None:
    source = Noise(fails_at=5)
    with reading(source) as reader:
        client = Client(source.stream, lambda: reader.address)
        stream = train(source, Plan(), client)
        assert num_shared([next(stream) for _ in range(5)]) == 5
        with pytest.raises(ValueError, match="step 5 is damaged"):
            next(stream)
        assert [(parting.step, parting.fault) for parting in client.partings] == [(5, True)]
        assert "step 5 is damaged" in client.partings[0].reason
        client.close()


def test_no_reader_is_no_obstacle() -> None:
    source = Noise()
    client = Client(source.stream, lambda: "paribus-nobody")
    seen = list(train(source, Plan(epochs=2), client))
    assert facts(seen) == alone(source, Plan(epochs=2))
    assert [(parting.epoch, parting.step, parting.fault) for parting in client.partings] == [
        (0, 0, True),
        (1, 0, True),
    ]
    assert "there is no reader" in client.partings[0].reason


def test_a_stranger_that_talks_nonsense_is_dropped() -> None:
    source = Noise()
    with reading(source) as reader:
        for nonsense in (b"?", b"A{}", b"G" + bytes(48), b"R1", b"A" + b"[" * 60000):
            stranger = connect(reader.address)
            stranger.send(nonsense)
            stranger.setblocking(True)
            assert stranger.recv(10) == b""
            stranger.close()
        assert num_shared(follow(reader, source, Plan())[0]) == 12
