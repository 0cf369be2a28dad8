"""In which order an epoch visits the training samples: a pure function of (order seed, epoch) and the sample keys.

The shards are permuted, cut into windows of `WINDOW` shards, and the samples of each window are permuted. A stream
thus holds one window in memory, and a resident set follows the same order, so that both give the same batches.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paribus.data.counters import keyed_hash
from paribus.data.manifest import Index

# Part of what defines a trial's result: another window is another order. Eight shards of at most 64 MiB.
WINDOW = 8


@dataclass(frozen=True)
class Order:
    """`positions`: (n,) rows of the index in the order of the epoch; `windows`: (n,) rising number of their window."""

    positions: NDArray[np.int64]
    windows: NDArray[np.int64]


def epoch_order(index: Index, chosen: NDArray[np.int64], order_seed: int, epoch: int) -> Order:
    """The order in which `epoch` visits the rows `chosen` of `index`."""
    shards = np.arange(len(index.starts), dtype=np.uint64)
    rank_of_shard = np.empty(len(shards), np.int64)
    rank_of_shard[np.argsort(keyed_hash(shards, "shards", order_seed, epoch), kind="stable")] = np.arange(len(shards))
    windows = rank_of_shard[index.shard_of[chosen]] // WINDOW
    # lexsort is stable, so two samples with one hash keep the order of the index.
    permutation = np.lexsort((keyed_hash(index.ids[chosen], "samples", order_seed, epoch), windows))
    return Order(chosen[permutation], windows[permutation])


def choose(index: Index, fraction: float) -> NDArray[np.int64]:
    """The rows of the share `fraction` of each class, at least one a class, in index order.

    A sample's place in its class comes from its key alone, so the choice is the same in every arm and replicate, and a
    smaller fraction is a subset of a larger one.
    """
    if fraction >= 1:
        return np.arange(len(index))
    place = keyed_hash(index.ids, "train_fraction")
    rows = []
    for label in np.unique(index.labels):
        members = np.flatnonzero(index.labels == label)
        kept = max(1, round(fraction * len(members)))
        rows.append(members[np.argsort(place[members], kind="stable")[:kept]])
    return np.sort(np.concatenate(rows))


def share(batch: NDArray[np.int64], rank: int, world_size: int) -> NDArray[np.int64]:
    """The part of a global batch that falls to `rank`: consecutive, sizes differing by one at most."""
    return np.array_split(batch, world_size)[rank]
