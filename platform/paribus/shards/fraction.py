"""Which samples are kept of a split that is not wanted whole."""

import numpy as np
from numpy.typing import NDArray

from paribus.shards.counters import keyed_hash
from paribus.shards.index import Index


def choose(index: Index, fraction: float) -> NDArray[np.int32]:
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
