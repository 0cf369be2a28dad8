"""Which samples of a set a recipe trains on, and which it is evaluated on.

`data.holdout` = h keeps apart the round(h n) of the n training samples with the smallest keyed hash of their key, at
least one and never all: they stand in for the evaluation split. `data.train_fraction` then keeps a share of each class
of the others. Both follow from the keys alone, so they are the same for all seeds, arms, ranks and epochs, and a
smaller share is a subset of a larger one.

What is held out is not stratified: of the m samples of a class about h m are, give or take sqrt(h (1 - h) m). A class
of few samples may so be missing among the held-out ones, or in training. The mean and sd by which images are normalised
are the manifest's, over the whole training split.
"""

import numpy as np
from numpy.typing import NDArray

from paribus.errors import DataError
from paribus.recipe.data import Data
from paribus.shards.counters import keyed_hash
from paribus.shards.index import Index, read_index
from paribus.shards.manifest import Manifest
from paribus.shards.storage.locations import ShardLocation

Rows = NDArray[np.int32]


def trained_on(index: Index, data: Data) -> Rows:
    """The rows of the training split's `index` that `data` trains on, in index order."""
    if not data.holdout:
        return choose(index, data.train_fraction)
    others = np.setdiff1d(np.arange(len(index), dtype=np.int32), held_out(index, data.holdout))
    return others[choose(index.taken(others), data.train_fraction)]


def num_trained_on(place: ShardLocation, manifest: Manifest, data: Data) -> int:
    """How many they are; the index is read only where a share of each class is kept.

    Raises:
        DataError: `num_held_out`'s and `read_index`'s.
    """
    samples = manifest.split(data.train_split).samples
    if data.train_fraction >= 1:
        return samples - (num_held_out(samples, data.holdout) if data.holdout else 0)
    return len(trained_on(read_index(place, manifest, data.train_split), data))


def evaluated_split(data: Data) -> str:
    """The split in which the samples lie that `data` is evaluated on."""
    return data.train_split if data.holdout else data.eval_split


def read_evaluated(place: ShardLocation, manifest: Manifest, data: Data) -> Index:
    """The samples that `data` is evaluated on: all of `eval_split`, or the held-out ones of `train_split`.

    Raises:
        DataError: `read_index`'s, or a split too small to hold samples out of it.
    """
    index = read_index(place, manifest, evaluated_split(data))
    return index.taken(held_out(index, data.holdout)) if data.holdout else index


def num_evaluated(manifest: Manifest, data: Data) -> int:
    """How many they are, without reading the index."""
    samples = manifest.split(evaluated_split(data)).samples
    return num_held_out(samples, data.holdout) if data.holdout else samples


def num_held_out(samples: int, holdout: float) -> int:
    """How many of `samples` are held out: the nearest to the share `holdout`, at least one and never all."""
    if samples < 2:
        raise DataError(
            f"data.holdout = {holdout}: the training split has {samples} sample, and one to train on and one to "
            "evaluate on are needed; set data.holdout to 0"
        )
    return min(samples - 1, max(1, round(holdout * samples)))


def held_out(index: Index, holdout: float) -> Rows:
    """The rows of the training split's `index` that are held out, in index order.

    Evaluation allows no sample that does not decode and training some: those known not to are the last to be held out.
    """
    turn = np.lexsort((keyed_hash(index.ids, "holdout"), index.rows["height"] == 0))
    return np.sort(turn[: num_held_out(len(index), holdout)]).astype(np.int32)


def choose(index: Index, fraction: float) -> Rows:
    """The rows of the share `fraction` of each class, at least one a class, in index order.

    A sample's place in its class comes from its key alone, so the choice is the same in every arm and replicate, and a
    smaller fraction is a subset of a larger one.
    """
    if fraction >= 1:
        return np.arange(len(index), dtype=np.int32)
    # By class, in it by the hash, then by row.
    rows = np.lexsort((keyed_hash(index.ids, "train_fraction"), index.labels))
    counts = np.bincount(index.labels)
    kept = np.maximum(1, np.rint(fraction * counts)).astype(np.int64)
    rank = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(rows[rank < np.repeat(kept, counts)]).astype(np.int32)
