"""Order and choice of samples: keyed, uniform, windowed, nested."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chisquare, kstest

from paribus.data.counters import integers, keyed_hash, sample_ids, uniforms
from paribus.data.manifest import Index, read_index, read_manifest
from paribus.data.order import WINDOW, choose, epoch_order, share
from paribus.data.places import Place


def index_of(num: int, shard_size: int, num_classes: int = 4) -> Index:
    keys = tuple(f"sample-{row}" for row in range(num))
    starts = np.arange(0, num, shard_size)
    return Index(
        keys=keys,
        labels=np.arange(num) % num_classes,
        ids=sample_ids(keys),
        shard_of=np.arange(num) // shard_size,
        starts=starts,
    )


def test_an_epoch_visits_every_chosen_sample_once() -> None:
    index = index_of(1000, 30)
    chosen = choose(index, 0.37)
    order = epoch_order(index, chosen, 5, 2)
    assert sorted(order.positions) == sorted(chosen)


def test_a_window_holds_at_most_its_shards_and_windows_follow_each_other() -> None:
    index = index_of(1000, 30)
    order = epoch_order(index, np.arange(1000), 5, 2)
    assert (np.diff(order.windows) >= 0).all()
    for window in np.unique(order.windows):
        shards = np.unique(index.shard_of[order.positions[order.windows == window]])
        assert len(shards) <= WINDOW


def test_windows_are_of_other_shards_in_the_next_epoch() -> None:
    index = index_of(1000, 30)
    first = [set(index.shard_of[epoch_order(index, np.arange(1000), 5, epoch).positions[:240]]) for epoch in (0, 1)]
    assert first[0] != first[1]


def test_no_two_seeds_and_epochs_alias() -> None:
    """`seed + 31 * epoch` would give (31, 0) and (0, 1) one order; so would any other small linear mix."""
    index = index_of(64, 64)
    orders = {
        epoch_order(index, np.arange(64), seed, epoch).positions.tobytes()
        for seed, epoch in product([*range(40), 2**31, 2**62], range(40))
    }
    assert len(orders) == 42 * 40


def test_neighbours_are_uniform_over_pairs() -> None:
    """Over many epochs each ordered pair of samples is adjacent equally often."""
    num, epochs = 12, 4000
    index = index_of(num, num)
    counts = np.zeros((num, num))
    for epoch in range(epochs):
        positions = epoch_order(index, np.arange(num), 1, epoch).positions
        np.add.at(counts, (positions[:-1], positions[1:]), 1)
    assert chisquare(counts[~np.eye(num, dtype=bool)]).pvalue > 1e-3


def test_every_place_is_uniform_over_samples_across_windows() -> None:
    num, epochs = 24, 3000
    index = index_of(num, 1)  # 24 shards of one sample: three windows
    firsts = [epoch_order(index, np.arange(num), seed, 0).positions[0] for seed in range(epochs)]
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
    shuffled = Index(
        keys=tuple(index.keys[row] for row in rows),
        labels=index.labels[rows],
        ids=index.ids[rows],
        shard_of=np.arange(1000) // 7,
        starts=np.arange(0, 1000, 7),
    )
    left = {index.keys[row] for row in choose(index, 0.3)}
    assert left == {shuffled.keys[row] for row in choose(shuffled, 0.3)}


@pytest.mark.parametrize("world_size", [1, 2, 3, 4, 7])
def test_ranks_share_a_batch_without_overlap(world_size: int) -> None:
    batch = np.arange(10)
    shares = [share(batch, rank, world_size) for rank in range(world_size)]
    assert np.concatenate(shares).tolist() == batch.tolist()
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_the_index_of_a_set_lists_its_shards_in_order(stripes: Path) -> None:
    place = Place(str(stripes))
    index = read_index(place, read_manifest(place), "train")
    assert index.keys[:2] == ("train-0000", "train-0001")
    assert index.starts.tolist() == list(range(0, 64, 5))
    assert np.bincount(index.shard_of).tolist() == [5] * 12 + [4]
