"""Whoever is killed or stands still: no other client loses, repeats or waits for anything, and nothing is left."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cohort import Noise, Plan, Process, alone, consumer_process, reader_process, seen_by, start

from paribus.data.sharing import WaitPolicy

SOURCE = Noise(steps=30, delay_s=0.01)
PLAN = Plan(epochs=2)
# So long that a test in which one is waited for in vain runs into its limit.
LASTING = WaitPolicy(base_s=100.0, gather_s=0.3)
SHORT = WaitPolicy(base_s=0.3, share=0.0, gather_s=0.3)


@pytest.fixture(autouse=True)
def end_all() -> Iterator[None]:
    yield
    for process in list(Process.running):  # of a test that failed in its middle
        process.kill()


def begin(num: int, wait_policy: WaitPolicy = LASTING, silence_s: float = 10.0) -> tuple[Process, list[Process]]:
    """A reader, and `num` clients that begin together."""
    reader = reader_process(wait_policy, ahead=SOURCE.ahead + 2)
    address = reader.line()["address"]
    clients = [consumer_process(address, SOURCE, PLAN, silence_s=silence_s) for _ in range(num)]
    start(*clients)
    return reader, clients


def read(process: Process, num: int) -> list[object]:
    """The next `num` batches that a client tells of."""
    return [process.line() for _ in range(num)]


def facts(seen: list[object]) -> list[tuple[int, int, str]]:
    return [(batch.epoch, batch.step, batch.digest) for batch in seen]


def test_four_processes_share_one_reader() -> None:
    reader, clients = begin(4)
    for client in clients:
        seen, partings = seen_by(client)
        assert facts(seen) == alone(SOURCE, PLAN)
        assert all(batch.shared for batch in seen)
        assert partings == []
    assert reader.end()[-1] == {"batches": 60, "samples": 240, "clients": 0}


def test_a_killed_consumer_is_waited_for_by_nobody() -> None:
    reader, (victim, *others) = begin(3)
    read(victim, 5)
    for process in (reader, victim):
        maps = Path(f"/proc/{process.pid}/maps").read_text()
        assert "memfd:paribus-batch" in maps
        assert "/dev/shm" not in maps, "what has no name is not left behind"
    victim.kill()
    for client in others:
        seen, partings = seen_by(client)
        assert facts(seen) == alone(SOURCE, PLAN)
        assert all(batch.shared for batch in seen)
        assert partings == []
    assert reader.end()[-1]["batches"] == 60


def test_one_that_stands_still_is_left_behind_and_goes_on_right() -> None:
    reader, (still, *others) = begin(3, SHORT)
    begun = read(still, 5)
    os.kill(still.pid, signal.SIGSTOP)
    for client in others:
        seen, partings = seen_by(client)
        assert facts(seen) == alone(SOURCE, PLAN)
        assert all(batch.shared for batch in seen)
        assert partings == []
    os.kill(still.pid, signal.SIGCONT)
    seen, partings = seen_by(still, begun)
    assert facts(seen) == alone(SOURCE, PLAN)
    assert [(parting.epoch, parting.fault) for parting in partings] == [(0, False)]
    assert "faster" in partings[0].reason
    assert 5 <= sum(batch.shared for batch in seen if batch.epoch == 0) < 30
    reader.end()


def test_a_killed_reader_costs_four_consumers_no_sample() -> None:
    reader, clients = begin(4)
    begun = [read(client, 5) for client in clients]
    reader.kill()
    for client, first in zip(clients, begun, strict=True):
        seen, partings = seen_by(client, first)
        assert facts(seen) == alone(SOURCE, PLAN)
        num_shared = sum(batch.shared for batch in seen)
        assert 5 <= num_shared < 30
        assert [batch.shared for batch in seen] == [True] * num_shared + [False] * (60 - num_shared)
        assert [(parting.epoch, parting.step) for parting in partings] == [(0, num_shared), (1, 0)]
        assert all(parting.fault for parting in partings)
        assert "the reader ended" in partings[0].reason
        assert "there is no reader" in partings[1].reason


def test_a_reader_that_stands_still_is_given_up() -> None:
    reader, (client,) = begin(1, silence_s=0.5)
    begun = read(client, 5)
    os.kill(reader.pid, signal.SIGSTOP)
    stopped = time.monotonic()
    seen, partings = seen_by(client, begun)
    assert time.monotonic() - stopped < 10
    assert facts(seen) == alone(SOURCE, PLAN)
    assert "the reader was silent for 0.5 s" in partings[0].reason
    os.kill(reader.pid, signal.SIGCONT)
    reader.go()
    while reader.line()["clients"]:
        reader.go()
    reader.end()


def test_a_slow_reader_is_not_given_up() -> None:
    source, reader = Noise(steps=2, delay_s=1.6), reader_process(LASTING)
    client = consumer_process(reader.line()["address"], source, Plan(), silence_s=1.5)
    start(client)
    seen, partings = seen_by(client)
    assert (len(seen), partings) == (2, [])
    reader.end()


def test_memory_that_may_not_be_had_is_told_and_each_goes_on_alone() -> None:
    source = Noise(steps=6, shape=(64, 96, 96, 3))
    reader = reader_process(LASTING, file_mib=1)
    client = consumer_process(reader.line()["address"], source, Plan())
    start(client)
    seen, partings = seen_by(client)
    assert facts(seen) == alone(source)
    assert not any(batch.shared for batch in seen)
    assert [parting.fault for parting in partings] == [True]
    assert "the reader failed (OSError: [Errno 27] File too large" in partings[0].reason
    reader.end()


def test_maps_of_a_reader_that_ended_are_gone_with_their_last_batch() -> None:
    reader, (client,) = begin(1)
    begun = read(client, 5)
    reader.kill()
    while begun[-1]["shared"]:
        begun += read(client, 1)
    begun += read(client, 2)
    assert "memfd:paribus-batch" not in Path(f"/proc/{client.pid}/maps").read_text()
    assert facts(seen_by(client, begun)[0]) == alone(SOURCE, PLAN)
