"""Order and choice of samples: keyed, uniform, of the whole set, nested."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chisquare, ks_2samp, kstest

from paribus.data.order import epoch_order, share
from paribus.shards.counters import integers, keyed_hash, sample_ids, uniforms
from paribus.shards.fraction import choose
from paribus.shards.index import ROW, Index, read_index
from paribus.shards.manifest import read_manifest
from paribus.shards.storage.locations import ShardLocation

WIDTH = 8


def index_of(num: int, shard_size: int, num_classes: int = 4) -> Index:
    keys = [f"sample-{row}" for row in range(num)]
    rows = np.zeros(num, ROW)
    rows["id"], rows["label"] = sample_ids(keys), np.arange(num) % num_classes
    whole, rest = divmod(num, shard_size)
    return Index.of(keys, rows, [shard_size] * whole + [rest] * (rest > 0))


def imagenet_sized() -> Index:
    """1,281,167 samples in 1,024 shards, known by their ids alone."""
    rows = np.zeros(1_281_167, ROW)
    rows["id"] = np.random.Generator(np.random.Philox(key=3)).integers(0, 2**64, len(rows), dtype=np.uint64)
    samples = [len(part) for part in np.array_split(np.arange(len(rows)), 1024)]
    return Index.of(range(len(rows)), rows, samples)  # type: ignore[arg-type]


def everything(index: Index) -> NDArray[np.int32]:
    return np.arange(len(index), dtype=np.int32)


def distances(order: NDArray[np.int32]) -> NDArray[np.int64]:
    """How far apart neighbours of an epoch lie in the set."""
    return np.abs(np.diff(order.astype(np.int64)))


def test_an_epoch_visits_every_chosen_sample_once() -> None:
    index = index_of(1000, 30)
    chosen = choose(index, 0.37)
    assert sorted(epoch_order(index, chosen, WIDTH, 5, 2)) == sorted(chosen)


def test_few_shards_are_open_at_a_time_and_they_are_replaced_one_by_one() -> None:
    index = index_of(12_000, 100)
    shards = index.shard_of[epoch_order(index, everything(index), WIDTH, 5, 2)]
    first = np.array([np.flatnonzero(shards == number)[0] for number in range(120)])
    last = np.array([np.flatnonzero(shards == number)[-1] for number in range(120)])
    num_open = [int(((first <= step) & (step <= last)).sum()) for step in range(0, 12_000, 25)]
    assert max(num_open) <= WIDTH + 1
    assert np.mean(num_open[40:-40]) > WIDTH - 1
    # Openings are spread over the epoch: no window ends and takes all of its shards with it.
    assert np.diff(np.sort(first))[WIDTH:].max() < 300


def test_a_set_of_few_shards_is_one_permutation_whatever_the_width() -> None:
    index = index_of(300, 75)
    orders = [epoch_order(index, everything(index), width, 5, 2).tolist() for width in (8, 9, 64, 4096)]
    assert orders[0] == orders[1] == orders[2] == orders[3]


def test_neighbours_come_from_the_whole_set_as_in_a_full_permutation() -> None:
    """Of an ImageNet-sized epoch; a shuffle buffer of 10,000 samples over shards in turn is nowhere near."""
    index = imagenet_sized()
    full = distances(np.random.Generator(np.random.Philox(key=4)).permutation(len(index)).astype(np.int32))
    ours = epoch_order(index, everything(index), 64, 5, 2)
    # In 1 pair of 64 both are of one shard; for any other pair the shards are two random ones.
    assert ks_2samp(distances(ours), full).statistic < 1.2 / 64
    same_shard = np.diff(index.shard_of[ours]) == 0
    assert 0.8 / 64 < same_shard.mean() < 1.2 / 64
    assert ks_2samp(distances(ours)[~same_shard], full).statistic < 0.005
    parts = np.array_split(everything(index), 128)
    buffered = np.concatenate([np.random.Generator(np.random.Philox(key=9)).permutation(part) for part in parts])
    assert ks_2samp(distances(buffered), full).statistic > 0.9


def test_who_neighbours_whom_changes_every_epoch() -> None:
    """Two samples of one shard meet again more often than by chance, but only as often as their width says."""
    index = index_of(20_000, 100)
    pairs = []
    for epoch in (0, 1):
        order = epoch_order(index, everything(index), 16, 5, epoch)
        pairs.append({tuple(sorted(pair)) for pair in zip(order[:-1].tolist(), order[1:].tolist(), strict=True)})
    # 1 of 16 neighbours is of the own shard; that it is the same of its 99 samples again: 20,000 / 16 / 16 / 99.
    assert len(pairs[0] & pairs[1]) < 12


def test_no_two_seeds_and_epochs_alias() -> None:
    """`seed + 31 * epoch` would give (31, 0) and (0, 1) one order; so would any other small linear mix."""
    index = index_of(64, 64)
    orders = {
        epoch_order(index, everything(index), WIDTH, seed, epoch).tobytes()
        for seed, epoch in product([*range(40), 2**31, 2**62], range(40))
    }
    assert len(orders) == 42 * 40


def test_neighbours_are_uniform_over_pairs() -> None:
    """Over many epochs each ordered pair of samples is adjacent equally often."""
    num, epochs = 12, 4000
    index = index_of(num, num)
    counts = np.zeros((num, num))
    for epoch in range(epochs):
        positions = epoch_order(index, everything(index), WIDTH, 1, epoch)
        np.add.at(counts, (positions[:-1], positions[1:]), 1)
    assert chisquare(counts[~np.eye(num, dtype=bool)]).pvalue > 1e-3


def test_every_sample_is_as_often_first_as_any_other() -> None:
    num, epochs = 24, 3000
    index = index_of(num, 1)  # 24 shards of one sample: three times as many as are open
    firsts = [epoch_order(index, everything(index), WIDTH, seed, 0)[0] for seed in range(epochs)]
    assert chisquare(np.bincount(firsts, minlength=num)).pvalue > 1e-3


def test_streams_of_adjacent_seeds_are_uncorrelated() -> None:
    ids = sample_ids([str(number) for number in range(5000)])
    left, right = uniforms(ids, "order", 1, 0), uniforms(ids, "order", 2, 0)
    assert abs(np.corrcoef(left, right)[0, 1]) < 4 / np.sqrt(5000)
    assert kstest(left, "uniform").pvalue > 1e-3
    assert kstest((left - right) % 1, "uniform").pvalue > 1e-3


def test_integers_cover_their_range_evenly() -> None:
    ids = sample_ids([str(number) for number in range(9000)])
    drawn = integers(ids, 9, "crop row", 1, 0)
    assert chisquare(np.bincount(drawn, minlength=9)).pvalue > 1e-3


def test_purposes_of_different_type_or_split_differ() -> None:
    ids = sample_ids(["a"])
    words = [keyed_hash(ids, *purpose)[0] for purpose in ((1, 23), (12, 3), ("1", 23), ("12", 3), (1, 2, 3))]
    assert len(set(words)) == len(words)


@pytest.mark.parametrize(("small", "large"), [(0.05, 0.2), (0.2, 0.5), (0.5, 1.0)])
def test_a_smaller_fraction_is_a_subset_of_a_larger_one(small: float, large: float) -> None:
    index = index_of(1000, 100)
    assert set(choose(index, small)) < set(choose(index, large))


def test_a_fraction_takes_the_same_share_of_every_class() -> None:
    index = index_of(1000, 100)
    assert np.bincount(index.labels[choose(index, 0.1)]).tolist() == [25, 25, 25, 25]
    assert np.bincount(index.labels[choose(index, 1e-6)]).tolist() == [1, 1, 1, 1]


def test_the_choice_depends_on_keys_alone() -> None:
    """Other shards, and the samples in another order: the same keys are chosen."""
    index = index_of(1000, 100)
    rows = np.random.Generator(np.random.Philox(key=1)).permutation(1000)
    whole, rest = divmod(1000, 7)
    shuffled = Index.of([index.keys[row] for row in rows], index.rows[rows], [7] * whole + [rest])
    left = {index.keys[row] for row in choose(index, 0.3)}
    assert left == {shuffled.keys[row] for row in choose(shuffled, 0.3)}


@pytest.mark.parametrize("world_size", [1, 2, 3, 4, 7])
def test_ranks_share_a_batch_without_overlap(world_size: int) -> None:
    batch = np.arange(10)
    shares = [share(batch, rank, world_size) for rank in range(world_size)]
    assert np.concatenate(shares).tolist() == batch.tolist()
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_the_index_of_a_set_lists_its_shards_in_order(stripes: Path) -> None:
    place = ShardLocation(str(stripes))
    index = read_index(place, read_manifest(place), "train")
    assert index.keys[:2] == ["train-0000", "train-0001"]
    assert index.ids.tolist() == sample_ids(list(index.keys)).tolist()
    assert index.starts.tolist() == list(range(0, 64, 5))
    assert np.bincount(index.shard_of).tolist() == [5] * 12 + [4]
