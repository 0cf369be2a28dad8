"""What happens to shards while a stream reads them; and which are fetched ahead of it, in which order."""

import os
import shutil
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from data_servers import QUICK, Fault, FaultyLine, Nginx, until

from paribus.data import DataError, Feed, open_feed
from paribus.recipe import preset
from paribus.shards.index import read_index
from paribus.shards.manifest import read_manifest
from paribus.shards.open_shards import OpenShards
from paribus.shards.reading import ShardReader, _first_needed
from paribus.shards.storage.locations import ShardLocation

RECIPE = preset("synthetic").replace({"data.batch_size": 4, "data.shuffle_shards": 2, "data.cache": "never"})
EPOCH = (1, 2, 0)


@pytest.fixture
def copy(stripes: Path, tmp_path: Path) -> Path:
    """64 samples in 13 shards, in a folder of a test's own, to damage."""
    return Path(shutil.copytree(stripes, tmp_path / "set"))


def opened(shards: str | Path, home: Path, threads: int = 0) -> Feed:
    return open_feed(RECIPE.replace({"data.shards": str(shards)}), home, threads=threads)


def reader_of(folder: Path) -> ShardReader:
    place = ShardLocation(str(folder))
    manifest = read_manifest(place)
    return ShardReader(place, manifest, "train", read_index(place, manifest, "train"))


def shards_in_turn(shards: str | Path, home: Path) -> list[str]:
    """The files that the epoch needs, in the order in which it first does."""
    reader = reader_of(Path(shards))
    row_of = {key: row for row, key in enumerate(reader.index.keys)}
    keys = chain.from_iterable(batch.keys for batch in opened(shards, home).batches(*EPOCH))
    return list(dict.fromkeys(reader.shards[reader.index.shard_of[row_of[key]]].file for key in keys))


@pytest.mark.parametrize("threads", [0, 2])
def test_a_shard_that_goes_missing_in_mid_epoch_is_named(copy: Path, tmp_path: Path, threads: int) -> None:
    last = shards_in_turn(copy, tmp_path)[-1]
    batches = opened(copy, tmp_path, threads).batches(*EPOCH)
    next(batches)
    (copy / last).unlink()
    with pytest.raises(DataError, match=f"{last} is missing: restore it or make the shards again"):
        list(batches)


def test_a_shard_that_is_cut_while_it_is_read_is_named_with_the_sample(copy: Path) -> None:
    reader = reader_of(copy)
    reader.read(5)
    os.truncate(copy / "train-000001.tar", int(reader.index.rows["offset"][9]) + 10)
    for row in (5, 8):
        assert len(reader.read(row)) == reader.index.rows["length"][row]
    with pytest.raises(DataError, match=r"train-000001\.tar .*truncated: it ends within sample 'train-0009': restore"):
        reader.read(9)


def test_a_disk_that_fails_is_named_with_shard_and_sample(copy: Path) -> None:
    """The kernel's own EIO: the descriptor of the shard becomes one whose first page nobody can read."""
    reader = reader_of(copy)
    reader.read(5)
    with Path("/proc/self/mem").open("rb") as unreadable:
        os.dup2(unreadable.fileno(), reader.open_shards[1].file.fileno())
    with pytest.raises(DataError, match=r"train-000001\.tar .* cannot be read at sample 'train-0006' \(Input/output"):
        reader.read(6)


def test_a_flipped_byte_is_named_with_the_sample_and_spares_the_others(copy: Path) -> None:
    reader = reader_of(copy)
    with (copy / "train-000001.tar").open("r+b") as file:
        file.seek(int(reader.index.rows["offset"][7]) + 20)
        file.write(b"\xff")
    assert all(reader.read(row) for row in (5, 6, 8, 9))
    with pytest.raises(DataError, match=r"train-000001\.tar .* altered: sample 'train-0007' fails its checksum"):
        reader.read(7)


def test_many_threads_read_the_right_bytes(copy: Path) -> None:
    reader = reader_of(copy)
    rows = [row % 64 for row in range(640)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(reader.read, rows))
    assert found == [reader.read(row) for row in rows]
    # Two threads may have opened one at the same moment; whoever came second threw its own away.
    assert 13 <= reader.open_shards.num_opened <= 8 * 13


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_shards_of_an_address_are_fetched_in_the_order_of_their_need(
    web: Nginx, stripes: Path, tmp_path: Path, threads: int
) -> None:
    in_turn = shards_in_turn(stripes, tmp_path)
    before = len(web.asked(".tar"))
    feed = opened(web.address + web.path(stripes), tmp_path, threads)
    batches = feed.batches(*EPOCH)
    first = next(batches).keys
    # Batches of 4 need 2 or 3 shards; by now those behind them have been asked for too.
    until(lambda: len(web.asked(".tar")) >= before + 5)
    rest = [batch.keys for batch in batches]
    asked = [line.rpartition("/")[2] for line in web.asked(".tar")[before:]]
    assert sorted(asked) == sorted(in_turn), "each once, and no other"
    # Four are under way at a time, so each may be answered before the three ahead of it.
    assert all(abs(asked.index(file) - place) < 4 for place, file in enumerate(in_turn))
    assert [first, *rest] == [batch.keys for batch in opened(stripes, tmp_path).batches(*EPOCH)]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("paribus-")]


def test_a_stream_from_its_middle_fetches_no_shard_that_is_done(web: Nginx, stripes: Path, tmp_path: Path) -> None:
    before = len(web.asked(".tar"))
    feed = opened(web.address + web.path(stripes), tmp_path)
    assert len(list(feed.batches(*EPOCH, start_step=12))) == 4
    assert 1 <= len(web.asked(".tar")) - before <= 8


@pytest.mark.parametrize("threads", [0, 2])
def test_a_stream_that_is_left_while_a_server_stalls_ends_soon(
    web: Nginx, stripes: Path, tmp_path: Path, threads: int
) -> None:
    in_turn = shards_in_turn(stripes, tmp_path)
    retry_policy = replace(QUICK, attempts=1_000_000, total_s=1_000, first_wait_s=60, longest_wait_s=60)
    with FaultyLine(web.port, *[Fault("stall", 300)] * 9, suffering=in_turn[-1].encode()) as line:
        place = ShardLocation(line.address + web.path(stripes), tmp_path, retry_policy)
        manifest = read_manifest(place)
        numbers = [int(file[6:12]) for file in in_turn]
        open_shards = OpenShards(place, manifest.split("train").shards, "stripes")
        with open_shards.ahead(numbers):
            readers = [
                threading.Thread(target=is_cancelled, args=(open_shards, numbers[-1])) for _ in range(threads + 1)
            ]
            for reader in readers:
                reader.start()
            until(lambda: any(in_turn[-1].encode() in request for request in line.requests))
        for reader in readers:
            reader.join(30)
            assert not reader.is_alive()


def is_cancelled(open_shards: OpenShards, number: int) -> None:
    with pytest.raises(CancelledError):
        open_shards[number]


def test_two_epochs_at_a_time_share_what_was_fetched(web: Nginx, stripes: Path, tmp_path: Path) -> None:
    before = len(web.asked(".tar"))
    feed = opened(web.address + web.path(stripes), tmp_path, threads=2)
    pairs = list(zip(feed.batches(1, 2, 0), feed.batches(1, 2, 1), strict=True))
    local = opened(stripes, tmp_path)
    expected = list(zip(local.batches(1, 2, 0), local.batches(1, 2, 1), strict=True))
    assert [(a.keys, b.keys) for a, b in pairs] == [(a.keys, b.keys) for a, b in expected]
    assert len(web.asked(".tar")) - before == 13


@pytest.mark.parametrize("threads", [0, 2])
def test_an_epoch_that_is_left_does_not_end_another(web: Nginx, stripes: Path, tmp_path: Path, threads: int) -> None:
    feed = opened(web.address + web.path(stripes), tmp_path, threads)
    left, stays = feed.batches(1, 2, 0), feed.batches(1, 2, 1)
    next(left)
    keys = [next(stays).keys]
    left.close()
    keys += [batch.keys for batch in stays]
    assert keys == [batch.keys for batch in opened(stripes, tmp_path).batches(1, 2, 1)]


def test_who_waits_in_an_order_that_is_given_up_goes_on_in_another(web: Nginx, stripes: Path, tmp_path: Path) -> None:
    file = b"train-000004.tar"
    with FaultyLine(web.port, Fault("stall", 300), suffering=file) as line:
        place = ShardLocation(line.address + web.path(stripes), tmp_path, QUICK)
        open_shards = OpenShards(place, read_manifest(place).split("train").shards, "stripes")
        left, pool = open_shards.ahead([4]), ThreadPoolExecutor()
        left.__enter__()
        with pool, open_shards.ahead([5, 4]):
            until(lambda: any(file in request for request in line.requests))
            waiting = pool.submit(open_shards.__getitem__, 4)
            until(waiting.running)
            left.__exit__(None, None, None)
            assert waiting.result(30).length > 0


def test_the_order_of_need_is_that_of_first_occurrence() -> None:
    shards = np.array([3, 3, 1, 5, 1, 3, 0, 5], np.int32)
    assert _first_needed(shards, 8) == [3, 1, 5, 0]
    assert _first_needed(shards[:0], 8) == []
