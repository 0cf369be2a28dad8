"""In which order an epoch visits the training samples: a pure function of (order seed, epoch) and the sample keys.

Shards are permuted and stand in a row, one unit of time each. A shard is open for `width` units around its place, each
of its samples falls on a moment of that interval by its keyed hash, and the epoch is the samples by their moments. So
at any moment at most `width` + 1 shards are open, they are replaced one at a time, and a set of at most width / 2
shards is one permutation of all its samples. A resident set follows the same order, so that both give the same batches.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paribus.shards.counters import keyed_hash, uniforms
from paribus.shards.index import Index


def epoch_order(index: Index, chosen: NDArray[np.int32], width: int, order_seed: int, epoch: int) -> NDArray[np.int32]:
    """(n,) the rows `chosen` of `index` in the order in which `epoch` visits them, `width` shards mixed at a time."""
    num = len(index.starts)
    shards = np.arange(num, dtype=np.uint64)
    place = np.empty(num)
    place[np.argsort(keyed_hash(shards, "shards", order_seed, epoch), kind="stable")] = np.arange(num) + 0.5
    opens, closes = np.maximum(0, place - width / 2), np.minimum(num, place + width / 2)
    shard = index.shard_of[chosen]
    moments = uniforms(index.ids[chosen], "samples", order_seed, epoch)
    moments *= (closes - opens)[shard]
    moments += opens[shard]
    # Stable: two samples of one moment keep the order of the index.
    in_turn: NDArray[np.int32] = chosen[np.argsort(moments, kind="stable")]
    return in_turn


def steps_of(
    order: NDArray[np.int32], batch_size: int, start_step: int = 0, rank: int = 0, world_size: int = 1
) -> NDArray[np.int32]:
    """(steps, about batch_size / world_size) the rows of each step for `rank`; the last, partial batch is dropped.

    A rank's share of a batch is consecutive; sizes differ by one at most, and may be 0.
    """
    num_steps = len(order) // batch_size
    steps = order[start_step * batch_size : num_steps * batch_size].reshape(-1, batch_size)
    return np.array_split(steps, world_size, axis=1)[rank]


def share(batch: NDArray[np.int32], rank: int, world_size: int) -> NDArray[np.int32]:
    """The part of a batch that falls to `rank`: consecutive, sizes differing by one at most."""
    return np.array_split(batch, world_size)[rank]


@dataclass(frozen=True)
class Order:
    """The steps of a split's epochs: the rows `chosen` of `index`, `width` shards mixed, `batch_size` a step.

    `ranks` (rank, world size) share each step.
    """

    index: Index
    chosen: NDArray[np.int32]
    width: int
    batch_size: int
    ranks: tuple[int, int] = (0, 1)

    def epoch(self, order_seed: int, epoch: int) -> NDArray[np.int32]:
        """(n,) all `chosen` rows as `epoch` visits them."""
        return epoch_order(self.index, self.chosen, self.width, order_seed, epoch)

    def steps(self, order_seed: int, epoch: int, start_step: int = 0) -> NDArray[np.int32]:
        """(steps, about batch_size / world size) the rows of this rank's share of each step from `start_step` on."""
        return steps_of(self.epoch(order_seed, epoch), self.batch_size, start_step, *self.ranks)
