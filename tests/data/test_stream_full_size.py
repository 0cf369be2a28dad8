"""A stream over 1,281,167 samples in 1,024 shards: what it opens, reads and holds. Counted, not timed."""

import tracemalloc
from pathlib import Path

import pytest
from full_size import NUM_SHARDS, NUM_TRAIN, imagenet_sized

from paribus.data import Feed, open_feed
from paribus.recipe import preset

BATCH = 8
OPEN_SHARDS = 64
MIB = 1 << 20


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("full")
    imagenet_sized(folder / "data" / "imagenet")
    return folder


def open_at(home: Path, threads: int = 1, **settings: float) -> Feed:
    changes = {f"data.{name}": value for name, value in settings.items()}
    return open_feed(preset("imagenet").replace({"data.cache": "never", **changes}), home, threads=threads)


def shards_open(home: Path) -> int:
    """How many files of the set this process holds open, as the kernel says."""
    links = (link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink())
    return sum(home in link.parents for link in links)


def bytes_read() -> int:
    """What this process was given by reads of any kind, as the kernel counts."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["rchar"])


def test_opening_touches_no_shard(home: Path) -> None:
    feed = open_at(home, batch_size=BATCH)
    assert (feed.num_train, feed.steps_per_epoch) == (NUM_TRAIN, NUM_TRAIN // BATCH)
    assert shards_open(home) == 0


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.999])
def test_resuming_anywhere_opens_few_shards_and_reads_the_samples_asked_for(home: Path, share: float) -> None:
    feed = open_at(home, batch_size=BATCH, size=32)
    start = int(share * feed.steps_per_epoch)
    before = bytes_read()
    batches = feed.batches(1, 2, epoch=5, start_step=start)
    batch = next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert len(batch.keys) == BATCH
    assert 1 <= shards_open(home) <= OPEN_SHARDS + 1
    # Three batches are begun, of files of at most 128 KiB.
    assert BATCH * 10_000 < bytes_read() - before < 3 * BATCH * (128 << 10)


def test_an_epoch_walks_through_the_shards_and_opens_each_once(home: Path) -> None:
    """One sample a class, spread over all shards, so that it takes no minutes."""
    feed = open_at(home, threads=2, train_fraction=1e-6, batch_size=50, size=8)
    keys = [key for batch in feed.batches(1, 2, epoch=0) for key in batch.keys]
    assert len(set(keys)) == feed.num_train == 1000
    shards = feed.train.index.shard_of[[int(key.rpartition("_")[2]) for key in keys]]
    assert 500 < len(set(shards)) == feed.train.reader.open_shards.num_opened < NUM_SHARDS
    assert OPEN_SHARDS < shards_open(home) <= 256


def test_memory_is_some_tens_of_bytes_a_sample(home: Path) -> None:
    tracemalloc.start()
    try:
        feed = open_at(home, batch_size=BATCH, size=32)
        batches = feed.batches(1, 2, epoch=0, start_step=1000)
        for _ in range(3):
            next(batches)
        held, peak = tracemalloc.get_traced_memory()
        batches.close()  # type: ignore[attr-defined]
    finally:
        tracemalloc.stop()
    assert held < 130 * MIB
    assert peak < 200 * MIB
